//! What the generator learns from completed operations: how far each log extends, and how far it has been polled.

use std::collections::BTreeMap;

use super::highest_offsets;
use crate::workbench::edn::Value;
use crate::workbench::history::Op;

/// The highest offset of each key, by the key's number; -1 for none.
pub(super) type Offsets = BTreeMap<i64, i64>;

/// Merges by maximum.
pub(super) fn merge_max(offsets: &mut Offsets, to: &Offsets) {
    for (key, offset) in to {
        let highest = offsets.entry(*key).or_insert(*offset);
        *highest = (*highest).max(*offset);
    }
}

/// The micro-operations of this name in an operation, without the name.
fn parts<'a>(op: &'a Op, name: &'static str) -> impl Iterator<Item = &'a [Value]> {
    let ops = if let Value::Vector(ops) = &op.value { ops.as_slice() } else { &[] };
    ops.iter().filter_map(move |part| {
        let Value::Vector(part) = part else { return None };
        (part.first().and_then(Value::as_keyword) == Some(name)).then(|| &part[1..])
    })
}

/// The offset of a completed `send`.
pub(super) fn highest_sent(op: &Op) -> Offsets {
    let sends = parts(op, "send").filter_map(|part| {
        let [key, pair] = part else { return None };
        Some((key.as_str()?.parse().ok()?, pair.items()?.next()?.as_int()?))
    });
    sends.collect()
}

/// The highest offsets of a completed `poll`; -1 for a key without messages.
pub(super) fn highest_polled(op: &Op) -> Offsets {
    let polls = parts(op, "poll").filter_map(<[Value]>::first).flat_map(highest_offsets);
    polls.filter_map(|(key, offset)| Some((key.parse().ok()?, offset.unwrap_or(-1)))).collect()
}

/// Keys with messages that have been sent and not polled.
#[derive(Debug, Default)]
pub(super) struct Unseen {
    sent: Offsets,
    polled: Offsets,
}

impl Unseen {
    pub(super) fn update(&mut self, sent: &Offsets, polled: &Offsets) {
        merge_max(&mut self.sent, sent);
        merge_max(&mut self.polled, polled);
        let Self { sent, polled } = self;
        sent.retain(|key, offset| polled.get(key).copied().unwrap_or(-1) < *offset);
        polled.retain(|key, _| sent.contains_key(key));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    pub(super) fn keys(&self) -> Vec<i64> {
        self.sent.keys().copied().collect()
    }

    /// For the history: the highest offset sent to each log, and the highest polled.
    pub(super) fn to_value(&self) -> Value {
        let entries = self.sent.iter().map(|(key, sent)| {
            let polled = self.polled.get(key).copied().unwrap_or(-1);
            (Value::Int(*key), Value::record([("polled", Value::Int(polled)), ("sent", Value::Int(*sent))]))
        });
        Value::Map(entries.collect())
    }
}
