//! Instruction counts by callgrind, of a program that reads from a file and writes to a file.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

/// Whether valgrind is installed.
pub(crate) fn is_installed() -> bool {
    matches!(Command::new("valgrind").arg("--version").output(), Ok(output) if output.status.success())
}

/// The number of instructions of a whole run, and its output.
pub(crate) fn instructions(program: &str, input: &str) -> (u64, Vec<u8>) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (lines, output, report) = (folder.join("lines"), folder.join("output"), folder.join("callgrind"));
    fs::write(&lines, input).expect("the target folder is writable");
    let run = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--callgrind-out-file={}", report.display()))
        .arg(program)
        .stdin(File::open(&lines).expect("it was just written"))
        .stdout(File::create(&output).expect("the target folder is writable"))
        .stderr(Stdio::inherit())
        .status()
        .expect("valgrind runs");
    assert!(run.success(), "{program}: {run}");
    let report = fs::read_to_string(&report).expect("callgrind writes it");
    let total = report.lines().find_map(|line| line.strip_prefix("totals: ")).expect("it ends with its totals");
    (total.trim().parse().expect("a number of instructions"), fs::read(&output).expect("it was just written"))
}
