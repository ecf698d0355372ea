//! The output, the exit code and every byte of the files of seeded runs, checks of histories and swarms are unchanged.
//!
//! The expected results are beside this file, one text file per case: the command, its exit code, digests of the files,
//! and the output. After a change that is meant to alter them, `GOLDEN=write cargo test --test golden` rewrites all of
//! them; commit the difference together with the change.

#![cfg(feature = "workbench")]

#[path = "../recordings/mod.rs"]
mod recordings;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use gossip_gloomers::simulation::Workload;

/// The files whose digests are compared.
const FILES: [&str; 5] = [
    "store/latest/history.edn",
    "store/latest/history.txt",
    "store/latest/results.edn",
    "store/latest/results.json",
    "junit.xml",
];

/// Maximum number of characters of an output that are stored; the digest covers all of it.
const MAX_STORED: usize = 12_000;

/// The 64-bit FNV-1a hash, which is enough to detect accidental changes.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The output without the parts that differ between runs: the name of the folder, and the time taken.
fn masked(output: &[u8]) -> String {
    let mut text = String::new();
    for line in String::from_utf8_lossy(output).lines() {
        let label = ["results  ", "took  "].into_iter().find(|label| line.starts_with(label));
        writeln!(text, "{}", label.map_or(line, |label| label.trim_end())).expect("writing to a String cannot fail");
    }
    text
}

/// The result of a command in a new folder, into which `prepare` puts its input.
fn result_of(line: &str, prepare: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    prepare(folder.path());
    let mut command = Command::new(env!("CARGO_BIN_EXE_gloomers"));
    let output = command.args(line.split_whitespace()).current_dir(folder.path()).output().expect("it starts");
    let mut text = format!("$ gloomers {line}\nexit {}\n", output.status.code().expect("no signal"));
    for file in FILES {
        if let Ok(bytes) = std::fs::read(folder.path().join(file)) {
            writeln!(text, "{file} {:016x}", digest(&bytes)).expect("writing to a String cannot fail");
        }
    }
    let printed = format!("{}\n{}", masked(&output.stdout), masked(&output.stderr));
    let stored: String = printed.chars().take(MAX_STORED).collect();
    writeln!(text, "output {:016x}\n\n{stored}", digest(printed.as_bytes())).expect("writing to a String cannot fail");
    text
}

/// Compares the result of a case with its file, or writes the file.
fn assert_golden(case: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{case}.txt"));
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, actual).expect("writable");
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if let Some((number, (actual, expected))) =
        actual.lines().zip(expected.lines()).enumerate().find(|(_, (actual, expected))| actual != expected)
    {
        panic!("{case}, line {}:\n  expected {expected}\n  actual   {actual}", number + 1);
    }
    assert_eq!(actual.len(), expected.len(), "{case}: the length differs");
}

#[test]
fn runs_without_faults_are_unchanged() {
    for workload in Workload::ALL.map(Workload::name) {
        let line = format!("test -w {workload} --virtual-time --seed 5 --node-count 3 --concurrency 2n --rate 30");
        let line = format!("{line} --time-limit 5 --latency 20 --jitter busy --strict --verbose");
        assert_golden(&format!("quiet-{workload}"), &result_of(&line, |_| ()));
    }
}

#[test]
fn runs_with_faults_are_unchanged() {
    for workload in Workload::ALL.map(Workload::name) {
        let line = format!("test -w {workload} --virtual-time --seed 3 --node-count 4 --concurrency 2n --rate 20");
        let line = format!("{line} --time-limit 8 --latency 30 --latency-dist exponential --loss 0.05");
        let line = format!(
            "{line} --nemesis partition,one-way,kill,pause,slow,skew --nemesis-interval 2 --verbose --junit junit.xml"
        );
        assert_golden(&format!("faults-{workload}"), &result_of(&line, |_| ()));
    }
}

#[test]
fn verdicts_on_recorded_histories_are_unchanged() {
    for run in recordings::runs() {
        let line = format!("check history.edn -w {} --verbose", run.workload());
        let prepare = |folder: &Path| {
            std::fs::write(folder.join("history.edn"), run.file("history.edn")).expect("writable");
        };
        assert_golden(&format!("check-{}", run.name()), &result_of(&line, prepare));
    }
}

#[test]
fn swarms_are_unchanged() {
    for workload in Workload::ALL.map(Workload::name) {
        assert_golden(
            &format!("swarm-{workload}"),
            &result_of(&format!("swarm -w {workload} --seeds 20 --jobs 2"), |_| ()),
        );
    }
}
