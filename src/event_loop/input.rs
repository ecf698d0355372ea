//! Stdin: one buffer, whose lines are handled in place.
//!
//! `buffer[start..end]` is the input not yet handled: at most a partial line after [`Input::feed`]. It moves to the
//! front only when the room behind it becomes small, so a line moves at most once, not counting the doubling of the
//! buffer for a long one.

use super::INPUT;
use super::nonblocking::NonBlocking;
use crate::engine::StateMachine;
use crate::time::Time;
use crate::wire::{MAX_LINE, PADDING};
use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Interest, Registry};
use rustix::fs::FileType;
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The initial size of the buffer: twice the capacity of a pipe, so that one read drains the pipe and is short, which
/// shows that no more input is there.
const BUFFER: usize = 128 << 10;
/// The capacity of a pipe; with less room, a partial line moves to the front, or the buffer doubles.
const MIN_ROOM: usize = 64 << 10;
/// A buffer larger than this shrinks again when it is drained.
const KEPT_BUFFER: usize = 1 << 20;
/// The size that holds the longest line and its newline.
const MAX_BUFFER: usize = MAX_LINE + 1 + PADDING;

/// How the descriptor is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Blocking, while stdin is the only event source.
    Blocking,
    /// Non-blocking, when mio reports it readable.
    Polled,
    /// Blocking, because it cannot be polled.
    Unpollable,
}

/// The descriptor that lines are read from.
#[derive(Debug)]
pub(super) struct Input<'fd> {
    fd: BorrowedFd<'fd>,
    flags: NonBlocking<'fd>,
    file_type: FileType,
    mode: Mode,
    /// Whether a polled descriptor may be readable.
    ready: bool,
    /// Whether the other end is closed; reads continue until the end of file.
    closed: bool,
    ended: bool,
    /// Always longer than `end` by at least the padding.
    buffer: Vec<u8>,
    start: usize,
    /// The end of the complete lines; `start` if there are none.
    lines: usize,
    end: usize,
    /// The bytes seen of a line that is too long and has not ended.
    skipping: Option<u64>,
    /// The length of a line that was skipped and not yet reported.
    skipped: Option<u64>,
}

impl<'fd> Input<'fd> {
    pub(super) fn open(fd: BorrowedFd<'fd>) -> io::Result<Self> {
        Ok(Self {
            fd,
            flags: NonBlocking::unchanged(fd),
            file_type: FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode),
            mode: Mode::Blocking,
            ready: true,
            closed: false,
            ended: false,
            buffer: vec![0; BUFFER],
            start: 0,
            lines: 0,
            end: 0,
            skipping: None,
            skipped: None,
        })
    }

    /// Whether the end of the input was reached.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the input may be readable.
    pub(super) fn is_ready(&self) -> bool {
        self.ready && !self.ended
    }

    /// Whether a read may block.
    pub(super) fn blocks(&self) -> bool {
        self.mode != Mode::Polled
    }

    /// Switches to polling, if the descriptor can be polled.
    pub(super) fn stop_blocking(&mut self, registry: &Registry) -> io::Result<()> {
        if self.mode != Mode::Blocking || self.ended {
            return Ok(());
        }
        // epoll refuses files and kqueue never reports their end; both refuse some devices.
        let pollable = self.file_type != FileType::RegularFile
            && registry.register(&mut SourceFd(&self.fd.as_raw_fd()), INPUT, Interest::READABLE).is_ok();
        if pollable {
            self.flags.set()?;
            self.mode = Mode::Polled;
            // Registration also reports input that is already there.
            self.ready = false;
        } else {
            self.mode = Mode::Unpollable;
            self.ready = true;
        }
        Ok(())
    }

    pub(super) fn on_event(&mut self, event: &Event) {
        self.ready = true;
        self.closed |= event.is_read_closed();
    }

    /// Reads once; earlier input must have been passed to [`Input::feed`].
    pub(super) fn read(&mut self) -> io::Result<()> {
        self.make_room();
        let limit = self.buffer.len() - PADDING;
        let room = &mut self.buffer[self.end..limit];
        match rustix::io::read(self.fd, &mut *room) {
            Ok(0) => self.finish(),
            Ok(length) => {
                if self.mode == Mode::Polled {
                    // A read from a terminal returns one line, however many are there.
                    let stream = matches!(self.file_type, FileType::Fifo | FileType::Socket);
                    self.ready = length == room.len() || self.closed || !stream;
                }
                self.append(length);
            }
            Err(Errno::INTR) => {}
            // Also in blocking mode: the flag may have been set through the terminal's output, or by another process.
            Err(Errno::AGAIN) if self.mode != Mode::Unpollable => self.ready = false,
            // The terminal has hung up.
            Err(Errno::IO) if self.file_type == FileType::CharacterDevice => self.finish(),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Passes the complete lines to the machine.
    pub(super) fn feed<M: StateMachine>(&mut self, machine: &mut M, now: Time) {
        if let Some(length) = self.skipped.take() {
            machine.on_oversize(length);
        }
        if self.lines > self.start {
            machine.on_lines(&mut self.buffer[self.start..], self.lines - self.start, now);
            self.start = self.lines;
        }
        if self.start == self.end {
            self.rewind();
        }
        if self.buffer.len() > KEPT_BUFFER && self.end - self.start < MIN_ROOM {
            self.move_to_front();
            self.buffer.truncate(BUFFER);
            self.buffer.shrink_to_fit();
        }
    }

    /// Makes room for [`MIN_ROOM`] bytes, or for the rest of the longest line.
    fn make_room(&mut self) {
        if self.room() < MIN_ROOM && self.start > 0 {
            self.move_to_front();
        }
        if self.room() < MIN_ROOM {
            let larger = (self.buffer.len() * 2).min(MAX_BUFFER);
            self.buffer.reserve_exact(larger - self.buffer.len());
            self.buffer.resize(larger, 0);
        }
    }

    fn move_to_front(&mut self) {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.lines, self.end) = (0, 0, self.end - self.start);
    }

    fn room(&self) -> usize {
        self.buffer.len() - PADDING - self.end
    }

    /// Finds the lines in `length` more bytes.
    fn append(&mut self, length: usize) {
        let mut fresh = self.end;
        self.end += length;
        if let Some(seen) = self.skipping {
            let Some(newline) = self.buffer[fresh..self.end].iter().position(|&byte| byte == b'\n') else {
                self.skipping = Some(seen + length as u64);
                return self.rewind();
            };
            self.skipped = Some(seen + newline as u64);
            self.skipping = None;
            fresh += newline + 1;
            (self.start, self.lines) = (fresh, fresh);
        }
        if let Some(last) = self.buffer[fresh..self.end].iter().rposition(|&byte| byte == b'\n') {
            self.lines = fresh + last + 1;
        } else if self.end - self.start > MAX_LINE {
            self.skipping = Some((self.end - self.start) as u64);
            self.rewind();
        }
    }

    /// Handles the end of the input; terminates a last line without a newline.
    fn finish(&mut self) {
        self.ended = true;
        self.skipped = self.skipping.take();
        if self.end > self.start {
            self.buffer[self.end] = b'\n';
            self.end += 1;
            self.lines = self.end;
        }
    }

    /// Empties the buffer.
    fn rewind(&mut self) {
        (self.start, self.lines, self.end) = (0, 0, 0);
    }
}
