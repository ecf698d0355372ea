//! Stdout: writes the machine's output, in as few system calls as possible.

use super::nonblocking::NonBlocking;
use super::{OUTPUT, PENDING_LIMIT};
use mio::unix::SourceFd;
use mio::{Interest, Registry};
use rustix::fs::FileType;
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Upper bound on the capacity that an empty output buffer keeps.
const KEPT_OUTPUT: usize = 1 << 20;

/// The descriptor that lines are written to.
#[derive(Debug)]
pub(super) struct Output<'fd> {
    fd: BorrowedFd<'fd>,
    /// Restores the blocking mode when it is dropped.
    _flags: NonBlocking<'fd>,
    /// Bytes of the machine's output that are written and not yet removed.
    written: usize,
    /// Whether the last write would have blocked, and mio has not reported it writable since.
    blocked: bool,
    /// Whether it is registered with mio, which happens when it is first blocked.
    registered: bool,
}

impl<'fd> Output<'fd> {
    pub(super) fn open(fd: BorrowedFd<'fd>) -> io::Result<Self> {
        let mut flags = NonBlocking::unchanged(fd);
        if FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode) != FileType::RegularFile {
            flags.set()?;
        }
        Ok(Self { fd, _flags: flags, written: 0, blocked: false, registered: false })
    }

    /// Whether output is pending until the descriptor becomes writable.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Whether [`PENDING_LIMIT`] is reached.
    pub(super) fn is_full(&self, pending: &[u8]) -> bool {
        pending.len() - self.written >= PENDING_LIMIT
    }

    pub(super) fn on_writable(&mut self) {
        self.blocked = false;
    }

    /// Writes and removes as much of `pending` as the descriptor accepts.
    pub(super) fn write(&mut self, pending: &mut Vec<u8>, registry: &Registry) -> io::Result<()> {
        while !self.blocked && self.written < pending.len() {
            match rustix::io::write(self.fd, &pending[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => self.written += length,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.register(registry)?,
                Err(error) => return Err(error.into()),
            }
        }
        if self.written == pending.len() {
            pending.clear();
            pending.shrink_to(KEPT_OUTPUT);
            self.written = 0;
        } else if self.written > pending.len() / 2 {
            // Fewer bytes move than were written, so each moves at most once on average.
            pending.drain(..self.written);
            self.written = 0;
        }
        Ok(())
    }

    fn register(&mut self, registry: &Registry) -> io::Result<()> {
        self.blocked = true;
        if !self.registered {
            registry.register(&mut SourceFd(&self.fd.as_raw_fd()), OUTPUT, Interest::WRITABLE)?;
            self.registered = true;
        }
        Ok(())
    }
}
