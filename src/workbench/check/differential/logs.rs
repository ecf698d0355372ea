//! kafka: every message against every other.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::draw::{Clients, Dice};
use super::{Said, compare, verdict};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind, Process};

/// Clients of two logs that may lose, repeat, reorder and mix up messages.
struct Sloppy {
    next: i64,
    logs: [Vec<(i64, i64)>; 2],
    /// Where each process is in each log.
    places: Vec<(u64, [usize; 2])>,
    wrong: f64,
}

const KEYS: [&str; 2] = ["a", "b"];

impl Sloppy {
    fn place(&mut self, process: u64) -> &mut [usize; 2] {
        let at = self.places.iter().position(|(known, _)| *known == process).unwrap_or_else(|| {
            self.places.push((process, [0, 0]));
            self.places.len() - 1
        });
        &mut self.places[at].1
    }

    fn poll(&mut self, process: u64, dice: &mut Dice) -> Value {
        let mut told = Vec::new();
        for (number, key) in KEYS.iter().enumerate() {
            if dice.chance(0.3) {
                continue;
            }
            let log = self.logs[number].clone();
            let from = self.place(process)[number].min(log.len());
            let mut pairs = log[from..].to_vec();
            pairs.truncate(dice.below(4));
            self.place(process)[number] = from + pairs.len();
            for _ in 0..2 {
                if dice.chance(self.wrong) {
                    match dice.below(5) {
                        0 => pairs.extend(log.first().copied()),
                        1 => drop(pairs.pop()),
                        2 => pairs.reverse(),
                        3 => pairs.push((dice.between(0, 6), self.next + dice.between(-3, 2))),
                        _ => self.place(process)[number] = dice.below(log.len() + 1),
                    }
                }
            }
            let pairs = pairs.into_iter().map(|(offset, message)| Value::ints(vec![offset, message]));
            told.push((Value::str(*key), Value::Vector(pairs.collect())));
        }
        Value::Vector(vec![Value::Vector(vec![Value::keyword("poll"), Value::Map(told)])])
    }
}

fn send(key: &Value, sent: Value) -> Value {
    Value::Vector(vec![Value::Vector(vec![Value::keyword("send"), key.clone(), sent])])
}

impl Clients for Sloppy {
    fn ask(&mut self, process: u64, dice: &mut Dice) -> (&'static str, Value, bool) {
        match dice.below(8) {
            0..4 => {
                self.next += 1;
                ("send", send(&Value::str(dice.one_of(&KEYS)), Value::Int(self.next)), false)
            }
            4 => {
                *self.place(process) = [0, 0];
                let keys: &[&str] = dice.one_of(&[&KEYS[..], &KEYS[..1], &KEYS[1..]]);
                ("assign", Value::Vector(keys.iter().map(|key| Value::str(*key)).collect()), false)
            }
            _ => ("poll", Value::Vector(vec![Value::Vector(vec![Value::keyword("poll")])]), false),
        }
    }

    fn answer(&mut self, process: u64, f: &str, asked: &Value, dice: &mut Dice) -> (OpKind, Value) {
        let kind = dice.one_of(&[
            OpKind::Ok,
            OpKind::Ok,
            OpKind::Ok,
            OpKind::Ok,
            OpKind::Ok,
            OpKind::Ok,
            OpKind::Fail,
            OpKind::Info,
        ]);
        match f {
            "poll" if kind == OpKind::Ok => (kind, self.poll(process, dice)),
            "send" => {
                let sent = parts(asked);
                let (key, message) = (sent[0][1].clone(), sent[0][2].as_int().expect("a message"));
                let log = &mut self.logs[usize::from(key.as_str() == Some("b"))];
                let offset = log.last().map_or(-1, |(offset, _)| *offset) + dice.one_of(&[1, 1, 2]);
                let offset = if dice.chance(self.wrong / 2.0) { dice.between(0, offset) } else { offset };
                let lost = dice.chance(self.wrong / 2.0) || kind == OpKind::Fail && dice.chance(0.9);
                if !lost && (kind != OpKind::Info || dice.chance(0.5)) {
                    log.push((offset, message));
                    log.sort_unstable();
                }
                let told = if kind == OpKind::Ok { Value::ints(vec![offset, message]) } else { Value::Int(message) };
                (kind, send(&key, told))
            }
            _ => (kind, asked.clone()),
        }
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
    begun: &'a Op,
    sent: Option<(String, i64, Option<i64>)>,
    /// Of each polled log the offsets and messages.
    polled: Vec<(String, Vec<(i64, i64)>)>,
    assigned: Option<Vec<String>>,
}

impl Done<'_> {
    fn is(&self, kind: OpKind) -> bool {
        self.op.kind == kind
    }

    fn pairs(&self, key: &str) -> Vec<(i64, i64)> {
        self.polled.iter().filter(|(known, _)| known == key).flat_map(|(_, pairs)| pairs.clone()).collect()
    }

    fn polls(&self, key: &str, message: i64) -> bool {
        self.pairs(key).iter().any(|(_, other)| *other == message)
    }

    /// The highest offset of a log that it tells of; -1 where it polled nothing.
    fn highest(&self, key: &str) -> Option<i64> {
        let polled = self.polled.iter().find(|(known, _)| known == key);
        let polled = polled.map(|(_, pairs)| pairs.iter().map(|(offset, _)| *offset).fold(-1, i64::max));
        let sent = self.sent.iter().find(|(known, ..)| known == key).and_then(|(_, _, offset)| *offset);
        polled.max(sent)
    }
}

fn done(history: &History) -> Vec<Done<'_>> {
    let ops = history.ops();
    let ends = (0..ops.len()).filter_map(|end| Some((end, history.partner(end).filter(|begun| *begun < end)?)));
    let done = ends.map(|(end, begun)| {
        let op = &ops[end];
        let Process::Client(process) = op.process else { panic!("only clients end what they began") };
        let mut done = Done { op, process, begun: &ops[begun], sent: None, polled: Vec::new(), assigned: None };
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

/// One log: the messages told to be at each offset that has any, in order.
struct Log<'a> {
    key: &'a str,
    rows: Vec<(i64, BTreeSet<i64>)>,
}

impl Log<'_> {
    /// Each message in one place only; where there are several, the order is not told.
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

/// Whether what was sent is certainly in the log.
fn is_certain(all: &[Done<'_>], done: &Done<'_>) -> bool {
    let seen = || done.sent.iter().any(|(key, message, _)| is_seen(all, key, *message));
    done.is(OpKind::Ok) || done.is(OpKind::Info) && seen()
}

fn log<'a>(all: &[Done<'_>], key: &'a str) -> Log<'a> {
    let mut told: Vec<(i64, i64)> = all.iter().flat_map(|done| done.pairs(key)).collect();
    for done in all.iter().filter(|done| is_certain(all, done)) {
        let here = done.sent.iter().filter(|(known, ..)| known == key);
        told.extend(here.filter_map(|(_, message, offset)| Some(((*offset)?, *message))));
    }
    let offsets: BTreeSet<i64> = told.iter().map(|(offset, _)| *offset).collect();
    let at = |offset: i64| told.iter().filter(|(other, _)| *other == offset).map(|(_, message)| *message).collect();
    Log { key, rows: offsets.into_iter().map(|offset| (offset, at(offset))).collect() }
}

/// An error as its kind and what shows it.
type Errors = Vec<(&'static str, String)>;

/// What only the contents of the log contradict.
fn of_contents(all: &[Done<'_>], log: &Log<'_>, errors: &mut Errors) {
    let key = log.key;
    for (offset, messages) in log.rows.iter().filter(|(_, messages)| messages.len() > 1) {
        errors.push(("inconsistent-offsets", format!("{key} {offset} {}", messages.len())));
    }
    let messages: BTreeSet<i64> = log.rows.iter().flat_map(|(_, messages)| messages.clone()).collect();
    let rows_of = |message: i64| -> Vec<usize> {
        (0..log.rows.len()).filter(|row| log.rows[*row].1.contains(&message)).collect()
    };
    for message in messages.iter().filter(|message| rows_of(**message).len() > 1) {
        errors.push(("duplicate", format!("{key} {message}")));
    }
    let bound =
        messages.iter().filter(|message| is_seen(all, key, **message)).map(|message| rows_of(*message)[0]).max();
    for message in &messages {
        let writer = all.iter().rfind(|done| done.sent.iter().any(|(k, m, _)| k == key && m == message));
        let should_be = rows_of(*message).last() <= bound.as_ref() && bound.is_some();
        if should_be && !is_seen(all, key, *message) && writer.is_some_and(|writer| is_certain(all, writer)) {
            errors.push(("lost-write", format!("{key} {message}")));
        }
    }
    for done in all.iter().filter(|done| done.is(OpKind::Ok)) {
        for (_, message) in done.pairs(key) {
            let failed = |other: &Done<'_>| {
                other.is(OpKind::Fail) && other.sent.iter().any(|(k, m, _)| k == key && *m == message)
            };
            if all.iter().any(failed) {
                errors.push(("G1a", format!("{key} {message}")));
            }
        }
    }
}

/// What contradicts the order of the log.
fn of_order(all: &[Done<'_>], log: &Log<'_>, errors: &mut Errors) {
    let key = log.key;
    for done in all {
        for pair in done.pairs(key).windows(2) {
            match log.distance(Some(pair[0].1), Some(pair[1].1)) {
                1 => {}
                more @ 2.. => errors.push(("int-poll-skip", format!("{key} {more}"))),
                less => errors.push(("int-nonmonotonic-poll", format!("{key} {less}"))),
            }
        }
    }
    for (at, later) in all.iter().enumerate() {
        // Whether the process has had the log since.
        let kept = |since: usize| {
            all[since..at].iter().all(|done| {
                let other = done.process != later.process || done.is(OpKind::Fail);
                other || done.assigned.as_ref().is_none_or(|keys| keys.iter().any(|known| known == key))
            })
        };
        let before = |wanted: &dyn Fn(&Done<'_>) -> bool| {
            let before = all[..at].iter().rposition(|done| done.process == later.process && wanted(done));
            before.filter(|at| kept(*at)).map(|at| &all[at])
        };
        if later.polled.iter().any(|(known, _)| known == key) {
            let polled = |done: &Done<'_>| done.is(OpKind::Ok) && done.polled.iter().any(|(known, _)| known == key);
            if let Some(earlier) = before(&polled) {
                let [from, to] = [earlier.pairs(key).last().copied(), later.pairs(key).first().copied()];
                match log.distance(from.map(|pair| pair.1), to.map(|pair| pair.1)) {
                    1 => {}
                    more @ 2.. => errors.push(("poll-skip", format!("{key} {more}"))),
                    less => errors.push(("nonmonotonic-poll", format!("{key} {less}"))),
                }
            }
        }
        let sent_here = |done: &Done<'_>| !done.is(OpKind::Fail) && done.sent.iter().any(|(known, ..)| known == key);
        if let Some(earlier) = before(&sent_here).filter(|_| sent_here(later)) {
            let message = |done: &Done<'_>| done.sent.as_ref().map(|(_, message, _)| *message);
            let distance = log.distance(message(earlier), message(later));
            if distance < 1 {
                errors.push(("nonmonotonic-send", format!("{key} {distance}")));
            }
        }
    }
}

/// How many groups of operations each come after every other, and whether anything comes after anything.
fn cycles(all: &[Done<'_>]) -> (usize, bool) {
    let txns: Vec<&Done<'_>> = all.iter().filter(|done| done.assigned.is_none()).collect();
    let follows = |a: &Done<'_>, b: &Done<'_>| {
        let in_time = a.is(OpKind::Ok) && a.op.index < b.begun.index;
        in_time || a.sent.iter().any(|(key, message, _)| b.polls(key, *message))
    };
    let mut reach: Vec<Vec<bool>> = txns.iter().map(|a| txns.iter().map(|b| follows(a, b)).collect()).collect();
    let any = reach.iter().flatten().any(|follows| *follows);
    for via in 0..txns.len() {
        for from in 0..txns.len() {
            for to in 0..txns.len() {
                reach[from][to] |= reach[from][via] && reach[via][to];
            }
        }
    }
    let group = |a: usize| (0..txns.len()).filter(|b| reach[a][*b] && reach[*b][a]).collect::<Vec<_>>();
    let groups: BTreeSet<Vec<usize>> = (0..txns.len()).map(group).filter(|group| !group.is_empty()).collect();
    (groups.len(), any)
}

/// How long before a poll began there was more in the log than its process had seen, at most.
fn worst_lag(all: &[Done<'_>]) -> i64 {
    let mut worst = 0;
    for (at, poll) in all.iter().enumerate().filter(|(_, done)| done.op.f == "poll" && done.is(OpKind::Ok)) {
        for key in KEYS {
            // What the process knew: from where the log was assigned last and not before, or from the beginning.
            let mine = || all[..=at].iter().filter(|done| done.process == poll.process && done.is(OpKind::Ok));
            let mut place: Option<i64> = None;
            for done in mine() {
                if let Some(keys) = &done.assigned {
                    place = keys.iter().any(|known| known == key).then(|| place.unwrap_or(-1));
                } else if done.op.f == "poll" {
                    place = place.max(done.highest(key));
                }
            }
            let Some(place) = place else { continue };
            let told = |done: &&Done<'_>| !done.is(OpKind::Fail) && done.highest(key).is_some_and(|high| high > place);
            let first = all.iter().find(told).map(|done| done.op.time);
            worst = worst.max(first.map_or(0, |first| poll.begun.time - first));
        }
    }
    worst
}

fn oracle(history: &History) -> Said {
    let all = done(history);
    let is_sent = |key: &str, message: i64| {
        all.iter().any(|done| done.sent.iter().any(|(known, sent, _)| known == key && *sent == message))
    };
    let mut polled = all.iter().flat_map(|done| &done.polled);
    if polled.any(|(key, pairs)| pairs.iter().any(|(_, message)| !is_sent(key, *message))) {
        return Said::Unjudgeable;
    }
    let logs = KEYS.map(|key| log(&all, key));
    let mut errors = Errors::new();
    for log in &logs {
        of_contents(&all, log, &mut errors);
    }
    // Where an offset has several messages, the order is anybody's guess.
    let ordered = errors.iter().all(|(kind, _)| *kind != "inconsistent-offsets");
    if ordered {
        for log in &logs {
            of_order(&all, log, &mut errors);
        }
    }
    let (groups, any) = cycles(&all);
    for _ in 0..groups {
        errors.push(("G1c-realtime", String::new()));
        errors.push(("strong-PL-2-cycle-exists", String::new()));
    }
    if !any && history.invocation_count() > 0 {
        errors.push(("empty-transaction-graph", String::new()));
    }
    let oks = || all.iter().filter(|done| done.is(OpKind::Ok) && done.assigned.is_none());
    let acknowledged = oks().filter_map(|done| done.sent.as_ref());
    for (key, message, _) in acknowledged.filter(|(key, message, _)| !is_seen(&all, key, *message)) {
        errors.push(("unseen", format!("{key} {message}")));
    }
    // Jepsen also takes for unseen what the very last success is the first to poll of a log to which no send succeeded.
    if let Some((last, before)) = oks().collect::<Vec<_>>().split_last() {
        for (key, pairs) in &last.polled {
            let known = |done: &&&Done<'_>| {
                done.polled.iter().any(|(other, _)| other == key) || done.sent.iter().any(|(other, ..)| other == key)
            };
            let messages: BTreeSet<i64> = pairs.iter().map(|(_, message)| *message).collect();
            if !before.iter().any(|done| known(&done)) {
                errors.extend(messages.iter().map(|message| ("unseen", format!("{key} {message}"))));
            }
        }
    }
    let infos = all.iter().filter(|done| done.is(OpKind::Info) && done.assigned.is_none());
    let mut causes: Vec<Value> = Vec::new();
    for cause in infos.filter_map(|done| done.op.error.clone()) {
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    let mut entries = comparable(errors, worst_lag(&all));
    entries.push(("info-txn-causes", Value::List(causes)));
    Said::Result(entries)
}

/// Kinds that are found or not, as one of several messages is chosen for an offset.
const OF_ORDER: [&str; 5] =
    ["int-poll-skip", "int-nonmonotonic-poll", "poll-skip", "nonmonotonic-poll", "nonmonotonic-send"];

/// Of so many errors of a kind all are shown.
const SHOWN: usize = 8;

/// How many errors of each kind there are, and where all are shown, what shows them.
fn comparable(mut errors: Errors, lag: i64) -> Vec<(&'static str, Value)> {
    errors.sort();
    let kinds: BTreeSet<&str> = errors.iter().map(|(kind, _)| *kind).collect();
    let of_kind = |kind: &str| errors.iter().filter(|(other, _)| *other == kind).collect::<Vec<_>>();
    let counts = kinds.iter().map(|kind| (Value::str(*kind), Value::count(of_kind(kind).len())));
    let few = kinds.iter().map(|kind| of_kind(kind)).filter(|errors| errors.len() <= SHOWN);
    let details = few.flatten().map(|(kind, detail)| Value::str(format!("{kind} {detail}")));
    #[expect(clippy::cast_precision_loss, reason = "seconds of a test")]
    let seconds = lag as f64 / 1e9;
    vec![
        ("valid?", errors.is_empty().into()),
        ("counts", Value::Map(counts.collect())),
        ("details", Value::List(details.collect())),
        ("lag", Value::Float(seconds)),
    ]
}

/// The same of what the checker found.
fn project(found: &Value) -> Value {
    let names: Vec<String> = found
        .get("error-types")
        .and_then(Value::items)
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_keyword().map(str::to_owned))
        .collect();
    assert_eq!(found.get("bad-error-types"), found.get("error-types"), "none of those drawn is allowed");
    let unordered = names.iter().any(|name| name == "inconsistent-offsets");
    let mut counts = Vec::new();
    let mut details = Vec::new();
    for name in names.iter().filter(|name| !(unordered && OF_ORDER.contains(&name.as_str()))) {
        let errors = found.get(name).expect("each is shown");
        let shown: Vec<String> = if name == "unseen" {
            let logs = errors.get("messages").and_then(Value::entries).expect("a map").iter();
            let messages = |(key, messages): &(Value, Value)| {
                let key = key.as_str().expect("a key").to_owned();
                let messages: Vec<Value> = messages.items().expect("a list").map(Cow::into_owned).collect();
                messages.into_iter().map(move |message| format!("unseen {key} {message}")).collect::<Vec<_>>()
            };
            logs.flat_map(messages).collect()
        } else {
            errors.get("errs").and_then(Value::items).into_iter().flatten().map(|error| detail(name, &error)).collect()
        };
        let count = errors.get("count").cloned().unwrap_or_else(|| Value::count(shown.len()));
        if shown.len() <= SHOWN && count == Value::count(shown.len()) {
            details.extend(shown);
        }
        counts.push((Value::str(name.as_str()), count));
    }
    if names.iter().any(|name| name == "empty-transaction-graph") {
        details.push("empty-transaction-graph ".to_owned());
    }
    details.sort();
    let lag = found.get("worst-realtime-lag").and_then(|lag| lag.get("lag")).cloned().unwrap_or_default();
    let same = |key: &str| found.get(key).cloned().unwrap_or_default();
    Value::record([
        ("valid?", same("valid?")),
        ("counts", Value::Map(counts)),
        ("details", Value::List(details.into_iter().map(Value::str).collect())),
        ("lag", lag),
        ("info-txn-causes", same("info-txn-causes")),
    ])
}

fn detail(name: &str, error: &Value) -> String {
    let text = |key: &str| {
        let value = error.get(key);
        value.map_or_else(String::new, |value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    let key = text("key");
    match name {
        "inconsistent-offsets" => {
            let values = error.get("values").and_then(Value::items).map_or(0, |values| values.len());
            format!("{name} {key} {} {values}", text("offset"))
        }
        "duplicate" | "lost-write" | "G1a" => format!("{name} {key} {}", text("value")),
        _ if OF_ORDER.contains(&name) => format!("{name} {key} {}", text("delta")),
        _ => format!("{name} "),
    }
}

fn notable(said: &Said) -> Vec<String> {
    let mut kinds = vec![verdict(said)];
    if let Said::Result(entries) = said {
        let counts = entries.iter().find(|(key, _)| *key == "counts").and_then(|(_, counts)| counts.entries());
        kinds.extend(counts.into_iter().flatten().filter_map(|(kind, _)| kind.as_str().map(str::to_owned)));
    }
    kinds
}

const KINDS: [&str; 16] = [
    "true",
    "false",
    "unjudgeable",
    "G1a",
    "G1c-realtime",
    "duplicate",
    "empty-transaction-graph",
    "inconsistent-offsets",
    "int-nonmonotonic-poll",
    "int-poll-skip",
    "lost-write",
    "nonmonotonic-poll",
    "nonmonotonic-send",
    "poll-skip",
    "strong-PL-2-cycle-exists",
    "unseen",
];

#[test]
fn logs_keep_what_they_acknowledge_in_one_order() {
    let clients = |dice: &mut Dice| Sloppy {
        next: 0,
        logs: [Vec::new(), Vec::new()],
        places: Vec::new(),
        wrong: dice.one_of(&[0.0, 0.05, 0.3]),
    };
    compare("kafka", clients, oracle, project, notable, &KINDS);
}
