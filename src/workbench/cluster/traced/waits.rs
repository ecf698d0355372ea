//! Calls that wait for descriptors or for time. Readiness is checked without consuming anything.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, major, minor};

use super::decide::FREE_POLLS;
use super::process::{Decision, OnTimeout, Parked, State, Thread, ThreadId, Waiting};
use super::registers::Call;
use super::tracer::Tracer;
use crate::time::{Duration, Time};

/// `FD_SETSIZE`, the limit of `select`.
const MAX_SELECTED: usize = 1024;
/// `TIMER_ABSTIME`.
const ABSOLUTE: u64 = 1;
/// The flag of a socket call that does not block.
const DONT_WAIT: u64 = libc::MSG_DONTWAIT as u64;

impl Tracer {
    /// `read` and its relatives.
    pub(super) fn read_call(&mut self, thread: ThreadId, call: &Call) -> io::Result<Decision> {
        let process = self.threads[thread].process;
        let number = call.arguments[0] as i32;
        let Some(descriptor) = self.processes[process].descriptor(number)? else { return Ok(Decision::Pass) };
        if call.number == libc::SYS_read
            && let Some(decision) = self.read_timer(thread, number, call)?
        {
            return Ok(decision);
        }
        if call.number == libc::SYS_read && is_random_device(&descriptor) {
            self.reset_backoff(thread);
            return self.fill_random(thread, call.arguments[1], call.arguments[2]);
        }
        let wanted = vec![(descriptor, PollFlags::IN)];
        if is_ready(&wanted)? {
            self.reset_backoff(thread);
            return Ok(Decision::Pass);
        }
        let flags = match call.number {
            libc::SYS_recvfrom => call.arguments[3],
            libc::SYS_recvmsg => call.arguments[2],
            _ => 0,
        };
        let nonblocking = rustix::fs::fcntl_getfl(&wanted[0].0).is_ok_and(|f| f.contains(rustix::fs::OFlags::NONBLOCK));
        if nonblocking || flags & DONT_WAIT != 0 {
            return Ok(self.back_off(thread, FREE_POLLS, Decision::Pass));
        }
        self.reset_backoff(thread);
        Ok(Decision::Park(Waiting::Descriptors(wanted), None, OnTimeout::Run, None))
    }

    pub(super) fn epoll_call(&mut self, thread: ThreadId, call: &Call) -> io::Result<Decision> {
        let [descriptor, _, _, timeout, mask, _] = call.arguments;
        let process = self.threads[thread].process;
        let due = if call.number == libc::SYS_epoll_pwait2 {
            self.relative(thread, timeout)?
        } else {
            self.after_ms(thread, timeout)
        };
        let mask = if call.number == libc::SYS_epoll_wait { 0 } else { mask };
        let descriptor = self.processes[process].descriptor(descriptor as i32)?;
        let wanted = descriptor.map(|descriptor| (descriptor, PollFlags::IN)).into_iter().collect();
        self.wait_for_descriptors(thread, wanted, due, OnTimeout::Return(0), mask)
    }

    pub(super) fn poll_call(&mut self, thread: ThreadId, call: &Call) -> io::Result<Decision> {
        let [entries, count, timeout, mask, ..] = call.arguments;
        let (due, mask) = if call.number == libc::SYS_poll {
            (self.after_ms(thread, timeout), 0)
        } else {
            (self.relative(thread, timeout)?, mask)
        };
        let process = &self.processes[self.threads[thread].process];
        let mut bytes = vec![0; usize::try_from(count.min(1 << 20)).unwrap_or_default() * 8];
        process.memory.read_into(entries, &mut bytes)?;
        let mut wanted = Vec::new();
        for entry in bytes.chunks_exact(8) {
            let number = i32::from_ne_bytes([entry[0], entry[1], entry[2], entry[3]]);
            let events = u16::from_ne_bytes([entry[4], entry[5]]);
            if number >= 0 {
                // A closed descriptor is an event, too (POLLNVAL).
                let Some(descriptor) = process.descriptor(number)? else { return Ok(Decision::Pass) };
                wanted.push((descriptor, PollFlags::from_bits_retain(events)));
            }
        }
        self.wait_for_descriptors(thread, wanted, due, OnTimeout::NoEvents { entries, count }, mask)
    }

    pub(super) fn select_call(&mut self, thread: ThreadId, call: &Call) -> io::Result<Decision> {
        let [count, reads, writes, errors, timeout, mask] = call.arguments;
        let count = usize::try_from(count).unwrap_or_default().min(MAX_SELECTED);
        let process = &self.processes[self.threads[thread].process];
        let (due, mask) = if call.number == libc::SYS_select {
            let node_time = self.node_time(process.node);
            let due = match timeout {
                0 => None,
                timeout => {
                    let (seconds, micros) = process.memory.read_pair(timeout)?;
                    Some(node_time + microseconds(seconds, micros))
                }
            };
            (due, 0)
        } else {
            let mask = if mask == 0 { 0 } else { process.memory.read_u64(mask)? };
            (self.relative(thread, timeout)?, mask)
        };
        let bytes = count.div_ceil(64) * 8;
        let mut wanted = Vec::new();
        for (set, flags) in [(reads, PollFlags::IN), (writes, PollFlags::OUT), (errors, PollFlags::PRI)] {
            let mut bits = vec![0; if set == 0 { 0 } else { bytes }];
            process.memory.read_into(set, &mut bits)?;
            for number in (0..count).filter(|number| bits.get(number / 8).is_some_and(|b| b >> (number % 8) & 1 == 1)) {
                let number = i32::try_from(number).unwrap_or(-1);
                let Some(descriptor) = process.descriptor(number)? else { return Ok(Decision::Pass) };
                wanted.push((descriptor, flags));
            }
        }
        let sets = [reads, writes, errors];
        self.wait_for_descriptors(thread, wanted, due, OnTimeout::NoneSelected { sets, bytes }, mask)
    }

    /// Parks a thread until a descriptor is ready, unless one is or the call does not block.
    fn wait_for_descriptors(
        &mut self,
        thread: ThreadId,
        wanted: Vec<(OwnedFd, PollFlags)>,
        due: Option<Time>,
        on_timeout: OnTimeout,
        mask: u64,
    ) -> io::Result<Decision> {
        let Thread { process, node, .. } = self.threads[thread];
        if is_ready(&wanted)? {
            self.reset_backoff(thread);
            return Ok(Decision::Pass);
        }
        let mask = if mask == 0 { None } else { Some(self.processes[process].memory.read_u64(mask)?) };
        if mask.is_some() {
            // A pending signal may no longer be blocked.
            self.nodes[node].signalled = true;
        }
        if due.is_some_and(|due| due <= self.node_time(node)) {
            return Ok(self.back_off(thread, FREE_POLLS, Decision::Pass));
        }
        self.reset_backoff(thread);
        Ok(Decision::Park(Waiting::Descriptors(wanted), due, on_timeout, mask))
    }

    /// The deadline of a time-out in milliseconds; `None` if it is negative.
    fn after_ms(&self, thread: ThreadId, timeout: u64) -> Option<Time> {
        let milliseconds = u64::try_from(timeout as i32).ok()?;
        Some(self.node_time(self.threads[thread].node) + Duration::from_millis(milliseconds))
    }

    /// Resumes the parked threads of a node for which a descriptor is ready; returns whether there were any.
    pub(super) fn recheck_descriptors(&mut self, node: usize) -> io::Result<bool> {
        let mut ready = Vec::new();
        for thread in self.threads_of(node) {
            if let State::Parked(Parked { waiting: Waiting::Descriptors(wanted), .. }) = &self.threads[thread].state
                && is_ready(wanted)?
            {
                ready.push(thread);
            }
        }
        for thread in &ready {
            self.run_again_if_timer(*thread)?;
        }
        Ok(!ready.is_empty())
    }

    /// `nanosleep` and `clock_nanosleep`.
    pub(super) fn sleep_call(&mut self, thread: ThreadId, call: &Call) -> io::Result<Decision> {
        let node = self.threads[thread].node;
        let due = if call.number == libc::SYS_nanosleep {
            self.relative(thread, call.arguments[0])?
        } else if call.arguments[1] & ABSOLUTE == 0 {
            self.relative(thread, call.arguments[2])?
        } else {
            self.absolute(thread, call.arguments[2], call.arguments[0])?
        };
        if due.is_some_and(|due| due <= self.node_time(node)) {
            return Ok(self.back_off(thread, FREE_POLLS, Decision::Return(0)));
        }
        self.reset_backoff(thread);
        Ok(Decision::Park(Waiting::Time, due, OnTimeout::Return(0), None))
    }
}

/// Whether a descriptor is `/dev/random` or `/dev/urandom`.
fn is_random_device(descriptor: &OwnedFd) -> bool {
    let is_one = |file: rustix::fs::Stat| {
        FileType::from_raw_mode(file.st_mode) == FileType::CharacterDevice
            && (major(file.st_rdev) == 1 && matches!(minor(file.st_rdev), 8 | 9))
    };
    rustix::fs::fstat(descriptor).is_ok_and(is_one)
}

/// Whether a call sleeps until a time of day.
pub(super) fn is_until_time_of_day(call: &Call) -> bool {
    let [clock, flags, ..] = call.arguments;
    call.number == libc::SYS_clock_nanosleep && clock as i32 == libc::CLOCK_REALTIME && flags & ABSOLUTE != 0
}

/// Whether any of these events is ready.
fn is_ready(wanted: &[(OwnedFd, PollFlags)]) -> io::Result<bool> {
    let mut entries: Vec<_> = wanted.iter().map(|(descriptor, flags)| PollFd::new(descriptor, *flags)).collect();
    let ready = rustix::io::retry_on_intr(|| poll(&mut entries, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })))?;
    Ok(ready > 0)
}

/// A `timeval` as a duration.
pub(super) fn microseconds(seconds: i64, micros: i64) -> Duration {
    let whole = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    whole.saturating_add(Duration::from_micros(u64::try_from(micros).unwrap_or_default()))
}
