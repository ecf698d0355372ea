//! What the tracer records about processes and threads.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;

use libc::pid_t;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::registers::Call;
use crate::time::{Duration, Time};

/// The index of a process; never reused.
pub(super) type ProcessId = usize;
/// The index of a thread; never reused.
pub(super) type ThreadId = usize;

/// A process.
pub(super) struct Process {
    pub(super) node: usize,
    /// Its real number, which differs from run to run.
    pub(super) pid: pid_t,
    /// The number that the programs of its node see: they are assigned in order.
    pub(super) virtual_pid: pid_t,
    /// `None` for the node's own program.
    pub(super) parent: Option<ProcessId>,
    pub(super) memory: Memory,
    /// A pidfd, by which its descriptors are duplicated.
    handle: OwnedFd,
    /// The address of the table from which its patched vDSO reads the time, and the table's contents.
    pub(super) clock_table: Option<u64>,
    pub(super) table: [u64; 4],
    pub(super) threads: Vec<ThreadId>,
    /// When it started; its processor time is reported as the time since then.
    pub(super) started_at: Time,
    pub(super) state: ProcessState,
    /// The thread whose `vfork` started it, until it executes a program or ends.
    pub(super) vfork_caller: Option<ThreadId>,
}

/// The state of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProcessState {
    Alive,
    /// It has ended, with this wait status, and its parent may still wait for it.
    Zombie(i32),
    /// It has ended, and nobody can wait for it any more.
    Reaped(i32),
}

impl Process {
    pub(super) fn new(node: usize, pid: pid_t, virtual_pid: pid_t, started_at: Time) -> io::Result<Self> {
        let number = rustix::process::Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self {
            node,
            pid,
            virtual_pid,
            parent: None,
            memory: Memory::of(pid)?,
            handle: pidfd_open(number, PidfdFlags::empty())?,
            clock_table: None,
            table: [u64::MAX; 4],
            threads: Vec::new(),
            started_at,
            state: ProcessState::Alive,
            vfork_caller: None,
        })
    }

    /// A duplicate of one of its descriptors; `None` if that is not open.
    ///
    /// # Errors
    /// The system does not permit it.
    pub(super) fn descriptor(&self, number: i32) -> io::Result<Option<OwnedFd>> {
        match pidfd_getfd(&self.handle, number, PidfdGetfdFlags::empty()) {
            Ok(descriptor) => Ok(Some(descriptor)),
            Err(Errno::BADF | Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The memory of a process, also where the process may only read it.
pub(super) struct Memory(File);

impl Memory {
    /// Opens the present memory: `exec` replaces it.
    pub(super) fn of(pid: pid_t) -> io::Result<Self> {
        File::options().read(true).write(true).open(format!("/proc/{pid}/mem")).map(Self)
    }

    pub(super) fn read<const N: usize>(&self, address: u64) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.0.read_exact_at(&mut bytes, address)?;
        Ok(bytes)
    }

    pub(super) fn read_into(&self, address: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(bytes, address)
    }

    pub(super) fn write(&self, address: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, address)
    }

    pub(super) fn read_u32(&self, address: u64) -> io::Result<u32> {
        self.read(address).map(u32::from_ne_bytes)
    }

    pub(super) fn read_u64(&self, address: u64) -> io::Result<u64> {
        self.read(address).map(u64::from_ne_bytes)
    }

    /// Two consecutive numbers: a `timespec` or a `timeval`.
    pub(super) fn read_pair(&self, address: u64) -> io::Result<(i64, i64)> {
        let bytes: [u8; 16] = self.read(address)?;
        let half = |at: usize| i64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap_or_default());
        Ok((half(0), half(8)))
    }

    pub(super) fn write_pair(&self, address: u64, (first, second): (i64, i64)) -> io::Result<()> {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&first.to_ne_bytes());
        bytes[8..].copy_from_slice(&second.to_ne_bytes());
        self.write(address, &bytes)
    }
}

/// A thread.
pub(super) struct Thread {
    pub(super) tid: pid_t,
    pub(super) virtual_tid: pid_t,
    pub(super) process: ProcessId,
    pub(super) node: usize,
    pub(super) state: State,
    /// The call that a signal interrupted, which may be restarted.
    pub(super) interrupted: Option<Parked>,
    /// What to do when its current system call returns.
    pub(super) at_exit: Option<(AtExit, ArgumentChange)>,
    /// How many polls in a row found nothing, and the last delay that they were given.
    pub(super) idle_polls: u32,
    pub(super) backoff: Duration,
    /// Its position among the waiters of a futex.
    pub(super) turn: u64,
    /// The call at which it last stopped, for the report of a run that makes no progress.
    pub(super) last_call: i64,
}

/// The state of a thread.
#[expect(clippy::large_enum_variant, reason = "threads are few, and most are parked")]
pub(super) enum State {
    /// It is stopped, and can go on.
    Ready(Resume),
    Running,
    /// It is stopped at the entry of a call that would block.
    Parked(Parked),
    /// The kernel suspends it until its child executes a program or ends.
    InVfork,
    /// It sleeps in a system call that is not trapped.
    Untracked,
    Gone,
}

/// How a stopped thread is resumed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Resume {
    /// As it is.
    On,
    /// With the delivery of a signal.
    Signal(i32),
    /// Its system call is skipped and returns this.
    Return(i64),
}

/// What the tracer does when a system call returns.
#[derive(Debug, Clone, Copy)]
pub(super) enum AtExit {
    /// A process or thread was started: the call returns this virtual number.
    Started(pid_t),
    /// A child was waited for: its number is made virtual, also in `info`.
    Awaited { info: Option<u64> },
    /// Only the changed argument is restored.
    Nothing,
    /// A socket was connected, or that failed.
    Connected { is_internet: bool },
    /// A timer descriptor was created.
    MadeTimer,
}

/// The index of an argument of a system call, and its new value.
pub(super) type ArgumentChange = Option<(usize, u64)>;

/// A call that is held at its entry until what it waits for happens.
pub(super) struct Parked {
    pub(super) call: Call,
    pub(super) waiting: Waiting,
    /// When it times out.
    pub(super) due: Option<Due>,
    pub(super) on_timeout: OnTimeout,
    /// The signals that the call blocks meanwhile, if it has a mask.
    pub(super) mask: Option<u64>,
}

/// A deadline, on the clock of a node and in the time of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) node_time: Time,
    pub(super) at: Time,
}

/// The word of a futex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// At an address of a process.
    Own(ProcessId, u64),
    /// At an offset of a file, or of memory that processes of a node share.
    Shared { node: usize, device: u64, file: u64, place: u64 },
}

/// What a call waits for.
pub(super) enum Waiting {
    /// A time-out or a signal.
    Time,
    /// A wake-up of a futex, whose word is at this address and had this value.
    Futex { at: Word, address: u64, bits: u32, word: u32 },
    /// Any of these events.
    Descriptors(Vec<(OwnedFd, PollFlags)>),
    /// The end of any child, or of the one with this real number.
    Child(Option<pid_t>),
    /// One of these signals, although they are blocked.
    Signals(u64),
}

/// What a call does when it times out.
#[derive(Debug, Clone, Copy)]
pub(super) enum OnTimeout {
    /// It returns this.
    Return(i64),
    /// It runs: it was only delayed.
    Run,
    /// It returns 0, and `poll`'s entries, this many, report no event.
    NoEvents { entries: u64, count: u64 },
    /// It returns 0, and clears `select`'s three sets, of this many bytes each.
    NoneSelected { sets: [u64; 3], bytes: usize },
}

/// What happens to a trapped system call.
pub(super) enum Decision {
    /// It is skipped and returns this.
    Return(i64),
    /// It runs.
    Pass,
    /// It runs, with this argument changed, and the tracer acts when it returns.
    PassUntilExit(AtExit, ArgumentChange),
    /// It is held at its entry: what it waits for, its time-out, what that does, and its signal mask.
    Park(Waiting, Option<Time>, OnTimeout, Option<u64>),
    /// It is skipped, and the thread is scheduled anew.
    Yield,
}
