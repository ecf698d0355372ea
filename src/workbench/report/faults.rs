//! The intervals in which faults were active, from the nemesis operations of a history.

use crate::workbench::history::{History, Op, Process};
use crate::workbench::nemesis::{Fault, Turn};

/// An interval in which a fault was active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FaultSpan {
    /// The fault.
    pub(super) fault: Fault,
    /// Its target as the nemesis invoked it: `majority`, ...
    pub(super) kind: String,
    /// Its start, in microseconds of the history.
    pub(super) from_us: i64,
    /// Its end; that of the history, if it was never healed.
    pub(super) to_us: i64,
}

/// The nemesis operation that ends a fault is in the history twice: its invocation and its completion.
const ENTRIES: u8 = 2;

/// The latest interval of a fault, and how many entries of its end are still to come.
struct LatestInterval {
    fault: Fault,
    place: usize,
    entries_left: u8,
}

/// The faults of a run in the order of their starts. A fault lasts from the invocation that begins it to the completion
/// of the operation that ends it.
pub(super) fn faults(history: &History) -> Vec<FaultSpan> {
    let end_us = history.ops().last().map_or(0, |op| op.time / 1000);
    let mut faults: Vec<FaultSpan> = Vec::new();
    let mut latest_of: Vec<LatestInterval> = Vec::new();
    for op in history.ops().iter().filter(|op| op.process == Process::Nemesis) {
        let Some(turn) = Turn::of(&op.f) else { continue };
        let fault = turn.fault();
        let latest = latest_of.iter_mut().find(|latest| latest.fault == fault && latest.entries_left > 0);
        match (turn, latest) {
            // Active already, or healed when nothing was wrong.
            (Turn::Begins(_), Some(_)) | (Turn::Ends(_), None) => {}
            (Turn::Begins(_), None) => {
                latest_of.push(LatestInterval { fault, place: faults.len(), entries_left: ENTRIES });
                faults.push(span(fault, op, end_us));
            }
            (Turn::Ends(_), Some(latest)) => {
                latest.entries_left -= 1;
                faults[latest.place].to_us = op.time / 1000;
            }
        }
    }
    faults
}

impl FaultSpan {
    /// Its name, target, start and end.
    pub(super) fn into_columns(self) -> (&'static str, String, i64, i64) {
        (self.fault.name(), self.kind, self.from_us, self.to_us)
    }
}

fn span(fault: Fault, op: &Op, end_us: i64) -> FaultSpan {
    let kind = op.value.as_keyword().map_or_else(|| op.value.to_string(), str::to_owned);
    FaultSpan { fault, kind, from_us: op.time / 1000, to_us: end_us }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_lasts_until_it_is_healed_or_the_history_ends() {
        let line = |(i, (ms, f, value)): (usize, &(i64, &str, &str))| {
            format!("{{:index {i}, :time {ms}000000, :type :info, :process :nemesis, :f :{f}, :value {value}}}\n")
        };
        let ops = [
            (1, "start-partition", ":majority"),
            (1, "start-partition", "[:isolated {}]"),
            (2, "kill", ":one"),
            (3, "kill", "{\"n1\" :killed}"),
            (4, "stop-partition", "nil"),
            (5, "stop-partition", ":network-healed"),
            (6, "start-partition", ":one"),
            (6, "start-partition", "[:isolated {}]"),
            (7, "start", "nil"),
            (8, "start", "{\"n1\" :started}"),
            (9, "stop-partition", "nil"),
            (9, "stop-partition", ":network-healed"),
            (9, "pause", ":all"),
            (10, "stop-partition", "nil"),
            (10, "stop-partition", ":network-healed"),
            (11, "start-slow", ":minority"),
            (12, "stop-slow", ":all"),
        ];
        let history: History = ops.iter().enumerate().map(line).collect::<String>().parse().expect("a history");
        let faults = faults(&history);
        let found: Vec<_> =
            faults.iter().map(|fault| (fault.fault.name(), &*fault.kind, fault.from_us, fault.to_us)).collect();
        let expected = [
            ("partition", "majority", 1_000, 5_000),
            ("kill", "one", 2_000, 8_000),
            ("partition", "one", 6_000, 9_000),
            ("pause", "all", 9_000, 12_000),
            ("slow", "minority", 11_000, 12_000),
        ];
        assert_eq!(found, expected);
    }
}
