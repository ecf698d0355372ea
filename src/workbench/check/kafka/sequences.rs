//! Checks that polls and sends follow the order of the logs, within an operation and between consecutive operations of
//! a process.

use std::collections::BTreeMap;

use super::anomaly::Sequence;
use super::orders::Orders;
use super::record::{Record, Step};
use super::{Errors, LogAnomaly, LogCase};
use crate::workbench::edn::Value;
use crate::workbench::history::OpKind;

/// Two messages of a log that should be adjacent, or in order.
struct Pair {
    key: usize,
    first: Option<usize>,
    second: Option<usize>,
}

impl Pair {
    /// The error in the pair, shown by these steps.
    fn case(&self, record: &Record<'_>, orders: &Orders, delta: i64, steps: &[&Step<'_>]) -> LogCase {
        let value = |message: Option<usize>| message.map_or(Value::Nil, |message| record.messages[message].clone());
        let between = if delta > 1 { orders.between(self.key, self.first, self.second) } else { &[] };
        LogCase::Sequence(Sequence {
            key: record.keys[self.key].clone(),
            values: [value(self.first), value(self.second)],
            delta,
            skipped: between.iter().map(|message| record.messages[*message].clone()).collect(),
            ops: steps.iter().map(|step| step.op.clone()).collect(),
        })
    }
}

/// Within a transaction, the polls of a log must return adjacent messages in order, and the sends must be in order.
pub(super) fn within_operations(record: &Record<'_>, orders: &Orders, errors: &mut Errors) {
    for step in &record.steps {
        for (key, pairs) in &step.polls {
            let messages: Vec<usize> = pairs.iter().map(|(_, message)| *message).collect();
            let names = (LogAnomaly::IntPollSkip, LogAnomaly::IntNonmonotonicPoll);
            within(step, *key, &messages, names, record, orders, errors);
        }
        for (key, messages) in step.writes() {
            let names = (LogAnomaly::IntSendSkip, LogAnomaly::IntNonmonotonicSend);
            within(step, key, &messages, names, record, orders, errors);
        }
    }
}

fn within(
    step: &Step<'_>,
    key: usize,
    messages: &[usize],
    (skip, back): (LogAnomaly, LogAnomaly),
    record: &Record<'_>,
    orders: &Orders,
    errors: &mut Errors,
) {
    for pair in messages.windows(2) {
        let pair = Pair { key, first: Some(pair[0]), second: Some(pair[1]) };
        let delta = orders.distance(key, pair.first, pair.second);
        if delta != 1 {
            let case = pair.case(record, orders, delta, &[step]);
            errors.entry(if delta > 1 { skip } else { back }).or_default().push(case);
        }
    }
}

/// The step in which a process last touched a log, and the last message there.
type Latest<'r, 'a> = BTreeMap<usize, (&'r Step<'a>, Option<usize>)>;

/// The steps of each process in order; processes as Clojure's maps list them, so that of errors as grave as each other
/// the same are shown.
fn by_process<'r, 'a>(record: &'r Record<'a>) -> Vec<Vec<&'r Step<'a>>> {
    let mut processes: Vec<(u64, Vec<&Step<'_>>)> = Vec::new();
    let mut places: BTreeMap<u64, usize> = BTreeMap::new();
    for step in &record.steps {
        let place = *places.entry(step.process).or_insert_with(|| {
            processes.push((step.process, Vec::new()));
            processes.len() - 1
        });
        processes[place].1.push(step);
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

/// A process must continue polling at the message after the last one, as long as the log is assigned to it. A poll that
/// returns nothing of a log does not change the position.
pub(super) fn between_polls(record: &Record<'_>, orders: &Orders, errors: &mut Errors) {
    for steps in by_process(record) {
        let mut latest = Latest::new();
        for step in steps {
            if !step.is_txn {
                reassign(&mut latest, step);
                continue;
            }
            for (key, pairs) in &step.polls {
                if let Some((before, first)) = latest.get(key) {
                    let pair = Pair { key: *key, first: *first, second: pairs.first().map(|(_, message)| *message) };
                    poll_after(before, step, &pair, record, orders, errors);
                }
                if step.is(OpKind::Ok) {
                    latest.insert(*key, (step, pairs.last().map(|(_, message)| *message)));
                }
            }
        }
    }
}

fn reassign(latest: &mut Latest<'_, '_>, step: &Step<'_>) {
    if !step.is(OpKind::Fail) {
        latest.retain(|key, _| step.assigned.contains(key));
    }
}

fn poll_after(
    before: &Step<'_>,
    step: &Step<'_>,
    pair: &Pair,
    record: &Record<'_>,
    orders: &Orders,
    errors: &mut Errors,
) {
    let delta = orders.distance(pair.key, pair.first, pair.second);
    if delta == 1 {
        return;
    }
    let anomaly = if delta > 1 { LogAnomaly::PollSkip } else { LogAnomaly::NonmonotonicPoll };
    errors.entry(anomaly).or_default().push(pair.case(record, orders, delta, &[before, step]));
}

/// The messages of a process must be in the log in the order in which it sent them.
pub(super) fn between_sends(record: &Record<'_>, orders: &Orders, errors: &mut Errors) {
    for steps in by_process(record) {
        let mut latest = Latest::new();
        for step in steps {
            if !step.is_txn {
                reassign(&mut latest, step);
                continue;
            }
            if step.is(OpKind::Fail) {
                continue;
            }
            for (key, messages) in step.writes() {
                if let Some((before, first)) = latest.get(&key) {
                    let pair = Pair { key, first: *first, second: messages.first().copied() };
                    let delta = orders.distance(key, pair.first, pair.second);
                    if delta < 1 {
                        let case = pair.case(record, orders, delta, &[before, step]);
                        errors.entry(LogAnomaly::NonmonotonicSend).or_default().push(case);
                    }
                }
                latest.insert(key, (step, messages.last().copied()));
            }
        }
    }
}
