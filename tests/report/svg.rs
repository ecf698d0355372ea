//! Charts of the report as SVG files.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Ran;
use crate::page::{assert_no_errors, middle_of, opened, settle};

/// Upper bound on the time until a download is complete.
const SAVED_BY: Duration = Duration::from_secs(30);

/// The text of a file, as soon as it is complete.
#[expect(clippy::disallowed_methods, reason = "it polls for a download")]
fn saved(file: &Path) -> String {
    let begun = Instant::now();
    loop {
        if let Ok(text) = fs::read_to_string(file)
            && text.ends_with("</svg>")
        {
            return text;
        }
        assert!(begun.elapsed() < SAVED_BY, "{} is not saved", file.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn each_chart_can_be_saved_as_an_equivalent_svg_file() {
    let ran = Ran::of(
        "-w broadcast --node-count 5 --time-limit 10 --rate 20 --latency 20 --loss 0.05 --seed 2 \
         --nemesis partition --nemesis-interval 2",
    );
    let Some(mut browser) = opened(&ran) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    browser.save_in(folder.path());
    let before = browser.evaluate("[...document.querySelectorAll('canvas')].map((canvas) => canvas.toDataURL())");
    let operations = browser.evaluate("report.operations.start_us.length").as_u64().expect("a count");
    // The chart, and the minimum number of shapes and one of the texts in its file.
    let charts = [
        ("latency", operations, "milliseconds"),
        ("quantiles", 4, "median"),
        ("rate", 2, "broadcast ok"),
        ("staleness", 10, "values"),
        ("matrix", 20, "n4"),
        ("diagram", 20, "n0"),
        ("timeline", 20, "client 0"),
    ];
    for (chart, shapes, word) in charts {
        browser.click(&middle_of(&format!("[data-chart={chart}]")));
        let text = saved(&folder.path().join(format!("broadcast-{chart}.svg")));
        // Parsed as a document.
        let read = "new DOMParser().parseFromString(TEXT, 'image/svg+xml')".replace("TEXT", &json!(text).to_string());
        let found = browser.evaluate(&format!(
            "(({{ documentElement: root }}) => ({{ root: root.nodeName, \
             title: root.querySelector('title')?.textContent, \
             shapes: root.querySelectorAll('path, rect').length, \
             texts: [...root.querySelectorAll('text')].map((text) => text.textContent), \
             odd: [...root.querySelectorAll('*')].filter((element) => [...element.attributes].some(\
             ({{ value }}) => /NaN|undefined|Infinity/.test(value))).length }}))({read})"
        ));
        assert_eq!((&found["root"], &found["odd"]), (&json!("svg"), &json!(0)), "{chart}: {found}");
        assert!(found["title"].as_str().is_some_and(|title| title.starts_with("broadcast: ")), "{chart}: {found}");
        assert!(found["shapes"].as_u64().is_some_and(|count| count >= shapes), "{chart}: {found}");
        let texts = found["texts"].as_array().expect("texts");
        assert!(texts.contains(&json!(word)), "{chart}: {found}");
    }
    assert_eq!(browser.evaluate("document.querySelectorAll('canvas:not(#overview)').length"), charts.len());
    settle(&mut browser);
    let after = browser.evaluate("[...document.querySelectorAll('canvas')].map((canvas) => canvas.toDataURL())");
    assert!(before == after, "what is on the screen stays");
    assert_no_errors(&mut browser);
}
