//! Answers that are not of the steps asked for: what Maelstrom makes of them, and what we say.

use super::registers::{extended, written, written_report};
use super::*;

/// A transaction of process 0 that was asked for one thing and ended with another, and beside it a read of key 1.
fn beside_a_read(asked: &str, ended: &str, value: &str) -> Vec<String> {
    let read = |kind: &str, value: &str| format!("9 {kind} txn [[:r 1 {value}]]");
    vec![read("invoke", "nil"), format!("0 invoke txn {asked}"), format!("0 {ended}"), read("ok", value)]
}

fn cases(result: &Value, anomaly: &str) -> Vec<Value> {
    let cases = result.get("anomalies").and_then(|anomalies| anomalies.get(anomaly)?.items());
    cases.into_iter().flatten().map(std::borrow::Cow::into_owned).collect()
}

#[test]
fn of_an_intermediate_write_that_was_asked_for_and_answered_the_answer_is_told() {
    let writer = |ended: &str| {
        let result = written(&beside_a_read("[[:w 1 1] [:w 1 2]]", ended, "1"), "read-committed");
        cases(&result, "G1b")[0].get("writer").and_then(|op| op.get("index").cloned())
    };
    assert_eq!(writer("ok txn [[:w 1 2]]"), Some(Value::Int(1)));
    assert_eq!(writer("ok txn [[:w 1 1] [:w 1 2]]"), Some(Value::Int(2)));
}

#[test]
fn a_read_of_ones_own_write_is_dirty_if_the_answer_leaves_the_write_out() {
    let asked = "0 invoke txn [[:w 1 1] [:r 1 nil] [:w 1 2]]";
    let whole = [asked, "0 ok txn [[:w 1 1] [:r 1 1] [:w 1 2]]"];
    assert!(cases(&written(&whole, "read-committed"), "G1b").is_empty());
    let partial = [asked, "0 ok txn [[:r 1 1] [:w 1 2]]"];
    assert_eq!(cases(&written(&partial, "read-committed"), "G1b").len(), 1);
    let text = written_report(&partial, "read-committed").explanation().concat();
    let own =
        "step 1: read key 1 as 1, in the middle of what it was asked for itself: its reply changed what was asked";
    assert!(text.iter().any(|line| line.ends_with(own)), "{text:?}");
}

#[test]
fn models_are_ruled_out_by_everything_found() {
    // The field's node without a second one: nothing depends on anything, and G1b is not asked for, but counts.
    let lines = ["0 invoke txn [[:w 1 1] [:w 1 2] [:r 1 nil]]", "0 ok txn [[:r 1 1]]"];
    let result = written(&lines, "read-uncommitted");
    assert_eq!(types(&result), ["empty-transaction-graph"]);
    assert_eq!(result.get("not").map(ToString::to_string), Some("#{:read-committed}".to_owned()));
}

#[test]
fn registers_whose_keys_come_back_as_strings_cannot_be_judged() {
    let lines = ["0 invoke txn [[:r 1 nil]]", "0 ok txn [[:r \"1\" nil]]"];
    let mixed = written_report(&lines, "read-committed");
    assert_eq!((mixed.verdict(), mixed.extended_verdict()), (Verdict::Unknown, Some(Verdict::False)));
    assert_eq!(mixed.violations()[0].sentence, "the keys 1 and \"1\" are of different types");
    assert!(judged(check_append, &lines, "read-committed").is_ok(), "only of registers");
}

#[test]
fn answers_that_differ_from_what_was_asked_are_told_step_by_step() {
    let text = |asked: &str, answered: &str| {
        let lines = [format!("0 invoke txn {asked}"), format!("0 ok txn {answered}")];
        let words = append_report(&lines, "read-uncommitted").explanation();
        let words = words.into_iter().find(|lines| lines[0].contains("× changed-answer")).unwrap_or_default();
        words.into_iter().skip(2).collect::<Vec<_>>()
    };
    assert!(text("[[:r 1 nil] [:append 2 1]]", "[[:r 1 [7]] [:append 2 1]]").is_empty());
    assert_eq!(
        text("[[:r 3 nil]]", "[[:append 3 []]]"),
        ["step 1: asked to read key 3, answered an append of [] to it"]
    );
    assert_eq!(
        text("[[:append 3 1] [:append 4 2] [:r 5 nil]]", "[[:append 3 2] [:r 4 nil] [:r 6 nil]]"),
        [
            "step 1: asked to append 1 to key 3, answered an append of 2 to it",
            "step 2: asked to append 2 to key 4, answered a read of it",
            "step 3: asked to read key 5, answered a read of key 6",
        ]
    );
    assert_eq!(text("[[:append 1 1]]", "[]"), ["answered 0 steps where 1 was asked"]);
    assert_eq!(
        text("[[:r 1 nil] [:r 2 nil]]", "[[:r 2 nil]]"),
        ["answered 1 step where 2 were asked", "step 1: asked to read key 1, answered a read of key 2"]
    );
    let many = |f: &str| format!("[{}]", [f; 9].join(" "));
    let lines = text(&many("[:r 1 nil]"), &many("[:r 2 nil]"));
    assert_eq!((lines.len(), lines.last().map(String::as_str)), (5, Some("and 5 more steps")));
}

#[test]
fn what_only_began_or_only_ended_has_no_answer_to_compare() {
    let lines = ["0 invoke txn [[:w 1 1]]", "1 ok txn [[:w 2 1]]"];
    assert!(!extended(&written(&lines, "read-uncommitted")).1.contains(&"changed-answer".to_owned()));
}

#[test]
fn every_case_is_counted_though_few_are_told() {
    let read: Vec<String> = (1..=9).map(|process| format!("{process} ok [[:r 1 1]]")).collect();
    let mut all = vec!["0 ok [[:w 1 1] [:w 1 2]]", "10 ok [[:r 1 2]]"];
    all.extend(read.iter().map(String::as_str));
    let result = written(&concurrent(&all), "read-committed");
    assert_eq!(cases(&result, "G1b").len(), 9);
    let extended = result.get("gloomers").expect("always there");
    assert_eq!(extended.get("counts").map(ToString::to_string), Some("{:G1b 9}".to_owned()));
    let words = written_report(&concurrent(&all), "read-committed").explanation().concat();
    assert_eq!(words[0], "9 × G1b: a read saw another transaction halfway");
    assert_eq!(words.iter().filter(|line| line.contains(", step 1: read key 1 as 1, in the middle of ")).count(), 3);
}

#[test]
fn nothing_in_words_is_edn_or_longer_than_a_page() {
    let list = (0..9_999).map(|element| element.to_string()).collect::<Vec<_>>().join(" ");
    let lines = concurrent(&["0 ok [[:append 1 1]]", &format!("1 ok [[:r 1 [{list} 1]]]")]);
    let words = append_report(&lines, "serializable").explanation().concat();
    assert!(!words.is_empty());
    for line in words {
        assert!(line.len() < 3_000 && !line.contains("[:") && !line.contains("nil"), "{line}");
    }
}

#[test]
fn changed_answers_are_told_though_nothing_can_be_decided() {
    let lines = ["0 invoke txn [[:w 8 1]]", "1 invoke txn [[:w 8 2]]", "2 invoke txn [[:r 8 nil]]"];
    let ends = ["0 ok txn [[:w 8 nil]]", "1 ok txn [[:w 8 nil]]", "2 ok txn [[:r 8 nil]]"];
    let report = written_report(&[lines, ends].concat(), "read-committed");
    assert_eq!((report.verdict(), report.extended_verdict()), (Verdict::Unknown, Some(Verdict::False)));
    assert_eq!(report.violations()[0].sentence, "null was written to key 8 more than once");
    let [changed] = &report.extended_violations()[..] else { panic!("{report:?}") };
    assert_eq!((changed.anomaly, changed.count), ("changed-answer", 2));
    let result = report.to_edn();
    assert!(result.get("error").is_some() && types(result.get("gloomers").expect("extended")) == ["changed-answer"]);
}

#[test]
fn what_maelstrom_sees_is_not_told_as_unseen() {
    let lines = beside_a_read("[[:w 1 1] [:w 1 2]]", "ok txn [[:w 1 1] [:w 1 2]]", "1");
    let report = written_report(&lines, "read-committed");
    assert_eq!((report.verdict(), report.extended_verdict()), (Verdict::False, Some(Verdict::False)));
    assert_eq!(report.extended_violations(), []);
    let invented = written_report(&beside_a_read("[[:w 1 1]]", "ok txn [[:w 1 1]]", "9"), "read-committed");
    assert_eq!(invented.extended_violations()[0].sentence, "1 × invented-value: a read saw what nobody ever wrote");
}

#[test]
fn every_anomaly_of_the_verdict_has_a_plain_sentence() {
    let lines = concurrent(&["0 ok [[:w 1 1] [:r 2 2] [:w 2 3]]", "1 ok [[:w 2 2] [:r 1 1] [:w 1 2]]"]);
    let text =
        |report: TxnReport| report.violations().into_iter().map(|violation| violation.sentence).collect::<Vec<_>>();
    let expected = [
        "1 × G1c: transactions overwrote and read each other in a circle",
        "1 × PL-1-cycle-exists: transactions depend on each other in a circle, as they may not under read-uncommitted",
    ];
    assert_eq!(text(written_report(&lines, "read-committed")), expected);
    let alone = written_report(&serial(&["0 ok [[:w 1 1]]"]), "read-committed");
    let expected = "1 × empty-transaction-graph: no transaction depends on another, so there is nothing to judge";
    assert_eq!(text(alone), [expected]);
}

#[test]
fn a_list_that_must_end_with_something_is_told_in_words() {
    let lines = concurrent(&["0 ok [[:append 1 1] [:r 1 [5]]]", "1 ok [[:append 1 5]]"]);
    let text = append_report(&lines, "read-atomic").explanation().concat();
    let end = "read key 1 as [5], but after its own steps before the list must end with 1";
    assert!(text.iter().any(|line| line.ends_with(end)), "{text:?}");
}
