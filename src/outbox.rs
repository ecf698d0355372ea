//! The outbox of a handler: lines to send, pending calls, and timers.
//!
//! Its output is correct by construction: a line terminates itself, its destination exists, and a reply to a client
//! that has stopped waiting is withheld, because violating any of these would mute the node in Maelstrom (protocol
//! §1.7).

mod retries;

use std::collections::HashMap;

use crate::node::{MAX_CLIENT_ID, Node, Peer, ReplyTo, Response, Sender, Service, Target};
use crate::storage::Batch;
use crate::time::{Duration, Time};
use crate::wheel::Wheel;
use crate::wire::{ErrorCode, ErrorText, Line, Quote, REQUEST, TooLarge, write_str};
use retries::Retries;

pub use retries::{Policy, Repetition};

/// A client's request older than this gets no reply: clients time out 5 s after sending and may then leave the network.
/// `init` is exempt, its client waits 10 s.
pub const REPLY_WITHIN: Duration = Duration::from_secs(4);

/// Maximum number of pending calls; a call beyond it is not sent and expires at once.
pub const MAX_CALLS: usize = 1 << 16;

/// Maximum number of bytes of calls kept for retransmission; a call beyond it is not sent and fails at once.
pub const MAX_CALL_BYTES: usize = 256 << 20;

/// Counts of anomalous events since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Lines that were not messages.
    pub unreadable: u64,
    /// Messages rejected with an error, or dropped because none could be sent.
    pub rejected: u64,
    /// Messages dropped because they arrived before `init` and the buffer was full.
    pub early_dropped: u64,
    /// Replies withheld because the client had stopped waiting.
    pub late_replies: u64,
    /// Responses that arrived after their call had expired.
    pub late_responses: u64,
    /// Calls beyond [`MAX_CALLS`] or [`MAX_CALL_BYTES`], or too large for a service.
    pub rejected_calls: u64,
}

/// An entry of the timer wheel.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Due<T> {
    Timer(T),
    Call(i64),
    Retry(i64),
    Unsent(i64, Unsent),
    Settled,
}

/// Why a call was not sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unsent {
    /// [`MAX_CALL_BYTES`] was reached.
    Full,
    /// The request exceeds [`REQUEST`].
    TooLarge(TooLarge),
    /// Its line could not be written: JSON cannot represent a value, or the line exceeded
    /// [`MAX_LINE`](crate::wire::MAX_LINE).
    Unwritable,
}

impl Unsent {
    /// A definite error, since the call was never sent.
    const fn response(self) -> Response<'static> {
        let (code, text) = match self {
            Self::Full => (ErrorCode::TEMPORARILY_UNAVAILABLE, "too many calls are pending"),
            Self::TooLarge(what) => (ErrorCode::MALFORMED_REQUEST, what.message()),
            Self::Unwritable => {
                (ErrorCode::MALFORMED_REQUEST, "not JSON, or too large: a request stores at most 16 MiB")
            }
        };
        Response::Error { code, text }
    }
}

/// The ids of the cluster's nodes, in the forms that reading and writing lines need.
#[derive(Debug, Default)]
pub(crate) struct Names {
    nodes: Vec<Box<str>>,
    /// Positions in `nodes`, sorted by id.
    sorted: Vec<u32>,
    /// Whether a node's id starts with `c`, as those of clients do.
    client_like: bool,
    /// `{"src":"me","dest":"`
    source: Vec<u8>,
    /// The ids of the nodes as JSON text, without the quotes.
    escaped: Vec<Box<[u8]>>,
}

impl Names {
    pub(crate) fn new(me: &str, nodes: Vec<Box<str>>) -> Self {
        let source = Self::source(me);
        let escaped = nodes.iter().map(|node| escaped(node).into()).collect();
        let mut sorted: Vec<u32> = (0..u32::try_from(nodes.len()).unwrap_or(u32::MAX)).collect();
        sorted.sort_by_key(|index| &nodes[*index as usize]);
        let client_like = nodes.iter().any(|node| node.starts_with('c'));
        Self { nodes, sorted, client_like, source, escaped }
    }

    /// For a reply before `init`, when only the node's own id is known, from the message's `dest`.
    pub(crate) fn anonymous(me: &str) -> Self {
        Self { source: Self::source(me), ..Self::default() }
    }

    fn source(me: &str) -> Vec<u8> {
        [b"{\"src\":\"", escaped(me).as_slice(), b"\",\"dest\":\""].concat()
    }

    #[inline]
    pub(crate) fn peer(&self, id: &str) -> Option<Peer> {
        if id.starts_with('c') && !self.client_like {
            return None;
        }
        self.find(id)
    }

    fn find(&self, id: &str) -> Option<Peer> {
        let found = self.sorted.binary_search_by(|index| (*self.nodes[*index as usize]).cmp(id)).ok()?;
        Some(Peer::at(self.sorted[found] as usize))
    }

    /// `None` if the id is longer than [`MAX_CLIENT_ID`].
    #[inline]
    pub(crate) fn sender(&self, id: &str) -> Option<Sender> {
        if let Some(peer) = self.peer(id) {
            return Some(Sender::Peer(peer));
        }
        let mut inline = [0; MAX_CLIENT_ID];
        let len = if id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            inline.get_mut(..id.len())?.copy_from_slice(id.as_bytes());
            id.len()
        } else {
            let text = escaped(id);
            inline.get_mut(..text.len())?.copy_from_slice(&text);
            text.len()
        };
        Some(Sender::Client { len: u8::try_from(len).ok()?, id: inline })
    }
}

/// An id as JSON text, without the quotes.
pub(crate) fn escaped(id: &str) -> Vec<u8> {
    let mut text = Vec::new();
    write_str(&mut text, id);
    text[1..text.len() - 1].to_vec()
}

/// Everything that a handler can do: reply, send, call, and set timers.
#[derive(Debug)]
pub struct Outbox<N: Node> {
    now: Time,
    /// When lines last arrived; lines with the same time belong to the same batch.
    batch: Time,
    /// The earliest time at which a message of the batch may have arrived.
    received: Time,
    /// Lines to be written at the end of the batch.
    lines: Vec<u8>,
    /// Lines to peers and services, held back until these are certain to be registered.
    held: Vec<u8>,
    settled: bool,
    names: Names,
    wheel: Wheel<Due<N::Timer>>,
    calls: HashMap<i64, N::Call>,
    retries: Retries,
    next_call: i64,
    counters: Counters,
    /// What is to be stored before the lines leave; `None` where nothing is.
    unsaved: Option<Batch>,
}

impl<N: Node> Outbox<N> {
    pub(crate) fn new(first_call: i64, seed: u64, unsaved: Option<Batch>) -> Self {
        Self {
            now: Time::ZERO,
            batch: Time::ZERO,
            received: Time::ZERO,
            lines: Vec::new(),
            held: Vec::new(),
            settled: false,
            names: Names::default(),
            wheel: Wheel::new(),
            calls: HashMap::new(),
            retries: Retries::new(seed),
            next_call: first_call,
            counters: Counters::default(),
            unsaved,
        }
    }

    /// What is to be stored before the lines leave.
    pub(crate) const fn unsaved(&mut self) -> Option<&mut Batch> {
        self.unsaved.as_mut()
    }

    /// Whether the node has a storage.
    #[must_use]
    pub const fn is_durable(&self) -> bool {
        self.unsaved.is_some()
    }

    /// Stores a record before anything leaves that is sent in this wake-up, also what was sent before this call. After
    /// a restart it is among [`Stored::records`](crate::storage::Stored::records). Does nothing without a storage.
    ///
    /// # Panics
    /// The record is not shorter than [`MAX_BATCH`](crate::storage::MAX_BATCH).
    pub fn persist(&mut self, record: &[u8]) {
        if let Some(unsaved) = &mut self.unsaved {
            unsaved.push(record);
        }
    }

    /// Replaces everything that was stored by a snapshot of the node's state. Does nothing without a storage.
    pub fn persist_snapshot(&mut self, state: Vec<u8>) {
        if let Some(unsaved) = &mut self.unsaved {
            unsaved.replace(state);
        }
    }

    /// Starts a batch of lines, or continues that of the same time.
    pub(crate) fn on_lines(&mut self, now: Time) {
        if now != self.batch {
            self.batch = now;
            self.received = if self.wheel.is_empty() { now } else { self.now };
        }
        self.now = now;
    }

    /// Advances the time to a deadline; returns the number of entries in the wheel.
    pub(crate) fn on_deadline(&mut self, now: Time) -> usize {
        self.now = now;
        self.wheel.len()
    }

    /// Removes the next entry that is due.
    pub(crate) fn next_due(&mut self) -> Option<Due<N::Timer>> {
        self.wheel.pop(self.now).map(|(_, due)| due)
    }

    /// When the next entry is due, at most `max_wait` from now; `None` if the wheel is empty.
    pub(crate) fn next_deadline(&self, max_wait: Duration) -> Option<Time> {
        self.wheel.deadline().map(|deadline| deadline.min(self.now + max_wait))
    }

    /// The lines to be written at the end of the batch.
    pub(crate) const fn lines(&mut self) -> &mut Vec<u8> {
        &mut self.lines
    }

    /// Sets the ids of the cluster.
    pub(crate) fn set_names(&mut self, names: Names) {
        self.names = names;
    }

    /// Schedules [`Due::Settled`].
    pub(crate) fn settle_after(&mut self, after: Duration) {
        self.wheel.arm(self.now + after, Due::Settled);
    }

    pub(crate) const fn is_settled(&self) -> bool {
        self.settled
    }

    /// Releases the held lines to peers and services; returns whether this was the first call.
    pub(crate) fn settle(&mut self) -> bool {
        let settles = !std::mem::replace(&mut self.settled, true);
        if settles {
            self.lines.append(&mut self.held);
        }
        settles
    }

    /// The address for a reply to a message of this batch; `None` if the sender's id is longer than [`MAX_CLIENT_ID`].
    #[inline]
    pub(crate) fn reply_to(&self, src: &str, msg_id: Option<i64>) -> Option<ReplyTo> {
        Some(ReplyTo { sender: self.names.sender(src)?, msg_id, received: self.received })
    }

    pub(crate) const fn counters(&self) -> Counters {
        self.counters
    }

    pub(crate) const fn count(&mut self) -> &mut Counters {
        &mut self.counters
    }

    /// When the current batch arrived, or the current timer fired.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// Replies to a request. Nothing is sent if the request had no `msg_id`, or if a client has stopped waiting
    /// ([`REPLY_WITHIN`]).
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "with its kind known, a reply takes 100 instructions less")]
    pub fn reply(&mut self, to: ReplyTo, kind: &str) -> Line<'_> {
        let late = matches!(to.sender, Sender::Client { .. }) && self.now > to.received + REPLY_WITHIN;
        if late {
            self.withhold(kind);
        }
        self.reply_regardless(to, kind).discard_if(late)
    }

    #[cold]
    fn withhold(&mut self, kind: &str) {
        self.counters.late_replies += 1;
        let so_far = self.counters.late_replies;
        let kind = Quote::of(kind);
        log::warn!("withheld a {kind} reply: the client has stopped waiting ({so_far} so far)");
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as `reply`")]
    pub(crate) fn reply_regardless(&mut self, to: ReplyTo, kind: &str) -> Line<'_> {
        let (out, dest) = match &to.sender {
            Sender::Peer(peer) if self.settled => (&mut self.lines, &*self.names.escaped[peer.index()]),
            Sender::Peer(peer) => (&mut self.held, &*self.names.escaped[peer.index()]),
            Sender::Client { len, id } => (&mut self.lines, &id[..usize::from(*len)]),
        };
        let line = Line::begin(out, &self.names.source, dest, kind);
        line.integer(b",\"in_reply_to\":", to.msg_id.unwrap_or_default()).discard_if(to.msg_id.is_none())
    }

    /// Replies to a request with an error; `text` is truncated at [`MAX_ERROR_TEXT`](crate::wire::MAX_ERROR_TEXT).
    #[cold]
    pub fn reply_error(&mut self, to: ReplyTo, code: ErrorCode, text: &str) {
        self.reply(to, "error").field("code", code.0).field("text", ErrorText(text).to_string()).end();
    }

    /// Sends a message that expects no reply.
    pub fn send(&mut self, to: Peer, kind: &str) -> Line<'_> {
        let out = if self.settled { &mut self.lines } else { &mut self.held };
        Line::begin(out, &self.names.source, &self.names.escaped[to.index()], kind)
    }

    /// Sends a request. [`Node::on_response`] gets exactly one [`Response`] for it, after `timeout` at the latest.
    pub fn call(&mut self, to: impl Into<Target>, timeout: Duration, call: N::Call, kind: &str) -> Line<'_> {
        let id = self.next_call;
        self.next_call += 1;
        let full = self.calls.len() >= MAX_CALLS;
        if full {
            self.counters.rejected_calls += 1;
            log::error!("{MAX_CALLS} calls are waiting: this one expires unsent");
        }
        self.calls.insert(id, call);
        self.wheel.arm(if full { self.now } else { self.now + timeout }, Due::Call(id));
        let out = if self.settled { &mut self.lines } else { &mut self.held };
        let dest: &[u8] = match to.into() {
            Target::Peer(peer) => &self.names.escaped[peer.index()],
            Target::Service(Service::SeqKv) => b"seq-kv",
            Target::Service(Service::LinKv) => b"lin-kv",
            Target::Service(Service::LwwKv) => b"lww-kv",
            Target::Service(Service::LinTso) => b"lin-tso",
        };
        let line = Line::begin(out, &self.names.source, dest, kind);
        line.integer(b",\"msg_id\":", id).discard_if(full)
    }

    /// As [`Self::call`], but the request is retransmitted according to `policy`, with the same `msg_id`, and the first
    /// response counts. A definite error is passed on only if no attempt can have taken effect; if one may have, the
    /// call [expires](Response::Expired). An attempt that fails as temporarily unavailable is repeated until the
    /// deadline. A request whose fields exceed [`REQUEST`] is not sent, and fails with
    /// [`MALFORMED_REQUEST`](ErrorCode::MALFORMED_REQUEST).
    pub fn call_with_retry(
        &mut self,
        to: impl Into<Target>,
        policy: Policy,
        call: N::Call,
        kind: &str,
        fields: impl FnOnce(Line<'_>),
    ) {
        let (id, settled) = (self.next_call, self.settled);
        let start = if settled { self.lines.len() } else { self.held.len() };
        let is_full = self.calls.len() >= MAX_CALLS;
        let line = self.call(to, policy.timeout, call, kind);
        let fields_at = line.end_so_far();
        fields(line);
        if is_full {
            return;
        }
        let out = if settled { &mut self.lines } else { &mut self.held };
        let unsent = match out.get(fields_at..) {
            None => Some(Unsent::Unwritable),
            Some(fields) => REQUEST.admit(fields).err().map(Unsent::TooLarge),
        };
        let line = &out[start..];
        let unsent = unsent.or_else(|| (!self.retries.has_room(line.len())).then_some(Unsent::Full));
        if let Some(why) = unsent {
            out.truncate(start);
            self.counters.rejected_calls += 1;
            self.wheel.arm(self.now, Due::Unsent(id, why));
        } else {
            let pause = self.retries.insert(id, line, policy);
            self.wheel.arm(self.now + pause, Due::Retry(id));
        }
    }

    /// Removes a call that was not sent; returns it with its response.
    pub(crate) fn unsent(&mut self, id: i64, why: Unsent) -> Option<(N::Call, Response<'static>)> {
        Some((self.calls.remove(&id)?, why.response()))
    }

    /// Retransmits a request that is still pending.
    pub(crate) fn retry(&mut self, id: i64) {
        if let Some((line, pause)) = self.retries.retry(id) {
            let out = if self.settled { &mut self.lines } else { &mut self.held };
            out.extend_from_slice(line);
            self.wheel.arm(self.now + pause, Due::Retry(id));
        }
    }

    /// Handles a response; returns the call that it completes. `None` if the call is not pending, or will be retried.
    pub(crate) fn on_response<'a>(&mut self, id: i64, response: Response<'a>) -> Option<(N::Call, Response<'a>)> {
        if !self.calls.contains_key(&id) {
            self.counters.late_responses += 1;
            return None;
        }
        let response = self.retries.on_response(id, response)?;
        Some((self.calls.remove(&id)?, response))
    }

    /// Handles the deadline of a call; returns the call with its response if it was pending.
    pub(crate) fn expire(&mut self, id: i64) -> Option<(N::Call, Response<'static>)> {
        let call = self.calls.remove(&id)?;
        Some((call, self.retries.expire(id)))
    }

    /// Calls [`Node::on_timer`] once, `delay` from now. Timers with equal deadlines fire in the order they were armed.
    pub fn arm(&mut self, delay: Duration, timer: N::Timer) {
        self.wheel.arm(self.now + delay, Due::Timer(timer));
    }
}
