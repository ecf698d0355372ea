//! The order of the messages in each log, from the offsets in sends and polls, and its contradictions.

use std::collections::{BTreeMap, BTreeSet};

use super::record::Record;
use super::{CheckError, Errors, LogAnomaly, LogCase};
use crate::workbench::edn::Value;

/// One log.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// The messages reported at each offset; there should be one.
    offsets: BTreeMap<i64, BTreeSet<usize>>,
    /// The messages in order, without unknown offsets.
    messages: Vec<usize>,
    positions: BTreeMap<usize, usize>,
}

/// All logs.
#[derive(Debug, Default)]
pub(super) struct Orders(BTreeMap<usize, Order>);

impl Orders {
    /// Offsets in polls always count, those in sends only if the send took effect.
    pub(super) fn of(record: &Record<'_>) -> Self {
        let mut orders: BTreeMap<usize, Order> = BTreeMap::new();
        for step in &record.steps {
            let sends = Some(&step.sends).filter(|_| record.has_taken_effect(step));
            for (key, pairs) in sends.into_iter().flatten().chain(&step.polls) {
                for (offset, message) in pairs {
                    if let Some(offset) = offset {
                        orders.entry(*key).or_default().offsets.entry(*offset).or_default().insert(*message);
                    }
                }
            }
        }
        for order in orders.values_mut() {
            order.messages = order.offsets.values().filter_map(|messages| messages.first().copied()).collect();
            order.positions = order.messages.iter().enumerate().map(|(index, message)| (*message, index)).collect();
        }
        Self(orders)
    }

    /// The messages between two, and the distance from the first to the second: 1, the correct one, if either position
    /// is unknown.
    pub(super) fn between(&self, key: usize, pair: [Option<usize>; 2]) -> (&[usize], i64) {
        let position = |message: Option<usize>| self.0.get(&key)?.positions.get(&message?).copied();
        match (self.0.get(&key), pair.map(position)) {
            (Some(order), [Some(first), Some(second)]) => {
                let between = order.messages.get(first + 1..second).unwrap_or_default();
                (between, second.cast_signed() as i64 - first.cast_signed() as i64)
            }
            _ => (&[], 1),
        }
    }

    /// Offsets with more than one message.
    pub(super) fn inconsistent_offsets(&self, record: &Record<'_>, errors: &mut Errors) -> Result<(), CheckError> {
        for (key, order) in &self.0 {
            for (index, (offset, messages)) in order.offsets.iter().enumerate() {
                if messages.len() < 2 {
                    continue;
                }
                let values = messages.iter().map(|message| record.messages[*message].clone()).collect();
                errors.entry(LogAnomaly::InconsistentOffsets).or_default().push(LogCase::InconsistentOffsets {
                    key: record.keys[*key].clone(),
                    offset: *offset,
                    index,
                    values: Value::sorted(values)?,
                });
            }
        }
        Ok(())
    }

    /// Messages at more than one offset.
    pub(super) fn duplicates(&self, record: &Record<'_>, errors: &mut Errors) {
        for (key, order) in &self.0 {
            let mut offsets_of: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
            for (offset, messages) in &order.offsets {
                for message in messages {
                    offsets_of.entry(*message).or_default().push(*offset);
                }
            }
            for (message, offsets) in offsets_of.into_iter().filter(|(_, offsets)| offsets.len() > 1) {
                errors.entry(LogAnomaly::Duplicate).or_default().push(LogCase::Duplicate {
                    key: record.keys[*key].clone(),
                    value: record.messages[message].clone(),
                    offsets,
                });
            }
        }
    }

    /// Messages that were never polled although a later one of the same log was. Of a message at several offsets, the
    /// last one decides whether it should have been polled, and the first one which messages precede it.
    pub(super) fn lost_writes(&self, record: &Record<'_>, errors: &mut Errors) {
        for (key, order) in &self.0 {
            let (mut first, mut last) = (BTreeMap::new(), BTreeMap::new());
            for (index, messages) in order.offsets.values().enumerate() {
                for message in messages {
                    first.entry(*message).or_insert(index);
                    last.insert(*message, index);
                }
            }
            let seen = first.iter().filter(|(message, _)| record.seen.contains(&(*key, **message)));
            let Some(bound) = seen.map(|(_, index)| *index).max() else { continue };
            let mut by_last: Vec<(usize, usize)> = last.into_iter().map(|(message, index)| (index, message)).collect();
            by_last.sort_unstable();
            let latest = by_last.iter().find(|(index, _)| *index == bound);
            let proof = latest.and_then(|(_, message)| record.first_reader((*key, *message)));
            for (_, message) in by_last.iter().filter(|(index, _)| *index <= bound) {
                let id = (*key, *message);
                let Some(writer) = record.writer(id) else { continue };
                if record.seen.contains(&id) || !record.has_taken_effect(writer) {
                    continue;
                }
                errors.entry(LogAnomaly::LostWrite).or_default().push(LogCase::LostWrite {
                    key: record.keys[*key].clone(),
                    value: record.messages[*message].clone(),
                    index: first[message],
                    max_read_index: bound,
                    writer: writer.op.clone(),
                    max_read: proof.map(|step| step.op.clone()),
                });
            }
        }
    }
}
