//! What a handler leaves behind: lines to send, calls to wait for, timers to fire.
//!
//! Everything here is correct by construction: a line ends itself, its addressee exists, and a reply to a client that
//! has stopped waiting is withheld, because any of these would mute the node in Maelstrom (protocol §1.7).

mod retries;

use std::collections::HashMap;

use crate::node::{MAX_CLIENT_ID, Node, Peer, ReplyTo, Response, Service, Target, Who};
use crate::time::{Duration, Time};
use crate::wheel::Wheel;
use crate::wire::{ErrorCode, Line, Quote, REQUEST, Sentence, TooLarge, write_str};
use retries::Retries;

pub use retries::{Policy, Repetition};

/// A client's request older than this gets no reply: clients give up 5 s after sending and may then be gone for good.
/// `init` is exempt, its client waits 10 s.
pub const REPLY_WITHIN: Duration = Duration::from_secs(4);

/// At most this many calls wait for answers at once; a call beyond it is not sent and expires at once.
pub const MAX_CALLS: usize = 1 << 16;

/// At most this many bytes of calls are kept to be sent again; a call beyond it is not sent, and is refused at once.
pub const MAX_CALL_BYTES: usize = 256 << 20;

/// What happened that should not have, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Lines that were not messages.
    pub unreadable: u64,
    /// Messages refused with an error, or dropped because none could be sent.
    pub refused: u64,
    /// Messages before `init` beyond what is kept.
    pub early_dropped: u64,
    /// Replies withheld because the client had stopped waiting.
    pub late_replies: u64,
    /// Answers that came after their call had expired.
    pub late_answers: u64,
    /// Calls beyond [`MAX_CALLS`] or [`MAX_CALL_BYTES`], or too large for a service.
    pub refused_calls: u64,
}

/// What an entry of the wheel means.
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
    /// Too many bytes are kept for others.
    Full,
    /// No service should be asked so much.
    TooLarge(TooLarge),
    /// It was taken back as it was written: JSON has no such value, or it was longer than any line.
    TakenBack,
}

impl Unsent {
    /// A definite error: nobody has heard of the call.
    const fn answer(self) -> Response<'static> {
        let (code, text) = match self {
            Self::Full => (ErrorCode::TEMPORARILY_UNAVAILABLE, "too many calls wait for answers"),
            Self::TooLarge(what) => (ErrorCode::MALFORMED_REQUEST, what.why()),
            Self::TakenBack => (ErrorCode::MALFORMED_REQUEST, "no JSON, or too large: a request stores at most 16 MiB"),
        };
        Response::Error { code, text }
    }
}

/// The names of the cluster, as a line needs them.
#[derive(Debug, Default)]
pub(crate) struct Names {
    nodes: Vec<Box<str>>,
    /// Positions in `nodes`, sorted by id.
    sorted: Vec<u32>,
    /// Whether an id begins like a client's.
    client_like: bool,
    /// `{"src":"me","dest":"`
    source: Vec<u8>,
    /// The nodes as JSON text, without the quotes.
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

    /// Names for a reply before `init`: only who we were addressed as is known.
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

    /// `None` if the id is too long to keep.
    #[inline]
    pub(crate) fn who(&self, id: &str) -> Option<Who> {
        if let Some(peer) = self.peer(id) {
            return Some(Who::Peer(peer));
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
        Some(Who::Client { len: u8::try_from(len).ok()?, id: inline })
    }
}

/// An id as JSON text, without the quotes.
pub(crate) fn escaped(id: &str) -> Vec<u8> {
    let mut text = Vec::new();
    write_str(&mut text, id);
    text[1..text.len() - 1].to_vec()
}

/// Everything a handler can do.
#[derive(Debug)]
pub struct Outbox<N: Node> {
    now: Time,
    /// When lines last came: what comes at the same time belongs to the same batch.
    batch: Time,
    /// When the oldest message of the batch may have arrived.
    received: Time,
    /// Lines that leave at the end of this batch.
    lines: Vec<u8>,
    /// Lines to peers and services that wait until these surely exist.
    held: Vec<u8>,
    settled: bool,
    names: Names,
    wheel: Wheel<Due<N::Timer>>,
    calls: HashMap<i64, N::Call>,
    retries: Retries,
    next_call: i64,
    counters: Counters,
}

impl<N: Node> Outbox<N> {
    pub(crate) fn new(first_call: i64, seed: u64) -> Self {
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
        }
    }

    /// Lines have come.
    pub(crate) fn on_lines(&mut self, now: Time) {
        if now != self.batch {
            self.batch = now;
            self.received = if self.wheel.is_empty() { now } else { self.now };
        }
        self.now = now;
    }

    /// A deadline has come; returns how many entries of the wheel there are to look at.
    pub(crate) fn on_deadline(&mut self, now: Time) -> usize {
        self.now = now;
        self.wheel.len()
    }

    /// The next thing that is due.
    pub(crate) fn next_due(&mut self) -> Option<Due<N::Timer>> {
        self.wheel.pop(self.now).map(|(_, due)| due)
    }

    /// When the next thing is due, or the node must look at the time: `max_wait` from now.
    pub(crate) fn next_deadline(&self, max_wait: Duration) -> Option<Time> {
        self.wheel.deadline().map(|deadline| deadline.min(self.now + max_wait))
    }

    /// The lines that leave at the end of this batch.
    pub(crate) const fn lines(&mut self) -> &mut Vec<u8> {
        &mut self.lines
    }

    /// Learns who is in the cluster.
    pub(crate) fn introduce(&mut self, names: Names) {
        self.names = names;
    }

    /// Has [`Due::Settled`] come due `after` this long.
    pub(crate) fn settle_after(&mut self, after: Duration) {
        self.wheel.arm(self.now + after, Due::Settled);
    }

    pub(crate) const fn is_settled(&self) -> bool {
        self.settled
    }

    /// Lets go of the lines to peers and services; says whether they were held until now.
    pub(crate) fn settle(&mut self) -> bool {
        let settles = !std::mem::replace(&mut self.settled, true);
        if settles {
            self.lines.append(&mut self.held);
        }
        settles
    }

    /// The ticket for a reply to a message of this batch; `None` if the sender's id is too long to keep.
    #[inline]
    pub(crate) fn ticket(&self, src: &str, msg_id: Option<i64>) -> Option<ReplyTo> {
        Some(ReplyTo { who: self.names.who(src)?, msg_id, received: self.received })
    }

    pub(crate) const fn counters(&self) -> Counters {
        self.counters
    }

    pub(crate) const fn count(&mut self) -> &mut Counters {
        &mut self.counters
    }

    /// When the current batch arrived.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// Replies to a request. Nothing is sent if the request had no `msg_id`, or if a client has stopped waiting
    /// ([`REPLY_WITHIN`]).
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "with its kind known, a reply takes 100 instructions less")]
    pub fn reply(&mut self, to: ReplyTo, kind: &str) -> Line<'_> {
        let late = matches!(to.who, Who::Client { .. }) && self.now > to.received + REPLY_WITHIN;
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
        let (out, dest) = match &to.who {
            Who::Peer(peer) if self.settled => (&mut self.lines, &*self.names.escaped[peer.index()]),
            Who::Peer(peer) => (&mut self.held, &*self.names.escaped[peer.index()]),
            Who::Client { len, id } => (&mut self.lines, &id[..usize::from(*len)]),
        };
        let line = Line::begin(out, &self.names.source, dest, kind);
        line.integer(b",\"in_reply_to\":", to.msg_id.unwrap_or_default()).discard_if(to.msg_id.is_none())
    }

    /// Refuses a request; `text`, one sentence, says why, and is cut at [`MAX_SENTENCE`](crate::wire::MAX_SENTENCE).
    #[cold]
    pub fn reply_error(&mut self, to: ReplyTo, code: ErrorCode, text: &str) {
        self.reply(to, "error").field("code", code.0).field("text", Sentence(text).to_string()).end();
    }

    /// Sends a message that expects no answer.
    pub fn send(&mut self, to: Peer, kind: &str) -> Line<'_> {
        let out = if self.settled { &mut self.lines } else { &mut self.held };
        Line::begin(out, &self.names.source, &self.names.escaped[to.index()], kind)
    }

    /// Sends a request; exactly one [`Response`] comes to
    /// [`Node::on_response`], within `timeout` at the latest.
    pub fn call(&mut self, to: impl Into<Target>, timeout: Duration, call: N::Call, kind: &str) -> Line<'_> {
        let id = self.next_call;
        self.next_call += 1;
        let full = self.calls.len() >= MAX_CALLS;
        if full {
            self.counters.refused_calls += 1;
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

    /// As [`Self::call`], but the request is sent again as `policy` says, under its old number, so that whichever
    /// answer comes first counts. A definite error is passed on only if no attempt can have had an effect; if one may
    /// have had, the call has [expired](Response::Expired). "Temporarily unavailable" is no answer while there is time.
    /// Fields beyond [`REQUEST`] are not sent, and answered with [`MALFORMED_REQUEST`](ErrorCode::MALFORMED_REQUEST).
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
            None => Some(Unsent::TakenBack),
            Some(fields) => REQUEST.admit(fields).err().map(Unsent::TooLarge),
        };
        let line = &out[start..];
        let unsent = unsent.or_else(|| (!self.retries.has_room(line.len())).then_some(Unsent::Full));
        if let Some(why) = unsent {
            out.truncate(start);
            self.counters.refused_calls += 1;
            self.wheel.arm(self.now, Due::Unsent(id, why));
        } else {
            let pause = self.retries.keep(id, line, policy);
            self.wheel.arm(self.now + pause, Due::Retry(id));
        }
    }

    /// The call that was not sent, and what is said to it.
    pub(crate) fn unsent(&mut self, id: i64, why: Unsent) -> Option<(N::Call, Response<'static>)> {
        Some((self.calls.remove(&id)?, why.answer()))
    }

    /// Sends a request again whose answer is still waited for.
    pub(crate) fn retry(&mut self, id: i64) {
        if let Some((line, pause)) = self.retries.again(id) {
            let out = if self.settled { &mut self.lines } else { &mut self.held };
            out.extend_from_slice(line);
            self.wheel.arm(self.now + pause, Due::Retry(id));
        }
    }

    /// The call that an answer ends, and what it says; `None` if nobody waits for it, or it will be tried again.
    pub(crate) fn answered<'a>(&mut self, id: i64, answer: Response<'a>) -> Option<(N::Call, Response<'a>)> {
        if !self.calls.contains_key(&id) {
            self.counters.late_answers += 1;
            return None;
        }
        let answer = self.retries.on_response(id, answer)?;
        Some((self.calls.remove(&id)?, answer))
    }

    /// The call whose time is over, if it was not answered.
    pub(crate) fn give_up(&mut self, id: i64) -> Option<(N::Call, Response<'static>)> {
        let call = self.calls.remove(&id)?;
        Some((call, self.retries.give_up(id)))
    }

    /// Fires [`Node::on_timer`] once, `delay` from now. Timers of equal deadlines fire in the order they were armed.
    pub fn arm(&mut self, delay: Duration, timer: N::Timer) {
        self.wheel.arm(self.now + delay, Due::Timer(timer));
    }
}
