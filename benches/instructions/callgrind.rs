//! What callgrind counts of a program that reads a file and writes a file.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

/// Whether there is a valgrind to ask.
pub(crate) fn is_there() -> bool {
    matches!(Command::new("valgrind").arg("--version").output(), Ok(said) if said.status.success())
}

/// Instructions of a whole run, and what it wrote.
pub(crate) fn instructions(program: &str, input: &str) -> (u64, Vec<u8>) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (lines, answers, report) = (folder.join("lines"), folder.join("answers"), folder.join("callgrind"));
    fs::write(&lines, input).expect("the target folder is writable");
    let run = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--callgrind-out-file={}", report.display()))
        .arg(program)
        .stdin(File::open(&lines).expect("it was just written"))
        .stdout(File::create(&answers).expect("the target folder is writable"))
        .stderr(Stdio::inherit())
        .status()
        .expect("valgrind runs");
    assert!(run.success(), "{program}: {run}");
    let report = fs::read_to_string(&report).expect("callgrind writes it");
    let total = report.lines().find_map(|line| line.strip_prefix("totals: ")).expect("it ends with its totals");
    (total.trim().parse().expect("a number of instructions"), fs::read(&answers).expect("it was just written"))
}
