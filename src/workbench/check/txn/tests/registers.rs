//! What is found in registers, by Maelstrom and by us.

use super::*;

pub(super) fn written<L: AsRef<str>>(lines: &[L], model: &str) -> Value {
    written_report(lines, model).to_edn()
}

pub(super) fn written_report<L: AsRef<str>>(lines: &[L], model: &str) -> TxnReport {
    judged(check_register, lines, model).unwrap_or_else(|error| panic!("{error}"))
}

pub(super) fn extended(result: &Value) -> (Verdict, Vec<String>) {
    let extended = result.get("gloomers").expect("registers are always judged twice");
    (Verdict::of(extended), types(extended))
}

#[test]
fn without_time_to_search_for_cycles_registers_are_not_judged_either() {
    let lines = concurrent(&["0 ok [[:w 1 1] [:r 2 1]]", "1 ok [[:w 2 1] [:r 1 1]]"]);
    let result = check_register(&read(&lines), &["read-uncommitted".to_owned()], &Budget::until(|| true));
    let result = result.expect("judged").to_edn();
    assert_eq!(Verdict::of(&result), Verdict::Unknown, "{result}");
    assert!(result.get("error").is_some(), "{result}");
}

#[test]
fn transactions_in_order_are_valid_for_both() {
    let lines = serial(&["0 ok [[:w 1 1] [:r 1 1]]", "1 ok [[:r 1 1] [:w 1 2]]", "2 ok [[:r 1 2] [:r 2 nil]]"]);
    let expected = "{:valid? true, :anomaly-types (), :anomalies nil, :gloomers {:valid? true}}";
    assert_eq!(written(&lines, "strict-serializable").to_string(), expected);
}

#[test]
fn each_anomaly_is_found_as_itself_and_forbidden_by_its_models() {
    let cases = "\
G1a | read-committed | read-uncommitted | 0 fail [[:w 1 1]]; 1 ok [[:r 1 1]]; 2 ok [[:w 1 2]]; 3 ok [[:r 1 2]]
G1b | read-committed | read-uncommitted | 0 ok [[:w 1 1] [:w 1 2]]; 1 ok [[:r 1 1]]; 2 ok [[:r 1 2]]
G1c | read-committed | read-uncommitted | 0 ok [[:w 1 1] [:r 2 1]]; 1 ok [[:w 2 1] [:r 1 1]]
G-single-item | snapshot-isolation | read-atomic | 0 ok [[:w 1 1] [:w 2 1]]; 1 ok [[:r 1 nil] [:r 2 1]]
G-nonadjacent-item | snapshot-isolation | read-atomic | 0 ok [[:w 1 1]]; 1 ok [[:w 2 1]]; \
    2 ok [[:r 1 1] [:r 2 nil]]; 3 ok [[:r 2 1] [:r 1 nil]]
G2-item | repeatable-read | snapshot-isolation | 0 ok [[:r 1 nil] [:w 2 1]]; 1 ok [[:r 2 nil] [:w 1 1]]
internal | read-atomic | read-committed | 0 ok [[:w 1 1] [:r 1 nil]]; 1 ok [[:r 1 1]]
lost-update | cursor-stability | read-atomic | 0 ok [[:r 1 nil] [:w 1 1]]; 1 ok [[:r 1 nil] [:w 1 2]]";
    each_is_found(check_register, cases);
}

#[test]
fn versions_that_come_before_themselves_are_told() {
    let lines = concurrent(&["0 ok [[:r 1 2] [:w 1 1]]", "1 ok [[:r 1 1] [:w 1 2]]"]);
    let result = written(&lines, "read-uncommitted");
    assert!(types(&result).contains(&"cyclic-versions".to_owned()), "{result}");
    assert!(result.to_string().contains("{:key 1, :scc #{2 1}, :sources [:initial-state :wfr-keys]}"), "{result}");
}

#[test]
fn a_cycle_of_overwritings_that_is_told_as_one_of_reads_still_rules_out_read_uncommitted() {
    let lines = concurrent(&["0 ok [[:w 1 1] [:r 2 2] [:w 2 3]]", "1 ok [[:w 2 2] [:r 1 1] [:w 1 2]]"]);
    let result = written(&lines, "read-uncommitted");
    assert_eq!(types(&result), ["PL-1-cycle-exists"]);
    assert_eq!(types(&written(&lines, "read-committed")), ["G1c", "PL-1-cycle-exists"]);
}

#[test]
fn writes_that_overtake_each_other_escape_maelstrom_but_not_us() {
    let mut lines = concurrent(&["0 ok [[:w 1 1] [:w 2 2]]", "1 ok [[:w 1 2] [:w 2 1]]"]);
    lines.extend(serial(&["2 ok [[:r 1 1] [:r 2 1]]", "2 ok [[:r 1 2] [:r 2 2]]"]));
    let result = written(&lines, "read-uncommitted");
    assert_eq!(Verdict::of(&result), Verdict::True, "{result}");
    assert_eq!(extended(&result), (Verdict::False, vec!["G0".to_owned()]));
}

#[test]
fn a_process_that_sees_a_key_go_back_says_nothing_of_its_order() {
    let mut lines = concurrent(&["0 ok [[:w 1 1] [:w 2 2]]", "1 ok [[:w 1 2] [:w 2 1]]"]);
    lines.extend(serial(&["2 ok [[:r 1 1] [:r 2 1]]", "2 ok [[:r 1 2] [:r 2 2]]", "2 ok [[:r 1 1]]"]));
    assert_eq!(extended(&written(&lines, "read-uncommitted")).0, Verdict::True);
}
