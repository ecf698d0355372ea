//! The machine under the tests, and a thread to serve it on.

use gossip_gloomers::engine::StateMachine;
use gossip_gloomers::event_loop;
use gossip_gloomers::time::{Duration, Time};
use gossip_gloomers::wire::PADDING;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// What no test takes: whoever waits longer hangs.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// Answers each line with itself, and may tick.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    output: Vec<u8>,
    /// Put before each line.
    pub(crate) prompt: &'static str,
    /// How often to tick, if at all.
    period: Option<Duration>,
    next: Time,
    /// When it ticked.
    pub(crate) ticks: Vec<Time>,
    /// How often the shell looked for output, which is a few times a wake-up.
    pub(crate) output_calls: usize,
    /// The output's greatest length.
    pub(crate) peak: usize,
    /// Length of the buffer in which the last lines came.
    pub(crate) buffer: usize,
    /// Lengths of the lines that were too long.
    pub(crate) oversize: Vec<u64>,
}

impl Echo {
    /// A machine that ticks every `ms` milliseconds, which keeps the shell polling.
    pub(crate) fn ticking(ms: u64) -> Self {
        Self { period: Some(Duration::from_millis(ms)), ..Self::default() }
    }
}

impl StateMachine for Echo {
    fn on_lines(&mut self, buffer: &mut [u8], lines: usize, _now: Time) {
        assert!(lines > 0, "called for nothing");
        assert_eq!(buffer[lines - 1], b'\n', "a line is torn");
        assert!(buffer.len() >= lines + PADDING, "no room to parse in place");
        for line in buffer[..lines].split_inclusive(|&byte| byte == b'\n') {
            self.output.extend_from_slice(self.prompt.as_bytes());
            self.output.extend_from_slice(line);
        }
        // Parsing in place leaves nothing as it was.
        buffer[..lines].fill(b'\n');
        self.peak = self.peak.max(self.output.len());
        self.buffer = buffer.len();
    }

    fn on_deadline(&mut self, now: Time) {
        assert!(self.next_deadline().is_some_and(|at| at <= now), "fired early");
        self.ticks.push(now);
        self.next = now + self.period.expect("only what ticks has a deadline");
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

/// A machine being served.
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
    /// What `serve` returned, and the machine.
    pub(crate) fn ended(self) -> (io::Result<()>, Echo) {
        self.0.recv_timeout(TIMEOUT).expect("the shell should have returned")
    }

    /// The machine, after all went well.
    pub(crate) fn machine(self) -> Echo {
        let (served, echo) = self.ended();
        served.expect("nothing failed");
        echo
    }
}

/// Writes all of `bytes` from a thread, then hangs up.
pub(crate) fn write_all(mut to: impl Write + Send + 'static, bytes: Vec<u8>) {
    thread::spawn(move || to.write_all(&bytes));
}

/// Everything there is to read until the other side hangs up.
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

/// Fails without printing megabytes.
pub(crate) fn assert_same(got: &[u8], expected: &[u8]) {
    let differs = got.iter().zip(expected).position(|(a, b)| a != b);
    assert_eq!((got.len(), differs), (expected.len(), None), "length, and the first byte that differs");
}
