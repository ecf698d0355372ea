//! Kafka on lin-kv: a log is one value, a list that grows by compare-and-set.
//!
//! A message's offset is its place in the list. A send costs two messages, and four more for each time that another
//! node was faster; a poll two for each log it names. Nothing is kept here but what lists and offsets were when last
//! heard of, so that any node may be asked anything at any time.

mod task;

use std::collections::BTreeMap;
use std::convert::Infallible;

use crate::node::{Answer, Life, Node, Sender, Service};
use crate::outbox::Outbox;
use crate::requests;
use crate::time::Duration;
use crate::wire::{Json, Raw};
use task::{Task, Work};

/// How long the service is waited for; a client waits for five seconds.
pub const PATIENCE: Duration = Duration::from_secs(4);

/// A poll returns at most so many messages of a log; the next one goes on there.
pub const MAX_POLLED: usize = 1000;

requests! {
    /// What a node is asked.
    #[derive(Debug)]
    pub enum Request<'a> {
        /// Append a message to a log.
        "send" => Send { key: &'a str, msg: Json<'a> },
        /// Name the messages of these logs from these offsets on.
        "poll" => Poll { offsets: BTreeMap<&'a str, i64> },
        /// These messages, and all before them, have been processed.
        "commit_offsets" => CommitOffsets { offsets: BTreeMap<&'a str, i64> },
        /// Name the offsets that have been committed.
        "list_committed_offsets" => ListCommittedOffsets { keys: Vec<&'a str> },
    }
}

/// The part of a task that waits for lin-kv.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    task: u64,
    part: usize,
    attempt: Attempt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Read,
    Cas,
}

/// A kafka node.
#[derive(Debug)]
pub struct Kafka {
    /// The texts of the messages of each log.
    logs: BTreeMap<Box<str>, Vec<Box<[u8]>>>,
    committed: BTreeMap<Box<str>, i64>,
    tasks: BTreeMap<u64, Task>,
    next_task: u64,
}

impl Kafka {
    /// Takes on what a client wants.
    fn begin(&mut self, from: Sender, work: Work, parts: usize, out: &mut Outbox<Self>) {
        let task = Task::new(from, work, parts);
        if parts == 0 {
            task.reply(out);
            return;
        }
        let number = self.next_task;
        self.next_task += 1;
        self.tasks.insert(number, task);
        for part in 0..parts {
            self.attempt(number, part, out);
        }
    }

    /// Does a part of a task from what is known, as far as that goes.
    fn attempt(&mut self, number: u64, part: usize, out: &mut Outbox<Self>) {
        let Some(task) = self.tasks.get_mut(&number) else { return };
        let call = |attempt| Call { task: number, part, attempt };
        match &mut task.work {
            Work::Send { key, message, offset } => {
                let log = self.logs.entry(key.clone()).or_default();
                *offset = log.len();
                let cas = out.call(Service::LinKv, PATIENCE, call(Attempt::Cas), "cas");
                let cas = cas.field("key", log_key(key).as_str()).field("from", Raw(&list(log, None)));
                cas.field("to", Raw(&list(log, Some(message)))).field("create_if_not_exists", true).end();
            }
            Work::Commit { offsets } => {
                let (key, offset) = &offsets[part];
                match self.committed.get(key) {
                    Some(known) if known >= offset => self.finish(number, out),
                    known => {
                        let cas = out.call(Service::LinKv, PATIENCE, call(Attempt::Cas), "cas");
                        let cas = cas.field("key", committed_key(key).as_str()).field("from", known.copied());
                        cas.field("to", *offset).field("create_if_not_exists", true).end();
                    }
                }
            }
            Work::Poll { .. } | Work::List { .. } => self.read(number, part, out),
        }
    }

    fn read(&self, number: u64, part: usize, out: &mut Outbox<Self>) {
        let Some(task) = self.tasks.get(&number) else { return };
        let key = match &task.work {
            Work::Send { key, .. } => log_key(key),
            Work::Poll { offsets, .. } => log_key(&offsets[part].0),
            Work::Commit { offsets } => committed_key(&offsets[part].0),
            Work::List { keys, .. } => committed_key(&keys[part]),
        };
        let call = Call { task: number, part, attempt: Attempt::Read };
        out.call(Service::LinKv, PATIENCE, call, "read").field("key", key.as_str()).end();
    }

    /// A part of a task is done.
    fn finish(&mut self, number: u64, out: &mut Outbox<Self>) {
        let Some(task) = self.tasks.get_mut(&number) else { return };
        task.left -= 1;
        if task.left == 0
            && let Some(task) = self.tasks.remove(&number)
        {
            task.reply(out);
        }
    }

    /// The value of a key has been read; nothing, if there is none.
    fn on_value(&mut self, call: Call, value: Option<Json<'_>>, out: &mut Outbox<Self>) {
        let Some(task) = self.tasks.get_mut(&call.task) else { return };
        match &mut task.work {
            Work::Send { key, .. } => {
                self.logs.insert(key.clone(), messages(value));
                self.attempt(call.task, call.part, out);
            }
            Work::Commit { offsets } => {
                let key = &offsets[call.part].0;
                if let Some(offset) = value.and_then(Json::as_i64) {
                    self.committed.insert(key.clone(), offset);
                }
                self.attempt(call.task, call.part, out);
            }
            Work::Poll { offsets, found } => {
                let (key, from) = &offsets[call.part];
                task::add_messages(found, key, *from, &messages(value));
                self.finish(call.task, out);
            }
            Work::List { keys, found } => {
                if let Some(offset) = value.and_then(Json::as_i64) {
                    found.insert(keys[call.part].clone(), offset);
                }
                self.finish(call.task, out);
            }
        }
    }

    /// A compare-and-set has succeeded.
    fn on_done(&mut self, call: Call, out: &mut Outbox<Self>) {
        let Some(task) = self.tasks.get_mut(&call.task) else { return };
        match &task.work {
            Work::Send { key, message, offset } => {
                let log = self.logs.entry(key.clone()).or_default();
                if log.len() == *offset {
                    log.push(message.clone());
                }
            }
            Work::Commit { offsets } => {
                let (key, offset) = &offsets[call.part];
                self.committed.insert(key.clone(), *offset);
            }
            Work::Poll { .. } | Work::List { .. } => {}
        }
        self.finish(call.task, out);
    }
}

fn log_key(key: &str) -> String {
    format!("log {key}")
}

fn committed_key(key: &str) -> String {
    format!("committed {key}")
}

/// A log as JSON, perhaps with one more message.
fn list(log: &[Box<[u8]>], more: Option<&[u8]>) -> Vec<u8> {
    let mut text = vec![b'['];
    for (index, message) in log.iter().map(|message| &**message).chain(more).enumerate() {
        text.extend((index > 0).then_some(b','));
        text.extend_from_slice(message);
    }
    text.push(b']');
    text
}

/// The texts of the elements of a list.
fn messages(value: Option<Json<'_>>) -> Vec<Box<[u8]>> {
    let text = |message: Json<'_>| {
        let mut text = Vec::new();
        message.write(&mut text);
        text.into()
    };
    value.and_then(Json::items).into_iter().flatten().map(text).collect()
}

impl Node for Kafka {
    type Request<'a> = Request<'a>;
    type Timer = Infallible;
    type Call = Call;
    type Options = ();

    fn start(_: &Life<'_, ()>, _: &mut Outbox<Self>) -> Self {
        Self { logs: BTreeMap::new(), committed: BTreeMap::new(), tasks: BTreeMap::new(), next_task: 0 }
    }

    fn on_request(&mut self, from: Sender, request: Request<'_>, out: &mut Outbox<Self>) {
        let owned = |offsets: BTreeMap<&str, i64>| -> Vec<(Box<str>, i64)> {
            offsets.into_iter().map(|(key, offset)| (key.into(), offset)).collect()
        };
        let work = match request {
            Request::Send { key, msg } => {
                let mut message = Vec::new();
                msg.write(&mut message);
                Work::Send { key: key.into(), message: message.into(), offset: 0 }
            }
            Request::Poll { offsets } => Work::Poll { offsets: owned(offsets), found: Vec::new() },
            Request::CommitOffsets { offsets } => Work::Commit { offsets: owned(offsets) },
            Request::ListCommittedOffsets { keys } => {
                Work::List { keys: keys.into_iter().map(Into::into).collect(), found: BTreeMap::new() }
            }
        };
        let parts = work.parts();
        self.begin(from, work, parts, out);
    }

    fn on_answer(&mut self, call: Call, answer: Answer<'_>, out: &mut Outbox<Self>) {
        match (answer, call.attempt) {
            (Answer::Reply { body, .. }, Attempt::Read) => self.on_value(call, body.get("value"), out),
            (Answer::Error { .. }, Attempt::Read) => self.on_value(call, None, out),
            (Answer::Reply { .. }, Attempt::Cas) => self.on_done(call, out),
            (Answer::Error { .. }, Attempt::Cas) => self.read(call.task, call.part, out),
            (Answer::Expired, _) => {
                if let Some(task) = self.tasks.remove(&call.task) {
                    task.give_up(call.attempt == Attempt::Cas, out);
                }
            }
        }
    }
}
