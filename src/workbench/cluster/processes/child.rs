//! One process and its three pipes, none of which ever blocks.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use mio::unix::pipe::{Receiver, Sender};
use mio::{Interest, Registry, Token};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, waitid};

use super::reaper::Reaper;
use crate::workbench::cluster::program::Launch;
use crate::workbench::cluster::program::executable::RunBy;
use crate::workbench::cluster::program::log::Log;
use crate::workbench::cluster::program::output::{LONGEST_STDERR, Output, WHOLE_PIPE, flush};
use crate::workbench::cluster::{OutputTail, Status};
use crate::workbench::network::Lines;

/// The number of bytes of deliveries that are written at once: the default capacity of a Linux pipe.
const FULL: usize = 64 << 10;
/// How often stdout is read before others have their turn: 1 MiB of a node that prints without end.
const STDOUT_READS: usize = 16;
/// The same for stderr, which is not urgent.
const STDERR_READS: usize = 1;

/// The life cycle of a process.
#[derive(Clone, Copy)]
enum ChildState {
    Running,
    /// Ended by itself, and not yet waited for, so that its group, which may have other members, keeps its number.
    Ended(ExitStatus),
    /// Ended, with its whole group, and waited for.
    Gone(ExitStatus),
}

pub(super) struct Child {
    name: String,
    process: std::process::Child,
    state: ChildState,
    stdin: Option<Sender>,
    /// Deliveries that stdin has not taken yet.
    outgoing: Vec<u8>,
    /// Whether stdin takes nothing more for now.
    stuck: bool,
    pub(super) stdout: Output,
    pub(super) stderr: Output,
    pub(super) log: Log,
    log_stderr: bool,
    by: RunBy,
}

impl Child {
    /// Starts a node, whose log is appended to.
    pub(super) fn spawn(launch: &Launch, name: &str, log: Log) -> io::Result<Self> {
        let (mut process, by) = launch.spawn(name)?;
        Ok(Self {
            name: name.to_owned(),
            state: ChildState::Running,
            stdin: process.stdin.take().map(Sender::from),
            outgoing: Vec::new(),
            stuck: false,
            stdout: Output::new(process.stdout.take().map(Receiver::from), Lines::default()),
            stderr: Output::new(process.stderr.take().map(Receiver::from), Lines::up_to(LONGEST_STDERR)),
            log,
            log_stderr: launch.log_stderr,
            by,
            process,
        })
    }

    /// Registers the pipes with a poll.
    pub(super) fn register(
        &mut self,
        registry: &Registry,
        [on_stdin, on_stdout, on_stderr]: [Token; 3],
    ) -> io::Result<()> {
        if let Some(pipe) = &mut self.stdin {
            pipe.set_nonblocking(true)?;
            registry.register(pipe, on_stdin, Interest::WRITABLE)?;
        }
        for (pipe, token) in [(&mut self.stdout.pipe, on_stdout), (&mut self.stderr.pipe, on_stderr)] {
            if let Some(pipe) = pipe {
                pipe.set_nonblocking(true)?;
                registry.register(pipe, token, Interest::READABLE)?;
            }
        }
        Ok(())
    }

    /// The number of the process and of its group.
    pub(super) fn group(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    pub(super) fn accepts(&self) -> bool {
        !self.stuck
    }

    /// Queues a line for the next [`Child::flush`]; a full buffer is written at once.
    pub(super) fn deliver(&mut self, line: &[u8]) {
        self.outgoing.extend_from_slice(line);
        if self.outgoing.len() >= FULL {
            self.flush();
        }
    }

    /// Writes the queued lines, as far as the pipe accepts them. Ignored if the node has closed its stdin.
    pub(super) fn flush(&mut self) {
        if !self.stuck {
            self.stuck = flush(&mut self.stdin, &mut self.outgoing).is_stuck;
        }
    }

    /// Handles a writable pipe; returns whether the node accepts deliveries again.
    pub(super) fn on_writable(&mut self) -> bool {
        let was_stuck = std::mem::take(&mut self.stuck);
        self.flush();
        was_stuck && !self.stuck
    }

    pub(super) fn read_stdout(&mut self, chunk: &mut [u8], on_line: &mut dyn FnMut(&[u8])) {
        self.stdout.read(STDOUT_READS, chunk, |_| {}, on_line);
    }

    pub(super) fn read_stderr(&mut self, chunk: &mut [u8]) {
        self.read_much_stderr(STDERR_READS, chunk);
    }

    fn read_much_stderr(&mut self, reads: usize, chunk: &mut [u8]) {
        self.stderr.read_stderr(reads, chunk, &self.name, &mut self.log, self.log_stderr);
    }

    /// Whether the process has ended by itself since the last call; if so, its stderr has been read to the end.
    pub(super) fn has_just_ended(&mut self, chunk: &mut [u8]) -> bool {
        let ChildState::Running = self.state else { return false };
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let Ok(Some(status)) = waitid(WaitId::Pid(self.group()), ended) else { return false };
        self.state = ChildState::Ended(exit_status(&status));
        self.read_much_stderr(WHOLE_PIPE, chunk);
        self.stdout.ready = true;
        true
    }

    /// The state of the process as last observed.
    pub(super) fn status(&self) -> Status {
        match self.state {
            ChildState::Running => Status::Alive,
            ChildState::Ended(status) | ChildState::Gone(status) => self.by.dead(status),
        }
    }

    /// Kills the process group, even if the process itself has ended.
    pub(super) fn kill(&mut self, reaper: Option<&mut Reaper>, chunk: &mut [u8]) {
        let own = match self.state {
            ChildState::Running => None,
            ChildState::Ended(status) => Some(status),
            ChildState::Gone(_) => return,
        };
        kill_process_group(self.group(), Signal::KILL).ok();
        self.process.kill().ok();
        if let Some(reaper) = reaper {
            reaper.forget(self.group());
        }
        let status = self.process.wait().unwrap_or_default();
        self.state = ChildState::Gone(own.unwrap_or(status));
        self.read_much_stderr(WHOLE_PIPE, chunk);
        self.stdout.read(WHOLE_PIPE, chunk, |_| {}, |_| {});
        self.stdin = None;
        self.stdout.close();
        self.stderr.close();
    }

    /// Sends a signal to the process and what it started, unless it has ended.
    pub(super) fn signal(&self, signal: Signal) {
        if let ChildState::Running = self.state {
            // It may have ended without our knowledge; until it is waited for, its number is not reused.
            kill_process_group(self.group(), signal).ok();
        }
    }

    pub(super) fn unfinished(&self) -> &[u8] {
        self.stdout.lines.unfinished()
    }

    pub(super) fn output_tail(&self) -> OutputTail {
        OutputTail { stdout: self.stdout.recent.lines(), stderr: self.stderr.recent.lines() }
    }
}

fn exit_status(status: &WaitIdStatus) -> ExitStatus {
    let dumped = if status.dumped() { 0x80 } else { 0 };
    ExitStatus::from_raw(match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code << 8,
        (None, Some(signal)) => signal | dumped,
        (None, None) => 0,
    })
}
