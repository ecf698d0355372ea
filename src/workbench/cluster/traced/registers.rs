//! What a system call is, in the registers of an x86-64 processor. A port to another one begins here.

use std::io;

use libc::{pid_t, user_regs_struct};

use super::process::Changed;
use super::system;

/// A system call at which a thread is stopped before or after it runs.
#[derive(Clone, Copy)]
pub(super) struct Call {
    /// Its number.
    pub(super) number: i64,
    /// Its arguments.
    pub(super) arguments: [u64; 6],
    registers: user_regs_struct,
}

impl Call {
    /// The call at which a thread is stopped.
    pub(super) fn of(tid: pid_t) -> io::Result<Self> {
        let registers = system::registers(tid)?;
        let r = &registers;
        Ok(Self { number: r.orig_rax.cast_signed(), arguments: [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9], registers })
    }

    /// Has the call not run, but return this.
    pub(super) fn skip(&self, tid: pid_t, result: i64) -> io::Result<()> {
        let mut registers = self.registers;
        registers.orig_rax = u64::MAX;
        registers.rax = result.cast_unsigned();
        system::set_registers(tid, &registers)
    }

    /// Has the call run with another value of an argument, which [`Call::finish`] sets back.
    pub(super) fn change(&self, tid: pid_t, change: Changed) -> io::Result<()> {
        let mut registers = self.registers;
        set(&mut registers, change);
        system::set_registers(tid, &registers)
    }

    /// At the end of this call: its result.
    pub(super) fn result(&self) -> i64 {
        self.registers.rax.cast_signed()
    }

    /// At the end of this call: has it return another result, and an argument be what it was.
    pub(super) fn finish(&self, tid: pid_t, result: i64, former: Changed) -> io::Result<()> {
        let mut registers = self.registers;
        registers.rax = result.cast_unsigned();
        set(&mut registers, former);
        system::set_registers(tid, &registers)
    }

    /// Where the thread is.
    pub(super) fn position(&self) -> u64 {
        self.registers.rip
    }

    /// Has the thread, stopped at an instruction of so many bytes that reads the cycle counter, go on behind it with
    /// this count; `processor` is the number that RDTSCP reads with it.
    pub(super) fn count_cycles(&self, tid: pid_t, length: u64, cycles: u64, processor: Option<u64>) -> io::Result<()> {
        let mut registers = self.registers;
        registers.rip += length;
        registers.rax = cycles & 0xffff_ffff;
        registers.rdx = cycles >> 32;
        registers.rcx = processor.unwrap_or(registers.rcx);
        system::set_registers(tid, &registers)
    }
}

/// Sets an argument of a system call.
fn set(registers: &mut user_regs_struct, change: Changed) {
    let Some((index, value)) = change else { return };
    let r = registers;
    let arguments = [&mut r.rdi, &mut r.rsi, &mut r.rdx, &mut r.r10, &mut r.r8, &mut r.r9];
    if let Some(argument) = arguments.into_iter().nth(index) {
        *argument = value;
    }
}
