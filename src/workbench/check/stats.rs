//! Counts completions by outcome and by operation (protocol §12.2).

use std::collections::BTreeMap;

use super::Verdict;
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Kind};

/// Operations that need not succeed even once.
const EXEMPT: [&str; 2] = ["crash", "debug-topic-partitions"];

/// Whether the operations of this name may all come to nothing.
#[must_use]
pub fn is_exempt(f: &str) -> bool {
    EXEMPT.contains(&f)
}

#[derive(Default, Clone, Copy)]
struct Tally {
    ok: usize,
    fail: usize,
    info: usize,
}

impl Tally {
    const fn count(&mut self, kind: Kind) {
        match kind {
            Kind::Invoke => {}
            Kind::Ok => self.ok += 1,
            Kind::Fail => self.fail += 1,
            Kind::Info => self.info += 1,
        }
    }

    fn to_entries(self, valid: bool) -> [(&'static str, Value); 5] {
        [
            ("valid?", Verdict::from(valid).to_value()),
            ("count", Value::count(self.ok + self.fail + self.info)),
            ("ok-count", Value::count(self.ok)),
            ("fail-count", Value::count(self.fail)),
            ("info-count", Value::count(self.info)),
        ]
    }
}

/// Invalid if an operation that was issued never succeeded.
#[must_use]
pub fn check(history: &History) -> Value {
    let mut total = Tally::default();
    let mut by_f: BTreeMap<&str, Tally> = BTreeMap::new();
    for (_, op) in history.client_ops().filter(|(_, op)| op.kind != Kind::Invoke) {
        total.count(op.kind);
        by_f.entry(&op.f).or_default().count(op.kind);
    }
    let valid = by_f.iter().all(|(f, tally)| tally.ok > 0 || is_exempt(f));
    let by_f = by_f.into_iter().map(|(f, tally)| {
        let entries = Value::record(tally.to_entries(tally.ok > 0));
        (Value::Keyword(f.to_owned().into()), entries)
    });
    let [verdict, count, ok, fail, info] = total.to_entries(valid);
    Value::record([verdict, count, ok, fail, info, ("by-f", Value::Map(by_f.collect()))])
}

#[cfg(test)]
mod tests {
    use super::super::tests::history;
    use super::*;

    #[test]
    fn completions_are_counted_by_outcome_and_operation() {
        let result = check(&history(&[
            "0 invoke read nil",
            ":nemesis info start-partition nil",
            "0 ok read [1]",
            "0 invoke read nil",
            "0 fail read nil",
            "1 invoke broadcast 1",
            "1 ok broadcast 1",
            "1 invoke broadcast 2",
            "1 info broadcast 2",
            "0 invoke read nil",
        ]));
        let expected = "{:valid? true, :count 4, :ok-count 2, :fail-count 1, :info-count 1, :by-f \
            {:broadcast {:valid? true, :count 2, :ok-count 1, :fail-count 0, :info-count 1}, \
            :read {:valid? true, :count 2, :ok-count 1, :fail-count 1, :info-count 0}}}";
        assert_eq!(result.to_string(), expected);
    }

    #[test]
    fn an_operation_that_never_succeeds_invalidates() {
        let result = check(&history(&["0 invoke cas [1 2]", "0 fail cas [1 2]", "0 invoke read 1", "0 ok read 1"]));
        assert_eq!(Verdict::of(&result), Verdict::False);
    }

    #[test]
    fn a_crash_that_never_succeeds_is_as_it_should_be() {
        let result = check(&history(&["0 invoke crash nil", "0 info crash nil"]));
        assert_eq!(Verdict::of(&result), Verdict::True);
        let crash = result.get("by-f").and_then(|by_f| by_f.get("crash")).map(Verdict::of);
        assert_eq!(crash, Some(Verdict::False));
    }

    #[test]
    fn no_operations_at_all_are_valid() {
        assert_eq!(Verdict::of(&check(&History::default())), Verdict::True);
    }
}
