//! Histories with every anomaly, and without any.

mod answers;
mod registers;

use super::super::CheckReport as _;
use super::super::tests::read;
use super::*;

type Checker = fn(&History, &[String], &Budget) -> Result<TxnReport, CheckError>;

/// Lines of a history in which transactions, given as `process outcome value`, run one after the other.
fn serial(transactions: &[&str]) -> Vec<String> {
    transactions.iter().flat_map(|transaction| [begun(transaction), ended(transaction)]).collect()
}

/// The same, but all begin before any ends.
fn concurrent(transactions: &[&str]) -> Vec<String> {
    transactions.iter().map(|transaction| begun(transaction)).chain(transactions.iter().map(|of| ended(of))).collect()
}

fn begun(transaction: &str) -> String {
    let (process, rest) = transaction.split_once(' ').expect("process outcome value");
    format!("{process} invoke txn {}", rest.split_once(' ').expect("process outcome value").1)
}

fn ended(transaction: &str) -> String {
    transaction.replacen(" [", " txn [", 1)
}

fn judged<L: AsRef<str>>(checker: Checker, lines: &[L], model: &str) -> Result<TxnReport, CheckError> {
    checker(&read(lines), &[model.to_owned()], &Budget::default())
}

fn append_report<L: AsRef<str>>(lines: &[L], model: &str) -> TxnReport {
    judged(check_append, lines, model).unwrap_or_else(|error| panic!("{error}"))
}

fn appended<L: AsRef<str>>(lines: &[L], model: &str) -> Value {
    append_report(lines, model).to_edn()
}

/// Two transactions that saw each other, which read uncommitted allows.
const CROSSED: [&str; 2] = ["0 ok [[:append 1 1] [:r 2 [1]]]", "1 ok [[:append 2 1] [:r 1 [1]]]"];

#[test]
fn without_time_to_search_for_cycles_there_is_no_verdict_but_that_something_was_proven() {
    let judged = |transactions: &[&str], model: &str| {
        let history = read(&concurrent(transactions));
        check_append(&history, &[model.to_owned()], &Budget::until(|| true)).expect("judged").to_edn()
    };
    let allowed = judged(&CROSSED, "read-uncommitted");
    assert_eq!(Verdict::of(&allowed), Verdict::Unknown);
    assert_eq!(types(&allowed), ["cycle-search-timeout"]);
    let error = allowed.get("error").and_then(Value::as_str).unwrap_or_default();
    assert!(error.contains("of 1 groups of transactions") && error.contains("--check-timeout"), "{error}");
    let aborted = ["0 fail [[:append 3 1]]", "1 ok [[:r 3 [1]]]"];
    assert_eq!(Verdict::of(&judged(&[aborted, CROSSED].concat(), "read-committed")), Verdict::False);
}

fn types(result: &Value) -> Vec<String> {
    let types = result.get("anomaly-types").and_then(Value::items).into_iter().flatten();
    types.map(|name| name.as_keyword().unwrap_or_default().to_owned()).collect()
}

#[test]
fn transactions_in_order_are_valid_and_nothing_more_is_said() {
    let lines = serial(&["0 ok [[:append 1 1] [:r 1 [1]]]", "1 ok [[:append 1 2]]", "2 ok [[:r 1 [1 2]] [:r 2 nil]]"]);
    assert_eq!(appended(&lines, "strict-serializable").to_string(), "{:valid? true}");
}

/// Checks cases, one a line: an anomaly, a model that forbids it, one that allows it, and the transactions that show
/// it.
fn each_is_found(checker: Checker, cases: &str) {
    for case in cases.lines() {
        let [anomaly, forbids, allows, transactions] = case.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{case}");
        };
        let lines = concurrent(&transactions.split("; ").collect::<Vec<_>>());
        let result = |model| judged(checker, &lines, model).unwrap_or_else(|error| panic!("{error}")).to_edn();
        let found = result(forbids);
        assert_eq!(Verdict::of(&found), Verdict::False, "{anomaly}: {found}");
        let cases = found.get("anomalies").and_then(|anomalies| anomalies.get(anomaly)).and_then(Value::items);
        assert!(cases.is_some_and(|cases| cases.len() > 0), "{anomaly}: {found}");
        let extended = found.get("gloomers").expect("extended");
        let words = extended.get("in-words").and_then(|words| words.get(anomaly));
        assert!(words.is_some() && Verdict::of(extended) == Verdict::False, "{anomaly} in words: {found}");
        if allows != "none" {
            assert!(!types(&result(allows)).iter().any(|name| name == anomaly), "{allows} allows {anomaly}");
        }
    }
}

#[test]
fn each_anomaly_is_found_as_itself_and_forbidden_by_its_models() {
    let cases = "\
G0 | read-uncommitted | none | 0 ok [[:append 1 1] [:append 2 2]]; 1 ok [[:append 1 2] [:append 2 1]]; \
    2 ok [[:r 1 [1 2]] [:r 2 [1 2]]]
G1a | read-committed | read-uncommitted | 0 fail [[:append 1 1]]; 1 ok [[:r 1 [1]]]
G1b | read-committed | read-uncommitted | 0 ok [[:append 1 1] [:append 1 2]]; 1 ok [[:r 1 [1]]]; 2 ok [[:r 1 [1 2]]]
G1c | read-committed | read-uncommitted | 0 ok [[:append 1 1] [:r 2 [1]]]; 1 ok [[:append 2 1] [:r 1 [1]]]
G-single-item | snapshot-isolation | read-atomic | 0 ok [[:append 1 1] [:append 2 1]]; 1 ok [[:r 1 nil] [:r 2 [1]]]
G-nonadjacent-item | snapshot-isolation | parallel-snapshot-isolation | 0 ok [[:append 1 1]]; 1 ok [[:append 2 1]]; \
    2 ok [[:r 1 [1]] [:r 2 nil]]; 3 ok [[:r 2 [1]] [:r 1 nil]]
G2-item | repeatable-read | snapshot-isolation | 0 ok [[:r 1 nil] [:append 2 1]]; 1 ok [[:r 2 nil] [:append 1 1]]
internal | read-atomic | read-committed | 0 ok [[:append 1 1] [:r 1 nil]]; 1 ok [[:r 1 [1]]]
future-read | read-committed | read-uncommitted | 0 ok [[:r 1 [1]] [:append 1 1]]; 1 ok [[:r 1 [1]]]
duplicate-elements | read-uncommitted | none | 0 ok [[:append 1 1]]; 1 ok [[:r 1 [1 1]]]
incompatible-order | read-committed | read-uncommitted | 0 ok [[:append 1 1]]; 1 ok [[:append 1 2]]; \
    2 ok [[:r 1 [1]]]; 3 ok [[:r 1 [2]]]
dirty-update | read-committed | read-uncommitted | 0 fail [[:append 1 1]]; 1 ok [[:append 1 2]]; 2 info [[:r 1 [1 2]]]
lost-update | cursor-stability | read-atomic | 0 ok [[:r 1 nil] [:append 1 1]]; 1 ok [[:r 1 nil] [:append 1 2]]
internal | serializable | read-committed | 0 ok [[:append 1 1] [:append 1 2]]; \
    1 ok [[:r 1 [1 2]] [:append 1 3] [:r 1 [1 3]]]";
    each_is_found(check_append, cases);
}

#[test]
fn a_stale_read_breaks_the_models_with_an_order_of_time_only() {
    let lines = serial(&["0 ok [[:append 1 1]]", "1 ok [[:r 1 nil]]"]);
    assert_eq!(types(&appended(&lines, "strict-serializable")), ["G-single-item-realtime"]);
    assert_eq!(types(&appended(&lines, "strong-snapshot-isolation")), ["G-single-item-realtime"]);
    assert_eq!(Verdict::of(&appended(&lines, "serializable")), Verdict::True);
    assert_eq!(Verdict::of(&appended(&lines, "strong-session-serializable")), Verdict::True);
}

#[test]
fn a_process_that_misses_its_own_write_breaks_the_session_models() {
    let lines = serial(&["0 ok [[:append 1 1]]", "0 ok [[:r 1 nil]]"]);
    assert_eq!(types(&appended(&lines, "strong-session-serializable")), ["G-single-item-process"]);
    assert_eq!(Verdict::of(&appended(&lines, "serializable")), Verdict::True);
}

#[test]
fn a_cycle_is_told_with_its_steps_and_in_words() {
    let lines = serial(&["0 ok [[:append 1 7]]", "1 ok [[:r 1 nil]]"]);
    let result = appended(&lines, "strict-serializable");
    let case =
        result.get("anomalies").and_then(|all| all.get("G-single-item-realtime")?.items()?.next()).expect("found");
    let steps = case.get("steps").map(ToString::to_string).unwrap_or_default();
    let expected = "({:type :rw, :key 1, :value :elle.list-append/init, :value' 7, :a-mop-index 0, :b-mop-index 0} \
                    {:type :realtime, :a' #jepsen.history.Op{:index 1, ";
    assert!(steps.starts_with(expected), "{steps}");
    let words = append_report(&lines, "strict-serializable").explanation().concat();
    let expected = [
        "1 × G-single-item-realtime: a transaction saw some of what another wrote or followed, and missed the rest, \
         where what ended comes before what began later",
        "T1 < T2 < T1, a cycle of 2 transactions",
        "T1 is process 1's transaction 3 [[\"r\",1,null]]",
        "T2 is process 0's transaction 1 [[\"append\",1,7]]",
        "T1 < T2: T1 read null at key 1, not yet the 7 that T2 wrote after it",
        "T2 < T1: T2 had ended before T1 began",
    ];
    assert_eq!(words, expected);
}

#[test]
fn the_models_that_cannot_hold_are_named() {
    let lines = concurrent(&["0 fail [[:append 1 1]]", "1 ok [[:r 1 [1]]]"]);
    let result = appended(&lines, "read-committed");
    let not = result.get("not").map(ToString::to_string);
    assert_eq!(not.as_deref(), Some("#{:read-committed}"));
    assert!(result.get("also-not").is_some_and(|also| also.to_string().contains(":serializable")));
}

#[test]
fn a_transaction_without_an_answer_may_have_happened() {
    let mut lines = serial(&["0 info [[:append 1 1] [:r 2 nil]]", "1 ok [[:append 2 1]]"]);
    lines.push("3 invoke txn [[:append 1 2]]".into());
    lines.extend(serial(&["2 ok [[:r 1 [1 2]] [:r 2 [1]]]"]));
    assert_eq!(appended(&lines, "strict-serializable").to_string(), "{:valid? true}");
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let refused = |lines: &[&str], model: &str| judged(check_append, lines, model).expect_err("refused").to_string();
    let twice = refused(&["0 invoke txn [[:append 1 1]]", "1 invoke txn [[:append 1 1]]"], "serializable");
    assert_eq!(twice, "1 was written to key 1 more than once");
    assert!(refused(&["0 invoke txn [[:w 1 1]]"], "serializable").contains("a step is a read or a write"));
    assert!(refused(&["0 invoke txn 7"], "serializable").contains("not a list of steps"));
    assert!(refused(&[], "eventual").starts_with("no consistency model is called \"eventual\""));
}
