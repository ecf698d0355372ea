//! Anomalies that Maelstrom does not report.

use super::*;
use crate::workbench::check::set_full::extended::SetAnomaly;

/// `:gloomers` in the results of a history of an acknowledged add of 7 and `more`.
fn extended(more: &[&str]) -> Value {
    result(&[&["0 ok add 7"], more].concat()).get("gloomers").expect("always there").clone()
}

/// The history with its final reads marked as such.
fn marked(lines: &[&str], finals: &[usize]) -> SetReport {
    let mut ops = run(lines).ops().to_vec();
    for position in finals {
        ops[*position].extra.push((Value::keyword("final?"), true.into()));
    }
    check(&ops.into_iter().collect()).expect("judged")
}

#[test]
fn a_value_listed_twice_in_one_read_is_duplicated_with_the_most_copies_of_a_read() {
    let extended = extended(&["1 ok read [7 7]", "1 ok read [7 7 7]", "1 ok read [7 7]"]);
    let expected = "{:valid? false, :duplicated {7 3}, :in-words {:duplicated \
        [[\"duplicated: 7 stands 3 times in the read that process 1 completed at index 5\"]]}}";
    assert_eq!(extended.to_string(), expected);
}

#[test]
fn a_value_in_two_reads_is_no_duplicate() {
    assert_eq!(extended(&["1 ok read [7]", "1 ok read [7]"]).to_string(), "{:valid? true}");
}

#[test]
fn values_that_are_never_added_are_invented_and_reported_once_each() {
    let extended = extended(&["1 ok read [9 7 -1]", "1 ok read [7 9 9 \"x\"]"]);
    assert_eq!(Verdict::of(&extended), Verdict::False);
    assert_eq!(field(&extended, "invented"), "(9 -1 \"x\")", "values without an order stay as they came");
    assert_eq!(field(&extended, "duplicated"), "{9 2}");
}

#[test]
fn a_value_read_before_its_add_began_is_invented() {
    let early = extended(&["1 ok read [8 7]", "0 ok add 8", "1 ok read [7 8]"]);
    assert_eq!(field(&early, "invented"), "(8)");
    let reads = ["1 ok read [8 7]", "0 ok add 8", "1 ok read [7 8]"];
    let late = extended(&[&["1 invoke read nil", "0 invoke add 8"], &reads[..]].concat());
    assert_eq!(late.to_string(), "{:valid? true}");
}

#[test]
fn a_value_whose_add_failed_must_not_be_read_but_one_of_unknown_outcome_may() {
    for (outcomes, expected) in
        [(&["fail"][..], "(8)"), (&["info"], "absent"), (&["fail", "ok"], "absent"), (&["fail", "fail"], "(8)")]
    {
        let adds: Vec<_> = outcomes.iter().map(|outcome| format!("2 {outcome} add 8")).collect();
        let extended =
            extended(&[&adds.iter().map(String::as_str).collect::<Vec<_>>()[..], &["1 ok read [7 8]"]].concat());
        assert_eq!(field(&extended, "failed"), expected, "{outcomes:?}");
        assert_eq!(Verdict::of(&extended), Verdict::from(expected == "absent"), "{outcomes:?}");
    }
}

#[test]
fn a_value_whose_add_fails_after_a_read_returned_it_is_reported_too() {
    let extended = extended(&["2 invoke add 8", "1 ok read [8 7]", "2 fail add 8"]);
    assert_eq!(field(&extended, "failed"), "(8)");
}

#[test]
fn a_value_that_one_final_read_misses_is_missing_though_a_later_one_has_it() {
    let reads = ["1 invoke read nil", "2 invoke read nil", "1 ok read []", "2 ok read [7]"];
    let lines = [&["0 ok add 7"], &reads[..]].concat();
    let result = marked(&lines, &[2, 3, 4, 5]);
    assert_eq!((result.verdict(), result.extended_verdict()), (Verdict::True, Some(Verdict::False)));
    let [SetViolation { anomaly: SetAnomaly::Missing, cases }] = &result.extended[..] else { panic!("{result:?}") };
    assert_eq!(cases.iter().map(|case| &case.value).collect::<Vec<_>>(), [&Value::Int(7)]);
    let explanation = result.explanation();
    assert!(explanation[0][0].contains("process 1 completed at index 4"), "{explanation:?}");
    assert_eq!(marked(&lines, &[3, 5]).extended, [], "a read before the final ones may be stale");
}

#[test]
fn reads_after_nine_quiet_seconds_are_final_where_none_is_marked() {
    let reads = ["1 invoke read nil", "2 invoke read nil", "1 ok read []", "2 ok read [7]"];
    let at = |seconds: i64, nemesis: bool| {
        let mut ops = run(&[&["0 ok add 7", ":nemesis info stop-partition nil"], &reads[..]].concat()).ops().to_vec();
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
fn what_maelstrom_reports_as_lost_is_not_reported_again() {
    let result = marked(&["0 ok add 7", "1 ok read []"], &[2, 3]);
    assert_eq!((&result.lost[..], &result.extended[..]), (&[Value::Int(7)][..], &[][..]));
}
