//! What is known of the processes and threads that run in virtual time.

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

/// A process by its index; none is used twice.
pub(super) type ProcessId = usize;
/// A thread by its index; none is used twice.
pub(super) type ThreadId = usize;

/// A process.
pub(super) struct Process {
    pub(super) node: usize,
    /// Its number outside, which differs from run to run.
    pub(super) pid: pid_t,
    /// Its number for the programs of its node, which are counted.
    pub(super) virtual_pid: pid_t,
    /// Absent for the program itself.
    pub(super) parent: Option<ProcessId>,
    pub(super) memory: Memory,
    /// For its descriptors.
    handle: OwnedFd,
    /// Where its copy of the vDSO reads the time, if that has been replaced, and what stands there.
    pub(super) clock_table: Option<u64>,
    pub(super) table: [u64; 4],
    pub(super) threads: Vec<ThreadId>,
    /// The beginning of what it takes for its processor time.
    pub(super) born: Time,
    pub(super) life: Life,
    /// The thread whose vfork began it, until it executes a program or ends.
    pub(super) lender: Option<ThreadId>,
}

/// How far a process is from being gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Lives,
    /// It has ended, with this status of the kernel's, and its parent may not have taken note.
    Ended(i32),
    /// And it has.
    Gone(i32),
}

impl Process {
    pub(super) fn new(node: usize, pid: pid_t, virtual_pid: pid_t, born: Time) -> io::Result<Self> {
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
            born,
            life: Life::Lives,
            lender: None,
        })
    }

    /// A descriptor of ours for what one of its descriptors stands for; `None` if that is not open.
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
    /// As it is now: a process that executes a program has another.
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

    /// Two numbers in a row: a `timespec` or a `timeval`.
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
    /// What it waited for when a signal was let through to it: the call may be restarted.
    pub(super) interrupted: Option<Parked>,
    /// What is to be done where its present system call ends.
    pub(super) at_exit: Option<(AtExit, Changed)>,
    /// How often it has asked in vain since it last waited, and how long it sleeps for that next time.
    pub(super) spins: u32,
    pub(super) nap: Duration,
    /// Its place among those who wait for the same.
    pub(super) turn: u64,
    /// The call at which it last stopped, for the report of a run that makes no progress.
    pub(super) last_call: i64,
}

/// Where a thread is.
#[expect(clippy::large_enum_variant, reason = "threads are few, and most are parked")]
pub(super) enum State {
    /// It is stopped, and can go on.
    Ready(Resume),
    Running,
    /// It is stopped at the entry of a call that would block.
    Parked(Parked),
    /// The kernel holds it until its child executes a program or ends.
    Lending,
    /// It sleeps in the kernel, in a call that is not trapped, or has not come to rest after an end.
    Untracked,
    Gone,
}

/// How a stopped thread goes on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Resume {
    /// With whatever it is about to do.
    On,
    /// With a signal.
    Signal(i32),
    /// Without its system call, which returns this.
    Return(i64),
}

/// What is left to do where a system call ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum AtExit {
    /// It has started a process or a thread, which has this number for its node.
    Started(pid_t),
    /// It has waited for a child.
    Awaited { info: Option<u64> },
    /// Nothing, but to set its argument back.
    Nothing,
    /// It has connected a socket, or tried to.
    Connected { is_internet: bool },
    /// It has made a timer that can be read.
    MadeTimer,
}

/// An argument of a system call, by its index, and another value.
pub(super) type Changed = Option<(usize, u64)>;

/// A call that waits.
pub(super) struct Parked {
    pub(super) call: Call,
    pub(super) waiting: Waiting,
    /// When it ends anyway, on the clock of its node and in the time of the run.
    pub(super) due: Option<Due>,
    pub(super) at_due: AtDue,
    /// The signals that are blocked meanwhile, if the call says so.
    pub(super) mask: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) shown: Time,
    pub(super) at: Time,
}

/// A word at which threads wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// At an address of a process.
    Own(ProcessId, u64),
    /// At a place of a file, or of memory that several processes of a node share; all by their numbers.
    Shared { node: usize, device: u64, file: u64, place: u64 },
}

/// What a call waits for.
pub(super) enum Waiting {
    /// Nothing but time, or a signal.
    Time,
    /// A wake-up of a word, which is at this address and had this value.
    Futex { at: Word, address: u64, bits: u32, word: u32 },
    /// Any of these.
    Descriptors(Vec<(OwnedFd, PollFlags)>),
    /// The end of a child, all or the one of this number outside.
    Child(Option<pid_t>),
    /// One of these signals, which are blocked.
    Signals(u64),
}

/// What a call does when its time has come.
#[derive(Debug, Clone, Copy)]
pub(super) enum AtDue {
    /// It returns this.
    Return(i64),
    /// It runs: it was only held up.
    Run,
    /// It returns 0, and so many entries of `poll` tell of no event.
    NoEvents { entries: u64, count: u64 },
    /// It returns 0, with three sets of so many bytes that are empty.
    NoneSelected { sets: [u64; 3], bytes: usize },
}

/// What becomes of a system call.
pub(super) enum Decision {
    /// It does not run, and returns this.
    Return(i64),
    /// It runs.
    Pass,
    /// It runs with this argument changed, and something is left to do at its end.
    PassUntilExit(AtExit, Changed),
    /// It waits.
    Park(Waiting, Option<Time>, AtDue, Option<u64>),
    /// It returns 0 when the others that can go on have had their turn.
    Yield,
}
