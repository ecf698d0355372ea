//! Counters on seq-kv: one total, moved by compare-and-set from the last value known of it.
//!
//! The adds that wait are committed in one step. Reads first write something new, after which seq-kv may not answer
//! from before that write (reference §8.3), and then read. A commit costs two messages and two more for each time that
//! another node was faster; a round of reads costs four.

use std::convert::Infallible;

use crate::node::{Answer, Life, Node, Sender, Service};
use crate::outbox::Outbox;
use crate::requests;
use crate::time::Duration;
use crate::wire::{ErrorCode, Json};

/// How long the service is waited for; a client waits for five seconds.
pub const PATIENCE: Duration = Duration::from_secs(4);

const TOTAL: &str = "total";

requests! {
    /// What a counter is asked.
    #[derive(Debug)]
    pub enum Request<'a> {
        /// Count this much more.
        "add" => Add { delta: i64 },
        /// Name the total.
        "read" => Read {},
    }
}

/// What is asked of seq-kv.
#[derive(Debug, Clone, Copy)]
pub enum Call {
    /// Move the total.
    Commit,
    /// Name the total, from which the next attempt starts.
    Retry,
    /// Write something new.
    Freshen,
    /// Name the total, for clients.
    Look,
}

/// A g-counter or a pn-counter.
#[derive(Debug)]
pub struct Counter {
    /// The key that only this node writes, and a value that it has never had.
    own: String,
    incarnation: u64,
    writes: u64,
    /// The total when last heard of.
    known: i64,
    adds: Vec<(Sender, i64)>,
    committing: Vec<(Sender, i64)>,
    reads: Vec<Sender>,
    looking: Vec<Sender>,
}

impl Counter {
    /// Begins to commit the adds that wait, unless others are being committed.
    fn commit(&mut self, out: &mut Outbox<Self>) {
        if !self.committing.is_empty() {
            return;
        }
        std::mem::swap(&mut self.committing, &mut self.adds);
        if self.sum() == 0 {
            self.committed(out);
        } else {
            self.attempt(out);
        }
    }

    fn sum(&self) -> i64 {
        self.committing.iter().fold(0, |sum, (_, delta)| sum.saturating_add(*delta))
    }

    fn attempt(&self, out: &mut Outbox<Self>) {
        let cas = out.call(Service::SeqKv, PATIENCE, Call::Commit, "cas").field("key", TOTAL);
        let cas = cas.field("from", self.known).field("to", self.known.saturating_add(self.sum()));
        cas.field("create_if_not_exists", true).end();
    }

    fn committed(&mut self, out: &mut Outbox<Self>) {
        self.known = self.known.saturating_add(self.sum());
        for (from, _) in self.committing.drain(..) {
            out.reply(from, "add_ok").end();
        }
        if !self.adds.is_empty() {
            self.commit(out);
        }
    }

    /// Begins to answer the reads that wait, unless others are being answered.
    fn look(&mut self, out: &mut Outbox<Self>) {
        if self.reads.is_empty() || !self.looking.is_empty() {
            return;
        }
        std::mem::swap(&mut self.looking, &mut self.reads);
        self.writes += 1;
        let write = out.call(Service::SeqKv, PATIENCE, Call::Freshen, "write").field("key", self.own.as_str());
        write.field("value", [self.incarnation, self.writes]).end();
    }

    fn on_commit(&mut self, answer: Answer<'_>, out: &mut Outbox<Self>) {
        match answer {
            Answer::Reply { .. } => self.committed(out),
            Answer::Error { .. } => read(Call::Retry, out),
            Answer::Expired => {
                for (from, _) in self.committing.drain(..) {
                    out.reply_error(from, ErrorCode::TIMEOUT, "seq-kv did not answer; this may count or not");
                }
                self.commit(out);
            }
        }
    }

    fn on_look(&mut self, answer: Answer<'_>, out: &mut Outbox<Self>) {
        let total = total(answer);
        for from in self.looking.drain(..) {
            match total {
                Some(total) => out.reply(from, "read_ok").field("value", total).end(),
                None => out.reply_error(from, ErrorCode::TEMPORARILY_UNAVAILABLE, "seq-kv did not answer"),
            }
        }
        self.look(out);
    }
}

fn read(call: Call, out: &mut Outbox<Counter>) {
    out.call(Service::SeqKv, PATIENCE, call, "read").field("key", TOTAL).end();
}

/// The total that an answer tells; no key means that nothing has been added.
fn total(answer: Answer<'_>) -> Option<i64> {
    match answer {
        Answer::Reply { body, .. } => body.get("value").and_then(Json::as_i64),
        Answer::Error { code, .. } if code == ErrorCode::KEY_DOES_NOT_EXIST => Some(0),
        Answer::Error { .. } | Answer::Expired => None,
    }
}

impl Node for Counter {
    type Request<'a> = Request<'a>;
    type Timer = Infallible;
    type Call = Call;
    type Options = ();

    fn start(life: &Life<'_, ()>, _: &mut Outbox<Self>) -> Self {
        Self {
            own: format!("written-by-{}", life.nodes[life.me.index()]),
            incarnation: life.incarnation,
            writes: 0,
            known: 0,
            adds: Vec::new(),
            committing: Vec::new(),
            reads: Vec::new(),
            looking: Vec::new(),
        }
    }

    fn on_request(&mut self, from: Sender, request: Request<'_>, out: &mut Outbox<Self>) {
        match request {
            Request::Add { delta } => {
                self.adds.push((from, delta));
                self.commit(out);
            }
            Request::Read {} => {
                self.reads.push(from);
                self.look(out);
            }
        }
    }

    fn on_answer(&mut self, call: Call, answer: Answer<'_>, out: &mut Outbox<Self>) {
        match call {
            Call::Commit => self.on_commit(answer, out),
            Call::Retry => {
                self.known = total(answer).unwrap_or(self.known);
                self.attempt(out);
            }
            Call::Freshen if matches!(answer, Answer::Reply { .. }) => read(Call::Look, out),
            Call::Freshen | Call::Look => self.on_look(answer, out),
        }
    }
}
