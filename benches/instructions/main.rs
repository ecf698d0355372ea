//! Instructions per message, counted by callgrind on the actual programs: `cargo bench --bench instructions [-- WORD]`.
//!
//! A program is run on two inputs that differ by a number of similar messages; the difference divided by that number is
//! the cost of one message from `read` to `write`, runtime included. Input and output are files, so that every run
//! reads and writes the same pieces. Counts are of user space, and differ by a few instructions between runs because
//! hash keys and clocks do. A row above its limit fails the run; without valgrind, everything is skipped.

mod callgrind;
mod cases;

use std::process::ExitCode;

use cases::Case;

#[expect(clippy::print_stdout, reason = "the table is the output of this program")]
fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if !callgrind::is_installed() {
        println!("skipped: instructions per message: valgrind is not installed");
        return ExitCode::SUCCESS;
    }
    println!("{:<28}{:>14}{:>9}{:>9}", "request", "instructions", "limit", "bytes");
    let mut within = true;
    for case in cases::all() {
        if !words.is_empty() && !words.iter().any(|word| case.name.contains(word.as_str())) {
            continue;
        }
        let cost = cost(&case);
        let exceeded = case.limit.is_some_and(|limit| cost > limit);
        let limit = case.limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
        let bytes = case.long.len().saturating_sub(case.short.len()) as u64 / case.messages;
        println!("{:<28}{cost:>14}{limit:>9}{bytes:>9}{}", case.name, if exceeded { "  EXCEEDED" } else { "" });
        within &= !exceeded;
    }
    if within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The number of instructions of one message.
fn cost(case: &Case) -> u64 {
    let (less, _) = callgrind::instructions(case.program, &case.short);
    let (more, output) = callgrind::instructions(case.program, &case.long);
    let replies = memchr::memchr_iter(b'\n', &output).count();
    assert!(case.replies.is_none_or(|expected| expected == replies), "{}: {replies} replies", case.name);
    assert!(!output.windows(14).any(|piece| piece == br#""type":"error""#), "{}: a request was rejected", case.name);
    assert!(more > less, "{}: the messages cost nothing, so they were not handled", case.name);
    (more - less) / case.messages
}
