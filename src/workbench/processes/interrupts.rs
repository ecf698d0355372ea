//! Ctrl-C, and a polite request to end, as bytes in a pipe.

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Signals that would end this process. While somebody catches them they make a pipe readable; at other times
/// they end the process as usual.
#[derive(Debug)]
pub struct Interrupts {
    pipe: UnixStream,
    uncaught: Arc<AtomicBool>,
}

impl Interrupts {
    /// Takes over the signals. Once in a process is enough.
    ///
    /// # Errors
    ///
    /// When the system refuses a pipe or a handler.
    pub fn new() -> io::Result<Self> {
        let (pipe, signalled) = UnixStream::pair()?;
        pipe.set_nonblocking(true)?;
        let uncaught = Arc::new(AtomicBool::new(true));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&uncaught))?;
            signal_hook::low_level::pipe::register(signal, signalled.try_clone()?)?;
        }
        Ok(Self { pipe, uncaught })
    }

    pub(super) fn pipe(&self) -> &UnixStream {
        &self.pipe
    }

    pub(super) fn catch(&self, catch: bool) {
        self.uncaught.store(!catch, Ordering::SeqCst);
    }

    /// Whether a signal has come since the last call.
    pub(super) fn take(&self) -> bool {
        let mut bytes = [0; 16];
        matches!((&self.pipe).read(&mut bytes), Ok(1..))
    }
}
