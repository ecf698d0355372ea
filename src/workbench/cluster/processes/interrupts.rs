//! Signals as bytes in pipes: Ctrl-C, a polite request to end, and the end of a child.

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};

/// Signals that would end this process. While a [`Caught`] lives they make a pipe readable; otherwise they end the
/// process as usual.
#[derive(Debug)]
pub struct Interrupts {
    pipe: UnixStream,
    children: UnixStream,
    uncaught: Arc<AtomicBool>,
    raised: Arc<AtomicBool>,
}

/// The signals are caught as long as this lives.
#[derive(Debug)]
pub struct Caught<'a>(&'a Interrupts);

impl Interrupts {
    /// Takes over the signals. Once in a process is enough.
    pub fn new() -> io::Result<Self> {
        let (pipe, signalled) = UnixStream::pair()?;
        let (children, ended) = UnixStream::pair()?;
        pipe.set_nonblocking(true)?;
        children.set_nonblocking(true)?;
        let (uncaught, raised) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&uncaught))?;
            signal_hook::flag::register(signal, Arc::clone(&raised))?;
            signal_hook::low_level::pipe::register(signal, signalled.try_clone()?)?;
        }
        signal_hook::low_level::pipe::register(SIGCHLD, ended)?;
        Ok(Self { pipe, children, uncaught, raised })
    }

    /// Catches the signals from now on.
    pub fn catch(&self) -> Caught<'_> {
        self.uncaught.store(false, Ordering::SeqCst);
        Caught(self)
    }

    /// Readable when a signal has come.
    pub(super) fn pipe(&self) -> &UnixStream {
        &self.pipe
    }

    /// Readable when any child of this process has ended.
    pub(super) fn children(&self) -> &UnixStream {
        &self.children
    }

    /// Makes that pipe wait for the next end of a child.
    pub(super) fn take_children(&self) {
        let mut bytes = [0; 256];
        while matches!((&self.children).read(&mut bytes), Ok(1..)) {}
    }

    /// Whether a signal has come since the last call.
    pub(super) fn take(&self) -> bool {
        let mut bytes = [0; 16];
        matches!((&self.pipe).read(&mut bytes), Ok(1..))
    }
}

impl Caught<'_> {
    /// Whether a signal has come, ever.
    pub fn is_raised(&self) -> bool {
        self.0.raised.load(Ordering::Relaxed)
    }
}

impl Drop for Caught<'_> {
    fn drop(&mut self) {
        self.0.uncaught.store(true, Ordering::SeqCst);
    }
}
