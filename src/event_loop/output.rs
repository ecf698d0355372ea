//! Stdout: what the machine has produced, in as few writes as it takes.

use super::nonblocking::NonBlocking;
use super::{OUTPUT, PENDING_LIMIT};
use mio::unix::SourceFd;
use mio::{Interest, Registry};
use rustix::fs::FileType;
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The capacity to which an empty output shrinks after giant lines.
const KEPT_OUTPUT: usize = 1 << 20;

/// The descriptor lines go to.
#[derive(Debug)]
pub(super) struct Output<'fd> {
    fd: BorrowedFd<'fd>,
    /// Held for what it does when dropped.
    _flags: NonBlocking<'fd>,
    /// How much of the machine's output is written and not yet removed.
    written: usize,
    /// Whether it took no more, and mio has not said otherwise since.
    stuck: bool,
    /// Whether mio watches it: from the first time it is stuck, since it says nothing while there is room.
    watched: bool,
}

impl<'fd> Output<'fd> {
    pub(super) fn open(fd: BorrowedFd<'fd>) -> io::Result<Self> {
        let mut flags = NonBlocking::not_yet(fd);
        if FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode) != FileType::RegularFile {
            flags.set()?;
        }
        Ok(Self { fd, _flags: flags, written: 0, stuck: false, watched: false })
    }

    /// Whether output waits until the descriptor takes more.
    pub(super) fn is_stuck(&self) -> bool {
        self.stuck
    }

    /// Whether so much waits that no more should be produced.
    pub(super) fn is_full(&self, pending: &[u8]) -> bool {
        pending.len() - self.written >= PENDING_LIMIT
    }

    pub(super) fn on_writable(&mut self) {
        self.stuck = false;
    }

    /// Writes and removes as much of `pending` as the descriptor takes.
    pub(super) fn write(&mut self, pending: &mut Vec<u8>, registry: &Registry) -> io::Result<()> {
        while !self.stuck && self.written < pending.len() {
            match rustix::io::write(self.fd, &pending[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => self.written += length,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.watch(registry)?,
                Err(error) => return Err(error.into()),
            }
        }
        if self.written == pending.len() {
            pending.clear();
            pending.shrink_to(KEPT_OUTPUT);
            self.written = 0;
        } else if self.written > pending.len() / 2 {
            // Less moves than was written, so a byte moves at most once on average.
            pending.drain(..self.written);
            self.written = 0;
        }
        Ok(())
    }

    fn watch(&mut self, registry: &Registry) -> io::Result<()> {
        self.stuck = true;
        if !self.watched {
            registry.register(&mut SourceFd(&self.fd.as_raw_fd()), OUTPUT, Interest::WRITABLE)?;
            self.watched = true;
        }
        Ok(())
    }
}
