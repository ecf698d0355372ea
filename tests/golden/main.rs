//! Seeded runs, judged histories and swarms come out as they did: what is printed, the exit code, and every byte of the
//! files.
//!
//! What is expected lies beside this file, one text a case: the command, its exit code, digests of the files, and the
//! output. A change that is meant to alter one of them writes them all anew with
//! `GOLDEN=write cargo test --test golden`, and the difference belongs into its commit.

#![cfg(feature = "workbench")]

#[path = "../recordings/mod.rs"]
mod recordings;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use gossip_gloomers::simulation::Workload;

/// Files whose bytes are held.
const FILES: [&str; 5] = [
    "store/latest/history.edn",
    "store/latest/history.txt",
    "store/latest/results.edn",
    "store/latest/results.json",
    "junit.xml",
];

/// As much of an output stands in the text; of the rest it has a digest.
const SHOWN: usize = 12_000;

/// FNV-1a of 64 bits: a change by accident does not escape it.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The output without what differs from run to run: the name of the folder, and how long it took.
fn masked(output: &[u8]) -> String {
    let mut text = String::new();
    for line in String::from_utf8_lossy(output).lines() {
        let label = ["results  ", "took  "].into_iter().find(|label| line.starts_with(label));
        writeln!(text, "{}", label.map_or(line, |label| label.trim_end())).expect("a string takes everything");
    }
    text
}

/// What a command comes to in a folder of its own, in which `prepare` leaves what it needs.
fn come_to(line: &str, prepare: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    prepare(folder.path());
    let mut command = Command::new(env!("CARGO_BIN_EXE_gloomers"));
    let output = command.args(line.split_whitespace()).current_dir(folder.path()).output().expect("it starts");
    let mut text = format!("$ gloomers {line}\nexit {}\n", output.status.code().expect("no signal"));
    for file in FILES {
        if let Ok(bytes) = std::fs::read(folder.path().join(file)) {
            writeln!(text, "{file} {:016x}", digest(&bytes)).expect("a string takes everything");
        }
    }
    let said = format!("{}\n{}", masked(&output.stdout), masked(&output.stderr));
    let shown: String = said.chars().take(SHOWN).collect();
    writeln!(text, "output {:016x}\n\n{shown}", digest(said.as_bytes())).expect("a string takes everything");
    text
}

/// Compares what came with what is expected of the case, or writes it down.
fn hold(case: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{case}.txt"));
    if std::env::var_os("GOLDEN").is_some_and(|wish| wish == "write") {
        std::fs::write(&path, actual).expect("writable");
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if let Some((number, (actual, expected))) =
        actual.lines().zip(expected.lines()).enumerate().find(|(_, (actual, expected))| actual != expected)
    {
        panic!("{case}, line {}:\n  expected {expected}\n  came     {actual}", number + 1);
    }
    assert_eq!(actual.len(), expected.len(), "{case} is longer or shorter than it was");
}

#[test]
fn quiet_runs_come_out_as_they_did() {
    for workload in Workload::ALL.map(Workload::name) {
        let line = format!("test -w {workload} --virtual-time --seed 5 --node-count 3 --concurrency 2n --rate 30");
        let line = format!("{line} --time-limit 5 --latency 20 --jitter busy --strict --verbose");
        hold(&format!("quiet-{workload}"), &come_to(&line, |_| ()));
    }
}

#[test]
fn runs_with_faults_come_out_as_they_did() {
    for workload in Workload::ALL.map(Workload::name) {
        let line = format!("test -w {workload} --virtual-time --seed 3 --node-count 4 --concurrency 2n --rate 20");
        let line = format!("{line} --time-limit 8 --latency 30 --latency-dist exponential --loss 0.05");
        let line = format!(
            "{line} --nemesis partition,one-way,kill,pause,slow,skew --nemesis-interval 2 --verbose --junit junit.xml"
        );
        hold(&format!("faults-{workload}"), &come_to(&line, |_| ()));
    }
}

#[test]
fn recorded_histories_are_judged_as_they_were() {
    for run in recordings::runs() {
        let line = format!("check history.edn -w {} --verbose", run.workload());
        let prepare = |folder: &Path| {
            std::fs::write(folder.join("history.edn"), run.file("history.edn")).expect("writable");
        };
        hold(&format!("check-{}", run.name()), &come_to(&line, prepare));
    }
}

#[test]
fn swarms_come_out_as_they_did() {
    for workload in Workload::ALL.map(Workload::name) {
        hold(&format!("swarm-{workload}"), &come_to(&format!("swarm -w {workload} --seeds 20 --jobs 2"), |_| ()));
    }
}
