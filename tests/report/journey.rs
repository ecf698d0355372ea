//! From the verdict to the journey of the value that was lost, by pointer and by keyboard.

use serde_json::{Value as Json, json};

use crate::browser::Browser;
use crate::page::{assert_no_errors, middle_of, opened, settle};
use crate::{Ran, say};

/// The failure of `docs/debugging.md`.
const FAILURE: &str = "-w broadcast --bin PROGRAM --seed 1 --node-count 5 --rate 10 --time-limit 10 --latency 100 \
                       --nemesis partition --nemesis-interval 3";

fn failed() -> Option<Ran> {
    if cfg!(not(all(target_os = "linux", target_arch = "x86_64"))) {
        say("\nskipped: programs run in virtual time on Linux only");
        return None;
    }
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/explain/programs/broadcast_once.py");
    Some(Ran::of(&FAILURE.replace("PROGRAM", program)))
}

/// How many pixels of the diagram are of a color of the style sheet.
fn pixels_of(browser: &mut Browser, colour: &str) -> u64 {
    let count = browser.evaluate(&format!(
        "(() => {{ const canvas = find('diagram'); \
         const copy = make('canvas', {{ width: canvas.width, height: canvas.height }}); \
         const context = copy.getContext('2d', {{ willReadFrequently: true }}); context.drawImage(canvas, 0, 0); \
         context.fillStyle = colour('{colour}'); const hex = parseInt(context.fillStyle.slice(1), 16); \
         const {{ data }} = context.getImageData(0, 0, canvas.width, canvas.height); let found = 0; \
         for (let i = 0; i < data.length; i += 4) \
         found += (data[i] << 16 | data[i + 1] << 8 | data[i + 2]) === hex && data[i + 3] > 250; return found; }})()"
    ));
    count.as_u64().expect("a count")
}

#[test]
fn two_clicks_lead_from_the_verdict_to_the_journey_of_the_lost_value() {
    let Some(ran) = failed() else { return };
    let Some(mut browser) = opened(&ran) else { return };
    settle(&mut browser);
    assert_eq!(browser.text("#verdict"), "invalid");
    browser.click(&middle_of("#verdict"));
    let top = browser.evaluate("find('remarks').getBoundingClientRect().top").as_f64().expect("a place");
    assert!((-1.0..500.0).contains(&top), "{top}");
    browser.click(&middle_of("#explanations li:first-child button"));
    settle(&mut browser);
    let title = browser.text("#journey h3");
    assert!(title.starts_with("4 was acknowledged, but"), "{title}");
    let steps = browser.text("#journey ol");
    assert!(steps.contains("Value 4 was acknowledged by n0 at 1.23 s (operation 25)."), "{steps}");
    assert!(browser.text("#journey ul").contains("no retry after a drop"));
    let shown = browser.evaluate("find('diagram').getBoundingClientRect().top < innerHeight");
    assert_eq!(shown, true, "the diagram is in view");
    // Its messages are those of the explanation, and carry the value; the message to n1 was dropped by the partition.
    let in_colour = browser.evaluate("[...diagram.journey.messages].map((i) => messages.id[i])");
    assert!(in_colour.as_array().expect("numbers").contains(&json!(59)), "{in_colour}");
    let fate = browser.evaluate("fateInWords(messages.byId.get(59))");
    assert_eq!(fate, "dropped: cut [n0 | n1 n2 n3 n4]");
    assert!(pixels_of(&mut browser, "bad") > 50, "the reason is written in the diagram");
    // All others are grey until the journey is closed.
    let grey = "diagram.inView().every((i) => lineColour(i) === colour('faint'))";
    assert_eq!((browser.evaluate(grey), pixels_of(&mut browser, "faint") > 0), (json!(true), true));
    browser.click(&middle_of("#close-journey"));
    settle(&mut browser);
    assert_eq!((browser.evaluate(grey), pixels_of(&mut browser, "faint")), (json!(false), 0));
    assert_no_errors(&mut browser);
}

#[test]
fn values_messages_and_operations_are_found() {
    let Some(ran) = failed() else { return };
    let Some(mut browser) = opened(&ran) else { return };
    let found = |browser: &mut Browser, by: &str, text: &str| {
        browser.evaluate(&format!("search('{by}', '{text}')"));
        browser.text("#found")
    };
    let value = found(&mut browser, "value", "4");
    assert!(value.contains("messages with 4, 4 not delivered"), "{value}");
    let all = browser.evaluate("bodies().then((all) => [...diagram.journey.messages].map((i) => all[i]))");
    let carries = |body: &Json| body.as_str().is_some_and(|body| body.contains('4'));
    assert!(all.as_array().is_some_and(|all| all.len() > 4 && all.iter().all(carries)), "{all}");
    let message = found(&mut browser, "message", "59");
    assert_eq!(message, "Message 59: n0 → n1, dropped: cut [n0 | n1 n2 n3 n4].");
    assert_eq!(browser.evaluate("messages.id[diagram.selected]"), 59);
    let operation = found(&mut browser, "operation", "25");
    assert!(operation.starts_with("broadcast ok"), "{operation}");
    assert_eq!(browser.evaluate("diagram.journey.messages.size"), 2, "its request and the reply");
    assert_eq!(found(&mut browser, "value", "123456"), "No message carries 123456.");
    assert_no_errors(&mut browser);
}

#[test]
fn points_and_bars_lead_to_the_diagram() {
    let Some(ran) = failed() else { return };
    let Some(mut browser) = opened(&ran) else { return };
    for (chart, title) in [("latency", "operation"), ("staleness", "messages with")] {
        browser.evaluate(&format!("find('{chart}').focus()"));
        browser.key("ArrowRight");
        let spoken = browser.text("#spoken");
        assert!(!spoken.is_empty(), "{chart} is spoken");
        browser.key("Enter");
        browser.evaluate("bodies().then(() => new Promise((done) => setTimeout(done, 100)))");
        let shown = browser.text("#journey h3");
        assert!(shown.contains(title), "{chart}: {shown}");
        browser.evaluate("closeJourney()");
    }
    assert_no_errors(&mut browser);
}

#[test]
fn the_keyboard_reaches_everything() {
    let Some(ran) = failed() else { return };
    let Some(mut browser) = opened(&ran) else { return };
    browser.evaluate("scrollTo(0, 0)");
    let mut reached = Vec::new();
    for _ in 0..120 {
        browser.key("Tab");
        let focus = browser.evaluate(
            "(({ id, tagName, parentElement: parent }) => id || parent?.id || parent?.parentElement?.id || tagName)\
             (document.activeElement)",
        );
        reached.push(focus.as_str().expect("a name").to_owned());
    }
    for wanted in
        ["verdict", "files", "explanations", "latency", "staleness", "wanted", "zoom-in", "diagram", "timeline"]
    {
        assert!(reached.iter().any(|name| name == wanted), "{wanted}: {reached:?}");
    }
    browser.evaluate("document.querySelector('#explanations button').focus()");
    browser.key("Enter");
    settle(&mut browser);
    let focus = browser.evaluate("document.activeElement === document.querySelector('#journey h3')");
    assert_eq!(focus, true, "a screen reader goes on where the journey begins");
    browser.evaluate("find('diagram').focus()");
    browser.key("n");
    assert_ne!(browser.evaluate("diagram.selected"), -1);
    // Zooming keeps the selected message where it is.
    let place = "(messages.sent[diagram.selected] + messages.took[diagram.selected] / 2 - diagram.from) / diagram.span";
    let before = browser.evaluate(place).as_f64().expect("a share");
    browser.key("+");
    let after = browser.evaluate(place).as_f64().expect("a share");
    assert!((before - after).abs() < 0.05, "{before} {after}");
    let nameless = "[...document.querySelectorAll('canvas, button, input, select, a')].filter((element) => \
                    !element.getAttribute('aria-label') && !element.textContent.trim())\
                    .map((element) => element.outerHTML)";
    assert_eq!(browser.evaluate(nameless), json!([]));
    assert_no_errors(&mut browser);
}

#[test]
fn a_narrow_window_shows_everything_without_scrolling_sideways() {
    let Some(ran) = failed() else { return };
    let Some(mut browser) = opened(&ran) else { return };
    browser.resize(390, 844);
    browser.evaluate("document.querySelector('#explanations button').click()");
    settle(&mut browser);
    let widths = browser.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]");
    assert_eq!(widths[0], widths[1]);
    assert!(widths[0].as_u64().is_some_and(|width| width <= 390), "{widths}");
    assert_no_errors(&mut browser);
}

#[test]
fn paper_is_light_and_complete() {
    let Some(ran) = failed() else { return };
    let Some(mut browser) = opened(&ran) else { return };
    browser.prefer("dark");
    settle(&mut browser);
    browser.evaluate("document.querySelector('#explanations button').click()");
    let ink = |browser: &mut Browser| {
        browser.evaluate("[getComputedStyle(document.documentElement).getPropertyValue('--ink'), layer.drawn]")
    };
    let dark = ink(&mut browser);
    browser.evaluate("dispatchEvent(new Event('beforeprint'))");
    let paper = ink(&mut browser);
    assert_ne!(paper[0], dark[0]);
    assert!(pixels_of(&mut browser, "bad") > 50, "the diagram is drawn at once, in the colours of paper");
    browser.evaluate("dispatchEvent(new Event('afterprint'))");
    assert_eq!(ink(&mut browser)[0], dark[0]);
    assert_no_errors(&mut browser);
}
