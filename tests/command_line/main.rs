//! The command line of `gloomers`: its output and exit codes.

#![cfg(feature = "workbench")]

mod check;
mod scenario;
mod swarm;
mod test;

use std::path::Path;
use std::process::Command;

use gossip_gloomers::simulation::Workload;

/// Runs the command in a folder; returns its exit status and what it printed, stdout and stderr.
fn gloomers(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gloomers"));
    let output = command.args(arguments).current_dir(folder).output().expect("it starts");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// As [`gloomers`], and asserts that it writes no files.
fn without_files(line: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let output = gloomers(folder.path(), &line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "{line}: nothing was started");
    output
}

#[test]
fn every_command_rejects_a_typographic_dash_by_name() {
    for line in
        ["test", "check", "analyze", "explain", "challenges", "swarm", "node echo", "tset", "man", "completions"]
    {
        let (status, text) = without_files(&format!("{line} \u{2013}-nemesis partition"));
        assert_eq!(status, Some(254), "{line}: {text}");
        let named = text.contains("\"\u{2013}-nemesis\"") && text.contains("U+2013") && text.contains("\"--nemesis\"");
        assert!(named, "{line}: {text}");
    }
}

#[test]
fn bad_command_lines_exit_with_254_before_anything_starts() {
    for line in [
        "",
        "tset",
        "test",
        "test --ratee 5",
        "test -w ecko",
        "test -w echo --consistency-models read-comitted",
        "test -w echo --latency-dist uniform",
        "test -w echo --nodes c0,c1",
        "check",
        "check /nonexistent/history.edn -w echo",
        "check / -w echo",
        "explain /nonexistent",
        "explain --value 4 --op 3",
        "swarm -w ecko",
        "challenges --reel",
        "challenges --seed x",
        "node",
        "node ecko",
    ] {
        let (status, text) = without_files(line);
        assert!(status == Some(254) && !text.is_empty(), "gloomers {line}: {status:?}, {text}");
    }
}

#[test]
fn help_and_version_exit_with_0() {
    for line in ["--help", "-h", "help", "--version", "-V", "help swarm"] {
        assert_eq!(without_files(line).0, Some(0), "{line}");
    }
    for command in
        ["test", "check", "analyze", "explain", "challenges", "swarm", "swarm merge", "completions", "man", "node"]
    {
        let (status, text) = without_files(&format!("{command} --help"));
        assert!(status == Some(0) && text.contains("Usage: gloomers "), "{command}: {text}");
    }
}

#[test]
fn checking_a_stored_history_gives_the_verdict_of_its_run() {
    let hostile = "--nemesis partition,kill,pause --nemesis-interval 2";
    for workload in Workload::ALL.map(Workload::name) {
        let folder = tempfile::tempdir().expect("a folder");
        let line = format!(
            "test -w {workload} --virtual-time --seed 5 --node-count 3 --concurrency 2n --time-limit 10 --rate 20 \
             {hostile}"
        );
        let (ran, text) = gloomers(folder.path(), &line.split_whitespace().collect::<Vec<_>>());
        let (checked, again) = gloomers(folder.path(), &["check", "store/latest", "-w", workload]);
        assert!(ran == checked && matches!(ran, Some(0..=2)), "gloomers {line}:\n{text}\n{again}");
    }
}
