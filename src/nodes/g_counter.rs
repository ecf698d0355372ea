//! A counter on seq-kv: each node stores the sum of its own adds under its own key, and reads return the total.
//!
//! A node is the only writer of its key, so writes never conflict. Pending adds are committed together, by a
//! compare-and-set from the last stored value, and acknowledged once they are stored, so that acknowledged adds survive
//! the node. Stored values never repeat (each has a number and the incarnation that wrote it): a delayed write of an
//! earlier incarnation cannot overwrite a later one, and a node whose write got no response can read whether it took
//! effect.
//!
//! Reads are answered at once from the last known sums. The sums of the others are refreshed periodically, always after
//! a write of this node, because seq-kv may otherwise return a state from before it (protocol §8.3).
//!
//! A commit costs two messages; a refresh of `n` nodes 2 (n - 1), and two more if nothing was committed since the last.

use serde::{Deserialize, Serialize};

use crate::kv::{self, IfMissing, KvClient, Policy, Repetition, SEQ_KV, Swap};
use crate::node::{Node, NodeContext, Peer, ReplyTo, Response};
use crate::outbox::Outbox;
use crate::requests;
use crate::time::{Duration, Time};
use crate::wire::ErrorCode;

/// Lower bound on the time between refreshes, with up to four nodes. With more it grows in proportion, so that the
/// total number of messages grows linearly with the nodes, up to [`MAX_INTERVAL`].
pub const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// Upper bound on the time between refreshes; it doubles up to this while refreshes find nothing new.
pub const MAX_INTERVAL: Duration = Duration::from_secs(3);

/// Maximum number of requests that wait for seq-kv; more are rejected.
pub const MAX_WAITING: usize = 1 << 16;

/// The store; no value is written twice, so every request may be retransmitted.
const STORE: KvClient = SEQ_KV.with_policy(Policy { repetition: Repetition::Detected, ..kv::DEFAULT_POLICY });

requests! {
    /// Requests to a counter.
    #[derive(Debug)]
    pub enum Request<'a> {
        /// Add this to the counter.
        "add" => Add { delta: i64 },
        /// Read the total.
        "read" => Read {},
    }
}

/// A call to seq-kv.
#[derive(Debug, Clone, Copy)]
pub enum Call {
    /// Store the new sum.
    Commit,
    /// Write a new value, so that the reads that follow are not stale.
    Freshen,
    /// Read a node's sum.
    Read(Peer),
}

/// A stored value: the sum of a node's adds, the number of earlier values, and the incarnation that wrote it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Stored(i64, u64, u64);

impl Stored {
    /// Takes over a later value, one with a larger number; returns whether it was later. A missing key has number 0.
    fn advance(&mut self, found: Self) -> bool {
        let is_later = found.1 > self.1;
        if is_later {
            *self = found;
        }
        is_later
    }
}

/// The state of the node's own key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The stored value is unknown: an earlier incarnation may have stored one, or a commit failed.
    Unknown,
    /// The stored value is known.
    Idle,
    /// This value is being stored.
    Committing(Stored),
}

/// A g-counter node.
#[derive(Debug)]
pub struct GCounter {
    me: Peer,
    incarnation: u64,
    keys: Box<[Box<str>]>,
    /// The latest known value of each node.
    known: Box<[Stored]>,
    stage: Stage,
    /// A commit whose outcome is unknown.
    indefinite: Option<Stored>,
    adds: Vec<(ReplyTo, i64)>,
    committing: Vec<(ReplyTo, i64)>,
    /// Reads that wait for the first refresh; `None` after it.
    reads: Option<Vec<ReplyTo>>,
    refresh: Refresh,
}

/// The periodic refresh of the other nodes' sums.
#[derive(Debug)]
struct Refresh {
    least: Duration,
    interval: Duration,
    began: Time,
    /// When the next one is due.
    next: Time,
    /// The number of pending calls.
    outstanding: usize,
    /// The key of [`Call::Freshen`], and the number of writes to it.
    scratch: Box<str>,
    writes: u64,
    /// Whether a commit was stored since the last refresh.
    fresh: bool,
    /// Whether this refresh has found a new value, and whether a call failed.
    found_new: bool,
    failed: bool,
}

impl GCounter {
    fn own(&mut self) -> &mut Stored {
        &mut self.known[self.me.index()]
    }

    fn total(&self) -> i64 {
        self.known.iter().fold(0, |sum, stored| sum.saturating_add(stored.0))
    }

    /// Starts to commit the pending adds, unless a commit is under way. The adds of a failed commit are retried without
    /// later ones: the failed attempt may still take effect, and must then be indistinguishable from the retry.
    fn commit(&mut self, out: &mut Outbox<Self>) {
        if self.stage != Stage::Idle {
            return;
        }
        if self.committing.is_empty() {
            std::mem::swap(&mut self.committing, &mut self.adds);
        }
        if self.committing.is_empty() {
            return;
        }
        let from = *self.own();
        let sum = self.committing.iter().fold(from.0, |sum, (_, delta)| sum.saturating_add(*delta));
        let to = Stored(sum, from.1 + 1, self.incarnation);
        self.stage = Stage::Committing(to);
        STORE.cas(&*self.keys[self.me.index()], (from, to), IfMissing::Create, Call::Commit, out);
    }

    fn on_commit(&mut self, response: Response<'_>, out: &mut Outbox<Self>) {
        let Stage::Committing(to) = self.stage else { return };
        if kv::swapped(response) == Ok(Swap::Done) {
            self.refresh.fresh = true;
            self.committed(to, out);
        } else {
            // Even after a definite error: seq-kv may have compared with a stale value.
            self.stage = Stage::Unknown;
            self.indefinite = Some(to);
            self.start_refresh(out);
        }
    }

    fn committed(&mut self, stored: Stored, out: &mut Outbox<Self>) {
        *self.own() = stored;
        self.stage = Stage::Idle;
        for (from, _) in self.committing.drain(..) {
            out.reply(from, "add_ok").end();
        }
        self.commit(out);
    }

    /// Starts a refresh, unless one is under way.
    fn start_refresh(&mut self, out: &mut Outbox<Self>) {
        let is_alone = self.keys.len() == 1 && self.stage != Stage::Unknown;
        if self.refresh.outstanding > 0 || is_alone {
            return;
        }
        self.refresh.began = out.now();
        (self.refresh.found_new, self.refresh.failed) = (false, false);
        if std::mem::take(&mut self.refresh.fresh) && self.stage != Stage::Unknown {
            self.read(out);
        } else {
            self.refresh.writes += 1;
            self.refresh.outstanding = 1;
            STORE.write(&*self.refresh.scratch, [self.incarnation, self.refresh.writes], Call::Freshen, out);
        }
    }

    /// Reads the keys of the others, and the node's own if its value is unknown.
    fn read(&mut self, out: &mut Outbox<Self>) {
        for (index, key) in self.keys.iter().enumerate() {
            let peer = Peer::at(index);
            if peer != self.me || self.stage == Stage::Unknown {
                self.refresh.outstanding += 1;
                STORE.read(&**key, Call::Read(peer), out);
            }
        }
    }

    fn on_read(&mut self, peer: Peer, response: Response<'_>, out: &mut Outbox<Self>) {
        self.refresh.outstanding -= 1;
        match kv::found::<Stored>(response) {
            Ok(found) => {
                let found = found.unwrap_or_default();
                self.refresh.found_new |= self.known[peer.index()].advance(found);
                if peer == self.me && self.stage == Stage::Unknown {
                    self.on_own_value(out);
                }
            }
            Err(_) => self.refresh.failed = true,
        }
        if self.refresh.outstanding == 0 {
            self.finish_refresh(out);
        }
    }

    /// Handles the node's own stored value becoming known.
    fn on_own_value(&mut self, out: &mut Outbox<Self>) {
        let stored = *self.own();
        self.stage = Stage::Idle;
        if self.indefinite.take() == Some(stored) {
            self.committed(stored, out);
        } else {
            self.commit(out);
        }
    }

    fn finish_refresh(&mut self, out: &mut Outbox<Self>) {
        if !self.refresh.failed {
            let total = self.total();
            for from in self.reads.take().into_iter().flatten() {
                out.reply(from, "read_ok").field("value", total).end();
            }
        }
        let refresh = &mut self.refresh;
        refresh.interval = if refresh.found_new || refresh.fresh || refresh.failed {
            refresh.least
        } else {
            (2 * refresh.interval).min(MAX_INTERVAL)
        };
        refresh.next = refresh.began + refresh.interval;
        if self.stage == Stage::Unknown && !refresh.failed {
            // A commit failed during this refresh.
            refresh.next = out.now();
        }
        out.arm(refresh.next.since(out.now()), ());
    }

    fn reject(from: ReplyTo, out: &mut Outbox<Self>) {
        out.reply_error(from, ErrorCode::TEMPORARILY_UNAVAILABLE, "too many requests wait for seq-kv");
    }
}

impl Node for GCounter {
    type Request<'a> = Request<'a>;
    /// Starts a refresh.
    type Timer = ();
    type Call = Call;
    type Options = ();

    fn start(context: &NodeContext<'_, ()>, _: &mut Outbox<Self>) -> Self {
        let count = u32::try_from(context.nodes.len()).unwrap_or(u32::MAX);
        let least = (MIN_INTERVAL * count / 4).clamp(MIN_INTERVAL, MAX_INTERVAL);
        let refresh = Refresh {
            least,
            interval: least,
            began: Time::ZERO,
            next: Time::ZERO,
            outstanding: 0,
            scratch: format!("{}: a new value", context.nodes[context.me.index()]).into(),
            writes: 0,
            fresh: false,
            found_new: false,
            failed: false,
        };
        Self {
            me: context.me,
            incarnation: context.incarnation,
            keys: context.nodes.into(),
            known: vec![Stored::default(); context.nodes.len()].into(),
            stage: Stage::Unknown,
            indefinite: None,
            adds: Vec::new(),
            committing: Vec::new(),
            reads: Some(Vec::new()),
            refresh,
        }
    }

    fn on_settled(&mut self, out: &mut Outbox<Self>) {
        self.start_refresh(out);
    }

    fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
        match request {
            Request::Add { delta: 0 } => out.reply(from, "add_ok").end(),
            Request::Add { .. } if self.adds.len() >= MAX_WAITING => Self::reject(from, out),
            Request::Add { delta } => {
                self.adds.push((from, delta));
                self.commit(out);
            }
            Request::Read {} => {
                let total = self.total();
                match &mut self.reads {
                    Some(reads) if reads.len() >= MAX_WAITING => Self::reject(from, out),
                    Some(reads) => reads.push(from),
                    None => out.reply(from, "read_ok").field("value", total).end(),
                }
            }
        }
    }

    fn on_response(&mut self, call: Call, response: Response<'_>, out: &mut Outbox<Self>) {
        match call {
            Call::Commit => self.on_commit(response, out),
            Call::Freshen => {
                self.refresh.outstanding = 0;
                if kv::written(response).is_ok() {
                    self.read(out);
                } else {
                    self.refresh.failed = true;
                    self.finish_refresh(out);
                }
            }
            Call::Read(peer) => self.on_read(peer, response, out),
        }
    }

    fn on_timer(&mut self, (): (), out: &mut Outbox<Self>) {
        // A refresh for another reason may have moved the next one.
        if self.refresh.next <= out.now() {
            self.start_refresh(out);
        }
    }
}
