//! One process and its three pipes, none of which ever blocks.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};

use mio::unix::pipe::{Receiver, Sender};
use mio::{Interest, Registry, Token};
use rustix::process::{Pid, Signal, kill_process_group};

use super::Launch;
use crate::workbench::cluster::LastWords;
use crate::workbench::network::Lines;

/// How many lines of stdout and of stderr are kept for the report of a crash.
const KEPT: usize = 32;
/// How many bytes of each of them.
const KEPT_BYTES: usize = 1_000;
/// Deliveries of so many bytes are written at once: what a Linux pipe holds.
const FULL: usize = 64 << 10;
/// How often one pipe is read before the others have their turn: 1 MiB of a node that prints without end.
const READS: usize = 16;

pub(super) struct Child {
    name: String,
    process: std::process::Child,
    ended: Option<ExitStatus>,
    stdin: Option<Sender>,
    /// Deliveries that stdin has not taken yet.
    outgoing: Vec<u8>,
    /// Whether stdin takes nothing more for now.
    stuck: bool,
    stdout: Option<Receiver>,
    /// Whether there may be more to read than was read so far.
    pub(super) stdout_ready: bool,
    stdout_lines: Lines,
    stdout_recent: Recent,
    stderr: Option<Receiver>,
    stderr_lines: Lines,
    stderr_recent: Recent,
    log: File,
    log_stderr: bool,
}

impl Child {
    pub(super) fn spawn(launch: &Launch, name: &str, registry: &Registry, tokens: [Token; 3]) -> io::Result<Self> {
        let log = launch.logs.join(format!("{}.log", name.replace('/', "_")));
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        // A group of its own, so that what the node starts ends with it.
        let mut process = Command::new(&launch.program)
            .args(&launch.arguments)
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let [on_stdin, on_stdout, on_stderr] = tokens;
        let mut stdin = process.stdin.take().map(Sender::from);
        let mut stdout = process.stdout.take().map(Receiver::from);
        let mut stderr = process.stderr.take().map(Receiver::from);
        let mut child = Self {
            name: name.to_owned(),
            process,
            ended: None,
            stdin: None,
            outgoing: Vec::new(),
            stuck: false,
            stdout: None,
            stdout_ready: false,
            stdout_lines: Lines::default(),
            stdout_recent: Recent::default(),
            stderr: None,
            stderr_lines: Lines::default(),
            stderr_recent: Recent::default(),
            log,
            log_stderr: launch.log_stderr,
        };
        let registered = (|| {
            if let Some(pipe) = &mut stdin {
                pipe.set_nonblocking(true)?;
                registry.register(pipe, on_stdin, Interest::WRITABLE)?;
            }
            for (pipe, token) in [(&mut stdout, on_stdout), (&mut stderr, on_stderr)] {
                if let Some(pipe) = pipe {
                    pipe.set_nonblocking(true)?;
                    registry.register(pipe, token, Interest::READABLE)?;
                }
            }
            Ok(())
        })();
        if let Err(error) = registered {
            child.kill(&mut [0]);
            return Err(error);
        }
        (child.stdin, child.stdout, child.stderr) = (stdin, stdout, stderr);
        Ok(child)
    }

    pub(super) fn accepts(&self) -> bool {
        !self.stuck
    }

    /// Takes a line to be written by the next [`Child::flush`]; many at once are written before.
    pub(super) fn deliver(&mut self, line: &[u8]) {
        self.outgoing.extend_from_slice(line);
        if self.outgoing.len() >= FULL {
            self.flush();
        }
    }

    /// Writes what was delivered, or as much of it as the pipe takes now. A node that no longer reads ignores it.
    pub(super) fn flush(&mut self) {
        let mut written = 0;
        while written < self.outgoing.len() && !self.stuck {
            let Some(stdin) = &mut self.stdin else { break };
            match stdin.write(&self.outgoing[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.stuck = true,
                Err(_) => self.stdin = None,
            }
        }
        self.outgoing.drain(..written);
        if self.stdin.is_none() {
            self.outgoing.clear();
        }
    }

    /// The pipe may take more; returns whether the node has become ready for the next delivery.
    pub(super) fn on_writable(&mut self) -> bool {
        let was_stuck = std::mem::take(&mut self.stuck);
        self.flush();
        was_stuck && !self.stuck
    }

    pub(super) fn read_stdout(&mut self, chunk: &mut [u8], on_line: &mut dyn FnMut(&[u8])) {
        let Self { stdout, stdout_lines, stdout_recent, .. } = self;
        let mut on_line = |line: &[u8]| {
            stdout_recent.keep(line);
            on_line(line);
        };
        let end = drain(stdout, chunk, |bytes| stdout_lines.feed(bytes, &mut on_line));
        if end == End::Closed {
            stdout_lines.finish(&mut on_line);
        }
        self.stdout_ready = end == End::More;
    }

    pub(super) fn read_stderr(&mut self, chunk: &mut [u8]) {
        let Self { name, stderr, stderr_lines, stderr_recent, log, log_stderr, .. } = self;
        let mut on_line = |line: &[u8]| {
            stderr_recent.keep(line);
            if *log_stderr {
                writeln!(io::stderr(), "{name} stderr: {}", String::from_utf8_lossy(line)).ok();
            }
        };
        loop {
            let end = drain(stderr, chunk, |bytes| {
                // A full disk must not end the test.
                log.write_all(bytes).ok();
                stderr_lines.feed(bytes, &mut on_line);
            });
            match end {
                End::More => {}
                End::Empty => return,
                End::Closed => return stderr_lines.finish(&mut on_line),
            }
        }
    }

    /// How the process ended, if it has; what it wrote until then has been read.
    pub(super) fn exit_status(&mut self, chunk: &mut [u8]) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.process.try_wait().ok().flatten();
            if self.ended.is_some() {
                self.read_rest(chunk);
            }
        }
        self.ended
    }

    /// Ends the process and everything that it started and that did not leave its group.
    pub(super) fn kill(&mut self, chunk: &mut [u8]) {
        if self.exit_status(chunk).is_some() {
            return;
        }
        self.signal(Signal::KILL);
        self.process.kill().ok();
        self.ended = self.process.wait().ok();
        self.read_rest(chunk);
        (self.stdin, self.stdout, self.stderr) = (None, None, None);
    }

    /// Sends a signal to the process and what it started, unless it has ended.
    pub(super) fn signal(&self, signal: Signal) {
        if self.ended.is_none() {
            // It may have ended without our knowledge; until it is waited for, its number is nobody else's.
            kill_process_group(Pid::from_child(&self.process), signal).ok();
        }
    }

    pub(super) fn unfinished(&self) -> &[u8] {
        self.stdout_lines.unfinished()
    }

    pub(super) fn last_words(&self) -> LastWords {
        LastWords { stdout: self.stdout_recent.lines(), stderr: self.stderr_recent.lines() }
    }

    fn read_rest(&mut self, chunk: &mut [u8]) {
        self.read_stderr(chunk);
        self.read_stdout(chunk, &mut |_| {});
    }
}

#[derive(PartialEq, Eq)]
enum End {
    Empty,
    Closed,
    More,
}

fn drain(pipe: &mut Option<Receiver>, chunk: &mut [u8], mut on_bytes: impl FnMut(&[u8])) -> End {
    let Some(open) = pipe else { return End::Empty };
    for _ in 0..READS {
        match open.read(chunk) {
            Ok(0) => {
                *pipe = None;
                return End::Closed;
            }
            Ok(count) => on_bytes(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return End::Empty,
            Err(_) => {
                *pipe = None;
                return End::Closed;
            }
        }
    }
    End::More
}

/// The last lines of a stream.
#[derive(Default)]
struct Recent(VecDeque<Vec<u8>>);

impl Recent {
    fn keep(&mut self, line: &[u8]) {
        let mut kept = if self.0.len() == KEPT { self.0.pop_front().unwrap_or_default() } else { Vec::new() };
        kept.clear();
        kept.extend_from_slice(&line[..line.len().min(KEPT_BYTES)]);
        self.0.push_back(kept);
    }

    fn lines(&self) -> Vec<String> {
        self.0.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }
}
