//! The event loop in a child process.

use crate::echo::{Echo, TIMEOUT};
use rustix::fs::{OFlags, fcntl_getfl};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

/// The output of the test harness before its first test, which here is the node.
const PREAMBLE: &[u8] = b"\nrunning 1 test\n";

/// The command that runs this program as a node.
fn node() -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a program"));
    command.args(["children::the_node_itself", "--exact", "--ignored", "--nocapture", "--quiet"]);
    command
}

#[test]
#[ignore = "the body of a child process"]
fn the_node_itself() {
    let served = gossip_gloomers::event_loop::run(&mut Echo::default());
    std::process::exit(i32::from(served.is_err()));
}

/// Waits for `child` to exit.
fn exit(mut child: Child) -> ExitStatus {
    for _ in 0..TIMEOUT.as_millis() {
        if let Some(status) = child.try_wait().expect("a child") {
            return status;
        }
        thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("a child");
    panic!("the node did not exit");
}

#[test]
fn the_end_of_input_is_a_success_and_the_pipe_blocks_again() {
    let (input, mut to) = io::pipe().expect("a pipe");
    let held = input.try_clone().expect("a descriptor");
    let child = node().stdin(input).stdout(Stdio::piped()).spawn().expect("a child");
    to.write_all(b"line\nlast").expect("the other end reads");
    drop(to);
    let done = child.wait_with_output().expect("a child");
    assert_eq!(done.stdout.strip_prefix(PREAMBLE).expect("the harness prints first"), b"line\nlast\n");
    assert!(done.status.success());
    assert!(!fcntl_getfl(held).expect("open").contains(OFlags::NONBLOCK));
}

#[test]
fn files_are_redirected_to_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let (input, output) = (folder.path().join("in"), folder.path().join("out"));
    std::fs::write(&input, "line\nlast").expect("room on disk");
    let child = node()
        .stdin(File::open(&input).expect("a file"))
        .stdout(File::create(&output).expect("a file"))
        .spawn()
        .expect("a child");
    assert!(exit(child).success());
    let written = std::fs::read(&output).expect("a file");
    assert_eq!(written.strip_prefix(PREAMBLE).expect("the harness prints first"), b"line\nlast\n");
}

#[test]
fn a_broken_stdout_is_a_failure_without_a_message() {
    let mut child =
        node().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a child");
    let mut to = child.stdin.take().expect("a pipe");
    let mut stderr = child.stderr.take().expect("a pipe");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    to.write_all(b"line\n").expect("the other end reads");
    assert!(lines.any(|line| line.expect("readable") == "line"));
    drop(lines);
    to.write_all(b"line\n").expect("the other end reads");
    assert_eq!(exit(child).code(), Some(1));
    let mut output = String::new();
    stderr.read_to_string(&mut output).expect("readable");
    assert_eq!(output, "");
}
