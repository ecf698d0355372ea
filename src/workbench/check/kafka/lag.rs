//! How far polls lagged behind: how long before a poll began the message after the last one that its process had seen
//! must have been there.

use std::collections::BTreeMap;

use super::record::Record;
use crate::workbench::edn::Value;
use crate::workbench::history::{History, OpKind};

/// The increasing highest known offsets of one log, each with the time from which it was known.
#[derive(Default)]
struct OffsetGrowth(Vec<(i64, i64)>);

impl OffsetGrowth {
    fn observe(&mut self, offset: i64, time: i64) {
        if self.0.last().map_or(-1, |(highest, _)| *highest) < offset {
            self.0.push((offset, time));
        }
    }

    /// When an offset, or a higher one, was first known.
    fn time_of(&self, offset: i64) -> Option<i64> {
        self.0.get(self.0.partition_point(|(highest, _)| *highest < offset)).map(|(_, time)| *time)
    }
}

/// The lag of a poll.
#[derive(Debug, Clone, PartialEq)]
pub struct Lag {
    /// When the poll began.
    pub time_ns: i64,
    /// Its process.
    pub process: u64,
    /// The log.
    pub key: Value,
    /// By how much.
    pub behind_ns: i64,
}

impl Lag {
    /// As Maelstrom writes it, in seconds.
    pub(super) fn to_edn(&self) -> Value {
        Value::record([
            ("time", seconds(self.time_ns)),
            ("process", Value::Int(self.process.cast_signed())),
            ("key", self.key.clone()),
            ("lag", seconds(self.behind_ns)),
        ])
    }

    /// The lag where nobody polled.
    pub(super) fn none_to_edn() -> Value {
        Value::record([("time", seconds(0)), ("lag", seconds(0))])
    }
}

/// The greatest lag; of equal ones the last.
pub(super) fn worst(record: &Record<'_>, history: &History) -> Option<Lag> {
    let mut growth: BTreeMap<usize, OffsetGrowth> = BTreeMap::new();
    for step in record.steps.iter().filter(|step| step.is_txn && !step.is(OpKind::Fail)) {
        for (key, offset) in step.highest() {
            growth.entry(key).or_default().observe(offset, step.op.time);
        }
    }
    let mut consumers: BTreeMap<u64, BTreeMap<usize, i64>> = BTreeMap::new();
    let mut worst: Option<(i64, i64, u64, usize)> = None;
    for step in record.steps.iter().filter(|step| step.is(OpKind::Ok)) {
        let consumer = consumers.entry(step.process).or_default();
        if !step.is_txn {
            let assigned = step.assigned.iter();
            *consumer = match &*step.op.f {
                "assign" => assigned.map(|key| (*key, consumer.get(key).copied().unwrap_or(-1))).collect(),
                _ => BTreeMap::new(),
            };
            continue;
        }
        if step.op.f == "send" {
            continue;
        }
        for (key, offset) in step.highest() {
            let known = consumer.entry(key).or_insert(offset);
            *known = (*known).max(offset);
        }
        let begun = history.ops()[step.span.0].time;
        for (key, offset) in consumer {
            let expired = growth.get(key).and_then(|growth| growth.time_of(offset.saturating_add(1)));
            let lag = expired.map_or(0, |expired| (begun - expired).max(0));
            if worst.is_none_or(|(greatest, ..)| lag >= greatest) {
                worst = Some((lag, begun, step.process, *key));
            }
        }
    }
    let (lag, time, process, key) = worst?;
    Some(Lag { time_ns: time, process, key: record.keys[key].clone(), behind_ns: lag })
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a test")]
fn seconds(ns: i64) -> Value {
    Value::Float(ns as f64 / 1e9)
}
