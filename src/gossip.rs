//! The replicated log: every operation made at one node reaches every node, in few messages.
//!
//! State is a set of operations, each named by its origin (a node in one of its incarnations) and number; a version
//! vector states what a replica holds, and a message carries what its receiver is assumed to lack (Scuttlebutt
//! reconciliation, van Renesse et al. 2008). Every node follows a hub, the reachable node with the lowest index. At
//! most once per period the hub sends each follower what it lacks; a follower sends its new operations just in time for
//! that round. With n nodes a round costs at most 2n-2 messages, and an operation takes at most two hops and a period.
//! Everything is retransmitted until it is acknowledged; acknowledgements are piggybacked.
//!
//! Nothing is stored on disk: if every process that holds an operation is killed, it is lost. Most at risk are a node's
//! own operations of the last period and hop, which may not have left it yet.

mod direct;
mod link;
pub mod log;
mod message;
mod orphans;
mod pacer;
mod position;
mod receive;
mod replicated;
mod send;
mod settings;
mod stability;
mod topology;

pub use direct::ACKNOWLEDGE_DIRECT_WITHIN;
pub use message::{MAX_PAYLOAD, Message};
pub use orphans::MAX_INCARNATIONS;
pub use replicated::{Operation, Replicated, View};
pub use settings::{MAX_STALENESS, Settings};

use link::{Announcement, Link, Vector};
use log::{Log, Origin, Slot};
use orphans::Orphans;
use pacer::Pacer;
use position::Position;
use send::Written;
use stability::Stability;

use crate::node::{Node, NodeContext, Peer};
use crate::outbox::Outbox;
use crate::time::{Duration, Time};

/// Upper bound on how long a follower without new operations holds back an acknowledgement: four messages of its hub,
/// or four periods, or this long if that is more.
pub const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(1);

/// A node that has not received all operations of a peer this long after [`Node::on_settled`] assumes that this is its
/// first incarnation.
pub const BOOTSTRAP_TIMEOUT: Duration = Duration::from_millis(500);

/// The number of messages received after which an acknowledgement is sent on its own.
const MESSAGES_PER_ACK: u8 = 4;

/// The resolution of the time stamps of messages.
const STAMP_RESOLUTION: Duration = Duration::from_micros(1);

/// Added to every time-out: timers and pipes are not exact.
const TIMER_SLACK: Duration = Duration::from_millis(3);

/// The assumed round trip until one is measured.
const UNKNOWN_ROUND_TRIP: Duration = Duration::from_millis(500);

/// Lower bound of a time-out: processes pause now and then, even on a network without latency.
const MIN_TIMEOUT: Duration = Duration::from_millis(150);

/// Upper bound of a time-out, not counting the time for which an acknowledgement may be held back: a peer that was
/// suspended for seconds does not make the network slow.
const MAX_TIMEOUT: Duration = Duration::from_secs(2);

/// Replies that are due within this time of each other go in one round.
const COALESCING_WINDOW: Duration = Duration::from_millis(10);

/// A replica ticks at least this often, so a gap twice as long shows that the process was suspended.
const MAX_TICK_INTERVAL: Duration = Duration::from_secs(1);

/// The minimum time between two ticks.
const MIN_TICK_INTERVAL: Duration = Duration::from_micros(50);

/// A peer that has acknowledged nothing after this many attempts becomes suspected.
const MAX_TRIES: u8 = 3;

/// The timer of a replica, which its node passes to [`Replicated::on_tick`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick;

/// A replica of the log.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not states of a machine")]
#[derive(Debug)]
pub(crate) struct Gossip {
    me: Peer,
    incarnation: u64,
    log: Log,
    /// The slot of this incarnation's own operations.
    own: Slot,
    /// Operations of other origins that this replica forwards.
    orphans: Orphans,
    links: Vec<Link>,
    pacer: Pacer,
    /// The node it follows; `None` if it is a hub.
    parent: Option<Peer>,
    /// Its position in the tree, which its messages state.
    position: Position,
    /// Whether a peer was suspected at the last tick, so that any message may reveal a better parent.
    has_suspects: bool,
    /// The deadline by which lower nodes must respond to be followed, during an election.
    electing: Option<Time>,
    /// Whether the log has grown since the last round.
    has_new: bool,
    /// Whether operations are sent to all nodes directly: every peer is reachable, and the bound on staleness is too
    /// tight for a hub.
    direct: bool,
    /// The version vector at the last audit of the neighbours in the tree, and when the next audit is due.
    audited: Vector,
    audit: Time,
    /// What every replica holds, if the node tracks stability.
    stability: Option<Stability>,
    /// When the first message arrived.
    first_message: Option<Time>,
    /// Whether a round of the parent has arrived and not been relayed yet.
    relays: bool,
    /// Whether the path to the hub has changed, and may not be the shortest.
    explores: bool,
    /// The node outside its descendants with which a hub last ran anti-entropy.
    sync_peer: Peer,
    /// The node that was probed last; probes go round-robin.
    last_probed: Peer,
    /// When this replica next probes for lost nodes, or for a shorter path.
    next_probe: Time,
    /// When [`Node::on_settled`] was called; nothing is sent before.
    settled: Option<Time>,
    /// The content of the message being written; kept to reuse its memory.
    written: Written,
    /// The earliest timer that is set.
    armed: Option<Time>,
    /// When it last handled a message or timer.
    last_active: Time,
    /// When it last resumed after the process had been suspended.
    resumed: Time,
}

impl Gossip {
    /// A replica that holds nothing.
    ///
    /// # Panics
    /// Never: peers are numbered in 32 bits.
    pub(crate) fn new<N: Node<Timer: From<Tick>>>(
        context: &NodeContext<'_, N::Options>,
        settings: &Settings,
        out: &mut Outbox<N>,
    ) -> Self {
        let mut log = Log::default();
        let node = u32::try_from(context.me.index()).expect("peers are numbered in 32 bits");
        let origin = Origin { node, incarnation: context.incarnation };
        let own = log.slot(origin);
        let orphans = Orphans::new(log.slot(Self::carrier_origin(origin, context.nodes.len())));
        let mut links: Vec<_> = context.nodes.iter().map(|_| Link::default()).collect();
        links[context.me.index()].incarnation = context.incarnation;
        let mut gossip = Self {
            me: context.me,
            incarnation: context.incarnation,
            log,
            own,
            orphans,
            links,
            pacer: Pacer::new(settings.max_staleness),
            parent: None,
            position: Position::of(context.me),
            has_suspects: false,
            electing: None,
            has_new: false,
            direct: false,
            audited: Vector::default(),
            audit: out.now(),
            stability: None,
            first_message: None,
            relays: false,
            explores: false,
            sync_peer: context.me,
            last_probed: context.me,
            next_probe: out.now(),
            settled: None,
            written: Written::default(),
            armed: None,
            last_active: out.now(),
            resumed: out.now(),
        };
        gossip.parent = gossip.best_parent();
        gossip.position.follows = gossip.parent.unwrap_or(context.me);
        gossip
    }

    /// Starts to send; to be called from [`Node::on_settled`].
    pub(crate) fn on_settled<N: Node<Timer: From<Tick>>>(&mut self, out: &mut Outbox<N>) {
        self.settled = Some(whole_micros(out.now()));
        self.introduce();
        self.wake(out, out.now());
    }

    /// The origin of this replica's own operations.
    pub(crate) fn me(&self) -> Origin {
        self.log.origin(self.own)
    }

    /// The number of this replica's next operation.
    pub(crate) fn next_number(&self) -> u32 {
        self.log.watermark(self.own) + 1
    }

    /// Appends an operation, one JSON value on one line within [`REQUEST`](crate::wire::REQUEST). Returns its number.
    pub(crate) fn append<N: Node<Timer: From<Tick>>>(&mut self, operation: &[u8], out: &mut Outbox<N>) -> u32 {
        let number = self.next_number();
        self.log.insert(self.own, number, |payload| payload.extend_from_slice(operation));
        self.has_new = true;
        self.wake(out, out.now());
        number
    }

    /// Handles a peer's message; new operations go to `view`.
    pub(crate) fn on_message<N: Node<Timer: From<Tick>>>(
        &mut self,
        from: Peer,
        message: &Message<'_>,
        view: &mut impl View,
        out: &mut Outbox<N>,
    ) {
        let now = whole_micros(out.now());
        self.detect_suspension(now);
        let link = &mut self.links[from.index()];
        if from == self.me || message.incarnation < link.incarnation {
            return;
        }
        let is_unknown = link.is_unknown();
        self.on_incarnation(from, message.incarnation);
        let link = &mut self.links[from.index()];
        let is_overtaken = link.received.is_some_and(|(stamp, _)| message.at < stamp);
        if link.received.is_none_or(|(stamp, _)| message.at > stamp) {
            link.received = Some((message.at, now));
        }
        link.unanswered = link.unanswered.saturating_add(1);
        self.first_message.get_or_insert(now);
        if message.acknowledges() {
            self.on_vector(from, message);
        }
        self.on_operations(from, message, view, now);
        if let Some(waited) = message.waited {
            self.on_arrival(from, waited, now);
        }
        self.on_echo(from, message, now);
        if message.announces() {
            self.on_announcements(from, message, now);
        }
        // The position in a message that was overtaken is out of date.
        if !is_overtaken {
            self.on_position(from, message, now);
            if self.stability.is_some() {
                self.on_stable(from, message);
            }
        }
        let syncs = is_unknown && self.parent.is_none() && self.electing.is_none() && !self.is_descendant(from);
        let link = &mut self.links[from.index()];
        if syncs && link.lacks(&self.log) {
            link.ack_by(now);
        }
        if !is_overtaken {
            link.suspects = message.suspects;
        }
        if message.answer {
            link.ack_by(now);
            link.send_at = Some(now);
            if message.full {
                link.introduction = Announcement::Due;
            }
            link.resend = true;
        } else if link.unanswered >= MESSAGES_PER_ACK && !self.direct && link.ack_due.is_some() {
            link.ack_by(now);
        }
        self.wake(out, out.now());
    }

    /// Handles the timer.
    pub(crate) fn on_tick<N: Node<Timer: From<Tick>>>(&mut self, out: &mut Outbox<N>) {
        let now = whole_micros(out.now());
        self.detect_suspension(now);
        if self.armed.is_none_or(|armed| armed > out.now()) {
            // Superseded by an earlier timer, which has set a later one.
            return;
        }
        self.armed = None;
        self.choose_mode();
        self.on_timeouts(now);
        self.has_suspects = !self.links.iter().all(Link::is_reachable);
        self.on_election(now);
        self.probe_lost(now);
        self.forward_orphans(now);
        self.audit(now);
        self.update_stability(now);
        self.update_position(now);
        if let Some(parent) = self.parent {
            let latest = now + self.acknowledge_within();
            let link = &mut self.links[parent.index()];
            if link.lacks(&self.log) {
                link.schedule_send(now, latest);
            }
        }
        self.send_due(now, out);
        let idle = now + MAX_TICK_INTERVAL;
        let next = self.next_due(now).map_or(idle, |due| due.min(idle));
        self.wake(out, next.max(now + MIN_TICK_INTERVAL));
    }

    /// See [`Replicated::is_bootstrapped`].
    pub(crate) fn is_bootstrapped(&self, now: Time) -> bool {
        let knows = |link: &Link| {
            link.introduced && (0..self.log.origins()).all(|slot| link.acked.at(slot) <= self.log.watermark(slot))
        };
        self.links.len() < 2
            || self.settled.is_some_and(|settled| now >= settled + BOOTSTRAP_TIMEOUT)
            || self.links.iter().any(knows)
    }

    pub(crate) const fn log(&self) -> &Log {
        &self.log
    }

    fn wake<N: Node<Timer: From<Tick>>>(&mut self, out: &mut Outbox<N>, at: Time) {
        if self.settled.is_none() {
            return;
        }
        if self.armed.is_none_or(|armed| at < armed) {
            self.armed = Some(at);
            out.arm(at.since(out.now()), Tick.into());
        }
    }

    /// How long an acknowledgement may be held back.
    fn acknowledge_within(&self) -> Duration {
        if self.direct {
            ACKNOWLEDGE_DIRECT_WITHIN
        } else {
            (self.pacer.max_period() * MESSAGES_PER_ACK.into()).max(ACKNOWLEDGE_WITHIN)
        }
    }
}

/// Messages state time in microseconds, so replicas calculate in them too.
fn whole_micros(now: Time) -> Time {
    Time::from_nanos(now.as_nanos() / 1000 * 1000)
}
