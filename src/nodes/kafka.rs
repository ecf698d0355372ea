//! Challenge 5: logs to which every node appends, with offsets assigned without coordination.
//!
//! A node assigns the offsets of the messages sent to it: the Lamport clock of the key, times the number of nodes, plus
//! the node's index. Offsets are unique, and greater than all that the node has seen. A message becomes *visible* once
//! no lower offset of its key can appear any more: when it is causally stable ([`View::on_stable`]), since all
//! concurrent messages have then been received. So `send`, `poll` and `commit_offsets` are answered at once by the
//! local replica, partitioned or not, and nodes exchange only the gossip of the replicated log. Polls lag by about two
//! rounds and four hops; in a partition, new messages become visible after it heals.
//!
//! A message of which a killed node held the only copy is lost, although its `send` was acknowledged; while a node is
//! down, no message becomes stable. Each incarnation registers at lin-kv to find out whether it is the first of its
//! node. If not, it does not know which offsets were assigned before, and replies to `send` only when it has caught up
//! ([`Replicated::has_caught_up`]).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use smallvec::SmallVec;

use super::request_queue::RequestQueue;
use crate::gossip::log::Origin;
use crate::gossip::{Message, Operation, Replicated, Settings, Tick, View};
use crate::kv::{self, CallError, IfMissing, KvClient, LIN_KV, Policy, Repetition, Swap};
use crate::node::{Node, NodeContext, ReplyTo, Response};
use crate::outbox::Outbox;
use crate::requests;
use crate::wire::{Bound, ErrorCode, Json, MAX_LINE, REQUEST, Raw, TooLarge, write_int, write_str};

/// Maximum number of messages of each key that a poll returns; the next poll continues after them.
pub const MAX_POLL: usize = 256;

/// Maximum size of a poll's messages, in bytes; a single message may be larger.
pub const MAX_POLL_BYTES: usize = MAX_LINE / 2;

/// The bound on a key and its message, which are replicated with a clock of up to twenty digits.
const SENT: Bound = Bound { bytes: REQUEST.bytes - 21, depth: REQUEST.depth };

requests! {
    /// Requests to a kafka node.
    #[derive(Debug)]
    pub enum Request<'a> {
        /// Append a message to the log of a key.
        "send" => Send { key: &'a str, msg: Json<'a> },
        /// Read messages, by key from which offset on.
        "poll" => Poll { offsets: Json<'a> },
        /// Store the offsets up to which keys were processed.
        "commit_offsets" => CommitOffsets { offsets: Json<'a> },
        /// Read the committed offsets of some keys.
        "list_committed_offsets" => ListCommittedOffsets { keys: Json<'a> },
        /// A message from another replica.
        "gossip" => Gossip(Message<'a>),
    }
}

/// The registry of first incarnations; registering twice has the same result as once.
const REGISTER: KvClient = LIN_KV.with_policy(Policy { repetition: Repetition::Harmless, ..kv::DEFAULT_POLICY });

/// The call that registers this incarnation as the first of its node.
#[derive(Debug, Clone, Copy)]
pub struct Register;

/// A message that is not visible yet. Ordered by its offset, which is unique.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Unstable {
    offset: u64,
    origin: Origin,
    number: u32,
    /// Most are short, and stored inline.
    message: SmallVec<[u8; 16]>,
}

/// The log of one key.
#[derive(Debug)]
struct Topic {
    /// The key as JSON text.
    key: Box<[u8]>,
    /// The Lamport clock for the next message.
    clock: u64,
    unstable: BinaryHeap<Reverse<Unstable>>,
    /// The offset of each visible message, and the end of its text.
    visible: Vec<(u64, usize)>,
    /// `,[offset,message]` for each visible message.
    text: Vec<u8>,
    committed: Option<u64>,
}

impl Topic {
    fn publish(&mut self, offset: u64, message: &[u8]) {
        self.text.push(b',');
        (offset, Raw(message)).encode(&mut self.text);
        self.visible.push((offset, self.text.len()));
    }

    /// The text of the messages from an offset on: the first, and as many more as [`MAX_POLL`] and `room`, in bytes,
    /// allow. Without the leading comma.
    fn from(&self, offset: u64, room: usize) -> Option<&[u8]> {
        let first = self.visible.partition_point(|(at, _)| *at < offset);
        let start = if first == 0 { 0 } else { self.visible[first - 1].1 };
        let visible = &self.visible[first..self.visible.len().min(first + MAX_POLL)];
        let mut end = visible.last()?.1;
        if end - start > room {
            let fit = visible.partition_point(|(_, end)| end - start <= room);
            end = visible[fit.max(1) - 1].1;
        }
        self.text.get(start + 1..end)
    }
}

/// All logs.
#[derive(Debug)]
struct Topics {
    nodes: u64,
    all: Vec<Topic>,
    by_key: HashMap<Box<[u8]>, usize>,
    /// The logs with messages that are not visible yet.
    busy: Vec<usize>,
}

impl Topics {
    fn find(&self, key: &[u8]) -> Option<&Topic> {
        self.by_key.get(key).map(|index| &self.all[*index])
    }

    /// The index of the log of a key, given as JSON text; creates the log if it does not exist.
    fn at(&mut self, key: &[u8]) -> usize {
        if let Some(index) = self.by_key.get(key) {
            return *index;
        }
        let topic = Topic {
            key: key.into(),
            clock: 0,
            unstable: BinaryHeap::new(),
            visible: Vec::new(),
            text: Vec::new(),
            committed: None,
        };
        self.all.push(topic);
        self.by_key.insert(key.into(), self.all.len() - 1);
        self.all.len() - 1
    }

    /// The clock for the next message of a key.
    fn clock(&self, key: &[u8]) -> u64 {
        self.find(key).map_or(0, |topic| topic.clock)
    }

    /// The offset of a message, from its clock and the node that assigned it.
    const fn offset(&self, clock: u64, node: u32) -> u64 {
        clock.saturating_mul(self.nodes).saturating_add(node as u64)
    }

    /// Adds a message, not visible yet.
    fn append(&mut self, key: &[u8], clock: u64, origin: Origin, number: u32, message: &[u8]) {
        let offset = self.offset(clock, origin.node);
        let index = self.at(key);
        let topic = &mut self.all[index];
        topic.clock = topic.clock.max(clock.saturating_add(1));
        if topic.unstable.is_empty() {
            self.busy.push(index);
        }
        let message = SmallVec::from_slice(message);
        topic.unstable.push(Reverse(Unstable { offset, origin, number, message }));
    }

    /// Raises the committed offset of a key; returns whether it grew.
    fn commit(&mut self, key: &[u8], offset: u64) -> bool {
        let index = self.at(key);
        let committed = &mut self.all[index].committed;
        let is_new = committed.is_none_or(|before| before < offset);
        if is_new {
            *committed = Some(offset);
        }
        is_new
    }
}

impl View for Topics {
    type Op<'a> = Op<'a>;

    fn apply(&mut self, origin: Origin, number: u32, op: Op<'_>) -> bool {
        match op {
            Op::Send(Raw(key), clock, Raw(message)) => self.append(key, clock, origin, number, message),
            Op::Commit(Raw(key), offset) => return self.commit(key, offset),
        }
        true
    }

    /// Makes stable messages visible, in the order of their offsets.
    fn on_stable(&mut self, is_stable: impl Fn(Origin, u32) -> bool) {
        let Self { all, busy, .. } = self;
        busy.retain(|index| {
            let topic = &mut all[*index];
            let is_next = |next: &Reverse<Unstable>| is_stable(next.0.origin, next.0.number);
            while topic.unstable.peek().is_some_and(is_next)
                && let Some(Reverse(Unstable { offset, message, .. })) = topic.unstable.pop()
            {
                topic.publish(offset, &message);
            }
            !topic.unstable.is_empty()
        });
    }
}

/// A replicated operation; keys and messages are JSON text.
#[derive(Debug)]
enum Op<'a> {
    /// `[key, clock, message]`
    Send(Raw<'a>, u64, Raw<'a>),
    /// `[key, offset]`
    Commit(Raw<'a>, u64),
}

impl<'a> Operation<'a> for Op<'a> {
    fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Send(key, clock, message) => (key, clock, message).encode(out),
            Self::Commit(key, offset) => (key, offset).encode(out),
        }
    }

    fn decode(text: &'a [u8]) -> Option<Self> {
        if let Some((key, clock, message)) = Operation::decode(text) {
            return Some(Self::Send(key, clock, message));
        }
        Operation::decode(text).map(|(key, offset)| Self::Commit(key, offset))
    }
}

/// A kafka node.
#[derive(Debug)]
pub struct Kafka {
    log: Replicated<Topics>,
    name: Box<str>,
    /// Whether offsets may be assigned: there was no earlier incarnation, or this one has caught up with it.
    may_assign: bool,
    waiting: RequestQueue,
    /// The JSON text of a key.
    key: Vec<u8>,
    scratch: Vec<u8>,
}

impl Kafka {
    /// Appends `[key, message]`, given as JSON text.
    fn append(&mut self, from: ReplyTo, text: &[u8], out: &mut Outbox<Self>) {
        let (Raw(key), message) = Operation::decode(text).expect("`on_send` has written two elements");
        let topics = self.log.view();
        let clock = topics.clock(key);
        let offset = topics.offset(clock, self.log.me().node);
        self.log.append(Op::Send(Raw(key), clock, message), out).expect("it was admitted with room for its clock");
        out.reply(from, "send_ok").field("offset", offset).end();
    }

    fn on_send(&mut self, from: ReplyTo, key: &str, message: Json<'_>, out: &mut Outbox<Self>) {
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        text.push(b'[');
        write_str(&mut text, key);
        text.push(b',');
        message.write(&mut text);
        text.push(b']');
        if let Err(what) = SENT.admit(&text) {
            out.reply_error(from, ErrorCode::MALFORMED_REQUEST, what.message());
        } else if self.may_assign {
            self.append(from, &text, out);
        } else if !self.waiting.push(from, &text) {
            out.reply_error(
                from,
                ErrorCode::TEMPORARILY_UNAVAILABLE,
                "too many messages wait until this node has caught up",
            );
        }
        self.scratch = text;
    }

    fn on_poll(&mut self, from: ReplyTo, offsets: Json<'_>, out: &mut Outbox<Self>) {
        let Some(offsets) = offsets.distinct_entries() else { return reject(from, "offsets: an object", out) };
        let Self { log, key, .. } = self;
        let topics = log.view();
        let write = |text: &mut Vec<u8>| {
            text.push(b'{');
            let start = text.len();
            for (name, offset) in offsets {
                key.clear();
                write_str(key, name);
                let from = offset.as_u64().unwrap_or_default();
                let room = MAX_POLL_BYTES.saturating_sub(text.len() - start + key.len());
                let Some(messages) = topics.find(key).and_then(|topic| topic.from(from, room)) else { continue };
                if text.len() > start {
                    if messages.len() > room {
                        continue;
                    }
                    text.push(b',');
                }
                text.extend_from_slice(key);
                text.extend_from_slice(b":[");
                text.extend_from_slice(messages);
                text.push(b']');
            }
            text.push(b'}');
        };
        out.reply(from, "poll_ok").field_with("msgs", write).end();
    }

    fn on_commit(&mut self, from: ReplyTo, offsets: Json<'_>, out: &mut Outbox<Self>) {
        let named = offsets.entries();
        let Some(offsets) = offsets.distinct_entries() else { return reject(from, "offsets: an object", out) };
        if let Err(what) = named.into_iter().flatten().try_for_each(|(name, _)| self.admit_commit(name)) {
            return out.reply_error(from, ErrorCode::MALFORMED_REQUEST, what.message());
        }
        for (name, offset) in offsets {
            let Some(offset) = offset.as_u64() else { continue };
            self.key.clear();
            write_str(&mut self.key, name);
            self.log.append(Op::Commit(Raw(&self.key), offset), out).expect("it was admitted with the longest offset");
        }
        out.reply(from, "commit_offsets_ok").end();
    }

    /// Checks that the longest commit of a key is within the bound.
    fn admit_commit(&mut self, name: &str) -> Result<(), TooLarge> {
        // Escaping takes up to six bytes per byte.
        if name.len() < REQUEST.depth / 6 {
            return Ok(());
        }
        self.key.clear();
        write_str(&mut self.key, name);
        self.scratch.clear();
        Op::Commit(Raw(&self.key), u64::MAX).encode(&mut self.scratch);
        REQUEST.admit(&self.scratch)
    }

    fn on_list(&mut self, from: ReplyTo, keys: Json<'_>, out: &mut Outbox<Self>) {
        let Some(keys) = keys.items() else { return reject(from, "keys: an array", out) };
        let mut names: SmallVec<[&str; 16]> = keys.filter_map(Json::as_str).collect();
        names.sort_unstable();
        names.dedup();
        let Self { log, key, .. } = self;
        let topics = log.view();
        let write = |text: &mut Vec<u8>| {
            text.push(b'{');
            for name in names {
                key.clear();
                write_str(key, name);
                let Some(topic) = topics.find(key) else { continue };
                let Some(committed) = topic.committed else { continue };
                if text.last() != Some(&b'{') {
                    text.push(b',');
                }
                text.extend_from_slice(&topic.key);
                text.push(b':');
                write_int(text, committed);
            }
            text.push(b'}');
        };
        out.reply(from, "list_committed_offsets_ok").field_with("offsets", write).end();
    }

    fn on_progress(&mut self, out: &mut Outbox<Self>) {
        if !self.may_assign && self.log.has_caught_up() {
            self.resume(out);
        }
    }

    /// Handles the waiting requests.
    fn resume(&mut self, out: &mut Outbox<Self>) {
        self.may_assign = true;
        while let Some((from, text)) = self.waiting.pop() {
            self.append(from, &text, out);
        }
    }

    /// Registers this incarnation as the first of its node.
    fn register(&self, out: &mut Outbox<Self>) {
        let incarnation = self.log.me().incarnation;
        REGISTER.cas(&*self.name, (incarnation, incarnation), IfMissing::Create, Register, out);
    }
}

fn reject(from: ReplyTo, wanted: &str, out: &mut Outbox<Kafka>) {
    out.reply_error(from, ErrorCode::MALFORMED_REQUEST, wanted);
}

impl Node for Kafka {
    type Request<'a> = Request<'a>;
    type Timer = Tick;
    type Call = Register;
    type Options = Settings;

    fn start(context: &NodeContext<'_, Settings>, out: &mut Outbox<Self>) -> Self {
        let topics =
            Topics { nodes: context.nodes.len() as u64, all: Vec::new(), by_key: HashMap::new(), busy: Vec::new() };
        let node = Self {
            log: Replicated::new(context, context.options, topics, out),
            name: context.nodes[context.me.index()].clone(),
            may_assign: false,
            waiting: RequestQueue::default(),
            key: Vec::new(),
            scratch: Vec::new(),
        };
        node.register(out);
        node
    }

    fn on_settled(&mut self, out: &mut Outbox<Self>) {
        self.log.on_settled(out);
    }

    fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
        match request {
            Request::Send { key, msg } => self.on_send(from, key, msg, out),
            Request::Poll { offsets } => self.on_poll(from, offsets, out),
            Request::CommitOffsets { offsets } => self.on_commit(from, offsets, out),
            Request::ListCommittedOffsets { keys } => self.on_list(from, keys, out),
            Request::Gossip(message) => {
                self.log.on_message(from, &message, out);
                self.on_progress(out);
            }
        }
    }

    fn on_response(&mut self, _: Register, response: Response<'_>, out: &mut Outbox<Self>) {
        match kv::swapped(response) {
            Err(CallError::Indefinite) => self.register(out),
            Ok(Swap::Done) => {
                self.log.track_stability(out);
                self.resume(out);
            }
            Ok(Swap::Differs | Swap::Absent) | Err(_) => self.log.track_stability(out),
        }
    }

    fn on_timer(&mut self, _: Tick, out: &mut Outbox<Self>) {
        self.log.on_tick(out);
        self.on_progress(out);
    }
}
