//! Signals are delivered by the kernel: a parked thread for which one is pending enters its call, which the kernel then
//! interrupts.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use libc::{c_int, pid_t};
use rustix::event::PollFlags;

use super::process::{Decision, OnTimeout, Parked, ProcessState, Resume, State, Thread, ThreadId, Waiting};
use super::registers::{Call, CycleCounter};
use super::system;
use super::tracer::{Tracer, ignore_no_such_thread};

/// Signals that do nothing unless they are caught.
const HARMLESS: u64 = bit(libc::SIGCHLD) | bit(libc::SIGURG) | bit(libc::SIGWINCH) | bit(libc::SIGCONT);

/// The bit of a signal in a set.
pub(super) const fn bit(signal: c_int) -> u64 {
    1 << (signal - 1)
}

/// The signals of a thread, as sets.
struct Signals {
    /// For the thread alone, and for whichever thread of its process takes them.
    own: u64,
    shared: u64,
    blocked: u64,
    ignored: u64,
}

impl Signals {
    fn of(pid: pid_t, tid: pid_t) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/status")).ok()?;
        let set = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"))?;
            u64::from_str_radix(value, 16).ok()
        };
        let ignored = set("SigIgn")? | (HARMLESS & !set("SigCgt")?);
        Some(Self { own: set("SigPnd")?, shared: set("ShdPnd")?, blocked: set("SigBlk")?, ignored })
    }
}

impl Tracer {
    /// A signal is about to be delivered.
    pub(super) fn on_signal(&mut self, thread: ThreadId, signal: c_int) -> io::Result<Option<Resume>> {
        let Thread { process, .. } = self.threads[thread];
        match signal {
            libc::SIGSEGV if self.read_cycles(thread)? => return Ok(Some(Resume::On)),
            // A thread in a group-stop could not be traced further. This is also how a thread is interrupted.
            libc::SIGSTOP => {
                self.preempt(thread)?;
                return Ok(None);
            }
            libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU => return Ok(Some(Resume::On)),
            _ => {}
        }
        // The kernel has written the remaining time of a sleep by its own clock.
        if let Some(Parked { call, due: Some(due), .. }) = self.threads[thread].interrupted.take()
            && let Some(left_at) = match call.number {
                libc::SYS_nanosleep => Some(call.arguments[1]),
                libc::SYS_clock_nanosleep if call.arguments[1] == 0 => Some(call.arguments[3]),
                _ => None,
            }
            && left_at != 0
        {
            let left = due.node_time.since(self.node_time(self.threads[thread].node));
            let left = (left.as_secs().cast_signed(), left.subsec_nanos().into());
            self.processes[process].memory.write_pair(left_at, left)?;
        }
        Ok(Some(Resume::Signal(signal)))
    }

    /// Emulates the instruction at which a thread has stopped, if that reads the cycle counter; returns whether it
    /// does.
    fn read_cycles(&mut self, thread: ThreadId) -> io::Result<bool> {
        let Thread { tid, process, node, .. } = self.threads[thread];
        let call = Call::of(tid)?;
        let Some(instruction) = CycleCounter::at(&self.processes[process].memory, call.position()) else {
            return Ok(false);
        };
        call.count_cycles(tid, instruction, self.monotonic_ns(node))?;
        Ok(true)
    }

    /// Lets the parked threads of a node for which a signal is pending enter their calls; returns whether there were
    /// any.
    pub(super) fn deliver_signals(&mut self, node: usize) -> io::Result<bool> {
        let (mut any, mut taken) = (false, (usize::MAX, 0));
        for thread in self.threads_of(node) {
            let Thread { tid, process, state: State::Parked(parked), .. } = &self.threads[thread] else { continue };
            if taken.0 != *process {
                taken = (*process, 0);
            }
            let Some(signals) = Signals::of(self.processes[*process].pid, *tid) else { continue };
            let blocked = parked.mask.unwrap_or(signals.blocked);
            let awaited = if let Waiting::Signals(set) = parked.waiting { set } else { 0 };
            let wanted = (signals.own | signals.shared & !taken.1) & ((!blocked & !signals.ignored) | awaited);
            if let Waiting::Descriptors(descriptors) = &parked.waiting
                && (signals.own | signals.shared) & read_as_signals(self.processes[*process].pid, descriptors) != 0
            {
                self.make_ready(thread, Resume::On);
                any = true;
            } else if wanted != 0 {
                taken.1 |= wanted;
                // The kernel will interrupt the call.
                self.threads[thread].interrupted = self.let_run(thread)?;
                any = true;
            }
        }
        Ok(any)
    }

    /// `kill` and its relatives, which reach only the processes of the node.
    pub(super) fn kill_call(&mut self, thread: ThreadId, call: &Call) -> Decision {
        let Thread { node, process, .. } = self.threads[thread];
        let number = |index: usize| call.arguments[index].cast_signed() as c_int;
        let result = match call.number {
            libc::SYS_kill | libc::SYS_rt_sigqueueinfo => self.kill_process(node, process, number(0), number(1)),
            libc::SYS_pidfd_send_signal => match self.process_of_descriptor(thread, number(0)) {
                Some(target) => {
                    let target = self.processes[target].virtual_pid;
                    self.kill_process(node, process, target, number(1))
                }
                None => return Decision::Pass,
            },
            libc::SYS_tkill => self.kill_thread(node, number(0), number(1)),
            _ => self.kill_thread(node, number(1), number(2)),
        };
        self.nodes[node].signalled = true;
        self.nodes[node].dirty = true;
        let error = result.err().map(|error| -i64::from(error.raw_os_error().unwrap_or(libc::ESRCH)));
        Decision::Return(error.unwrap_or(0))
    }

    fn kill_process(&mut self, node: usize, from: usize, number: pid_t, signal: c_int) -> io::Result<()> {
        let targets: Vec<_> = if number > 0 {
            self.process_by_virtual_pid(node, number).into_iter().collect()
        } else {
            let group = match number {
                0 => group_of(self.processes[from].pid),
                -1 => None,
                _ => self.process_by_virtual_pid(node, -number).map(|leader| self.processes[leader].pid),
            };
            let all = self.nodes[node].processes.iter().copied();
            all.filter(|process| number == -1 || group_of(self.processes[*process].pid) == group).collect()
        };
        if targets.is_empty() {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        for target in targets {
            // A signal to a zombie has no effect.
            if self.processes[target].state == ProcessState::Alive && signal != libc::SIGSTOP {
                system::signal_process(self.processes[target].pid, signal)?;
                if signal == libc::SIGKILL && target != from {
                    self.reap_process(target)?;
                }
            }
        }
        Ok(())
    }

    fn kill_thread(&self, node: usize, number: pid_t, signal: c_int) -> io::Result<()> {
        let target = self.threads_of(node).into_iter().find(|thread| self.threads[*thread].virtual_tid == number);
        let target = target.ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
        let Thread { tid, process, .. } = self.threads[target];
        if signal == libc::SIGSTOP {
            return Ok(());
        }
        system::signal_thread(self.processes[process].pid, tid, signal)
    }

    /// A call that waits for signals only.
    pub(super) fn await_signal(&mut self, thread: ThreadId, call: &Call) -> io::Result<Decision> {
        let Thread { process, node, .. } = self.threads[thread];
        let memory = &self.processes[process].memory;
        self.nodes[node].signalled = true;
        Ok(match call.number {
            libc::SYS_pause => Decision::Park(Waiting::Time, None, OnTimeout::Run, None),
            libc::SYS_rt_sigsuspend => {
                let mask = memory.read_u64(call.arguments[0])?;
                Decision::Park(Waiting::Time, None, OnTimeout::Run, Some(mask))
            }
            _ => {
                let set = memory.read_u64(call.arguments[0])?;
                let timeout = self.relative(thread, call.arguments[2])?;
                if timeout == Some(self.node_time(node)) {
                    return Ok(Decision::Pass);
                }
                Decision::Park(Waiting::Signals(set), timeout, OnTimeout::Return(-i64::from(libc::EAGAIN)), None)
            }
        })
    }
}

/// The signals that can be read from these descriptors of a process, and from those that they watch.
fn read_as_signals(pid: pid_t, descriptors: &[(OwnedFd, PollFlags)]) -> u64 {
    let read = |path: String| std::fs::read_to_string(path).unwrap_or_default();
    let signals = |text: &str| {
        let mask = text.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("sigmask:\t")?, 16).ok());
        mask.unwrap_or_default()
    };
    let own = descriptors.iter().map(|(descriptor, _)| read(format!("/proc/self/fdinfo/{}", descriptor.as_raw_fd())));
    own.fold(0, |set, text| {
        let watched = text.lines().filter_map(|line| line.strip_prefix("tfd:")?.split_ascii_whitespace().next());
        watched.fold(set | signals(&text), |set, number| set | signals(&read(format!("/proc/{pid}/fdinfo/{number}"))))
    })
}

/// The real number of the group of a process.
fn group_of(pid: pid_t) -> Option<pid_t> {
    let pid = rustix::process::Pid::from_raw(pid)?;
    rustix::process::getpgid(Some(pid)).ok().map(rustix::process::Pid::as_raw_pid)
}

/// Kills a process that may have ended already.
pub(super) fn kill_if_alive(pid: pid_t) {
    system::signal_process(pid, libc::SIGKILL).or_else(ignore_no_such_thread).ok();
}
