//! Handles stops: threads and processes that start, execute programs and end; system calls; signals.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;

use libc::{c_int, pid_t};

use super::process::{
    ArgumentChange, AtExit, Decision, Memory, Parked, Process, ProcessId, ProcessState, Resume, State, Thread, ThreadId,
};
use super::registers::Call;
use super::system::{self, Until, Waited};
use super::tracer::{Tracer, ignore_no_such_thread};
use crate::time::Duration;

/// Flags of `clone`.
const CLONE_PARENT_SETTID: u64 = libc::CLONE_PARENT_SETTID as u64;
const CLONE_CHILD_SETTID: u64 = libc::CLONE_CHILD_SETTID as u64;
const CLONE_THREAD: u64 = libc::CLONE_THREAD as u64;
/// The set-user-id bit of a file's mode.
const SET_USER_ID: u32 = 0o4000;
/// A stop at the end of a system call, as the options ask for.
const AT_EXIT: c_int = libc::SIGTRAP | 0x80;

impl Tracer {
    /// Handles a stop of a thread; returns how to resume it, or `None` if it stays stopped.
    pub(super) fn on_stop(&mut self, thread: ThreadId, status: c_int) -> io::Result<Option<Resume>> {
        if !libc::WIFSTOPPED(status) {
            self.on_gone(thread, status)?;
            return Ok(None);
        }
        let handled = match (libc::WSTOPSIG(status), status >> 16) {
            (libc::SIGTRAP, libc::PTRACE_EVENT_SECCOMP) => self.on_call(thread),
            (AT_EXIT, 0) => self.on_call_end(thread),
            (
                libc::SIGTRAP,
                event @ (libc::PTRACE_EVENT_CLONE | libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK),
            ) => self.on_start(thread, event),
            (libc::SIGTRAP, libc::PTRACE_EVENT_EXEC) => self.on_exec(thread),
            (libc::SIGTRAP, libc::PTRACE_EVENT_EXIT) => self.on_exit(thread).map(|()| None),
            (libc::SIGTRAP, libc::PTRACE_EVENT_VFORK_DONE) => Ok(Some(Resume::On)),
            (signal, 0) => self.on_signal(thread, signal),
            (_, _) => Ok(Some(Resume::On)),
        };
        // One that has been killed at its stop can be asked nothing; its end will tell.
        handled.or_else(|error| ignore_no_such_thread(error).map(|()| Some(Resume::On)))
    }

    fn on_call(&mut self, thread: ThreadId) -> io::Result<Option<Resume>> {
        let tid = self.threads[thread].tid;
        let call = Call::of(tid)?;
        self.threads[thread].last_call = call.number;
        let (waiting, due, on_timeout, mask) = match self.decide(thread, &call) {
            // What it names cannot be read: the kernel will tell it so.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EIO | libc::EFAULT)) => {
                return Ok(Some(Resume::On));
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Some(Resume::On)),
            Err(error) => return Err(error),
            Ok(Decision::Pass) => return Ok(Some(Resume::On)),
            Ok(Decision::Return(value)) => {
                call.skip(tid, value)?;
                return Ok(Some(Resume::On));
            }
            Ok(Decision::PassUntilExit(at_exit, change)) => {
                self.pass_until_exit(thread, &call, at_exit, change)?;
                return Ok(Some(Resume::On));
            }
            Ok(Decision::Yield) => {
                self.make_ready(thread, Resume::Return(0));
                return Ok(None);
            }
            Ok(Decision::Park(waiting, due, on_timeout, mask)) => (waiting, due, on_timeout, mask),
        };
        let due = due.map(|node_time| self.due(self.threads[thread].node, node_time));
        self.park(thread, Parked { call, waiting, due, on_timeout, mask });
        Ok(None)
    }

    /// Lets a call run, and records what to do when it returns.
    pub(super) fn pass_until_exit(
        &mut self,
        thread: ThreadId,
        call: &Call,
        at_exit: AtExit,
        change: ArgumentChange,
    ) -> io::Result<()> {
        let former = change.and_then(|(index, _)| Some((index, *call.arguments.get(index)?)));
        if change.is_some() {
            call.change(self.threads[thread].tid, change)?;
        }
        self.threads[thread].at_exit = Some((at_exit, former));
        Ok(())
    }

    fn on_call_end(&mut self, thread: ThreadId) -> io::Result<Option<Resume>> {
        let Thread { tid, process, node, .. } = self.threads[thread];
        let call = Call::of(tid)?;
        let Some((at_exit, former)) = self.threads[thread].at_exit.take() else { return Ok(Some(Resume::On)) };
        match at_exit {
            AtExit::Started(number) if call.result() > 0 => call.finish(tid, number.into(), former)?,
            AtExit::Started(_) | AtExit::Nothing => call.finish(tid, call.result(), former)?,
            AtExit::Awaited { info } => {
                let mut result = call.result();
                // wait4 returns the number, waitid writes it.
                let pid = match info {
                    _ if result < 0 => 0,
                    Some(info) if info != 0 => self.processes[process].memory.read_u32(info + 16)?.cast_signed(),
                    Some(_) => 0,
                    None => pid_t::try_from(result).unwrap_or_default(),
                };
                if let Some(child) = self.process_by_pid(node, pid) {
                    let number = self.processes[child].virtual_pid;
                    if info.is_none() {
                        result = number.into();
                    } else if let Some(info) = info {
                        self.processes[process].memory.write(info + 16, &number.to_ne_bytes())?;
                    }
                    if let ProcessState::Zombie(status) = self.processes[child].state
                        && !std::fs::exists(format!("/proc/{pid}")).unwrap_or(true)
                    {
                        self.forget_process(child, status);
                    }
                }
                call.finish(tid, result, former)?;
            }
            AtExit::Connected { is_internet } => {
                // A failed attempt to reach a service, as the C library makes, is no deviation.
                let in_progress = -i64::from(libc::EINPROGRESS);
                if call.result() == 0 || is_internet && call.result() == in_progress {
                    let what = "talks to somebody who does not live in virtual time (connect); run it in real time";
                    self.deviations.reaches_beyond(&self.names[node], what);
                }
            }
            AtExit::MadeTimer => {
                if let Ok(descriptor) = i32::try_from(call.result()) {
                    self.timers.forget_descriptor(process, descriptor);
                }
            }
        }
        Ok(Some(Resume::On))
    }

    /// Adds a process whose first thread is stopped.
    pub(super) fn add_process(&mut self, node: usize, pid: pid_t, parent: Option<ProcessId>) -> io::Result<ThreadId> {
        let state = &mut self.nodes[node];
        let number = state.next_pid;
        state.next_pid += 1;
        let mut process = Process::new(node, pid, number, self.now)?;
        process.parent = parent;
        if let Some(parent) = parent {
            (process.clock_table, process.table) = (self.processes[parent].clock_table, self.processes[parent].table);
        }
        let id = self.processes.len();
        self.processes.push(process);
        self.nodes[node].processes.push(id);
        Ok(self.add_thread(id, pid, number))
    }

    fn add_thread(&mut self, process: ProcessId, tid: pid_t, number: pid_t) -> ThreadId {
        let thread = self.threads.len();
        self.threads.push(Thread {
            tid,
            virtual_tid: number,
            process,
            node: self.processes[process].node,
            state: State::Running,
            interrupted: None,
            at_exit: None,
            idle_polls: 0,
            backoff: Duration::ZERO,
            turn: 0,
            last_call: -1,
        });
        self.processes[process].threads.push(thread);
        self.by_tid.insert(tid, thread);
        thread
    }

    fn on_start(&mut self, thread: ThreadId, event: c_int) -> io::Result<Option<Resume>> {
        let Thread { tid, process, node, .. } = self.threads[thread];
        let new = pid_t::try_from(system::event_message(tid)?).unwrap_or_default();
        if !self.early.remove(&new) {
            while system::wait(new, true)? == Waited::Nothing {}
        }
        let call = Call::of(tid)?;
        let memory = &self.processes[process].memory;
        let (flags, for_child, for_parent) = match call.number {
            libc::SYS_clone => (call.arguments[0], call.arguments[3], call.arguments[2]),
            libc::SYS_clone3 => {
                let field = |at| memory.read_u64(call.arguments[0] + at);
                (field(0)?, field(16)?, field(24)?)
            }
            _ => (0, 0, 0),
        };
        let begun = if flags & CLONE_THREAD == 0 {
            self.add_process(node, new, Some(process))?
        } else {
            let number = self.nodes[node].next_pid;
            self.nodes[node].next_pid += 1;
            self.add_thread(process, new, number)
        };
        let number = self.threads[begun].virtual_tid;
        if flags & CLONE_PARENT_SETTID != 0 {
            self.processes[process].memory.write(for_parent, &number.to_ne_bytes())?;
        }
        if flags & CLONE_CHILD_SETTID != 0 {
            let child = self.threads[begun].process;
            self.processes[child].memory.write(for_child, &number.to_ne_bytes())?;
        }
        self.make_ready(begun, Resume::On);
        self.threads[thread].at_exit = Some((AtExit::Started(number), None));
        if event == libc::PTRACE_EVENT_VFORK {
            let child = self.threads[begun].process;
            self.processes[child].vfork_caller = Some(thread);
            self.threads[thread].state = State::InVfork;
            self.resume(thread, Resume::On)?;
            return Ok(None);
        }
        Ok(Some(Resume::On))
    }

    /// Resumes the thread whose `vfork` started a process, once that no longer shares its memory.
    fn resume_vfork_caller(&mut self, process: ProcessId) -> io::Result<()> {
        let Some(vfork_caller) = self.processes[process].vfork_caller.take() else { return Ok(()) };
        if !matches!(self.threads[vfork_caller].state, State::InVfork) {
            return Ok(());
        }
        loop {
            match system::wait(self.threads[vfork_caller].tid, true)? {
                Waited::Nothing => {}
                Waited::NoChild => return Ok(()),
                Waited::Changed(_, status) => {
                    if let Some(resume) = self.on_stop(vfork_caller, status)? {
                        self.make_ready(vfork_caller, resume);
                    }
                    return Ok(());
                }
            }
        }
    }

    fn on_exec(&mut self, thread: ThreadId) -> io::Result<Option<Resume>> {
        let Thread { tid, process, .. } = self.threads[thread];
        let former = pid_t::try_from(system::event_message(tid)?).unwrap_or(tid);
        // The thread that executes a program takes the number of the first one.
        let thread = match self.by_tid.get(&former) {
            Some(&former) if former != thread => {
                self.threads[thread].state = State::Gone;
                self.threads[former].tid = tid;
                self.threads[former].state = State::Running;
                former
            }
            Some(_) | None => thread,
        };
        if former != tid {
            self.by_tid.remove(&former);
            self.by_tid.insert(tid, thread);
            self.make_ready(thread, Resume::On);
        }
        for other in std::mem::take(&mut self.processes[process].threads) {
            if other != thread {
                self.remove_thread(other);
            }
        }
        self.processes[process].threads.push(thread);
        self.threads[thread].virtual_tid = self.processes[process].virtual_pid;
        self.timers.forget_process(process);
        self.on_program(process)?;
        self.resume_vfork_caller(process)?;
        // If the caller waits for another number, the thread is scheduled instead.
        Ok((former == tid).then_some(Resume::On))
    }

    /// A process has executed a program and is stopped before its first instruction.
    pub(super) fn on_program(&mut self, process: ProcessId) -> io::Result<()> {
        let Process { pid, node, .. } = self.processes[process];
        self.processes[process].memory = Memory::of(pid)?;
        let mut header = [0; 5];
        let program = format!("/proc/{pid}/exe");
        let is_read = File::open(&program).and_then(|mut file| file.read_exact(&mut header));
        let of_32_bits = is_read.is_ok() && header == *b"\x7fELF\x01";
        let name = &self.names[node];
        if of_32_bits {
            let path = std::fs::read_link(&program).unwrap_or_default();
            return Err(io::Error::other(format!(
                "{name}: {} is a program of 32 bits, whose system calls are others; run it in real time, without \
                 --virtual-time",
                path.display()
            )));
        }
        let owner = std::fs::metadata(&program).ok().filter(|file| file.mode() & SET_USER_ID != 0);
        if owner.is_some_and(|file| file.uid() != rustix::process::geteuid().as_raw()) {
            self.deviations.refused(name, "has executed a program without the rights of its owner (set-user-id)");
        }
        self.replace_clock(process)
    }

    /// A thread is about to end, alone or with its process.
    fn on_exit(&mut self, thread: ThreadId) -> io::Result<()> {
        let Thread { tid, process, .. } = self.threads[thread];
        let status = system::event_message(tid)?;
        let alone = libc::WIFEXITED(status as i32) && Call::of(tid)?.number == libc::SYS_exit;
        let Process { pid, .. } = self.processes[process];
        system::resume(tid, Until::NextEvent, 0).or_else(ignore_no_such_thread)?;
        let others = self.processes[process].threads.iter().any(|other| *other != thread);
        if alone && others {
            // The first thread of a process remains until its others have ended.
            if tid != pid {
                reap(tid)?;
                self.by_tid.remove(&tid);
            }
            self.processes[process].threads.retain(|other| *other != thread);
            self.remove_thread(thread);
            // The kernel has cleared a futex and woken its waiters, but those are parked here.
            self.wake_after_exit(process);
            return Ok(());
        }
        self.reap_process(process)
    }

    /// Waits until all threads of an ending process have ended.
    pub(super) fn reap_process(&mut self, process: ProcessId) -> io::Result<()> {
        let pid = self.processes[process].pid;
        for thread in std::mem::take(&mut self.processes[process].threads) {
            let tid = self.threads[thread].tid;
            if tid != pid {
                reap(tid)?;
                self.by_tid.remove(&tid);
            }
            self.remove_thread(thread);
        }
        let status = reap(pid)?;
        self.by_tid.remove(&pid);
        self.on_end(process, status)
    }

    fn remove_thread(&mut self, thread: ThreadId) {
        self.forget_due(thread);
        self.threads[thread].state = State::Gone;
    }

    /// Handles a thread that has ended without an exit event.
    fn on_gone(&mut self, thread: ThreadId, status: c_int) -> io::Result<()> {
        let Thread { tid, process, .. } = self.threads[thread];
        if tid != self.processes[process].pid {
            self.by_tid.remove(&tid);
            self.processes[process].threads.retain(|other| *other != thread);
            self.remove_thread(thread);
            if libc::WIFSIGNALED(status) {
                return self.reap_process(process);
            }
            self.wake_after_exit(process);
            return Ok(());
        }
        for thread in std::mem::take(&mut self.processes[process].threads) {
            self.remove_thread(thread);
        }
        self.by_tid.remove(&tid);
        self.on_end(process, status)
    }

    fn on_end(&mut self, process: ProcessId, status: c_int) -> io::Result<()> {
        let Process { node, parent, .. } = self.processes[process];
        self.processes[process].state = ProcessState::Zombie(status);
        self.timers.forget_process(process);
        let state = &mut self.nodes[node];
        (state.dirty, state.signalled) = (true, true);
        if state.root == Some(process) {
            self.ended.push(node);
        }
        let awaited = parent.is_some_and(|parent| self.processes[parent].state == ProcessState::Alive);
        if !awaited {
            self.forget_process(process, status);
        }
        self.resume_vfork_caller(process)
    }

    /// Forgets a process for which no parent can wait any more.
    pub(super) fn forget_process(&mut self, process: ProcessId, status: c_int) {
        self.processes[process].state = ProcessState::Reaped(status);
        let node = self.processes[process].node;
        self.nodes[node].processes.retain(|other| *other != process);
    }

    /// The process of a node with this real number.
    pub(super) fn process_by_pid(&self, node: usize, pid: pid_t) -> Option<ProcessId> {
        self.nodes[node].processes.iter().copied().find(|process| self.processes[*process].pid == pid)
    }

    /// The process of a node with this virtual number.
    pub(super) fn process_by_virtual_pid(&self, node: usize, number: pid_t) -> Option<ProcessId> {
        self.nodes[node].processes.iter().copied().find(|process| self.processes[*process].virtual_pid == number)
    }
}

/// Waits for the end of a thread that is ending; returns its status.
pub(super) fn reap(tid: pid_t) -> io::Result<c_int> {
    loop {
        match system::wait(tid, true)? {
            Waited::Nothing => {}
            Waited::NoChild => return Ok(libc::SIGKILL),
            Waited::Changed(_, status) if libc::WIFSTOPPED(status) => {
                system::resume(tid, Until::NextEvent, 0).or_else(ignore_no_such_thread)?;
            }
            Waited::Changed(_, status) => return Ok(status),
        }
    }
}
