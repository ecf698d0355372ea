//! Decides what happens to each trapped system call, and rechecks those that wait.

use std::io;

use rand::Rng as _;

use super::process::{
    AtExit, Decision, OnTimeout, Parked, ProcessId, ProcessState, Resume, State, Thread, ThreadId, Waiting,
};
use super::registers::Call;
use super::tracer::Tracer;
use crate::time::{Duration, Time};

/// After this many polls in a row that find nothing, each further one takes time, so that a polling loop ends.
pub(super) const FREE_POLLS: u32 = 16;
/// The same for yielding and for reading a clock, which programs also do without polling.
pub(super) const FREE_READS: u32 = 100;
/// The first of these delays, and the longest: they double.
const MIN_BACKOFF: Duration = Duration::from_micros(1);
const MAX_BACKOFF: Duration = Duration::from_millis(1);
/// Options of `waitid`, and the kind of number that is a pidfd.
const WNOHANG: u64 = 1;
const WEXITED: u64 = 4;
const P_PIDFD: u64 = 3;

impl Tracer {
    /// Decides what happens to the call at whose entry a thread is stopped.
    pub(super) fn decide(&mut self, thread: ThreadId, call: &Call) -> io::Result<Decision> {
        let Thread { process, node, .. } = self.threads[thread];
        let own_pid = self.processes[process].virtual_pid;
        Ok(match call.number {
            libc::SYS_futex => return self.futex(thread, call),
            libc::SYS_read
            | libc::SYS_readv
            | libc::SYS_recvfrom
            | libc::SYS_recvmsg
            | libc::SYS_accept
            | libc::SYS_accept4 => return self.read_call(thread, call),
            libc::SYS_epoll_wait | libc::SYS_epoll_pwait | libc::SYS_epoll_pwait2 => {
                return self.epoll_call(thread, call);
            }
            libc::SYS_poll | libc::SYS_ppoll => return self.poll_call(thread, call),
            libc::SYS_select | libc::SYS_pselect6 => return self.select_call(thread, call),
            libc::SYS_nanosleep | libc::SYS_clock_nanosleep => return self.sleep_call(thread, call),
            libc::SYS_clock_gettime
            | libc::SYS_gettimeofday
            | libc::SYS_time
            | libc::SYS_times
            | libc::SYS_getrusage
            | libc::SYS_sysinfo => return self.clock_call(thread, call),
            libc::SYS_clock_settime => Decision::Return(-i64::from(libc::EPERM)),
            libc::SYS_sched_yield => self.back_off(thread, FREE_READS, Decision::Yield),
            libc::SYS_wait4 | libc::SYS_waitid => self.wait_call(thread, call),
            libc::SYS_pause | libc::SYS_rt_sigsuspend | libc::SYS_rt_sigtimedwait => {
                return self.await_signal(thread, call);
            }
            libc::SYS_restart_syscall => match self.threads[thread].interrupted.take() {
                Some(parked) => {
                    Decision::Park(parked.waiting, parked.due.map(|due| due.node_time), parked.on_timeout, parked.mask)
                }
                None => Decision::Pass,
            },
            libc::SYS_getrandom => return self.fill_random(thread, call.arguments[0], call.arguments[1]),
            libc::SYS_connect | libc::SYS_bind => self.socket_call(thread, call)?,
            libc::SYS_ptrace => {
                self.deviations.refused(&self.names[node], "wanted to trace a process (ptrace), which only one can");
                Decision::Return(-i64::from(libc::EPERM))
            }
            libc::SYS_getcpu => {
                for address in &call.arguments[..2] {
                    if *address != 0 {
                        self.processes[process].memory.write(*address, &[0; 4])?;
                    }
                }
                Decision::Return(0)
            }
            libc::SYS_sched_getaffinity if call.arguments[1] >= 8 => {
                self.processes[process].memory.write(call.arguments[2], &1_u64.to_ne_bytes())?;
                Decision::Return(8)
            }
            libc::SYS_sched_setaffinity => Decision::Return(0),
            libc::SYS_alarm
            | libc::SYS_setitimer
            | libc::SYS_getitimer
            | libc::SYS_timer_create
            | libc::SYS_timer_settime
            | libc::SYS_timer_gettime
            | libc::SYS_timer_getoverrun
            | libc::SYS_timer_delete => return self.timer_call(thread, call),
            libc::SYS_timerfd_create => Decision::PassUntilExit(AtExit::MadeTimer, None),
            libc::SYS_timerfd_settime | libc::SYS_timerfd_gettime => return self.timerfd_call(thread, call),
            libc::SYS_getpid => Decision::Return(own_pid.into()),
            libc::SYS_gettid | libc::SYS_set_tid_address => {
                // The kernel has to know the address; only the result is changed.
                if call.number == libc::SYS_set_tid_address {
                    return Ok(Decision::PassUntilExit(AtExit::Started(self.threads[thread].virtual_tid), None));
                }
                Decision::Return(self.threads[thread].virtual_tid.into())
            }
            libc::SYS_getppid => Decision::Return(self.parent_of(thread).into()),
            libc::SYS_getpgrp | libc::SYS_getpgid | libc::SYS_getsid | libc::SYS_setpgid | libc::SYS_setsid => {
                self.group_call(thread, call)
            }
            libc::SYS_kill
            | libc::SYS_tkill
            | libc::SYS_tgkill
            | libc::SYS_rt_sigqueueinfo
            | libc::SYS_rt_tgsigqueueinfo
            | libc::SYS_pidfd_send_signal => self.kill_call(thread, call),
            libc::SYS_prlimit64 | libc::SYS_pidfd_open => {
                match self.process_by_virtual_pid(node, call.arguments[0].cast_signed() as i32) {
                    Some(other) => {
                        let pid = self.processes[other].pid.cast_unsigned().into();
                        Decision::PassUntilExit(AtExit::Nothing, Some((0, pid)))
                    }
                    None => Decision::Pass,
                }
            }
            _ => Decision::Pass,
        })
    }

    /// Writes random bytes from the seed into the memory of a program.
    pub(super) fn fill_random(&mut self, thread: ThreadId, address: u64, length: u64) -> io::Result<Decision> {
        let Thread { process, node, .. } = self.threads[thread];
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(1 << 20);
        let mut bytes = vec![0; length];
        self.nodes[node].rng.fill_bytes(&mut bytes);
        self.processes[process].memory.write(address, &bytes)?;
        Ok(Decision::Return(length.try_into().unwrap_or_default()))
    }

    /// `connect` and `bind`: whoever is at the other end is not in virtual time.
    fn socket_call(&mut self, thread: ThreadId, call: &Call) -> io::Result<Decision> {
        let Thread { process, node, .. } = self.threads[thread];
        let [_, address, length, ..] = call.arguments;
        if length < 2 {
            return Ok(Decision::Pass);
        }
        let family = i32::from(u16::from_ne_bytes(self.processes[process].memory.read(address)?));
        let is_internet = family == libc::AF_INET || family == libc::AF_INET6;
        if call.number == libc::SYS_connect {
            return Ok(Decision::PassUntilExit(AtExit::Connected { is_internet }, None));
        }
        if is_internet {
            let what = "listens at an address (bind), where nobody lives in virtual time; run it in real time";
            self.deviations.reaches_beyond(&self.names[node], what);
        }
        Ok(Decision::Pass)
    }

    /// The decision for a poll that finds nothing: after `free_polls` of them in a row, it is delayed.
    pub(super) fn back_off(&mut self, thread: ThreadId, free_polls: u32, decision: Decision) -> Decision {
        let Thread { node, idle_polls, backoff, .. } = &mut self.threads[thread];
        *idle_polls += 1;
        if *idle_polls < free_polls {
            return decision;
        }
        *backoff = (*backoff * 2).clamp(MIN_BACKOFF, MAX_BACKOFF);
        let (node, backoff) = (*node, *backoff);
        let on_timeout = match decision {
            Decision::Return(value) => OnTimeout::Return(value),
            Decision::Yield => OnTimeout::Return(0),
            Decision::Pass | Decision::PassUntilExit(..) | Decision::Park(..) => OnTimeout::Run,
        };
        Decision::Park(Waiting::Time, Some(self.node_time(node) + backoff), on_timeout, None)
    }

    /// A thread does something other than poll.
    pub(super) fn reset_backoff(&mut self, thread: ThreadId) {
        let Thread { idle_polls, backoff, .. } = &mut self.threads[thread];
        (*idle_polls, *backoff) = (0, Duration::ZERO);
    }

    fn parent_of(&self, thread: ThreadId) -> i32 {
        let parent = self.processes[self.threads[thread].process].parent;
        let parent = parent.map(|parent| &self.processes[parent]).filter(|parent| parent.state == ProcessState::Alive);
        parent.map_or(1, |parent| parent.virtual_pid)
    }

    /// Process groups and sessions: the virtual number of the leader, or 1 if that is not of this node.
    fn group_call(&self, thread: ThreadId, call: &Call) -> Decision {
        let Thread { node, process, .. } = self.threads[thread];
        let wanted = match (call.number, call.arguments[0].cast_signed() as i32) {
            (libc::SYS_getpgrp | libc::SYS_setsid, _) | (_, 0) => Some(process),
            (_, number) => self.process_by_virtual_pid(node, number),
        };
        let Some(wanted) = wanted else { return Decision::Return(-i64::from(libc::ESRCH)) };
        let pid = rustix::process::Pid::from_raw(self.processes[wanted].pid);
        let leader = match call.number {
            libc::SYS_getpgrp | libc::SYS_getpgid => rustix::process::getpgid(pid),
            libc::SYS_getsid => rustix::process::getsid(pid),
            libc::SYS_setsid => {
                return Decision::PassUntilExit(AtExit::Started(self.processes[process].virtual_pid), None);
            }
            // A shell puts its jobs into groups, which matters only on a terminal.
            _ if wanted != process || call.arguments[1] != 0 => return Decision::Return(0),
            _ => return Decision::Pass,
        };
        let leader = leader.ok().and_then(|leader| self.process_by_pid(node, leader.as_raw_pid()));
        Decision::Return(leader.map_or(1, |leader| self.processes[leader].virtual_pid).into())
    }

    /// `wait4` and `waitid`.
    fn wait_call(&mut self, thread: ThreadId, call: &Call) -> Decision {
        let process = self.threads[thread].process;
        let is_wait4 = call.number == libc::SYS_wait4;
        let options = call.arguments[if is_wait4 { 2 } else { 3 }];
        let (wanted, pass) = self.awaited(thread, call);
        let Ok(wanted) = wanted else { return Decision::Return(-i64::from(libc::ECHILD)) };
        let waits_for_end = is_wait4 || options & WEXITED != 0;
        match self.children(process, wanted) {
            Children::Alive if options & WNOHANG != 0 || !waits_for_end => self.back_off(thread, FREE_POLLS, pass),
            Children::Alive => {
                self.reset_backoff(thread);
                Decision::Park(Waiting::Child(wanted), None, OnTimeout::Run, None)
            }
            Children::Ended | Children::None => pass,
        }
    }

    /// The real number of the child for which a call waits, or any; the error is that there is none of that number. And
    /// how the call runs.
    fn awaited(&self, thread: ThreadId, call: &Call) -> (Result<Option<i32>, NoSuchChild>, Decision) {
        let node = self.threads[thread].node;
        let is_wait4 = call.number == libc::SYS_wait4;
        let index = usize::from(!is_wait4);
        let info = (!is_wait4).then(|| call.arguments[2]);
        // For waitid, P_PID is 1 and P_PGID is 2; wait4 has the number of a group below zero.
        let number = call.arguments[index].cast_signed() as i32;
        let (one, group) = if is_wait4 {
            (number > 0, number < -1)
        } else {
            (call.arguments[0] == 1, call.arguments[0] == 2 && number != 0)
        };
        let found = self.process_by_virtual_pid(node, number.abs()).map(|found| self.processes[found].pid);
        let outside = found.map(|pid| if number < 0 { -pid } else { pid });
        let outside = outside.filter(|_| one || group).map(|pid| (index, i64::from(pid).cast_unsigned()));
        if !is_wait4 && call.arguments[0] == P_PIDFD {
            let found = self.process_of_descriptor(thread, number).map(|found| self.processes[found].pid);
            let wanted = found.map(Some).ok_or(NoSuchChild);
            return (wanted, Decision::PassUntilExit(AtExit::Awaited { info }, None));
        }
        let wanted = if one { found.map(Some).ok_or(NoSuchChild) } else { Ok(None) };
        (wanted, Decision::PassUntilExit(AtExit::Awaited { info }, outside))
    }

    /// The process of a node to which a pidfd of one of its threads refers.
    pub(super) fn process_of_descriptor(&self, thread: ThreadId, number: i32) -> Option<ProcessId> {
        let Thread { process, node, .. } = self.threads[thread];
        let text = std::fs::read_to_string(format!("/proc/{}/fdinfo/{number}", self.processes[process].pid)).ok()?;
        let pid = text.lines().find_map(|line| line.strip_prefix("Pid:\t")?.parse().ok())?;
        self.process_by_pid(node, pid)
    }

    /// Lets a parked call run; returns what it waited for.
    pub(super) fn let_run(&mut self, thread: ThreadId) -> io::Result<Option<Parked>> {
        if let State::Parked(Parked { call, .. }) = &self.threads[thread].state
            && matches!(call.number, libc::SYS_wait4 | libc::SYS_waitid)
        {
            let call = *call;
            if let (_, Decision::PassUntilExit(at_exit, change)) = self.awaited(thread, &call) {
                self.pass_until_exit(thread, &call, at_exit, change)?;
            }
        }
        Ok(self.make_ready(thread, Resume::On))
    }

    /// The state of the children of a process: of all, or of the one with this real number.
    fn children(&mut self, process: usize, wanted: Option<i32>) -> Children {
        let node = self.processes[process].node;
        let mut found = Children::None;
        for child in self.nodes[node].processes.clone() {
            let other = &self.processes[child];
            if other.parent != Some(process) || wanted.is_some_and(|wanted| other.pid != wanted) {
                continue;
            }
            match other.state {
                // If the parent ignores SIGCHLD, the kernel reaps at once.
                ProcessState::Zombie(status) if !std::fs::exists(format!("/proc/{}", other.pid)).unwrap_or(true) => {
                    self.forget_process(child, status);
                }
                ProcessState::Zombie(_) => return Children::Ended,
                ProcessState::Alive => found = Children::Alive,
                ProcessState::Reaped(_) => {}
            }
        }
        found
    }

    /// Rechecks the waiting threads of every node in which anything has happened; returns whether any is ready.
    pub(super) fn recheck(&mut self) -> io::Result<bool> {
        let mut any = false;
        for node in 0..self.nodes.len() {
            if self.nodes[node].paused || !std::mem::take(&mut self.nodes[node].dirty) {
                continue;
            }
            if std::mem::take(&mut self.nodes[node].signalled) {
                any |= self.deliver_signals(node)?;
            }
            any |= self.recheck_descriptors(node)?;
            for thread in self.threads_of(node) {
                let Thread { process, state: State::Parked(Parked { waiting: Waiting::Child(wanted), .. }), .. } =
                    self.threads[thread]
                else {
                    continue;
                };
                if !matches!(self.children(process, wanted), Children::Alive) {
                    self.let_run(thread)?;
                    any = true;
                }
            }
        }
        Ok(any)
    }

    /// Decides a parked call anew.
    pub(super) fn run_again(&mut self, thread: ThreadId) -> io::Result<()> {
        let State::Parked(Parked { call, .. }) = &self.threads[thread].state else { return Ok(()) };
        let call = *call;
        self.forget_due(thread);
        match self.decide(thread, &call)? {
            Decision::PassUntilExit(at_exit, change) => {
                self.pass_until_exit(thread, &call, at_exit, change)?;
                self.make_ready(thread, Resume::On);
            }
            Decision::Return(value) => drop(self.make_ready(thread, Resume::Return(value))),
            Decision::Pass | Decision::Yield | Decision::Park(..) => drop(self.make_ready(thread, Resume::On)),
        }
        Ok(())
    }

    /// Times out the call of a parked thread.
    pub(super) fn expire(&mut self, thread: ThreadId) -> io::Result<()> {
        let State::Parked(Parked { on_timeout, .. }) = self.threads[thread].state else { return Ok(()) };
        let memory = &self.processes[self.threads[thread].process].memory;
        let resume = match on_timeout {
            OnTimeout::Run => return self.let_run(thread).map(drop),
            OnTimeout::Return(value) => Resume::Return(value),
            OnTimeout::NoEvents { entries, count } => {
                for entry in 0..count {
                    memory.write(entries + entry * 8 + 6, &[0; 2])?;
                }
                Resume::Return(0)
            }
            OnTimeout::NoneSelected { sets, bytes } => {
                for set in sets.into_iter().filter(|set| *set != 0) {
                    memory.write(set, &vec![0; bytes])?;
                }
                Resume::Return(0)
            }
        };
        self.make_ready(thread, resume);
        Ok(())
    }

    /// The time at which a relative time-out ends, if there is one at this address.
    pub(super) fn relative(&self, thread: ThreadId, address: u64) -> io::Result<Option<Time>> {
        if address == 0 {
            return Ok(None);
        }
        let Thread { process, node, .. } = self.threads[thread];
        let (seconds, nanos) = self.processes[process].memory.read_pair(address)?;
        if seconds < 0 || !(0..1_000_000_000).contains(&nanos) {
            return Err(io::Error::from_raw_os_error(libc::EFAULT));
        }
        Ok(Some(
            self.node_time(node) + Duration::new(seconds.cast_unsigned(), u32::try_from(nanos).unwrap_or_default()),
        ))
    }
}

/// A call waits for a process that does not exist.
struct NoSuchChild;

/// The state of the children of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Children {
    None,
    Alive,
    /// One has ended and has not been waited for.
    Ended,
}
