//! Outcomes, and what is made of them.

use std::ffi::OsString;

use super::*;
use crate::workbench::cluster::LastWords;
use crate::workbench::network::{BadLine, Counts, Journal, Muted};
use crate::workbench::run::{Lateness, OperationErrors};

fn options(line: &str) -> Options {
    Options::parse(line.split_whitespace().map(OsString::from)).expect("a good command line")
}

fn outcome() -> Outcome {
    let lines = "{:index 0, :time 0, :type :invoke, :process 0, :f :generate, :value nil}
                 {:index 1, :time 5, :type :ok, :process 0, :f :generate, :value 1}";
    Outcome {
        history: lines.parse::<History>().expect("a history").ops().to_vec(),
        counts: Counts::default(),
        muted: Vec::new(),
        unread: Vec::new(),
        errors: OperationErrors::default(),
        outdated: Vec::new(),
        crashes: Vec::new(),
        lateness: Lateness::default(),
        throughput: Throughput::default(),
        convergence: None,
        journal: Journal::default(),
    }
}

fn muted() -> Muted {
    Muted { node: "n1".into(), line: "hello".into(), reason: BadLine::NotAnObject, late_reply: false }
}

fn concluded(outcome: Outcome, line: &str) -> (u8, String, tempfile::TempDir) {
    let root = tempfile::tempdir().expect("a folder");
    let store = Store::create(root.path(), "unique-ids").expect("created");
    let mut page = Vec::new();
    let status = conclude(outcome, &options(line), 7, &store, &mut page, false).expect("written");
    (status, String::from_utf8(page).expect("text"), root)
}

#[test]
fn a_dead_node_leaves_a_history_but_no_verdict() {
    let last_words = LastWords { stdout: vec!["out".into()], stderr: vec!["oh no".into()] };
    let crash = Crash { node: "n2".into(), status: "exit status: 3".into(), last_words };
    let (status, page, root) = concluded(Outcome { crashes: vec![crash], ..outcome() }, "-w unique-ids");
    assert_eq!(status, BROKEN);
    assert!(page.starts_with("Node n2 crashed with exit status: 3. Before"), "{page}");
    assert!(page.contains("And to STDERR:\n    oh no\n"), "{page}");
    let file = |name: &str| root.path().join("latest").join(name).exists();
    assert!(file("history.edn") && !file("results.edn"));
}

#[test]
fn a_muted_node_fails_only_a_strict_test_and_never_changes_maelstroms_verdict() {
    for (line, wanted, closing) in
        [("-w unique-ids", VALID, "looks good"), ("-w unique-ids --strict", INVALID, "invalid!")]
    {
        let (status, page, root) = concluded(Outcome { muted: vec![muted()], ..outcome() }, line);
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
        late.lateness.add(Duration::from_micros(us));
    }
    let (_, page, _) = concluded(late, "-w unique-ids");
    assert!(page.contains("delivery error  0.9 ms mean, 2.5 ms p99, 2.5 ms max\n"), "{page}");
}
