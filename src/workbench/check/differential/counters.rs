//! g-counter and pn-counter: every subset of the adds of unknown outcome.

use std::collections::BTreeSet;

use super::draw::{Clients, Dice};
use super::{Said, compare, verdict};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind};

/// Clients of a counter that may miscount.
struct Sloppy {
    sum: i64,
    lowest: i64,
    odd: f64,
}

impl Clients for Sloppy {
    fn ask(&mut self, _: u64, dice: &mut Dice) -> (&'static str, Value, bool) {
        if dice.chance(0.5) {
            return ("read", Value::Nil, dice.chance(0.7));
        }
        let delta = if dice.chance(self.odd) { Value::Float(1.5) } else { Value::Int(dice.between(self.lowest, 4)) };
        ("add", delta, false)
    }

    fn answer(&mut self, _: u64, f: &str, asked: &Value, dice: &mut Dice) -> (OpKind, Value) {
        let kind = dice.one_of(&[OpKind::Ok, OpKind::Ok, OpKind::Ok, OpKind::Info, OpKind::Info, OpKind::Fail]);
        if f == "add" {
            let happens = kind == OpKind::Ok || kind == OpKind::Info && dice.chance(0.5);
            self.sum += asked.as_int().filter(|_| happens).unwrap_or_default();
            return (kind, asked.clone());
        }
        let off = if dice.chance(0.1) { dice.between(-3, 3) } else { 0 };
        let value = match dice.chance(self.odd) {
            true if dice.chance(0.5) => Value::Float(2.0),
            true => Value::Nil,
            false => Value::Int(self.sum + off),
        };
        (kind, value)
    }
}

fn oracle(history: &History) -> Said {
    let with = |kind: OpKind, f: &str| {
        let ops = history.ops().iter().filter(|op| op.is_client());
        ops.filter(|op| op.kind == kind && op.f == f).collect::<Vec<&Op>>()
    };
    let finals: Vec<&Op> = with(OpKind::Ok, "read").into_iter().filter(|op| op.is_final()).collect();
    let (certain, open) = (with(OpKind::Ok, "add"), with(OpKind::Info, "add"));
    if certain.iter().chain(&open).chain(&finals).any(|op| op.value.as_int().is_none()) {
        return Said::Unjudgeable;
    }
    let value = |op: &Op| op.value.as_int().expect("looked at above");
    let certain: i64 = certain.into_iter().map(value).sum();
    let sums: BTreeSet<i64> = (0_u32..1 << open.len())
        .map(|subset| {
            let chosen = open.iter().enumerate().filter(|(index, _)| subset >> index & 1 == 1);
            certain + chosen.map(|(_, op)| value(op)).sum::<i64>()
        })
        .collect();
    let lows = sums.iter().filter(|sum| !sums.contains(&(*sum - 1)));
    let ranges = lows.map(|low| {
        let high = (*low..=certain + open.iter().map(|op| value(op).max(0)).sum::<i64>())
            .find(|sum| !sums.contains(&(sum + 1)));
        Value::Vector(vec![Value::Int(*low), Value::Int(high.expect("the highest sum ends it"))])
    });
    let wrong: Vec<Value> = finals.iter().filter(|op| !sums.contains(&value(op))).map(|op| op.to_value()).collect();
    Said::Result(vec![
        ("valid?", wrong.is_empty().into()),
        ("acceptable", Value::List(ranges.collect())),
        ("final-reads", Value::List(finals.iter().map(|op| op.value.clone()).collect())),
        ("errors", if wrong.is_empty() { Value::Nil } else { Value::List(wrong) }),
    ])
}

fn notable(said: &Said) -> Vec<String> {
    let gaps = |value: &Value| value.items().is_some_and(|ranges| ranges.len() > 1);
    let Said::Result(entries) = said else { return vec![verdict(said)] };
    let gaps = entries.iter().any(|(key, value)| *key == "acceptable" && gaps(value));
    [verdict(said)].into_iter().chain(gaps.then(|| "with gaps".to_owned())).collect()
}

#[test]
fn counters_may_end_at_any_sum_of_what_happened_and_what_may_have() {
    for (workload, lowest) in [("g-counter", 0), ("pn-counter", -5)] {
        let clients = |dice: &mut Dice| Sloppy { sum: 0, lowest, odd: dice.one_of(&[0.0, 0.0, 0.0, 0.1]) };
        compare(workload, clients, oracle, Value::clone, notable, &["true", "false", "unjudgeable", "with gaps"]);
    }
}
