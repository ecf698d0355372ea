//! Nodes on services, and the corresponding ones on the replicated log, in virtual time under faults: their runs are
//! valid. Nodes that keep values only in memory are not killed.

#![cfg(feature = "workbench")]

mod stores;

use std::process::Command;

use serde_json::Value;

/// The number of seeds per claim: five, or `SEEDS`.
fn seeds() -> u64 {
    std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(5)
}

/// The results of a test, by JSON pointer.
fn result(options: &str, seed: u64) -> impl Fn(&str) -> Value {
    let store = tempfile::tempdir().expect("a folder");
    let line = format!("test --virtual-time --seed {seed} {options}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_gloomers"));
    let output = command.args(line.split_whitespace()).current_dir(store.path()).output().expect("it starts");
    let text = std::fs::read_to_string(store.path().join("store/latest/results.json"));
    let text = text.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stdout)));
    let results: Value = serde_json::from_str(&text).expect("JSON");
    move |path| results.pointer(path).cloned().unwrap_or_default()
}

fn assert_valid(options: &str) {
    for seed in 0..seeds() {
        let result = result(options, seed);
        let replay = format!("gloomers test --virtual-time --seed {seed} {options}");
        assert_eq!(result("/valid"), Value::Bool(true), "{replay}");
        assert_eq!(result("/gloomers/muted"), Value::Array(Vec::new()), "{replay}");
    }
}

/// Asserts that every operation succeeds.
fn assert_available(options: &str) {
    for seed in 0..seeds() {
        let result = result(options, seed);
        let replay = format!("gloomers test --virtual-time --seed {seed} {options}");
        assert_eq!(result("/availability/ok-fraction"), Value::from(1.0), "{replay}");
        assert_eq!(result("/gloomers/muted"), Value::Array(Vec::new()), "{replay}");
    }
}

/// As [`assert_valid`], for tests in which all nodes may be down for so long that no operation succeeds.
fn assert_sound(options: &str) {
    for seed in 0..seeds() {
        let result = result(options, seed);
        let replay = format!("gloomers test --virtual-time --seed {seed} {options}");
        assert_eq!(result("/workload/valid"), Value::Bool(true), "{replay}");
        assert_eq!(result("/gloomers/muted"), Value::Array(Vec::new()), "{replay}");
    }
}

#[test]
fn counters_converge_to_the_sum_of_all_adds() {
    let slow = "--latency 100 --latency-dist exponential";
    assert_valid("-w g-counter --node-count 3 --rate 100 --time-limit 20 --nemesis partition");
    assert_valid(&format!("-w g-counter --node-count 3 --rate 100 --time-limit 20 {slow}"));
    assert_valid("-w g-counter --node-count 7 --rate 50 --time-limit 10 --loss 0.1 --duplication 0.1");
    assert_valid(&format!("-w pn-counter --node-count 5 --rate 50 --time-limit 10 {slow} --nemesis partition"));
    assert_sound(&format!("-w pn-counter --node-count 5 --rate 50 --time-limit 10 {slow} --nemesis pause,partition"));
}

#[test]
fn a_counter_on_seq_kv_loses_no_acknowledged_add_when_nodes_are_killed() {
    assert_sound("-w g-counter --node-count 3 --rate 100 --time-limit 20 --nemesis kill");
    assert_sound("-w g-counter --node-count 3 --rate 100 --time-limit 20 --nemesis pause");
    let hostile = "--latency 50 --latency-dist exponential --nemesis kill,pause,partition --nemesis-interval 2";
    assert_sound(&format!("-w g-counter --node-count 3 --concurrency 4n --rate 200 --time-limit 20 {hostile}"));
}

#[test]
fn a_counter_on_seq_kv_needs_less_than_one_message_per_operation() {
    for seed in 0..seeds() {
        let result = result("-w g-counter --node-count 3 --rate 100 --time-limit 20 --nemesis partition", seed);
        let messages = result("/net/servers/msgs-per-op").as_f64().expect("a number");
        assert!(messages < 0.8, "seed {seed}: {messages}");
    }
}

#[test]
fn counters_without_faults_answer_every_request() {
    assert_available("-w g-counter --node-count 3 --rate 100 --time-limit 5 --latency 20");
    assert_available("-w pn-counter --node-count 3 --rate 100 --time-limit 5 --latency 20 --nemesis partition");
}

#[test]
fn logs_neither_lose_nor_repeat_nor_reorder_messages() {
    assert_valid("-w kafka --node-count 2 --concurrency 2n --time-limit 5 --rate 200 --nemesis partition");
    assert_valid("-w kafka --node-count 5 --time-limit 10 --rate 100 --latency 20 --latency-dist exponential");
    let hostile = "--latency 30 --latency-dist exponential --nemesis pause,partition --nemesis-interval 3";
    assert_valid(&format!("-w kafka --node-count 3 --concurrency 2n --time-limit 10 --rate 50 {hostile}"));
    assert_valid("-w kafka --node-count 1 --time-limit 5 --rate 50 --key-count 2 --max-writes-per-key 100");
}

#[test]
fn transactions_always_succeed() {
    for workload in ["txn-list-append", "txn-rw-register"] {
        let partitions = "--availability total --nemesis partition --nemesis-interval 1";
        assert_available(&format!(
            "-w {workload} --node-count 2 --concurrency 2n --time-limit 5 --rate 200 {partitions}"
        ));
        assert_available(&format!(
            "-w {workload} --node-count 5 --time-limit 5 --rate 50 --latency 50 --max-txn-length 8"
        ));
    }
}

#[test]
fn every_value_of_a_register_can_be_read_written_and_compared() {
    for seed in 0..seeds() {
        let result = result("-w lin-kv --node-count 3 --concurrency 4n --time-limit 10 --rate 50 --latency 20", seed);
        assert_eq!(result("/stats/valid"), Value::Bool(true), "{seed}");
        assert_eq!(result("/stats/info-count"), Value::from(0), "{seed}");
    }
}
