//! The system calls of a tracer that no safe library offers: ptrace, waiting for any thread, a filter of system calls.
//!
//! This is the only file of the crate with unsafe code. Every function is safe to call: pointers that reach the kernel
//! belong to references which live until the call returns, and processes that are not traced by this thread make the
//! kernel answer ESRCH.

#![expect(unsafe_code, reason = "ptrace, seccomp and what has to happen between fork and exec")]

use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{c_int, c_long, c_ulong, pid_t, sock_filter, sock_fprog, user_regs_struct};

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waited {
    /// This thread has stopped or ended, with this wait status.
    Changed(pid_t, c_int),
    /// Nothing has changed: the call did not block, or a tick interrupted it.
    Nothing,
    /// There is no such child to wait for.
    NoChild,
}

/// Where a resumed thread stops again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// At the next event.
    NextEvent,
    /// At the end of its system call, or at an event before it.
    CallEnd,
}

/// Events for every start and end of a thread or process; all are killed when the tracer ends.
const OPTIONS: c_int = libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACEVFORKDONE
    | libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_TRACEEXIT
    | libc::PTRACE_O_TRACESECCOMP
    | libc::PTRACE_O_EXITKILL;

/// `prctl`: a process that reads the cycle counter gets a signal.
const PR_SET_TSC: c_int = 26;
const PR_TSC_SIGSEGV: c_int = 2;

/// Makes this thread trace the process that a command starts, with a filter of system calls, fixed addresses and no
/// cycle counter. Its first stop is that of a successful exec.
pub(super) fn traced_from_the_start(command: &mut Command, filter: &'static [sock_filter]) {
    // SAFETY: between fork and exec the closure makes system calls only; it neither allocates nor locks.
    unsafe { command.pre_exec(move || begin(filter)) };
}

/// What a new process does before it becomes the program.
fn begin(filter: &'static [sock_filter]) -> io::Result<()> {
    let length = u16::try_from(filter.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let program = sock_fprog { len: length, filter: filter.as_ptr().cast_mut() };
    // SAFETY: no call has a pointer but the last, to a program that lives until then and that the kernel only reads.
    unsafe {
        check(libc::ptrace(libc::PTRACE_TRACEME))?;
        // Some containers refuse this, which the tracer will see.
        libc::personality(libc::ADDR_NO_RANDOMIZE as c_ulong);
        check(c_long::from(libc::prctl(PR_SET_TSC, PR_TSC_SIGSEGV)))?;
        check(c_long::from(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)))?;
        let flags = libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
        check(libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program))?;
    }
    Ok(())
}

/// Whether the addresses of a process are the same in every run.
pub(super) fn has_fixed_addresses(pid: pid_t) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{pid}/personality")).unwrap_or_default();
    let personality = u32::from_str_radix(text.trim(), 16).unwrap_or_default();
    personality & libc::ADDR_NO_RANDOMIZE.cast_unsigned() != 0
}

fn check(result: c_long) -> io::Result<c_long> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A ptrace request whose data is a number.
fn request(request: libc::c_uint, tid: pid_t, data: c_long) -> io::Result<()> {
    // SAFETY: neither address nor data of the requests used in this file are pointers.
    check(unsafe { libc::ptrace(request, tid, 0_usize, data) }).map(drop)
}

/// Sets the options of a tracer on its first thread; others inherit them.
pub(super) fn set_options(tid: pid_t) -> io::Result<()> {
    request(libc::PTRACE_SETOPTIONS, tid, OPTIONS.into())
}

/// Resumes a stopped thread, with a signal unless that is zero.
pub(super) fn resume(tid: pid_t, until: Until, signal: c_int) -> io::Result<()> {
    let how = match until {
        Until::NextEvent => libc::PTRACE_CONT,
        Until::CallEnd => libc::PTRACE_SYSCALL,
    };
    request(how, tid, signal.into())
}

/// The registers of a stopped thread.
pub(super) fn registers(tid: pid_t) -> io::Result<user_regs_struct> {
    let mut registers = MaybeUninit::<user_regs_struct>::uninit();
    // SAFETY: the kernel fills the whole struct if it succeeds, and only then it is read.
    unsafe {
        check(libc::ptrace(libc::PTRACE_GETREGS, tid, 0_usize, registers.as_mut_ptr()))?;
        Ok(registers.assume_init())
    }
}

/// Sets the registers of a stopped thread.
pub(super) fn set_registers(tid: pid_t, registers: &user_regs_struct) -> io::Result<()> {
    // SAFETY: the kernel only reads the struct, which lives.
    check(unsafe { libc::ptrace(libc::PTRACE_SETREGS, tid, 0_usize, &raw const *registers) }).map(drop)
}

/// What the event is about at which a thread is stopped: the new thread, or the status of its end.
pub(super) fn event_message(tid: pid_t) -> io::Result<c_ulong> {
    let mut message: c_ulong = 0;
    // SAFETY: the kernel writes one long.
    check(unsafe { libc::ptrace(libc::PTRACE_GETEVENTMSG, tid, 0_usize, &raw mut message) })?;
    Ok(message)
}

/// Waits for a thread that this thread traces, or with -1 for any of them. A tick ends it.
pub(super) fn wait(tid: pid_t, block: bool) -> io::Result<Waited> {
    let mut status = 0;
    let flags = libc::__WALL | libc::__WNOTHREAD | if block { 0 } else { libc::WNOHANG };
    // SAFETY: the kernel writes one integer.
    match unsafe { libc::waitpid(tid, &raw mut status, flags) } {
        0 => Ok(Waited::Nothing),
        changed @ 1.. => Ok(Waited::Changed(changed, status)),
        _ => match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::EINTR) => Ok(Waited::Nothing),
            error if error.raw_os_error() == Some(libc::ECHILD) => Ok(Waited::NoChild),
            error => Err(error),
        },
    }
}

/// Sends a signal to one thread.
pub(super) fn signal_thread(pid: pid_t, tid: pid_t, signal: c_int) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, signal) }).map(drop)
}

/// Sends a signal to a process, or to a group if the number is below zero.
pub(super) fn signal_process(pid: pid_t, signal: c_int) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::kill(pid, signal) }.into()).map(drop)
}

/// A signal to this thread at regular intervals, which ends a wait. It has no other effect.
pub(super) struct Ticks(libc::timer_t);

/// The signal of [`Ticks`], which nothing else in this process uses.
fn tick_signal() -> c_int {
    libc::SIGRTMIN() + 9
}

/// Whether there has been a tick since [`take_tick`] last asked. Concurrent runs share it: one then checks
/// more often, another less.
static TICKED: AtomicBool = AtomicBool::new(false);

extern "C" fn on_tick(_: c_int) {
    TICKED.store(true, Ordering::Relaxed);
}

/// Whether there has been a tick since this was last asked.
pub(super) fn take_tick() -> bool {
    TICKED.load(Ordering::Relaxed) && TICKED.swap(false, Ordering::Relaxed)
}

impl Ticks {
    /// Ticks for this thread, at this interval.
    pub(super) fn every_ms(interval_ms: i64) -> io::Result<Self> {
        // SAFETY: all-zero structs of this kind are valid; the handler only stores to an atomic, as handlers may;
        // pointers are to locals. The event names a thread by its number, as SIGEV_THREAD_ID wants it.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_tick as extern "C" fn(c_int) as usize;
            check(libc::sigaction(tick_signal(), &raw const action, std::ptr::null_mut()).into())?;
            let mut event: libc::sigevent = std::mem::zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = tick_signal();
            event.sigev_notify_thread_id = libc::gettid();
            let mut timer: libc::timer_t = std::ptr::null_mut();
            check(libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer).into())?;
            let ticks = Self(timer);
            let interval = libc::timespec { tv_sec: 0, tv_nsec: interval_ms * 1_000_000 };
            let period = libc::itimerspec { it_interval: interval, it_value: interval };
            check(libc::timer_settime(timer, 0, &raw const period, std::ptr::null_mut()).into())?;
            Ok(ticks)
        }
    }
}

impl Drop for Ticks {
    fn drop(&mut self) {
        // SAFETY: the timer exists, as it is deleted here only.
        unsafe { libc::timer_delete(self.0) };
    }
}

/// Blocks a signal for this thread, or no longer; returns whether it was blocked before.
pub(super) fn block_signal(signal: c_int, block: bool) -> bool {
    let how = if block { libc::SIG_BLOCK } else { libc::SIG_UNBLOCK };
    // SAFETY: both sets are locals that the calls fill before they are read.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::pthread_sigmask(how, &raw const set, &raw mut before);
        libc::sigismember(&raw const before, signal) == 1
    }
}

/// Blocks the signal that every stop of a program raises, for this thread and those that it starts from now on.
pub fn block_stops() {
    block_signal(libc::SIGCHLD, true);
}
