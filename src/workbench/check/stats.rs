//! Counts completions by outcome and by operation (protocol §12.2).

use std::collections::BTreeMap;

use super::{CheckReport, Verdict, Violation};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, OpKind};

/// Operations that need not succeed even once.
const EXEMPT: [&str; 2] = ["crash", "debug-topic-partitions"];

/// Numbers of operations by outcome.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct OutcomeCounts {
    /// The number that succeeded.
    pub ok: usize,
    /// The number that failed.
    pub fail: usize,
    /// The number that are indeterminate.
    pub info: usize,
}

impl OutcomeCounts {
    const fn count(&mut self, kind: OpKind) {
        match kind {
            OpKind::Invoke => {}
            OpKind::Ok => self.ok += 1,
            OpKind::Fail => self.fail += 1,
            OpKind::Info => self.info += 1,
        }
    }

    /// The sum.
    #[must_use]
    pub const fn all(self) -> usize {
        self.ok + self.fail + self.info
    }

    fn to_entries(self, verdict: Verdict) -> [(&'static str, Value); 5] {
        [
            ("valid?", verdict.to_value()),
            ("count", Value::count(self.all())),
            ("ok-count", Value::count(self.ok)),
            ("fail-count", Value::count(self.fail)),
            ("info-count", Value::count(self.info)),
        ]
    }
}

/// Outcomes of the operations of a run.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct StatsReport {
    /// Of all operations.
    pub total: OutcomeCounts,
    /// By `f`.
    pub by_f: BTreeMap<Box<str>, OutcomeCounts>,
}

/// Counts operations: invalid if all of one `f` failed or are indeterminate.
#[must_use]
pub fn check(history: &History) -> StatsReport {
    let mut report = StatsReport::default();
    for (_, op) in history.client_ops().filter(|(_, op)| op.kind != OpKind::Invoke) {
        report.total.count(op.kind);
        report.by_f.entry((*op.f).into()).or_default().count(op.kind);
    }
    report
}

impl StatsReport {
    /// The `f`s of which no operation succeeded, except those that need not succeed.
    pub fn never_succeeded(&self) -> impl Iterator<Item = (&str, OutcomeCounts)> {
        self.expected_to_succeed().filter(|(_, tally)| tally.ok == 0)
    }

    /// The `f`s that must succeed.
    pub fn expected_to_succeed(&self) -> impl Iterator<Item = (&str, OutcomeCounts)> {
        self.by_f.iter().map(|(f, tally)| (&**f, *tally)).filter(|(f, _)| !EXEMPT.contains(f))
    }
}

impl CheckReport for StatsReport {
    fn verdict(&self) -> Verdict {
        Verdict::from(self.never_succeeded().next().is_none())
    }

    fn to_edn(&self) -> Value {
        let by_f = self.by_f.iter().map(|(f, tally)| {
            let entries = Value::record(tally.to_entries(Verdict::from(tally.ok > 0)));
            (Value::Keyword(f.to_string().into()), entries)
        });
        let [verdict, count, ok, fail, info] = self.total.to_entries(self.verdict());
        Value::record([verdict, count, ok, fail, info, ("by-f", Value::Map(by_f.collect()))])
    }

    fn violations(&self) -> Vec<Violation> {
        let violation = |(f, tally): (&str, OutcomeCounts)| {
            let count = tally.all();
            Violation { anomaly: "no-success", count, sentence: format!("not one of {count} operations {f} succeeded") }
        };
        self.never_succeeded().map(violation).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;

    #[test]
    fn completions_are_counted_by_outcome_and_operation() {
        let reads = ["0 ok read [1]", ":nemesis info start-partition nil", "0 fail read nil"];
        let others = ["1 ok broadcast 1", "1 info broadcast 2", "0 invoke read nil"];
        let result = check(&run(&[reads, others].concat()));
        let expected = "{:valid? true, :count 4, :ok-count 2, :fail-count 1, :info-count 1, :by-f \
            {:broadcast {:valid? true, :count 2, :ok-count 1, :fail-count 0, :info-count 1}, \
            :read {:valid? true, :count 2, :ok-count 1, :fail-count 1, :info-count 0}}}";
        assert_eq!(result.to_edn().to_string(), expected);
    }

    #[test]
    fn an_operation_that_never_succeeds_invalidates() {
        let result = check(&run(&["0 fail cas [1 2]", "0 ok read 1"]));
        assert_eq!(result.verdict(), Verdict::False);
    }

    #[test]
    fn a_crash_that_never_succeeds_is_as_it_should_be() {
        let result = check(&run(&["0 info crash nil"]));
        assert_eq!(result.verdict(), Verdict::True);
        let crash = result.to_edn().get("by-f").and_then(|by_f| by_f.get("crash")).map(Verdict::of);
        assert_eq!(crash, Some(Verdict::False));
    }

    #[test]
    fn no_operations_at_all_are_valid() {
        assert_eq!(check(&History::default()).verdict(), Verdict::True);
    }
}
