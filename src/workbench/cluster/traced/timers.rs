//! Timers of programs: those that send a signal, and timer descriptors.

use std::collections::BTreeMap;
use std::io;

use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};

use super::process::{Decision, Parked, ProcessId, Resume, State, Thread, ThreadId};
use super::registers::Call;
use super::system;
use super::tracer::{Tracer, ignore_no_such_thread};
use super::waits::microseconds;
use crate::time::{Duration, Time};

/// `TFD_TIMER_ABSTIME` and `TIMER_ABSTIME`.
const ABSOLUTE: u64 = 1;
/// A time that has passed, on every clock: a descriptor whose timer is set to it is readable at once.
const PAST: Timespec = Timespec { tv_sec: 0, tv_nsec: 1 };
const NEVER: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
/// The shortest interval between two wake-ups by a timer; faster expirations are only counted. Otherwise a timer of a
/// nanosecond would stall the run.
const SHORTEST_PERIOD: Duration = Duration::from_micros(50);
/// The maximum number of timers of `timer_create` in a process.
const MAX_TIMERS: i32 = 1_000;

/// The identity of a timer within its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TimerId {
    /// That of `alarm` and `setitimer`.
    Alarm,
    /// One of `timer_create`.
    Made(i32),
    /// A descriptor.
    Descriptor(i32),
}

/// A timer, on the clock of its node.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Timer {
    /// When it next expires, if it is armed.
    due: Option<Time>,
    interval: Duration,
    /// How often it has expired since it was last read.
    expired: u64,
    /// The signal that it sends, or 0, and the thread that gets it, or 0.
    signal: i32,
    target: i32,
    /// The clock of its absolute times.
    clock: i32,
    /// Whether it is set to a time of day.
    is_by_day: bool,
}

impl Timer {
    /// Counts its expirations up to this time; returns whether there were any.
    fn count_expirations(&mut self, node_time: Time) -> bool {
        let Some(due) = self.due.filter(|due| *due <= node_time) else { return false };
        let interval = self.interval.as_nanos();
        let periods = node_time.since(due).as_nanos().checked_div(interval).map(|late| late + 1);
        let bounded = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
        self.expired += periods.map_or(1, bounded);
        self.due = periods.map(|periods| due + Duration::from_nanos(bounded(interval * periods)));
        true
    }
}

/// All timers.
#[derive(Debug, Default)]
pub(super) struct Timers {
    all: BTreeMap<(ProcessId, TimerId), Timer>,
    /// When the armed ones are due in the time of the run.
    at: BTreeMap<(ProcessId, TimerId), Time>,
}

impl Timers {
    /// When the next timer expires, of processes that `may` run.
    pub(super) fn next(&self, may: impl Fn(ProcessId) -> bool) -> Option<Time> {
        self.at.iter().filter(|((process, _), _)| may(*process)).map(|(_, at)| *at).min()
    }

    /// Sets the time of day of some processes forward. Their timers have to be rescheduled.
    pub(super) fn set_forward(&mut self, of: impl Fn(ProcessId) -> bool, ahead: Duration) {
        for ((process, _), timer) in &mut self.all {
            if timer.is_by_day && of(*process) {
                timer.due = timer.due.map(|due| due - ahead);
            }
        }
    }

    /// A process has ended, or executed another program.
    pub(super) fn forget_process(&mut self, process: ProcessId) {
        self.all.retain(|(other, _), _| *other != process);
        self.at.retain(|(other, _), _| *other != process);
    }

    /// A descriptor has been reused.
    pub(super) fn forget_descriptor(&mut self, process: ProcessId, descriptor: i32) {
        self.all.remove(&(process, TimerId::Descriptor(descriptor)));
        self.at.remove(&(process, TimerId::Descriptor(descriptor)));
    }
}

impl Tracer {
    /// Expires the timers that are due.
    pub(super) fn fire_timers(&mut self) -> io::Result<()> {
        let due: Vec<_> = self.timers.at.iter().filter(|(_, at)| **at <= self.now).map(|(key, _)| *key).collect();
        for (process, which) in due {
            let node = self.processes[process].node;
            if self.nodes[node].paused {
                continue;
            }
            let node_time = self.node_time(node);
            let Some(timer) = self.timers.all.get_mut(&(process, which)) else { continue };
            let has_expired = timer.count_expirations(node_time);
            let timer = *timer;
            self.arm(process, which, timer);
            let soonest = self.now + if has_expired { SHORTEST_PERIOD } else { Duration::from_nanos(1) };
            if let Some(at) = self.timers.at.get_mut(&(process, which)) {
                *at = soonest.max(*at);
            }
            if !has_expired {
                continue;
            }
            let state = &mut self.nodes[node];
            (state.dirty, state.signalled) = (true, true);
            let pid = self.processes[process].pid;
            match which {
                TimerId::Descriptor(number) => self.set_real(process, number, PAST),
                TimerId::Alarm | TimerId::Made(_) if timer.signal == 0 => {}
                TimerId::Alarm | TimerId::Made(_) => {
                    let threads = self.processes[process].threads.iter();
                    let target = threads.map(|thread| &self.threads[*thread]).find(|t| t.virtual_tid == timer.target);
                    let sent = match target {
                        Some(thread) => system::signal_thread(pid, thread.tid, timer.signal),
                        None => system::signal_process(pid, timer.signal),
                    };
                    sent.or_else(ignore_no_such_thread)?;
                }
            }
        }
        Ok(())
    }

    /// Sets the real timer of a descriptor, so that it is readable, or not.
    fn set_real(&self, process: ProcessId, number: i32, at: Timespec) {
        if let Ok(Some(descriptor)) = self.processes[process].descriptor(number) {
            let times = Itimerspec { it_interval: NEVER, it_value: at };
            // If it is no timer any more, nothing has to happen.
            timerfd_settime(descriptor, TimerfdTimerFlags::ABSTIME, &times).ok();
        }
    }

    /// Stores the new state of a timer and schedules it.
    fn arm(&mut self, process: ProcessId, which: TimerId, timer: Timer) {
        self.timers.all.insert((process, which), timer);
        match timer.due {
            Some(due) => {
                let at = self.due(self.processes[process].node, due).at;
                self.timers.at.insert((process, which), at);
            }
            None => {
                self.timers.at.remove(&(process, which));
            }
        }
    }

    /// Recomputes when the timers of a node are due.
    pub(super) fn reschedule_timers(&mut self, node: usize) {
        let timers: Vec<_> = self.timers.all.iter().map(|(key, timer)| (*key, *timer)).collect();
        for ((process, which), timer) in timers {
            if self.processes[process].node == node {
                self.arm(process, which, timer);
            }
        }
    }

    fn timer(&self, process: ProcessId, which: TimerId) -> Timer {
        self.timers.all.get(&(process, which)).copied().unwrap_or_default()
    }

    /// The interval of a timer and its remaining time.
    fn left(&self, process: ProcessId, timer: Timer) -> (Duration, Duration) {
        let node_time = self.node_time(self.processes[process].node);
        // One that is armed has something left.
        let left = timer.due.map_or(Duration::ZERO, |due| due.since(node_time).max(Duration::from_nanos(1)));
        (timer.interval, left)
    }

    /// `alarm`, `setitimer`, `getitimer`, and the timers of `timer_create`.
    pub(super) fn timer_call(&mut self, thread: ThreadId, call: &Call) -> io::Result<Decision> {
        let Thread { process, node, .. } = self.threads[thread];
        let [first, second, third, fourth, ..] = call.arguments;
        let node_time = self.node_time(node);
        let made = TimerId::Made(first as i32);
        let invalid = Ok(Decision::Return(-i64::from(libc::EINVAL)));
        match call.number {
            libc::SYS_alarm => {
                let (_, left) = self.left(process, self.timer(process, TimerId::Alarm));
                let due = (first != 0).then(|| node_time + Duration::from_secs(first));
                self.arm(process, TimerId::Alarm, Timer { due, signal: libc::SIGALRM, ..Timer::default() });
                return Ok(Decision::Return(left.as_secs_f64().round() as i64));
            }
            // Timers of processor time would measure what takes no time here.
            libc::SYS_setitimer | libc::SYS_getitimer if first != 0 => {
                if call.number == libc::SYS_setitimer && third != 0 {
                    self.processes[process].memory.write(third, &[0; 32])?;
                }
            }
            libc::SYS_setitimer => {
                if third != 0 {
                    self.write_times(process, third, self.timer(process, TimerId::Alarm), 1_000)?;
                }
                if second != 0 {
                    let memory = &self.processes[process].memory;
                    let (seconds, micros) = memory.read_pair(second)?;
                    let interval = microseconds(seconds, micros);
                    let (seconds, micros) = memory.read_pair(second + 16)?;
                    let value = microseconds(seconds, micros);
                    let due = (!value.is_zero()).then(|| node_time + value);
                    let timer = Timer { due, interval, signal: libc::SIGALRM, ..Timer::default() };
                    self.arm(process, TimerId::Alarm, timer);
                }
            }
            libc::SYS_getitimer => self.write_times(process, second, self.timer(process, TimerId::Alarm), 1_000)?,
            libc::SYS_timer_create => {
                let Some(number) =
                    (0..MAX_TIMERS).find(|n| !self.timers.all.contains_key(&(process, TimerId::Made(*n))))
                else {
                    return Ok(Decision::Return(-i64::from(libc::EAGAIN)));
                };
                let memory = &self.processes[process].memory;
                let (signal, kind, target) = if second == 0 {
                    (libc::SIGALRM, libc::SIGEV_SIGNAL, 0)
                } else {
                    let field = |at| memory.read_u32(second + at).map(u32::cast_signed);
                    (field(8)?, field(12)?, field(16)?)
                };
                let signal = if kind == libc::SIGEV_NONE { 0 } else { signal };
                let target = if kind == libc::SIGEV_THREAD_ID { target } else { 0 };
                memory.write(third, &number.to_ne_bytes())?;
                let timer = Timer { signal, target, clock: first as i32, ..Timer::default() };
                self.arm(process, TimerId::Made(number), timer);
            }
            _ if !self.timers.all.contains_key(&(process, made)) => return invalid,
            libc::SYS_timer_settime => {
                let before = self.timer(process, made);
                let timer = self.read_times(thread, third, second, before.clock)?;
                if fourth != 0 {
                    self.write_times(process, fourth, before, 1)?;
                }
                let Timer { signal, target, clock, .. } = before;
                self.arm(process, made, Timer { signal, target, clock, ..timer });
            }
            libc::SYS_timer_gettime => self.write_times(process, second, self.timer(process, made), 1)?,
            libc::SYS_timer_getoverrun => {}
            _ => {
                self.timers.all.remove(&(process, made));
                self.timers.at.remove(&(process, made));
            }
        }
        Ok(Decision::Return(0))
    }

    /// Reads a timer: an interval and a first expiration at an address.
    fn read_times(&self, thread: ThreadId, at: u64, flags: u64, clock: i32) -> io::Result<Timer> {
        let process = self.threads[thread].process;
        let (seconds, nanos) = self.processes[process].memory.read_pair(at)?;
        let interval = Duration::new(seconds.try_into().unwrap_or(0), nanos.try_into().unwrap_or(0));
        let is_off = self.processes[process].memory.read_pair(at + 16)? == (0, 0);
        let due = if is_off {
            None
        } else if flags & ABSOLUTE == 0 {
            self.relative(thread, at + 16)?
        } else {
            self.absolute(thread, at + 16, u64::from(clock.cast_unsigned()))?
        };
        let is_by_day = flags & ABSOLUTE != 0 && matches!(clock, libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_ALARM);
        Ok(Timer { due, interval, is_by_day, ..Timer::default() })
    }

    /// Writes the interval of a timer and its remaining time; the fraction of a second is in units of `unit`
    /// nanoseconds.
    fn write_times(&self, process: ProcessId, at: u64, timer: Timer, unit: u32) -> io::Result<()> {
        let memory = &self.processes[process].memory;
        let (interval, left) = self.left(process, timer);
        for (at, time) in [(at, interval), (at + 16, left)] {
            memory.write_pair(at, (time.as_secs().cast_signed(), (time.subsec_nanos() / unit).into()))?;
        }
        Ok(())
    }

    /// `timerfd_settime` and `timerfd_gettime`.
    pub(super) fn timerfd_call(&mut self, thread: ThreadId, call: &Call) -> io::Result<Decision> {
        let process = self.threads[thread].process;
        let [number, second, third, fourth, ..] = call.arguments;
        let number = number as i32;
        let which = TimerId::Descriptor(number);
        let Some(clock) = self.timer_clock(process, number) else { return Ok(Decision::Pass) };
        let before = self.timer(process, which);
        if call.number == libc::SYS_timerfd_gettime {
            self.write_times(process, second, before, 1)?;
            return Ok(Decision::Return(0));
        }
        let timer = self.read_times(thread, third, second, clock)?;
        if fourth != 0 {
            self.write_times(process, fourth, before, 1)?;
        }
        self.set_real(process, number, NEVER);
        self.arm(process, which, timer);
        if timer.due.is_some_and(|due| due <= self.node_time(self.threads[thread].node)) {
            self.fire_timers()?;
        }
        Ok(Decision::Return(0))
    }

    /// The clock of a timer descriptor.
    fn timer_clock(&self, process: ProcessId, number: i32) -> Option<i32> {
        let pid = self.processes[process].pid;
        let text = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).ok()?;
        text.lines().find_map(|line| line.strip_prefix("clockid: ")?.parse().ok())
    }

    /// Resumes a thread whose descriptor is ready: its call runs, unless it reads a timer.
    pub(super) fn run_again_if_timer(&mut self, thread: ThreadId) -> io::Result<()> {
        let Thread { process, state: State::Parked(Parked { call, .. }), .. } = &self.threads[thread] else {
            return Ok(());
        };
        let which = TimerId::Descriptor(call.arguments[0] as i32);
        if call.number == libc::SYS_read && self.timers.all.contains_key(&(*process, which)) {
            return self.run_again(thread);
        }
        self.make_ready(thread, Resume::On);
        Ok(())
    }

    /// A read of a timer descriptor that has expired returns the virtual count.
    pub(super) fn read_timer(&mut self, thread: ThreadId, number: i32, call: &Call) -> io::Result<Option<Decision>> {
        let process = self.threads[thread].process;
        if !self.timers.all.contains_key(&(process, TimerId::Descriptor(number))) {
            return Ok(None);
        }
        if self.timer_clock(process, number).is_none() {
            // It has been closed, and its number is that of something else.
            self.timers.forget_descriptor(process, number);
            return Ok(None);
        }
        let node_time = self.node_time(self.threads[thread].node);
        let Some(timer) = self.timers.all.get_mut(&(process, TimerId::Descriptor(number))) else { return Ok(None) };
        if timer.expired > 0 {
            // Periods may have passed since it was last looked at.
            timer.count_expirations(node_time);
        }
        if timer.expired == 0 || call.arguments[2] < 8 {
            return Ok(None);
        }
        let expired = std::mem::take(&mut timer.expired);
        self.processes[process].memory.write(call.arguments[1], &expired.to_ne_bytes())?;
        self.set_real(process, number, NEVER);
        self.reset_backoff(thread);
        Ok(Some(Decision::Return(8)))
    }
}
