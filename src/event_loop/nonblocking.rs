//! `O_NONBLOCK`, borrowed: the flag belongs to the open file, which other processes may share.

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::io;
use std::os::fd::BorrowedFd;

/// A descriptor whose open file blocks again, if it did before, once this is dropped.
#[derive(Debug)]
pub(super) struct NonBlocking<'fd> {
    fd: BorrowedFd<'fd>,
    /// Whether the flag was set here, and not by somebody who will want to find it.
    ours: bool,
}

impl<'fd> NonBlocking<'fd> {
    /// A descriptor as it is.
    pub(super) fn not_yet(fd: BorrowedFd<'fd>) -> Self {
        Self { fd, ours: false }
    }

    /// Sets the flag unless it is set.
    pub(super) fn set(&mut self) -> io::Result<()> {
        let flags = fcntl_getfl(self.fd)?;
        if !flags.contains(OFlags::NONBLOCK) {
            fcntl_setfl(self.fd, flags | OFlags::NONBLOCK)?;
            self.ours = true;
        }
        Ok(())
    }
}

impl Drop for NonBlocking<'_> {
    fn drop(&mut self) {
        if self.ours
            && let Ok(flags) = fcntl_getfl(self.fd)
        {
            // Nobody is left to tell of a failure.
            let _ = fcntl_setfl(self.fd, flags - OFlags::NONBLOCK);
        }
    }
}
