//! The replicated log: every operation made at one node reaches every node, in few messages.
//!
//! State is a set of operations, each named by its origin (a node in one of its lives) and number; a version vector
//! says what a replica holds, and a message carries what its receiver is thought to lack (Scuttlebutt reconciliation,
//! van Renesse et al. 2008). Everyone follows a hub, the first node in order with which it makes progress. At most once
//! a period the hub sends each follower what it lacks; a follower with news sends it just in time for that. With n
//! nodes a round costs at most 2n-2 messages and an operation at most two hops and a period. Nothing is forgotten until
//! it is acknowledged; acknowledgements ride on messages that go anyway.
//!
//! Nothing is on disk: a kill loses the operations of which every copy was in a killed process, above all those of the
//! last period and hop, T + L, which their node had not passed on yet.

mod estate;
mod following;
mod link;
pub mod log;
mod message;
mod pace;
mod settings;
mod speaking;

pub use message::{MAX_PAYLOAD, Message};
pub use settings::Settings;

use estate::Estate;
use link::{Introduction, Link, Vector};
use log::{Insertion, Log, Origin, Slot};
use pace::Pace;
use speaking::Written;

use crate::node::{Life, Node, Peer};
use crate::outbox::Outbox;
use crate::time::{Duration, Time};
use crate::wire::Json;

/// A follower without news acknowledges by the fourth message it hears from its hub, or when nothing more comes for
/// this long.
pub const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(1);

/// Where everyone sends to everyone, own operations acknowledge others' in passing; silence lasts this long at most.
pub const ACKNOWLEDGE_DIRECT_WITHIN: Duration = Duration::from_secs(3);

/// There, whoever is told something tells its neighbours in the tree within this time, as they may have to help out.
const ACKNOWLEDGE_TREE_WITHIN: Duration = Duration::from_millis(1500);

/// And what a neighbour has not acknowledged after this time, at the latest twice it, is sent again, whoever made it.
const AUDIT: Duration = Duration::from_secs(2);

/// Messages heard in silence before an acknowledgement goes out.
const SILENT_ROUNDS: u8 = 4;

/// The resolution of the stamps on messages.
const STAMP: Duration = Duration::from_micros(1);

/// Added to every patience: timers and pipes have a grain.
const GRAIN: Duration = Duration::from_millis(3);

/// How long a round trip is thought to be before one is measured.
const UNKNOWN_ROUND_TRIP: Duration = Duration::from_millis(500);

/// An answer may take this long even where the network takes no time: processes pause now and then.
const SHORTEST_PATIENCE: Duration = Duration::from_millis(150);

/// Answers that are asked for at nearly the same time go in one round.
const TOGETHER: Duration = Duration::from_millis(10);

/// A replica wakes at least this often: a timer that is late by far tells the engine that the process was stopped.
const LONGEST_NAP: Duration = Duration::from_secs(1);

/// A replica that has just spoken looks again no sooner than this.
const SHORTEST_NAP: Duration = Duration::from_micros(50);

/// A peer that has not acknowledged anything in this many tries is doubted.
const TRIES: u8 = 3;

/// The timer of a replica: its node hands it back to [`Gossip::on_tick`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick;

/// What a node makes of the operations.
pub trait View {
    /// Takes in an operation of any origin, exactly once each, in any order.
    fn apply(&mut self, origin: Origin, number: u32, operation: &[u8]);
}

/// A replica of the log.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not states of a machine")]
#[derive(Debug)]
pub struct Gossip {
    me: Peer,
    life: u64,
    log: Log,
    /// The slot of this life's own operations.
    own: Slot,
    /// What it hands on for the dead.
    estate: Estate,
    links: Vec<Link>,
    pace: Pace,
    /// The hub it follows; `None` if it is one itself.
    parent: Option<Peer>,
    /// Lower nodes have until then to show that they can be followed.
    electing: Option<Time>,
    /// The log has grown since the last round.
    news: bool,
    /// Everyone is trusted, and too little staleness allowed for a hub: everything goes straight to everyone.
    direct: bool,
    /// What was held when the neighbours in the tree were last audited, and when they are next.
    audited: Vector,
    audit: Time,
    /// When the first message came.
    met: Option<Time>,
    /// The parent's round is here, and not handed on yet.
    relays: bool,
    /// The way to the hub has changed, and may not be the shortest.
    explores: bool,
    /// The node outside the following that a hub last traded with.
    partner: Peer,
    /// When a hub next looks for the nodes it has lost.
    probe: Time,
    /// Since when the others surely exist; nothing is said before.
    settled: Option<Time>,
    /// What the message at hand carries; kept for its memory.
    written: Written,
    /// The earliest timer that is set.
    armed: Option<Time>,
    /// When it last did anything.
    awake: Time,
    /// When it last went on after it had been stopped.
    resumed: Time,
}

impl Gossip {
    /// A replica that holds nothing.
    ///
    /// # Panics
    /// Never: peers are numbered in 32 bits.
    pub fn new<N: Node>(life: &Life<'_, N::Options>, settings: &Settings, out: &mut Outbox<N>) -> Self
    where
        N::Timer: From<Tick>,
    {
        let mut log = Log::default();
        let node = u32::try_from(life.me.index()).expect("peers are numbered in 32 bits");
        let origin = Origin { node, life: life.incarnation };
        let own = log.slot(origin);
        let estate = Estate::new(log.slot(Self::estate_of(origin, life.nodes.len())));
        let links = life.nodes.iter().map(|_| Link::default()).collect();
        let mut gossip = Self {
            me: life.me,
            life: life.incarnation,
            log,
            own,
            estate,
            links,
            pace: Pace::new(settings.max_staleness),
            parent: None,
            electing: None,
            news: false,
            direct: false,
            audited: Vector::default(),
            audit: out.now(),
            met: None,
            relays: false,
            explores: false,
            partner: life.me,
            probe: out.now(),
            settled: None,
            written: Written::default(),
            armed: None,
            awake: out.now(),
            resumed: out.now(),
        };
        gossip.parent = gossip.best_parent();
        gossip
    }

    /// Begins to speak; to be called from [`Node::on_settled`].
    pub fn on_settled<N: Node>(&mut self, out: &mut Outbox<N>)
    where
        N::Timer: From<Tick>,
    {
        self.settled = Some(grain(out.now()));
        self.greet();
        self.wake(out, out.now());
    }

    /// Makes an operation; `operation` is one JSON value on one line.
    pub fn append<N: Node>(&mut self, operation: &[u8], out: &mut Outbox<N>)
    where
        N::Timer: From<Tick>,
    {
        let number = self.log.reach(self.own) + 1;
        self.log.insert(self.own, number, |payload| payload.extend_from_slice(operation));
        self.news = true;
        self.wake(out, out.now());
    }

    /// Handles what a peer says; new operations go to `view`.
    pub fn on_message<N: Node>(&mut self, from: Peer, message: &Message<'_>, view: &mut impl View, out: &mut Outbox<N>)
    where
        N::Timer: From<Tick>,
    {
        let now = grain(out.now());
        self.stay_awake(now);
        let link = &mut self.links[from.index()];
        if from == self.me || message.life < link.life {
            return;
        }
        let is_stranger = link.is_stranger();
        link.meet(message.life);
        let is_overtaken = link.heard.is_some_and(|(stamp, _)| message.at < stamp);
        if link.heard.is_none_or(|(stamp, _)| message.at > stamp) {
            link.heard = Some((message.at, now));
        }
        link.unanswered = link.unanswered.saturating_add(1);
        self.met.get_or_insert(now);
        self.on_vector(from, message);
        self.on_operations(from, message, view, now);
        self.on_echo(from, message, now);
        // What was overtaken on its way says where the peer stood, not where it stands.
        if !is_overtaken {
            self.on_position(from, message, now);
        }
        let trades = is_stranger && self.parent.is_none() && self.electing.is_none() && !self.is_below(from);
        let link = &mut self.links[from.index()];
        if trades && link.lacks(&self.log) {
            link.owe(now);
        }
        if !is_overtaken {
            link.doubts = message.doubts;
        }
        if message.answer {
            link.owe(now);
            link.plan = Some(now);
            link.tell_all |= message.full;
            link.resend = true;
        } else if link.unanswered >= SILENT_ROUNDS && !self.direct && link.owed.is_some() {
            link.owe(now);
        }
        self.wake(out, out.now());
    }

    /// Handles the timer.
    pub fn on_tick<N: Node>(&mut self, out: &mut Outbox<N>)
    where
        N::Timer: From<Tick>,
    {
        let now = grain(out.now());
        self.stay_awake(now);
        if self.armed.is_some_and(|armed| armed <= out.now()) {
            self.armed = None;
        }
        self.direct = self.pace.is_direct() && self.links.iter().all(|link| link.is_trusted() && !link.doubts);
        self.on_silence(now);
        self.on_election(now);
        self.look_around(now);
        self.hand_on(now);
        self.audit(now);
        if let Some(parent) = self.parent {
            let link = &mut self.links[parent.index()];
            if link.lacks(&self.log) {
                link.plan(now);
            }
        }
        self.speak(now, out);
        let next = self.next_due(now).unwrap_or(now + LONGEST_NAP).min(now + LONGEST_NAP);
        self.wake(out, next.max(now + SHORTEST_NAP));
    }

    /// The operations themselves.
    #[must_use]
    pub const fn log(&self) -> &Log {
        &self.log
    }

    fn wake<N: Node>(&mut self, out: &mut Outbox<N>, at: Time)
    where
        N::Timer: From<Tick>,
    {
        if self.settled.is_none() {
            return;
        }
        if self.armed.is_none_or(|armed| at < armed) {
            self.armed = Some(at);
            out.arm(at.since(out.now()), Tick.into());
        }
    }

    /// Learns what the peer holds.
    fn on_vector(&mut self, from: Peer, message: &Message<'_>) {
        for (origin, reach) in message.have() {
            if self.exists(origin) {
                let slot = self.log.slot(origin);
                self.links[from.index()].known.raise(slot, reach);
            }
        }
    }

    fn on_operations(&mut self, from: Peer, message: &Message<'_>, view: &mut impl View, now: Time) {
        // A hub acknowledges its followers' news with the next round.
        let due = if self.is_follower(from) && !self.direct {
            Some(self.opens(now).max(now))
        } else if self.parent == Some(from) || self.direct {
            Some(now + self.acknowledge_within())
        } else {
            None
        };
        let mut learns = false;
        for run in message.runs() {
            if !self.exists(run.origin) {
                continue;
            }
            let slot = self.log.slot(run.origin);
            let mut number = run.first;
            let mut known = true;
            for operation in run.ops {
                known &= self.take_in(run.origin, number, operation, view) == Insertion::Known;
                number = number.saturating_add(1);
            }
            learns |= !known;
            let gap = self.log.has_gap(slot);
            let link = &mut self.links[from.index()];
            // Who sends an operation holds all that came before it.
            link.known.raise(slot, number - 1);
            if known {
                // It was sent again, so the acknowledgement was lost.
                link.told.set(slot, 0);
            }
            // Only those who hand on to each other acknowledge unasked.
            let Some(due) = due else { continue };
            link.owe(due);
            if known {
                link.owe(now + GRAIN);
            } else if gap {
                let grace = link.round_trip.map_or(GRAIN, |(_, deviation)| deviation * 2 + GRAIN);
                link.told.set(slot, 0);
                link.owe(now + grace);
            }
        }
        if learns && self.direct {
            self.owe_neighbours(now);
        }
    }

    /// Takes in one operation, and what is packed in it.
    fn take_in(&mut self, origin: Origin, number: u32, operation: Json<'_>, view: &mut impl View) -> Insertion {
        let slot = self.log.slot(origin);
        let insertion = self.log.insert(slot, number, |payload| operation.write(payload));
        if matches!(insertion, Insertion::Known | Insertion::Dropped) {
            return insertion;
        }
        self.news = true;
        if !self.is_estate(origin) {
            view.apply(origin, number, self.log.any_payload(slot, number).unwrap_or_default());
        } else if let Some((origin, number, operation)) =
            estate::unpack(operation).filter(|(origin, ..)| self.exists(*origin))
        {
            let slot = self.log.slot(origin);
            self.on_packed(slot, number);
            self.take_in(origin, number, operation, view);
        }
        insertion
    }

    /// Whether a peer is the next node up or down the tree.
    fn is_neighbour(&self, peer: Peer) -> bool {
        self.is_hub(peer) || self.is_follower(peer)
    }

    /// The neighbours hear soon what this replica holds.
    fn owe_neighbours(&mut self, now: Time) {
        for index in 0..self.links.len() {
            if self.is_neighbour(Peer::at(index)) {
                self.links[index].owe(now + ACKNOWLEDGE_TREE_WITHIN);
            }
        }
    }

    /// Where everyone tells everyone what is its own, whoever was told nothing, or only part of it, by one who died or
    /// thinks otherwise of the distances, gets it from its neighbours in the tree.
    fn audit(&mut self, now: Time) {
        if !self.direct || now < self.audit {
            return;
        }
        self.audit = now + AUDIT;
        for index in 0..self.links.len() {
            if self.is_neighbour(Peer::at(index)) && !self.links[index].known.covers(&self.audited) {
                self.links[index].forget_sent();
                self.links[index].resend = true;
            }
        }
        for slot in 0..self.log.origins() {
            self.audited.set(slot, self.log.reach(slot));
        }
    }

    /// The peer has heard a message of ours: both directions work, and what it still lacks of what went before is lost.
    fn on_echo(&mut self, from: Peer, message: &Message<'_>, now: Time) {
        let Some((stamp, hold)) = message.echo else { return };
        // Meant for a former life of this replica, whose operations the peer takes to be here.
        self.links[from.index()].ask |= stamp < self.life;
        let Some(sent) = self.instant(stamp).filter(|sent| *sent <= now) else { return };
        let Some(round_trip) = now.since(sent).checked_sub(hold) else { return };
        let link = &mut self.links[from.index()];
        // What came while this process was stopped has waited here; it says nothing of the network.
        if sent >= self.resumed {
            link.on_round_trip(round_trip);
            self.pace.on_round_trip(round_trip);
        }
        link.proved = link.proved.max(sent);
        if link.doubted.is_some_and(|since| sent >= since) {
            link.doubted = None;
            self.pace.on_unrest(now);
            link.forget_sent();
            link.resend = true;
        }
        if matches!(link.introduction, Introduction::Sent(first) if stamp >= first) {
            link.introduction = Introduction::Heard;
        }
        if stamp >= link.last_ops && !link.is_acknowledged() {
            link.forget_sent();
        }
        link.on_progress(sent, now);
    }

    /// Notices that the process was stopped.
    fn stay_awake(&mut self, now: Time) {
        if now.since(self.awake) > LONGEST_NAP * 2 {
            self.resumed = now;
        }
        self.awake = now;
    }

    /// How long news or silence may go unacknowledged.
    fn acknowledge_within(&self) -> Duration {
        if self.direct {
            ACKNOWLEDGE_DIRECT_WITHIN
        } else {
            (self.pace.longest() * SILENT_ROUNDS.into()).max(ACKNOWLEDGE_WITHIN)
        }
    }

    /// The local instant of a stamp of this life.
    fn instant(&self, stamp: u64) -> Option<Time> {
        stamp.checked_sub(self.life).and_then(|age| age.checked_mul(1000)).map(Time::from_nanos)
    }
}

/// Replicas speak of time in microseconds, so they think in them too.
fn grain(now: Time) -> Time {
    Time::from_nanos(now.as_nanos() / 1000 * 1000)
}
