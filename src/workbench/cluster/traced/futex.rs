//! Futexes, private and shared between processes. Waiters are woken first in, first out.

use std::io;

use super::decide::FREE_POLLS;
use super::process::{Decision, OnTimeout, Parked, Process, ProcessId, Resume, State, ThreadId, Waiting, Word};
use super::registers::Call;
use super::tracer::Tracer;
use crate::time::Time;

const WAIT: i32 = 0;
const WAKE: i32 = 1;
const REQUEUE: i32 = 3;
const CMP_REQUEUE: i32 = 4;
const WAKE_OP: i32 = 5;
const LOCK_PI: i32 = 6;
const UNLOCK_PI: i32 = 7;
const TRYLOCK_PI: i32 = 8;
const WAIT_BITSET: i32 = 9;
const WAKE_BITSET: i32 = 10;
const LOCK_PI2: i32 = 13;
/// Flags beside the operation.
const PRIVATE: i32 = 128;
const REALTIME: i32 = 256;
const REALTIME_WAIT_BITSET: i32 = REALTIME | WAIT_BITSET;
const REALTIME_LOCK_PI2: i32 = REALTIME | LOCK_PI2;
const ANY: u32 = u32::MAX;
/// `FUTEX_TID_MASK`: the owner of a priority-inheritance lock; and `FUTEX_WAITERS`.
const OWNER: u32 = 0x3fff_ffff;
const WAITERS: u32 = 0x8000_0000;

impl Tracer {
    pub(super) fn futex(&mut self, thread: ThreadId, call: &Call) -> io::Result<Decision> {
        let [address, operation, value, fourth, other, last] = call.arguments;
        let process = self.threads[thread].process;
        let operation = operation as i32;
        let clock = if operation & REALTIME == 0 { libc::CLOCK_MONOTONIC } else { libc::CLOCK_REALTIME };
        let (value, count) = (value as u32, usize::try_from(value as u32).unwrap_or(usize::MAX));
        let memory = &self.processes[process].memory;
        let is_private = operation & PRIVATE != 0;
        let word_at = |tracer: &Self, address| {
            if is_private { Word::Own(process, address) } else { tracer.word(process, address) }
        };
        let at = word_at(self, address);
        let woken = |count: usize| Ok(Decision::Return(i64::try_from(count).unwrap_or(i64::MAX)));
        match operation & !(PRIVATE | REALTIME) {
            operation @ (WAIT | WAIT_BITSET) => {
                let word = memory.read_u32(address)?;
                let bits = if operation == WAIT { ANY } else { last as u32 };
                if word != value {
                    return Ok(Decision::Return(-i64::from(libc::EAGAIN)));
                }
                let due = match (operation, fourth) {
                    (_, 0) => None,
                    (WAIT, timeout) => self.relative(thread, timeout)?,
                    (_, timeout) => self.absolute(thread, timeout, clock.cast_unsigned().into())?,
                };
                Ok(self.wait_at(thread, Waiting::Futex { at, address, bits, word }, due))
            }
            WAKE => woken(self.wake(at, count, ANY)),
            WAKE_BITSET => woken(self.wake(at, count, last as u32)),
            operation @ (REQUEUE | CMP_REQUEUE) => {
                if operation == CMP_REQUEUE && memory.read_u32(address)? != last as u32 {
                    return Ok(Decision::Return(-i64::from(libc::EAGAIN)));
                }
                let first = self.wake(at, count, ANY);
                let to = word_at(self, other);
                let moved = self.requeue(at, to, other, usize::try_from(fourth as u32).unwrap_or_default());
                woken(first + if operation == CMP_REQUEUE { moved } else { 0 })
            }
            WAKE_OP => {
                let before = memory.read_u32(other)?;
                let (after, also) = wake_op(last as u32, before);
                memory.write(other, &after.to_ne_bytes())?;
                let first = self.wake(at, count, ANY);
                let count = usize::try_from(fourth as u32).unwrap_or_default();
                let other = word_at(self, other);
                woken(first + if also { self.wake(other, count, ANY) } else { 0 })
            }
            operation @ (LOCK_PI | LOCK_PI2 | TRYLOCK_PI) => {
                let (word, own) = (memory.read_u32(address)?, self.threads[thread].virtual_tid.cast_unsigned());
                if word & OWNER == own {
                    return Ok(Decision::Return(-i64::from(libc::EDEADLK)));
                }
                if word & OWNER == 0 {
                    memory.write(address, &(word & WAITERS | own).to_ne_bytes())?;
                    return Ok(Decision::Return(0));
                }
                if operation == TRYLOCK_PI {
                    return Ok(Decision::Return(-i64::from(libc::EAGAIN)));
                }
                memory.write(address, &(word | WAITERS).to_ne_bytes())?;
                let clock = if operation == LOCK_PI { libc::CLOCK_REALTIME } else { clock };
                let due = match fourth {
                    0 => None,
                    timeout => self.absolute(thread, timeout, clock.cast_unsigned().into())?,
                };
                // Only the unlocking thread may change this word.
                Ok(self.wait_at(thread, Waiting::Futex { at, address, bits: ANY, word: word | WAITERS }, due))
            }
            UNLOCK_PI => {
                let waiters = self.waiters(at, ANY);
                let next = waiters.first().map(|next| self.threads[*next].virtual_tid.cast_unsigned());
                let more = if waiters.len() > 1 { WAITERS } else { 0 };
                self.processes[process].memory.write(address, &(next.unwrap_or_default() | more).to_ne_bytes())?;
                self.wake(at, 1, ANY);
                Ok(Decision::Return(0))
            }
            _ => Ok(Decision::Return(-i64::from(libc::ENOSYS))),
        }
    }

    fn wait_at(&mut self, thread: ThreadId, waiting: Waiting, due: Option<Time>) -> Decision {
        let timed_out = -i64::from(libc::ETIMEDOUT);
        if due.is_some_and(|due| due <= self.node_time(self.threads[thread].node)) {
            return self.back_off(thread, FREE_POLLS, Decision::Return(timed_out));
        }
        self.reset_backoff(thread);
        let turn = self.next_queue_position();
        self.threads[thread].turn = turn;
        Decision::Park(waiting, due, OnTimeout::Return(timed_out), None)
    }

    /// The shared word at an address of a process.
    fn word(&self, process: ProcessId, address: u64) -> Word {
        let Process { node, pid, .. } = self.processes[process];
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        let shared = maps.lines().find_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let number = |text: &str| u64::from_str_radix(text, 16).ok();
            let (start, end) = words.next()?.split_once('-')?;
            let start = number(start)?;
            if !(start..number(end)?).contains(&address) || !words.next()?.ends_with('s') {
                return None;
            }
            let place = number(words.next()?)? + (address - start);
            let (major, minor) = words.next()?.split_once(':')?;
            let device = number(major)? << 32 | number(minor)?;
            Some(Word::Shared { node, device, file: words.next()?.parse().ok()?, place })
        });
        shared.unwrap_or(Word::Own(process, address))
    }

    /// The threads that wait on a word, in the order of arrival.
    fn waiters(&self, word: Word, wanted: u32) -> Vec<ThreadId> {
        let waits = |thread: &ThreadId| {
            matches!(&self.threads[*thread].state,
                State::Parked(Parked { waiting: Waiting::Futex { at, bits, .. }, .. })
                    if *at == word && bits & wanted != 0)
        };
        let mut waiters: Vec<_> = match word {
            Word::Own(process, _) => self.processes[process].threads.iter().copied().filter(waits).collect(),
            Word::Shared { node, .. } => self.threads_of(node).into_iter().filter(waits).collect(),
        };
        waiters.sort_unstable_by_key(|thread| self.threads[*thread].turn);
        waiters
    }

    /// Wakes at most this many threads that wait on a word; returns how many there were.
    fn wake(&mut self, word: Word, count: usize, bits: u32) -> usize {
        let mut waiters = self.waiters(word, bits);
        waiters.truncate(count);
        for thread in &waiters {
            self.make_ready(*thread, Resume::Return(0));
        }
        waiters.len()
    }

    /// Moves at most this many waiters of a word to another one, which is at this address.
    fn requeue(&mut self, from: Word, to: Word, to_address: u64, count: usize) -> usize {
        let mut waiters = self.waiters(from, ANY);
        waiters.truncate(count);
        for thread in &waiters {
            let turn = self.next_queue_position();
            self.threads[*thread].turn = turn;
            if let State::Parked(Parked { waiting: Waiting::Futex { at, address, .. }, .. }) =
                &mut self.threads[*thread].state
            {
                (*at, *address) = (to, to_address);
            }
        }
        waiters.len()
    }

    /// Wakes the threads of a process whose word the kernel has cleared, as it does when a thread ends.
    pub(super) fn wake_after_exit(&mut self, process: ProcessId) {
        for thread in self.processes[process].threads.clone() {
            if let State::Parked(Parked { waiting: Waiting::Futex { address, word, .. }, .. }) =
                self.threads[thread].state
                && self.processes[process].memory.read_u32(address).is_ok_and(|now| now != word && now == 0)
            {
                self.make_ready(thread, Resume::Return(0));
            }
        }
    }
}

/// Whether a call waits until a time of day.
pub(super) fn is_until_time_of_day(call: &Call) -> bool {
    let operation = call.arguments[1] as i32 & !PRIVATE;
    call.number == libc::SYS_futex && matches!(operation, REALTIME_WAIT_BITSET | LOCK_PI | REALTIME_LOCK_PI2)
}

/// The value that `FUTEX_WAKE_OP` writes into a word, and whether it wakes the waiters of that word too.
fn wake_op(code: u32, before: u32) -> (u32, bool) {
    let signed = |field: u32| (field << 20).cast_signed() >> 20;
    let (operation, comparison) = (code >> 28 & 7, code >> 24 & 15);
    let (operand, compared) = (signed(code >> 12 & 0xfff), signed(code & 0xfff));
    let operand = if code >> 31 == 1 { 1 << (operand & 31) } else { operand.cast_unsigned() };
    let after = match operation {
        0 => operand,
        1 => before.wrapping_add(operand),
        2 => before | operand,
        3 => before & !operand,
        _ => before ^ operand,
    };
    let before = before.cast_signed();
    let also = match comparison {
        0 => before == compared,
        1 => before != compared,
        2 => before < compared,
        3 => before <= compared,
        4 => before > compared,
        _ => before >= compared,
    };
    (after, also)
}
