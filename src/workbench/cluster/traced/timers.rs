//! Timers of programs: alarms, which are signals, and those that are descriptors.

use std::collections::BTreeMap;
use std::io;

use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};

use super::process::{Decision, Parked, ProcessId, Resume, State, Thread, ThreadId};
use super::registers::Call;
use super::system;
use super::tracer::{Tracer, unless_gone};
use super::waits::microseconds;
use crate::time::{Duration, Time};

/// `TFD_TIMER_ABSTIME` and `TIMER_ABSTIME`.
const ABSOLUTE: u64 = 1;
/// A time that has passed, on every clock: a descriptor whose timer is set to it is readable at once.
const PAST: Timespec = Timespec { tv_sec: 0, tv_nsec: 1 };
const NEVER: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
/// A timer that expires more often than this is not looked at each time, only its expirations are counted: otherwise
/// one of a period of a nanosecond would hold up the run.
const SHORTEST_PERIOD: Duration = Duration::from_micros(50);
/// The most timers of one process made by `timer_create`.
const MAX_TIMERS: i32 = 1_000;

/// Which timer of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Which {
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
    /// The signal that it is, and the number of the thread that gets it, if it is one.
    signal: i32,
    target: i32,
    /// The clock that absolute times are meant on.
    clock: i32,
    /// Whether it is set to a time of day.
    is_by_day: bool,
}

impl Timer {
    /// Counts how often it has expired until its clock shows this; returns whether it has.
    fn count(&mut self, shown: Time) -> bool {
        let Some(due) = self.due.filter(|due| *due <= shown) else { return false };
        let interval = self.interval.as_nanos();
        let periods = shown.since(due).as_nanos().checked_div(interval).map(|late| late + 1);
        let bounded = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
        self.expired += periods.map_or(1, bounded);
        self.due = periods.map(|periods| due + Duration::from_nanos(bounded(interval * periods)));
        true
    }
}

/// All timers.
#[derive(Debug, Default)]
pub(super) struct Timers {
    all: BTreeMap<(ProcessId, Which), Timer>,
    /// When the armed ones are due in the time of the run, as it was when they were last looked at.
    at: BTreeMap<(ProcessId, Which), Time>,
}

impl Timers {
    /// When the next one expires of those whose process may.
    pub(super) fn next(&self, may: impl Fn(ProcessId) -> bool) -> Option<Time> {
        self.at.iter().filter(|((process, _), _)| may(*process)).map(|(_, at)| *at).min()
    }

    /// The time of day of some processes is set forward. Their timers have to be armed anew.
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

    /// A descriptor is another one from now on.
    pub(super) fn forget_descriptor(&mut self, process: ProcessId, descriptor: i32) {
        self.all.remove(&(process, Which::Descriptor(descriptor)));
        self.at.remove(&(process, Which::Descriptor(descriptor)));
    }
}

impl Tracer {
    /// Has each timer that is due expire.
    pub(super) fn fire_timers(&mut self) -> io::Result<()> {
        let due: Vec<_> = self.timers.at.iter().filter(|(_, at)| **at <= self.now).map(|(key, _)| *key).collect();
        for (process, which) in due {
            let node = self.processes[process].node;
            if self.computers[node].paused {
                continue;
            }
            let shown = self.shown(node);
            let Some(timer) = self.timers.all.get_mut(&(process, which)) else { continue };
            let has_expired = timer.count(shown);
            let timer = *timer;
            self.arm(process, which, timer);
            let soonest = self.now + if has_expired { SHORTEST_PERIOD } else { Duration::from_nanos(1) };
            if let Some(at) = self.timers.at.get_mut(&(process, which)) {
                *at = soonest.max(*at);
            }
            if !has_expired {
                continue;
            }
            let computer = &mut self.computers[node];
            (computer.dirty, computer.signalled) = (true, true);
            let pid = self.processes[process].pid;
            match which {
                Which::Descriptor(number) => self.set_real(process, number, PAST),
                Which::Alarm | Which::Made(_) if timer.signal == 0 => {}
                Which::Alarm | Which::Made(_) => {
                    let threads = self.processes[process].threads.iter();
                    let target = threads.map(|thread| &self.threads[*thread]).find(|t| t.virtual_tid == timer.target);
                    let sent = match target {
                        Some(thread) => system::signal_thread(pid, thread.tid, timer.signal),
                        None => system::signal_process(pid, timer.signal),
                    };
                    sent.or_else(unless_gone)?;
                }
            }
        }
        Ok(())
    }

    /// Has the kernel's timer behind a descriptor be readable, or not.
    fn set_real(&self, process: ProcessId, number: i32, at: Timespec) {
        if let Ok(Some(descriptor)) = self.processes[process].descriptor(number) {
            let times = Itimerspec { it_interval: NEVER, it_value: at };
            // If it is no timer any more, nothing has to happen.
            timerfd_settime(descriptor, TimerfdTimerFlags::ABSTIME, &times).ok();
        }
    }

    /// Takes note of a timer as it is from now on.
    fn arm(&mut self, process: ProcessId, which: Which, timer: Timer) {
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

    /// Computes anew when the timers of a node are due.
    pub(super) fn reschedule_timers(&mut self, node: usize) {
        let timers: Vec<_> = self.timers.all.iter().map(|(key, timer)| (*key, *timer)).collect();
        for ((process, which), timer) in timers {
            if self.processes[process].node == node {
                self.arm(process, which, timer);
            }
        }
    }

    fn timer(&self, process: ProcessId, which: Which) -> Timer {
        self.timers.all.get(&(process, which)).copied().unwrap_or_default()
    }

    /// The interval of a timer and what is left of its time.
    fn left(&self, process: ProcessId, timer: Timer) -> (Duration, Duration) {
        let shown = self.shown(self.processes[process].node);
        // One that is armed has something left.
        let left = timer.due.map_or(Duration::ZERO, |due| due.since(shown).max(Duration::from_nanos(1)));
        (timer.interval, left)
    }

    /// `alarm`, `setitimer`, `getitimer`, and the timers of `timer_create`.
    pub(super) fn timer_call(&mut self, thread: ThreadId, call: &Call) -> io::Result<Decision> {
        let Thread { process, node, .. } = self.threads[thread];
        let [first, second, third, fourth, ..] = call.arguments;
        let shown = self.shown(node);
        let made = Which::Made(first as i32);
        let invalid = Ok(Decision::Return(-i64::from(libc::EINVAL)));
        match call.number {
            libc::SYS_alarm => {
                let (_, left) = self.left(process, self.timer(process, Which::Alarm));
                let due = (first != 0).then(|| shown + Duration::from_secs(first));
                self.arm(process, Which::Alarm, Timer { due, signal: libc::SIGALRM, ..Timer::default() });
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
                    self.write_times(process, third, self.timer(process, Which::Alarm), 1_000)?;
                }
                if second != 0 {
                    let memory = &self.processes[process].memory;
                    let (seconds, micros) = memory.read_pair(second)?;
                    let interval = microseconds(seconds, micros);
                    let (seconds, micros) = memory.read_pair(second + 16)?;
                    let value = microseconds(seconds, micros);
                    let due = (!value.is_zero()).then(|| shown + value);
                    let timer = Timer { due, interval, signal: libc::SIGALRM, ..Timer::default() };
                    self.arm(process, Which::Alarm, timer);
                }
            }
            libc::SYS_getitimer => self.write_times(process, second, self.timer(process, Which::Alarm), 1_000)?,
            libc::SYS_timer_create => {
                let Some(number) = (0..MAX_TIMERS).find(|n| !self.timers.all.contains_key(&(process, Which::Made(*n))))
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
                self.arm(process, Which::Made(number), timer);
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

    /// A timer as two times at an address say: its interval, and when it first expires.
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

    /// Writes the interval of a timer and what is left of its time, in units of so many nanoseconds below the second.
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
        let which = Which::Descriptor(number);
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
        if timer.due.is_some_and(|due| due <= self.shown(self.threads[thread].node)) {
            self.fire_timers()?;
        }
        Ok(Decision::Return(0))
    }

    /// The clock of a descriptor that is a timer.
    fn timer_clock(&self, process: ProcessId, number: i32) -> Option<i32> {
        let pid = self.processes[process].pid;
        let text = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).ok()?;
        text.lines().find_map(|line| line.strip_prefix("clockid: ")?.parse().ok())
    }

    /// A descriptor is ready for which a thread waits: its call runs, unless it reads a timer.
    pub(super) fn run_again_if_timer(&mut self, thread: ThreadId) -> io::Result<()> {
        let Thread { process, state: State::Parked(Parked { call, .. }), .. } = &self.threads[thread] else {
            return Ok(());
        };
        let which = Which::Descriptor(call.arguments[0] as i32);
        if call.number == libc::SYS_read && self.timers.all.contains_key(&(*process, which)) {
            return self.run_again(thread);
        }
        self.make_ready(thread, Resume::On);
        Ok(())
    }

    /// A read of a descriptor that is a timer which has expired: how often is known here.
    pub(super) fn read_timer(&mut self, thread: ThreadId, number: i32, call: &Call) -> io::Result<Option<Decision>> {
        let process = self.threads[thread].process;
        if !self.timers.all.contains_key(&(process, Which::Descriptor(number))) {
            return Ok(None);
        }
        if self.timer_clock(process, number).is_none() {
            // It has been closed, and its number is that of something else.
            self.timers.forget_descriptor(process, number);
            return Ok(None);
        }
        let shown = self.shown(self.threads[thread].node);
        let Some(timer) = self.timers.all.get_mut(&(process, Which::Descriptor(number))) else { return Ok(None) };
        if timer.expired > 0 {
            // Periods may have passed since it was last looked at.
            timer.count(shown);
        }
        if timer.expired == 0 || call.arguments[2] < 8 {
            return Ok(None);
        }
        let expired = std::mem::take(&mut timer.expired);
        self.processes[process].memory.write(call.arguments[1], &expired.to_ne_bytes())?;
        self.set_real(process, number, NEVER);
        self.rest(thread);
        Ok(Some(Decision::Return(8)))
    }
}
