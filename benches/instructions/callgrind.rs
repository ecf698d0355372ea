//! What valgrind counts of a program that reads a file and writes a file.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

/// Whether there is a valgrind to ask.
pub(crate) fn is_there() -> bool {
    matches!(Command::new("valgrind").arg("--version").output(), Ok(said) if said.status.success())
}

/// Instructions of a whole run, and what it wrote.
pub(crate) fn instructions(program: &Path, input: &str) -> (u64, Vec<u8>) {
    let (report, answers) = run("callgrind", "callgrind-out-file", program, input);
    (number_after(&report, "totals: "), answers)
}

/// Allocations of a whole run: calls of `malloc` and `realloc`.
#[allow(dead_code, reason = "only the table of contenders has them")]
pub(crate) fn allocations(program: &Path, input: &str) -> u64 {
    let (report, _) = run("memcheck", "log-file", program, input);
    number_after(&report, "total heap usage: ")
}

fn run(tool: &str, report_to: &str, program: &Path, input: &str) -> (String, Vec<u8>) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (lines, answers, report) = (folder.join("lines"), folder.join("answers"), folder.join("report"));
    fs::write(&lines, input).expect("the target folder is writable");
    let run = Command::new("valgrind")
        .arg(format!("--tool={tool}"))
        .arg(format!("--{report_to}={}", report.display()))
        .arg(program)
        .stdin(File::open(&lines).expect("it was just written"))
        .stdout(File::create(&answers).expect("the target folder is writable"))
        .stderr(Stdio::null())
        .status()
        .expect("valgrind runs");
    assert!(run.success(), "{}: {run}", program.display());
    let read = |path| fs::read(path).expect("it was just written");
    (String::from_utf8_lossy(&read(&report)).into_owned(), read(&answers))
}

/// The number behind the first `words`; it may have commas in it.
fn number_after(report: &str, words: &str) -> u64 {
    let (_, rest) = report.split_once(words).expect("valgrind ends with its totals");
    let digits: String = rest.chars().take_while(|c| !c.is_whitespace()).filter(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}
