//! Outcomes, and what is made of them.

use std::ffi::OsString;

use super::*;
use crate::workbench::cli::options::Options;
use crate::workbench::cluster::OutputTail;
use crate::workbench::network::{BadLine, Muted};
use crate::workbench::test::Extended;

fn options(line: &str) -> Options {
    let line = format!("{line} --seed 7");
    Options::parse(line.split_whitespace().map(OsString::from)).expect("a good command line")
}

fn outcome() -> Outcome {
    let lines = "{:index 0, :time 0, :type :invoke, :process 0, :f :generate, :value nil}
                 {:index 1, :time 5, :type :ok, :process 0, :f :generate, :value 1}";
    Outcome { history: lines.parse().expect("a history"), ..Outcome::default() }
}

fn finished(outcome: Outcome, line: &str) -> (u8, String, tempfile::TempDir) {
    let root = tempfile::tempdir().expect("a folder");
    let mut store = RunFolder::create(root.path(), "unique-ids");
    let mut page = Vec::new();
    let Finished { status, .. } =
        finish(outcome, &options(line).config, &options(line).report, &mut store, &mut page, false).expect("written");
    (status, String::from_utf8(page).expect("text"), root)
}

#[test]
fn a_dead_node_leaves_a_history_but_no_verdict() {
    let output_tail = OutputTail { stdout: vec!["out".into()], stderr: vec!["oh no".into()] };
    let crash =
        Crash { node: "n2".into(), status: "exit status: 3".into(), after: Duration::from_millis(4_200), output_tail };
    let (status, page, root) = finished(Outcome { crashes: vec![crash], ..outcome() }, "-w unique-ids");
    assert_eq!(status, BROKEN);
    assert!(page.starts_with("Node n2 crashed with exit status: 3. Before"), "{page}");
    assert!(page.contains("And to STDERR:\n    oh no\n"), "{page}");
    let file = |name: &str| root.path().join("latest").join(name).exists();
    assert!(file("history.edn") && !file("results.edn"));
}

#[test]
fn the_last_line_of_a_test_without_a_verdict_says_who_died_when() {
    let crash = |node: u64| Crash {
        node: format!("n{node}"),
        status: "signal: 9 (SIGKILL)".into(),
        after: Duration::from_millis(1_500 * node),
        output_tail: OutputTail::default(),
    };
    let all = deaths(&(1..=5).map(crash).collect::<Vec<_>>(), 5);
    let named = "n1 died after 1.5 s (signal: 9 (SIGKILL)), n2 died after 3.0 s (signal: 9 (SIGKILL)), \
                 n3 died after 4.5 s (signal: 9 (SIGKILL))";
    assert_eq!(all, format!("every node is dead: {named} and 2 more"));
    assert_eq!(deaths(&[crash(1)], 5), "n1 died after 1.5 s (signal: 9 (SIGKILL))");
    assert_eq!(deaths(&[crash(1)], 1), "n1 died after 1.5 s (signal: 9 (SIGKILL))");
}

#[test]
fn a_test_that_was_cut_short_is_judged_and_marked_everywhere() {
    for (failure, wanted, closing) in [
        (TestError::Halt(Halt::Interrupted), INTERRUPTED, "Interrupted; all nodes have been ended."),
        (TestError::Halt(Halt::Stopped), UNKNOWN, "Stopped where it was to; all nodes have been ended."),
        (TestError::InvalidConfig("no more".into()), BROKEN, "The test could not be run to its end: no more"),
    ] {
        let why = failure.to_string();
        let extended = Extended { cut_short: Some(why.clone()), ..Extended::default() };
        let cut = Outcome { cut_short: Some(failure), extended, ..outcome() };
        let (status, page, root) = finished(cut, "-w unique-ids");
        assert_eq!(status, wanted, "{page}");
        assert!(page.starts_with(&format!("!!! CUT SHORT: The test was cut short after 0.0 s ({why})")), "{page}");
        assert_eq!(page.lines().last(), Some(closing));
        let read = |name: &str| std::fs::read_to_string(root.path().join("latest").join(name)).expect("a file");
        let results = edn::read(&read("results.edn")).expect("EDN");
        let marked = results.get("gloomers").and_then(|ours| ours.get("cut-short"));
        assert_eq!(marked, Some(&Value::str(why.as_str())));
        assert!(read("report.html").contains("The test was cut short"), "{why}");
    }
}

#[test]
fn what_is_missing_and_what_else_is_to_be_known_are_in_the_summary() {
    let root = tempfile::tempdir().expect("a folder");
    let mut store = RunFolder::create(root.path(), "unique-ids");
    store.miss("cannot write history.edn: no room".into());
    let mut noted = outcome();
    noted.extended.remarks.push("the log of n1 holds the first 64 MiB".into());
    let mut page = Vec::new();
    let line = "-w unique-ids --junit /nonexistent/junit.xml";
    let Finished { status, results } =
        finish(noted, &options(line).config, &options(line).report, &mut store, &mut page, false).expect("written");
    let page = String::from_utf8(page).expect("text");
    assert_eq!(status, VALID, "{page}");
    assert!(page.contains("note            the log of n1 holds the first 64 MiB\n"), "{page}");
    assert!(page.contains("missing         cannot write history.edn: no room\n"), "{page}");
    assert!(page.contains("missing         cannot write /nonexistent/junit.xml: "), "{page}");
    let results = results.expect("a verdict").to_edn().to_string();
    assert!(results.contains(":remarks [\"the log of n1 holds the first 64 MiB\"]"), "{results}");
}

#[test]
fn a_muted_node_fails_only_a_strict_test_and_never_changes_maelstroms_verdict() {
    for (line, wanted, closing) in
        [("-w unique-ids", VALID, "looks good"), ("-w unique-ids --strict", INVALID, "invalid!")]
    {
        let mut muted = outcome();
        let (node, line_of_node) = ("n1".into(), "hello".into());
        muted.extended.muted =
            vec![Muted { node, line: line_of_node, reason: BadLine::NotAnObject, late_reply: false }];
        let (status, page, root) = finished(muted, line);
        assert_eq!(status, wanted, "{page}");
        assert!(page.contains("NODE n1 WAS MUTED") && page.lines().last().is_some_and(|last| last.contains(closing)));
        let results = std::fs::read_to_string(root.path().join("latest/results.edn")).expect("results");
        let results = edn::read(&results).expect("EDN");
        assert_eq!(Verdict::of(&results), Verdict::True);
        let quoted = results.get("gloomers").and_then(|ours| ours.get("muted")).expect("quoted").to_string();
        assert_eq!(
            quoted,
            "[{:node \"n1\", :line \"hello\", :reason \"a JSON value on stdout that is not an object\"}]"
        );
    }
}

#[test]
fn lateness_is_reported_in_milliseconds() {
    let mut late = outcome();
    for us in [100, 100, 2_500] {
        late.extended.lateness.add(Duration::from_micros(us));
    }
    let (_, page, _) = finished(late, "-w unique-ids");
    assert!(page.contains("delivery error  0.9 ms mean, 2.5 ms p99, 2.5 ms max\n"), "{page}");
}
