//! Runs one thread at a time, over all nodes; time passes only when no thread is ready.
//!
//! A thread runs until it stops at a call that might block; the next one is chosen at random from the seed. When none
//! is ready and nothing that a thread waits for has happened, the run is quiescent: the tracer's caller advances the
//! clock.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;

use chacha20::ChaCha8Rng;
use libc::pid_t;
use rand::RngExt as _;

use super::process::{Due, Parked, Process, ProcessId, ProcessState, Resume, State, Thread, ThreadId};
use super::registers::Call;
use super::stalls::Deviations;
use super::system::{self, Ticks, Until};
use super::timers::Timers;
use crate::time::{Duration, Time};
use crate::workbench::cluster::simulated::clock::Clock;
use crate::workbench::network::jitter::{Delays, stream};

/// The interval at which a running thread is checked.
const TICK_MS: i64 = 20;

/// The state of a node's host, which outlives its processes.
#[expect(clippy::struct_excessive_bools, reason = "each is an independent flag")]
pub(super) struct NodeState {
    pub(super) clock: Clock,
    /// How far its wall clock was set forward.
    pub(super) ahead: Duration,
    /// How late its timers fire, because the node is slow and because of the simulated delay of wake-ups.
    pub(super) lag: Duration,
    pub(super) waking: Duration,
    pub(super) paused: bool,
    /// Whether anything has happened since its waiting threads were last rechecked.
    pub(super) dirty: bool,
    /// Whether it has run since its output was last read.
    pub(super) wrote: bool,
    /// Whether a signal may have become pending since then.
    pub(super) signalled: bool,
    /// Its processes that have not been reaped.
    pub(super) processes: Vec<ProcessId>,
    /// The program itself.
    pub(super) root: Option<ProcessId>,
    pub(super) next_pid: pid_t,
    pub(super) rng: ChaCha8Rng,
    /// The files that are its stdout and stderr, by their device and number.
    pub(super) outputs: Vec<(u64, u64)>,
    /// How often its threads have stopped since all threads last waited, and how many steps of time had to pass for
    /// them.
    pub(super) stops: u32,
    pub(super) busy_steps: u32,
    /// Threads that would be ready if it were not paused.
    held: Vec<ThreadId>,
}

/// Virtual process numbers start at or above this one, by the seed: some programs, such as Java, name files after their
/// number, and these must not collide with those of other nodes and of concurrent runs.
const FIRST_PID: pid_t = 1_000;
const DRAWN_PIDS: pid_t = 100_000;
/// The distance between the first numbers of two nodes.
const PIDS_OF_A_NODE: pid_t = 40;

impl NodeState {
    fn new(seed: u64, node: usize, drawn: pid_t) -> Self {
        let rng = stream(seed, 1 + node as u64);
        let before = pid_t::try_from(node).unwrap_or_default().saturating_add(drawn);
        Self {
            clock: Clock::ACCURATE,
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
            busy_steps: 0,
            held: Vec::new(),
        }
    }
}

/// All that runs in virtual time.
pub(super) struct Tracer {
    pub(super) now: Time,
    pub(super) nodes: Vec<NodeState>,
    pub(super) processes: Vec<Process>,
    pub(super) threads: Vec<Thread>,
    pub(super) by_tid: HashMap<pid_t, ThreadId>,
    ready: Vec<ThreadId>,
    dues: BTreeSet<(Time, ThreadId)>,
    pub(super) timers: Timers,
    pub(super) untracked: BTreeSet<ThreadId>,
    /// New threads that have stopped before the event of the thread that started them.
    pub(super) early: HashSet<pid_t>,
    /// Programs that have ended by themselves, by their nodes.
    pub(super) ended: Vec<usize>,
    pub(super) deviations: Deviations,
    pub(super) delays: Delays,
    pub(super) names: Vec<String>,
    /// Whether time has passed although a thread was ready.
    pub(super) preempted: bool,
    /// The last position given to a waiter.
    last_position: u64,
    rng: ChaCha8Rng,
    _ticks: Ticks,
}

impl Tracer {
    pub(super) fn new(names: Vec<String>, seed: u64) -> io::Result<Self> {
        let mut rng = stream(seed, 0);
        let drawn = rng.random_range(0..DRAWN_PIDS);
        Ok(Self {
            now: Time::ZERO,
            nodes: (0..names.len()).map(|node| NodeState::new(seed, node, drawn)).collect(),
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
            last_position: 0,
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
            if !self.recheck()? && !self.await_untracked()? && !self.detect_outside_kills()? {
                for state in &mut self.nodes {
                    (state.stops, state.busy_steps) = (0, 0);
                }
                return Ok(());
            }
        }
    }

    /// A ready thread, chosen at random from the seed.
    fn next_ready(&mut self) -> Option<ThreadId> {
        loop {
            let count = self.ready.len();
            let index = if count > 1 { self.rng.random_range(0..count) } else { 0 };
            if count == 0 {
                return None;
            }
            let thread = self.ready.swap_remove(index);
            let Thread { state: State::Ready(_), node, .. } = self.threads[thread] else { continue };
            if self.nodes[node].paused {
                self.nodes[node].held.push(thread);
            } else {
                return Some(thread);
            }
        }
    }

    /// Whether a thread is ready.
    pub(super) fn is_anyone_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    fn run_thread(&mut self, thread: ThreadId) -> io::Result<()> {
        let State::Ready(mut resume) = std::mem::replace(&mut self.threads[thread].state, State::Running) else {
            return Ok(());
        };
        let state = &mut self.nodes[self.threads[thread].node];
        (state.dirty, state.wrote) = (true, true);
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

    /// Resumes a stopped thread. If it has been killed, its end will be reported later.
    pub(super) fn resume(&self, thread: ThreadId, resume: Resume) -> io::Result<()> {
        let Thread { tid, at_exit, .. } = self.threads[thread];
        let until = if at_exit.is_some() { Until::CallEnd } else { Until::NextEvent };
        let resumed = match resume {
            Resume::On => system::resume(tid, until, 0),
            Resume::Signal(signal) => system::resume(tid, until, signal),
            Resume::Return(value) => {
                Call::of(tid).and_then(|call| call.skip(tid, value)).and_then(|()| system::resume(tid, until, 0))
            }
        };
        resumed.or_else(ignore_no_such_thread)
    }

    /// Makes a thread ready; returns what it waited for.
    pub(super) fn make_ready(&mut self, thread: ThreadId, resume: Resume) -> Option<Parked> {
        self.forget_due(thread);
        self.ready.push(thread);
        match std::mem::replace(&mut self.threads[thread].state, State::Ready(resume)) {
            State::Parked(parked) => Some(parked),
            State::Ready(_) | State::Running | State::InVfork | State::Untracked | State::Gone => None,
        }
    }

    /// The position of a new waiter, behind all present ones.
    pub(super) fn next_queue_position(&mut self) -> u64 {
        self.last_position += 1;
        self.last_position
    }

    /// Parks a thread.
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

    /// The deadline at which a node's clock shows a time.
    pub(super) fn due(&self, node: usize, node_time: Time) -> Due {
        let state = &self.nodes[node];
        let at = state.clock.when(node_time) + state.lag + state.waking;
        Due { node_time, at: self.delays.node(node, at) }
    }

    /// What a node's clock shows.
    pub(super) fn node_time(&self, node: usize) -> Time {
        self.nodes[node].clock.at(self.now)
    }

    /// The next deadline of a node that is not paused.
    pub(super) fn next_due(&self) -> Option<Time> {
        let paused = |node: usize| self.nodes[node].paused;
        let dues = self.dues.iter().find(|(_, thread)| !paused(self.threads[*thread].node)).map(|(at, _)| *at);
        let timers = self.timers.next(|process| !paused(self.processes[process].node));
        dues.into_iter().chain(timers).min()
    }

    /// Expires timers and time-outs that are due.
    pub(super) fn wake_due(&mut self) -> io::Result<()> {
        self.fire_timers()?;
        let due: Vec<_> = self.dues.range(..=(self.now, ThreadId::MAX)).map(|(_, thread)| *thread).collect();
        for thread in due {
            if !self.nodes[self.threads[thread].node].paused {
                self.expire(thread)?;
            }
        }
        Ok(())
    }

    /// Recomputes the deadlines of a node after a change of its clock or its lag.
    pub(super) fn reschedule(&mut self, node: usize) {
        self.reschedule_timers(node);
        for thread in self.threads_of(node) {
            self.forget_due(thread);
            let State::Parked(Parked { due: Some(Due { node_time, .. }), .. }) = self.threads[thread].state else {
                continue;
            };
            let due = self.due(node, node_time);
            if let State::Parked(parked) = &mut self.threads[thread].state {
                parked.due = Some(due);
            }
            self.dues.insert((due.at, thread));
        }
    }

    /// The threads of a node, in the order in which they were started.
    pub(super) fn threads_of(&self, node: usize) -> Vec<ThreadId> {
        let living =
            self.nodes[node].processes.iter().filter(|process| self.processes[**process].state == ProcessState::Alive);
        living.flat_map(|process| self.processes[*process].threads.iter().copied()).collect()
    }

    pub(super) fn set_paused(&mut self, node: usize, paused: bool) {
        let state = &mut self.nodes[node];
        state.paused = paused;
        state.dirty = true;
        if !paused {
            self.ready.append(&mut state.held);
        }
    }
}

/// Ignores that a thread has been killed meanwhile: its end will be reported later.
pub(super) fn ignore_no_such_thread(error: io::Error) -> io::Result<()> {
    if error.raw_os_error() == Some(libc::ESRCH) { Ok(()) } else { Err(error) }
}
