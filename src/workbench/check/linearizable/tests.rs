//! Small histories judged by hand, and many judged by trying every order.

use chacha20::ChaCha8Rng;
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, prop_assume, proptest};
use rand::{RngExt as _, SeedableRng as _};

use super::super::tests::history;
use super::calls::Call;
use super::*;
use crate::workbench::check::{CheckReport, Verdict};

fn judged(lines: &[&str]) -> Value {
    check(&history(lines), &Budget::default()).unwrap_or_else(|error| panic!("{error}")).to_edn()
}

fn verdict(lines: &[&str]) -> Verdict {
    Verdict::of(&judged(lines))
}

#[test]
fn what_one_client_does_in_order_is_linearizable() {
    let result = judged(&[
        "0 invoke write [7 1]",
        "0 ok write [7 1]",
        "0 invoke cas [7 [1 2]]",
        "0 ok cas [7 [1 2]]",
        "0 invoke read [7 nil]",
        "0 ok read [7 2]",
    ]);
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
    let read = [format!("{reader} invoke read [{key} nil]"), format!("{reader} ok read [{key} 0]")];
    begun.chain(ended).chain(read).collect()
}

#[test]
fn when_time_is_over_the_result_says_how_far_the_search_came() {
    let lines: Vec<_> = [crowd(0, 2), crowd(1, 14)].concat();
    let history = history(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(check(&history, &Budget::default()).expect("well formed").verdict(), Verdict::True);
    let result = check(&history, &Budget::until(|| true)).expect("well formed").to_edn();
    let error = "1 of 2 keys could not be decided: key 1: no answer within the time limit (--check-timeout \
                 SECONDS)";
    assert_eq!(Verdict::of(&result), Verdict::Unknown);
    assert_eq!(result.get("error").and_then(Value::as_str), Some(error));
}

#[test]
fn a_violation_that_was_found_stands_though_there_is_no_time_left_to_draw_it_well() {
    let stale = ["0 invoke write [0 1]", "0 ok write [0 1]", "1 invoke write [0 2]", "1 ok write [0 2]"];
    let stale = [&stale[..], &["2 invoke read [0 nil]", "2 ok read [0 1]"]].concat();
    let result = check(&history(&stale), &Budget::until(|| true)).expect("well formed").to_edn();
    assert!(Verdict::of(&result) == Verdict::False && result.get("error").is_none(), "{result}");
}

#[test]
fn a_stale_read_is_a_violation_and_is_drawn() {
    let result = judged(&[
        "0 invoke write [0 1]",
        "0 ok write [0 1]",
        "1 invoke write [0 2]",
        "1 ok write [0 2]",
        "2 invoke read [0 nil]",
        "2 ok read [0 2]",
        "3 invoke read [0 nil]",
        "3 ok read [0 1]",
    ]);
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
    let result = judged(&["0 invoke write [0 4]", "0 ok write [0 4]", "1 invoke read [0 nil]", "1 ok read [0 3]"]);
    let of_key =
        result.get("results").and_then(|keys| keys.entry(&Value::Int(0))?.get("linearizable")).expect("judged");
    assert_eq!(of_key.get("op").and_then(|op| op.get("index")?.as_int()), Some(3));
    assert_eq!(of_key.get("previous-ok").and_then(|op| op.get("index")?.as_int()), Some(1));
    let paths = of_key.get("final-paths").map(ToString::to_string).unwrap_or_default();
    assert!(paths.contains("can't read 3 from register 4"), "{paths}");
}

#[test]
fn concurrent_operations_take_effect_in_any_order() {
    let lines = |second: &'static str| {
        [
            "0 invoke write [0 1]",
            "1 invoke write [0 2]",
            "0 ok write [0 1]",
            "1 ok write [0 2]",
            "2 invoke read [0 nil]",
            "2 ok read [0 1]",
            "2 invoke read [0 nil]",
            second,
        ]
    };
    assert_eq!(verdict(&lines("2 ok read [0 1]")), Verdict::True);
    assert_eq!(verdict(&lines("2 ok read [0 2]")), Verdict::False);
}

#[test]
fn an_indeterminate_operation_happens_at_any_time_or_never_but_once() {
    let begin = ["0 invoke write [0 1]", "0 ok write [0 1]", "1 invoke write [0 2]", "1 info write [0 2]"];
    let reads = |values: &[&str]| {
        let reads = values.iter().flat_map(|v| ["2 invoke read [0 nil]".to_owned(), format!("2 ok read [0 {v}]")]);
        let lines: Vec<_> = begin.into_iter().map(str::to_owned).chain(reads).collect();
        verdict(&lines.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_eq!(reads(&["1", "1"]), Verdict::True);
    assert_eq!(reads(&["1", "2", "2"]), Verdict::True);
    assert_eq!(reads(&["2", "1"]), Verdict::False);
}

#[test]
fn a_failed_operation_never_happens_and_a_missing_answer_is_indeterminate() {
    let after = |end: &'static str| {
        let lines = ["0 invoke write [0 1]", end, "1 invoke read [0 nil]", "1 ok read [0 1]"];
        verdict(&lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>())
    };
    assert_eq!(after("0 fail write [0 1]"), Verdict::False);
    assert_eq!(after("0 info write [0 1]"), Verdict::True);
    assert_eq!(after(""), Verdict::True);
}

#[test]
fn a_read_of_nil_fits_every_state_and_a_cas_needs_its_value() {
    assert_eq!(
        verdict(&["0 invoke write [0 1]", "0 ok write [0 1]", "0 invoke read [0 nil]", "0 ok read [0 nil]"]),
        Verdict::True
    );
    assert_eq!(verdict(&["0 invoke cas [0 [1 2]]", "0 ok cas [0 [1 2]]"]), Verdict::False);
    assert_eq!(verdict(&["0 invoke cas [0 [1 2]]", "0 fail cas [0 [1 2]]"]), Verdict::True);
}

#[test]
fn a_read_of_what_nobody_wrote_is_a_violation_however_many_writes_are_open() {
    let begin = (0..30).map(|i| format!("{i} invoke write [0 {i}]"));
    let end = |range: std::ops::Range<u32>| range.map(|i| format!("{i} ok write [0 {i}]"));
    let read = ["30 invoke read [0 nil]", "30 ok read [0 99]"].map(str::to_owned);
    let lines: Vec<_> = begin.chain(end(0..15)).chain(read).chain(end(15..30)).collect();
    let result = judged(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(Verdict::of(&result), Verdict::False);
    let windows = result.get("gloomers").and_then(|ours| ours.get("windows")).expect("drawn").to_string();
    let expected = "{0 [\"key 0: process 30 read 99, but nothing that had begun by then could have written 99\" \
                    \"30 read → 99  ├─┤  ✗\"]}";
    assert_eq!(windows, expected);
}

#[test]
fn a_value_comes_from_nowhere_if_its_write_began_too_late_or_failed_or_was_its_own() {
    let read = ["1 invoke read [0 nil]", "1 ok read [0 3]"];
    let (begin, end) = ("0 invoke write [0 3]", "0 ok write [0 3]");
    for (lines, nowhere) in [
        (vec![read[0], read[1], begin, end], true),
        (vec![begin, "0 fail write [0 3]", read[0], read[1]], true),
        (vec!["0 invoke cas [0 [3 3]]", "0 ok cas [0 [3 3]]"], true),
        (vec!["0 invoke cas [0 [3 4]]", "0 ok cas [0 [3 4]]"], true),
        (vec![begin, end, "0 invoke write [0 4]", "0 ok write [0 4]", read[0], read[1]], false),
    ] {
        let result = judged(&lines);
        assert_eq!(Verdict::of(&result), Verdict::False, "{lines:?}");
        assert_eq!(
            result.to_string().contains("nothing that had begun by then could have written"),
            nowhere,
            "{lines:?}"
        );
    }
    for lines in [[read[0], begin, end, read[1]], [begin, "0 info write [0 3]", read[0], read[1]]] {
        assert_eq!(verdict(&lines), Verdict::True, "{lines:?}");
    }
}

#[test]
fn an_earlier_violation_comes_before_a_value_from_nowhere() {
    let result = judged(&[
        "0 invoke write [0 1]",
        "0 ok write [0 1]",
        "0 invoke write [0 2]",
        "0 ok write [0 2]",
        "1 invoke read [0 nil]",
        "1 ok read [0 1]",
        "1 invoke read [0 nil]",
        "1 ok read [0 9]",
    ]);
    let of_key = result.get("results").and_then(|keys| keys.entry(&Value::Int(0))?.get("linearizable"));
    assert_eq!(of_key.and_then(|of_key| of_key.get("op")?.get("index")?.as_int()), Some(5));
}

#[test]
fn keys_are_judged_apart() {
    let result = judged(&["0 invoke write [1 1]", "0 ok write [1 1]", "0 invoke read [0 nil]", "0 ok read [0 1]"]);
    assert_eq!(result.get("failures").map(ToString::to_string).as_deref(), Some("[0]"));
    let keys: Vec<_> = result.get("results").and_then(Value::entries).expect("a map").iter().map(|(k, _)| k).collect();
    assert_eq!(keys, [&Value::Int(0), &Value::Int(1)]);
}

#[test]
fn what_is_no_operation_on_a_register_cannot_be_judged() {
    for line in ["0 invoke read 7", "0 invoke write nil", "0 invoke jump [0 1]", "0 invoke cas [0 1]"] {
        assert!(check(&history(&[line]), &Budget::default()).is_err(), "{line}");
    }
}

#[test]
fn past_its_bounds_the_search_says_that_it_gives_up() {
    let lines: Vec<_> = (0..=search::MAX_OPEN).map(|i| format!("{i} invoke write [0 {i}]")).collect();
    let result = judged(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(Verdict::of(&result), Verdict::Unknown);
    assert!(result.to_string().contains("more than 128 operations"), "{result}");
    assert_eq!(result.get("failures").map(ToString::to_string).as_deref(), Some("[]"));
}

/// A history of clients on a correct register: each operation takes effect at a random moment of its own.
fn simulated(seed: u64, clients: usize, operations: usize) -> Vec<String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut value, mut lines) = (None::<i64>, Vec::new());
    // What a client is about: its operation, and once that took effect, its outcome.
    let mut busy: Vec<Option<(String, Option<String>)>> = vec![None; clients];
    let mut names: Vec<usize> = (0..clients).collect();
    let mut begun = 0;
    while begun < operations || busy.iter().any(Option::is_some) {
        let client = rng.random_range(0..clients);
        let name = names[client];
        let text = |value: Option<i64>| value.map_or("nil".to_owned(), |value| value.to_string());
        match busy[client].take() {
            None if begun < operations => {
                let (a, b) = (rng.random_range(0..5), rng.random_range(0..5));
                let op = match rng.random_range(0..3) {
                    0 => "read [0 nil]".to_owned(),
                    1 => format!("write [0 {a}]"),
                    _ => format!("cas [0 [{a} {b}]]"),
                };
                lines.push(format!("{name} invoke {op}"));
                busy[client] = Some((op, None));
                begun += 1;
            }
            None => {}
            Some((op, None)) if op.starts_with('c') && rng.random_bool(0.02) => {
                lines.push(format!("{name} info {op}"));
                names[client] += clients;
            }
            Some((op, None)) => {
                let numbers: Vec<i64> =
                    op.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
                let outcome = match (op.as_bytes()[0], &numbers[1..]) {
                    (b'r', _) => format!("ok read [0 {}]", text(value)),
                    (b'w', [to]) => {
                        value = Some(*to);
                        format!("ok {op}")
                    }
                    (_, [from, to]) if value == Some(*from) => {
                        value = Some(*to);
                        format!("ok {op}")
                    }
                    _ => format!("fail {op}"),
                };
                busy[client] = Some((op, Some(outcome)));
            }
            Some((_, Some(outcome))) => lines.push(format!("{name} {outcome}")),
        }
    }
    lines
}

fn verdict_of(lines: &[String]) -> Verdict {
    verdict(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Whether some order explains the calls, by trying them all.
fn exists_order(calls: &[Call], value: u32, done: u32) -> bool {
    let open = |index: &usize| done & (1 << index) == 0;
    let left = || (0..calls.len()).filter(open);
    if left().all(|index| calls[index].completion.is_none()) {
        return true;
    }
    let soonest = left().filter_map(|index| calls[index].completion).min().unwrap_or(usize::MAX);
    left().filter(|index| calls[*index].invocation < soonest).any(|index| {
        calls[index].effect.apply(value).is_some_and(|value| exists_order(calls, value, done | (1 << index)))
    })
}

proptest! {
    #[test]
    fn a_correct_register_is_linearizable(seed in any::<u64>(), clients in 1_usize..8) {
        prop_assert_eq!(verdict_of(&simulated(seed, clients, 120)), Verdict::True);
    }

    #[test]
    fn one_value_from_nowhere_is_found(
        seed in any::<u64>(),
        clients in 1_usize..8,
        place in any::<prop::sample::Index>(),
    ) {
        let mut lines = simulated(seed, clients, 120);
        let reads: Vec<_> = (0..lines.len()).filter(|line| lines[*line].contains("ok read")).collect();
        prop_assume!(!reads.is_empty());
        let line = &mut lines[*place.get(&reads)];
        let name = line.split(' ').next().unwrap_or_default().to_owned();
        *line = format!("{name} ok read [0 99]");
        prop_assert_eq!(verdict_of(&lines), Verdict::False);
    }

    #[test]
    fn the_search_agrees_with_trying_every_order(seed in any::<u64>(), swap in any::<prop::sample::Index>()) {
        let mut lines = simulated(seed, 4, 10);
        let reads: Vec<_> = (0..lines.len()).filter(|line| lines[*line].contains("ok read")).collect();
        if !reads.is_empty() {
            let line = &mut lines[*swap.get(&reads)];
            let name = line.split(' ').next().unwrap_or_default().to_owned();
            *line = format!("{name} ok read [0 {}]", seed % 5);
        }
        let history = history(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let calls = calls::by_key(&history).expect("well formed");
        let expected = calls.iter().all(|(_, calls)| exists_order(&calls.all, 0, 0));
        let found = check(&history, &Budget::default()).expect("well formed").verdict();
        prop_assert_eq!(found, Verdict::from(expected));
        for (_, calls) in calls {
            let budget = Budget::default();
            let (broad, deep) = (Search::new(&budget).run(&calls), Search::within(0, &budget).run(&calls));
            let place = |outcome: &SearchOutcome| match outcome {
                SearchOutcome::Violation(violation) => Some(violation.call),
                SearchOutcome::Linearizable(_) | SearchOutcome::GaveUp(_) => None,
            };
            prop_assert!(!matches!(deep, SearchOutcome::GaveUp(_)));
            prop_assert_eq!(place(&broad), place(&deep));
        }
    }
}

#[test]
fn how_far_a_search_came_is_told_if_it_came_anywhere() {
    use crate::workbench::check::linearizable::search::Bound;
    let end = |done| GaveUp { bound: Bound::Steps, done, all: 63 }.to_string();
    assert!(!end(0).contains("an order is known"), "{}", end(0));
    assert!(end(5).ends_with("; an order is known of the first 5 of 63 acknowledged operations"), "{}", end(5));
}
