//! Sending: when a message is due, to which peer, and what it contains.
//!
//! News goes to the hub just in time for its round, and to followers in rounds, one a period. A relay, which has both a
//! hub and followers, keeps its hub's time: it hands a round on as it comes, and collects news until its own must go.

use crate::node::{Node, Peer};
use crate::outbox::Outbox;
use crate::time::{Duration, Time};

use super::link::{Announcement, Link, Retransmit, RoundSchedule, Vector};
use super::log::{Log, Origin, Slot};
use super::message::{Header, MAX_PAYLOAD, micros, write_entry, write_run};
use super::pacer::Round;
use super::stability::Stability;
use super::{
    BOOTSTRAP_TIMEOUT, COALESCING_WINDOW, Gossip, MAX_TIMEOUT, MIN_TIMEOUT, STAMP, TIMER_SLACK, Tick,
    UNKNOWN_ROUND_TRIP, whole_micros,
};

impl Gossip {
    /// Sends whatever is due.
    pub(super) fn send_due<N: Node>(&mut self, now: Time, out: &mut Outbox<N>)
    where
        N::Timer: From<Tick>,
    {
        if !self.direct && self.to_followers(now).is_some_and(|due| due <= now) {
            self.round(now, out);
        }
        for index in 0..self.links.len() {
            let peer = Peer::at(index);
            if self.to_peer(peer, now).is_some_and(|due| due <= now) {
                self.send(peer, out);
            }
        }
    }

    /// When a peer should hear from us outside of a round; nobody speaks to itself.
    fn to_peer(&self, peer: Peer, now: Time) -> Option<Time> {
        if peer == self.me {
            return None;
        }
        let link = &self.links[peer.index()];
        let probes = link.probe.then_some(now);
        if self.direct {
            let own = self.originals().into_iter().any(|slot| self.log.watermark(slot) > link.assumed(slot));
            let repairs = link.resend && self.is_neighbour(peer);
            let news = own || (repairs && link.lacks(&self.log));
            [probes, news.then_some(now), link.ack_due].into_iter().flatten().min()
        } else if self.is_hub(peer) {
            let news = link.lacks(&self.log).then_some(link.send_at.unwrap_or(now));
            // An acknowledgement rides on news that goes anyway.
            [probes, news.or(link.ack_due)].into_iter().flatten().min()
        } else if self.is_follower(peer) {
            probes
        } else {
            [probes, link.ack_due].into_iter().flatten().min()
        }
    }

    /// What nobody else tells first.
    fn originals(&self) -> [Slot; 2] {
        [self.own, self.orphans.slot]
    }

    /// When the next round should go.
    fn to_followers(&self, now: Time) -> Option<Time> {
        let opens = self.opens(now);
        let syncs = self.parent.is_none() && self.may_sync(now) && self.next_sync_peer().is_some();
        let mut due = syncs.then_some(opens);
        let mut lacks = false;
        for (index, link) in self.links.iter().enumerate() {
            if !self.is_follower(Peer::at(index)) {
                continue;
            }
            let settles = self.settles(link);
            // One that lacks something is enough, the others need no look.
            lacks = lacks || settles || ((self.news || link.resend) && link.lacks(&self.log));
            let news = lacks.then_some(opens);
            // An answer that is asked for waits for the round, but never long.
            let ack_due = link
                .ack_due
                .map(|ack_due| ack_due.max(opens.min(ack_due + (self.pacer.latency() / 4).max(COALESCING_WINDOW))));
            due = [due, news, ack_due].into_iter().flatten().min();
            if due.is_some_and(|due| due <= now) {
                break;
            }
        }
        due
    }

    /// Whether a follower must hear what has become stable.
    fn settles(&self, link: &Link) -> bool {
        self.parent.is_none() && link.stable == Announcement::Due && self.stable_total() > 0
    }

    /// When the followers' next round goes: right behind the parent's, where there is one.
    pub(super) fn opens(&self, now: Time) -> Time {
        // At the start all introductions go in one round.
        let own = self.pacer.opens().max(self.first_message.unwrap_or(now) + COALESCING_WINDOW);
        match self.parent_schedule() {
            Some(_) if self.relays => now,
            Some(schedule) if schedule.arrival + TIMER_SLACK > now => own.max(schedule.arrival + TIMER_SLACK),
            Some(_) | None => own,
        }
    }

    /// The rhythm of the parent while it has one.
    fn parent_schedule(&self) -> Option<RoundSchedule> {
        self.parent.and_then(|parent| self.links[parent.index()].busy_schedule())
    }

    /// How soon followers' news is wanted, and the period from then on: in time for the parent's round, where there is
    /// one.
    fn closes(&self, now: Time) -> (Duration, Duration) {
        if let Some(schedule) = self.parent_schedule().filter(|schedule| schedule.arrival > now) {
            return (schedule.next_slot(now).since(now), schedule.period);
        }
        let soon = self.pacer.wanted().since(now);
        (soon, if soon.is_zero() { Duration::ZERO } else { self.pacer.period() })
    }

    /// News came from a follower whose oldest operation had waited there for so long.
    pub(super) fn on_news(&mut self, from: Peer, waited: Duration, now: Time) {
        if self.parent.is_none() && !self.direct && self.is_follower(from) {
            self.pacer.on_news(waited, now);
        }
    }

    /// Sends each follower what it lacks, and what it waits for; late news only to those who lack it.
    fn round<N: Node>(&mut self, now: Time, out: &mut Outbox<N>)
    where
        N::Timer: From<Tick>,
    {
        let opens = self.opens(now) <= now;
        let round = opens.then(|| self.pacer.on_round(now));
        if opens {
            self.news = false;
            self.relays = false;
        }
        for index in 0..self.links.len() {
            let peer = Peer::at(index);
            let link = &self.links[index];
            let wanted = match (link.ack_due, round) {
                (Some(ack_due), _) if ack_due <= now => true,
                (_, Some(Round::CatchUp)) => link.lacks(&self.log),
                (None, Some(Round::Regular)) => link.lacks(&self.log) || self.settles(link),
                (Some(_), Some(Round::Regular)) => true,
                (_, None) => false,
            };
            if wanted && self.is_follower(peer) {
                self.send(peer, out);
            }
        }
        if round == Some(Round::Regular) && self.parent.is_none() {
            self.sync_next(now);
        }
    }

    /// Sends a peer everything it is thought to lack.
    fn send<N: Node>(&mut self, to: Peer, out: &mut Outbox<N>)
    where
        N::Timer: From<Tick>,
    {
        let now = whole_micros(out.now());
        let stamp = self.incarnation + now.as_nanos() / 1000;
        let link = &mut self.links[to.index()];
        if stamp <= link.last_stamp {
            // Two messages of one instant may change places, and could not be told apart.
            link.ack_by(now + STAMP);
            return;
        }
        let has_spoken = std::mem::replace(&mut link.last_stamp, stamp) > 0;
        let (hub, follower) = (self.is_hub(to), self.is_follower(to));
        let next = follower.then(|| self.closes(now));
        let rounds = self.acknowledge_within();
        let direct = self.direct;
        self.written.clear();
        let originals = self.originals();
        let is_tracked = self.is_tracked(to);
        let nodes = self.links.len();
        let held = self.held();
        let Self { log, links, incarnation, pacer, written, stability, parent, position, sync_peer, .. } = self;
        let link = &mut links[to.index()];
        let full = link.introduction != Announcement::Acked;
        let answer = link.probe;
        let header =
            Header { incarnation: *incarnation, stamp, now, position, received: link.received, next, answer, full };
        // Everyone sends what is its own; what is another's is repaired along the lines to and from the hub, and only
        // there it must be known.
        let only = if direct && !(link.resend && (hub || follower)) { Some(&originals[..]) } else { None };
        // Who was never heard is asked what it holds first; if no answer comes, it may hear all the same, and is traded
        // with.
        let syncs = has_spoken && to == *sync_peer;
        let probes_first = link.is_unknown() && !syncs && !hub && !direct;
        let only = if probes_first { Some(&[][..]) } else { only };
        let brief = direct && !full && !hub && !follower;
        let concerns = |origin: Origin| !brief || origin.node as usize % nodes == to.index();
        let mut message = header.write(out.send(to, "gossip"));
        if hub && !position.descendants.is_empty() {
            message = message.field("below", &position.descendants);
        }
        if let Some(held) = held {
            message = message.field("held", held);
        }
        let says_stable = follower && parent.is_none() && link.stable != Announcement::Acked;
        if let Some(stable) = stability.as_ref().filter(|stable| says_stable && stable.total > 0) {
            link.stable.on_sent(stamp);
            message = message.field_with("stable", |text| write_stable(text, log, stable, *incarnation));
        }
        let message = message.field_with("ops", |text| write_ops(text, log, link, *incarnation, only, written));
        let message =
            message.field_with("have", |text| write_have(text, log, link, *incarnation, full, concerns, written));
        let carries = written.operations > 0;
        match link.waits_since.take().filter(|_| hub && carries) {
            Some(since) => message.field("waited", micros(now.since(since))).end(),
            None => message.end(),
        }
        if carries {
            link.last_ops = stamp;
            if let Some(schedule) = link.schedule.as_mut().filter(|schedule| schedule.send_by <= now + TIMER_SLACK) {
                // The hub opens a round for this; more news is in time for the next one.
                schedule.send_by = schedule.send_by + schedule.period;
            }
        }
        link.introduction.on_sent(stamp);
        link.send_at = None;
        link.probe = false;
        link.resend = written.is_cut_short;
        // What did not fit follows as fast as the receiver can be expected to read it.
        link.ack_due = written.is_cut_short.then_some(now + COALESCING_WINDOW);
        link.unanswered = 0;
        if (carries || answer || link.is_unacked()) && is_tracked {
            let way = match link.round_trip {
                None => UNKNOWN_ROUND_TRIP.max(pacer.latency() * 4),
                Some((smoothed, deviation)) => {
                    (smoothed + deviation * 4 + COALESCING_WINDOW).clamp(MIN_TIMEOUT, MAX_TIMEOUT)
                }
            };
            let delay = match (answer, hub) {
                (true, _) => Duration::ZERO,
                (false, true) if carries && !direct => {
                    pacer.period().max(link.schedule.map_or(Duration::ZERO, |schedule| schedule.arrival.since(now)))
                }
                (false, _) if direct => rounds * 2,
                (false, _) => rounds,
            };
            let timeout = way + delay;
            let until = now + timeout;
            link.retransmit = Some(match link.retransmit {
                Some(retransmit) if retransmit.until > now && !answer => {
                    Retransmit { timeout: timeout.max(retransmit.timeout), ..retransmit }
                }
                Some(retransmit) => Retransmit { until, timeout, ..retransmit },
                None => Retransmit { since: now, until, timeout, tries: 0 },
            });
        }
    }

    /// When there is something to do next.
    pub(super) fn next_due(&self, now: Time) -> Option<Time> {
        let alone = self.settled.map(|settled| settled + BOOTSTRAP_TIMEOUT).filter(|at| *at > now);
        let mut due =
            [self.electing.or_else(|| self.must_probe().then_some(self.next_probe)), alone].into_iter().flatten().min();
        if !self.direct {
            due = [due, self.to_followers(now)].into_iter().flatten().min();
        }
        for (index, link) in self.links.iter().enumerate() {
            let retransmit = link.retransmit.map(|retransmit| retransmit.until);
            due = [due, retransmit, self.to_peer(Peer::at(index), now)].into_iter().flatten().min();
        }
        due
    }
}

/// What a message carries.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// How far it reaches, by slot.
    watermarks: Vector,
    operations: usize,
    is_cut_short: bool,
}

impl Written {
    fn clear(&mut self) {
        self.watermarks.clear();
        self.operations = 0;
        self.is_cut_short = false;
    }
}

fn write_ops(
    out: &mut Vec<u8>,
    log: &Log,
    link: &mut Link,
    incarnation: u64,
    only: Option<&[Slot]>,
    written: &mut Written,
) {
    let limit = out.len() + MAX_PAYLOAD;
    out.push(b'[');
    for slot in 0..log.origins() {
        let (from, to) = (link.assumed(slot), log.watermark(slot));
        if from >= to || only.is_some_and(|only| !only.contains(&slot)) {
            continue;
        }
        if out.len() > limit {
            written.is_cut_short = true;
            break;
        }
        if written.operations > 0 {
            out.push(b',');
        }
        let last = write_run(out, log, slot, from + 1..=to, incarnation, limit);
        written.operations += (last - from) as usize;
        written.is_cut_short |= last < to;
        written.watermarks.set(slot, last);
        link.in_flight.raise(slot, last);
    }
    out.push(b']');
}

/// Says which operations every replica holds.
fn write_stable(out: &mut Vec<u8>, log: &Log, stability: &Stability, incarnation: u64) {
    out.push(b'[');
    for slot in (0..log.origins()).filter(|slot| stability.vector.at(*slot) > 0) {
        write_entry(out, log.origin(slot), stability.vector.at(slot), incarnation);
    }
    out.push(b']');
}

/// Says how far the origins that concern the receiver are held, where that is not said yet and the operations on board
/// do not imply it.
fn write_have(
    out: &mut Vec<u8>,
    log: &Log,
    link: &mut Link,
    incarnation: u64,
    full: bool,
    concerns: impl Fn(Origin) -> bool,
    written: &Written,
) {
    out.push(b'[');
    for slot in 0..log.origins() {
        if !concerns(log.origin(slot)) {
            continue;
        }
        let reach = log.watermark(slot);
        let implied = written.watermarks.at(slot) == reach;
        let is_advertised = link.advertised.at(slot) >= reach;
        link.advertised.raise(slot, reach);
        if reach == 0 || implied || (is_advertised && !full) {
            continue;
        }
        write_entry(out, log.origin(slot), reach, incarnation);
    }
    out.push(b']');
}
