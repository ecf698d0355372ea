//! One process and its three pipes, none of which ever blocks.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use mio::unix::pipe::{Receiver, Sender};
use mio::{Interest, Registry, Token};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, waitid};

use super::Launch;
use super::executable::RunBy;
use super::log::Log;
use super::reaper::Reaper;
use crate::workbench::cluster::{OutputTail, Status};
use crate::workbench::network::Lines;

/// How many lines of stdout and of stderr are kept for the report of a crash.
const KEPT: usize = 32;
/// How many bytes of each of them.
const KEPT_BYTES: usize = 1_000;
/// Deliveries of so many bytes are written at once: what a Linux pipe holds.
const FULL: usize = 64 << 10;
/// How often stdout is read before others have their turn: 1 MiB of a node that prints without end.
const STDOUT_READS: usize = 16;
/// The same for stderr, which is not urgent.
const STDERR_READS: usize = 1;
/// How often a pipe is read before it is closed: Linux lets none hold more than 1 MiB.
pub(in crate::workbench::cluster) const WHOLE_PIPE: usize = 16;
/// Longer lines on stderr are truncated.
pub(in crate::workbench::cluster) const LONGEST_STDERR: usize = 64 << 10;

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
        let (mut process, by) = launch.spawn(|_| {})?;
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

/// How far a queue was written.
pub(in crate::workbench::cluster) struct Flushed {
    pub(in crate::workbench::cluster) bytes: usize,
    /// Whether the pipe was full.
    pub(in crate::workbench::cluster) is_stuck: bool,
}

/// Writes the queue, as far as the pipe accepts it. If its reader has closed it, the pipe and the queue are dropped.
pub(in crate::workbench::cluster) fn flush(stdin: &mut Option<Sender>, queue: &mut Vec<u8>) -> Flushed {
    let (mut bytes, mut is_stuck) = (0, false);
    while bytes < queue.len() && !is_stuck {
        let Some(pipe) = stdin else { break };
        match pipe.write(&queue[bytes..]) {
            Ok(count) => bytes += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => is_stuck = true,
            Err(_) => *stdin = None,
        }
    }
    queue.drain(..bytes);
    if stdin.is_none() {
        queue.clear();
    }
    Flushed { bytes, is_stuck }
}

fn exit_status(status: &WaitIdStatus) -> ExitStatus {
    let dumped = if status.dumped() { 0x80 } else { 0 };
    ExitStatus::from_raw(match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code << 8,
        (None, Some(signal)) => signal | dumped,
        (None, None) => 0,
    })
}

/// A stream that a node writes.
pub(in crate::workbench::cluster) struct Output {
    pipe: Option<Receiver>,
    /// Whether there may be more to read.
    pub(in crate::workbench::cluster) ready: bool,
    pub(in crate::workbench::cluster) lines: Lines,
    pub(in crate::workbench::cluster) recent: Recent,
}

impl Output {
    pub(in crate::workbench::cluster) fn new(pipe: Option<Receiver>, lines: Lines) -> Self {
        Self { pipe, ready: false, lines, recent: Recent::default() }
    }

    /// Reads stderr into a node's log, and copies its lines to our own stderr if asked to. Returns how much it was.
    pub(in crate::workbench::cluster) fn read_stderr(
        &mut self,
        reads: usize,
        chunk: &mut [u8],
        name: &str,
        log: &mut Log,
        log_stderr: bool,
    ) -> usize {
        let copy = |line: &[u8]| {
            if log_stderr {
                writeln!(io::stderr(), "{name} stderr: {}", String::from_utf8_lossy(line)).ok();
            }
        };
        let mut count = 0;
        let write = |bytes: &[u8]| {
            count += bytes.len();
            log.write(bytes);
        };
        self.read(reads, chunk, write, copy);
        count
    }

    /// Reads at most `reads` times; `ready` stays set if there may be more.
    pub(in crate::workbench::cluster) fn read(
        &mut self,
        reads: usize,
        chunk: &mut [u8],
        mut on_bytes: impl FnMut(&[u8]),
        mut on_line: impl FnMut(&[u8]),
    ) {
        let Self { pipe, ready, lines, recent } = self;
        let mut on_line = |line: &[u8]| {
            recent.keep(line);
            on_line(line);
        };
        *ready = pipe.is_some();
        for _ in 0..reads {
            let Some(open) = pipe else { return };
            match open.read(chunk) {
                Ok(count @ 1..) => {
                    on_bytes(&chunk[..count]);
                    lines.feed(&chunk[..count], &mut on_line);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    *ready = false;
                    return;
                }
                Ok(0) | Err(_) => {
                    lines.finish(&mut on_line);
                    (*pipe, *ready) = (None, false);
                }
            }
        }
    }

    pub(in crate::workbench::cluster) fn close(&mut self) {
        (self.pipe, self.ready) = (None, false);
    }
}

/// The last lines of a stream.
#[derive(Default)]
pub(in crate::workbench::cluster) struct Recent(VecDeque<Vec<u8>>);

impl Recent {
    fn keep(&mut self, line: &[u8]) {
        let mut kept = if self.0.len() == KEPT { self.0.pop_front().unwrap_or_default() } else { Vec::new() };
        kept.clear();
        kept.extend_from_slice(&line[..line.len().min(KEPT_BYTES)]);
        self.0.push_back(kept);
    }

    pub(in crate::workbench::cluster) fn lines(&self) -> Vec<String> {
        self.0.iter().map(|line| printable(&String::from_utf8_lossy(line))).collect()
    }
}

/// Escapes control characters, which could act on a terminal.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\t' { printable.extend(c.escape_default()) } else { printable.push(c) }
    }
    printable
}
