//! Which system calls stop, which fail at once, and which run untouched: a seccomp filter.
//!
//! A call stops if it might block, or if it reads a clock, random bytes or the number of a process.

use std::sync::LazyLock;

use libc::{c_long, sock_filter};

use super::registers;

/// Offsets in `seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

macro_rules! named {
    ($($call:ident),* $(,)?) => { [$((libc::$call, stringify!($call))),*] };
}

/// Calls that stop at their entry, frequent ones first.
const TRAPPED: [(c_long, &str); 65] = named![
    SYS_futex,
    SYS_read,
    SYS_epoll_pwait,
    SYS_epoll_wait,
    SYS_poll,
    SYS_select,
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_clock_gettime,
    SYS_sched_yield,
    SYS_ppoll,
    SYS_pselect6,
    SYS_epoll_pwait2,
    SYS_readv,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_accept,
    SYS_accept4,
    SYS_wait4,
    SYS_waitid,
    SYS_pause,
    SYS_rt_sigsuspend,
    SYS_rt_sigtimedwait,
    SYS_restart_syscall,
    SYS_gettimeofday,
    SYS_time,
    SYS_times,
    SYS_getrusage,
    SYS_sysinfo,
    SYS_getrandom,
    SYS_getcpu,
    SYS_sched_getaffinity,
    SYS_sched_setaffinity,
    SYS_alarm,
    SYS_setitimer,
    SYS_getitimer,
    SYS_timer_create,
    SYS_timer_settime,
    SYS_timer_gettime,
    SYS_timer_getoverrun,
    SYS_timer_delete,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_timerfd_gettime,
    SYS_getpid,
    SYS_gettid,
    SYS_getppid,
    SYS_getpgrp,
    SYS_getpgid,
    SYS_getsid,
    SYS_setpgid,
    SYS_setsid,
    SYS_set_tid_address,
    SYS_kill,
    SYS_tkill,
    SYS_tgkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_prlimit64,
    SYS_pidfd_open,
    SYS_pidfd_send_signal,
    SYS_clock_settime,
    SYS_connect,
    SYS_bind,
    SYS_ptrace,
];

/// Calls that fail as if the kernel lacked them: programs then fall back on calls that can be trapped.
const MISSING: [c_long; 6] = [
    libc::SYS_rseq,
    libc::SYS_io_uring_setup,
    libc::SYS_futex_waitv,
    // futex_wake, futex_wait and futex_requeue of Linux 6.7.
    454,
    455,
    456,
];

/// The filter, for every process that is started.
pub(super) static FILTER: LazyLock<Vec<sock_filter>> = LazyLock::new(|| {
    let load = |offset| instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset);
    let end = |action| instruction(libc::BPF_RET | libc::BPF_K, 0, 0, action);
    let missing = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();
    let mut filter = vec![
        load(ARCHITECTURE),
        instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, 0, registers::ARCHITECTURE),
        end(missing),
        load(NUMBER),
        instruction(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, registers::FOREIGN_CALLS),
        end(missing),
    ];
    let trapped = TRAPPED.iter().map(|(call, _)| (*call, libc::SECCOMP_RET_TRACE));
    for (call, action) in trapped.chain(MISSING.map(|call| (call, missing))) {
        let number = u32::try_from(call).unwrap_or(u32::MAX);
        filter.push(instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, number));
        filter.push(end(action));
    }
    filter.push(end(libc::SECCOMP_RET_ALLOW));
    filter
});

fn instruction(code: u32, if_true: u8, if_false: u8, operand: u32) -> sock_filter {
    sock_filter { code: u16::try_from(code).unwrap_or(u16::MAX), jt: if_true, jf: if_false, k: operand }
}

/// Calls that do not stop although they may wait.
const UNSEEN: [(c_long, &str); 16] = named![
    SYS_write,
    SYS_writev,
    SYS_pwrite64,
    SYS_sendto,
    SYS_sendmsg,
    SYS_sendfile,
    SYS_splice,
    SYS_open,
    SYS_openat,
    SYS_flock,
    SYS_fcntl,
    SYS_fsync,
    SYS_msgrcv,
    SYS_semop,
    SYS_semtimedop,
    SYS_mq_timedreceive,
];

/// The name of a system call, or its number.
pub(super) fn name(call: i64) -> String {
    let known = TRAPPED.iter().chain(&UNSEEN).find(|(number, _)| *number == call);
    known.map_or_else(|| format!("system call {call}"), |(_, name)| name.replacen("SYS_", "", 1))
}
