//! A counter on seq-kv: each node keeps the sum of its own adds under its own key, and names the sum of all.
//!
//! A node is the only writer of its key, so nobody is ever in its way. The adds that wait are committed in one step, by
//! a compare-and-set from the last value stored, and acknowledged when they are stored, so that what was acknowledged
//! outlives the node. Every value is a new one (it carries its number and the incarnation that wrote it): a write of a
//! former incarnation that is still on its way cannot take a later one back, and a node that never heard what became of
//! its write can look.
//!
//! Reads are answered at once, from what is known. What others have stored is asked for once in a while, and always
//! after something new was written, because only then may seq-kv not answer from before that (protocol §8.3).
//!
//! A commit costs two messages; a look at `n` nodes 2 (n - 1), and two more where nothing was committed since the last.

use serde::{Deserialize, Serialize};

use crate::kv::{self, Absent, Policy, Repetition, SEQ_KV, Store, Swap};
use crate::node::{Node, NodeContext, Peer, ReplyTo, Response};
use crate::outbox::Outbox;
use crate::requests;
use crate::time::{Duration, Time};
use crate::wire::ErrorCode;

/// The least time from one look at the others to the next, with up to four nodes; with more, in proportion, so that the
/// messages of all grow no faster than the nodes' number until [`MAX_INTERVAL`].
pub const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// The most: while looks find nothing new, the interval doubles up to this.
pub const MAX_INTERVAL: Duration = Duration::from_secs(3);

/// At most this many requests wait for seq-kv; later ones are refused.
pub const MAX_WAITING: usize = 1 << 16;

/// Nothing that is written here is written twice, so everything may be sent again.
const STORE: Store = SEQ_KV.with(Policy { repetition: Repetition::Detected, ..kv::PATIENT });

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
    /// Store the new sum.
    Commit,
    /// Write something new, so that the look which follows is not one at the past.
    Freshen,
    /// Name a node's sum.
    Look(Peer),
}

/// A node's value: the sum of its adds, how many values it had before, and the incarnation that wrote it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Stored(i64, u64, u64);

impl Stored {
    /// Reads the larger number as the later value; a node without a key has number 0.
    fn advance(&mut self, found: Self) -> bool {
        let is_later = found.1 > self.1;
        if is_later {
            *self = found;
        }
        is_later
    }
}

/// Whether the node may write, and what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// What it stored last is not known: an earlier incarnation may have stored something, or a commit was not
    /// answered.
    Unsure,
    /// What it stored last is known.
    Idle,
    /// This is being stored.
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
    /// A commit of unknown outcome.
    doubtful: Option<Stored>,
    adds: Vec<(ReplyTo, i64)>,
    committing: Vec<(ReplyTo, i64)>,
    /// Reads that came before the first look was over.
    reads: Option<Vec<ReplyTo>>,
    looks: Looks,
}

/// How the others are watched.
#[derive(Debug)]
struct Looks {
    least: Duration,
    interval: Duration,
    began: Time,
    /// When the next one is due.
    next: Time,
    /// Answers that are still to come.
    outstanding: usize,
    /// Values written that are there only to be new.
    scratch: Box<str>,
    writes: u64,
    /// Whether a commit was stored since the last look.
    fresh: bool,
    /// Whether this look has found something new, and whether a key could not be read.
    news: bool,
    failed: bool,
}

impl GCounter {
    fn own(&mut self) -> &mut Stored {
        &mut self.known[self.me.index()]
    }

    fn total(&self) -> i64 {
        self.known.iter().fold(0, |sum, stored| sum.saturating_add(stored.0))
    }

    /// Begins to commit the adds that wait, unless others are being committed. Those of an attempt that came to nothing
    /// are tried again by themselves: the attempt may still arrive, and must then be this very write.
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
        STORE.cas(&*self.keys[self.me.index()], (from, to), Absent::Create, Call::Commit, out);
    }

    fn on_commit(&mut self, answer: Response<'_>, out: &mut Outbox<Self>) {
        let Stage::Committing(to) = self.stage else { return };
        if kv::swapped(answer) == Ok(Swap::Done) {
            self.looks.fresh = true;
            self.committed(to, out);
        } else {
            // Also after a definite refusal: it may have been about the past.
            self.stage = Stage::Unsure;
            self.doubtful = Some(to);
            self.look(out);
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

    /// Asks for what is stored, unless that is being done.
    fn look(&mut self, out: &mut Outbox<Self>) {
        let is_alone = self.keys.len() == 1 && self.stage != Stage::Unsure;
        if self.looks.outstanding > 0 || is_alone {
            return;
        }
        self.looks.began = out.now();
        (self.looks.news, self.looks.failed) = (false, false);
        if std::mem::take(&mut self.looks.fresh) && self.stage != Stage::Unsure {
            self.read(out);
        } else {
            self.looks.writes += 1;
            self.looks.outstanding = 1;
            STORE.write(&*self.looks.scratch, [self.incarnation, self.looks.writes], Call::Freshen, out);
        }
    }

    /// Reads what the others have stored, and what the node itself has if that is not known.
    fn read(&mut self, out: &mut Outbox<Self>) {
        for (index, key) in self.keys.iter().enumerate() {
            let peer = Peer::at(index);
            if peer != self.me || self.stage == Stage::Unsure {
                self.looks.outstanding += 1;
                STORE.read(&**key, Call::Look(peer), out);
            }
        }
    }

    fn on_look(&mut self, peer: Peer, answer: Response<'_>, out: &mut Outbox<Self>) {
        self.looks.outstanding -= 1;
        match kv::found::<Stored>(answer) {
            Ok(found) => {
                let found = found.unwrap_or_default();
                self.looks.news |= self.known[peer.index()].advance(found);
                if peer == self.me && self.stage == Stage::Unsure {
                    self.settle(out);
                }
            }
            Err(_) => self.looks.failed = true,
        }
        if self.looks.outstanding == 0 {
            self.looked(out);
        }
    }

    /// What the node stored last has become known.
    fn settle(&mut self, out: &mut Outbox<Self>) {
        let stored = *self.own();
        self.stage = Stage::Idle;
        if self.doubtful.take() == Some(stored) {
            self.committed(stored, out);
        } else {
            self.commit(out);
        }
    }

    fn looked(&mut self, out: &mut Outbox<Self>) {
        if !self.looks.failed {
            let total = self.total();
            for from in self.reads.take().into_iter().flatten() {
                out.reply(from, "read_ok").field("value", total).end();
            }
        }
        let looks = &mut self.looks;
        looks.interval = if looks.news || looks.fresh || looks.failed {
            looks.least
        } else {
            (2 * looks.interval).min(MAX_INTERVAL)
        };
        looks.next = looks.began + looks.interval;
        if self.stage == Stage::Unsure && !looks.failed {
            // A commit failed meanwhile.
            looks.next = out.now();
        }
        out.arm(looks.next.since(out.now()), ());
    }

    fn refuse(from: ReplyTo, out: &mut Outbox<Self>) {
        out.reply_error(from, ErrorCode::TEMPORARILY_UNAVAILABLE, "too many requests wait for seq-kv");
    }
}

impl Node for GCounter {
    type Request<'a> = Request<'a>;
    /// Time to look at the others.
    type Timer = ();
    type Call = Call;
    type Options = ();

    fn start(context: &NodeContext<'_, ()>, _: &mut Outbox<Self>) -> Self {
        let count = u32::try_from(context.nodes.len()).unwrap_or(u32::MAX);
        let least = (MIN_INTERVAL * count / 4).clamp(MIN_INTERVAL, MAX_INTERVAL);
        let looks = Looks {
            least,
            interval: least,
            began: Time::ZERO,
            next: Time::ZERO,
            outstanding: 0,
            scratch: format!("{}: a new value", context.nodes[context.me.index()]).into(),
            writes: 0,
            fresh: false,
            news: false,
            failed: false,
        };
        Self {
            me: context.me,
            incarnation: context.incarnation,
            keys: context.nodes.into(),
            known: vec![Stored::default(); context.nodes.len()].into(),
            stage: Stage::Unsure,
            doubtful: None,
            adds: Vec::new(),
            committing: Vec::new(),
            reads: Some(Vec::new()),
            looks,
        }
    }

    fn on_settled(&mut self, out: &mut Outbox<Self>) {
        self.look(out);
    }

    fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
        match request {
            Request::Add { delta: 0 } => out.reply(from, "add_ok").end(),
            Request::Add { .. } if self.adds.len() >= MAX_WAITING => Self::refuse(from, out),
            Request::Add { delta } => {
                self.adds.push((from, delta));
                self.commit(out);
            }
            Request::Read {} => {
                let total = self.total();
                match &mut self.reads {
                    Some(reads) if reads.len() >= MAX_WAITING => Self::refuse(from, out),
                    Some(reads) => reads.push(from),
                    None => out.reply(from, "read_ok").field("value", total).end(),
                }
            }
        }
    }

    fn on_response(&mut self, call: Call, answer: Response<'_>, out: &mut Outbox<Self>) {
        match call {
            Call::Commit => self.on_commit(answer, out),
            Call::Freshen => {
                self.looks.outstanding = 0;
                if kv::written(answer).is_ok() {
                    self.read(out);
                } else {
                    self.looks.failed = true;
                    self.looked(out);
                }
            }
            Call::Look(peer) => self.on_look(peer, answer, out),
        }
    }

    fn on_timer(&mut self, (): (), out: &mut Outbox<Self>) {
        // A look that was not planned may have come in between.
        if self.looks.next <= out.now() {
            self.look(out);
        }
    }
}
