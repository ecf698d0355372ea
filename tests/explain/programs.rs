//! Three broken programs for each workload: what is said of a run of each, line by line (`expected/`), the hints, all
//! of them, and each claim on many seeds.
//!
//! `GOLDEN=write cargo test --test explain` writes the expected lines; read them before they are committed.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, thread};

use serde_json::Value;

use crate::oracle::Oracle;
use crate::run::{Run, hints, is_possible, sentences};

const EXPECTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/explain/expected");

/// A program, the options of its runs, and every hint that a run with seed 1 gives.
struct Broken {
    name: &'static str,
    program: &'static str,
    options: &'static str,
    hints: &'static [&'static str],
}

const fn broken(
    name: &'static str,
    program: &'static str,
    options: &'static str,
    hints: &'static [&'static str],
) -> Broken {
    Broken { name, program, options, hints }
}

const ECHO: &str = "-w echo --node-count 2 --rate 3 --time-limit 10 --strict";
const IDS: &str = "-w unique-ids --node-count 3 --rate 30 --time-limit 3";
const SET_LOSS: &str = "-w g-set --node-count 3 --rate 10 --time-limit 5 --latency 50 --loss 0.1";
const SET_KILL: &str = "-w g-set --node-count 4 --rate 20 --time-limit 20 --nemesis kill --nemesis-interval 1.5";
const COUNTER: &str = "-w g-counter --node-count 3 --rate 20 --time-limit 4 --latency 20";
const FREE_COUNTER: &str =
    "-w g-counter --node-count 3 --rate 10 --time-limit 16 --latency 20 --nemesis kill --nemesis-interval 2";
const LOCK: &str = "-w g-counter --delivery free --node-count 2 --concurrency 4n --rate 60 --time-limit 5 --latency 50";
const PN: &str = "-w pn-counter --node-count 3 --rate 10 --time-limit 4 --latency 20";
const PN_TWICE: &str = "-w pn-counter --node-count 3 --rate 10 --time-limit 4 --latency 20 --duplication 0.1";
const LOGS: &str = "-w kafka --node-count 2 --concurrency 4n --rate 60 --time-limit 4 --latency 50";
const ONE_LOG: &str = "-w kafka --node-count 1 --concurrency 4n --rate 60 --time-limit 4 --latency 20";
const LOGS_KILL: &str =
    "-w kafka --node-count 2 --concurrency 4n --rate 20 --time-limit 20 --nemesis kill --nemesis-interval 1.5";
const REGISTERS: &str = "-w lin-kv --node-count 2 --concurrency 4n --rate 60 --time-limit 4 --latency 50";
const LISTS: &str = "-w txn-list-append --node-count 2 --concurrency 2n --rate 20 --time-limit 4 --latency 50";
const ONE_LIST: &str = "-w txn-list-append --node-count 1 --concurrency 2n --rate 20 --time-limit 4 --latency 20";
const VERSIONS: &str = "-w txn-rw-register --node-count 2 --concurrency 4n --rate 60 --time-limit 4 --latency 200";
const ONE_VERSION: &str = "-w txn-rw-register --node-count 1 --concurrency 2n --rate 20 --time-limit 4 --latency 20";
const CUT: &str = "-w broadcast --node-count 5 --rate 10 --time-limit 8 --latency 100 --nemesis partition \
                   --nemesis-interval 3";
const CALM: &str = "-w broadcast --node-count 3 --rate 20 --time-limit 5 --latency 100";
const GROWING: &str = "-w broadcast --node-count 3 --rate 30 --time-limit 20 --latency 100";
const BROKEN: [Broken; 32] = [
    broken("echo-talks", "echo_talks.py", ECHO, &[]),
    broken("echo-silent", "echo_silent.py", ECHO, &[]),
    broken("echo-late", "echo_late.py", ECHO, &["reply after the time-out"]),
    broken(
        "ids-from-zero",
        "ids_from_zero.py",
        "-w unique-ids --node-count 5 --rate 20 --time-limit 15 --nemesis kill --nemesis-interval 2",
        &["ids repeat after a restart"],
    ),
    broken("ids-without-node", "ids_without_node.py", IDS, &["ids without a node"]),
    broken("ids-from-clock", "ids_from_clock.py", IDS, &[]),
    broken("broadcast-once", "broadcast_once.py", CUT, &["no retry after a drop"]),
    broken("broadcast-local", "broadcast_local.py", CALM, &[]),
    broken("broadcast-encoded", "broadcast_encoded.py", CUT, &[]),
    broken("broadcast-storm", "broadcast_storm.py", CALM, &["retry storm", "time-out shorter than the round trip"]),
    broken(
        "broadcast-whole-state",
        "broadcast_storm.py",
        GROWING,
        &["gossip of the whole state", "time-out shorter than the round trip"],
    ),
    broken("g-set-once", "set_once.py", SET_LOSS, &["no retry after a drop"]),
    broken("g-set-later", "set_later.py", SET_KILL, &["reply before replication"]),
    broken("g-set-replaces", "set_replaces.py", SET_LOSS, &[]),
    broken("g-counter-race", "counter_race.py", COUNTER, &["read-modify-write race", "stale answer of a service"]),
    broken("g-counter-lock", "counter_lock.py", LOCK, &["a lock held across a call", "stale answer of a service"]),
    broken("g-counter-init", "counter_init.py", FREE_COUNTER, &["init race"]),
    broken("pn-counter-race", "counter_race.py", PN, &["read-modify-write race", "stale answer of a service"]),
    broken("pn-counter-local", "pn_local.py", PN, &[]),
    broken("pn-counter-twice", "pn_twice.py", PN_TWICE, &[]),
    broken("kafka-own-offsets", "kafka_own_offsets.py", LOGS, &[]),
    broken("kafka-skips", "kafka_skips.py", ONE_LOG, &[]),
    broken("kafka-primary", "kafka_primary.py", LOGS_KILL, &[]),
    broken("lin-kv-local", "kv_local.py", REGISTERS, &["read served by a stale replica"]),
    broken("lin-kv-race", "kv_race.py", REGISTERS, &["read-modify-write race"]),
    broken("lin-kv-cache", "kv_cache.py", REGISTERS, &["read served by a stale replica"]),
    broken("txn-list-append-local", "txn_local.py", LISTS, &[]),
    broken("txn-list-append-aborted", "txn_aborted.py", ONE_LIST, &[]),
    broken("txn-list-append-forgets", "txn_forgets.py", ONE_LIST, &[]),
    broken("txn-rw-register-local", "rw_local.py", VERSIONS, &[]),
    broken("txn-rw-register-aborted", "rw_aborted.py", ONE_VERSION, &[]),
    broken("txn-rw-register-forgets", "rw_forgets.py", ONE_VERSION, &[]),
];

/// The first explanation of each anomaly, as lines.
fn transcript(explanations: &[Value]) -> String {
    let mut seen = BTreeSet::new();
    let mut lines = Vec::new();
    for explanation in explanations {
        let anomaly = explanation["anomaly"].as_str().expect("a name");
        if !seen.insert(anomaly) {
            continue;
        }
        lines.push(format!("{anomaly}: {}", explanation["title"].as_str().expect("a title")));
        lines.extend(sentences(explanation).into_iter().map(|sentence| format!("  {sentence}")));
        let hints = explanation["hints"].as_array().expect("hints");
        lines.extend(hints.iter().map(|hint| {
            let part = |name: &str| hint[name].as_str().expect("text").to_owned();
            format!("  hint: {}: {}", part("pattern"), part("sentence"))
        }));
    }
    lines.join("\n") + "\n"
}

/// Calls a function with every index below `count`, on all processors.
fn on_all_processors(count: usize, act: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, std::num::NonZero::get) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    act(index);
                }
            });
        }
    });
}

#[test]
fn each_broken_program_is_explained_line_by_line() {
    if !is_possible() {
        return;
    }
    let is_written = env::var_os("GOLDEN").is_some_and(|mode| mode == "write");
    on_all_processors(BROKEN.len(), |index| {
        let Broken { name, program, options, hints: expected_hints } = &BROKEN[index];
        let run = Run::of(program, options, 1);
        let explanations = run.explanations(&[]);
        let oracle = Oracle::of(&run);
        for explanation in &explanations {
            oracle.check(explanation);
        }
        let given: BTreeSet<_> = explanations.iter().flat_map(hints).collect();
        let path = Path::new(EXPECTED).join(format!("{name}.txt"));
        let text = transcript(&explanations);
        if is_written {
            fs::write(&path, &text).expect("it can be written");
            eprintln!("{name}: {given:?}");
            return;
        }
        assert_eq!(text, fs::read_to_string(&path).expect("expected lines"), "{name}");
        assert_eq!(given, expected_hints.iter().copied().collect(), "{name}");
    });
}

/// Checks each claim about each program with `seeds` seeds.
fn claims_hold(first: u64, seeds: u64) {
    if !is_possible() {
        return;
    }
    let checked = AtomicUsize::new(0);
    let count = BROKEN.len() * usize::try_from(seeds).expect("small");
    on_all_processors(count, |index| {
        let Broken { name, program, options, .. } = &BROKEN[index % BROKEN.len()];
        let seed = first + (index / BROKEN.len()) as u64;
        let run = Run::of(program, options, seed);
        let oracle = Oracle::of(&run);
        let claims: usize = run.explanations(&[]).iter().map(|explanation| oracle.check(explanation)).sum();
        checked.fetch_add(claims, Ordering::Relaxed);
        if claims == 0 && env::var_os("SEEDS").is_some() {
            eprintln!("{name}, seed {seed}: nothing to explain");
        }
    });
    let checked = checked.into_inner();
    eprintln!("{count} runs, {checked} claims");
    assert!(checked >= count, "only {checked} claims of {count} runs");
}

#[test]
fn claims_hold_for_each_program() {
    claims_hold(2, 1);
}

/// `SEEDS=334 cargo test --release --test explain -- --ignored many_seeds` checks at least 1,000 runs of each workload.
#[test]
#[ignore = "takes many minutes"]
fn claims_hold_on_many_seeds() {
    let seeds = env::var("SEEDS").map_or(334, |seeds| seeds.parse().expect("SEEDS is a number"));
    claims_hold(1_000, seeds);
}

/// Every program, each for as long as its options say: no run depends on a seed alone, so that only claims are checked.
#[test]
#[ignore = "takes several minutes"]
fn every_broken_program_is_explained_in_real_time() {
    if !is_possible() {
        return;
    }
    thread::scope(|scope| {
        for Broken { name, program, options, hints: _ } in &BROKEN {
            scope.spawn(move || {
                let run = Run::with(program, options, 1);
                let oracle = Oracle::of(&run);
                let claims: usize = run.explanations(&[]).iter().map(|explanation| oracle.check(explanation)).sum();
                assert!(claims > 0, "{name}: nothing is explained: {}", run.printed);
            });
        }
    });
}

#[test]
fn programs_that_run_in_real_time_are_explained_alike() {
    if !is_possible() {
        return;
    }
    let cases = [
        ("echo_talks.py", "-w echo --node-count 2 --rate 5 --time-limit 3 --strict", "muted"),
        ("ids_without_node.py", "-w unique-ids --node-count 3 --rate 20 --time-limit 2", "duplicate id"),
        ("broadcast_local.py", "-w broadcast --node-count 2 --rate 10 --time-limit 2", "lost"),
        ("set_once.py", "-w g-set --node-count 3 --rate 20 --time-limit 3 --loss 0.2", "missing"),
        ("pn_local.py", "-w pn-counter --node-count 2 --rate 10 --time-limit 2", "wrong sum"),
        ("kafka_skips.py", "-w kafka --node-count 1 --concurrency 4n --rate 40 --time-limit 3", "lost-write"),
        ("txn_forgets.py", "-w txn-list-append --node-count 1 --concurrency 2n --rate 30 --time-limit 2", "internal"),
        ("rw_forgets.py", "-w txn-rw-register --node-count 1 --concurrency 2n --rate 30 --time-limit 2", "internal"),
    ];
    thread::scope(|scope| {
        for (program, options, anomaly) in cases {
            scope.spawn(move || {
                let run = Run::with(program, options, 1);
                assert_eq!(run.status, 1, "{program}: {}", run.printed);
                let explanations = run.explanations(&[]);
                let oracle = Oracle::of(&run);
                for explanation in &explanations {
                    oracle.check(explanation);
                }
                let is_named = explanations.iter().any(|explanation| explanation["anomaly"] == anomaly);
                assert!(is_named, "{program}: {}", transcript(&explanations));
            });
        }
    });
}
