//! The event loop, on mio: the only module with file descriptors and a clock.
//!
//! A wake-up reads from stdin, passes the complete lines to a [`StateMachine`] in place, handles deadlines, and writes
//! once. While no deadline is set and stdout is not full, stdin is the only event source, so the loop waits in a
//! blocking `read`: a round trip costs two system calls. The first deadline, or the first full stdout, makes stdin
//! non-blocking for the rest of the run, and a round trip costs three: poll, read, write. Input that cannot be polled
//! (a file) is read blocking, one read per wake-up, with deadlines handled in between. epoll's time-outs are in
//! milliseconds, rounded up, so a timer fires up to one millisecond late.
//!
//! Everything is bounded: a line by [`MAX_LINE`](crate::wire::MAX_LINE), a wake-up by [`READS_PER_WAKE`], and unwritten
//! output by [`PENDING_LIMIT`].

mod input;
mod nonblocking;
mod output;
mod process;

pub use process::{main, main_with};

use crate::engine::StateMachine;
use crate::storage::Storage;
use crate::time::Time;
use input::Input;
use mio::{Events, Poll, Token};
use output::Output;
use std::io;
use std::os::fd::BorrowedFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The number of bytes of output that may be pending on a full stdout before the state machine is paused.
///
/// Below the limit, reading continues, so that a peer may write all its requests before it reads the replies. Above it,
/// nothing is read and no deadline is handled until stdout has drained, as if the process had blocked in `write`.
/// Output may exceed the limit by the output for one read.
pub const PENDING_LIMIT: usize = 1 << 20;

/// Maximum number of reads per wake-up: about a megabyte, which bounds how long timers and output are delayed.
pub const READS_PER_WAKE: usize = 8;

/// The file descriptors that are polled.
const INPUT: Token = Token(0);
const OUTPUT: Token = Token(1);

/// Drives `machine` from stdin to stdout; returns the exit code for the process.
///
/// A closed stdout is a failure without a message; any other I/O error is logged.
pub fn host<M: StateMachine>(machine: &mut M) -> ExitCode {
    exit_code(run(machine))
}

/// As [`host`], and stores what the machine demands before each write to stdout. A failure to store is logged and ends
/// the process: nothing that depends on it has left.
pub fn host_durable<M: StateMachine>(machine: &mut M, storage: Storage) -> ExitCode {
    let (input, output) = (rustix::stdio::stdin(), rustix::stdio::stdout());
    exit_code(EventLoop::open(input, output, Some(storage)).and_then(|event_loop| event_loop.serve(machine)))
}

fn exit_code(ended: io::Result<()>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if error.kind() != io::ErrorKind::BrokenPipe {
                log::error!("stdin, stdout or the storage failed: {error}");
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
/// The two must be different descriptors, but may refer to the same open file, such as a terminal. Their flags are
/// restored on return. The machine's time starts at zero.
///
/// # Errors
///
/// `input` or `output` fails; [`io::ErrorKind::BrokenPipe`] if the reading end of `output` was closed.
pub fn serve<M: StateMachine>(input: BorrowedFd<'_>, output: BorrowedFd<'_>, machine: &mut M) -> io::Result<()> {
    EventLoop::open(input, output, None)?.serve(machine)
}

/// The state of the loop.
#[derive(Debug)]
struct EventLoop<'fd> {
    poll: Poll,
    events: Events,
    input: Input<'fd>,
    output: Output<'fd>,
    storage: Option<Storage>,
    origin: Instant,
}

impl<'fd> EventLoop<'fd> {
    #[expect(clippy::disallowed_methods, reason = "the host of a process is where its time comes from")]
    fn open(input: BorrowedFd<'fd>, output: BorrowedFd<'fd>, storage: Option<Storage>) -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(4),
            input: Input::open(input)?,
            output: Output::open(output)?,
            storage,
            origin: Instant::now(),
        })
    }

    fn serve<M: StateMachine>(mut self, machine: &mut M) -> io::Result<()> {
        loop {
            self.wake_up(machine)?;
            if self.input.has_ended() {
                break;
            }
            self.wait(machine)?;
        }
        while self.output.is_blocked() {
            self.poll(None)?;
            self.output.write(machine.output(), self.poll.registry())?;
        }
        Ok(())
    }

    /// Waits for input, writable output or a deadline.
    fn wait<M: StateMachine>(&mut self, machine: &mut M) -> io::Result<()> {
        let full = self.output.is_full(machine.output());
        let deadline = if full { None } else { machine.next_deadline() };
        if deadline.is_some() || self.output.is_blocked() || !self.input.is_ready() {
            self.input.stop_blocking(self.poll.registry())?;
        }
        let may_read = !full && self.input.is_ready();
        if may_read && self.output.is_blocked() {
            self.poll(Some(Duration::ZERO))?;
        } else if !may_read {
            let timeout = deadline.map(|at| at.since(self.now()));
            self.poll(timeout)?;
        }
        if may_read && self.input.blocks() { self.input.read() } else { Ok(()) }
    }

    /// Handles one wake-up.
    fn wake_up<M: StateMachine>(&mut self, machine: &mut M) -> io::Result<()> {
        if !self.output.is_full(machine.output()) {
            self.handle(machine)?;
        }
        // The output of an earlier wake-up depends on nothing of this one, but it may as well wait.
        if let Some(storage) = &mut self.storage
            && let Some(unsaved) = machine.unsaved()
        {
            storage.commit(unsaved).map_err(io::Error::other)?;
        }
        self.output.write(machine.output(), self.poll.registry())
    }

    /// Handles the input that was read or can be read without blocking, then the deadlines.
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
            // A process that was stopped resumes here: pending input must be read before anything expires.
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
        Time::ZERO + self.origin.elapsed()
    }
}
