//! Small histories judged by hand, and many drawn at random.

use super::super::differential::draw;
use super::super::differential::registers::{numbers, registers};
use super::super::tests::run;
use super::*;
use crate::workbench::check::{CheckReport, Verdict};
use crate::workbench::history::OpKind;

fn judged<L: AsRef<str>>(lines: &[L]) -> Value {
    check(&run(lines), &Budget::default()).unwrap_or_else(|error| panic!("{error}")).to_edn()
}

#[test]
fn what_one_client_does_in_order_is_linearizable() {
    let result = judged(&["0 ok write [7 1]", "0 ok cas [7 [1 2]]", "0 ok read [7 2]"]);
    let expected = "{:valid? true, :results {7 {:linearizable {:valid? true, \
                    :configs ({:model #knossos.model.CASRegister{:value 2}, \
                    :last-op {:process 0, :type :ok, :f :read, :value 2, :index 5, :time 5000000}, :pending []}), \
                    :final-paths ()}, :timeline {:valid? true}, :valid? true}}, :failures []}";
    assert_eq!(result.to_string(), expected);
}

/// Writes of as many values on a key, all at once, of which the first is read in the end: each order has to be tried.
fn crowd(key: usize, writes: usize) -> Vec<String> {
    let line = |kind: &str, process: usize| format!("{} {kind} write [{key} {process}]", 100 * key + process);
    let begun = (0..writes).map(|process| line("invoke", process));
    let ended = (0..writes).map(|process| line("ok", process));
    let reader = 100 * key + writes;
    begun.chain(ended).chain([format!("{reader} ok read [{key} 0]")]).collect()
}

#[test]
fn when_time_is_over_the_result_says_how_far_the_search_came() {
    let lines: Vec<_> = [crowd(0, 2), crowd(1, 14)].concat();
    let history = run(&lines);
    assert_eq!(check(&history, &Budget::default()).expect("well formed").verdict(), Verdict::True);
    let result = check(&history, &Budget::until(|| true)).expect("well formed").to_edn();
    let error = "1 of 2 keys could not be decided: key 1: no answer within the time limit (--check-timeout \
                 SECONDS)";
    assert_eq!(Verdict::of(&result), Verdict::Unknown);
    assert_eq!(result.get("error").and_then(Value::as_str), Some(error));
}

#[test]
fn a_violation_that_was_found_stands_though_there_is_no_time_left_to_draw_it_well() {
    let stale = ["0 ok write [0 1]", "1 ok write [0 2]", "2 ok read [0 1]"];
    let result = check(&run(&stale), &Budget::until(|| true)).expect("well formed").to_edn();
    assert!(Verdict::of(&result) == Verdict::False && result.get("error").is_none(), "{result}");
}

#[test]
fn a_stale_read_is_a_violation_and_is_drawn() {
    let result = judged(&["0 ok write [0 1]", "1 ok write [0 2]", "2 ok read [0 2]", "3 ok read [0 1]"]);
    assert_eq!(Verdict::of(&result), Verdict::False);
    assert_eq!(result.get("failures").map(ToString::to_string).as_deref(), Some("[0]"));
    let windows = result.get("gloomers").and_then(|ours| ours.get("windows")?.entry(&Value::Int(0))).expect("drawn");
    let lines: Vec<_> =
        windows.items().expect("lines").map(|line| line.as_str().unwrap_or_default().to_owned()).collect();
    let expected = [
        "key 0: no order of these operations explains process 3's read → 1, whatever the register held before",
        "2 read → 2  ├───┤",
        "3 read → 1      ├─┤  ✗",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    assert!(lines[0] == expected[0] && lines[1].starts_with("2 read → 2") && lines[2].ends_with('✗'), "{lines:#?}");
}

#[test]
fn a_violation_says_what_could_not_be_and_what_the_register_held() {
    let result = judged(&["0 ok write [0 4]", "1 ok read [0 3]"]);
    let of_key =
        result.get("results").and_then(|keys| keys.entry(&Value::Int(0))?.get("linearizable")).expect("judged");
    assert_eq!(of_key.get("op").and_then(|op| op.get("index")?.as_int()), Some(3));
    assert_eq!(of_key.get("previous-ok").and_then(|op| op.get("index")?.as_int()), Some(1));
    let paths = of_key.get("final-paths").map(ToString::to_string).unwrap_or_default();
    assert!(paths.contains("can't read 3 from register 4"), "{paths}");
}

#[test]
fn a_read_of_what_nobody_wrote_is_a_violation_however_many_writes_are_open() {
    let begin = (0..30).map(|i| format!("{i} invoke write [0 {i}]"));
    let end = |range: std::ops::Range<u32>| range.map(|i| format!("{i} ok write [0 {i}]"));
    let read = ["30 ok read [0 99]".to_owned()];
    let result = judged(&begin.chain(end(0..15)).chain(read).chain(end(15..30)).collect::<Vec<_>>());
    assert_eq!(Verdict::of(&result), Verdict::False);
    let windows = result.get("gloomers").and_then(|ours| ours.get("windows")).expect("drawn").to_string();
    let expected = "{0 [\"key 0: process 30 read 99, but nothing that had begun by then could have written 99\" \
                    \"30 read → 99  ├─┤  ✗\"]}";
    assert_eq!(windows, expected);
}

#[test]
fn a_value_comes_from_nowhere_if_its_write_began_too_late_or_failed_or_was_its_own() {
    let (read, write) = ("1 ok read [0 3]", "0 ok write [0 3]");
    for (lines, nowhere) in [
        (&[read, write][..], true),
        (&["0 fail write [0 3]", read], true),
        (&["0 ok cas [0 [3 3]]"], true),
        (&["0 ok cas [0 [3 4]]"], true),
        (&[write, "0 ok write [0 4]", read], false),
    ] {
        let result = judged(lines);
        assert_eq!(Verdict::of(&result), Verdict::False, "{lines:?}");
        let sentence = "nothing that had begun by then could have written";
        assert_eq!(result.to_string().contains(sentence), nowhere, "{lines:?}");
    }
    for lines in [&["1 invoke read [0 nil]", write, read][..], &["0 info write [0 3]", read]] {
        assert_eq!(Verdict::of(&judged(lines)), Verdict::True, "{lines:?}");
    }
}

#[test]
fn an_earlier_violation_comes_before_a_value_from_nowhere() {
    let result = judged(&["0 ok write [0 1]", "0 ok write [0 2]", "1 ok read [0 1]", "1 ok read [0 9]"]);
    let of_key = result.get("results").and_then(|keys| keys.entry(&Value::Int(0))?.get("linearizable"));
    assert_eq!(of_key.and_then(|of_key| of_key.get("op")?.get("index")?.as_int()), Some(5));
}

#[test]
fn keys_are_judged_apart() {
    let result = judged(&["0 ok write [1 1]", "0 ok read [0 1]"]);
    assert_eq!(result.get("failures").map(ToString::to_string).as_deref(), Some("[0]"));
    let keys: Vec<_> = result.get("results").and_then(Value::entries).expect("a map").iter().map(|(k, _)| k).collect();
    assert_eq!(keys, [&Value::Int(0), &Value::Int(1)]);
}

#[test]
fn what_is_no_operation_on_a_register_cannot_be_judged() {
    for line in ["0 invoke read 7", "0 invoke write nil", "0 invoke jump [0 1]", "0 invoke cas [0 1]"] {
        assert!(check(&run(&[line]), &Budget::default()).is_err(), "{line}");
    }
}

#[test]
fn past_its_bounds_the_search_says_that_it_gives_up() {
    let lines: Vec<_> = (0..=search::MAX_OPEN).map(|i| format!("{i} invoke write [0 {i}]")).collect();
    let result = judged(&lines);
    assert_eq!(Verdict::of(&result), Verdict::Unknown);
    assert!(result.to_string().contains("more than 128 operations"), "{result}");
    assert_eq!(result.get("failures").map(ToString::to_string).as_deref(), Some("[]"));
}

#[test]
fn a_correct_register_is_linearizable_until_a_value_comes_from_nowhere() {
    for seed in 0..300 {
        let history = draw(seed, 240, |_| registers(0.0));
        let verdict = |history| check(history, &Budget::default()).expect("well formed").verdict();
        assert_eq!(verdict(&history), Verdict::True, "seed {seed}");
        let mut ops = history.ops().to_vec();
        let mut reads: Vec<_> = ops.iter_mut().filter(|op| op.f == "read" && op.kind == OpKind::Ok).collect();
        if let Some(middle) = reads.len().checked_sub(1).map(|last| last / 2) {
            let read = &mut *reads[middle];
            read.value = Value::ints([numbers(&read.value)[0].unwrap_or_default(), 99].to_vec());
            assert_eq!(verdict(&ops.into_iter().collect()), Verdict::False, "seed {seed}");
        }
    }
}

#[test]
fn the_searches_in_breadth_and_in_depth_agree() {
    for seed in 0..1_000 {
        let history = draw(seed, 24, |_| registers(0.1));
        for (_, calls) in calls::by_key(&history).expect("well formed") {
            let budget = Budget::default();
            let [broad, deep] = [Search::new(&budget), Search::within(0, &budget)].map(|search| search.run(&calls));
            let violation = |outcome: &SearchOutcome| match outcome {
                SearchOutcome::Violation(violation) => Some(violation.call),
                SearchOutcome::Linearizable(_) | SearchOutcome::GaveUp(_) => None,
            };
            assert!(!matches!(deep, SearchOutcome::GaveUp(_)), "seed {seed}");
            assert_eq!(violation(&broad), violation(&deep), "seed {seed}");
        }
    }
}

#[test]
fn how_far_a_search_came_is_told_if_it_came_anywhere() {
    use crate::workbench::check::linearizable::search::SearchLimit;
    let end = |done| GaveUp { bound: SearchLimit::Steps, done, all: 63 }.to_string();
    assert!(!end(0).contains("an order is known"), "{}", end(0));
    assert!(end(5).ends_with("; an order is known of the first 5 of 63 acknowledged operations"), "{}", end(5));
}
