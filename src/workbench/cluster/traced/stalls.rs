//! Threads that do not stop by themselves, because they compute or sleep in an untrapped system call, and what the
//! results say about them. None of them can hang a run.

use std::collections::BTreeSet;
use std::io;
use std::time::Instant;

use libc::pid_t;

use super::filter;
use super::process::{Resume, State, Thread, ThreadId};
use super::system::{self, Waited};
use super::tracer::{Tracer, ignore_no_such_thread};
use crate::time::Duration;

/// A thread that computes this long without a trapped call is interrupted.
const SPIN_CPU: Duration = Duration::from_millis(100);
/// How much time passes then, since the thread may be waiting for that.
const SPIN_STEP: Duration = Duration::from_millis(10);
/// The same happens after this many stops of a node's threads at one instant, which take about 200 ms; it counts for
/// this many interruptions.
const BUSY_STOPS: u32 = 20_000;
const BUSY_STEPS: u32 = 3;
/// After this many interruptions of a node without a wait, the run is ended.
const MAX_BUSY_STEPS: u32 = 100;
/// A thread that is asleep in the kernel at this many checks in a row is left there.
const ASLEEP_LOOKS: u32 = 2;
/// How long a thread may wait for a device (uninterruptible sleep).
const MAX_DEVICE_WAIT: Duration = Duration::from_secs(10);

/// No thread has this number.
const NO_THREAD: pid_t = 0;

/// What depended on real time or on something outside of the run.
#[derive(Debug, Clone, Default)]
pub(super) struct Deviations {
    /// How often a thread that computed was interrupted.
    interrupted: u64,
    /// How often a thread slept in an untrapped call, and the last such call.
    unseen: u64,
    call: Option<i64>,
    /// Whether the system has refused fixed addresses.
    pub(super) addresses_vary: bool,
    /// What nodes did that involves something outside of the run, each a sentence.
    beyond: BTreeSet<String>,
    /// What programs were refused, each a sentence.
    refused: BTreeSet<String>,
}

impl Deviations {
    /// Whether there are none.
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

    /// Sentences for the report.
    pub(super) fn in_words(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        if self.interrupted > 0 {
            sentences.push(format!("{} times a thread that computed for 100 ms was interrupted", self.interrupted));
        }
        if self.unseen > 0 {
            let call = self.call.map_or_else(|| "a system call".into(), filter::name);
            sentences.push(format!("{} times a thread waited where it is not seen ({call})", self.unseen));
        }
        if self.addresses_vary {
            sentences.push("this system does not let addresses be fixed (personality)".into());
        }
        sentences.extend(self.beyond.iter().cloned());
        let first = if sentences.is_empty() {
            "the real clock decided nothing: the same seed gives the same test".into()
        } else {
            let sentences = sentences.join(", ");
            format!("the real clock decided something, so the same seed may not give the same test: {sentences}")
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
                Waited::NoChild => {
                    if let Some(status) = self.collect(true, tid)? {
                        return Ok(Some(status));
                    }
                }
            }
            // It may have stopped since: the timing of a tick must not decide whether it is resumed at once.
            if let Some(status) = self.collect(false, tid)? {
                return Ok(Some(status));
            }
            if !matches!(self.threads[thread].state, State::Running) {
                return Ok(None);
            }
            let pid = self.processes[process].pid;
            let Some((state, used)) = state_and_cpu_time(pid, tid) else { continue };
            asleep = if state == 'S' { asleep + 1 } else { 0 };
            if asleep >= ASLEEP_LOOKS {
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
                if now - *device.get_or_insert(now) > MAX_DEVICE_WAIT {
                    return Err(self.stuck(thread, "it has waited for a device for", MAX_DEVICE_WAIT.as_secs()));
                }
            }
            let since = *since.get_or_insert(used);
            if used.saturating_sub(since) >= SPIN_CPU {
                system::signal_thread(pid, tid, libc::SIGSTOP).or_else(ignore_no_such_thread)?;
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
        file.is_some_and(|file| self.nodes[node].outputs.contains(&(file.st_dev, file.st_ino)))
    }

    /// A computing thread has been interrupted: time passes, and it is scheduled anew.
    pub(super) fn preempt(&mut self, thread: ThreadId) -> io::Result<()> {
        self.deviations.interrupted += 1;
        self.pass_time(thread, 1)?;
        self.make_ready(thread, Resume::On);
        Ok(())
    }

    /// Counts a stop of a thread. If those of its node have stopped very often at one instant, they may be waiting for
    /// time to pass, and it does; returns whether it has.
    pub(super) fn count_stop(&mut self, thread: ThreadId) -> io::Result<bool> {
        let state = &mut self.nodes[self.threads[thread].node];
        state.stops += 1;
        if state.stops < BUSY_STOPS {
            return Ok(false);
        }
        state.stops = 0;
        self.pass_time(thread, BUSY_STEPS)?;
        Ok(true)
    }

    /// Lets time pass although a thread does not wait; `steps` counts towards the limit that ends a run.
    fn pass_time(&mut self, thread: ThreadId, steps: u32) -> io::Result<()> {
        let state = &mut self.nodes[self.threads[thread].node];
        state.busy_steps += steps;
        if state.busy_steps >= MAX_BUSY_STEPS {
            return Err(self.stuck(
                thread,
                "it has computed without a pause for",
                (SPIN_CPU * MAX_BUSY_STEPS).as_secs(),
            ));
        }
        self.now = self.now + SPIN_STEP;
        self.preempted = true;
        Ok(())
    }

    /// The error of a run that makes no progress.
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

    /// Handles events of threads other than `running`, and waits for one if `block`; returns the status of `running` if
    /// it has stopped.
    fn collect(&mut self, block: bool, running: pid_t) -> io::Result<Option<i32>> {
        let mut block = block;
        while let Waited::Changed(tid, status) = system::wait(-1, block)? {
            block = false;
            if tid == running {
                return Ok(Some(status));
            }
            let Some(&thread) = self.by_tid.get(&tid) else {
                // Not known yet: the event of its parent will follow, and look for it here.
                self.early.insert(tid);
                continue;
            };
            if libc::WIFSTOPPED(status) && status >> 16 == libc::PTRACE_EVENT_EXIT {
                system::resume(tid, system::Until::NextEvent, 0).or_else(ignore_no_such_thread)?;
            } else if let Some(resume) = self.on_stop(thread, status)? {
                self.make_ready(thread, resume);
            }
        }
        Ok(None)
    }

    /// Waits for threads that have left an untrapped call to stop; returns whether any is ready.
    pub(super) fn await_untracked(&mut self) -> io::Result<bool> {
        if self.untracked.is_empty() {
            return Ok(false);
        }
        self.collect(false, NO_THREAD)?;
        for thread in std::mem::take(&mut self.untracked) {
            let Thread { tid, process, node, state: State::Untracked, .. } = self.threads[thread] else { continue };
            // It may have run and gone to sleep again since its node's output was last read.
            let state = &mut self.nodes[node];
            (state.dirty, state.wrote) = (true, true);
            if state_and_cpu_time(self.processes[process].pid, tid).is_some_and(|(state, _)| state == 'S') {
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

    /// Which untrapped call delays a node, if one does.
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

    /// Whether a thread sleeps in an untrapped call, such as a write into a full pipe.
    pub(super) fn is_anyone_untracked(&self) -> bool {
        !self.untracked.is_empty()
    }

    /// Detects processes that were killed from outside.
    pub(super) fn detect_outside_kills(&mut self) -> io::Result<bool> {
        if !system::take_tick() {
            return Ok(false);
        }
        self.collect(false, NO_THREAD)?;
        Ok(self.is_anyone_ready() || self.nodes.iter().any(|state| state.signalled))
    }
}

/// The state of a thread, as a letter of `/proc`, and its processor time.
fn state_and_cpu_time(pid: pid_t, tid: pid_t) -> Option<(char, Duration)> {
    let folder = format!("/proc/{pid}/task/{tid}");
    let stat = std::fs::read_to_string(format!("{folder}/stat")).ok()?;
    let state = stat.rsplit_once(") ")?.1.chars().next()?;
    let used = std::fs::read_to_string(format!("{folder}/schedstat")).ok()?;
    let used = used.split(' ').next()?.parse().ok()?;
    Some((state, Duration::from_nanos(used)))
}

/// The number and the first argument of the system call in which a thread is.
fn call_of(pid: pid_t, tid: pid_t) -> Option<(i64, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall")).ok()?;
    let mut words = text.split(' ');
    let number = words.next()?.parse().ok()?;
    Some((number, u64::from_str_radix(words.next()?.trim_start_matches("0x"), 16).ok()?))
}
