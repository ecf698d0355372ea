//! The state machine of these tests, and a thread that serves it.

use gossip_gloomers::engine::StateMachine;
use gossip_gloomers::event_loop;
use gossip_gloomers::time::{Duration, Time};
use gossip_gloomers::wire::PADDING;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// Longer than any test takes.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// Echoes each line, and optionally sets deadlines.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    output: Vec<u8>,
    /// Written before each line.
    pub(crate) prompt: &'static str,
    /// The time between deadlines, if there are any.
    period: Option<Duration>,
    next: Time,
    /// When deadlines were handled.
    pub(crate) ticks: Vec<Time>,
    /// The number of calls of `output`, a few for each wake-up.
    pub(crate) output_calls: usize,
    /// The maximum length of the output.
    pub(crate) peak: usize,
    /// The length of the last input buffer.
    pub(crate) buffer: usize,
    /// The lengths of the lines that were too long.
    pub(crate) oversize: Vec<u64>,
}

impl Echo {
    /// With a deadline every `ms` milliseconds, so that the event loop polls.
    pub(crate) fn ticking(ms: u64) -> Self {
        Self { period: Some(Duration::from_millis(ms)), ..Self::default() }
    }
}

impl StateMachine for Echo {
    fn on_lines(&mut self, buffer: &mut [u8], lines: usize, _now: Time) {
        assert!(lines > 0, "called without lines");
        assert_eq!(buffer[lines - 1], b'\n', "a line is incomplete");
        assert!(buffer.len() >= lines + PADDING, "no room to parse in place");
        for line in buffer[..lines].split_inclusive(|&byte| byte == b'\n') {
            self.output.extend_from_slice(self.prompt.as_bytes());
            self.output.extend_from_slice(line);
        }
        // As parsing in place overwrites the lines.
        buffer[..lines].fill(b'\n');
        self.peak = self.peak.max(self.output.len());
        self.buffer = buffer.len();
    }

    fn on_deadline(&mut self, now: Time) {
        assert!(self.next_deadline().is_some_and(|at| at <= now), "fired early");
        self.ticks.push(now);
        self.next = now + self.period.expect("there is a deadline only with a period");
    }

    fn next_deadline(&self) -> Option<Time> {
        self.period.map(|_| self.next)
    }

    fn output(&mut self) -> &mut Vec<u8> {
        self.output_calls += 1;
        &mut self.output
    }

    fn on_oversize(&mut self, length: u64) {
        self.oversize.push(length);
    }
}

/// A state machine served on a thread.
#[derive(Debug)]
pub(crate) struct Served(Receiver<(io::Result<()>, Echo)>);

/// Serves `echo` on a thread, which owns the descriptors.
pub(crate) fn serve(input: impl Into<OwnedFd>, output: impl Into<OwnedFd>, mut echo: Echo) -> Served {
    let (input, output) = (input.into(), output.into());
    let (done, result) = channel();
    thread::spawn(move || {
        let served = event_loop::serve(input.as_fd(), output.as_fd(), &mut echo);
        drop((input, output));
        done.send((served, echo)).expect("the test waits");
    });
    Served(result)
}

impl Served {
    /// The result of `serve`, and the state machine.
    pub(crate) fn ended(self) -> (io::Result<()>, Echo) {
        self.0.recv_timeout(TIMEOUT).expect("the event loop returns")
    }

    /// The state machine, after `serve` succeeded.
    pub(crate) fn machine(self) -> Echo {
        let (served, echo) = self.ended();
        served.expect("nothing failed");
        echo
    }
}

/// Writes all of `bytes` from a thread, then closes the descriptor.
pub(crate) fn write_all(mut to: impl Write + Send + 'static, bytes: Vec<u8>) {
    thread::spawn(move || to.write_all(&bytes));
}

/// Reads until the other end is closed.
pub(crate) fn read_all(mut from: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).expect("readable");
    bytes
}

/// `count` different lines of about a hundred bytes.
pub(crate) fn numbered_lines(count: usize) -> Vec<u8> {
    let mut lines = Vec::new();
    for number in 0..count {
        writeln!(lines, "{number:0100}").expect("writing to a Vec cannot fail");
    }
    lines
}

/// Asserts that the bytes are equal, without printing megabytes.
pub(crate) fn assert_same(got: &[u8], expected: &[u8]) {
    let differs = got.iter().zip(expected).position(|(a, b)| a != b);
    assert_eq!((got.len(), differs), (expected.len(), None), "length, and the first byte that differs");
}
