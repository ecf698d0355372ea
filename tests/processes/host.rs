//! Failures of the host: files that cannot be executed, full disks, and a closed stdout.

use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::json;
use tempfile::TempDir;

use crate::broken;
use crate::run::{Run, gloomers, gloomers_on_broken};

const ECHO: &str = "-w echo --node-count 1 --time-limit 1 --rate 20";
const IDS: &str = "-w unique-ids --node-count 1 --time-limit 1 --rate 50";
const VIRTUAL: &str = "-w echo --virtual-time --node-count 1 --time-limit 1 --rate 20";

fn write(folder: &TempDir, name: &str, text: &str, mode: u32) {
    let path = folder.path().join(name);
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
}

pub(crate) fn a_file_without_a_shebang_is_run_as_a_shell_script() {
    let folder = tempfile::tempdir().expect("a folder");
    let ourselves = std::env::current_exe().expect("a program");
    write(&folder, "node", &format!("exec '{}' {} \"$1\"\n", ourselves.display(), broken::FLAG), 0o755);
    let mut command = gloomers(&folder, ECHO);
    command.args(["--bin", "./node", "--", "none"]);
    Run::finish(command, folder).assert_verdict(true, 0);
}

pub(crate) fn a_file_that_cannot_be_executed_ends_the_test_before_it_starts() {
    for (name, wanted) in [
        ("none", "./none cannot be executed: no such file; "),
        ("folder", "./folder cannot be executed: it is a folder; "),
        ("plain", "./plain cannot be executed: it is not executable; run chmod +x ./plain"),
        ("lost", "./lost cannot be executed: its first line asks for /no/python, which does not exist; "),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("folder")).expect("made");
        write(&folder, "plain", "#!/bin/sh\n", 0o644);
        write(&folder, "lost", "#!/no/python\n", 0o755);
        let mut command = gloomers(&folder, ECHO);
        command.arg("--bin").arg(format!("./{name}"));
        let run = Run::finish(command, folder);
        run.assert_no_verdict();
        assert!(run.stdout.contains(wanted), "{}", run.stdout);
        assert_eq!(run.file("node-logs/n0.log"), None);
    }
}

/// Asserts that the verdict is on stderr and in the exit status.
fn assert_reported_on_stderr(options: &str, stdout: Stdio, verdict: &str, status: i32) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = gloomers_on_broken(&folder, "repeats-ids", options);
    command.stdout(stdout);
    let run = Run::finish(command, folder);
    assert_eq!(run.status, Some(status), "{}", run.stderr);
    assert!(run.stderr.contains("stdout cannot be written ("), "{}", run.stderr);
    assert!(run.stderr.contains(&format!("verdict         {verdict}")), "{}", run.stderr);
    assert_eq!(run.result("/gloomers/muted"), json!([]), "the files are there");
}

/// A pipe whose reading end is closed.
fn closed() -> Stdio {
    let (_, writer) = std::io::pipe().expect("a pipe");
    writer.into()
}

pub(crate) fn a_stdout_that_cannot_be_written_does_not_affect_the_verdict() {
    let full = || OpenOptions::new().write(true).open("/dev/full").expect("it takes nothing").into();
    thread::scope(|scope| {
        scope.spawn(|| assert_reported_on_stderr(ECHO, closed(), "valid", 0));
        scope.spawn(|| assert_reported_on_stderr(IDS, closed(), "invalid", 1));
        if cfg!(target_os = "linux") {
            scope.spawn(move || assert_reported_on_stderr(ECHO, full(), "valid", 0));
        }
    });
}

pub(crate) fn a_store_that_cannot_be_created_does_not_affect_the_verdict() {
    for options in [ECHO, VIRTUAL] {
        let folder = tempfile::tempdir().expect("a folder");
        write(&folder, "store", "no folder", 0o644);
        let mut command = gloomers(&folder, options);
        command.args(["--junit", "/nonexistent/junit.xml"]);
        let run = Run::finish(command, folder);
        assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains("verdict         valid"), "{}", run.stdout);
        let missing = "missing         no file of this run: cannot create store/echo: ";
        assert!(run.stdout.contains(missing) && run.stderr.contains("no file of this run: "), "{}", run.stdout);
    }
}

pub(crate) fn a_file_that_is_too_large_for_the_disk_does_not_affect_the_verdict() {
    let folder = tempfile::tempdir().expect("a folder");
    // Blocks of 512 bytes: enough for everything but the report.
    let script = format!("ulimit -f 32; exec '{}' test {VIRTUAL}", env!("CARGO_BIN_EXE_gloomers"));
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &script]).current_dir(folder.path()).stdout(Stdio::piped());
    let run = Run::finish(command, folder);
    run.assert_verdict(true, 0);
    let missing = run.stdout.lines().filter(|line| line.starts_with("missing         cannot write "));
    assert!(missing.clone().any(|line| line.contains("report.html: File too large")), "{}", run.stdout);
    assert!(run.file("report.html").is_none() && run.file("history.edn").is_some(), "half a file is none");
}
