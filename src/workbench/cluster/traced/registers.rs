//! What is particular to x86-64 processors: the registers of a system call, the cycle counter, and the code by which
//! programs read the clock. A port to another one begins here.

use std::io;

use libc::{pid_t, user_regs_struct};

use super::process::{ArgumentChange, Memory};
use super::system;

/// `AUDIT_ARCH_X86_64`: a call of another architecture (32 bits) has other numbers.
pub(super) const ARCHITECTURE: u32 = 0xc000_003e;
/// Calls of the x32 ABI have this bit set.
pub(super) const FOREIGN_CALLS: u32 = 0x4000_0000;
/// An instruction that reads the cycle counter.
#[derive(Debug, Clone, Copy)]
pub(super) enum CycleCounter {
    /// RDTSC.
    Alone,
    /// RDTSCP, which also reads the number of the processor.
    WithProcessor,
}

impl CycleCounter {
    /// The instruction at an address, if it is one of these.
    pub(super) fn at(memory: &Memory, address: u64) -> Option<Self> {
        match memory.read::<2>(address).ok()? {
            [0x0f, 0x31] => Some(Self::Alone),
            [0x0f, 0x01] if memory.read::<3>(address).ok()?[2] == 0xf9 => Some(Self::WithProcessor),
            _ => None,
        }
    }
}

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

    /// Skips the call, which returns this.
    pub(super) fn skip(&self, tid: pid_t, result: i64) -> io::Result<()> {
        let mut registers = self.registers;
        registers.orig_rax = u64::MAX;
        registers.rax = result.cast_unsigned();
        system::set_registers(tid, &registers)
    }

    /// Changes an argument of the call, which [`Call::finish`] restores.
    pub(super) fn change(&self, tid: pid_t, change: ArgumentChange) -> io::Result<()> {
        let mut registers = self.registers;
        set(&mut registers, change);
        system::set_registers(tid, &registers)
    }

    /// At the end of this call: its result.
    pub(super) fn result(&self) -> i64 {
        self.registers.rax.cast_signed()
    }

    /// At the end of this call: sets its result and restores an argument.
    pub(super) fn finish(&self, tid: pid_t, result: i64, former: ArgumentChange) -> io::Result<()> {
        let mut registers = self.registers;
        registers.rax = result.cast_unsigned();
        set(&mut registers, former);
        system::set_registers(tid, &registers)
    }

    /// The instruction pointer.
    pub(super) fn position(&self) -> u64 {
        self.registers.rip
    }

    /// Emulates an instruction that reads the cycle counter, with this count.
    pub(super) fn count_cycles(&self, tid: pid_t, instruction: CycleCounter, cycles: u64) -> io::Result<()> {
        let mut registers = self.registers;
        registers.rax = cycles & 0xffff_ffff;
        registers.rdx = cycles >> 32;
        match instruction {
            CycleCounter::Alone => registers.rip += 2,
            CycleCounter::WithProcessor => {
                registers.rip += 3;
                registers.rcx = 0;
            }
        }
        system::set_registers(tid, &registers)
    }
}

/// Sets an argument of a system call.
fn set(registers: &mut user_regs_struct, change: ArgumentChange) {
    let Some((index, value)) = change else { return };
    let r = registers;
    let arguments = [&mut r.rdi, &mut r.rsi, &mut r.rdx, &mut r.r10, &mut r.r8, &mut r.r9];
    if let Some(argument) = arguments.into_iter().nth(index) {
        *argument = value;
    }
}

/// `clock_gettime` as a function: rdi is the clock, rsi the address for the time. Clocks 0 and 5 show the time of day,
/// 1, 4, 6 and 7 the time since the start; other clocks are a system call. The four words of the table follow.
pub(super) const READ_CLOCK: [u8; 72] = [
    0x83, 0xff, 0x07, // cmp edi, 7
    0x77, 0x2f, // ja system
    0xb8, 0xf3, 0x00, 0x00, 0x00, // mov eax, 11110011b
    0x0f, 0xa3, 0xf8, // bt eax, edi
    0x73, 0x25, // jnc system
    0x48, 0x8d, 0x05, 0x32, 0x00, 0x00, 0x00, // lea rax, [table]
    0x85, 0xff, // test edi, edi
    0x74, 0x09, // je copy
    0x83, 0xff, 0x05, // cmp edi, 5
    0x74, 0x04, // je copy
    0x48, 0x83, 0xc0, 0x10, // add rax, 16
    0x48, 0x8b, 0x10, // copy: mov rdx, [rax]
    0x48, 0x89, 0x16, // mov [rsi], rdx
    0x48, 0x8b, 0x50, 0x08, // mov rdx, [rax + 8]
    0x48, 0x89, 0x56, 0x08, // mov [rsi + 8], rdx
    0x31, 0xc0, // xor eax, eax
    0xc3, // ret
    0xb8, 0xe4, 0x00, 0x00, 0x00, // system: mov eax, 228
    0x0f, 0x05, // syscall
    0xc3, // ret
    0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
];

/// The replacement of a function of the vDSO.
#[derive(Debug, Clone, Copy)]
pub(super) enum Function {
    /// [`READ_CLOCK`].
    ReadClock,
    /// The system call of this number, which does the same.
    System(u32),
    /// None: the C library then makes the system call by itself.
    Missing,
}

/// The functions of the vDSO.
pub(super) const FUNCTIONS: [(&str, Function); 6] = [
    ("__vdso_clock_gettime", Function::ReadClock),
    ("__vdso_gettimeofday", Function::System(96)),
    ("__vdso_time", Function::System(201)),
    ("__vdso_clock_getres", Function::System(229)),
    ("__vdso_getcpu", Function::System(309)),
    ("__vdso_getrandom", Function::Missing),
];

impl Function {
    /// The code of a function at this offset, if [`READ_CLOCK`] is at the other one.
    pub(super) fn code(self, at: i32, read_clock: i32) -> Vec<u8> {
        match self {
            // jmp
            Self::ReadClock => [&[0xe9][..], &(read_clock - at - 5).to_le_bytes()].concat(),
            // mov eax, number; syscall; ret
            Self::System(number) => [&[0xb8][..], &number.to_le_bytes(), &[0x0f, 0x05, 0xc3]].concat(),
            // mov eax, -ENOSYS; ret
            Self::Missing => [&[0xb8][..], &(-libc::ENOSYS).to_le_bytes(), &[0xc3]].concat(),
        }
    }
}
