//! Nodes as real processes in real time: any executable, one poll loop, no threads.
//!
//! epoll counts in milliseconds, rounded up, which would make every hand-over late. So the loop sleeps in
//! `ppoll` on the epoll descriptor itself, whose time-out is in nanoseconds, and asks epoll only what happened.

#![expect(clippy::disallowed_methods, reason = "a host: this is where the clock is read")]

mod child;
mod interrupts;
mod reaper;

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::time::Instant;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::Signal;

use crate::time::{Duration, Time};
use crate::workbench::cluster::program::{Launch, log};
use crate::workbench::cluster::{Cluster, Halt, OutputTail, Status};
use child::Child;
use reaper::Reaper;

pub use interrupts::{Caught, Interrupts};

/// Events taken from the kernel at a time; more wait for the next round.
const EVENTS: usize = 256;
/// Bytes read from a pipe at a time: what a Linux pipe holds.
const CHUNK: usize = 64 << 10;
/// Coalescing window: deliveries wait for the next event if it is due this soon, since a system call takes as long.
const COALESCING_WINDOW: Duration = Duration::from_micros(10);
/// The longest that a delivery waits to be written with others.
const MAX_COALESCING: Duration = Duration::from_micros(40);
const INTERRUPTED: Token = Token(usize::MAX);
const CHILD_ENDED: Token = Token(usize::MAX - 1);

/// The pipes of a node.
#[derive(Debug, Clone, Copy)]
enum Pipe {
    Stdin,
    Stdout,
    Stderr,
}

const PIPES: [Pipe; 3] = [Pipe::Stdin, Pipe::Stdout, Pipe::Stderr];

fn tokens(node: usize) -> [Token; 3] {
    [Token(node * 3), Token(node * 3 + 1), Token(node * 3 + 2)]
}

/// Processes as a [`Cluster`]. All are killed on drop, or by the reaper if this process is killed.
pub struct Processes<'a> {
    launch: Launch,
    names: Vec<String>,
    children: Vec<Option<Child>>,
    /// Nodes that ended by themselves and have not been reported yet.
    dead: VecDeque<usize>,
    /// Absent where there is no shell for it.
    reaper: Option<Reaper>,
    poll: Poll,
    events: Events,
    started: Instant,
    /// When the oldest unwritten delivery arrived.
    unwritten: Option<Time>,
    chunk: Vec<u8>,
    interrupts: &'a Interrupts,
    _caught: Caught<'a>,
}

impl<'a> Processes<'a> {
    /// Nodes of these names, none of them started yet. From now on Ctrl-C is an error from
    /// [`Cluster::wait`].
    pub fn new(launch: Launch, names: Vec<String>, interrupts: &'a Interrupts) -> io::Result<Self> {
        let poll = Poll::new()?;
        for (pipe, token) in [(interrupts.pipe(), INTERRUPTED), (interrupts.children(), CHILD_ENDED)] {
            poll.registry().register(&mut SourceFd(&pipe.as_raw_fd()), token, Interest::READABLE)?;
        }
        let children = names.iter().map(|_| None).collect();
        Ok(Self {
            launch,
            names,
            children,
            dead: VecDeque::new(),
            reaper: Reaper::start().ok(),
            poll,
            events: Events::with_capacity(EVENTS),
            started: Instant::now(),
            unwritten: None,
            chunk: vec![0; CHUNK],
            interrupts,
            _caught: interrupts.catch(),
        })
    }

    /// Handles pending events, a bounded portion of each pipe; returns whether any concerns the test.
    fn react(&mut self, on_line: &mut dyn FnMut(usize, Time, &[u8])) -> Result<bool, Halt> {
        let Self { poll, events, children, dead, chunk, started, interrupts, .. } = self;
        match poll.poll(events, Some(Duration::ZERO)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        let mut noted = false;
        for event in events.iter() {
            if event.token() == INTERRUPTED {
                if interrupts.take() {
                    return Err(Halt::Interrupted);
                }
                continue;
            }
            if event.token() == CHILD_ENDED {
                interrupts.take_children();
                for (node, child) in children.iter_mut().enumerate() {
                    if child.as_mut().is_some_and(|child| child.has_just_ended(chunk)) {
                        dead.push_back(node);
                    }
                }
                noted |= !dead.is_empty();
                continue;
            }
            let (node, pipe) = (event.token().0 / 3, PIPES[event.token().0 % 3]);
            let Some(child) = children.get_mut(node).and_then(Option::as_mut) else { continue };
            match pipe {
                Pipe::Stdin => noted |= child.on_writable(),
                Pipe::Stdout => child.stdout.ready = true,
                Pipe::Stderr => child.stderr.ready = true,
            }
        }
        for (node, child) in children.iter_mut().enumerate() {
            let Some(child) = child else { continue };
            if child.stdout.ready {
                noted = true;
                child.read_stdout(chunk, &mut |line| on_line(node, since(*started), line));
            }
            if child.stderr.ready {
                child.read_stderr(chunk);
            }
        }
        Ok(noted)
    }
}

fn since(started: Instant) -> Time {
    Time::ZERO + started.elapsed()
}

impl Cluster for Processes<'_> {
    fn now(&self) -> Time {
        since(self.started)
    }

    fn start(&mut self, node: usize) -> io::Result<()> {
        self.kill(node);
        let name = &self.names[node];
        let log = self.children[node].take().map_or_else(|| self.launch.log(name), |child| child.log);
        let child = self.children[node].insert(Child::spawn(&self.launch, name, log)?);
        if let Some(reaper) = &mut self.reaper {
            reaper.watch(child.group());
        }
        child.register(self.poll.registry(), tokens(node))
    }

    fn accepts(&self, node: usize) -> bool {
        self.children[node].as_ref().is_none_or(Child::accepts)
    }

    fn deliver(&mut self, node: usize, line: &[u8]) {
        if let Some(child) = &mut self.children[node] {
            child.deliver(line);
            self.unwritten.get_or_insert_with(|| since(self.started));
        }
    }

    fn wait(&mut self, until: Option<Time>, on_line: &mut dyn FnMut(usize, Time, &[u8])) -> Result<(), Halt> {
        if let (Some(oldest), Some(until)) = (self.unwritten, until) {
            let now = self.now();
            if until < now + COALESCING_WINDOW && now < oldest + MAX_COALESCING {
                return Ok(());
            }
        }
        if self.unwritten.take().is_some() {
            self.children.iter_mut().flatten().for_each(Child::flush);
        }
        loop {
            if self.react(on_line)? {
                return Ok(());
            }
            let left = until.map(|until| until.since(self.now()));
            if left == Some(Duration::ZERO) {
                return Ok(());
            }
            if self.children.iter().flatten().any(|child| child.stderr.ready) {
                continue;
            }
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            let mut epoll = [PollFd::from_borrowed_fd(self.poll.registry().as_fd(), PollFlags::IN)];
            match rustix::event::poll(&mut epoll, left.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
    }

    fn kill(&mut self, node: usize) {
        if let Some(child) = &mut self.children[node] {
            child.kill(self.reaper.as_mut(), &mut self.chunk);
        }
    }

    fn pause(&mut self, node: usize) {
        if let Some(child) = &self.children[node] {
            child.signal(Signal::STOP);
        }
    }

    fn resume(&mut self, node: usize) {
        if let Some(child) = &self.children[node] {
            child.signal(Signal::CONT);
        }
    }

    fn status(&mut self, node: usize) -> Status {
        let Some(child) = &mut self.children[node] else { return Status::Dead("never started".into()) };
        if child.has_just_ended(&mut self.chunk) {
            self.dead.push_back(node);
        }
        child.status()
    }

    fn unfinished(&self, node: usize) -> &[u8] {
        self.children[node].as_ref().map_or(&[], Child::unfinished)
    }

    fn output_tail(&self, node: usize) -> OutputTail {
        self.children[node].as_ref().map(Child::output_tail).unwrap_or_default()
    }

    fn take_dead(&mut self) -> Option<usize> {
        self.dead.pop_front()
    }

    fn remarks(&self) -> Vec<String> {
        let logs = self.names.iter().zip(&self.children);
        log::incomplete_logs(logs.filter_map(|(name, child)| Some((name.as_str(), &child.as_ref()?.log))))
    }
}

impl Drop for Processes<'_> {
    fn drop(&mut self) {
        for child in self.children.iter_mut().flatten() {
            child.kill(self.reaper.as_mut(), &mut self.chunk);
        }
    }
}

#[cfg(test)]
mod tests;
