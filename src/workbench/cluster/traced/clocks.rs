//! The clocks that programs read, in system calls and in the vDSO: those of their node.
//!
//! The functions of the vDSO, by which a program reads the clock without a system call, are replaced in its memory:
//! some by instructions that copy the time from a table that the tracer writes, others by plain system calls.

use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::LazyLock;

use rand::Rng as _;

use super::decide::FREE_READS;
use super::process::{Decision, Parked, ProcessId, State, Thread, ThreadId};
use super::registers::{Call, FUNCTIONS, READ_CLOCK};
use super::tracer::Tracer;
use super::{futex, waits};
use crate::time::{Duration, Time};
use crate::workbench::cluster::simulated::EPOCH_US;

/// What monotonic clocks show at the start of a run: some programs use zero for "never".
const UPTIME: Duration = Duration::from_secs(1_000);
/// Entries of the auxiliary vector.
const AT_RANDOM: u64 = 25;
const AT_SYSINFO_EHDR: u64 = 33;

/// What is written into a copy of the vDSO, by offset.
struct Patches {
    writes: Vec<(u64, Vec<u8>)>,
    table: u64,
}

/// The vDSO of this machine is the same in every process, but for its address.
static PATCHES: LazyLock<Option<Patches>> = LazyLock::new(patches);

fn patches() -> Option<Patches> {
    let auxiliary = std::fs::read("/proc/self/auxv").ok()?;
    let start = auxiliary_entry(&auxiliary, AT_SYSINFO_EHDR)?;
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let range = maps.lines().find(|line| line.ends_with("[vdso]"))?.split(' ').next()?;
    let end = u64::from_str_radix(range.split_once('-')?.1, 16).ok()?;
    let mut image = vec![0; usize::try_from(end - start).ok()?];
    std::fs::File::open("/proc/self/mem").ok()?.read_exact_at(&mut image, start).ok()?;
    // What follows the last byte of the file in its last page is free.
    let used = image.iter().rposition(|byte| *byte != 0)? + 1;
    let place = used.next_multiple_of(64);
    if place + READ_CLOCK.len() + 32 > image.len() {
        return None;
    }
    let mut writes = vec![(u64::try_from(place).ok()?, READ_CLOCK.to_vec())];
    for (name, function) in FUNCTIONS {
        let Some(at) = symbol(&image, name) else { continue };
        let code = function.code(i32::try_from(at).ok()?, i32::try_from(place).ok()?);
        writes.push((at, code));
    }
    Some(Patches { writes, table: u64::try_from(place + READ_CLOCK.len()).ok()? })
}

/// The address of a function in the image of a shared object.
fn symbol(image: &[u8], name: &str) -> Option<u64> {
    let u64_at = |at: usize| Some(u64::from_le_bytes(image.get(at..at + 8)?.try_into().ok()?));
    let u32_at = |at: usize| Some(u32::from_le_bytes(image.get(at..at + 4)?.try_into().ok()?));
    let u16_at = |at: usize| Some(u16::from_le_bytes(image.get(at..at + 2)?.try_into().ok()?));
    let index = |value: u64| usize::try_from(value).ok();
    let (sections, count) = (index(u64_at(40)?)?, usize::from(u16_at(60)?));
    let section = |number: usize| sections + number * 64;
    // The table of dynamic symbols has type 11; it names the section with its strings.
    let table = (0..count).map(section).find(|at| u32_at(at + 4) == Some(11))?;
    let (at, size) = (index(u64_at(table + 24)?)?, index(u64_at(table + 32)?)?);
    let strings = index(u64_at(section(usize::try_from(u32_at(table + 40)?).ok()?) + 24)?)?;
    (at..at + size).step_by(24).find_map(|entry| {
        let text = image.get(strings + usize::try_from(u32_at(entry)?).ok()?..)?;
        let found = text.strip_prefix(name.as_bytes())?.first() == Some(&0);
        found.then(|| u64_at(entry + 8)).flatten()
    })
}

/// An entry of an auxiliary vector.
fn auxiliary_entry(vector: &[u8], wanted: u64) -> Option<u64> {
    let mut numbers = vector.chunks_exact(8).map(|bytes| u64::from_ne_bytes(bytes.try_into().unwrap_or_default()));
    while let (Some(key), Some(value)) = (numbers.next(), numbers.next()) {
        if key == wanted {
            return Some(value);
        }
    }
    None
}

impl Tracer {
    /// Nanoseconds on the clock of a node that counts from its start.
    pub(super) fn monotonic_ns(&self, node: usize) -> u64 {
        (self.node_time(node) + UPTIME).as_nanos()
    }

    /// Nanoseconds since 1970 on the clock of a node.
    fn real_ns(&self, node: usize) -> u64 {
        EPOCH_US * 1_000 + (self.node_time(node) + self.nodes[node].ahead).as_nanos()
    }

    /// The reading of a clock by a process, in nanoseconds; `None` if there is no such clock.
    fn reading(&self, process: ProcessId, clock: i32) -> Option<u64> {
        let node = self.processes[process].node;
        match clock {
            libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE | libc::CLOCK_REALTIME_ALARM | libc::CLOCK_TAI => {
                Some(self.real_ns(node))
            }
            libc::CLOCK_MONOTONIC
            | libc::CLOCK_MONOTONIC_RAW
            | libc::CLOCK_MONOTONIC_COARSE
            | libc::CLOCK_BOOTTIME
            | libc::CLOCK_BOOTTIME_ALARM => Some(self.monotonic_ns(node)),
            libc::CLOCK_PROCESS_CPUTIME_ID | libc::CLOCK_THREAD_CPUTIME_ID | ..0 => Some(self.processor_ns(process)),
            _ => None,
        }
    }

    /// The processor time of a process: as if it had computed since its start.
    fn processor_ns(&self, process: ProcessId) -> u64 {
        let state = self.now.since(self.processes[process].started_at);
        u64::try_from(state.as_nanos()).unwrap_or(u64::MAX).saturating_add(1_000_000)
    }

    /// Converts the absolute time at this address, on some clock of a node, to the time of the node.
    pub(super) fn absolute(&self, thread: ThreadId, address: u64, clock: u64) -> io::Result<Option<Time>> {
        let Thread { process, node, .. } = self.threads[thread];
        let (seconds, nanos) = self.processes[process].memory.read_pair(address)?;
        if !(0..1_000_000_000).contains(&nanos) {
            return Err(io::Error::from_raw_os_error(libc::EFAULT));
        }
        let seconds = u64::try_from(seconds).unwrap_or_default();
        let wanted = Duration::from_secs(seconds).saturating_add(nanoseconds(nanos));
        let wanted = u64::try_from(wanted.as_nanos()).unwrap_or(u64::MAX);
        let Some(reading) = self.reading(process, clock as i32) else { return Ok(None) };
        Ok(Some(self.node_time(node) + Duration::from_nanos(wanted.saturating_sub(reading))))
    }

    /// Sets the time of day of a node forward. Those that wait for a time of day have to be rescheduled.
    pub(super) fn set_forward(&mut self, node: usize, ahead: Duration) {
        self.nodes[node].ahead += ahead;
        for thread in self.threads_of(node) {
            if let State::Parked(Parked { call, due: Some(due), .. }) = &mut self.threads[thread].state
                && (futex::is_until_time_of_day(call) || waits::is_until_time_of_day(call))
            {
                due.node_time = due.node_time - ahead;
            }
        }
        self.timers.set_forward(|process| self.processes[process].node == node, ahead);
    }

    /// Calls that ask for the time.
    pub(super) fn clock_call(&mut self, thread: ThreadId, call: &Call) -> io::Result<Decision> {
        let Thread { process, node, .. } = self.threads[thread];
        let [first, second, ..] = call.arguments;
        let memory = &self.processes[process].memory;
        let real = self.real_ns(node);
        let split = |ns: u64, unit: u64| (signed(ns / 1_000_000_000), signed(ns % 1_000_000_000 / unit));
        let result = match call.number {
            libc::SYS_clock_gettime => {
                let Some(reading) = self.reading(process, first as i32) else { return Ok(Decision::Pass) };
                memory.write_pair(second, split(reading, 1))?;
                0
            }
            libc::SYS_gettimeofday => {
                if first != 0 {
                    memory.write_pair(first, split(real, 1_000))?;
                }
                if second != 0 {
                    memory.write(second, &[0; 8])?;
                }
                0
            }
            libc::SYS_time => {
                let seconds = signed(real / 1_000_000_000);
                if first != 0 {
                    memory.write(first, &seconds.to_ne_bytes())?;
                }
                seconds
            }
            libc::SYS_times => {
                // In ticks of 10 ms: its own time as a user, and as the system, and the same of its children.
                let ticks = self.processor_ns(process) / 10_000_000;
                if first != 0 {
                    memory.write_pair(first, (signed(ticks), 0))?;
                    memory.write_pair(first + 16, (0, 0))?;
                }
                signed(self.monotonic_ns(node) / 10_000_000)
            }
            libc::SYS_getrusage => {
                let mut usage = [0; 144];
                let (seconds, micros) = split(self.processor_ns(process), 1_000);
                usage[..8].copy_from_slice(&seconds.to_ne_bytes());
                usage[8..16].copy_from_slice(&micros.to_ne_bytes());
                // Its peak memory, in KiB: an arbitrary number.
                usage[32..40].copy_from_slice(&10_240_i64.to_ne_bytes());
                memory.write(second, &usage)?;
                0
            }
            // A machine of 8 GiB, half of it free.
            _ => {
                let mut info = [0; 112];
                info[..8].copy_from_slice(&(self.monotonic_ns(node) / 1_000_000_000).to_ne_bytes());
                info[32..40].copy_from_slice(&(8_u64 << 30).to_ne_bytes());
                info[40..48].copy_from_slice(&(4_u64 << 30).to_ne_bytes());
                info[80..82].copy_from_slice(&100_u16.to_ne_bytes());
                info[104..108].copy_from_slice(&1_u32.to_ne_bytes());
                memory.write(first, &info)?;
                0
            }
        };
        Ok(self.back_off(thread, FREE_READS, Decision::Return(result)))
    }

    /// Prepares a process that has just executed a program: patches its vDSO and its random bytes.
    pub(super) fn replace_clock(&mut self, process: ProcessId) -> io::Result<()> {
        let auxiliary = std::fs::read(format!("/proc/{}/auxv", self.processes[process].pid))?;
        let node = self.processes[process].node;
        if let Some(address) = auxiliary_entry(&auxiliary, AT_RANDOM) {
            let mut bytes = [0; 16];
            self.nodes[node].rng.fill_bytes(&mut bytes);
            self.processes[process].memory.write(address, &bytes)?;
        }
        self.processes[process].clock_table = None;
        let Some(start) = auxiliary_entry(&auxiliary, AT_SYSINFO_EHDR) else { return Ok(()) };
        let Some(patches) = &*PATCHES else {
            return Err(io::Error::other("the clock of this system (its vDSO) has an unknown form"));
        };
        for (at, code) in &patches.writes {
            self.processes[process].memory.write(start + at, code)?;
        }
        self.processes[process].clock_table = Some(start + patches.table);
        self.processes[process].table = [u64::MAX; 4];
        self.show_time(process)
    }

    /// Writes the time into the table of a process, if it has changed.
    pub(super) fn show_time(&mut self, process: ProcessId) -> io::Result<()> {
        let Some(address) = self.processes[process].clock_table else { return Ok(()) };
        let node = self.processes[process].node;
        let (real, monotonic) = (self.real_ns(node), self.monotonic_ns(node));
        let second = 1_000_000_000;
        let table = [real / second, real % second, monotonic / second, monotonic % second];
        if table == self.processes[process].table {
            return Ok(());
        }
        self.processes[process].table = table;
        let mut bytes = [0; 32];
        for (place, word) in bytes.chunks_exact_mut(8).zip(table) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        match self.processes[process].memory.write(address, &bytes) {
            // It has been killed, which its end will tell.
            Err(error) if error.kind() == io::ErrorKind::WriteZero || error.raw_os_error() == Some(libc::EIO) => Ok(()),
            written => written,
        }
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn nanoseconds(nanos: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or_default())
}
