//! Ctrl-C in the middle of a test.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::run::gloomers_on_broken;

/// Milliseconds until something that certainly happens must have happened.
const PATIENCE_MS: u32 = 40_000;
const NODES: usize = 3;

/// Asks again every ten milliseconds.
#[expect(clippy::disallowed_methods, reason = "it looks on from outside")]
fn await_some<T>(what: &str, mut question: impl FnMut() -> Option<T>) -> T {
    for _ in 0..PATIENCE_MS / 10 {
        if let Some(answer) = question() {
            return answer;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("{what} never happened");
}

/// The processes of all nodes, which each writes to its log, once all run.
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
    let page = std::io::read_to_string(gloomers.stdout.take().expect("a pipe")).expect("text");
    assert_eq!(status.code(), Some(130), "{page}");
    assert!(page.contains("Interrupted; all nodes have been ended."), "{page}");
    for node in nodes {
        assert_eq!(test_kill_process(node), Err(Errno::SRCH), "a node is left");
    }
}
