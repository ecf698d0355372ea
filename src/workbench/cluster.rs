//! What a test runs on: real processes, or nodes in this process and their virtual time.
//!
//! Everything the run needs from the outside world is here, so that the same loop, network and clients drive
//! both. Nodes are known by their index.

pub mod builtin;
pub mod processes;
pub mod simulated;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod traced;

use std::io;

use crate::time::{Duration, Time};
use crate::workbench::network::jitter::Delays;

/// Whether a node is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It runs, or is paused.
    Alive,
    /// It has ended by itself, in the way described: `exit status: 1`.
    Dead(String),
}

/// Whether programs can run in virtual time on this kind of machine.
///
/// # Errors
/// Why they cannot, in a sentence.
pub fn can_trace() -> Result<(), String> {
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Ok(());
    }
    Err("--virtual-time with --bin needs Linux on an x86-64 processor; leave out --virtual-time, or --bin".into())
}

/// Why waiting ended early and for good.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    /// The user pressed Ctrl-C, or the process was asked to end.
    #[error("interrupted")]
    Interrupted,
    /// The host failed.
    #[error("the host of the nodes failed: {0}")]
    Io(#[from] io::Error),
}

/// The last lines that a node wrote, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutputTail {
    /// To stdout.
    pub stdout: Vec<String>,
    /// To stderr.
    pub stderr: Vec<String>,
}

/// What is done to a node's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Skew {
    /// How much faster than it should it runs from now on, in millionths; below zero, slower.
    pub faster_ppm: i32,
    /// How far its wall clock is set forward, which the node's next process will find.
    pub ahead: Duration,
}

/// A set of nodes and a clock.
pub trait Cluster {
    /// The time, from an arbitrary zero. It never goes back.
    fn now(&self) -> Time;

    /// Starts a node, again if it has been killed.
    ///
    /// # Errors
    ///
    /// When there is nothing to start, or it cannot be started.
    fn start(&mut self, node: usize) -> io::Result<()>;

    /// Whether the node can be given another line now; while it cannot, its deliveries stand still.
    fn accepts(&self, node: usize) -> bool;

    /// Gives a node a line, line end included. A node that is not there ignores it.
    fn deliver(&mut self, node: usize, line: &[u8]);

    /// Waits until a node has printed something or accepts lines again, at most until the given time. Every
    /// line printed is handed to `on_line` with its node and the time, without its line end.
    ///
    /// # Errors
    ///
    /// When the test has to stop.
    fn wait(&mut self, until: Option<Time>, on_line: &mut dyn FnMut(usize, Time, &[u8])) -> Result<(), Halt>;

    /// Ends a node without warning.
    fn kill(&mut self, node: usize);

    /// Stops a node where it is; what is delivered to it meanwhile it finds when it goes on.
    fn pause(&mut self, node: usize);

    /// Lets a paused node go on.
    fn resume(&mut self, node: usize);

    /// Has a node read each line and fire each timer so late from now on; zero ends that. Only where time is virtual:
    /// elsewhere, nothing happens.
    fn slow(&mut self, _node: usize, _lag: Duration) {}

    /// Changes a node's clock. Only where time is virtual: elsewhere, nothing happens.
    fn skew(&mut self, _node: usize, _skew: Skew) {}

    /// Has nodes be as late as on a machine with these delays. Only where time is virtual: elsewhere, nothing happens.
    fn delay(&mut self, _delays: Delays) {}

    /// Whether a node is there.
    fn status(&mut self, node: usize) -> Status;

    /// What it has written to stdout since its last line end, which is no line so far.
    fn unfinished(&self, _node: usize) -> &[u8] {
        &[]
    }

    /// What it wrote last, for the report of its death.
    fn output_tail(&self, node: usize) -> OutputTail;

    /// A node that has ended by itself and has not been named here since it was started.
    fn take_dead(&mut self) -> Option<usize> {
        None
    }

    /// What people have to know of the host: logs that do not hold everything.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
}
