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
use super::system::{self, Go, Ticks, Waited};
use super::timers::Timers;
use crate::time::{Duration, Time};
use crate::workbench::cluster::simulated::clock::Clock;
use crate::workbench::network::jitter::{Delays, stream};

/// How often a running thread is looked at.
const TICK_MS: i64 = 20;
/// A thread that computes this long without a call that stops is interrupted.
const SPIN_CPU: Duration = Duration::from_millis(100);
/// So much time passes then: it may wait for that.
const SPIN_STEP: Duration = Duration::from_millis(10);
/// As often in a row: then nothing will come of it.
const HOPELESS: u32 = 100;
/// A thread that is found asleep in the kernel so many times in a row is left there.
const ASLEEP: u32 = 2;

/// What the real clock has decided.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Deviations {
    /// How often a thread that computed was interrupted.
    pub(super) interrupted: u64,
    /// How often a thread slept in a call that is not trapped.
    pub(super) untracked: u64,
    /// The last such call.
    pub(super) call: Option<i64>,
}

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
    /// Threads that could go on if it were not paused.
    held: Vec<ThreadId>,
}

/// The number of a node's first process.
const FIRST_PID: pid_t = 100;

impl Computer {
    fn new(seed: u64, node: usize) -> Self {
        let rng = stream(seed, 1 + node as u64);
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
            next_pid: FIRST_PID,
            rng,
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
    untracked: BTreeSet<ThreadId>,
    /// New threads that have stopped before the one that started them has told of them.
    pub(super) early: HashSet<pid_t>,
    /// Programs that have ended by themselves, by their nodes.
    pub(super) ended: Vec<usize>,
    pub(super) deviations: Deviations,
    pub(super) delays: Delays,
    names: Vec<String>,
    /// Interruptions since the last quiet.
    hopeless: u32,
    preempted: bool,
    /// How many waits there have been.
    turns: u64,
    rng: ChaCha8Rng,
    _ticks: Ticks,
}

impl Tracer {
    pub(super) fn new(names: Vec<String>, seed: u64) -> io::Result<Self> {
        Ok(Self {
            now: Time::ZERO,
            computers: (0..names.len()).map(|node| Computer::new(seed, node)).collect(),
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
            hopeless: 0,
            preempted: false,
            turns: 0,
            rng: stream(seed, 0),
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
            if !self.recheck()? && !self.await_untracked()? {
                self.hopeless = 0;
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

    /// Waits until a running thread stops; `None` if it does not run any more.
    fn wait_for(&mut self, thread: ThreadId) -> io::Result<Option<i32>> {
        let tid = self.threads[thread].tid;
        let (mut since, mut asleep) = (None, 0);
        loop {
            match system::wait(tid, true)? {
                Waited::Changed(_, status) => return Ok(Some(status)),
                Waited::Nothing => {}
                Waited::Nobody => self.collect(true)?,
            }
            self.collect(false)?;
            if !matches!(self.threads[thread].state, State::Running) {
                return Ok(None);
            }
            let pid = self.processes[self.threads[thread].process].pid;
            let Some((state, used)) = look_at(pid, tid) else { continue };
            asleep = if state == 'S' { asleep + 1 } else { 0 };
            if asleep >= ASLEEP {
                self.threads[thread].state = State::Untracked;
                self.untracked.insert(thread);
                self.deviations.untracked += 1;
                self.deviations.call = call_of(pid, tid);
                return Ok(None);
            }
            let since = *since.get_or_insert(used);
            if used.saturating_sub(since) >= SPIN_CPU {
                system::signal_thread(pid, tid, libc::SIGSTOP).or_else(unless_gone)?;
            }
        }
    }

    /// A thread that computes has been interrupted: it goes on when others have had their turn, and later.
    pub(super) fn preempt(&mut self, thread: ThreadId) -> io::Result<()> {
        self.deviations.interrupted += 1;
        self.hopeless += 1;
        if self.hopeless >= HOPELESS {
            let call = super::filter::name(self.threads[thread].last_call);
            return Err(io::Error::other(format!(
                "{}: it has computed for {} s without a pause, which takes no time here; the last that it asked of the \
                 system was {call}. If it waits for the clock in a loop, run it in real time",
                self.describe(thread),
                (SPIN_CPU * HOPELESS).as_secs(),
            )));
        }
        self.now = self.now + SPIN_STEP;
        self.preempted = true;
        self.make_ready(thread, Resume::On);
        Ok(())
    }

    /// A thread by the numbers under which its program knows it, to follow the name of its node.
    fn describe(&self, thread: ThreadId) -> String {
        let Thread { node, process, virtual_tid, .. } = self.threads[thread];
        let process = &self.processes[process];
        let name = std::fs::read_to_string(format!("/proc/{}/comm", process.pid)).unwrap_or_default();
        format!("{}, thread {virtual_tid} of process {} ({})", self.names[node], process.virtual_pid, name.trim())
    }

    /// Takes note of what has happened to threads that do not run; `block` waits for it.
    fn collect(&mut self, block: bool) -> io::Result<()> {
        let mut block = block;
        while let Waited::Changed(tid, status) = system::wait(-1, block)? {
            block = false;
            let Some(&thread) = self.by_tid.get(&tid) else {
                // Not known yet: its parent's event is on its way, and looks for it by its number.
                self.early.insert(tid);
                continue;
            };
            if libc::WIFSTOPPED(status) && status >> 16 == libc::PTRACE_EVENT_EXIT {
                system::resume(tid, Go::On, 0).or_else(unless_gone)?;
            } else if let Some(resume) = self.on_stop(thread, status)? {
                self.make_ready(thread, resume);
            }
        }
        Ok(())
    }

    /// Waits for threads that have left a call that is not trapped; returns whether any can go on.
    fn await_untracked(&mut self) -> io::Result<bool> {
        while !self.untracked.is_empty() {
            self.collect(false)?;
            let threads = &self.threads;
            self.untracked.retain(|thread| matches!(threads[*thread].state, State::Untracked));
            let moving = self.untracked.iter().any(|thread| {
                let Thread { tid, process, .. } = threads[*thread];
                look_at(self.processes[process].pid, tid).is_some_and(|(state, _)| state != 'S')
            });
            if !moving {
                break;
            }
            system::wait_a_moment();
        }
        Ok(self.is_anyone_ready())
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

/// The state of a thread in the letters of Linux, and the processor time that it has used.
fn look_at(pid: pid_t, tid: pid_t) -> Option<(char, Duration)> {
    let folder = format!("/proc/{pid}/task/{tid}");
    let stat = std::fs::read_to_string(format!("{folder}/stat")).ok()?;
    let state = stat.rsplit_once(") ")?.1.chars().next()?;
    let used = std::fs::read_to_string(format!("{folder}/schedstat")).ok()?;
    let used = used.split(' ').next()?.parse().ok()?;
    Some((state, Duration::from_nanos(used)))
}

/// The number of the system call in which a thread is.
fn call_of(pid: pid_t, tid: pid_t) -> Option<i64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall")).ok()?;
    text.split(' ').next()?.parse().ok()
}
