//! Checks the final reads of a counter against the sum of its adds (protocol §13.4): g-counter and pn-counter.
//!
//! An indeterminate add may count or not, so a final read may be the sum of all acknowledged adds and any subset of the
//! indeterminate ones. The possible sums are kept as intervals, of which small deltas need few.

use super::verdict::brief_list;
use super::{CheckError, CheckReport, Verdict, Violation};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind};

/// The final reads and the possible sums.
#[derive(Debug, Clone, PartialEq)]
pub struct CounterReport {
    /// The values of all final reads.
    pub final_reads: Vec<i64>,
    /// The possible sums, as sorted intervals.
    pub acceptable: Vec<(i64, i64)>,
    /// The final reads that returned none of them.
    pub wrong: Vec<Op>,
}

/// Checks a counter: invalid if a final read is not a possible sum.
///
/// # Errors
/// If the value of an add or of a final read is not a 64-bit integer.
pub fn check(history: &History) -> Result<CounterReport, CheckError> {
    let with = |kind: OpKind, f: &'static str| {
        let ops = history.client_ops().map(|(_, op)| op);
        ops.filter(move |op| op.kind == kind && op.f == f)
    };
    let definite = with(OpKind::Ok, "add").try_fold(0_i64, |sum, add| integer(add).map(|by| sum.saturating_add(by)))?;
    let acceptable = with(OpKind::Info, "add")
        .try_fold(vec![(definite, definite)], |sums, add| integer(add).map(|delta| with_or_without(&sums, delta)))?;
    let (mut final_reads, mut wrong) = (Vec::new(), Vec::new());
    for read in with(OpKind::Ok, "read").filter(|op| op.is_final()) {
        let value = integer(read)?;
        if !acceptable.iter().any(|(low, high)| (*low..=*high).contains(&value)) {
            wrong.push(read.clone());
        }
        final_reads.push(value);
    }
    Ok(CounterReport { final_reads, acceptable, wrong })
}

fn integer(op: &Op) -> Result<i64, CheckError> {
    op.value.as_int().ok_or_else(|| CheckError::malformed(op, "a counter knows integers of 64 bits only"))
}

/// The union of the sums and the sums increased by `delta`, as sorted, maximal intervals.
fn with_or_without(sums: &[(i64, i64)], delta: i64) -> Vec<(i64, i64)> {
    let shifted = sums.iter().map(|(low, high)| (low.saturating_add(delta), high.saturating_add(delta)));
    let mut all: Vec<_> = sums.iter().copied().chain(shifted).collect();
    all.sort_unstable();
    let mut merged: Vec<(i64, i64)> = Vec::new();
    for (low, high) in all {
        match merged.last_mut() {
            Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
            Some(_) | None => merged.push((low, high)),
        }
    }
    merged
}

impl CheckReport for CounterReport {
    fn verdict(&self) -> Verdict {
        Verdict::from(self.wrong.is_empty())
    }

    fn to_edn(&self) -> Value {
        let errors = Value::List(self.wrong.iter().map(Op::to_value).collect());
        let acceptable = self.acceptable.iter().map(|(low, high)| Value::ints(vec![*low, *high]));
        Value::record([
            ("valid?", self.verdict().to_value()),
            ("errors", if self.wrong.is_empty() { Value::Nil } else { errors }),
            ("final-reads", Value::List(self.final_reads.iter().copied().map(Value::Int).collect())),
            ("acceptable", Value::List(acceptable.collect())),
        ])
    }

    fn violations(&self) -> Vec<Violation> {
        if self.wrong.is_empty() {
            return Vec::new();
        }
        let mut distinct: Vec<String> = Vec::new();
        for value in self.final_reads.iter().map(ToString::to_string) {
            if !distinct.contains(&value) {
                distinct.push(value);
            }
        }
        let range = |(low, high): &(i64, i64)| if low == high { low.to_string() } else { format!("{low} to {high}") };
        let ranges: Vec<_> = self.acceptable.iter().map(range).collect();
        let (read, should) = (brief_list(&distinct, ", "), brief_list(&ranges, " or "));
        let sentence = format!("final reads are {read}, but should be {should}");
        vec![Violation { anomaly: "errors", count: self.wrong.len(), sentence }]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::run;
    use super::*;

    /// The result for adds, each as its outcome and its delta, and final reads of these values.
    fn result(adds: &[&str], reads: &[&str]) -> String {
        let adds = adds.iter().map(|add| format!("0 {}", add.replace(' ', " add ")));
        let reads = reads.iter().map(|value| format!("0 ok read {value}, :final? true"));
        let lines: Vec<_> = ["0 ok read -77".to_owned()].into_iter().chain(adds).chain(reads).collect();
        check(&run(&lines)).map_or_else(|problem| problem.to_string(), |report| report.to_edn().to_string())
    }

    #[test]
    fn the_sum_of_the_acknowledged_adds_is_valid_and_earlier_reads_do_not_matter() {
        let expected = "{:valid? true, :errors nil, :final-reads (3 3), :acceptable ([3 3])}";
        assert_eq!(result(&["ok 5", "fail 9", "ok -2"], &["3", "3"]), expected);
    }

    #[test]
    fn another_sum_is_invalid_and_shown() {
        let result = result(&["ok 5"], &["5", "4"]);
        assert!(result.starts_with("{:valid? false, :errors (#jepsen.history.Op{:index 7, "), "{result}");
        assert!(result.ends_with(":value 4, :final? true}), :final-reads (5 4), :acceptable ([5 5])}"), "{result}");
    }

    #[test]
    fn an_add_of_unknown_outcome_counts_or_does_not() {
        assert!(result(&["ok 1", "info 2", "info 1"], &["1", "4"]).ends_with(":acceptable ([1 4])}"));
        assert!(result(&["info 3"], &["0", "3"]).ends_with(":acceptable ([0 0] [3 3])}"));
        assert!(result(&["info 3"], &["1"]).starts_with("{:valid? false"));
        assert!(result(&["info -1", "info 0"], &["-1"]).ends_with(":acceptable ([-1 0])}"));
    }

    #[test]
    fn without_final_reads_there_is_nothing_to_be_wrong() {
        assert_eq!(result(&["ok 1"], &[]), "{:valid? true, :errors nil, :final-reads (), :acceptable ([1 1])}");
    }

    #[test]
    fn what_is_no_integer_cannot_be_judged_where_it_counts() {
        let problem = result(&["ok 1", "info 1.5"], &["1"]);
        assert_eq!(problem, "the operation at index 5 is :add 1.5: a counter knows integers of 64 bits only");
        assert!(result(&["ok nil"], &[]).contains("a counter knows integers"));
        assert!(result(&["ok 1"], &["1.0"]).contains("a counter knows integers"));
        assert!(result(&["ok 1", "fail 1.5"], &["1"]).starts_with("{:valid? true"));
    }

    proptest! {
        #[test]
        fn intervals_hold_exactly_the_sums_of_subsets(deltas in prop::collection::vec(-9_i64..9, 0..8)) {
            let intervals = deltas.iter().fold(vec![(0, 0)], |sums, delta| with_or_without(&sums, *delta));
            let sum = |subset: u32| -> i64 {
                let chosen = deltas.iter().enumerate().filter(|(index, _)| subset & (1 << index) != 0);
                chosen.map(|(_, delta)| delta).sum()
            };
            let mut sums: Vec<i64> = (0..1 << deltas.len()).map(sum).collect();
            sums.sort_unstable();
            sums.dedup();
            let held: Vec<i64> = intervals.iter().flat_map(|(low, high)| *low..=*high).collect();
            prop_assert_eq!(held, sums);
        }
    }
}
