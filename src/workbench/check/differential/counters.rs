//! g-counter and pn-counter: every subset of the adds of unknown outcome.

use std::collections::BTreeSet;

use rand::RngExt as _;

use super::draw::{Rng, Service, one_of};
use super::{Verdict, compare, try_all};
use crate::workbench::check::counter::{self, CounterReport};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind};

/// A counter that may miscount.
struct Counter {
    sum: i64,
    lowest: i64,
    malformed: f64,
}

impl Service for Counter {
    fn request(&mut self, _: u64, rng: &mut Rng) -> (&'static str, Value) {
        if rng.random_bool(0.5) {
            return ("read", Value::Nil);
        }
        let is_malformed = rng.random_bool(self.malformed);
        ("add", if is_malformed { Value::Float(1.5) } else { Value::Int(rng.random_range(self.lowest..5)) })
    }

    fn perform(&mut self, _: u64, f: &str, asked: &Value, rng: &mut Rng) -> (OpKind, Value) {
        let kind = one_of(rng, &[OpKind::Ok, OpKind::Ok, OpKind::Ok, OpKind::Info, OpKind::Info, OpKind::Fail]);
        if f == "add" {
            let happens = kind == OpKind::Ok || kind == OpKind::Info && rng.random_bool(0.5);
            self.sum += asked.as_int().filter(|_| happens).unwrap_or_default();
            return (kind, asked.clone());
        }
        let off = if rng.random_bool(0.1) { rng.random_range(-3..4) } else { 0 };
        let is_malformed = rng.random_bool(self.malformed);
        (kind, if is_malformed { Value::Float(2.0) } else { Value::Int(self.sum + off) })
    }
}

fn oracle(history: &History) -> Option<(Verdict, CounterReport)> {
    let with = |kind: OpKind, f: &str| {
        let ops = history.ops().iter().filter(|op| op.is_client());
        ops.filter(|op| op.kind == kind && op.f == f).collect::<Vec<&Op>>()
    };
    let ints = |ops: &[&Op]| ops.iter().map(|op| op.value.as_int()).collect::<Option<Vec<i64>>>();
    let finals: Vec<&Op> = with(OpKind::Ok, "read").into_iter().filter(|op| op.is_final()).collect();
    let (certain, open) = (ints(&with(OpKind::Ok, "add"))?, ints(&with(OpKind::Info, "add"))?);
    let chosen = |subset: u32| open.iter().enumerate().filter(move |(index, _)| subset >> index & 1 == 1);
    let certain: i64 = certain.iter().sum();
    let sums: BTreeSet<i64> =
        (0..1 << open.len()).map(|subset| certain + chosen(subset).map(|(_, delta)| delta).sum::<i64>()).collect();
    let lows = sums.iter().filter(|sum| !sums.contains(&(*sum - 1)));
    let high = |low: i64| (low..1_000).find(|sum| !sums.contains(&(sum + 1))).expect("the highest sum ends it");
    let acceptable: Vec<_> = lows.map(|low| (*low, high(*low))).collect();
    let final_reads = ints(&finals)?;
    let wrong: Vec<Op> =
        finals.into_iter().filter(|op| op.value.as_int().is_none_or(|value| !sums.contains(&value))).cloned().collect();
    Some((Verdict::from(wrong.is_empty()), CounterReport { final_reads, acceptable, wrong }))
}

#[test]
fn counters_may_end_at_any_sum_of_what_happened_and_what_may_have() {
    for lowest in [0, -5] {
        let service = |rng: &mut Rng| Counter { sum: 0, lowest, malformed: one_of(rng, &[0.0, 0.0, 0.0, 0.1]) };
        let judge = |history: &History| {
            let expected = oracle(history);
            let has_gaps = expected.as_ref().is_some_and(|(_, report)| report.acceptable.len() > 1);
            let mut kinds = compare(counter::check(history), expected)?;
            kinds.extend(has_gaps.then_some("with gaps"));
            Ok(kinds)
        };
        try_all(20, service, judge, &["valid", "invalid", "error", "with gaps"]);
    }
}
