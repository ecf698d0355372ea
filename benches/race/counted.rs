//! Counts by strace and valgrind: the count of a run with messages, less that of a run without.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::contender::{BATCH, Contender, NUMBERS, Running, batch, check_one, echo};

/// The number of round trips.
const ROUND_TRIPS: u64 = 1_000;

/// A program that runs another and counts events.
struct Tool {
    program: &'static str,
    /// Its arguments before the path of the report.
    arguments: &'static [&'static str],
    /// The text before or after the sum in the report.
    label: &'static str,
}

const SYSCALLS: Tool = Tool { program: "strace", arguments: &["-f", "-c", "-U", "calls,name", "-o"], label: " total" };
const INSTRUCTIONS: Tool =
    Tool { program: "valgrind", arguments: &["--tool=callgrind", "--callgrind-out-file="], label: "totals: " };
const ALLOCATIONS: Tool =
    Tool { program: "valgrind", arguments: &["--tool=memcheck", "--log-file="], label: "total heap usage: " };

impl Tool {
    /// The count of a run in which `work` is done; `None` if the tool is not installed.
    fn count(&self, contender: &Contender, work: impl FnOnce(&mut Running)) -> Option<u64> {
        Command::new(self.program).arg("--version").output().ok().filter(|output| output.status.success())?;
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
        let (before, after) = report.split_once(self.label)?;
        let sum =
            if self.label.ends_with(' ') { after.split_whitespace().next() } else { before.split_whitespace().last() };
        sum?.replace(',', "").parse().ok()
    }

    /// The count per message of a batch.
    fn per_message_of_a_batch(&self, contender: &Contender) -> Option<f64> {
        let batch = batch();
        self.per_message(contender, BATCH, |node| {
            node.exchange(batch.as_bytes(), 1, &mut Vec::new());
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    fn per_message(&self, contender: &Contender, messages: u64, work: impl FnOnce(&mut Running)) -> Option<f64> {
        let (less, more) = (self.count(contender, |_| ())?, self.count(contender, work)?);
        Some(more.saturating_sub(less) as f64 / messages as f64)
    }
}

/// Instructions per message.
pub(crate) fn instructions(contender: &Contender) -> Option<f64> {
    INSTRUCTIONS.per_message_of_a_batch(contender)
}

/// Allocations per message.
pub(crate) fn allocations(contender: &Contender) -> Option<f64> {
    ALLOCATIONS.per_message_of_a_batch(contender)
}

/// System calls per message at full speed.
pub(crate) fn syscalls(contender: &Contender) -> Option<f64> {
    SYSCALLS.per_message_of_a_batch(contender)
}

/// System calls per round trip.
pub(crate) fn syscalls_per_round_trip(contender: &Contender) -> Option<f64> {
    let message = echo(NUMBERS.start);
    SYSCALLS.per_message(contender, ROUND_TRIPS, |node| {
        for _ in 0..ROUND_TRIPS {
            check_one(node.request(message.as_bytes()), NUMBERS.start);
        }
    })
}
