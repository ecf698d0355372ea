//! Broadcast: values that do not reach every node.

use crate::claims_hold;
use crate::oracle::Oracle;
use crate::run::{Run, hints, is_possible, sentences};

const CUT: &str = "-w broadcast --node-count 5 --rate 10 --time-limit 10 --latency 100 --nemesis partition \
                   --nemesis-interval 3";

#[test]
fn a_value_that_a_partition_dropped_is_followed_to_the_message() {
    if !is_possible() {
        return;
    }
    let run = Run::of("broadcast_once.py", CUT, 1);
    assert_eq!(run.status, 1, "{}", run.printed);
    let explanations = run.explanations(&[]);
    let lost = &explanations[0];
    assert_eq!((lost["anomaly"].as_str(), lost["value"].as_str()), (Some("lost"), Some("4")));
    assert_eq!(lost["title"], "4 was acknowledged, but the last reads of n1, n2, n3 and n4 lack it");
    assert_eq!(
        sentences(lost),
        [
            "Value 4 was acknowledged by n0 at 1.23 s (operation 25).",
            "n0 sent it to n1 once (1.23 s; message 59); it was dropped by the partition [n0 | n1 n2 n3 n4], which \
             lasted from 0.00 s to 5.26 s.",
            "Nobody sent it to n1 again after the heal.",
            "n1's final read at 19.95 s lacks it (operation 226).",
            "n2's final read at 19.95 s lacks it, too (operation 227).",
            "n3's final read at 19.95 s lacks it, too (operation 228).",
        ]
    );
    assert_eq!(hints(lost), ["no retry after a drop"]);
    let left = explanations.len() - 3;
    assert!(run.printed.contains(&format!("{left} more: gloomers explain store/latest")), "{}", run.printed);
    let shown: Vec<_> = run.explained(&[]).lines().map(str::to_owned).collect();
    assert!(
        shown.iter().any(|line| line == "  19.95 s  n1's final read at 19.95 s lacks it (operation 226)."),
        "{shown:?}"
    );
}

#[test]
fn claims_about_values_that_partitions_dropped_hold() {
    claims_hold("broadcast_once.py", CUT, 10);
}

#[test]
fn claims_hold_in_real_time() {
    if !is_possible() {
        return;
    }
    let options = "-w broadcast --node-count 3 --rate 20 --time-limit 3 --latency 50 --loss 0.2";
    let run = Run::with("broadcast_once.py", options, 1);
    let explanations = run.explanations(&[]);
    let oracle = Oracle::of(&run);
    let checked: usize = explanations.iter().map(|explanation| oracle.check(explanation)).sum();
    assert!(run.status == 1 && checked > 20, "{checked}: {}", run.printed);
    assert_eq!(hints(&explanations[0]), ["no retry after a drop"]);
}

#[test]
fn claims_about_values_that_were_lost_at_random_or_died_with_their_node_hold() {
    let options = "-w broadcast --node-count 4 --rate 20 --time-limit 8 --latency 50 --loss 0.1 --duplication 0.1 \
                   --nemesis kill,pause,one-way --nemesis-interval 2";
    claims_hold("broadcast_once.py", options, 10);
}
