//! What the compiler says of a mistaken node: each program's errors are in the file beside it.
//!
//! Each version of the compiler words its errors in its own way. These are those of [`COMPILER`]; with another, the
//! test is skipped. `TRYBUILD=overwrite cargo test --test mistakes` rewrites them.

use std::process::Command;

const COMPILER: &str = "rustc 1.95.";

#[test]
fn mistakes_are_named_by_the_compiler() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("a compiler runs");
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    if !version.starts_with(COMPILER) {
        eprintln!("skipped: what the compiler says of mistakes: this is {}, not {COMPILER}", version.trim());
        return;
    }
    let programs = trybuild::TestCases::new();
    programs.compile_fail("tests/mistakes/programs/*.rs");
    // Since a program must link, all are built and not only checked: a handler is missed when the engine is generated.
    programs.pass("examples/echo.rs");
}
