//! Interrupted tests: Ctrl-C and other signals.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::broken;
use crate::run::{Run, gloomers, gloomers_on_broken};

/// How long to wait for any event, in milliseconds.
const TIMEOUT_MS: u32 = 40_000;
const NODES: usize = 3;

/// Polls every ten milliseconds until there is a value.
#[expect(clippy::disallowed_methods, reason = "it polls other processes")]
fn await_some<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    for _ in 0..TIMEOUT_MS / 10 {
        if let Some(value) = poll() {
            return value;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("{what} never happened");
}

/// The process ids of all nodes, from their logs, once all run.
fn nodes(store: &Path) -> Option<Vec<Pid>> {
    let logs = store.join("current/node-logs");
    let pid = |node| {
        let log = std::fs::read_to_string(logs.join(format!("n{node}.log"))).ok()?;
        Pid::from_raw(log.strip_suffix('\n')?.parse().ok()?)
    };
    (0..NODES).map(pid).collect()
}

pub(crate) fn ctrl_c_ends_every_node() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut gloomers = gloomers_on_broken(&folder, "none", "-w echo --node-count 3 --time-limit 60 --rate 20")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("gloomers runs");
    let nodes = await_some("the start", || nodes(&folder.path().join("store")));
    assert!(nodes.iter().all(|node| test_kill_process(*node).is_ok()), "all nodes run");
    kill_process(Pid::from_child(&gloomers), Signal::INT).expect("it runs");
    let status: ExitStatus = await_some("the end", || gloomers.try_wait().expect("a child"));
    let stdout = std::io::read_to_string(gloomers.stdout.take().expect("a pipe")).expect("text");
    assert_eq!(status.code(), Some(130), "{stdout}");
    assert!(stdout.contains("Interrupted; all nodes have been ended."), "{stdout}");
    for node in nodes {
        assert_eq!(test_kill_process(node), Err(Errno::SRCH), "a node is left");
    }
}

/// Sends a signal to `gloomers` once it has logged that many messages.
fn signal_after(messages: usize, gloomers: &mut Child, signal: Signal) {
    let mut stderr = BufReader::new(gloomers.stderr.take().expect("a pipe"));
    let (mut sent, mut line) = (0, String::new());
    while sent < messages {
        line.clear();
        assert!(stderr.read_line(&mut line).expect("text") > 0, "it sends on");
        sent += usize::from(line.contains(":send"));
    }
    kill_process(Pid::from_child(gloomers), signal).expect("it runs");
    gloomers.stderr = Some(stderr.into_inner());
}

fn assert_cut_short(arguments: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = gloomers(&folder, arguments);
    let mut gloomers = command.arg("--log-net-send").stderr(Stdio::piped()).spawn().expect("gloomers runs");
    signal_after(100, &mut gloomers, Signal::INT);
    let run = Run::of_child(gloomers, folder);
    assert_eq!(run.status, Some(130), "{}", run.stdout);
    assert!(run.stdout.contains("!!! CUT SHORT: The test was cut short after "), "{}", run.stdout);
    assert_eq!(run.stdout.lines().last(), Some("Interrupted; all nodes have been ended."));
    assert_eq!(run.result("/gloomers/cut-short"), "interrupted");
    assert!(run.count("/stats/ok-count") > 0);
    assert!(run.file("report.html").expect("a page").contains("The test was cut short"));
}

pub(crate) fn a_test_interrupted_by_ctrl_c_is_checked_and_marked() {
    assert_cut_short("-w echo --node-count 3 --time-limit 60 --rate 100");
}

pub(crate) fn a_test_interrupted_in_virtual_time_is_checked_and_marked() {
    assert_cut_short("-w broadcast --node-count 5 --time-limit 4000 --rate 1000 --virtual-time");
}

/// Waits until no process holds the lock.
fn await_lock(lock: &File) {
    await_some("the exit of every process of a node", || flock(lock, FlockOperation::NonBlockingLockExclusive).ok());
}

pub(crate) fn no_node_outlives_a_killed_workbench() {
    thread::scope(|scope| {
        for signal in [Signal::KILL, Signal::QUIT, Signal::USR1, Signal::ABORT] {
            scope.spawn(move || {
                let folder = tempfile::tempdir().expect("a folder");
                let path = folder.path().join("lock");
                let lock = File::create(&path).expect("a file");
                let arguments = "-w echo --node-count 3 --time-limit 60 --rate 20";
                let mut command = gloomers_on_broken(&folder, "ignores-the-end", arguments);
                command.env(broken::LOCK, &path).stdout(Stdio::null()).stderr(Stdio::null());
                let mut gloomers = command.spawn().expect("gloomers runs");
                await_some("the start", || nodes(&folder.path().join("store")));
                assert!(flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err(), "they run");
                kill_process(Pid::from_child(&gloomers), signal).expect("it runs");
                gloomers.wait().expect("a child");
                await_lock(&lock);
            });
        }
    });
}

pub(crate) fn children_of_a_node_do_not_outlive_the_test() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lock");
    let lock = File::create(&path).expect("a file");
    let mut command = gloomers_on_broken(&folder, "leaves-a-child", "-w echo --node-count 1 --time-limit 2 --rate 50");
    command.env(broken::LOCK, &path);
    Run::finish(command, folder).assert_no_verdict();
    await_lock(&lock);
}
