//! Checks that polls and sends follow the order of the logs, within an operation and between consecutive operations of
//! a process.

use std::collections::BTreeMap;

use super::orders::Orders;
use super::record::{Pairs, Record, Step};
use super::{Errors, LogAnomaly, LogCase, Sequence};
use crate::workbench::edn::Value;
use crate::workbench::history::OpKind;

/// The anomaly of two messages with others between them, if that is one, and of two that are not in order.
type SequenceAnomalies = (Option<LogAnomaly>, LogAnomaly);

/// The messages of each log in the order in which a step sent or polled them.
fn runs(pairs: &Pairs) -> impl Iterator<Item = (usize, Vec<usize>)> {
    pairs.iter().map(|(key, pairs)| (*key, pairs.iter().map(|(_, message)| *message).collect()))
}

/// The order of messages in operations, as it should be and as it is.
pub(super) struct Sequences<'r, 'a> {
    pub(super) record: &'r Record<'a>,
    pub(super) orders: &'r Orders,
    pub(super) errors: &'r mut Errors,
}

impl Sequences<'_, '_> {
    /// Compares two messages of a log, of which these steps tell, with its order.
    fn compare(&mut self, key: usize, pair: [Option<usize>; 2], steps: &[&Step<'_>], (skip, back): SequenceAnomalies) {
        let (between, delta) = self.orders.between(key, pair);
        let anomaly = match delta {
            1 => None,
            2.. => skip,
            _ => Some(back),
        };
        let Some(anomaly) = anomaly else { return };
        let message = |message: usize| self.record.messages[message].clone();
        self.errors.entry(anomaly).or_default().push(LogCase::Sequence(Sequence {
            key: self.record.keys[key].clone(),
            values: pair.map(|of| of.map_or(Value::Nil, message)),
            delta,
            skipped: between.iter().copied().map(message).collect(),
            ops: steps.iter().map(|step| step.op.clone()).collect(),
        }));
    }

    /// Within a transaction, the polls of a log must return adjacent messages in order, and the sends must be in order.
    pub(super) fn within_operations(&mut self) {
        const POLLS: SequenceAnomalies = (Some(LogAnomaly::IntPollSkip), LogAnomaly::IntNonmonotonicPoll);
        const SENDS: SequenceAnomalies = (Some(LogAnomaly::IntSendSkip), LogAnomaly::IntNonmonotonicSend);
        for step in &self.record.steps {
            for (pairs, anomalies) in [(&step.polls, POLLS), (&step.sends, SENDS)] {
                for (key, messages) in runs(pairs) {
                    for pair in messages.windows(2) {
                        self.compare(key, [Some(pair[0]), Some(pair[1])], &[step], anomalies);
                    }
                }
            }
        }
    }

    /// A process must continue polling at the message after the last one, as long as the log is assigned to it. A poll
    /// that returns nothing of a log does not change the position. Its own messages must be in the log in the order in
    /// which it sent them.
    pub(super) fn between_operations(&mut self) {
        const POLLS: SequenceAnomalies = (Some(LogAnomaly::PollSkip), LogAnomaly::NonmonotonicPoll);
        const SENDS: SequenceAnomalies = (None, LogAnomaly::NonmonotonicSend);
        for (steps, anomalies) in by_process(self.record).iter().flat_map(|steps| [(steps, POLLS), (steps, SENDS)]) {
            let is_poll = anomalies == POLLS;
            // The step in which the process last touched each log, and the last message there.
            let mut latest: BTreeMap<usize, (&Step<'_>, Option<usize>)> = BTreeMap::new();
            for step in steps.iter().filter(|step| is_poll || !step.is(OpKind::Fail)) {
                if !step.is_txn && !step.is(OpKind::Fail) {
                    latest.retain(|key, _| step.assigned.contains(key));
                }
                for (key, messages) in runs(if is_poll { &step.polls } else { &step.sends }) {
                    if let Some((before, first)) = latest.get(&key) {
                        self.compare(key, [*first, messages.first().copied()], &[before, step], anomalies);
                    }
                    if !is_poll || step.is(OpKind::Ok) {
                        latest.insert(key, (step, messages.last().copied()));
                    }
                }
            }
        }
    }
}

/// The steps of each process in order. Processes are in the order of Clojure's maps, so that of equally severe errors
/// the same ones are listed.
fn by_process<'r, 'a>(record: &'r Record<'a>) -> Vec<Vec<&'r Step<'a>>> {
    let mut processes: Vec<(u64, Vec<&Step<'_>>)> = Vec::new();
    let mut indices: BTreeMap<u64, usize> = BTreeMap::new();
    for step in &record.steps {
        let index = *indices.entry(step.process).or_insert_with(|| {
            processes.push((step.process, Vec::new()));
            processes.len() - 1
        });
        processes[index].1.push(step);
    }
    if processes.len() > IN_ORDER {
        processes
            .sort_by_key(|(process, _)| (0..7).map(|digit| hash(*process) >> (5 * digit) & 31).collect::<Vec<_>>());
    }
    processes.into_iter().map(|(_, steps)| steps).collect()
}

/// The maximum size of a Clojure map that keeps its entries in insertion order.
const IN_ORDER: usize = 8;

/// The hash of an integer in Clojure: 32 bits of Murmur3, here with room to be shifted.
fn hash(number: u64) -> u64 {
    let mixed = |key: u32| key.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let add = |hash: u32, key: u32| (hash ^ mixed(key)).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    let halves = [number & u64::from(u32::MAX), number >> 32].map(|half| u32::try_from(half).unwrap_or_default());
    if number == 0 {
        return 0;
    }
    let mut hash = halves.into_iter().fold(0, add) ^ 8;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    u64::from(hash ^ hash >> 16)
}
