//! One small history for every error.

use super::super::tests::run;
use super::*;

fn judged<L: AsRef<str>>(lines: &[L]) -> Value {
    check(&run(lines)).expect("it can be judged").to_edn()
}

/// The names of the errors.
fn errors<L: AsRef<str>>(lines: &[L]) -> String {
    judged(lines).get("error-types").expect("it is always there").to_string()
}

const SENT: [&str; 3] = ["0 ok send [[:send 9 [0 1]]]", "0 ok send [[:send 9 [2 2]]]", "1 ok send [[:send 9 [5 3]]]"];

const ALL: &str = "9 ok poll [[:poll {9 [[0 1] [2 2] [5 3]]}]]";

#[test]
fn what_is_sent_and_polled_in_order_is_valid_though_offsets_have_gaps() {
    let lines = [&SENT[..], &["7 ok assign [9]", "7 ok poll [[:poll {9 [[0 1]]}]]", ALL]].concat();
    let result = judged(&lines).to_string();
    let expected = "{:valid? true, :worst-realtime-lag {:time 0.008, :process 7, :key 9, :lag 0.005}, \
                    :bad-error-types (), :error-types (), :info-txn-causes ()}";
    assert_eq!(result, expected);
}

#[test]
fn the_lag_is_measured_from_when_the_next_message_was_known() {
    let lines = [&SENT[..], &["7 ok assign [9]", "7 ok poll [[:poll {}]]", ALL]].concat();
    let lag = judged(&lines).get("worst-realtime-lag").expect("always there").to_string();
    assert_eq!(lag, "{:time 0.008, :process 7, :key 9, :lag 0.007}");
    let nothing = judged(&["0 ok assign [9]", "0 ok poll [[:poll {}]]", "0 ok poll [[:poll {}]]"]);
    let lag = nothing.get("worst-realtime-lag").expect("always there").to_string();
    assert_eq!(lag, "{:time 0.004, :process 0, :key 9, :lag 0.0}");
}

fn sent(more: &[&'static str]) -> Vec<&'static str> {
    [&SENT, more].concat()
}

#[test]
fn errors_are_shown_with_what_proves_them() {
    let skipping = "9 ok poll [[:poll {9 [[0 1] [5 3]]}]]";
    assert_eq!(errors(&sent(&[skipping])), "(:int-poll-skip :lost-write :unseen)");
    let back = ["0 ok send [[:send 9 [4 1]]]", "0 ok send [[:send 9 [3 2]]]", "1 ok poll [[:poll {9 [[3 2] [4 1]]}]]"];
    let other = "3 ok send [[:send 9 [2 8]]]";
    for (lines, name, expected) in [
        (sent(&["9 ok poll [[:poll {9 [[0 1]]}]]"]), "unseen", "{:time 7000000, :unseen {9 2}, :messages {9 (2 3)}}"),
        (
            sent(&["9 ok poll [[:poll {9 [[5 3]]}]]"]),
            "lost-write",
            "{:count 2, :errs ({:key 9, :value 1, :index 0, :max-read-index 2, ",
        ),
        (back.to_vec(), "nonmonotonic-send", "{:count 1, :errs ({:key 9, :values [1 2], :delta -1, :ops ["),
        (
            sent(&[ALL, "8 ok poll [[:poll {9 [[7 3]]}]]"]),
            "duplicate",
            "{:count 1, :errs ({:key 9, :value 3, :count 2, :offsets [5 7]})}",
        ),
        (
            sent(&[other, ALL, "8 ok poll [[:poll {9 [[2 8]]}]]"]),
            "inconsistent-offsets",
            "{:count 1, :errs ({:key 9, :offset 2, :index 1, :values #{2 8}})}",
        ),
    ] {
        let result = judged(&lines);
        let shown = result.get(name).map(ToString::to_string).unwrap_or_default();
        assert!(Verdict::of(&result) == Verdict::False && shown.starts_with(expected), "{name}: {shown}");
    }
}

const CYCLES: &str = ":G1c-realtime :strong-PL-2-cycle-exists";

#[test]
fn a_poll_cannot_bring_what_is_sent_later_even_if_that_send_fails() {
    let early = "9 ok poll [[:poll {9 [[0 1]]}]]";
    assert_eq!(errors(&[early, "0 ok send [[:send 9 [0 1]]]"]), format!("({CYCLES})"));
    let failed = [early, "0 fail send [[:send 9 1]]", "9 ok poll [[:poll {}]]"];
    assert_eq!(errors(&failed), format!("(:G1a {CYCLES})"));
}

#[test]
fn of_operations_that_all_come_before_each_other_one_cycle_is_shown() {
    let polls = ["8 ok poll [[:poll {9 [[0 1]]}]]", "9 ok poll [[:poll {9 [[1 2]]}]]"];
    let sends = ["0 ok send [[:send 9 [0 1]]]", "1 ok send [[:send 9 [1 2]]]"];
    let count = |result: &Value, kind: &str| result.get(kind).and_then(|errors| errors.get("count")?.as_int());
    let both = judged(&[&polls[..], &["7 ok poll [[:poll {}]]"], &sends].concat());
    assert_eq!(count(&both, "G1c-realtime"), Some(1));
    let exists = both.get("strong-PL-2-cycle-exists").map(ToString::to_string).expect("reported as well");
    let expected = "{:count 1, :errs ({:type :strong-PL-2-cycle-exists, :not :strong-read-committed, \
                    :subgraph [:union :ww :wwp :wr :wrp :realtime], :scc-size 5, :scc #{1 3 5 7 9}})}";
    assert_eq!(exists, expected);
    let apart = judged(&[polls[0], sends[0], polls[1], sends[1]]);
    assert_eq!(count(&apart, "G1c-realtime"), Some(2));
}

#[test]
fn transactions_are_held_to_their_own_order() {
    let sends = |second: i64| format!("0 ok txn [[:send 9 [0 1]] [:send 9 [{second} 2]]]");
    let between = "1 ok send [[:send 9 [3 3]]]";
    let poll = |pairs: &str| format!("9 ok poll [[:poll {{9 [{pairs}]}}]]");
    let skipped = judged(&[&sends(4), between, &poll("[0 1] [3 3] [4 2]")]);
    assert_eq!(skipped.get("error-types").map(ToString::to_string).as_deref(), Some("(:int-send-skip)"));
    assert_eq!(Verdict::of(&skipped), Verdict::True, "that is allowed");
    let back = "0 ok txn [[:send 9 [5 1]] [:send 9 [4 2]]]";
    assert_eq!(errors(&[back, &poll("[4 2] [5 1]")]), "(:int-nonmonotonic-send)");
    let own = "0 ok txn [[:send 9 [0 1]] [:poll {9 [[0 1]]}]]";
    assert_eq!(errors(&[own, "1 ok poll [[:poll {}]]"]), "(:precommitted-read)");
    // Of unknown outcome, it counts as a whole once a part of it was polled.
    let unknown = ["0 info txn [[:send 9 [0 1]] [:send 9 [1 2]]]", "1 ok send [[:send 9 [2 3]]]"].map(str::to_owned);
    let with = |poll: String| errors(&[&unknown[..], &[poll]].concat());
    assert_eq!(with(poll("[0 1] [2 3]")), "(:int-poll-skip :lost-write)");
    assert_eq!(with(poll("[2 3]")), "()");
}

#[test]
fn messages_out_of_nowhere_and_impossible_offsets_cannot_be_judged() {
    let judge = |poll: &str| check(&run(&[poll])).expect_err("not judged").to_string();
    let invented = judge("0 ok poll [[:poll {9 [[0 1]]}]]");
    assert_eq!(invented, "1 was polled from the log 9, but was never sent to it");
    assert!(judge("0 ok poll [[:poll {9 [[-1 1]]}]]").contains("index 1"));
}

#[test]
fn every_error_is_one_plain_sentence() {
    let (first, second, third) =
        ("7 ok poll [[:poll {9 [[0 1]]}]]", "7 ok poll [[:poll {9 [[2 2]]}]]", "7 ok poll [[:poll {9 [[5 3]]}]]");
    let back = "1 ok poll [[:poll {9 [[3 2] [4 1]]}]]";
    for (lines, sentence) in [
        (
            sent(&["3 ok send [[:send 9 [2 8]]]", ALL, "8 ok poll [[:poll {9 [[2 8]]}]]"]),
            "inconsistent-offsets: key 9, offset 2 is both 2 and 8",
        ),
        (sent(&[ALL, "8 ok poll [[:poll {9 [[7 3]]}]]"]), "duplicate: key 9: 3 is at offsets 5 and 7"),
        (
            sent(&[third]),
            "lost-write: key 9: process 0 sent 1, but no poll brought it, though polls brought later messages",
        ),
        (sent(&[first]), "unseen: key 9: acknowledged, but brought by no poll: 2 and 3"),
        (
            sent(&[ALL, "7 ok poll [[:poll {9 [[0 1] [5 3]]}]]"]),
            "int-poll-skip: key 9: one poll of process 7 brought 1 and 3, but not 2 between them",
        ),
        (
            sent(&[ALL, "7 ok poll [[:poll {9 [[2 2] [0 1]]}]]"]),
            "int-nonmonotonic-poll: key 9: one poll of process 7 brought 2 and then 1, which is not after it",
        ),
        (sent(&[ALL, first, third]), "poll-skip: key 9: process 7 polled on beyond 2, which it never saw"),
        (
            sent(&[ALL, second, first]),
            "nonmonotonic-poll: key 9: process 7 polled 2 and in its next poll 1, which is not after it",
        ),
        (
            vec!["0 ok send [[:send 9 [4 1]]]", "0 ok send [[:send 9 [3 2]]]", back],
            "nonmonotonic-send: key 9: process 0 sent 1 and later 2, but 2 is not after 1",
        ),
        (
            sent(&["3 fail send [[:send 9 4]]", "9 ok poll [[:poll {9 [[0 1] [2 2] [5 3] [6 4]]}]]"]),
            "G1a: key 9: process 9 polled 4, which process 3 had failed to send",
        ),
        (
            vec![first, "0 ok send [[:send 9 [0 1]]]"],
            "G1c-realtime: key 9: a poll that brought 1 was over before the send of it began",
        ),
        (
            vec![
                "0 ok txn [[:send 9 [0 1]] [:send 9 [4 2]]]",
                "1 ok send [[:send 9 [3 3]]]",
                "9 ok poll [[:poll {9 [[0 1] [3 3] [4 2]]}]]",
            ],
            "int-send-skip: key 9: 3 came between 1 and 2, which process 0 sent in one transaction",
        ),
        (
            vec!["0 ok txn [[:send 9 [4 1]] [:send 9 [3 2]]]", back],
            "int-nonmonotonic-send: key 9: process 0 sent 1 and then 2 in one transaction, but 2 is not after it",
        ),
        (
            vec!["0 ok txn [[:send 9 [0 1]] [:poll {9 [[0 1]]}]]", "1 ok poll [[:poll {}]]"],
            "precommitted-read: key 9: process 0 polled 1 in the transaction that sends it",
        ),
        (
            vec!["0 ok poll [[:poll {}]]"],
            "empty-transaction-graph: no poll brought anything, so that nothing depends on anything",
        ),
    ] {
        let explanation = check(&run(&lines)).expect("it can be judged").explanation().concat();
        assert!(explanation.iter().any(|line| line == sentence), "{sentence}: {explanation:?}");
    }
}
