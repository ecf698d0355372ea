//! The pipes of a program, none of which ever blocks, and the last lines that it wrote.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};

use mio::unix::pipe::{Receiver, Sender};

use super::log::Log;
use crate::workbench::network::Lines;

/// How many lines of stdout and of stderr are kept for the report of a crash.
const KEPT: usize = 32;
/// How many bytes of each of them.
const KEPT_BYTES: usize = 1_000;
/// How often a pipe is read before it is closed: Linux lets none hold more than 1 MiB.
pub(in crate::workbench::cluster) const WHOLE_PIPE: usize = 16;
/// Longer lines on stderr are truncated.
pub(in crate::workbench::cluster) const LONGEST_STDERR: usize = 64 << 10;

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

/// A stream that a node writes.
pub(in crate::workbench::cluster) struct Output {
    pub(in crate::workbench::cluster) pipe: Option<Receiver>,
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
