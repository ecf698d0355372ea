//! `report.html` in a browser.

use serde_json::json;

use crate::browser::Browser;
use crate::{Ran, say};

/// Upper bound on the loading time of a page for 25 nodes and 20 s; usually it takes a fifth, but the machine may be
/// busy.
const OPENS_IN_MS: f64 = 3_000.0;

const CHALLENGE_3D: &str = "-w broadcast --node-count 25 --time-limit 20 --rate 100 --latency 100 --seed 1";

/// A browser that has opened the report of a run; `None` if there is no browser.
pub(crate) fn opened(ran: &Ran) -> Option<Browser> {
    let Some(mut browser) = Browser::start() else {
        let expected = ["CI", "CHROMIUM_EXPECTED"].into_iter().find(|name| std::env::var_os(name).is_some());
        assert_eq!(
            expected, None,
            "a Chromium is expected, but none can be started; install one or unset the variable"
        );
        // The harness may be in the middle of a line.
        say("\nskipped: browser tests: there is no Chromium that can be started");
        return None;
    };
    browser.open(&format!("file://{}", ran.latest().join("report.html").display()));
    browser.evaluate("loaded");
    settle(&mut browser);
    Some(browser)
}

/// Waits until all lines are drawn, and the rows of clients after them.
pub(crate) fn settle(browser: &mut Browser) {
    browser.evaluate(
        "(async () => { do await new Promise(requestAnimationFrame); while (diagram.waiting); \
         await new Promise((done) => setTimeout(done, 100)); })()",
    );
}

pub(crate) fn assert_no_errors(browser: &mut Browser) {
    assert_eq!(browser.errors(), [""; 0]);
}

/// The position of the middle of an element, which is scrolled into view.
pub(crate) fn middle_of(selector: &str) -> String {
    let selector = json!(selector);
    format!(
        "(() => {{ const e = document.querySelector({selector}); e.scrollIntoView({{ block: 'center' }}); \
         const b = e.getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2]; }})()"
    )
}

#[test]
fn a_report_opens_quickly_and_its_metrics_equal_the_results() {
    let ran = Ran::of(CHALLENGE_3D);
    let Some(mut browser) = opened(&ran) else { return };
    let opened = browser.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd");
    let opened = opened.as_f64().expect("a time");
    say(&format!("it opened in {opened:.0} ms"));
    assert!(opened < OPENS_IN_MS, "{opened} ms");
    let results = ran.results();
    for (figure, pointer) in [
        ("ok-count", "/stats/ok-count"),
        ("fail-count", "/stats/fail-count"),
        ("info-count", "/stats/info-count"),
        ("ok-fraction", "/availability/ok-fraction"),
        ("msgs-per-op", "/net/servers/msgs-per-op"),
        ("msg-count", "/net/all/msg-count"),
        ("stable-median", "/workload/stable-latencies/0.5"),
        ("stable-max", "/workload/stable-latencies/1"),
    ] {
        let shown = browser.evaluate(&format!("document.querySelector('[data-figure=\"{figure}\"]').title"));
        let shown: f64 = shown.as_str().and_then(|text| text.parse().ok()).expect("a number");
        let stored = results.pointer(pointer).and_then(serde_json::Value::as_f64).expect("a number");
        assert!((shown - stored).abs() < 1e-9, "{figure}: {shown} on the page, {stored} in results.json");
    }
    assert_eq!(browser.text("#verdict"), "valid");
    assert_eq!(browser.text("#limits tbody tr:first-child td:last-child"), "met");
    let drawn = browser.evaluate("report.operations.start_us.length");
    assert_eq!(Some(&drawn), results.pointer("/stats/count"), "every operation is drawn");
    let sent = browser.evaluate("report.links.cells.reduce((sum, cell) => sum + cell[2], 0)");
    assert_eq!(Some(&sent), results.pointer("/net/all/msg-count"), "the matrix has every message");
    let stale = browser.evaluate("report.staleness_ms.length");
    assert_eq!(Some(&stale), results.pointer("/workload/stable-count"));
    assert_no_errors(&mut browser);
}

#[test]
fn a_click_on_a_message_shows_its_body() {
    let ran = Ran::of(CHALLENGE_3D);
    let Some(mut browser) = opened(&ran) else { return };
    browser.evaluate("find('diagram').scrollIntoView({ block: 'center' })");
    browser.evaluate("new Promise(requestAnimationFrame)");
    browser.click(
        "((box, [x1, y1, x2, y2]) => [box.left + (x1 + x2) / 2, box.top + (y1 + y2) / 2])\
         (find('diagram').getBoundingClientRect(), diagram.ends(diagram.inView()[20]))",
    );
    browser.evaluate("bodies().then(() => 0)");
    let selected = browser.evaluate("diagram.selected");
    assert!(selected.as_u64().is_some(), "{selected}");
    let title = browser.evaluate(
        "(({ names, src, dest }, i) => `${names[src[i]]} → ${names[dest[i]]}: gossip`)(messages, diagram.selected)",
    );
    assert_eq!(title, browser.text("#message h3"));
    let shown: serde_json::Value = serde_json::from_str(&browser.text("#message pre")).expect("a whole body");
    let body = browser.evaluate("bodies().then((all) => JSON.parse(all[diagram.selected]))");
    assert_eq!((&shown, &shown["type"]), (&body, &json!("gossip")));
    // The next message by keyboard: the diagram has the focus.
    browser.key("n");
    assert_ne!(browser.evaluate("diagram.selected"), selected);
    assert_no_errors(&mut browser);
}

#[test]
fn the_diagram_zooms_and_is_filtered_by_type_and_node() {
    let ran = Ran::of(
        "-w broadcast --node-count 5 --time-limit 10 --rate 20 --latency 20 --seed 2 \
         --nemesis partition --nemesis-interval 2",
    );
    let Some(mut browser) = opened(&ran) else { return };
    let width = |browser: &mut Browser| browser.evaluate("diagram.to - diagram.from").as_f64().expect("a time");
    browser.click(&middle_of("#zoom-all"));
    let whole = width(&mut browser);
    browser.click(&middle_of("#zoom-in"));
    assert!((width(&mut browser) - whole / 2.0).abs() < 1.0);
    browser.click(&middle_of("#diagram"));
    browser.wheel(&middle_of("#diagram"), -500);
    browser.evaluate("new Promise((done) => setTimeout(done, 200))");
    assert!(width(&mut browser) < whole / 3.0, "the wheel zooms once the diagram has the focus");

    browser.click(&middle_of("#zoom-all"));
    let everything = browser.evaluate("diagram.chosen.length").as_u64().expect("a count");
    browser.click(&middle_of("#with-clients"));
    let with_clients = browser.evaluate("diagram.chosen.length").as_u64().expect("a count");
    assert!(with_clients > everything, "{with_clients} > {everything}");
    browser.click(&middle_of("#types button:first-child"));
    let of_type = "diagram.chosen.every((i) => messages.kind[i] === messages.byFrequency[0])";
    assert_eq!(browser.evaluate(of_type), true);
    browser.click(&middle_of("#nodes button:nth-child(3)"));
    let of_node = "diagram.chosen.length > 0 && diagram.chosen.every(\
         (i) => [messages.src[i], messages.dest[i]].some((name) => messages.names[name] === 'n1'))";
    assert_eq!(browser.evaluate(of_node), true);
    assert_eq!(browser.evaluate("report.faults.length > 0"), true);
    assert_no_errors(&mut browser);
}

#[test]
fn the_operations_of_each_client_are_shown_over_the_time_of_the_diagram() {
    let ran = Ran::of("-w broadcast --node-count 5 --concurrency 10 --time-limit 10 --rate 20 --latency 20 --seed 2");
    let Some(mut browser) = opened(&ran) else { return };
    assert_eq!(browser.evaluate("timeline.rows"), 10);
    browser.click(&middle_of("#zoom-all"));
    let all = browser.evaluate("report.operations.start_us.length");
    assert_eq!(browser.evaluate("timeline.inView().length"), all);
    // An operation is found at the position of its bar, also after zooming.
    browser.click(&middle_of("#zoom-in"));
    browser.click(&middle_of("#zoom-in"));
    let found = "timeline.inView().every((i) => (([x, y, width, height]) => \
                 timeline.row(timeline.hit(x + width / 2, y + height / 2)) === timeline.row(i))(timeline.bar(i)))";
    assert_eq!(browser.evaluate(found), true);
    let shown = browser.evaluate("timeline.inView().length").as_u64().expect("a count");
    assert!(shown > 0 && Some(shown) < all.as_u64(), "{shown} of {all}");
    assert_no_errors(&mut browser);
}

#[test]
fn a_report_follows_the_preferred_color_scheme() {
    let ran = Ran::of("-w echo --node-count 1 --time-limit 2 --rate 20");
    let Some(mut browser) = opened(&ran) else { return };
    let mut paper = |scheme: &str| {
        browser.prefer(scheme);
        browser.evaluate("getComputedStyle(document.body).backgroundColor")
    };
    assert_ne!(paper("light"), paper("dark"));
    assert_no_errors(&mut browser);
}
