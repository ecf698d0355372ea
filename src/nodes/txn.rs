//! Challenge 6: transactions that read and write registers, at every node, partitioned or not.
//!
//! A transaction applies at once to the local replica and travels whole, as one operation of the log with a Lamport
//! time. For each key the write with the highest (time, node, incarnation) stays, so replicas that hold the same are
//! equal.
//!
//! What that gives: no transaction sees another's intermediate or aborted state, and those of a transaction's writes
//! that are not overwritten appear together (monotonic atomic view); write-write and write-read dependencies follow the
//! times, so they form no cycles (no G0, no G1). What it does not give: two transactions that read and then write the
//! same key may both succeed (lost update, write skew), and reads may be stale. Other nodes hear of a transaction
//! within a period and two hops; what only a killed node held is lost.
//!
//! A node that is started again does not know which times its earlier incarnation has used. Until a peer has told it,
//! its answers wait.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;

use super::waiting::Waiting;
use crate::gossip::log::Origin;
use crate::gossip::{Gossip, Message, Settings, Tick, View};
use crate::node::{Node, NodeContext, ReplyTo};
use crate::outbox::Outbox;
use crate::requests;
use crate::wire::{ErrorCode, Json, MAX_REPLY, REQUEST, UNANSWERABLE, elements, integer, write_int};

requests! {
    /// What a transaction node is asked.
    #[derive(Debug)]
    pub enum Request<'a> {
        /// Read and write registers: a list of `["r", key, null]` and `["w", key, value]`.
        "txn" => Txn { txn: Json<'a> },
        /// What another replica says.
        "gossip" => Gossip(Message<'a>),
    }
}

/// When a write was made and by whom: Lamport time, node, incarnation.
type Stamp = (u64, u32, u64);

/// The registers, by the JSON text of their key.
#[derive(Debug, Default)]
struct Registers {
    /// The highest time seen.
    time: u64,
    /// The length of the longest value there ever was.
    longest: usize,
    table: HashMap<Box<[u8]>, (Stamp, Vec<u8>)>,
}

impl Registers {
    /// The JSON text of a value.
    fn read(&self, key: &[u8]) -> &[u8] {
        self.table.get(key).map_or(b"null", |(_, value)| value)
    }

    /// Whether the answer to a transaction, given as JSON text, fits into a line.
    fn can_answer(&self, text: &[u8]) -> bool {
        // No step is shorter than `["r",1,1]`, and none reads more than the longest value that was or is written.
        let steps = text.len() / 9 + 1;
        let most = steps.saturating_mul(self.longest.max(text.len())).saturating_add(text.len());
        most <= MAX_REPLY || self.answer_bytes(text) <= MAX_REPLY
    }

    #[cold]
    fn answer_bytes(&self, text: &[u8]) -> usize {
        let mut written = BTreeMap::new();
        let mut bytes = 0;
        for step in elements(text).filter_map(Step::read) {
            if step.writes {
                written.insert(step.key, step.value.len());
            }
            let value = written.get(step.key).copied().unwrap_or_else(|| self.read(step.key).len());
            bytes += br#",["r",,]"#.len() + step.key.len() + value;
        }
        bytes
    }

    /// Writes unless a later write is there; of one transaction's writes the last one stays.
    fn write(&mut self, stamp: Stamp, key: &[u8], value: &[u8]) {
        self.longest = self.longest.max(value.len());
        if let Some((before, text)) = self.table.get_mut(key) {
            if *before <= stamp {
                *before = stamp;
                text.clear();
                text.extend_from_slice(value);
            }
        } else {
            self.table.insert(key.into(), (stamp, value.to_vec()));
        }
    }
}

impl View for Registers {
    /// `[time, key, value, key, value, ...]`
    fn apply(&mut self, origin: Origin, _: u32, operation: &[u8]) {
        let mut parts = elements(operation);
        let Some(time) = parts.next().and_then(integer) else { return };
        self.time = self.time.max(time);
        while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
            self.write((time, origin.node, origin.incarnation), key, value);
        }
    }
}

/// One step of a transaction.
struct Step<'a> {
    writes: bool,
    key: &'a [u8],
    value: &'a [u8],
}

impl<'a> Step<'a> {
    fn read(text: &'a [u8]) -> Option<Self> {
        let mut parts = elements(text);
        let (verb, key, value) = (parts.next()?, parts.next()?, parts.next()?);
        let writes = match verb {
            b"\"r\"" => false,
            b"\"w\"" => true,
            _ => return None,
        };
        parts.next().is_none().then_some(Self { writes, key, value })
    }
}

/// A node that carries out transactions.
#[derive(Debug)]
pub struct Txn {
    gossip: Gossip,
    registers: Registers,
    node: u32,
    incarnation: u64,
    waiting: Waiting,
    scratch: Vec<u8>,
    operation: Vec<u8>,
}

impl Txn {
    /// Carries out a transaction, given as JSON text, unless it is too large.
    fn execute(&mut self, from: ReplyTo, text: &[u8], out: &mut Outbox<Self>) {
        let Self { registers, operation, .. } = self;
        let time = registers.time.saturating_add(1);
        let stamp = (time, self.node, self.incarnation);
        operation.clear();
        operation.push(b'[');
        write_int(operation, time);
        let none = operation.len();
        for step in elements(text).filter_map(Step::read).filter(|step| step.writes) {
            for part in [step.key, step.value] {
                operation.push(b',');
                operation.extend_from_slice(part);
            }
        }
        let writes = operation.len() > none;
        operation.push(b']');
        if let Err(what) = REQUEST.admit(operation) {
            return out.reply_error(from, ErrorCode::MALFORMED_REQUEST, what.why());
        }
        if !registers.can_answer(text) {
            return out.reply_error(from, ErrorCode::ABORT, UNANSWERABLE);
        }
        let reply = out.reply(from, "txn_ok").field_with("txn", |done| {
            done.push(b'[');
            for (at, step) in elements(text).filter_map(Step::read).enumerate() {
                if at > 0 {
                    done.push(b',');
                }
                done.extend_from_slice(if step.writes { b"[\"w\"," } else { b"[\"r\"," });
                done.extend_from_slice(step.key);
                done.push(b',');
                if step.writes {
                    registers.write(stamp, step.key, step.value);
                    done.extend_from_slice(step.value);
                } else {
                    done.extend_from_slice(registers.read(step.key));
                }
                done.push(b']');
            }
            done.push(b']');
        });
        reply.end();
        if writes {
            registers.time = time;
            self.gossip.append(operation, out).expect("it was admitted");
        }
    }

    fn on_txn(&mut self, from: ReplyTo, txn: Json<'_>, out: &mut Outbox<Self>) {
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        txn.write(&mut text);
        if txn.items().is_none() || !elements(&text).all(|step| Step::read(step).is_some()) {
            let why = "txn: a list of [\"r\", key, null] and [\"w\", key, value] is wanted";
            out.reply_error(from, ErrorCode::MALFORMED_REQUEST, why);
        } else if self.gossip.is_informed(out.now()) {
            self.execute(from, &text, out);
        } else if !self.waiting.keep(from, &text) {
            out.reply_error(from, ErrorCode::TEMPORARILY_UNAVAILABLE, "too many transactions wait for the first peer");
        }
        self.scratch = text;
    }

    fn on_progress(&mut self, out: &mut Outbox<Self>) {
        if self.gossip.is_informed(out.now()) {
            while let Some((from, text)) = self.waiting.take() {
                self.execute(from, &text, out);
            }
        }
    }
}

impl Node for Txn {
    type Request<'a> = Request<'a>;
    type Timer = Tick;
    type Call = Infallible;
    type Options = Settings;

    fn start(context: &NodeContext<'_, Settings>, out: &mut Outbox<Self>) -> Self {
        Self {
            gossip: Gossip::new(context, context.options, out),
            registers: Registers::default(),
            node: u32::try_from(context.me.index()).unwrap_or(u32::MAX),
            incarnation: context.incarnation,
            waiting: Waiting::default(),
            scratch: Vec::new(),
            operation: Vec::new(),
        }
    }

    fn on_settled(&mut self, out: &mut Outbox<Self>) {
        self.gossip.on_settled(out);
    }

    fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
        match request {
            Request::Txn { txn } => self.on_txn(from, txn, out),
            Request::Gossip(message) => {
                if let Some(peer) = from.peer() {
                    self.gossip.on_message(peer, &message, &mut self.registers, out);
                    self.on_progress(out);
                }
            }
        }
    }

    fn on_timer(&mut self, _: Tick, out: &mut Outbox<Self>) {
        self.gossip.on_tick(out);
        self.on_progress(out);
    }
}
