//! Tests in virtual time: the same seed gives the same files, byte for byte, also under faults.

#![cfg(feature = "workbench")]

mod main_phase;

use std::process::Command;

use main_phase::{WORKLOADS, begun_s};

/// The files to compare.
const FILES: [&str; 7] =
    ["history.edn", "history.txt", "results.edn", "results.json", "report.html", "index.json", "messages.jsonl.zst"];

/// Runs a test in virtual time; returns its exit status and its files.
fn run(options: &str, seed: u64) -> (Option<i32>, Vec<Vec<u8>>) {
    let store = tempfile::tempdir().expect("a folder");
    let line = format!("test --virtual-time --seed {seed} {options}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_gloomers"));
    let output = command.args(line.split_whitespace()).current_dir(store.path()).output().expect("it starts");
    let file = |name: &str| {
        std::fs::read(store.path().join("store/latest").join(name))
            .unwrap_or_else(|error| panic!("{name}: {error}\n{}", String::from_utf8_lossy(&output.stdout)))
    };
    (output.status.code(), FILES.map(file).into())
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_different_ones() {
    let hostile = "--latency 50 --latency-dist exponential --loss 0.05 --duplication 0.05 \
                   --nemesis kill,pause,partition,slow,skew --nemesis-interval 2";
    for options in [
        "-w echo --node-count 1 --time-limit 5".to_owned(),
        format!("-w unique-ids --node-count 3 --time-limit 5 --rate 100 {hostile}"),
        format!("-w broadcast --node-count 5 --time-limit 10 --rate 20 {hostile}"),
        format!("-w g-set --node-count 5 --time-limit 10 --rate 20 {hostile}"),
        format!("-w g-counter --node-count 3 --time-limit 10 --rate 20 {hostile}"),
        format!("-w pn-counter --node-count 5 --time-limit 10 --rate 20 {hostile}"),
        format!("-w kafka --node-count 3 --time-limit 10 --rate 50 --concurrency 2n {hostile}"),
        format!("-w lin-kv --node-count 3 --time-limit 10 --rate 50 --concurrency 4n {hostile}"),
        format!("-w txn-list-append --node-count 3 --time-limit 10 --rate 50 {hostile}"),
        format!("-w txn-rw-register --node-count 3 --time-limit 10 --rate 50 {hostile}"),
        "-w broadcast --node-count 25 --time-limit 5 --rate 100 --latency 100".to_owned(),
    ] {
        let first = run(&options, 11);
        let again = run(&options, 11);
        assert_eq!(first.0, again.0);
        for (name, (first, again)) in FILES.iter().zip(first.1.iter().zip(&again.1)) {
            assert!(first == again, "{name} of gloomers test --virtual-time --seed 11 {options}");
        }
        assert!(first.1[0] != run(&options, 12).1[0], "gloomers test --virtual-time --seed 12 {options}");
    }
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "hundreds of operations")]
fn clients_continue_until_the_time_limit_under_any_nemesis() {
    let (limit_s, rate) = (12.0, 40.0);
    let asked: f64 = limit_s * rate;
    for workload in WORKLOADS {
        for seed in 1..=4 {
            let options = format!("{workload} --time-limit {limit_s} --rate {rate} --nemesis partition");
            let (_, files) = run(&options, seed);
            let begun = begun_s(&String::from_utf8_lossy(&files[0]), limit_s + 1.0);
            let last = begun.iter().copied().fold(0.0, f64::max);
            let replay = format!("gloomers test --virtual-time --seed {seed} {options}");
            assert!(last > limit_s - 2.0 / rate - 0.1, "the last begins at {last} s: {replay}");
            let apart = (begun.len() as f64 - asked).abs();
            assert!(apart < 5.0 * 0.577 * asked.sqrt(), "{} of {asked} operations: {replay}", begun.len());
        }
    }
}
