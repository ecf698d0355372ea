//! What Maelstrom passes over.

use super::*;
use crate::workbench::check::set_full::unseen::SetAnomaly;

const ADDED: [&str; 2] = ["0 invoke add 7", "0 ok add 7"];

fn read(values: &str) -> Vec<String> {
    vec!["1 invoke read nil".to_owned(), format!("1 ok read {values}")]
}

/// Our part of the result over an acknowledged 7 and more.
fn ours(more: &[String]) -> Value {
    let lines: Vec<_> = ADDED.into_iter().chain(more.iter().map(String::as_str)).collect();
    result(&lines).get("gloomers").expect("always there").clone()
}

/// The history with its final reads marked as such.
fn marked(lines: &[&str], finals: &[usize]) -> SetReport {
    let mut ops = history(lines).ops().to_vec();
    for position in finals {
        ops[*position].extra.push((Value::keyword("final?"), true.into()));
    }
    check(&ops.into_iter().collect()).expect("judged")
}

#[test]
fn a_value_listed_twice_in_one_read_is_duplicated_with_the_most_copies_of_a_read() {
    let ours = ours(&[read("[7 7]"), read("[7 7 7]"), read("[7 7]")].concat());
    let expected = "{:valid? false, :duplicated {7 3}, :in-words {:duplicated \
        [[\"duplicated: 7 stands 3 times in the read that process 1 completed at index 5\"]]}}";
    assert_eq!(ours.to_string(), expected);
}

#[test]
fn a_value_in_two_reads_is_no_duplicate() {
    assert_eq!(ours(&[read("[7]"), read("[7]")].concat()).to_string(), "{:valid? true}");
}

#[test]
fn values_that_nobody_adds_are_invented_and_told_once_each() {
    let ours = ours(&[read("[9 7 -1]"), read("[7 9 9 \"x\"]")].concat());
    assert_eq!(Verdict::of(&ours), Verdict::False);
    assert_eq!(field(&ours, "invented"), "(9 -1 \"x\")", "values without an order stay as they came");
    assert_eq!(field(&ours, "duplicated"), "{9 2}");
}

#[test]
fn a_value_read_before_its_add_began_is_invented() {
    let add = ["0 invoke add 8".to_owned(), "0 ok add 8".to_owned()];
    let early = ours(&[&read("[8 7]")[..], &add, &read("[7 8]")].concat());
    assert_eq!(field(&early, "invented"), "(8)");
    let late = ours(&[&read("[7]")[..1], &add[..1], &read("[8 7]")[1..], &add[1..], &read("[7 8]")].concat());
    assert_eq!(late.to_string(), "{:valid? true}");
}

#[test]
fn a_value_whose_add_failed_must_not_be_read_but_one_of_unknown_outcome_may() {
    for (outcomes, expected) in
        [(&["fail"][..], "(8)"), (&["info"], "absent"), (&["fail", "ok"], "absent"), (&["fail", "fail"], "(8)")]
    {
        let add = |outcome: &&str| ["2 invoke add 8".to_owned(), format!("2 {outcome} add 8")];
        let adds: Vec<_> = outcomes.iter().flat_map(add).collect();
        let ours = ours(&[adds, read("[7 8]")].concat());
        assert_eq!(field(&ours, "failed"), expected, "{outcomes:?}");
        assert_eq!(Verdict::of(&ours), Verdict::from(expected == "absent"), "{outcomes:?}");
    }
}

#[test]
fn an_add_that_fails_after_a_read_saw_its_value_is_told_too() {
    let [begin, end] = ["2 invoke add 8", "2 fail add 8"].map(|line| vec![line.to_owned()]);
    let ours = ours(&[begin, read("[8 7]"), end].concat());
    assert_eq!(field(&ours, "failed"), "(8)");
}

#[test]
fn a_value_that_one_final_read_misses_is_missing_though_a_later_one_has_it() {
    let reads = ["1 invoke read nil", "2 invoke read nil", "1 ok read []", "2 ok read [7]"];
    let lines = [&ADDED[..], &reads].concat();
    let result = marked(&lines, &[2, 3, 4, 5]);
    assert_eq!((result.verdict(), result.extended_verdict()), (Verdict::True, Some(Verdict::False)));
    let [Unseen { anomaly: SetAnomaly::Missing, cases }] = &result.unseen[..] else { panic!("{result:?}") };
    assert_eq!(cases.iter().map(|case| &case.value).collect::<Vec<_>>(), [&Value::Int(7)]);
    let told = result.explanation();
    assert!(told[0][0].contains("process 1 completed at index 4"), "{told:?}");
    assert_eq!(marked(&lines, &[3, 5]).unseen, [], "a read on the way may be late");
}

#[test]
fn reads_after_nine_quiet_seconds_are_final_where_none_is_marked() {
    let reads = ["1 invoke read nil", "2 invoke read nil", "1 ok read []", "2 ok read [7]"];
    let at = |seconds: i64, nemesis: bool| {
        let mut ops = history(&[&ADDED[..], &[":nemesis info stop-partition nil"], &reads].concat()).ops().to_vec();
        for op in &mut ops[3..] {
            op.time += seconds * 1_000_000_000;
        }
        if nemesis {
            ops[2].time = ops[3].time;
        }
        let result = check(&ops.into_iter().collect()).expect("judged").to_edn();
        field(result.get("gloomers").expect("always there"), "missing")
    };
    assert_eq!(at(9, false), "(7)");
    assert_eq!(at(8, false), "absent");
    assert_eq!(at(9, true), "absent", "a fault ended just before");
}

#[test]
fn what_maelstrom_calls_lost_is_left_to_it() {
    let lines = [&ADDED[..], &["1 invoke read nil", "1 ok read []"]].concat();
    let result = marked(&lines, &[2, 3]);
    assert_eq!((&result.lost[..], &result.unseen[..]), (&[Value::Int(7)][..], &[][..]));
}
