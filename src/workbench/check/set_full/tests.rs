//! Small histories with every outcome of an element.

mod extended;

use super::super::tests::history;
use super::*;
use crate::workbench::check::{CheckReport, Verdict};

/// The result over operations a millisecond apart.
fn result(lines: &[&str]) -> Value {
    check(&history(lines)).unwrap_or_else(|problem| panic!("{problem}")).to_edn()
}

fn field(result: &Value, key: &str) -> String {
    result.get(key).map_or_else(|| "absent".to_owned(), ToString::to_string)
}

#[test]
fn an_element_that_the_last_read_saw_is_stable() {
    let result = result(&["0 invoke add 0", "0 ok add 0", "1 invoke read nil", "1 ok read [0]"]);
    let expected = "{:valid? true, :attempt-count 1, :stable-count 1, :lost-count 0, :lost (), \
        :never-read-count 0, :never-read (), :stale-count 0, :stale (), :worst-stale (), \
        :stable-latencies {0 0, 0.5 0, 0.95 0, 0.99 0, 1 0}, :duplicated-count 0, :duplicated {}, \
        :gloomers {:valid? true}}";
    assert_eq!(result.to_string(), expected);
}

#[test]
fn an_acknowledged_element_that_the_last_read_missed_is_lost() {
    let lines = ["0 invoke broadcast 7", "0 ok broadcast 7", "1 invoke read nil", "1 ok read [7]"];
    let result = result(&[&lines[..], &["1 invoke read nil", "1 ok read []"]].concat());
    assert_eq!(Verdict::of(&result), Verdict::False);
    assert_eq!(field(&result, "lost"), "(7)");
    assert_eq!(field(&result, "lost-latencies"), "{0 1, 0.5 1, 0.95 1, 0.99 1, 1 1}");
    assert_eq!(field(&result, "stable-latencies"), "absent");
}

#[test]
fn an_element_that_a_read_saw_is_known_even_if_its_add_failed() {
    let result = result(&[
        "0 invoke add 7",
        "0 fail add 7",
        "1 invoke read nil",
        "1 ok read [7]",
        "1 invoke read nil",
        "1 ok read []",
    ]);
    assert_eq!(field(&result, "lost"), "(7)");
}

#[test]
fn an_add_that_nobody_confirmed_or_saw_is_never_read() {
    for outcome in ["fail", "info"] {
        let add = format!("0 {outcome} add 7");
        let result = result(&["0 invoke add 7", &add, "1 invoke read nil", "1 ok read []"]);
        assert_eq!(field(&result, "never-read"), "(7)");
        assert_eq!(field(&result, "lost-count"), "0");
        assert_eq!(Verdict::of(&result), Verdict::Unknown);
    }
}

#[test]
fn a_read_that_began_before_the_acknowledgement_may_miss_the_element() {
    let result = result(&["1 invoke read nil", "0 invoke add 7", "0 ok add 7", "1 ok read []"]);
    assert_eq!(field(&result, "never-read"), "(7)");
    assert_eq!(field(&result, "lost-count"), "0");
}

#[test]
fn staleness_lasts_until_the_invocation_of_the_last_read_that_missed_the_element() {
    let result = result(&[
        "0 invoke broadcast 7",
        "0 ok broadcast 7",
        "1 invoke read nil",
        "1 ok read []",
        "2 invoke read nil",
        "2 ok read nil",
        "1 invoke read nil",
        "1 ok read [7]",
    ]);
    assert_eq!(Verdict::of(&result), Verdict::True);
    assert_eq!(field(&result, "stale"), "(7)");
    assert_eq!(
        field(&result, "worst-stale"),
        "({:element 7, :outcome :stable, :stable-latency 3, :lost-latency nil, \
         :known #jepsen.history.Op{:index 1, :time 1000000, :type :ok, :process 0, :f :add, :value 7}, \
         :last-absent #jepsen.history.Op{:index 4, :time 4000000, :type :invoke, :process 2, :f :read, :value nil}})"
    );
}

#[test]
fn of_simultaneous_final_reads_the_last_invoked_decides() {
    let add = ["0 invoke add 7", "0 ok add 7", "1 invoke read nil", "2 invoke read nil"];
    let saw_last = result(&[&add[..], &["2 ok read [7]", "1 ok read []"]].concat());
    assert_eq!(field(&saw_last, "stable-count"), "1");
    assert_eq!(field(&saw_last, "stale"), "(7)");
    let missed_last = result(&[&add[..], &["1 ok read [7]", "2 ok read []"]].concat());
    assert_eq!(field(&missed_last, "lost"), "(7)");
}

#[test]
fn reads_that_fail_or_bring_strangers_do_not_count() {
    let result = result(&[
        "0 invoke add 7",
        "0 ok add 7",
        "1 invoke read nil",
        "1 ok read [99 \"x\" 7 7]",
        "1 invoke read nil",
        "1 fail read nil",
        "2 invoke read nil",
        "2 info read nil",
    ]);
    assert_eq!(Verdict::of(&result), Verdict::True);
    assert_eq!(field(&result, "attempt-count"), "1");
    assert_eq!(field(&result, "duplicated-count"), "0");
}

#[test]
fn elements_may_be_any_value() {
    let result = result(&[
        "0 invoke add [1 \"a\"]",
        "0 ok add [1 \"a\"]",
        "0 invoke add [2 {\"k\" nil}]",
        "0 ok add [2 {\"k\" nil}]",
        "1 invoke read nil",
        "1 ok read [[1 \"a\"]]",
    ]);
    assert_eq!(field(&result, "lost"), "([2 {\"k\" nil}])");
    assert_eq!(field(&result, "stable-count"), "1");
}

#[test]
fn an_element_added_again_starts_afresh() {
    let result = result(&[
        "0 invoke add 7",
        "0 ok add 7",
        "1 invoke read nil",
        "1 ok read [7]",
        "0 invoke add 7",
        "0 fail add 7",
        "1 invoke read nil",
        "1 ok read []",
    ]);
    assert_eq!(field(&result, "attempt-count"), "1");
    assert_eq!(field(&result, "never-read"), "(7)");
}

#[test]
fn the_worst_eight_are_described_and_the_later_of_equals_comes_first() {
    let adds: Vec<_> = (0..10).map(|i| format!("{i} invoke add {i}")).collect();
    let oks: Vec<_> = (0..10).map(|i| format!("{i} ok add {i}")).collect();
    let reads = ["20 invoke read nil", "20 ok read []", "20 invoke read nil", "20 ok read [0 1 2 3 4 5 6 7 8 9]"];
    let lines = adds.iter().chain(&oks).map(String::as_str).chain(reads);
    let mut ops = history(&lines.collect::<Vec<_>>()).ops().to_vec();
    for op in &mut ops[10..20] {
        op.time = 15_000_000;
    }
    let result = check(&ops.into_iter().collect()).expect("judged");
    let elements: Vec<_> = result.worst_stale.iter().filter_map(|stale| stale.element.as_int()).collect();
    assert_eq!(elements, [9, 8, 7, 6, 5, 4, 3, 2]);
}

#[test]
fn a_read_without_a_list_cannot_be_judged() {
    let problem = check(&history(&["0 invoke read nil", "0 ok read 5"])).expect_err("no list");
    assert_eq!(problem.to_string(), "the read completed at index 1 has 5 instead of a list of elements");
}

#[test]
fn of_elements_as_late_as_each_other_the_greatest_comes_first_whatever_was_added_first() {
    let lines = ["0 invoke add 7", "0 ok add 7", "0 invoke add 3", "0 ok add 3"];
    let missed = ["1 invoke read nil", "1 ok read []", "1 invoke read nil", "1 ok read [3 7]"];
    let mut late = history(&[&lines[..], &missed].concat()).ops().to_vec();
    // Both are known from the same moment on.
    late[1].time = late[3].time;
    late[4].time += 10_000_000;
    let result = check(&late.into_iter().collect()).expect("it can be judged").to_edn();
    let worst = field(&result, "worst-stale");
    assert!(worst.starts_with("({:element 7, :outcome :stable, :stable-latency 11, "), "{worst}");
    assert_eq!(field(&result, "stale"), "(3 7)");
}

#[test]
fn elements_without_an_order_cannot_be_judged_whatever_became_of_them() {
    let lines = ["0 invoke add 7", "0 ok add 7", "0 invoke add \"a\"", "0 ok add \"a\""];
    let seen = ["1 invoke read nil", "1 ok read [7 \"a\"]"];
    assert!(check(&history(&[&lines[..], &seen].concat())).is_err());
}
