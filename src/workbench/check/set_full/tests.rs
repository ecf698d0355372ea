//! Small histories with every outcome of an element.

mod extended;

use super::super::tests::run;
use super::*;
use crate::workbench::check::{CheckReport, Verdict};

fn result(lines: &[&str]) -> Value {
    check(&run(lines)).unwrap_or_else(|problem| panic!("{problem}")).to_edn()
}

fn field(result: &Value, key: &str) -> String {
    result.get(key).map_or_else(|| "absent".to_owned(), ToString::to_string)
}

#[test]
fn an_element_that_the_last_read_saw_is_stable() {
    let expected = "{:valid? true, :attempt-count 1, :stable-count 1, :lost-count 0, :lost (), \
        :never-read-count 0, :never-read (), :stale-count 0, :stale (), :worst-stale (), \
        :stable-latencies {0 0, 0.5 0, 0.95 0, 0.99 0, 1 0}, :duplicated-count 0, :duplicated {}, \
        :gloomers {:valid? true}}";
    assert_eq!(result(&["0 ok add 0", "1 ok read [0]"]).to_string(), expected);
}

#[test]
fn an_element_that_the_last_read_missed_is_lost_if_it_was_known_before() {
    let result = result(&["0 ok broadcast 7", "1 ok read [7]", "1 ok read []"]);
    assert_eq!((Verdict::of(&result), &*field(&result, "lost")), (Verdict::False, "(7)"));
    assert_eq!(field(&result, "lost-latencies"), "{0 1, 0.5 1, 0.95 1, 0.99 1, 1 1}");
    assert_eq!(field(&result, "stable-latencies"), "absent");
}

#[test]
fn each_element_has_one_outcome() {
    let reads = ["0 ok add 7", "1 invoke read nil", "2 invoke read nil"];
    for (lines, [lost, never_read, stale], why) in [
        (&["0 fail add 7", "1 ok read [7]", "1 ok read []"][..], ["(7)", "()", "()"], "a read made it known"),
        (&["0 fail add 7", "1 ok read []"], ["()", "(7)", "()"], "nobody confirmed or saw it"),
        (&["0 info add 7", "1 ok read []"], ["()", "(7)", "()"], "nobody confirmed or saw it"),
        (&["1 invoke read nil", "0 ok add 7", "1 ok read []"], ["()", "(7)", "()"], "the read began too early"),
        (&[&reads[..], &["2 ok read [7]", "1 ok read []"]].concat(), ["()", "()", "(7)"], "the last invoked decides"),
        (&[&reads[..], &["1 ok read [7]", "2 ok read []"]].concat(), ["(7)", "()", "()"], "the last invoked decides"),
        (&["0 ok add 7", "1 ok read [7]", "0 fail add 7", "1 ok read []"], ["()", "(7)", "()"], "it starts afresh"),
        (&["0 ok add 7", "1 ok read [9 \"x\" 7 7]", "1 fail read nil"], ["()", "()", "()"], "these do not count"),
        (&["0 ok add [1 \"a\"]", "0 ok add [2 {}]", "1 ok read [[2 {}]]"], ["([1 \"a\"])", "()", "()"], "any value"),
    ] {
        let result = result(lines);
        let found = ["lost", "never-read", "stale"].map(|key| field(&result, key));
        assert_eq!(found, [lost, never_read, stale], "{why}: {lines:?}");
    }
}

#[test]
fn staleness_lasts_until_the_invocation_of_the_last_read_that_missed_the_element() {
    let result = result(&["0 ok broadcast 7", "1 ok read []", "2 invoke read nil", "2 ok read nil", "1 ok read [7]"]);
    assert_eq!(Verdict::of(&result), Verdict::True);
    assert_eq!(
        field(&result, "worst-stale"),
        "({:element 7, :outcome :stable, :stable-latency 3, :lost-latency nil, \
         :known #jepsen.history.Op{:index 1, :time 1000000, :type :ok, :process 0, :f :add, :value 7}, \
         :last-absent #jepsen.history.Op{:index 4, :time 4000000, :type :invoke, :process 2, :f :read, :value nil}})"
    );
}

#[test]
fn the_worst_eight_are_described_and_the_greater_of_equals_comes_first() {
    let adds = (0..10).rev().map(|i| format!("{i} invoke add {i}"));
    let oks = (0..10).map(|i| format!("{i} ok add {i}"));
    let reads = ["20 ok read []", "20 ok read [0 1 2 3 4 5 6 7 8 9]"].map(str::to_owned);
    let mut ops = run(&adds.chain(oks).chain(reads).collect::<Vec<_>>()).ops().to_vec();
    for op in &mut ops[10..20] {
        op.time = 15_000_000;
    }
    let result = check(&ops.into_iter().collect()).expect("judged");
    let elements: Vec<_> = result.worst_stale.iter().filter_map(|stale| stale.element.as_int()).collect();
    assert_eq!(elements, [9, 8, 7, 6, 5, 4, 3, 2]);
}

#[test]
fn reads_without_a_list_and_elements_without_an_order_cannot_be_judged() {
    let problem = check(&run(&["0 ok read 5"])).expect_err("no list");
    assert_eq!(problem.to_string(), "the read completed at index 1 has 5 instead of a list of elements");
    assert!(check(&run(&["0 ok add 7", "0 ok add \"a\"", "1 ok read [7 \"a\"]"])).is_err());
}
