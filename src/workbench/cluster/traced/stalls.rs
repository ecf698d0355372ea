//! Threads that do not come to a stop by themselves: those that compute, those that sleep where it is not seen, and
//! what the results say of them. None of them holds up a run for ever.

use std::collections::BTreeSet;
use std::io;
use std::time::Instant;

use libc::pid_t;

use super::filter;
use super::process::{Resume, State, Thread, ThreadId};
use super::system::{self, Waited};
use super::tracer::{Tracer, unless_gone};
use crate::time::Duration;

/// A thread that computes this long without a call that stops is interrupted.
const SPIN_CPU: Duration = Duration::from_millis(100);
/// So much time passes then: it may wait for that.
const SPIN_STEP: Duration = Duration::from_millis(10);
/// The same happens after so many stops of a node's threads at one instant, which take about 200 ms.
const BUSY_STOPS: u32 = 20_000;
const BUSY_STEPS: u32 = 3;
/// So many interruptions of a node without a pause: then nothing will come of it.
const HOPELESS: u32 = 100;
/// A thread that is found asleep in the kernel so many times in a row is left there.
const ASLEEP: u32 = 2;
/// A thread that waits for a device, where nothing can interrupt it, is waited for this long.
const DEVICE: Duration = Duration::from_secs(10);

/// No thread has this number.
const NOBODY: pid_t = 0;

/// What the real clock has decided, and what does not live in virtual time.
#[derive(Debug, Clone, Default)]
pub(super) struct Deviations {
    /// How often a thread that computed was interrupted.
    interrupted: u64,
    /// How often a thread slept in a call that is not trapped, and the last such call.
    unseen: u64,
    call: Option<i64>,
    /// Whether the system has refused fixed addresses.
    pub(super) addresses_vary: bool,
    /// What nodes did that reaches beyond the run, each a sentence.
    beyond: BTreeSet<String>,
    /// What programs were refused, each a sentence.
    refused: BTreeSet<String>,
}

impl Deviations {
    /// Whether the real clock has decided nothing.
    pub(super) fn is_none(&self) -> bool {
        self.interrupted == 0 && self.unseen == 0 && !self.addresses_vary && self.beyond.is_empty()
    }

    /// A node has done this, whose outcome may depend on what is outside of the run.
    pub(super) fn reaches_beyond(&mut self, node: &str, what: &str) {
        self.beyond.insert(format!("{node} {what}"));
    }

    /// A node has been refused something.
    pub(super) fn refused(&mut self, node: &str, what: &str) {
        self.refused.insert(format!("{node} {what}; run it in real time if it matters, without --virtual-time"));
    }

    /// What people are told of them.
    pub(super) fn in_words(&self) -> Vec<String> {
        let mut said = Vec::new();
        if self.interrupted > 0 {
            said.push(format!("{} times a thread that computed for 100 ms was interrupted", self.interrupted));
        }
        if self.unseen > 0 {
            let call = self.call.map_or_else(|| "a system call".into(), filter::name);
            said.push(format!("{} times a thread waited where it is not seen ({call})", self.unseen));
        }
        if self.addresses_vary {
            said.push("this system does not let addresses be fixed (personality)".into());
        }
        said.extend(self.beyond.iter().cloned());
        let first = if said.is_empty() {
            "the real clock decided nothing: the same seed gives the same test".into()
        } else {
            let said = said.join(", ");
            format!("the real clock decided something, so the same seed may not give the same test: {said}")
        };
        [first].into_iter().chain(self.refused.iter().cloned()).collect()
    }
}

impl Tracer {
    /// Waits until a running thread stops; `None` if it does not run any more.
    pub(super) fn wait_for(&mut self, thread: ThreadId) -> io::Result<Option<i32>> {
        let Thread { tid, process, .. } = self.threads[thread];
        let (mut since, mut asleep, mut device) = (None, 0, None);
        loop {
            match system::wait(tid, true)? {
                Waited::Changed(_, status) => return Ok(Some(status)),
                Waited::Nothing => {}
                Waited::Nobody => {
                    if let Some(status) = self.collect(true, tid)? {
                        return Ok(Some(status));
                    }
                }
            }
            // It may have stopped since: when a tick comes must not decide whether it goes on at once.
            if let Some(status) = self.collect(false, tid)? {
                return Ok(Some(status));
            }
            if !matches!(self.threads[thread].state, State::Running) {
                return Ok(None);
            }
            let pid = self.processes[process].pid;
            let Some((state, used)) = look_at(pid, tid) else { continue };
            asleep = if state == 'S' { asleep + 1 } else { 0 };
            if asleep >= ASLEEP {
                self.threads[thread].state = State::Untracked;
                self.untracked.insert(thread);
                let call = call_of(pid, tid);
                self.threads[thread].last_call = call.map_or(-1, |(number, _)| number);
                if !call.is_some_and(|call| self.writes_output(thread, call)) {
                    self.deviations.unseen += 1;
                    self.deviations.call = call.map(|(number, _)| number);
                }
                return Ok(None);
            }
            if state == 'D' {
                #[expect(clippy::disallowed_methods, reason = "a host: a device works in real time")]
                let now = Instant::now();
                if now - *device.get_or_insert(now) > DEVICE {
                    return Err(self.stuck(thread, "it has waited for a device for", DEVICE.as_secs()));
                }
            }
            let since = *since.get_or_insert(used);
            if used.saturating_sub(since) >= SPIN_CPU {
                system::signal_thread(pid, tid, libc::SIGSTOP).or_else(unless_gone)?;
            }
        }
    }

    /// Whether a sleeping thread writes into a full pipe that is the output of its node. That is drained before time
    /// passes, so the real clock decides nothing.
    fn writes_output(&self, thread: ThreadId, (number, descriptor): (i64, u64)) -> bool {
        let Thread { process, node, .. } = self.threads[thread];
        let descriptor = self.processes[process].descriptor(descriptor as i32).ok().flatten();
        let is_write = matches!(number, libc::SYS_write | libc::SYS_writev);
        let file = descriptor.filter(|_| is_write).and_then(|descriptor| rustix::fs::fstat(descriptor).ok());
        file.is_some_and(|file| self.computers[node].outputs.contains(&(file.st_dev, file.st_ino)))
    }

    /// A thread that computes has been interrupted: it goes on when others have had their turn, and later.
    pub(super) fn preempt(&mut self, thread: ThreadId) -> io::Result<()> {
        self.deviations.interrupted += 1;
        self.pass_time(thread, 1)?;
        self.make_ready(thread, Resume::On);
        Ok(())
    }

    /// A thread has stopped once more. If those of its node have done so very often at one instant, they may wait for
    /// time to pass, and it does; returns whether it has.
    pub(super) fn count_stop(&mut self, thread: ThreadId) -> io::Result<bool> {
        let computer = &mut self.computers[self.threads[thread].node];
        computer.stops += 1;
        if computer.stops < BUSY_STOPS {
            return Ok(false);
        }
        computer.stops = 0;
        self.pass_time(thread, BUSY_STEPS)?;
        Ok(true)
    }

    /// Time passes although a thread has not come to rest, which counts for so many steps of those that end a run.
    fn pass_time(&mut self, thread: ThreadId, steps: u32) -> io::Result<()> {
        let computer = &mut self.computers[self.threads[thread].node];
        computer.hopeless += steps;
        if computer.hopeless >= HOPELESS {
            return Err(self.stuck(thread, "it has computed without a pause for", (SPIN_CPU * HOPELESS).as_secs()));
        }
        self.now = self.now + SPIN_STEP;
        self.preempted = true;
        Ok(())
    }

    /// Why a run is ended in which nothing moves.
    fn stuck(&self, thread: ThreadId, what: &str, seconds: u64) -> io::Error {
        let Thread { node, process, tid, virtual_tid, last_call, .. } = self.threads[thread];
        let process = &self.processes[process];
        let name = std::fs::read_to_string(format!("/proc/{}/task/{tid}/comm", process.pid)).unwrap_or_default();
        let (node, number, name) = (&self.names[node], process.virtual_pid, name.trim());
        let call = filter::name(last_call);
        io::Error::other(format!(
            "{node}, thread {virtual_tid} of process {number} ({name}): {what} {seconds} s, in which no time passes \
             here; the last that it asked of the system was {call}. If it waits for the clock in a loop, run it in \
             real time, without --virtual-time",
        ))
    }

    /// Takes note of what has happened to threads that do not run, which `block` waits for; returns the status of the
    /// running one, by its number, if it has stopped.
    fn collect(&mut self, block: bool, running: pid_t) -> io::Result<Option<i32>> {
        let mut block = block;
        while let Waited::Changed(tid, status) = system::wait(-1, block)? {
            block = false;
            if tid == running {
                return Ok(Some(status));
            }
            let Some(&thread) = self.by_tid.get(&tid) else {
                // Not known yet: its parent's event is on its way, and looks for it by its number.
                self.early.insert(tid);
                continue;
            };
            if libc::WIFSTOPPED(status) && status >> 16 == libc::PTRACE_EVENT_EXIT {
                system::resume(tid, system::Go::On, 0).or_else(unless_gone)?;
            } else if let Some(resume) = self.on_stop(thread, status)? {
                self.make_ready(thread, resume);
            }
        }
        Ok(None)
    }

    /// Runs threads that have left a call that is not trapped until they stop; returns whether any can go on.
    pub(super) fn await_untracked(&mut self) -> io::Result<bool> {
        if self.untracked.is_empty() {
            return Ok(false);
        }
        self.collect(false, NOBODY)?;
        for thread in std::mem::take(&mut self.untracked) {
            let Thread { tid, process, node, state: State::Untracked, .. } = self.threads[thread] else { continue };
            // It may have gone on, and come to wait again, since its node's output was last read.
            let computer = &mut self.computers[node];
            (computer.dirty, computer.wrote) = (true, true);
            if look_at(self.processes[process].pid, tid).is_some_and(|(state, _)| state == 'S') {
                self.untracked.insert(thread);
                continue;
            }
            self.threads[thread].state = State::Running;
            if let Some(status) = self.wait_for(thread)?
                && let Some(resume) = self.on_stop(thread, status)?
            {
                self.make_ready(thread, resume);
            }
        }
        Ok(self.is_anyone_ready())
    }

    /// What holds up a node whose threads wait where it is not seen.
    pub(super) fn held_up(&self, node: usize) -> Option<String> {
        let Thread { process, virtual_tid, last_call, .. } =
            self.untracked.iter().map(|thread| &self.threads[*thread]).find(|thread| thread.node == node)?;
        let number = self.processes[*process].virtual_pid;
        let call = filter::name(*last_call);
        Some(format!(
            "thread {virtual_tid} of its process {number} waits in {call}, which takes real time: leave out \
             --virtual-time"
        ))
    }

    /// Whether a thread waits for its node's output to be drained, or for anything else that is not seen.
    pub(super) fn is_anyone_untracked(&self) -> bool {
        !self.untracked.is_empty()
    }

    /// Looks for processes that somebody outside has ended.
    pub(super) fn look_around(&mut self) -> io::Result<bool> {
        if !system::take_tick() {
            return Ok(false);
        }
        self.collect(false, NOBODY)?;
        Ok(self.is_anyone_ready() || self.computers.iter().any(|computer| computer.signalled))
    }
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

/// The number of the system call in which a thread is, and its first argument.
fn call_of(pid: pid_t, tid: pid_t) -> Option<(i64, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall")).ok()?;
    let mut words = text.split(' ');
    let number = words.next()?.parse().ok()?;
    Some((number, u64::from_str_radix(words.next()?.trim_start_matches("0x"), 16).ok()?))
}
