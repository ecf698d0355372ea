//! What a test runs on: real processes in real time, or, in virtual time, engines in this process or real processes.
//!
//! [`Cluster`] is everything that a test needs from the outside world, so that the same loop, network and clients drive
//! both. Nodes are identified by their index.

pub mod builtin;
#[cfg(feature = "workbench")]
pub mod processes;
pub mod program;
pub mod simulated;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod traced;

use std::io;

use crate::time::{Duration, Time};
use crate::workbench::network::jitter::Delays;

/// The state of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It is running or paused.
    Alive,
    /// It has ended; the text says how: `exit status: 1`.
    Dead(String),
}

/// Why programs cannot run in virtual time on this kind of machine, if they cannot.
pub fn can_trace() -> Result<(), String> {
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Ok(());
    }
    Err("--virtual-time with --bin needs Linux on an x86-64 processor; leave out --virtual-time, or --bin".into())
}

/// Why a test has to stop.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    /// Ctrl-C, or a signal to terminate.
    #[error("interrupted")]
    Interrupted,
    /// The test was to end here.
    #[error("it was to end here")]
    Stopped,
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

/// A change to a node's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Skew {
    /// The deviation of its rate from now on, in millionths; negative for slower.
    pub faster_ppm: i32,
    /// How far its wall clock jumps forward; the node's next process sees it.
    pub ahead: Duration,
}

/// A set of nodes and a clock.
pub trait Cluster {
    /// The time, from an arbitrary zero. It never goes back.
    fn now(&self) -> Time;

    /// Starts a node, or restarts one that has been killed.
    ///
    /// # Errors
    ///
    /// The node cannot be started.
    fn start(&mut self, node: usize) -> io::Result<()>;

    /// Whether the node accepts another line now; while it does not, its deliveries wait.
    fn accepts(&self, node: usize) -> bool;

    /// Delivers a line, including its line end. Ignored if the node is not running.
    fn deliver(&mut self, node: usize, line: &[u8]);

    /// Waits until a node has printed something or accepts lines again, at most until the given time. Each line is
    /// passed to `on_line` with its node and the time, without its line end.
    ///
    /// # Errors
    ///
    /// The test has to stop.
    fn wait(&mut self, until: Option<Time>, on_line: &mut dyn FnMut(usize, Time, &[u8])) -> Result<(), Halt>;

    /// Kills a node.
    fn kill(&mut self, node: usize);

    /// Pauses a node. Deliveries wait for it to be resumed.
    fn pause(&mut self, node: usize);

    /// Resumes a paused node.
    fn resume(&mut self, node: usize);

    /// Makes a node handle lines and timers with this lag from now on; zero ends it. Virtual time only; ignored
    /// elsewhere.
    fn slow(&mut self, _node: usize, _lag: Duration) {}

    /// Changes a node's clock. Virtual time only; ignored elsewhere.
    fn skew(&mut self, _node: usize, _skew: Skew) {}

    /// Simulates the delays of a real machine. Virtual time only; ignored elsewhere.
    fn delay(&mut self, _delays: Delays) {}

    /// The state of a node.
    fn status(&mut self, node: usize) -> Status;

    /// What it has written to stdout since its last line end.
    fn unfinished(&self, _node: usize) -> &[u8] {
        &[]
    }

    /// What holds a node up that its host does not control, as a sentence without its subject.
    fn held_up(&self, _node: usize) -> Option<String> {
        None
    }

    /// The state of a running node as a developer reads it, where it can be seen.
    fn debug(&self, _node: usize) -> Option<String> {
        None
    }

    /// Its last output, for the report of a crash.
    fn output_tail(&self, node: usize) -> OutputTail;

    /// A node that has ended by itself, once for each start.
    fn take_dead(&mut self) -> Option<usize> {
        None
    }

    /// Whether the real clock has decided nothing so far, so that the same seed gives the same run. Virtual time only.
    fn is_exact(&self) -> bool {
        true
    }

    /// Remarks for people, such as incomplete logs.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
}
