//! Checks of stored histories from the command line.

use std::fs;

use super::gloomers;

const BAD_ARGUMENTS: i32 = 254;

/// Checks a history with these operations; `HISTORY` in the arguments stands for its file.
fn run(ops: &[&str], arguments: &str) -> (i32, String) {
    let store = tempfile::tempdir().expect("a folder");
    fs::write(store.path().join("history.edn"), ops.join("\n")).expect("a file");
    let line = format!("check {}", arguments.replace("HISTORY", "history.edn").replace("FOLDER", "."));
    let (status, text) = gloomers(store.path(), &line.split_whitespace().collect::<Vec<_>>());
    (status.expect("no signal"), text)
}

const WRITE: [&str; 2] = [
    "{:index 0, :time 1, :type :invoke, :process 0, :f :write, :value [0 4]}",
    "{:index 1, :time 2, :type :ok, :process 0, :f :write, :value [0 4]}",
];
const MISREAD: [&str; 2] = [
    "{:index 2, :time 3, :type :invoke, :process 1, :f :read, :value [0 nil]}",
    "{:index 3, :time 4, :type :ok, :process 1, :f :read, :value [0 3]}",
];
/// A read of a value that was never written, which Maelstrom does not report.
const INVENTED: [&str; 4] = [
    "{:index 0, :time 1, :type :invoke, :process 0, :f :txn, :value [[:w 1 1]]}",
    "{:index 1, :time 2, :type :ok, :process 0, :f :txn, :value [[:w 1 1]]}",
    "{:index 2, :time 3, :type :invoke, :process 0, :f :txn, :value [[:r 1 nil]]}",
    "{:index 3, :time 4, :type :ok, :process 0, :f :txn, :value [[:r 1 9]]}",
];

#[test]
fn a_valid_history_ends_with_0_and_maelstroms_closing_line() {
    for arguments in ["HISTORY -w lin-kv", "-w lin-kv FOLDER"] {
        let (status, page) = run(&WRITE, arguments);
        assert_eq!(status, 0, "{page}");
        assert!(page.trim_end().ends_with("Everything looks good! ヽ(‘ー`)ノ"), "{page}");
        assert!(!page.contains(":net"), "a history does not contain the number of messages: {page}");
    }
}

#[test]
fn an_invalid_history_ends_with_1_and_a_drawing_of_the_violation() {
    let (status, page) = run(&[WRITE, MISREAD].concat(), "HISTORY -w lin-kv");
    assert_eq!(status, 1);
    assert!(page.contains("1 read → 3"), "{page}");
}

/// A broadcast that is never read.
const UNREAD: [&str; 2] = [
    "{:index 0, :time 1, :type :invoke, :process 0, :f :broadcast, :value 4}",
    "{:index 1, :time 2, :type :ok, :process 0, :f :broadcast, :value 4}",
];

#[test]
fn an_undecided_history_ends_with_2() {
    let (status, page) = run(&UNREAD, "HISTORY -w broadcast");
    assert_eq!(status, 2, "{page}");
}

#[test]
fn an_empty_history_and_one_of_another_workload_end_with_254_and_why() {
    for strict in ["", " --strict"] {
        for (ops, why) in [(&[][..], "nothing to judge"), (&UNREAD[..], "it may be one of broadcast")] {
            let (status, page) = run(ops, &format!("HISTORY -w lin-kv{strict}"));
            assert_eq!((status, page.lines().count()), (BAD_ARGUMENTS, 1), "{page}");
            assert!(page.contains(why), "{page}");
        }
    }
    let (status, page) = run(&[], "HISTORY -w lin-kv --json");
    let document: serde_json::Value = serde_json::from_str(&page).expect("JSON");
    assert!(status == BAD_ARGUMENTS && document["error"].as_str().is_some_and(|why| why.contains("nothing to judge")));
}

#[test]
fn operations_that_do_not_pair_end_with_2_and_why_also_in_a_strict_check() {
    let stray = &WRITE[1..];
    let busy = [WRITE[0], "{:index 1, :time 2, :type :invoke, :process 0, :f :write, :value [0 4]}"];
    let end = "{:index 2, :time 3, :type :ok, :process 0, :f :write, :value [0 4]}";
    let busy = [&busy[..], &[end]].concat();
    for strict in ["", " --strict"] {
        for (ops, why) in [(stray, "no operation under way"), (&busy[..], "is not over")] {
            let (status, page) = run(ops, &format!("HISTORY -w lin-kv{strict}"));
            assert_eq!(status, 2, "{page}");
            assert!(page.contains(why), "{page}");
        }
    }
}

#[test]
fn the_extended_verdict_counts_only_if_strict() {
    let arguments = "HISTORY -w txn-rw-register --consistency-models strict-serializable";
    let (status, page) = run(&INVENTED, arguments);
    assert_eq!(status, 0, "{page}");
    assert!(page.contains("read key 1 as 9, but nobody ever wrote 9 to it"), "{page}");
    assert_eq!(run(&INVENTED, &format!("{arguments} --strict")).0, 1);
}

#[test]
fn a_search_ends_at_the_time_limit_and_reports_its_progress() {
    let writes: Vec<_> = ["invoke", "ok"]
        .into_iter()
        .flat_map(|kind| (0..14).map(move |n| format!("{{:type :{kind}, :process {n}, :f :write, :value [7 {n}]}}")))
        .collect();
    let writes: Vec<_> = writes.iter().map(String::as_str).collect();
    assert_eq!(run(&writes, "HISTORY -w lin-kv").0, 0);
    let (status, page) = run(&writes, "HISTORY -w lin-kv --check-timeout 0");
    assert_eq!(status, 2, "{page}");
    assert!(page.contains("1 of 1 keys could not be decided: key 7: no answer within the time limit"), "{page}");
    assert_eq!(run(&writes, "HISTORY -w lin-kv --check-timeout soon").0, BAD_ARGUMENTS);
}

#[test]
fn results_are_printed_as_json_if_asked() {
    let (status, page) = run(&WRITE, "HISTORY -w lin-kv --json");
    assert_eq!(status, 0);
    assert!(page.starts_with("{\"perf\":") && page.trim_end().ends_with("\"valid\":true}"), "{page}");
}

#[test]
fn bad_arguments_and_files_that_are_no_history_end_with_254() {
    let typo = "HISTORY -w echo --consistency-models serialisable";
    for arguments in ["", "HISTORY", "HISTORY -w ecko", "HISTORY -w echo --availability much", typo] {
        assert_eq!(run(&WRITE, arguments).0, BAD_ARGUMENTS, "{arguments}");
    }
    assert_eq!(run(&WRITE, "--help").0, 0);
    assert_eq!(run(&["{:type :ok"], "HISTORY -w echo").0, BAD_ARGUMENTS);
    let (status, page) = run(&[], "/nonexistent/history.edn -w echo");
    assert_eq!((status, page.lines().count()), (BAD_ARGUMENTS, 1), "{page}");
    assert!(page.contains("/nonexistent/history.edn"), "{page}");
}
