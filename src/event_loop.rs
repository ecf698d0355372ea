//! The mio loop: the only place with descriptors and a clock.
//!
//! A wake-up reads what stdin holds, hands the complete lines to a [`StateMachine`] in place, fires what is
//! due, and writes once. While the machine has armed nothing and stdout takes what it is given, there is
//! only one thing to wait for, so the wait is a blocking `read`: an idle round trip costs two system
//! calls. The first deadline, or the first full stdout, makes stdin non-blocking for good, and the
//! round trip costs three: poll, read, write. What cannot be polled (a file) is read blocking, a piece a
//! wake-up, with timers fired in between. epoll counts in milliseconds, rounded up, so a timer fires up to one late.
//!
//! Everything is bounded: a line by [`MAX_LINE`](crate::wire::MAX_LINE), a wake-up by [`READS_PER_WAKE`], what waits
//! for a stdout that nobody reads by [`PENDING_LIMIT`].

mod input;
mod nonblocking;
mod output;
mod process;

pub use process::{main, main_with};

use crate::engine::StateMachine;
use crate::time::Time;
use input::Input;
use mio::{Events, Poll, Token};
use output::Output;
use std::io;
use std::os::fd::BorrowedFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The bytes of output that may wait for a full stdout before the machine is left alone.
///
/// Up to here reading goes on, so that a peer that writes all its requests before it reads the answers
/// is served. From here on nothing is read and nothing expires until stdout has taken enough, as if the
/// process had blocked in `write`. The output exceeds it by what the machine makes of one read.
pub const PENDING_LIMIT: usize = 1 << 20;

/// Reads of one wake-up: about a megabyte, so that timers and output wait for no more than its handling.
pub const READS_PER_WAKE: usize = 8;

/// The descriptor that an event is about.
const INPUT: Token = Token(0);
const OUTPUT: Token = Token(1);

/// Drives `machine` from stdin to stdout, and says how the process is to exit.
///
/// A broken stdout is a failure without a word, because whoever closed it knows.
pub fn host<M: StateMachine>(machine: &mut M) -> ExitCode {
    match run(machine) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if error.kind() != io::ErrorKind::BrokenPipe {
                log::error!("stdin or stdout failed: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Drives `machine` from stdin to stdout until stdin ends.
///
/// # Errors
///
/// As [`serve`].
pub fn run<M: StateMachine>(machine: &mut M) -> io::Result<()> {
    serve(rustix::stdio::stdin(), rustix::stdio::stdout(), machine)
}

/// Drives `machine` from `input` to `output` until `input` ends and all output is written.
///
/// The two must be different descriptors, but may be one open file, as a terminal is. Their flags are
/// restored on return. Time is zero at the call.
///
/// # Errors
///
/// When `input` or `output` fails; [`io::ErrorKind::BrokenPipe`] when nobody can read `output` any more.
pub fn serve<M: StateMachine>(input: BorrowedFd<'_>, output: BorrowedFd<'_>, machine: &mut M) -> io::Result<()> {
    EventLoop::open(input, output)?.serve(machine)
}

/// The loop's state.
#[derive(Debug)]
struct EventLoop<'fd> {
    poll: Poll,
    events: Events,
    input: Input<'fd>,
    output: Output<'fd>,
    zero: Instant,
}

impl<'fd> EventLoop<'fd> {
    #[expect(clippy::disallowed_methods, reason = "the host of a process is where its time comes from")]
    fn open(input: BorrowedFd<'fd>, output: BorrowedFd<'fd>) -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(4),
            input: Input::open(input)?,
            output: Output::open(output)?,
            zero: Instant::now(),
        })
    }

    fn serve<M: StateMachine>(mut self, machine: &mut M) -> io::Result<()> {
        loop {
            self.turn(machine)?;
            if self.input.has_ended() {
                break;
            }
            self.wait(machine)?;
        }
        while self.output.is_stuck() {
            self.poll(None)?;
            self.output.write(machine.output(), self.poll.registry())?;
        }
        Ok(())
    }

    /// Returns when there is something to do.
    fn wait<M: StateMachine>(&mut self, machine: &mut M) -> io::Result<()> {
        let full = self.output.is_full(machine.output());
        let deadline = if full { None } else { machine.next_deadline() };
        if deadline.is_some() || self.output.is_stuck() || !self.input.is_ready() {
            self.input.stop_blocking(self.poll.registry())?;
        }
        let may_read = !full && self.input.is_ready();
        if may_read && self.output.is_stuck() {
            self.poll(Some(Duration::ZERO))?;
        } else if !may_read {
            let timeout = deadline.map(|at| at.since(self.now()));
            self.poll(timeout)?;
        }
        if may_read && self.input.blocks() { self.input.read() } else { Ok(()) }
    }

    /// Does everything that one wake-up asks for.
    fn turn<M: StateMachine>(&mut self, machine: &mut M) -> io::Result<()> {
        if !self.output.is_full(machine.output()) {
            self.handle(machine)?;
        }
        self.output.write(machine.output(), self.poll.registry())
    }

    /// Feeds what was read, and what can be read without waiting, then fires what is due.
    fn handle<M: StateMachine>(&mut self, machine: &mut M) -> io::Result<()> {
        let now = self.now();
        self.input.feed(machine, now);
        for _ in 0..READS_PER_WAKE {
            if self.input.blocks() || !self.input.is_ready() || self.output.is_full(machine.output()) {
                break;
            }
            self.input.read()?;
            self.input.feed(machine, now);
        }
        if machine.next_deadline().is_some_and(|at| at <= now) {
            machine.on_deadline(now);
        }
        Ok(())
    }

    fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let mut polled = self.poll.poll(&mut self.events, timeout);
        if polled.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {
            // So wakes a process that was stopped: what came meanwhile has to be read before anything expires.
            polled = self.poll.poll(&mut self.events, Some(Duration::ZERO));
        }
        match polled {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        for event in &self.events {
            if event.token() == INPUT {
                self.input.on_event(event);
            } else {
                self.output.on_writable();
            }
        }
        Ok(())
    }

    fn now(&self) -> Time {
        Time::ZERO + self.zero.elapsed()
    }
}
