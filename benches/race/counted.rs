//! What strace and valgrind count of a contender: an incarnation with messages, less one without.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::contender::{BATCH, Contender, NUMBERS, Running, batch, check_one, echo};

/// Messages one at a time.
const ASKED: u64 = 1_000;

/// A program that runs another and counts.
struct Tool {
    program: &'static str,
    /// The last one is followed by the name of the report.
    arguments: &'static [&'static str],
    /// What stands before the sum in the report, or after it.
    mark: &'static str,
}

const SYSCALLS: Tool = Tool { program: "strace", arguments: &["-f", "-c", "-U", "calls,name", "-o"], mark: " total" };
const INSTRUCTIONS: Tool =
    Tool { program: "valgrind", arguments: &["--tool=callgrind", "--callgrind-out-file="], mark: "totals: " };
const ALLOCATIONS: Tool =
    Tool { program: "valgrind", arguments: &["--tool=memcheck", "--log-file="], mark: "total heap usage: " };

impl Tool {
    /// What it counts of an incarnation in which `work` is done; nothing if it is not installed.
    fn count(&self, contender: &Contender, work: impl FnOnce(&mut Running)) -> Option<u64> {
        Command::new(self.program).arg("--version").output().ok().filter(|said| said.status.success())?;
        let report = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
        let (last, arguments) = self.arguments.split_last()?;
        let mut command = Command::new(self.program);
        command.args(arguments);
        if last.ends_with('=') {
            command.arg(format!("{last}{}", report.display()));
        } else {
            command.arg(last).arg(&report);
        }
        let mut node = contender.start_under(command);
        work(&mut node);
        node.end();
        let report = fs::read_to_string(&report).expect("it writes a report");
        let (before, after) = report.split_once(self.mark)?;
        let near =
            if self.mark.ends_with(' ') { after.split_whitespace().next() } else { before.split_whitespace().last() };
        near?.replace(',', "").parse().ok()
    }

    /// What it counts of each of a batch's messages.
    fn of_a_batch(&self, contender: &Contender) -> Option<f64> {
        let batch = batch();
        self.of_each(contender, BATCH, |node| {
            node.pump(batch.as_bytes(), 1, &mut Vec::new());
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    fn of_each(&self, contender: &Contender, messages: u64, work: impl FnOnce(&mut Running)) -> Option<f64> {
        let (less, more) = (self.count(contender, |_| ())?, self.count(contender, work)?);
        Some(more.saturating_sub(less) as f64 / messages as f64)
    }
}

/// Instructions of a message.
pub(crate) fn instructions(contender: &Contender) -> Option<f64> {
    INSTRUCTIONS.of_a_batch(contender)
}

/// Allocations of a message.
pub(crate) fn allocations(contender: &Contender) -> Option<f64> {
    ALLOCATIONS.of_a_batch(contender)
}

/// System calls of a message at full speed.
pub(crate) fn syscalls(contender: &Contender) -> Option<f64> {
    SYSCALLS.of_a_batch(contender)
}

/// System calls of a message that waits for the answer to the one before.
pub(crate) fn syscalls_of_a_trip(contender: &Contender) -> Option<f64> {
    let message = echo(NUMBERS.start);
    SYSCALLS.of_each(contender, ASKED, |node| {
        for _ in 0..ASKED {
            check_one(node.ask(message.as_bytes()), NUMBERS.start);
        }
    })
}
