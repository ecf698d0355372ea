//! Programs in virtual time: real processes whose system calls are trapped if they wait, or ask for the time or for
//! random bytes.
//!
//! The programs run unmodified under ptrace, one thread at a time over all nodes. Computing takes no time; when
//! every thread waits, time advances straight to the next event. At one instant, deliveries come before time-outs.
//! `docs/programs-in-virtual-time.md` says what is exact and what is not.

#![expect(clippy::cast_possible_truncation, reason = "of a register, the kernel too reads the half that it needs")]

mod clocks;
mod cores;
mod decide;
mod events;
mod filter;
mod futex;
mod process;
mod registers;
mod signals;
mod stalls;
mod system;
mod timers;
mod tracer;
mod waits;

pub use system::block_stops;

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus};

use crate::time::{Duration, Time};
use crate::workbench::cluster::program::Launch;
use crate::workbench::cluster::program::executable::RunBy;
use crate::workbench::cluster::program::log::{Log, incomplete_logs};
use crate::workbench::cluster::program::output::{LONGEST_STDERR, Output, WHOLE_PIPE, flush};
use crate::workbench::cluster::{Cluster, Halt, OutputTail, Skew, Status};
use crate::workbench::network::Lines;
use crate::workbench::network::jitter::Delays;
use cores::Core;
use mio::unix::pipe::{Receiver, Sender};
use process::{ProcessState, Resume};
use system::Waited;
use tracer::Tracer;

/// The capacity of a pipe: the maximum of Linux for everybody, since nothing is read while a program writes.
const PIPE_CAPACITY: usize = 1 << 20;
/// The number of unread bytes at which deliveries to a node are held back, as by the pipe of a process in real time.
const MAX_UNREAD: usize = 64 << 10;
/// Bytes read from a pipe at a time.
const CHUNK: usize = 64 << 10;

/// Programs in virtual time. All are killed when it is dropped, and by the kernel if it never is.
pub struct TracedCluster {
    tracer: Tracer,
    launch: Launch,
    names: Vec<String>,
    hosts: Vec<Host>,
    dead: VecDeque<usize>,
    chunk: Vec<u8>,
    /// This thread and all programs run on one core.
    _core: Core,
    /// Whether this thread had blocked `SIGCHLD`, which every stop of a program would raise.
    was_sigchld_blocked: bool,
}

/// The pipes of a node.
struct Host {
    pipes: Option<Pipes>,
    log: Option<Log>,
    by: RunBy,
    /// How late a line is read: as a fault, and as the simulated delay of the next wake-up.
    lag: Duration,
    waking: Duration,
}

struct Pipes {
    stdin: Option<Sender>,
    /// Lines that are to be read, and when.
    lines: VecDeque<(Time, Vec<u8>)>,
    /// The part of the due lines that stdin has not taken.
    outgoing: Vec<u8>,
    stdout: Output,
    stderr: Output,
}

/// What was read from the pipes of nodes.
#[derive(Default)]
struct Drained {
    bytes: usize,
    /// Whether there was a whole line, or a node has ended.
    has_news: bool,
}

impl std::fmt::Debug for TracedCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TracedCluster").field("names", &self.names).finish_non_exhaustive()
    }
}

impl TracedCluster {
    /// Nodes of these names, none of them started yet. Several threads of a process may have a cluster each.
    ///
    /// # Errors
    ///
    /// When the system refuses a timer.
    pub fn new(launch: Launch, names: Vec<String>, seed: u64) -> io::Result<Self> {
        let zero = Duration::ZERO;
        let host = || Host { pipes: None, log: None, by: RunBy::System, lag: zero, waking: zero };
        Ok(Self {
            tracer: Tracer::new(names.clone(), seed)?,
            launch,
            hosts: names.iter().map(|_| host()).collect(),
            names,
            dead: VecDeque::new(),
            chunk: vec![0; CHUNK],
            _core: Core::take(),
            was_sigchld_blocked: system::block_signal(libc::SIGCHLD, true),
        })
    }

    /// Writes the lines that are due; returns whether any was.
    fn feed(&mut self) -> bool {
        let mut any = false;
        for (node, host) in self.hosts.iter_mut().enumerate() {
            let Some(pipes) = &mut host.pipes else { continue };
            let before = pipes.outgoing.len();
            while pipes.lines.front().is_some_and(|(due, _)| *due <= self.tracer.now)
                && let Some((_, line)) = pipes.lines.pop_front()
            {
                pipes.outgoing.extend_from_slice(&line);
            }
            if pipes.outgoing.len() > before {
                host.waking = self.tracer.delays.waking();
                self.tracer.nodes[node].waking = host.waking;
            }
            if flush(&mut pipes.stdin, &mut pipes.outgoing).bytes > 0 {
                self.tracer.nodes[node].dirty = true;
                any = true;
            }
        }
        any
    }

    /// Reads what nodes have written.
    fn drain(&mut self, on_line: &mut dyn FnMut(usize, Time, &[u8])) -> Drained {
        let (mut drained, now) = (Drained::default(), self.tracer.now);
        for node in 0..self.hosts.len() {
            if !std::mem::take(&mut self.tracer.nodes[node].wrote) {
                continue;
            }
            let has_news = &mut drained.has_news;
            drained.bytes += self.read(node, &mut |line| {
                *has_news = true;
                on_line(node, now, line);
            });
        }
        self.dead.extend(self.tracer.ended.drain(..));
        drained.has_news |= !self.dead.is_empty();
        drained
    }

    /// Reads what a node has written; returns how much.
    fn read(&mut self, node: usize, on_line: &mut dyn FnMut(&[u8])) -> usize {
        let Host { pipes: Some(pipes), log: Some(log), .. } = &mut self.hosts[node] else { return 0 };
        let mut bytes = 0;
        pipes.stdout.read(WHOLE_PIPE, &mut self.chunk, |read| bytes += read.len(), on_line);
        let log_stderr = self.launch.log_stderr;
        bytes + pipes.stderr.read_stderr(WHOLE_PIPE, &mut self.chunk, &self.names[node], log, log_stderr)
    }

    /// When the next line is read by a node.
    fn next_line(&self) -> Option<Time> {
        self.hosts.iter().filter_map(|host| Some(host.pipes.as_ref()?.lines.front()?.0)).min()
    }
}

impl Cluster for TracedCluster {
    fn now(&self) -> Time {
        self.tracer.now
    }

    fn start(&mut self, node: usize) -> io::Result<()> {
        self.kill(node);
        let traced = |command: &mut Command| system::traced_from_the_start(command, &filter::FILTER);
        let (mut process, by) = self.launch.spawn_prepared(&self.names[node], traced).map_err(explain_refusal)?;
        let outputs = [process.stdout.as_ref().map(AsFd::as_fd), process.stderr.as_ref().map(AsFd::as_fd)];
        let files = outputs.into_iter().flatten().filter_map(|pipe| rustix::fs::fstat(pipe).ok());
        self.tracer.nodes[node].outputs = files.map(|file| (file.st_dev, file.st_ino)).collect();
        let host = &mut self.hosts[node];
        host.by = by;
        host.log.get_or_insert_with(|| self.launch.log(&self.names[node]));
        let stdin = process.stdin.take().map(Sender::from);
        let stdout = process.stdout.take().map(Receiver::from);
        let stderr = process.stderr.take().map(Receiver::from);
        if let Some(pipe) = &stdin {
            pipe.set_nonblocking(true)?;
            rustix::pipe::fcntl_setpipe_size(pipe, PIPE_CAPACITY).ok();
        }
        for pipe in stdout.iter().chain(&stderr) {
            pipe.set_nonblocking(true)?;
            rustix::pipe::fcntl_setpipe_size(pipe, PIPE_CAPACITY).ok();
        }
        host.pipes = Some(Pipes {
            stdin,
            lines: VecDeque::new(),
            outgoing: Vec::new(),
            stdout: Output::new(stdout, Lines::default()),
            stderr: Output::new(stderr, Lines::up_to(LONGEST_STDERR)),
        });
        self.tracer.begin(node, i32::try_from(process.id()).map_err(io::Error::other)?)
    }

    fn accepts(&self, node: usize) -> bool {
        self.hosts[node].pipes.as_ref().is_none_or(|pipes| {
            let waiting: usize = pipes.lines.iter().map(|(_, line)| line.len()).sum();
            waiting == 0 && pipes.outgoing.is_empty() || waiting + pipes.outgoing.len() < MAX_UNREAD
        })
    }

    fn deliver(&mut self, node: usize, line: &[u8]) {
        let now = self.tracer.now;
        let host = &mut self.hosts[node];
        let Some(pipes) = &mut host.pipes else { return };
        let due = match pipes.lines.back() {
            None => self.tracer.delays.node(node, now + host.lag + host.waking),
            Some((last, _)) => (*last).max(now + host.lag),
        };
        pipes.lines.push_back((due, line.to_vec()));
    }

    fn wait(&mut self, until: Option<Time>, on_line: &mut dyn FnMut(usize, Time, &[u8])) -> Result<(), Halt> {
        loop {
            self.feed();
            self.tracer.run()?;
            let drained = self.drain(on_line);
            if drained.has_news {
                return Ok(());
            }
            // Threads that wait for room in a pipe run before time passes.
            if drained.bytes > 0 && self.tracer.is_anyone_untracked() || self.feed() {
                continue;
            }
            if until.is_some_and(|until| until <= self.tracer.now) {
                return Ok(());
            }
            let next = self.tracer.next_due().into_iter().chain(self.next_line()).min();
            let is_anyone_ready = self.tracer.is_anyone_ready();
            match next.filter(|next| is_anyone_ready || until.is_none_or(|until| *next < until)) {
                // A thread that computes is ready all the time.
                _ if is_anyone_ready => {
                    if next.is_some_and(|next| next <= self.tracer.now) && !self.feed() {
                        self.tracer.wake_due()?;
                    }
                }
                Some(next) => {
                    self.tracer.now = self.tracer.now.max(next);
                    if !self.feed() {
                        self.tracer.wake_due()?;
                    }
                }
                None => {
                    let Some(until) = until else {
                        return Err(Halt::Io(io::Error::other("nothing will ever happen again: every node is idle")));
                    };
                    self.tracer.now = self.tracer.now.max(until);
                    return Ok(());
                }
            }
        }
    }

    fn kill(&mut self, node: usize) {
        self.tracer.kill(node);
        self.read(node, &mut |_| {});
        if let Some(pipes) = &mut self.hosts[node].pipes {
            pipes.stdin = None;
            pipes.lines.clear();
            pipes.outgoing.clear();
            pipes.stdout.close();
            pipes.stderr.close();
        }
    }

    fn pause(&mut self, node: usize) {
        self.tracer.set_paused(node, true);
    }

    fn resume(&mut self, node: usize) {
        self.tracer.set_paused(node, false);
    }

    fn slow(&mut self, node: usize, lag: Duration) {
        let now = self.tracer.now;
        let host = &mut self.hosts[node];
        host.lag = lag;
        // Keep the order of lines.
        for (due, _) in host.pipes.iter_mut().flat_map(|pipes| &mut pipes.lines) {
            *due = (*due).min(now + lag);
        }
        self.tracer.nodes[node].lag = lag;
        self.tracer.reschedule(node);
    }

    fn skew(&mut self, node: usize, skew: Skew) {
        let now = self.tracer.now;
        self.tracer.nodes[node].clock.run(now, skew.faster_ppm);
        self.tracer.set_forward(node, skew.ahead);
        self.tracer.reschedule(node);
    }

    fn delay(&mut self, delays: Delays) {
        self.tracer.delays = delays;
        for host in &mut self.hosts {
            host.waking = self.tracer.delays.waking();
        }
    }

    fn status(&mut self, node: usize) -> Status {
        match self.tracer.nodes[node].root.map(|root| self.tracer.processes[root].state) {
            None => Status::Dead("never started".into()),
            Some(ProcessState::Alive) => Status::Alive,
            Some(ProcessState::Zombie(status) | ProcessState::Reaped(status)) => {
                self.hosts[node].by.dead(ExitStatus::from_raw(status))
            }
        }
    }

    fn unfinished(&self, node: usize) -> &[u8] {
        self.hosts[node].pipes.as_ref().map_or(&[], |pipes| pipes.stdout.lines.unfinished())
    }

    fn held_up(&self, node: usize) -> Option<String> {
        self.tracer.held_up(node)
    }

    fn output_tail(&self, node: usize) -> OutputTail {
        let tail =
            |pipes: &Pipes| OutputTail { stdout: pipes.stdout.recent.lines(), stderr: pipes.stderr.recent.lines() };
        self.hosts[node].pipes.as_ref().map(tail).unwrap_or_default()
    }

    fn take_dead(&mut self) -> Option<usize> {
        self.dead.pop_front()
    }

    fn is_exact(&self) -> bool {
        self.tracer.deviations.is_none()
    }

    fn remarks(&self) -> Vec<String> {
        let logs = self.names.iter().zip(&self.hosts);
        let mut remarks = incomplete_logs(logs.filter_map(|(name, host)| Some((name.as_str(), host.log.as_ref()?))));
        remarks.extend(self.tracer.deviations.in_words());
        remarks
    }
}

impl Drop for TracedCluster {
    fn drop(&mut self) {
        for node in 0..self.hosts.len() {
            self.kill(node);
        }
        if !self.was_sigchld_blocked {
            system::block_signal(libc::SIGCHLD, false);
        }
    }
}

/// Why a program cannot be run in virtual time.
fn explain_refusal(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES | libc::EINVAL | libc::ENOSYS) => io::Error::other(format!(
            "this system does not let one process control another (ptrace, seccomp or pidfd_getfd: {error}), as some \
             containers do not, and nobody can who is traced already (strace -f, a debugger); leave out \
             --virtual-time, or allow it (docker run --cap-add SYS_PTRACE)"
        )),
        _ => error,
    }
}

impl Tracer {
    /// Takes over a node's program, which has just been started and stops before its first instruction.
    fn begin(&mut self, node: usize, pid: i32) -> io::Result<()> {
        while system::wait(pid, true)? == Waited::Nothing {}
        system::set_options(pid)?;
        let thread = self.add_process(node, pid, None).map_err(explain_refusal)?;
        let process = self.threads[thread].process;
        self.nodes[node].root = Some(process);
        self.processes[process].descriptor(0).map_err(explain_refusal)?;
        self.deviations.addresses_vary |= !system::has_fixed_addresses(pid);
        self.on_program(process)?;
        self.make_ready(thread, Resume::On);
        Ok(())
    }

    /// Ends all processes of a node.
    fn kill(&mut self, node: usize) {
        let all = self.nodes[node].processes.clone();
        let living: Vec<_> = all.into_iter().filter(|p| self.processes[*p].state == ProcessState::Alive).collect();
        for process in &living {
            signals::kill_if_alive(self.processes[*process].pid);
        }
        for process in living {
            // An error means that it has ended already.
            self.reap_process(process).ok();
        }
        self.nodes[node].processes.clear();
        self.nodes[node].paused = false;
        self.ended.retain(|ended| *ended != node);
    }
}
