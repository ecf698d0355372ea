//! `store/index.html` in a browser, and with concurrent runs.

use std::fs;
use std::process::Child;

use serde_json::json;

use crate::Ran;
use crate::page::{assert_no_errors, middle_of, opened};

const SHORT: &str = "-w echo --node-count 1 --time-limit 2 --rate 20 --seed 77";

#[test]
fn the_list_of_runs_shows_metrics_and_links_to_reports_whatever_the_folders_are_named() {
    let ran = Ran::of(SHORT);
    let store = ran.folder.path().join("store");
    let run = ran.latest();
    let name = run.file_name().expect("a name");
    // Older copies of the run, in folders with unusual names.
    let hostile = ["javascript:alert(1)", "<b onclick='x'>\"&amp;", "100% of c:\\ ?#", "..%2f.."];
    for workload in hostile {
        let copy = store.join(workload).join(name);
        fs::create_dir_all(&copy).expect("created");
        for file in ["index.json", "report.html"] {
            fs::copy(run.join(file), copy.join(file)).expect("copied");
        }
    }
    let again = Ran { folder: ran.folder };
    again.test(SHORT);
    let Some(mut browser) = opened(&again) else { return };
    let index = format!("file://{}", store.join("index.html").display());
    browser.open(&index);
    assert_eq!(browser.evaluate("document.querySelectorAll('tbody tr').length"), 2 + hostile.len());
    assert_eq!(browser.evaluate("document.querySelectorAll('tbody b').length"), 0, "names are no markup");
    let cells = "[...document.querySelector('tbody tr').cells].map((cell) => cell.textContent)";
    let (cells, results) = (browser.evaluate(cells), again.results());
    let ok = results["stats"]["ok-count"].to_string();
    assert_eq!((&cells[1], &cells[2], &cells[3]), (&json!("echo"), &json!("valid"), &json!(ok)));
    assert_eq!((&cells[4], &cells[5], &cells[9]), (&json!("0"), &json!("0"), &json!("77")));
    for row in 1..=2 + hostile.len() {
        browser.open(&index);
        let workload = browser.text(&format!("tbody tr:nth-child({row}) td:nth-child(2)"));
        browser.await_load(|browser| browser.click(&middle_of(&format!("tbody tr:nth-child({row}) a"))));
        assert_eq!(browser.evaluate("document.title"), "echo: valid", "{workload}");
        let folder = browser.evaluate("decodeURIComponent(location.pathname.split('/').at(-3))");
        assert_eq!(folder, workload, "the link leads to its own folder");
    }
    assert_no_errors(&mut browser);
}

#[test]
fn the_list_has_every_run_even_if_several_end_at_once() {
    const AT_ONCE: usize = 4;
    const ROUNDS: usize = 3;
    let ran = Ran::of(SHORT);
    for _ in 0..ROUNDS {
        let start = |_| -> Child { ran.command(SHORT).spawn().expect("gloomers runs") };
        let running: Vec<_> = (0..AT_ONCE).map(start).collect();
        for mut process in running {
            assert!(process.wait().expect("it ends").success());
        }
    }
    let page = fs::read_to_string(ran.folder.path().join("store/index.html")).expect("a list");
    let runs = fs::read_dir(ran.folder.path().join("store/echo")).expect("a folder");
    let names = runs.map(|run| run.expect("an entry").file_name().into_string().expect("text"));
    let listed = names.filter(|name| page.contains(&format!(">{name}</a></td><td>echo</td><td class=\"valid\">")));
    assert_eq!(listed.count(), 1 + AT_ONCE * ROUNDS, "{page}");
    assert!(page.ends_with("</html>\n"));
}
