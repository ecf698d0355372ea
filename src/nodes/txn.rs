//! Challenge 6: totally available transactions that read and write registers.
//!
//! A transaction executes at once on the local replica and is replicated as one operation with a Lamport timestamp. For
//! each key the write with the highest (time, node, incarnation) wins, so replicas with the same operations are equal.
//!
//! Guarantees: no transaction sees another's intermediate or aborted state, and those of a transaction's writes that
//! are not overwritten become visible together (monotonic atomic view); write-write and write-read dependencies follow
//! the timestamps, so they form no cycles (no G0, no G1). Not prevented: two transactions that read and then write the
//! same key may both succeed (lost update, write skew), and reads may be stale. Other nodes receive a transaction
//! within a period and two hops; an operation of which a killed node held the only copy is lost.
//!
//! A restarted node does not know which timestamps its earlier incarnation has used. Its replies wait until it has
//! received the operations of a peer.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;

use smallvec::SmallVec;

use super::request_queue::RequestQueue;
use crate::gossip::log::Origin;
use crate::gossip::{Message, Operation, Replicated, Settings, Tick, View};
use crate::node::{Node, NodeContext, ReplyTo};
use crate::outbox::Outbox;
use crate::requests;
use crate::wire::{Array, ErrorCode, Json, MAX_REPLY, REPLY_TOO_LARGE, Raw, elements};

requests! {
    /// Requests to a transaction node.
    #[derive(Debug)]
    pub enum Request<'a> {
        /// Read and write registers: a list of `["r", key, null]` and `["w", key, value]`.
        "txn" => Txn { txn: Json<'a> },
        /// A message from another replica.
        "gossip" => Gossip(Message<'a>),
    }
}

/// The timestamp of a write: Lamport time, node, incarnation.
type Stamp = (u64, u32, u64);

/// The registers, by the JSON text of their key.
#[derive(Debug, Default)]
struct Registers {
    /// The highest time seen.
    time: u64,
    /// The length of the longest value ever stored, in bytes.
    longest: usize,
    table: HashMap<Box<[u8]>, (Stamp, Vec<u8>)>,
}

impl Registers {
    /// The JSON text of a value.
    fn read(&self, key: &[u8]) -> &[u8] {
        self.table.get(key).map_or(b"null", |(_, value)| value)
    }

    /// Whether the reply to a transaction, given as JSON text, is within [`MAX_REPLY`].
    fn fits_reply(&self, text: &[u8]) -> bool {
        // No micro-operation is shorter than `["r",1,1]`, and none reads a value longer than the longest ever written.
        let micro_ops = text.len() / 9 + 1;
        let most = micro_ops.saturating_mul(self.longest.max(text.len())).saturating_add(text.len());
        most <= MAX_REPLY || self.reply_bytes(text) <= MAX_REPLY
    }

    #[cold]
    fn reply_bytes(&self, text: &[u8]) -> usize {
        let mut written = BTreeMap::new();
        let mut bytes = 0;
        for op in micro_ops(text) {
            if op.writes {
                written.insert(op.key, op.value.len());
            }
            let value = written.get(op.key).copied().unwrap_or_else(|| self.read(op.key).len());
            bytes += br#",["r",,]"#.len() + op.key.len() + value;
        }
        bytes
    }

    /// Executes a transaction, given as JSON text, and replies to it; returns `false` if its reply would be too large.
    fn execute(&mut self, from: ReplyTo, text: &[u8], stamp: Stamp, out: &mut Outbox<Txn>) -> bool {
        if !self.fits_reply(text) {
            out.reply_error(from, ErrorCode::ABORT, REPLY_TOO_LARGE);
            return false;
        }
        let reply = out.reply(from, "txn_ok").field_with("txn", |out| {
            let mut done = Array::begin(out);
            for op in micro_ops(text) {
                if op.writes {
                    self.time = stamp.0;
                    self.write(stamp, op.key, op.value);
                }
                let (verb, value) = if op.writes { (WRITE, op.value) } else { (READ, self.read(op.key)) };
                done.push(|out| (Raw(verb), Raw(op.key), Raw(value)).encode(out));
            }
            done.end();
        });
        reply.end();
        true
    }

    /// Writes a value, unless a later write is there; of one transaction's writes to a key the last one wins.
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
    type Op<'a> = Writes<'a>;

    fn apply(&mut self, origin: Origin, _: u32, op: Writes<'_>) -> bool {
        self.time = self.time.max(op.time);
        for (key, value) in op.pairs {
            self.write((op.time, origin.node, origin.incarnation), key, value);
        }
        true
    }
}

/// The writes of a transaction and their Lamport time: `[time, key, value, key, value, ...]`.
struct Writes<'a> {
    time: u64,
    /// Keys and values as JSON text.
    pairs: SmallVec<[(&'a [u8], &'a [u8]); 8]>,
}

impl<'a> Operation<'a> for Writes<'a> {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut array = Array::begin(out);
        array.push(|out| self.time.encode(out));
        for text in self.pairs.iter().flat_map(|(key, value)| [key, value]) {
            array.push(|out| Raw(text).encode(out));
        }
        array.end();
    }

    fn decode(text: &'a [u8]) -> Option<Self> {
        let mut parts = elements(text);
        let time = u64::decode(parts.next()?)?;
        let pairs = std::iter::from_fn(|| Some((parts.next()?, parts.next()?))).collect();
        Some(Self { time, pairs })
    }
}

/// The functions of micro-operations, as JSON text.
const READ: &[u8] = b"\"r\"";
const WRITE: &[u8] = b"\"w\"";

/// The micro-operations of a transaction, given as JSON text.
fn micro_ops(text: &[u8]) -> impl Iterator<Item = MicroOp<'_>> {
    elements(text).filter_map(MicroOp::read)
}

/// One micro-operation of a transaction.
struct MicroOp<'a> {
    writes: bool,
    key: &'a [u8],
    value: &'a [u8],
}

impl<'a> MicroOp<'a> {
    fn read(text: &'a [u8]) -> Option<Self> {
        let (Raw(verb), Raw(key), Raw(value)) = Operation::decode(text)?;
        let writes = match verb {
            READ => false,
            WRITE => true,
            _ => return None,
        };
        Some(Self { writes, key, value })
    }
}

/// A transaction node.
#[derive(Debug)]
pub struct Txn {
    log: Replicated<Registers>,
    waiting: RequestQueue,
    scratch: Vec<u8>,
}

impl Txn {
    /// Executes a transaction, given as JSON text, unless it is too large.
    fn execute(&mut self, from: ReplyTo, text: &[u8], out: &mut Outbox<Self>) {
        let Origin { node, incarnation } = self.log.me();
        let time = self.log.view().time.saturating_add(1);
        let writes = micro_ops(text).filter(|op| op.writes);
        let op = Writes { time, pairs: writes.map(|op| (op.key, op.value)).collect() };
        let done = self.log.append_with(&op, out, |registers, out| {
            let is_answered = registers.execute(from, text, (time, node, incarnation), out);
            is_answered && !op.pairs.is_empty()
        });
        if let Err(what) = done {
            out.reply_error(from, ErrorCode::MALFORMED_REQUEST, what.message());
        }
    }

    fn on_txn(&mut self, from: ReplyTo, txn: Json<'_>, out: &mut Outbox<Self>) {
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        txn.write(&mut text);
        if txn.items().is_none() || !elements(&text).all(|op| MicroOp::read(op).is_some()) {
            let why = "txn: a list of [\"r\", key, null] and [\"w\", key, value] is wanted";
            out.reply_error(from, ErrorCode::MALFORMED_REQUEST, why);
        } else if self.log.is_bootstrapped(out.now()) {
            self.execute(from, &text, out);
        } else if !self.waiting.push(from, &text) {
            out.reply_error(from, ErrorCode::TEMPORARILY_UNAVAILABLE, "too many transactions wait for the first peer");
        }
        self.scratch = text;
    }

    fn on_progress(&mut self, out: &mut Outbox<Self>) {
        if self.log.is_bootstrapped(out.now()) {
            while let Some((from, text)) = self.waiting.pop() {
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
            log: Replicated::new(context, context.options, Registers::default(), out),
            waiting: RequestQueue::default(),
            scratch: Vec::new(),
        }
    }

    fn on_settled(&mut self, out: &mut Outbox<Self>) {
        self.log.on_settled(out);
    }

    fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
        match request {
            Request::Txn { txn } => self.on_txn(from, txn, out),
            Request::Gossip(message) => {
                self.log.on_message(from, &message, out);
                self.on_progress(out);
            }
        }
    }

    fn on_timer(&mut self, _: Tick, out: &mut Outbox<Self>) {
        self.log.on_tick(out);
        self.on_progress(out);
    }
}
