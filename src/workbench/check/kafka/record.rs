//! What the completed operations of a history sent, polled and assigned, with dense numbers for logs and messages; and
//! the errors that can be told without the order of a log.

use std::collections::{BTreeMap, BTreeSet};

use super::super::ids::Ids;
use super::{Case, Errors, Unjudgeable};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Kind, Op, Process};

/// A log and a message in it, by their numbers.
pub(super) type Place = (usize, usize);

/// Offsets and messages of one log.
pub(super) type Pairs = Vec<(Option<i64>, usize)>;

/// That there is a cycle of what was sent, polled and of time, beside the cycle itself.
pub(super) const CYCLE_EXISTS: &str = "strong-PL-2-cycle-exists";

/// A completed operation.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub(super) op: &'a Op,
    pub(super) process: u64,
    /// Positions in the history: of its beginning, and of its end.
    pub(super) span: (usize, usize),
    /// Whether it sends or polls, or both; else it assigns.
    pub(super) is_txn: bool,
    pub(super) sends: Vec<(Place, Option<i64>)>,
    /// By log, in the order in which the poll names them.
    pub(super) polls: Vec<(usize, Pairs)>,
    pub(super) assigned: Vec<usize>,
}

impl Step<'_> {
    pub(super) fn is(&self, kind: Kind) -> bool {
        self.op.kind == kind
    }

    /// Everything it polled.
    pub(super) fn reads(&self) -> impl Iterator<Item = Place> {
        self.polls.iter().flat_map(|(key, pairs)| pairs.iter().map(|(_, message)| (*key, *message)))
    }

    /// The messages it sent, by log, in the order in which it first sent to each.
    pub(super) fn writes(&self) -> Vec<(usize, Vec<usize>)> {
        let mut writes: Vec<(usize, Vec<usize>)> = Vec::new();
        for ((key, message), _) in &self.sends {
            match writes.iter_mut().find(|(known, _)| known == key) {
                Some((_, messages)) => messages.push(*message),
                None => writes.push((*key, vec![*message])),
            }
        }
        writes
    }

    /// The highest offset it knows of each log it touched; -1 where it polled nothing.
    pub(super) fn highest(&self) -> impl Iterator<Item = (usize, i64)> {
        let polled = self.polls.iter().map(|(key, pairs)| {
            let highest = pairs.iter().filter_map(|(offset, _)| *offset).max();
            (*key, highest.unwrap_or(-1))
        });
        polled.chain(self.sends.iter().filter_map(|((key, _), offset)| Some((*key, (*offset)?))))
    }
}

#[derive(Default)]
pub(super) struct Record<'a> {
    pub(super) steps: Vec<Step<'a>>,
    pub(super) keys: Vec<Value>,
    pub(super) messages: Vec<Value>,
    key_ids: Ids,
    message_ids: Ids,
    /// The step that sent each message.
    writers: BTreeMap<Place, usize>,
    /// The steps that polled it.
    readers: BTreeMap<Place, Vec<usize>>,
    /// What successful polls brought.
    pub(super) seen: BTreeSet<Place>,
}

impl<'a> Record<'a> {
    pub(super) fn of(history: &'a History) -> Result<Self, Unjudgeable> {
        let mut record = Self::default();
        for (position, op) in history.client_ops().filter(|(_, op)| op.kind != Kind::Invoke) {
            let (Some(begun), Process::Client(process)) = (history.partner(position), op.process) else { continue };
            let is_txn = matches!(&*op.f, "send" | "poll" | "txn");
            if !is_txn && !matches!(&*op.f, "assign" | "subscribe") {
                continue;
            }
            let mut step = Step {
                op,
                process,
                span: (begun, position),
                is_txn,
                sends: Vec::new(),
                polls: Vec::new(),
                assigned: Vec::new(),
            };
            for part in op.value.items().into_iter().flatten() {
                if is_txn {
                    record.micro_op(&part, &mut step)?;
                } else {
                    step.assigned.push(record.key(&part));
                }
            }
            record.steps.push(step);
        }
        record.connect()?;
        Ok(record)
    }

    fn key(&mut self, value: &Value) -> usize {
        number(&mut self.key_ids, &mut self.keys, value)
    }

    fn micro_op(&mut self, part: &Value, step: &mut Step<'a>) -> Result<(), Unjudgeable> {
        let parts: Vec<_> = part.items().into_iter().flatten().collect();
        let name = parts.first().and_then(|name| name.as_keyword());
        match (name, &parts[..]) {
            (Some("send"), [_, key, sent]) => {
                let key = self.key(key);
                let pair: Option<Vec<_>> = sent.items().map(Iterator::collect);
                let (offset, message) = match pair.as_deref() {
                    Some([offset, message]) => (natural(offset, step.op)?, &**message),
                    Some(_) | None => (None, &**sent),
                };
                let message = number(&mut self.message_ids, &mut self.messages, message);
                step.sends.push(((key, message), offset));
            }
            (Some("poll"), [_, polled]) => {
                for (key, pairs) in polled.entries().unwrap_or_default() {
                    let key = self.key(key);
                    let mut read = Vec::new();
                    for pair in pairs.items().into_iter().flatten() {
                        let pair: Vec<_> = pair.items().into_iter().flatten().collect();
                        let [offset, message] = &pair[..] else { continue };
                        let message = number(&mut self.message_ids, &mut self.messages, message);
                        read.push((natural(offset, step.op)?, message));
                    }
                    match step.polls.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, before)) => before.extend(read),
                        None => step.polls.push((key, read)),
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn connect(&mut self) -> Result<(), Unjudgeable> {
        for (index, step) in self.steps.iter().enumerate() {
            for (place, _) in &step.sends {
                self.writers.insert(*place, index);
            }
            for place in step.reads() {
                self.readers.entry(place).or_default().push(index);
                if step.is(Kind::Ok) {
                    self.seen.insert(place);
                }
            }
        }
        match self.readers.keys().find(|place| !self.writers.contains_key(place)) {
            None => Ok(()),
            Some((key, message)) => Err(Unjudgeable::Invented {
                key: self.keys[*key].to_string().into(),
                value: self.messages[*message].to_string().into(),
            }),
        }
    }

    pub(super) fn writer(&self, place: Place) -> Option<&Step<'a>> {
        self.writers.get(&place).map(|index| &self.steps[*index])
    }

    /// The first step that polled a message.
    pub(super) fn first_reader(&self, place: Place) -> Option<&Step<'a>> {
        self.readers.get(&place).and_then(|readers| readers.first()).map(|index| &self.steps[*index])
    }

    /// Whether what it sent certainly is in its log: it succeeded, or somebody has seen some of it.
    pub(super) fn has_taken_effect(&self, step: &Step<'_>) -> bool {
        step.is(Kind::Ok) || step.is(Kind::Info) && step.sends.iter().any(|(place, _)| self.seen.contains(place))
    }

    fn writer_value(&self, place: Place) -> Value {
        self.writer(place).map_or(Value::Nil, |step| step.op.to_value())
    }

    /// Messages that were read though their sends failed.
    pub(super) fn aborted_reads(&self, errors: &mut Errors) {
        let failed: BTreeSet<Place> = self
            .steps
            .iter()
            .filter(|step| step.is(Kind::Fail))
            .flat_map(|step| &step.sends)
            .map(|(at, _)| *at)
            .collect();
        for step in self.steps.iter().filter(|step| step.is(Kind::Ok)) {
            for place in step.reads().filter(|place| failed.contains(place)) {
                let shown = Value::record([
                    ("key", self.keys[place.0].clone()),
                    ("value", self.messages[place.1].clone()),
                    ("writer", self.writer_value(place)),
                    ("reader", step.op.to_value()),
                ]);
                errors.entry("G1a").or_default().push(Case { rank: 0, shown });
            }
        }
    }

    /// Transactions that read what they send themselves.
    pub(super) fn precommitted_reads(&self, errors: &mut Errors) {
        for step in &self.steps {
            let sent = |place: &Place| step.sends.iter().any(|(sent, _)| sent == place);
            if let Some((key, message)) = step.reads().find(sent) {
                let shown = Value::record([
                    ("op", step.op.to_value()),
                    ("key", self.keys[key].clone()),
                    ("value", self.messages[message].clone()),
                ]);
                errors.entry("precommitted-read").or_default().push(Case { rank: 0, shown });
            }
        }
    }

    /// Cycles, of which each goes back in time from a send to a poll that was over before; and a history in which
    /// nothing depends on anything.
    pub(super) fn cycles(&self, history: &History, errors: &mut Errors) {
        for (span, (writer, place, reader)) in self.times_turned_back() {
            let (sent, polled) = (self.steps[writer].op.to_value(), self.steps[reader].op.to_value());
            let steps = [
                Value::record([
                    ("type", Value::keyword("wr")),
                    ("key", self.keys[place.0].clone()),
                    ("value", self.messages[place.1].clone()),
                ]),
                Value::record([("type", Value::keyword("realtime"))]),
            ];
            let shown = Value::record([
                ("cycle", Value::Vector(vec![sent.clone(), polled, sent])),
                ("steps", Value::List(steps.into())),
                ("type", Value::keyword("G1c-realtime")),
            ]);
            errors.entry("G1c-realtime").or_default().push(Case { rank: 2, shown });
            // Of a log, unlike of transactions, this is told beside the cycle that shows it.
            let members = self.component(span);
            let indices = members.iter().map(|step| Value::Int(step.op.index.cast_signed()));
            let subgraph = ["union", "ww", "wwp", "wr", "wrp", "realtime"].map(Value::keyword);
            let shown = Value::record([
                ("type", Value::keyword(CYCLE_EXISTS)),
                ("not", Value::keyword("strong-read-committed")),
                ("subgraph", Value::Vector(subgraph.into())),
                ("scc-size", Value::count(members.len())),
                ("scc", Value::Set(indices.collect())),
            ]);
            errors.entry(CYCLE_EXISTS).or_default().push(Case { rank: 0, shown });
        }
        let txns = || self.steps.iter().filter(|step| step.is_txn);
        let first_end = txns().filter(|step| step.is(Kind::Ok)).map(|step| step.span.1).min();
        let last_begin = txns().map(|step| step.span.0).max();
        let in_time = matches!((first_end, last_begin), (Some(end), Some(begin)) if end < begin);
        if !in_time && self.readers.is_empty() && history.invocation_count() > 0 {
            errors.entry("empty-transaction-graph").or_default().push(Case { rank: 0, shown: Value::Bool(true) });
        }
    }

    /// The spans from the end of a poll to the beginning of a send of what it brought, united where they overlap, for then
    /// each of their operations comes before each: one strongly connected component. Each with its earliest cause: the
    /// steps of a send and a poll, and the message.
    fn times_turned_back(&self) -> Vec<((usize, usize), (usize, Place, usize))> {
        let mut causes = Vec::new();
        for (place, readers) in &self.readers {
            let Some(writer) = self.writers.get(place) else { continue };
            for reader in readers.iter().filter(|reader| self.steps[**reader].is(Kind::Ok)) {
                let span = (self.steps[*reader].span.1, self.steps[*writer].span.0);
                if span.0 < span.1 {
                    causes.push((span, (*writer, *place, *reader)));
                }
            }
        }
        causes.sort_unstable();
        let mut united: Vec<((usize, usize), _)> = Vec::new();
        for (span, cause) in causes {
            match united.last_mut() {
                Some((last, _)) if span.0 < last.1 => last.1 = last.1.max(span.1),
                Some(_) | None => united.push((span, cause)),
            }
        }
        united
    }

    /// The operations that come both after the beginning of a span in which time is turned back, and before its end.
    fn component(&self, (start, end): (usize, usize)) -> Vec<&Step<'a>> {
        let is_before = |step: &Step<'_>| step.is(Kind::Ok) && step.span.1 < end;
        let is_polled_before = |step: &Step<'_>| {
            let readers = step.sends.iter().filter_map(|(place, _)| self.readers.get(place)).flatten();
            readers.into_iter().any(|reader| is_before(&self.steps[*reader]))
        };
        let is_after = |step: &Step<'_>| step.is_txn && step.span.0 > start;
        let belongs = |step: &Step<'_>| {
            let mut writers = step.reads().filter_map(|place| self.writer(place));
            is_after(step) && (is_before(step) || is_polled_before(step)) || is_before(step) && writers.any(is_after)
        };
        self.steps.iter().filter(|step| belongs(step)).collect()
    }

    /// What was acknowledged and never seen, when the last send or poll succeeded.
    pub(super) fn unseen(&self) -> Result<Option<Value>, Unjudgeable> {
        let oks = || self.steps.iter().filter(|step| step.is_txn && step.is(Kind::Ok));
        let mut unseen: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for (key, message) in oks().flat_map(|step| &step.sends).map(|(place, _)| *place) {
            if !self.seen.contains(&(key, message)) {
                unseen.entry(key).or_default().insert(message);
            }
        }
        let Some(last) = oks().next_back() else { return Ok(None) };
        // Jepsen takes what was polled from what was sent log by log, and so keeps what the very last success is the first
        // to poll of a log to which no send succeeded.
        for (key, pairs) in &last.polls {
            let tells = |step: &Step<'_>| {
                step.polls.iter().any(|(known, _)| known == key)
                    || step.sends.iter().any(|((known, _), _)| known == key)
            };
            if oks().filter(|step| tells(step)).count() == 1 && !pairs.is_empty() {
                unseen.entry(*key).or_default().extend(pairs.iter().map(|(_, message)| *message));
            }
        }
        if unseen.is_empty() {
            return Ok(None);
        }
        let keys = Value::sorted(unseen.keys().map(|key| self.keys[*key].clone()).collect())?;
        let (mut counts, mut messages) = (Vec::new(), Vec::new());
        for key in keys {
            let missed = self.key_ids.of(&key).and_then(|id| unseen.get(&id)).into_iter().flatten();
            let mut missed = Value::sorted(missed.map(|message| self.messages[*message].clone()).collect())?;
            counts.push((key.clone(), Value::count(missed.len())));
            missed.truncate(32);
            messages.push((key, Value::List(missed)));
        }
        Ok(Some(Value::record([
            ("time", Value::Int(last.op.time)),
            ("unseen", Value::Map(counts)),
            ("messages", Value::Map(messages)),
        ])))
    }
}

fn number(ids: &mut Ids, values: &mut Vec<Value>, value: &Value) -> usize {
    let id = ids.intern(value);
    if id == values.len() {
        values.push(value.clone());
    }
    id
}

fn natural(offset: &Value, op: &Op) -> Result<Option<i64>, Unjudgeable> {
    if offset.is_nil() {
        return Ok(None);
    }
    let offset = offset.as_int().filter(|offset| *offset >= 0);
    offset.map(Some).ok_or(Unjudgeable::BadOffset { index: op.index })
}
