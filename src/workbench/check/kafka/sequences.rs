//! Whether polls and sends follow the order of the logs: within an operation, and from one operation of a process to
//! its next.

use std::collections::BTreeMap;

use super::orders::Orders;
use super::record::{Record, Step};
use super::{Case, Errors};
use crate::workbench::edn::Value;
use crate::workbench::history::Kind;

/// Two messages of a log that should lie next to each other, or one after the other.
struct Pair {
    key: usize,
    first: Option<usize>,
    second: Option<usize>,
}

impl Pair {
    fn values(&self, record: &Record<'_>) -> Value {
        let value = |message: Option<usize>| message.map_or(Value::Nil, |message| record.messages[message].clone());
        [value(self.first), value(self.second)].into_iter().collect()
    }

    fn skipped(&self, record: &Record<'_>, orders: &Orders) -> Value {
        let between = orders.between(self.key, self.first, self.second);
        Value::List(between.iter().map(|message| record.messages[*message].clone()).collect())
    }

    fn key(&self, record: &Record<'_>) -> Value {
        record.keys[self.key].clone()
    }
}

/// A transaction's polls of a log bring neighbours in order, and its sends go to places in order.
pub(super) fn within_operations(record: &Record<'_>, orders: &Orders, errors: &mut Errors) {
    for step in &record.steps {
        for (key, pairs) in &step.polls {
            let messages: Vec<usize> = pairs.iter().map(|(_, message)| *message).collect();
            let names = ("int-poll-skip", "int-nonmonotonic-poll");
            within(step, *key, &messages, names, record, orders, errors);
        }
        for (key, messages) in step.writes() {
            let names = ("int-send-skip", "int-nonmonotonic-send");
            within(step, key, &messages, names, record, orders, errors);
        }
    }
}

fn within(
    step: &Step<'_>,
    key: usize,
    messages: &[usize],
    (skip, back): (&'static str, &'static str),
    record: &Record<'_>,
    orders: &Orders,
    errors: &mut Errors,
) {
    for pair in messages.windows(2) {
        let pair = Pair { key, first: Some(pair[0]), second: Some(pair[1]) };
        let delta = orders.distance(key, pair.first, pair.second);
        let mut shown = vec![("key", pair.key(record)), ("values", pair.values(record)), ("delta", Value::Int(delta))];
        if delta == 1 {
            continue;
        }
        if delta > 1 {
            shown.push(("skipped", pair.skipped(record, orders)));
        }
        shown.push(("op", step.op.to_value()));
        errors.entry(if delta > 1 { skip } else { back }).or_default().push(Case { rank: delta, shown: map(shown) });
    }
}

fn map(entries: Vec<(&'static str, Value)>) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (Value::keyword(key), value)).collect())
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

/// Maps of so many entries keep them in the order in which they came.
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

/// A process goes on polling right after where it left off, as long as the log is assigned to it. A poll that brings
/// nothing of a log leaves off nowhere.
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
                if step.is(Kind::Ok) {
                    latest.insert(*key, (step, pairs.last().map(|(_, message)| *message)));
                }
            }
        }
    }
}

fn reassign(latest: &mut Latest<'_, '_>, step: &Step<'_>) {
    if !step.is(Kind::Fail) {
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
    let name = if delta > 1 { "poll-skip" } else { "nonmonotonic-poll" };
    let detail = if delta > 1 {
        [("delta", Value::Int(delta)), ("skipped", pair.skipped(record, orders))]
    } else {
        [("values", pair.values(record)), ("delta", Value::Int(delta))]
    };
    let mut shown = vec![("key", pair.key(record))];
    shown.extend(detail);
    shown.push(("ops", Value::Vector(vec![before.op.to_value(), step.op.to_value()])));
    errors.entry(name).or_default().push(Case { rank: delta, shown: map(shown) });
}

/// What a process sends to a log lies after what it sent there before.
pub(super) fn between_sends(record: &Record<'_>, orders: &Orders, errors: &mut Errors) {
    for steps in by_process(record) {
        let mut latest = Latest::new();
        for step in steps {
            if !step.is_txn {
                reassign(&mut latest, step);
                continue;
            }
            if step.is(Kind::Fail) {
                continue;
            }
            for (key, messages) in step.writes() {
                if let Some((before, first)) = latest.get(&key) {
                    let pair = Pair { key, first: *first, second: messages.first().copied() };
                    let delta = orders.distance(key, pair.first, pair.second);
                    if delta < 1 {
                        let shown = Value::record([
                            ("key", pair.key(record)),
                            ("values", pair.values(record)),
                            ("delta", Value::Int(delta)),
                            ("ops", Value::Vector(vec![before.op.to_value(), step.op.to_value()])),
                        ]);
                        errors.entry("nonmonotonic-send").or_default().push(Case { rank: delta, shown });
                    }
                }
                latest.insert(key, (step, messages.last().copied()));
            }
        }
    }
}
