//! Setting `O_NONBLOCK`, and restoring it: the flag belongs to the open file, which other processes may share.

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::io;
use std::os::fd::BorrowedFd;

/// A guard that restores the blocking mode of a descriptor when it is dropped.
#[derive(Debug)]
pub(super) struct NonBlocking<'fd> {
    fd: BorrowedFd<'fd>,
    /// Whether the flag was set here, and so must be cleared.
    was_set: bool,
}

impl<'fd> NonBlocking<'fd> {
    /// A guard that has not changed the descriptor.
    pub(super) fn unchanged(fd: BorrowedFd<'fd>) -> Self {
        Self { fd, was_set: false }
    }

    /// Sets the flag unless it is set.
    pub(super) fn set(&mut self) -> io::Result<()> {
        let flags = fcntl_getfl(self.fd)?;
        if !flags.contains(OFlags::NONBLOCK) {
            fcntl_setfl(self.fd, flags | OFlags::NONBLOCK)?;
            self.was_set = true;
        }
        Ok(())
    }
}

impl Drop for NonBlocking<'_> {
    fn drop(&mut self) {
        if self.was_set
            && let Ok(flags) = fcntl_getfl(self.fd)
        {
            // `drop` cannot report an error.
            let _ = fcntl_setfl(self.fd, flags - OFlags::NONBLOCK);
        }
    }
}
