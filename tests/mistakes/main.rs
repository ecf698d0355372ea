//! What the compiler says of a mistaken node: each program's errors are in the file beside it.
//!
//! They are those of the compiler that this repository is developed with, and `TRYBUILD=overwrite cargo test --test
//! mistakes` rewrites them.

#[test]
fn mistakes_are_named_by_the_compiler() {
    let programs = trybuild::TestCases::new();
    programs.compile_fail("tests/mistakes/programs/*.rs");
    // Since a program must link, all are built and not only checked: a handler is missed when the engine is generated.
    programs.pass("examples/echo.rs");
}
