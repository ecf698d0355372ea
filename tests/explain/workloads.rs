//! The other workloads: for each a program that is broken in one way, and what is said of it.

use crate::claims_hold;
use crate::run::{Run, hints, is_possible, sentences};

const LOGS: &str = "-w kafka --node-count 2 --concurrency 4n --rate 100 --time-limit 5 --latency 50";
const REGISTERS: &str = "-w lin-kv --node-count 2 --concurrency 4n --rate 60 --time-limit 5 --latency 50";
const LISTS: &str = "-w txn-list-append --node-count 2 --concurrency 2n --rate 20 --time-limit 5 --latency 50";
const COUNTER: &str = "-w g-counter --node-count 3 --rate 20 --time-limit 5 --latency 20";
const IDS: &str = "-w unique-ids --node-count 5 --rate 20 --time-limit 15 --nemesis kill --nemesis-interval 2";
const ECHO: &str = "-w echo --node-count 2 --rate 5 --time-limit 5 --strict";

#[test]
fn an_offset_that_two_nodes_gave_out_is_explained_with_both_sends_and_polls() {
    if !is_possible() {
        return;
    }
    let run = Run::of("kafka_own_offsets.py", LOGS, 1);
    let explanations = run.explanations(&[]);
    assert_eq!(explanations[0]["title"], "offset 1 of log 9 holds 2 and 3");
    assert_eq!(
        sentences(&explanations[0]),
        [
            "n0 acknowledged 2 for log 9 at 0.05 s, at offset 1 (operation 10).",
            "A poll of n1 at 0.43 s brought 2 at offset 1 (operation 88).",
            "A poll of n0 at 15.03 s brought 2 at offset 1 (operation 1022).",
            "n1 acknowledged 3 for log 9 at 0.02 s, at offset 1 (operation 6).",
            "A poll of n1 at 0.43 s brought 3 at offset 1 (operation 88).",
            "A poll of n0 at 15.03 s brought 3 at offset 1 (operation 1022).",
        ]
    );
    let lost = explanations.iter().find(|explanation| explanation["anomaly"] == "lost-write").expect("one");
    assert_eq!(lost["title"], "12 of log 9 was lost: polls went on without it");
    assert_eq!(
        sentences(lost),
        [
            "n1 acknowledged 12 for log 9 at 0.30 s, at offset 6 (operation 59).",
            "A poll of n1 at 0.43 s brought 10 at offset 6 (operation 88).",
            "A poll of n1 at 0.74 s went up to offset 11 without it (operation 152).",
            "None of the 36 polls that brought something brought 12.",
        ]
    );
    let journey = run.explanations(&["--key", "9", "--value", "12"]);
    assert_eq!(
        sentences(&journey[0]),
        [
            "A client sent 12 to n1 at 0.28 s (operation 55).",
            "n1 had it from 0.30 s on, 14 ms after its beginning: c7 sent send (message 74), which took 14 ms.",
            "n0 had it from 0.35 s on, 63 ms after its beginning: n1, which had held it for 0.0 ms, sent replicate \
             (message 80), which took 49 ms.",
            "n1 acknowledged send 12 at 0.30 s (operation 59). That took 14 ms.",
            "No poll brought 12.",
        ]
    );
}

#[test]
fn the_read_that_no_order_explains_is_explained_with_its_window_and_that_its_node_asked_nobody() {
    if !is_possible() {
        return;
    }
    let run = Run::of("kv_local.py", REGISTERS, 1);
    let explanations = run.explanations(&[]);
    assert_eq!(explanations[0]["title"], "key 0 is not linearizable: a client of n1 read 1 at 3.90 s");
    assert_eq!(
        sentences(&explanations[0]),
        [
            "A client of n0 wrote 3, from 3.87 s to 3.87 s, within 0.0 ms (operation 469).",
            "A client of n1 read 1, from 3.88 s to 3.90 s, within 19 ms (operation 471): no order of these operations \
             explains it.",
            "Then can't read 1 from register 3.",
        ]
    );
    assert_eq!(hints(&explanations[0]), ["read served by a stale replica"]);
}

#[test]
fn a_cycle_is_explained_by_the_micro_operations_that_make_it() {
    if !is_possible() {
        return;
    }
    let run = Run::of("txn_local.py", LISTS, 1);
    let explanations = run.explanations(&[]);
    assert_eq!(
        sentences(&explanations[0])[2..],
        [
            "T1 comes before T2: T1 read 10 with 14 as the last with [\"r\",10,[1,2,3,4,5,6,7,10,8,9,11,12,13,14]], \
             and T2 wrote 16 after it with [\"append\",10,16].",
            "T2 comes before T1: T2 wrote 16 to 10 with [\"append\",10,16], and T1 wrote 15 after it with \
             [\"append\",10,15].",
        ]
    );
    assert_eq!(explanations[1]["anomaly"], "incompatible-order");
}

#[test]
fn an_update_of_a_counter_that_was_overwritten_is_explained_with_the_three_messages() {
    if !is_possible() {
        return;
    }
    let run = Run::of("counter_race.py", COUNTER, 1);
    let explanations = run.explanations(&[]);
    assert_eq!(explanations[0]["title"], "n0's final read is 50, but the acknowledged adds come to 83");
    let sentences = sentences(&explanations[0]);
    assert_eq!(
        sentences[..2],
        [
            "Acknowledged were 36 by 16 adds on n0, 32 by 13 adds on n1 and 15 by 10 adds on n2, in all 83.",
            "n2 wrote 8 to \"sum\" of seq-kv at 0.80 s (message 70) over 8, which n0 had written at 0.77 s (message \
             64): n2 had read 6 at 0.76 s (message 66).",
        ]
    );
    assert_eq!(sentences.last(), Some(&"n2's final read at 15.05 s is 50 (operation 205)."));
    assert_eq!(hints(&explanations[0]), ["read-modify-write race", "stale answer of a service"]);
}

#[test]
fn an_id_that_repeats_is_explained_with_both_requests_and_the_restart_between_them() {
    if !is_possible() {
        return;
    }
    let run = Run::of("ids_from_zero.py", IDS, 1);
    let explanations = run.explanations(&[]);
    assert_eq!(
        sentences(&explanations[0]),
        [
            "n2 gave \"n2-1\" at 0.09 s to a request of 0.09 s (operation 5, message 13).",
            "n2 was killed at 4.04 s and started again at 7.89 s.",
            "n2 gave \"n2-1\" at 9.37 s to a request of 9.37 s (operation 389, message 395).",
        ]
    );
    assert_eq!(hints(&explanations[0]), ["ids repeat after a restart"]);
}

#[test]
fn a_muted_node_is_explained_by_the_line_the_rule_and_what_nobody_heard() {
    if !is_possible() {
        return;
    }
    let run = Run::of("echo_talks.py", ECHO, 1);
    let explanations = run.explanations(&[]);
    assert_eq!(explanations[0]["title"], "n0 was muted at 1.83 s, so that nothing it printed later was read");
    assert_eq!(
        sentences(&explanations[0])[0],
        "n0 printed a line on stdout that is not well-formed JSON (expected value at line 1 column 1); print such \
         things to stderr: handling request 3"
    );
    let first = "Nobody heard the 1 message that it printed afterwards, the first of them echo_ok to c5 at 1.83 s.";
    assert_eq!(sentences(&explanations[0])[2], first);
    assert_eq!(
        sentences(&explanations[1]),
        [
            "A client began echo \"Please echo 15\" at 1.83 s on n0 (operation 18).",
            "echo (message 22) reached n0 at 1.83 s, after 0.0 ms.",
            "Nothing that n0 printed after 1.83 s was read: it was muted.",
            "It ended at 6.83 s as info (net-timeout), after 5.00 s (operation 51).",
        ]
    );
}

#[test]
fn patterns_of_a_whole_run_are_named() {
    if !is_possible() {
        return;
    }
    let storm = "-w broadcast --node-count 3 --rate 20 --time-limit 10 --latency 100";
    let explanations = Run::of("broadcast_storm.py", storm, 1).explanations(&[]);
    assert_eq!(hints(explanations.last().expect("patterns")), ["time-out shorter than the round trip"]);
    let lock = "-w g-counter --delivery free --node-count 2 --concurrency 4n --rate 60 --time-limit 5 --latency 50";
    let explanations = Run::of("counter_lock.py", lock, 1).explanations(&[]);
    assert_eq!(hints(explanations.last().expect("patterns")), ["a lock held across a call"; 2]);
}

#[test]
fn claims_about_every_workload_hold() {
    for (program, options) in [
        ("kafka_own_offsets.py", LOGS),
        ("kv_local.py", REGISTERS),
        ("txn_local.py", LISTS),
        ("counter_race.py", COUNTER),
        ("ids_from_zero.py", IDS),
        ("echo_talks.py", ECHO),
    ] {
        claims_hold(program, options, 4);
    }
}
