//! The page of a run with very many messages: how large it is, how soon it is there, and how it moves.

use serde_json::json;

use crate::page::{assert_no_errors, middle_of, opened, settle};
use crate::{Ran, say};

/// 25 nodes, 60 s, more than 100,000 messages.
const LARGE: &str = "-w g-set --node-count 25 --time-limit 60 --rate 720 --latency 50 --seed 1 \
                     --nemesis partition --nemesis-interval 20";
const MESSAGES: u64 = 100_000;
const MAX_BYTES: u64 = 6_000_000;
/// Usually it takes a tenth, but the machine may be busy.
const OPENS_IN_MS: f64 = 5_000.0;
const FRAMES: u64 = 120;
/// Far more elements than the page has, and far fewer than messages.
const MAX_ELEMENTS: u64 = 3_000;

#[test]
fn a_hundred_thousand_messages_are_all_shown_and_moved_frame_by_frame() {
    let ran = Ran::of(LARGE);
    let size = std::fs::metadata(ran.latest().join("report.html")).expect("a page").len();
    assert!(size <= MAX_BYTES, "{size} bytes");
    let Some(mut browser) = opened(&ran) else { return };
    let number = |value: serde_json::Value| value.as_f64().expect("a number");
    let ready = number(browser.evaluate("performance.getEntriesByName('ready')[0].startTime"));
    let count = browser.evaluate("messages.count").as_u64().expect("a count");
    say(&format!("{count} messages on a page of {size} bytes are there after {ready:.0} ms"));
    assert!(ready < OPENS_IN_MS, "{ready} ms");
    assert!(count >= MESSAGES, "{count}");
    assert_eq!(browser.evaluate("messages.total"), count, "none is left out");
    assert_eq!(Some(&json!(count)), ran.results().pointer("/net/all/msg-count"));

    browser.click(&middle_of("#with-clients"));
    browser.click(&middle_of("#zoom-all"));
    settle(&mut browser);
    assert_eq!(browser.evaluate("layer.gaps.length"), 0);
    let drawn = browser.evaluate("layer.drawn").as_u64().expect("a count");
    assert!(drawn >= count, "{drawn} lines of {count} messages");
    let elements = browser.evaluate("document.querySelectorAll('*').length").as_u64().expect("a count");
    assert!(elements < MAX_ELEMENTS, "{elements}");

    // Half of the run in view, moved by a few pixels in each frame.
    browser.click(&middle_of("#zoom-in"));
    browser.evaluate("diagram.moveTo(0)");
    settle(&mut browser);
    let before = browser.evaluate("layer.drawn").as_u64().expect("a count");
    let shown = browser.evaluate("diagram.countInView()").as_u64().expect("a count");
    let times = browser.evaluate(&format!(
        "(async () => {{ const times = []; let last = await new Promise(requestAnimationFrame); \
         for (let frame = 0; frame < {FRAMES}; frame += 1) {{ diagram.pan(0.004); \
         const now = await new Promise(requestAnimationFrame); times.push(now - last); last = now; }} \
         return times.sort((a, b) => a - b); }})()"
    ));
    let at = |percent: usize| {
        let times = times.as_array().expect("times");
        times[times.len() * percent / 100].as_f64().expect("a time")
    };
    say(&format!("{shown} in view: frames take {:.1} ms, 95 % of them at most {:.1} ms", at(50), at(95)));
    settle(&mut browser);
    let added = browser.evaluate("layer.drawn").as_u64().expect("a count") - before;
    assert!(added < 3 * shown, "moving by half of the view draws what comes into view: {added} of {shown}");
    assert_no_errors(&mut browser);
}
