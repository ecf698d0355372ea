//! kafka: every message against every other.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt as _;

use super::draw::{Rng, Service, one_of};
use super::{CheckReport as _, Verdict, transitive_closure, try_all};
use crate::workbench::check::kafka::{self, KafkaReport, LogAnomaly, LogCase, Sequence};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind, Process};

/// Two logs that may lose, repeat, reorder and mix up messages.
struct Logs {
    last: i64,
    contents: [Vec<(i64, i64)>; 2],
    /// The position of each process in each log.
    positions: BTreeMap<u64, [usize; 2]>,
    wrong: f64,
}

const KEYS: [&str; 2] = ["a", "b"];

/// A transaction of one micro-operation.
fn txn(parts: Vec<Value>) -> Value {
    Value::Vector(vec![Value::Vector(parts)])
}

fn send(key: &Value, sent: Value) -> Value {
    txn(vec![Value::keyword("send"), key.clone(), sent])
}

impl Logs {
    fn poll(&mut self, process: u64, rng: &mut Rng) -> Value {
        let mut polled = Vec::new();
        let positions = self.positions.entry(process).or_default();
        for (key, (log, position)) in KEYS.iter().zip(self.contents.iter().zip(positions)) {
            if rng.random_bool(0.3) {
                continue;
            }
            let from = (*position).min(log.len());
            let mut pairs = log[from..].to_vec();
            pairs.truncate(rng.random_range(0..4));
            *position = from + pairs.len();
            for _ in 0..2 {
                if rng.random_bool(self.wrong) {
                    match rng.random_range(0..5) {
                        0 => pairs.extend(log.first().copied()),
                        1 => drop(pairs.pop()),
                        2 => pairs.reverse(),
                        3 => pairs.push((rng.random_range(0..7), self.last + rng.random_range(-3..3))),
                        _ => *position = rng.random_range(0..=log.len()),
                    }
                }
            }
            let pairs = pairs.into_iter().map(|(offset, message)| Value::ints(vec![offset, message]));
            polled.push((Value::str(*key), Value::Vector(pairs.collect())));
        }
        txn(vec![Value::keyword("poll"), Value::Map(polled)])
    }
}

impl Service for Logs {
    fn request(&mut self, process: u64, rng: &mut Rng) -> (&'static str, Value) {
        match rng.random_range(0..8) {
            0..4 => {
                self.last += 1;
                ("send", send(&Value::str(one_of(rng, &KEYS)), Value::Int(self.last)))
            }
            4 => {
                self.positions.remove(&process);
                let keys: &[&str] = one_of(rng, &[&KEYS[..], &KEYS[..1], &KEYS[1..]]);
                ("assign", Value::Vector(keys.iter().map(|key| Value::str(*key)).collect()))
            }
            _ => ("poll", txn(vec![Value::keyword("poll")])),
        }
    }

    fn perform(&mut self, process: u64, f: &str, asked: &Value, rng: &mut Rng) -> (OpKind, Value) {
        let kind = match rng.random_range(0..8) {
            0 => OpKind::Fail,
            1 => OpKind::Info,
            _ => OpKind::Ok,
        };
        if f == "poll" && kind == OpKind::Ok {
            return (kind, self.poll(process, rng));
        } else if f != "send" {
            return (kind, asked.clone());
        }
        let sent = parts(asked);
        let (key, message) = (&sent[0][1], sent[0][2].as_int().expect("a message"));
        let log = &mut self.contents[usize::from(key.as_str() == Some("b"))];
        let offset = log.last().map_or(-1, |(offset, _)| *offset) + one_of(rng, &[1, 1, 2]);
        let offset = if rng.random_bool(self.wrong / 2.0) { rng.random_range(0..=offset) } else { offset };
        let lost = rng.random_bool(self.wrong / 2.0) || kind == OpKind::Fail && rng.random_bool(0.9);
        if !lost && (kind != OpKind::Info || rng.random_bool(0.5)) {
            log.push((offset, message));
            log.sort_unstable();
        }
        (kind, send(key, if kind == OpKind::Ok { Value::ints(vec![offset, message]) } else { Value::Int(message) }))
    }
}

/// The lists in a list.
fn parts(value: &Value) -> Vec<Vec<Value>> {
    let inner = |item: &Value| item.items().into_iter().flatten().map(Cow::into_owned).collect();
    value.items().into_iter().flatten().map(|item| inner(&item)).collect()
}

/// A completed operation.
struct Done<'a> {
    op: &'a Op,
    process: u64,
    invocation: &'a Op,
    sent: Option<(String, i64, Option<i64>)>,
    /// Of each polled log the offsets and messages.
    polled: Vec<(String, Vec<(i64, i64)>)>,
    assigned: Option<Vec<String>>,
}

impl Done<'_> {
    fn is(&self, kind: OpKind) -> bool {
        self.op.kind == kind
    }

    /// The message it sent to a log, and its offset.
    fn send(&self, key: &str) -> Option<(i64, Option<i64>)> {
        self.sent.iter().find(|(other, ..)| other == key).map(|(_, message, offset)| (*message, *offset))
    }

    fn sends(&self, key: &str, message: i64) -> bool {
        self.send(key).is_some_and(|(sent, _)| sent == message)
    }

    fn pairs(&self, key: &str) -> Vec<(i64, i64)> {
        self.polled.iter().filter(|(other, _)| other == key).flat_map(|(_, pairs)| pairs.clone()).collect()
    }

    fn polls(&self, key: &str, message: i64) -> bool {
        self.pairs(key).iter().any(|(_, other)| *other == message)
    }

    /// The highest offset of a log that it returned; -1 if it polled the log and got nothing.
    fn highest(&self, key: &str) -> Option<i64> {
        let polled = self.polled.iter().find(|(other, _)| other == key);
        let polled = polled.map(|(_, pairs)| pairs.iter().map(|(offset, _)| *offset).fold(-1, i64::max));
        polled.max(self.send(key).and_then(|(_, offset)| offset))
    }
}

fn done(history: &History) -> Vec<Done<'_>> {
    let ops = history.ops();
    let ends = (0..ops.len()).filter_map(|end| Some((end, history.partner(end).filter(|begun| *begun < end)?)));
    let done = ends.map(|(end, begun)| {
        let op = &ops[end];
        let Process::Client(process) = op.process else { panic!("only clients end what they began") };
        let mut done = Done { op, process, invocation: &ops[begun], sent: None, polled: Vec::new(), assigned: None };
        let text = |value: &Value| value.as_str().expect("a key").to_owned();
        if op.f == "assign" {
            done.assigned = Some(op.value.items().into_iter().flatten().map(|key| text(&key)).collect());
        }
        for part in parts(&op.value) {
            match &part[..] {
                [_, key, sent] => {
                    let ints: Vec<i64> = sent.items().into_iter().flatten().filter_map(|int| int.as_int()).collect();
                    let message = ints.last().copied().or(sent.as_int()).expect("a message");
                    done.sent = Some((text(key), message, ints.first().copied()));
                }
                [_, polled] => {
                    for (key, pairs) in polled.entries().expect("a map") {
                        let pairs = parts(pairs).into_iter().map(|pair| {
                            let [offset, message] = [0, 1].map(|at: usize| pair[at].as_int().expect("an integer"));
                            (offset, message)
                        });
                        done.polled.push((text(key), pairs.collect()));
                    }
                }
                _ => {}
            }
        }
        done
    });
    done.collect()
}

/// One log: the messages reported at each offset, in the order of offsets.
struct Log<'a> {
    key: &'a str,
    rows: Vec<(i64, BTreeSet<i64>)>,
}

impl Log<'_> {
    /// The distance between two messages, each at its last offset; 1 if either has none.
    fn distance(&self, from: Option<i64>, to: Option<i64>) -> i64 {
        let at = |message: Option<i64>| {
            let message = message?;
            self.rows.iter().rposition(|(_, messages)| messages.contains(&message))
        };
        match (at(from), at(to)) {
            (Some(from), Some(to)) => to.cast_signed() as i64 - from.cast_signed() as i64,
            _ => 1,
        }
    }
}

fn is_seen(all: &[Done<'_>], key: &str, message: i64) -> bool {
    all.iter().any(|done| done.is(OpKind::Ok) && done.polls(key, message))
}

/// Whether its message is certainly in the log.
fn is_certain(all: &[Done<'_>], done: &Done<'_>) -> bool {
    let seen = || done.sent.iter().any(|(key, message, _)| is_seen(all, key, *message));
    done.is(OpKind::Ok) || done.is(OpKind::Info) && seen()
}

fn log<'a>(all: &[Done<'_>], key: &'a str) -> Log<'a> {
    let mut reported: Vec<(i64, i64)> = all.iter().flat_map(|done| done.pairs(key)).collect();
    for done in all.iter().filter(|done| is_certain(all, done)) {
        reported.extend(done.send(key).and_then(|(message, offset)| Some((offset?, message))));
    }
    let offsets: BTreeSet<i64> = reported.iter().map(|(offset, _)| *offset).collect();
    let at = |offset: i64| reported.iter().filter(|(other, _)| *other == offset).map(|(_, message)| *message).collect();
    Log { key, rows: offsets.into_iter().map(|offset| (offset, at(offset))).collect() }
}

/// Each error: its anomaly, and a text to compare.
type Errors = Vec<(LogAnomaly, String)>;

/// Finds errors that depend on the contents of the log only.
fn check_contents(all: &[Done<'_>], log: &Log<'_>, errors: &mut Errors) {
    let key = log.key;
    for (offset, messages) in log.rows.iter().filter(|(_, messages)| messages.len() > 1) {
        errors.push((LogAnomaly::InconsistentOffsets, format!("{key} {offset} {}", messages.len())));
    }
    let messages: BTreeSet<i64> = log.rows.iter().flat_map(|(_, messages)| messages.clone()).collect();
    let rows_of = |message: i64| -> Vec<usize> {
        (0..log.rows.len()).filter(|row| log.rows[*row].1.contains(&message)).collect()
    };
    for message in messages.iter().filter(|message| rows_of(**message).len() > 1) {
        errors.push((LogAnomaly::Duplicate, format!("{key} {message}")));
    }
    let bound =
        messages.iter().filter(|message| is_seen(all, key, **message)).map(|message| rows_of(*message)[0]).max();
    for message in &messages {
        let writer = all.iter().rfind(|done| done.sends(key, *message));
        let should_be = rows_of(*message).last() <= bound.as_ref() && bound.is_some();
        if should_be && !is_seen(all, key, *message) && writer.is_some_and(|writer| is_certain(all, writer)) {
            errors.push((LogAnomaly::LostWrite, format!("{key} {message}")));
        }
    }
    for done in all.iter().filter(|done| done.is(OpKind::Ok)) {
        for (_, message) in done.pairs(key) {
            if all.iter().any(|other| other.is(OpKind::Fail) && other.sends(key, message)) {
                errors.push((LogAnomaly::AbortedRead, format!("{key} {message}")));
            }
        }
    }
}

/// Finds errors that depend on the order of the log.
fn check_order(all: &[Done<'_>], log: &Log<'_>, errors: &mut Errors) {
    let key = log.key;
    let mut found = Errors::new();
    let mut polled = |distance: i64, skip, back| {
        if distance != 1 {
            found.push((if distance > 1 { skip } else { back }, format!("{key} {distance}")));
        }
    };
    for done in all {
        for pair in done.pairs(key).windows(2) {
            let distance = log.distance(Some(pair[0].1), Some(pair[1].1));
            polled(distance, LogAnomaly::IntPollSkip, LogAnomaly::IntNonmonotonicPoll);
        }
    }
    for (at, later) in all.iter().enumerate() {
        // Whether the process has kept the log assigned since.
        let kept = |since: usize| {
            all[since..at].iter().all(|done| {
                let other = done.process != later.process || done.is(OpKind::Fail);
                other || done.assigned.as_ref().is_none_or(|keys| keys.iter().any(|other| other == key))
            })
        };
        let before = |wanted: &dyn Fn(&Done<'_>) -> bool| {
            let before = all[..at].iter().rposition(|done| done.process == later.process && wanted(done));
            before.filter(|at| kept(*at)).map(|at| &all[at])
        };
        if later.polled.iter().any(|(other, _)| other == key) {
            let has_polled = |done: &Done<'_>| done.is(OpKind::Ok) && done.polled.iter().any(|(other, _)| other == key);
            if let Some(earlier) = before(&has_polled) {
                let [from, to] = [earlier.pairs(key).last().copied(), later.pairs(key).first().copied()];
                let distance = log.distance(from.map(|pair| pair.1), to.map(|pair| pair.1));
                polled(distance, LogAnomaly::PollSkip, LogAnomaly::NonmonotonicPoll);
            }
        }
        let sent = |done: &Done<'_>| done.send(key).filter(|_| !done.is(OpKind::Fail)).map(|(message, _)| message);
        if let Some(earlier) = before(&|done| sent(done).is_some()).filter(|_| sent(later).is_some()) {
            let distance = log.distance(sent(earlier), sent(later));
            if distance < 1 {
                errors.push((LogAnomaly::NonmonotonicSend, format!("{key} {distance}")));
            }
        }
    }
    errors.extend(found);
}

/// The number of strongly connected components, and whether there is any dependency.
fn cycles(all: &[Done<'_>]) -> (usize, bool) {
    let txns: Vec<&Done<'_>> = all.iter().filter(|done| done.assigned.is_none()).collect();
    let follows = |a: &Done<'_>, b: &Done<'_>| {
        let in_time = a.is(OpKind::Ok) && a.op.index < b.invocation.index;
        in_time || a.sent.iter().any(|(key, message, _)| b.polls(key, *message))
    };
    let any = txns.iter().any(|a| txns.iter().any(|b| follows(a, b)));
    let reaches = transitive_closure(txns.len(), |from, to| follows(txns[from], txns[to]));
    let group = |a: usize| (0..txns.len()).filter(|b| reaches[a][*b] && reaches[*b][a]).collect::<Vec<_>>();
    let groups: BTreeSet<Vec<usize>> = (0..txns.len()).map(group).filter(|group| !group.is_empty()).collect();
    (groups.len(), any)
}

/// The maximum time before a poll began for which the log already had more than its process had seen.
fn worst_lag(all: &[Done<'_>]) -> i64 {
    let mut worst = 0;
    for (at, poll) in all.iter().enumerate().filter(|(_, done)| done.op.f == "poll" && done.is(OpKind::Ok)) {
        for key in KEYS {
            // The highest offset that the process had seen since the log was last newly assigned to it.
            let mine = || all[..=at].iter().filter(|done| done.process == poll.process && done.is(OpKind::Ok));
            let mut position: Option<i64> = None;
            for done in mine() {
                if let Some(keys) = &done.assigned {
                    position = keys.iter().any(|other| other == key).then(|| position.unwrap_or(-1));
                } else if done.op.f == "poll" {
                    position = position.max(done.highest(key));
                }
            }
            let Some(position) = position else { continue };
            let is_beyond =
                |done: &&Done<'_>| !done.is(OpKind::Fail) && done.highest(key).is_some_and(|high| high > position);
            let first = all.iter().find(is_beyond).map(|done| done.op.time);
            worst = worst.max(first.map_or(0, |first| poll.invocation.time - first));
        }
    }
    worst
}

/// What checker and oracle must agree on: the number of errors of each anomaly, the errors themselves where all are
/// listed, the worst lag in nanoseconds, and the causes of indeterminate operations.
#[derive(Debug, PartialEq)]
struct Comparable {
    counts: BTreeMap<LogAnomaly, usize>,
    details: Vec<(LogAnomaly, String)>,
    worst_lag: i64,
    causes: Vec<Value>,
}

/// The checker lists all errors of an anomaly up to this number.
const MAX_SHOWN: usize = 8;

impl Comparable {
    /// If an offset has several messages, the order of the log is undefined.
    fn new(mut counts: BTreeMap<LogAnomaly, usize>, mut details: Errors, worst_lag: i64, causes: Vec<Value>) -> Self {
        if counts.contains_key(&LogAnomaly::InconsistentOffsets) {
            counts.retain(|anomaly, _| !OF_ORDER.contains(anomaly));
        }
        details.retain(|(anomaly, _)| counts.get(anomaly).is_some_and(|count| *count <= MAX_SHOWN));
        details.sort();
        Self { counts, details, worst_lag, causes }
    }

    fn of(report: KafkaReport) -> Self {
        let counts: BTreeMap<_, _> = report.errors.iter().map(|(anomaly, errors)| (*anomaly, errors.count)).collect();
        let cases = report.errors.iter().flat_map(|(anomaly, errors)| errors.cases.iter().map(|case| (*anomaly, case)));
        let details = cases.flat_map(|(anomaly, case)| details(case).into_iter().map(move |detail| (anomaly, detail)));
        Self::new(counts, details.collect(), report.worst_lag.map_or(0, |lag| lag.behind_ns), report.info_causes)
    }
}

/// Anomalies that depend on the order of a log.
const OF_ORDER: [LogAnomaly; 5] = [
    LogAnomaly::IntPollSkip,
    LogAnomaly::IntNonmonotonicPoll,
    LogAnomaly::PollSkip,
    LogAnomaly::NonmonotonicPoll,
    LogAnomaly::NonmonotonicSend,
];

fn key_and(key: &Value, value: &Value) -> String {
    format!("{} {value}", key.as_str().expect("a key"))
}

fn details(case: &LogCase) -> Vec<String> {
    let detail = match case {
        LogCase::InconsistentOffsets { key, offset, values, .. } => {
            format!("{} {}", key_and(key, &Value::Int(*offset)), values.len())
        }
        LogCase::Duplicate { key, value, .. }
        | LogCase::LostWrite { key, value, .. }
        | LogCase::AbortedRead { key, value, .. }
        | LogCase::PrecommittedRead { key, value, .. } => key_and(key, value),
        LogCase::Sequence(Sequence { key, delta, .. }) => key_and(key, &Value::Int(*delta)),
        LogCase::RealtimeCycle { .. } | LogCase::CycleExists { .. } | LogCase::EmptyGraph => String::new(),
        LogCase::Unseen(unseen) => {
            let of_log = |(key, _, messages): &(Value, usize, Vec<Value>)| {
                messages.iter().map(|message| key_and(key, message)).collect::<Vec<_>>()
            };
            return unseen.by_key.iter().flat_map(of_log).collect();
        }
    };
    vec![detail]
}

fn oracle(history: &History) -> Option<Comparable> {
    let all = done(history);
    let polled = || all.iter().flat_map(|done| &done.polled);
    let is_sent = |key: &str, message: i64| all.iter().any(|done| done.sends(key, message));
    if !polled().all(|(key, pairs)| pairs.iter().all(|(_, message)| is_sent(key, *message))) {
        return None;
    }
    let mut errors = Errors::new();
    for log in KEYS.map(|key| log(&all, key)) {
        check_contents(&all, &log, &mut errors);
        check_order(&all, &log, &mut errors);
    }
    let (groups, any) = cycles(&all);
    for _ in 0..groups {
        errors.extend([LogAnomaly::RealtimeCycle, LogAnomaly::CycleExists].map(|anomaly| (anomaly, String::new())));
    }
    if !any && history.invocation_count() > 0 {
        errors.push((LogAnomaly::EmptyGraph, String::new()));
    }
    let oks: Vec<_> = all.iter().filter(|done| done.is(OpKind::Ok) && done.assigned.is_none()).collect();
    let mut unseen: BTreeSet<(&str, i64)> =
        oks.iter().filter_map(|done| done.sent.as_ref()).map(|(key, message, _)| (&**key, *message)).collect();
    unseen.retain(|(key, message)| !is_seen(&all, key, *message));
    // Jepsen also counts as unseen what the last successful operation is the first to poll from a log without a
    // successful send.
    if let Some((last, before)) = oks.split_last() {
        for (key, pairs) in &last.polled {
            let touches =
                |done: &&Done<'_>| done.polled.iter().any(|(other, _)| other == key) || done.send(key).is_some();
            if !before.iter().any(touches) {
                unseen.extend(pairs.iter().map(|(_, message)| (&**key, *message)));
            }
        }
    }
    errors.extend(unseen.iter().map(|(key, message)| (LogAnomaly::Unseen, format!("{key} {message}"))));
    let mut causes: Vec<Value> = Vec::new();
    for done in all.iter().filter(|done| done.is(OpKind::Info) && done.assigned.is_none()) {
        // Without an error, the cause is nil.
        let cause = done.op.error.clone().unwrap_or_default();
        causes.extend(Some(cause).filter(|cause| !causes.contains(cause)));
    }
    let mut counts = BTreeMap::new();
    for (anomaly, _) in &errors {
        *counts.entry(*anomaly).or_default() += 1;
    }
    Some(Comparable::new(counts, errors, worst_lag(&all), causes))
}

#[test]
fn logs_keep_what_they_acknowledge_in_one_order() {
    let service = |rng: &mut Rng| Logs {
        last: 0,
        contents: [Vec::new(), Vec::new()],
        positions: BTreeMap::new(),
        wrong: one_of(rng, &[0.0, 0.05, 0.3]),
    };
    let judge = |history: &History| {
        let report = kafka::check(history).ok();
        let verdict = report.as_ref().map(KafkaReport::verdict);
        let (found, expected) = (report.map(Comparable::of), oracle(history));
        // None of the anomalies drawn is allowed.
        let valid = expected.as_ref().map(|expected| Verdict::from(expected.counts.is_empty()));
        if (&found, verdict) != (&expected, valid) {
            return Err(format!("found {verdict:?} {found:?}, expected {valid:?} {expected:?}"));
        }
        let kinds = expected.iter().flat_map(|expected| expected.counts.keys().map(|anomaly| anomaly.name()));
        Ok(kinds.chain([valid.map_or("error", Verdict::word)]).collect())
    };
    let sent_alone = ["int-nonmonotonic-send", "int-send-skip", "precommitted-read"];
    let drawn = LogAnomaly::ALL.iter().map(|anomaly| anomaly.name()).filter(|name| !sent_alone.contains(name));
    try_all(20, service, judge, &drawn.chain(["valid", "invalid", "error"]).collect::<Vec<_>>());
}
