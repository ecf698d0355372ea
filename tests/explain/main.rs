//! Failures are explained step by step, and each claim is borne out by what the run stored.
//!
//! The programs are broken on purpose, each in one way, and run in virtual time, so that every time and every number of
//! a message is known. Where Python is not installed or the system forbids tracing, the tests say so and do nothing.
#![cfg(all(feature = "workbench", target_os = "linux", target_arch = "x86_64"))]

mod oracle;
mod programs;
mod run;
mod sets;
mod workloads;

use oracle::Oracle;
use run::{Run, is_possible};

/// Checks every explanation of a program on many seeds.
fn claims_hold(program: &str, options: &str, seeds: u64) {
    if !is_possible() {
        return;
    }
    let mut checked = 0;
    for seed in 1..=seeds {
        let run = Run::of(program, options, seed);
        let oracle = Oracle::of(&run);
        checked += run.explanations(&[]).iter().map(|explanation| oracle.check(explanation)).sum::<usize>();
    }
    assert!(checked as u64 >= 2 * seeds, "only {checked} claims");
}
