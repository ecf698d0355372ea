//! The sends, polls and assignments of a history, with dense ids for logs and messages, and the errors that do not
//! depend on the order of a log.

use std::collections::{BTreeMap, BTreeSet};

use super::{CheckError, Errors, LogAnomaly, LogCase, UnseenMessages};
use crate::workbench::check::interner::Interner;
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind, Process};

/// The maximum number of unseen messages of a log in the results.
const MAX_UNSEEN: usize = 32;

/// A log and a message in it, by their ids.
pub(super) type MessageId = (usize, usize);

/// Messages with their offsets, by log, in the order in which an operation first names the logs.
pub(super) type Pairs = Vec<(usize, Vec<(Option<i64>, usize)>)>;

/// A completed operation.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub(super) op: &'a Op,
    pub(super) process: u64,
    /// The positions of its invocation and of its completion.
    pub(super) span: (usize, usize),
    /// Whether it sends or polls, or both; else it assigns.
    pub(super) is_txn: bool,
    pub(super) sends: Pairs,
    pub(super) polls: Pairs,
    pub(super) assigned: Vec<usize>,
}

impl Step<'_> {
    pub(super) fn is(&self, kind: OpKind) -> bool {
        self.op.kind == kind
    }
    pub(super) fn reads(&self) -> impl Iterator<Item = MessageId> {
        message_ids(&self.polls)
    }
    pub(super) fn writes(&self) -> impl Iterator<Item = MessageId> {
        message_ids(&self.sends)
    }

    /// The highest offset that it returned for each log; -1 for a log that it polled and got nothing from.
    pub(super) fn highest(&self) -> impl Iterator<Item = (usize, i64)> {
        let highest = |pairs: &[(Option<i64>, usize)]| pairs.iter().filter_map(|(offset, _)| *offset).max();
        let polled = self.polls.iter().map(move |(key, pairs)| (*key, highest(pairs).unwrap_or(-1)));
        polled.chain(self.sends.iter().filter_map(move |(key, pairs)| Some((*key, highest(pairs)?))))
    }
}

fn message_ids(pairs: &Pairs) -> impl Iterator<Item = MessageId> {
    pairs.iter().flat_map(|(key, pairs)| pairs.iter().map(|(_, message)| (*key, *message)))
}

/// The operations of a history, and its messages by id.
#[derive(Default)]
pub(super) struct Record<'a> {
    pub(super) steps: Vec<Step<'a>>,
    pub(super) keys: Interner,
    pub(super) messages: Interner,
    /// The step that sent each message.
    pub(super) writers: BTreeMap<MessageId, usize>,
    /// The steps that polled it.
    pub(super) readers: BTreeMap<MessageId, Vec<usize>>,
    /// The messages returned by successful polls.
    pub(super) seen: BTreeSet<MessageId>,
}

impl<'a> Record<'a> {
    pub(super) fn of(history: &'a History) -> Result<Self, CheckError> {
        let mut record = Self::default();
        for (position, op) in history.client_ops().filter(|(_, op)| op.kind != OpKind::Invoke) {
            let (Some(invocation), Process::Client(process)) = (history.partner(position), op.process) else {
                continue;
            };
            let is_txn = matches!(&*op.f, "send" | "poll" | "txn");
            if !is_txn && !matches!(&*op.f, "assign" | "subscribe") {
                continue;
            }
            let mut step = Step {
                op,
                process,
                span: (invocation, position),
                is_txn,
                sends: Vec::new(),
                polls: Vec::new(),
                assigned: Vec::new(),
            };
            for part in op.value.items().into_iter().flatten() {
                if is_txn {
                    record.micro_op(&part, &mut step)?;
                } else {
                    step.assigned.push(record.keys.intern(&part));
                }
            }
            record.steps.push(step);
        }
        record.connect()?;
        Ok(record)
    }

    fn micro_op(&mut self, part: &Value, step: &mut Step<'a>) -> Result<(), CheckError> {
        let parts: Vec<_> = part.items().into_iter().flatten().collect();
        match (parts.first().and_then(|name| name.as_keyword()), &parts[..]) {
            (Some("send"), [_, key, sent]) => {
                let key = self.keys.intern(key);
                let pair: Vec<_> = sent.items().into_iter().flatten().collect();
                let (offset, message) = match &pair[..] {
                    [offset, message] => (natural(offset, step.op)?, &**message),
                    _ => (None, &**sent),
                };
                add(&mut step.sends, key, vec![(offset, self.messages.intern(message))]);
            }
            (Some("poll"), [_, polled]) => {
                for (key, pairs) in polled.entries().unwrap_or_default() {
                    let key = self.keys.intern(key);
                    let mut read = Vec::new();
                    for pair in pairs.items().into_iter().flatten() {
                        let pair: Vec<_> = pair.items().into_iter().flatten().collect();
                        let [offset, message] = &pair[..] else { continue };
                        let message = self.messages.intern(message);
                        read.push((natural(offset, step.op)?, message));
                    }
                    add(&mut step.polls, key, read);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Finds the writer and the readers of each message.
    fn connect(&mut self) -> Result<(), CheckError> {
        for (index, step) in self.steps.iter().enumerate() {
            self.writers.extend(step.writes().map(|id| (id, index)));
            for id in step.reads() {
                self.readers.entry(id).or_default().push(index);
                if step.is(OpKind::Ok) {
                    self.seen.insert(id);
                }
            }
        }
        match self.readers.keys().find(|id| !self.writers.contains_key(id)) {
            None => Ok(()),
            Some((key, message)) => {
                let (key, message) = (&self.keys[*key], &self.messages[*message]);
                let problem = format!("{message} was polled from the log {key}, but was never sent to it");
                Err(CheckError::Invalid(problem))
            }
        }
    }

    pub(super) fn writer(&self, id: MessageId) -> Option<&Step<'a>> {
        self.writers.get(&id).map(|index| &self.steps[*index])
    }
    pub(super) fn first_reader(&self, id: MessageId) -> Option<&Step<'a>> {
        self.readers.get(&id).and_then(|readers| readers.first()).map(|index| &self.steps[*index])
    }

    /// Whether its messages certainly are in their logs: it succeeded, or one of them was polled.
    pub(super) fn has_taken_effect(&self, step: &Step<'_>) -> bool {
        step.is(OpKind::Ok) || step.is(OpKind::Info) && step.writes().any(|id| self.seen.contains(&id))
    }

    /// Messages that were polled although their sends failed.
    pub(super) fn aborted_reads(&self, errors: &mut Errors) {
        let failed = self.steps.iter().filter(|step| step.is(OpKind::Fail));
        let failed: BTreeSet<MessageId> = failed.flat_map(Step::writes).collect();
        for step in self.steps.iter().filter(|step| step.is(OpKind::Ok)) {
            for id in step.reads().filter(|id| failed.contains(id)) {
                let Some(writer) = self.writer(id) else { continue };
                errors.entry(LogAnomaly::AbortedRead).or_default().push(LogCase::AbortedRead {
                    key: self.keys[id.0].clone(),
                    value: self.messages[id.1].clone(),
                    writer: writer.op.clone(),
                    reader: step.op.clone(),
                });
            }
        }
    }

    /// Transactions that polled messages that they send.
    pub(super) fn precommitted_reads(&self, errors: &mut Errors) {
        for step in &self.steps {
            if let Some((key, message)) = step.reads().find(|id| step.writes().any(|sent| sent == *id)) {
                errors.entry(LogAnomaly::PrecommittedRead).or_default().push(LogCase::PrecommittedRead {
                    key: self.keys[key].clone(),
                    value: self.messages[message].clone(),
                    op: step.op.clone(),
                });
            }
        }
    }

    /// Messages that were acknowledged but not polled by the time of the last successful send or poll.
    pub(super) fn unseen(&self) -> Result<Option<UnseenMessages>, CheckError> {
        let oks = || self.steps.iter().filter(|step| step.is_txn && step.is(OpKind::Ok));
        let mut unseen: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for (key, message) in oks().flat_map(Step::writes) {
            if !self.seen.contains(&(key, message)) {
                unseen.entry(key).or_default().insert(message);
            }
        }
        let Some(last) = oks().next_back() else { return Ok(None) };
        // Jepsen subtracts the polled from the sent messages log by log. It thus also keeps what the last successful
        // operation is the first to poll from a log without a successful send.
        for (key, pairs) in &last.polls {
            let touches = |step: &Step<'_>| step.polls.iter().chain(&step.sends).any(|(other, _)| other == key);
            if oks().filter(|step| touches(step)).count() == 1 && !pairs.is_empty() {
                unseen.entry(*key).or_default().extend(pairs.iter().map(|(_, message)| *message));
            }
        }
        if unseen.is_empty() {
            return Ok(None);
        }
        let keys = Value::sorted(unseen.keys().map(|key| self.keys[*key].clone()).collect())?;
        let mut by_key = Vec::new();
        for key in keys {
            let missed = self.keys.of(&key).and_then(|id| unseen.get(&id)).into_iter().flatten();
            let mut missed = Value::sorted(missed.map(|message| self.messages[*message].clone()).collect())?;
            let count = missed.len();
            missed.truncate(MAX_UNSEEN);
            by_key.push((key, count, missed));
        }
        Ok(Some(UnseenMessages { time: last.op.time, by_key }))
    }
}

fn add(of: &mut Pairs, key: usize, pairs: Vec<(Option<i64>, usize)>) {
    match of.iter_mut().find(|(other, _)| *other == key) {
        Some((_, before)) => before.extend(pairs),
        None => of.push((key, pairs)),
    }
}

fn natural(offset: &Value, op: &Op) -> Result<Option<i64>, CheckError> {
    if offset.is_nil() {
        return Ok(None);
    }
    let offset = offset.as_int().filter(|offset| *offset >= 0);
    offset.map(Some).ok_or_else(|| {
        let index = op.index;
        let problem =
            format!("the operation completed at index {index} has an offset that is not a natural number of 64 bits");
        CheckError::Invalid(problem)
    })
}
