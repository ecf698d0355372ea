//! One thread at a time, over all nodes, and time that passes only when none can go on.
//!
//! A thread runs until it stops at a call that might block; who is next is drawn from the seed. When nobody is left,
//! and nothing that a waiting thread looks at is ready, the run is quiescent: the tracer's caller moves the clock.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;

use chacha20::ChaCha8Rng;
use libc::pid_t;
use rand::RngExt as _;

use super::process::{Due, Life, Parked, Process, ProcessId, Resume, State, Thread, ThreadId};
use super::registers::Call;
use super::stalls::Deviations;
use super::system::{self, Go, Ticks};
use super::timers::Timers;
use crate::time::{Duration, Time};
use crate::workbench::cluster::simulated::clock::Clock;
use crate::workbench::network::jitter::{Delays, stream};

/// How often a running thread is looked at.
const TICK_MS: i64 = 20;

/// The computer of a node, which outlives its processes.
#[expect(clippy::struct_excessive_bools, reason = "each is a note to look at something")]
pub(super) struct Computer {
    pub(super) clock: Clock,
    /// How far its wall clock was set forward.
    pub(super) ahead: Duration,
    /// How late its timers are, because it is slow and because of the machine that it seems to be.
    pub(super) lag: Duration,
    pub(super) waking: Duration,
    pub(super) paused: bool,
    /// Whether anything has happened since its waiting threads were last looked at.
    pub(super) dirty: bool,
    /// Whether it has run since its output was last read.
    pub(super) wrote: bool,
    /// Whether a signal may have come since.
    pub(super) signalled: bool,
    /// Its processes that have not been taken note of by their parents.
    pub(super) processes: Vec<ProcessId>,
    /// The program itself.
    pub(super) root: Option<ProcessId>,
    pub(super) next_pid: pid_t,
    pub(super) rng: ChaCha8Rng,
    /// The files that are its stdout and stderr, by their device and number.
    pub(super) outputs: Vec<(u64, u64)>,
    /// How often its threads have stopped since all threads last waited, and how often time had to pass nevertheless.
    pub(super) stops: u32,
    pub(super) hopeless: u32,
    /// Threads that could go on if it were not paused.
    held: Vec<ThreadId>,
}

/// Numbers of processes start here or above, as drawn from the seed: some programs, as Java, name files by their
/// number, which those of other nodes and of other runs at the same time must not share.
const FIRST_PID: pid_t = 1_000;
const DRAWN_PIDS: pid_t = 100_000;
/// So far apart are the first numbers of nodes.
const PIDS_OF_A_NODE: pid_t = 40;

impl Computer {
    fn new(seed: u64, node: usize, drawn: pid_t) -> Self {
        let rng = stream(seed, 1 + node as u64);
        let before = pid_t::try_from(node).unwrap_or_default().saturating_add(drawn);
        Self {
            clock: Clock::RIGHT,
            ahead: Duration::ZERO,
            lag: Duration::ZERO,
            waking: Duration::ZERO,
            paused: false,
            dirty: false,
            wrote: false,
            signalled: false,
            processes: Vec::new(),
            root: None,
            next_pid: FIRST_PID.saturating_add(before.saturating_mul(PIDS_OF_A_NODE)),
            rng,
            outputs: Vec::new(),
            stops: 0,
            hopeless: 0,
            held: Vec::new(),
        }
    }
}

/// All that runs in virtual time.
pub(super) struct Tracer {
    pub(super) now: Time,
    pub(super) computers: Vec<Computer>,
    pub(super) processes: Vec<Process>,
    pub(super) threads: Vec<Thread>,
    pub(super) by_tid: HashMap<pid_t, ThreadId>,
    ready: Vec<ThreadId>,
    dues: BTreeSet<(Time, ThreadId)>,
    pub(super) timers: Timers,
    pub(super) untracked: BTreeSet<ThreadId>,
    /// New threads that have stopped before the one that started them has told of them.
    pub(super) early: HashSet<pid_t>,
    /// Programs that have ended by themselves, by their nodes.
    pub(super) ended: Vec<usize>,
    pub(super) deviations: Deviations,
    pub(super) delays: Delays,
    pub(super) names: Vec<String>,
    /// Whether time has passed although somebody could go on.
    pub(super) preempted: bool,
    /// How many waits there have been.
    turns: u64,
    rng: ChaCha8Rng,
    _ticks: Ticks,
}

impl Tracer {
    pub(super) fn new(names: Vec<String>, seed: u64) -> io::Result<Self> {
        let mut rng = stream(seed, 0);
        let drawn = rng.random_range(0..DRAWN_PIDS);
        Ok(Self {
            now: Time::ZERO,
            computers: (0..names.len()).map(|node| Computer::new(seed, node, drawn)).collect(),
            processes: Vec::new(),
            threads: Vec::new(),
            by_tid: HashMap::new(),
            ready: Vec::new(),
            dues: BTreeSet::new(),
            timers: Timers::default(),
            untracked: BTreeSet::new(),
            early: HashSet::new(),
            ended: Vec::new(),
            deviations: Deviations::default(),
            delays: Delays::default(),
            names,
            preempted: false,
            turns: 0,
            rng,
            _ticks: Ticks::every_ms(TICK_MS)?,
        })
    }

    /// Runs all that can run. It ends early after a thread had to be interrupted: time has passed then.
    pub(super) fn run(&mut self) -> io::Result<()> {
        self.preempted = false;
        loop {
            while let Some(thread) = self.next_ready() {
                self.run_thread(thread)?;
                if self.preempted {
                    return Ok(());
                }
            }
            if !self.recheck()? && !self.await_untracked()? && !self.look_around()? {
                for computer in &mut self.computers {
                    (computer.stops, computer.hopeless) = (0, 0);
                }
                return Ok(());
            }
        }
    }

    /// A thread that can go on, drawn from the seed.
    fn next_ready(&mut self) -> Option<ThreadId> {
        loop {
            let count = self.ready.len();
            let index = if count > 1 { self.rng.random_range(0..count) } else { 0 };
            if count == 0 {
                return None;
            }
            let thread = self.ready.swap_remove(index);
            let Thread { state: State::Ready(_), node, .. } = self.threads[thread] else { continue };
            if self.computers[node].paused {
                self.computers[node].held.push(thread);
            } else {
                return Some(thread);
            }
        }
    }

    /// Whether a thread could go on at once.
    pub(super) fn is_anyone_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    fn run_thread(&mut self, thread: ThreadId) -> io::Result<()> {
        let State::Ready(mut resume) = std::mem::replace(&mut self.threads[thread].state, State::Running) else {
            return Ok(());
        };
        let computer = &mut self.computers[self.threads[thread].node];
        (computer.dirty, computer.wrote) = (true, true);
        self.show_time(self.threads[thread].process)?;
        loop {
            self.resume(thread, resume)?;
            let Some(status) = self.wait_for(thread)? else { return Ok(()) };
            match self.on_stop(thread, status)? {
                Some(next) if self.count_stop(thread)? => {
                    self.make_ready(thread, next);
                    return Ok(());
                }
                Some(next) => resume = next,
                None => return Ok(()),
            }
        }
    }

    /// Lets a stopped thread go on. One that has been killed cannot, which its end will tell.
    pub(super) fn resume(&self, thread: ThreadId, resume: Resume) -> io::Result<()> {
        let Thread { tid, at_exit, .. } = self.threads[thread];
        let go = if at_exit.is_some() { Go::ToExit } else { Go::On };
        let resumed = match resume {
            Resume::On => system::resume(tid, go, 0),
            Resume::Signal(signal) => system::resume(tid, go, signal),
            Resume::Return(value) => {
                Call::of(tid).and_then(|call| call.skip(tid, value)).and_then(|()| system::resume(tid, go, 0))
            }
        };
        resumed.or_else(unless_gone)
    }

    /// Has a thread go on when it is its turn; returns what it waited for.
    pub(super) fn make_ready(&mut self, thread: ThreadId, resume: Resume) -> Option<Parked> {
        self.forget_due(thread);
        self.ready.push(thread);
        match std::mem::replace(&mut self.threads[thread].state, State::Ready(resume)) {
            State::Parked(parked) => Some(parked),
            State::Ready(_) | State::Running | State::Lending | State::Untracked | State::Gone => None,
        }
    }

    /// The place of who waits now behind all who wait already.
    pub(super) fn next_turn(&mut self) -> u64 {
        self.turns += 1;
        self.turns
    }

    /// Has a thread wait.
    pub(super) fn park(&mut self, thread: ThreadId, parked: Parked) {
        if let Some(Due { at, .. }) = parked.due {
            self.dues.insert((at, thread));
        }
        self.threads[thread].state = State::Parked(parked);
    }

    pub(super) fn forget_due(&mut self, thread: ThreadId) {
        if let State::Parked(Parked { due: Some(due), .. }) = &self.threads[thread].state {
            self.dues.remove(&(due.at, thread));
        }
    }

    /// When a node's clock shows a time.
    pub(super) fn due(&self, node: usize, shown: Time) -> Due {
        let computer = &self.computers[node];
        let at = computer.clock.when(shown) + computer.lag + computer.waking;
        Due { shown, at: self.delays.node(node, at) }
    }

    /// What a node's clock shows.
    pub(super) fn shown(&self, node: usize) -> Time {
        self.computers[node].clock.at(self.now)
    }

    /// When something next happens by itself; nothing does on a paused node.
    pub(super) fn next_due(&self) -> Option<Time> {
        let paused = |node: usize| self.computers[node].paused;
        let dues = self.dues.iter().find(|(_, thread)| !paused(self.threads[*thread].node)).map(|(at, _)| *at);
        let timers = self.timers.next(|process| !paused(self.processes[process].node));
        dues.into_iter().chain(timers).min()
    }

    /// Ends the waiting of all whose time has come.
    pub(super) fn wake_due(&mut self) -> io::Result<()> {
        self.fire_timers()?;
        let due: Vec<_> = self.dues.range(..=(self.now, ThreadId::MAX)).map(|(_, thread)| *thread).collect();
        for thread in due {
            if !self.computers[self.threads[thread].node].paused {
                self.expire(thread)?;
            }
        }
        Ok(())
    }

    /// Computes anew when the threads of a node are due: its clock or its speed has changed.
    pub(super) fn reschedule(&mut self, node: usize) {
        self.reschedule_timers(node);
        for thread in self.threads_of(node) {
            self.forget_due(thread);
            let State::Parked(Parked { due: Some(Due { shown, .. }), .. }) = self.threads[thread].state else {
                continue;
            };
            let due = self.due(node, shown);
            if let State::Parked(parked) = &mut self.threads[thread].state {
                parked.due = Some(due);
            }
            self.dues.insert((due.at, thread));
        }
    }

    /// The living threads of a node, in the order in which they began.
    pub(super) fn threads_of(&self, node: usize) -> Vec<ThreadId> {
        let living =
            self.computers[node].processes.iter().filter(|process| self.processes[**process].life == Life::Lives);
        living.flat_map(|process| self.processes[*process].threads.iter().copied()).collect()
    }

    pub(super) fn set_paused(&mut self, node: usize, paused: bool) {
        let computer = &mut self.computers[node];
        computer.paused = paused;
        computer.dirty = true;
        if !paused {
            self.ready.append(&mut computer.held);
        }
    }
}

/// That a thread has been killed meanwhile is no failure: its end will tell.
pub(super) fn unless_gone(error: io::Error) -> io::Result<()> {
    if error.raw_os_error() == Some(libc::ESRCH) { Ok(()) } else { Err(error) }
}
