//! Sending: when a message is due, to which peer, and what it contains.
//!
//! New operations are sent to the parent just in time for its round, and to followers in rounds, one per period. A
//! relay, which has both a parent and followers, follows its parent's schedule: it relays a round as it arrives, and
//! collects operations until its own must be sent.

use crate::node::{Node, Peer};
use crate::outbox::Outbox;
use crate::time::{Duration, Time};

use super::link::{Announcement, Link, Retransmit, RoundSchedule, Vector};
use super::log::{Log, Origin, Slot};
use super::message::{Header, MAX_PAYLOAD, micros, write_entry, write_run};
use super::pacer::Round;
use super::stability::Stability;
use super::{
    BOOTSTRAP_TIMEOUT, COALESCING_WINDOW, Gossip, MAX_TIMEOUT, MIN_TIMEOUT, STAMP_RESOLUTION, TIMER_SLACK, Tick,
    UNKNOWN_ROUND_TRIP, whole_micros,
};

impl Gossip {
    /// Sends whatever is due.
    pub(super) fn send_due<N: Node<Timer: From<Tick>>>(&mut self, now: Time, out: &mut Outbox<N>) {
        if !self.direct && self.round_due(now).is_some_and(|due| due <= now) {
            self.send_round(now, out);
        }
        for index in 0..self.links.len() {
            let peer = Peer::at(index);
            if self.message_due(peer, now).is_some_and(|due| due <= now) {
                self.send(peer, out);
            }
        }
    }

    /// When a message to a peer is due outside of a round.
    fn message_due(&self, peer: Peer, now: Time) -> Option<Time> {
        if peer == self.me {
            return None;
        }
        let link = &self.links[peer.index()];
        let probes = link.probe.then_some(now);
        if self.direct {
            let has_own = self.own_slots().into_iter().any(|slot| self.log.watermark(slot) > link.assumed(slot));
            let repairs = link.resend && self.is_neighbour(peer);
            let operations = has_own || (repairs && link.lacks(&self.log));
            [probes, operations.then_some(now), link.ack_due].into_iter().flatten().min()
        } else if self.is_parent(peer) {
            let operations = link.lacks(&self.log).then_some(link.send_at.unwrap_or(now));
            // An acknowledgement is piggybacked on operations that are scheduled anyway.
            [probes, operations.or(link.ack_due)].into_iter().flatten().min()
        } else if self.is_follower(peer) {
            probes
        } else {
            [probes, link.ack_due].into_iter().flatten().min()
        }
    }

    /// The slots of this replica's own origins.
    fn own_slots(&self) -> [Slot; 2] {
        [self.own, self.orphans.slot]
    }

    /// When the next round is due; `None` if no follower needs one.
    fn round_due(&self, now: Time) -> Option<Time> {
        let opens = self.next_round(now);
        let syncs = self.parent.is_none() && self.may_sync(now) && self.next_sync_peer().is_some();
        let mut due = syncs.then_some(opens);
        let mut lacks = false;
        for (index, link) in self.links.iter().enumerate() {
            if !self.is_follower(Peer::at(index)) {
                continue;
            }
            // Once a follower lacks something, the round is due and the others need not be checked.
            lacks = lacks || self.must_announce(link) || ((self.has_new || link.resend) && link.lacks(&self.log));
            let operations = lacks.then_some(opens);
            // A requested reply waits for the round, but not for long.
            let ack_due = link
                .ack_due
                .map(|ack_due| ack_due.max(opens.min(ack_due + (self.pacer.latency() / 4).max(COALESCING_WINDOW))));
            due = [due, operations, ack_due].into_iter().flatten().min();
            if due.is_some_and(|due| due <= now) {
                break;
            }
        }
        due
    }

    /// Whether the stable operations must be announced to a follower.
    fn must_announce(&self, link: &Link) -> bool {
        self.parent.is_none() && link.stable == Announcement::Due && self.stable_total() > 0
    }

    /// When the next round may start: right after the parent's, if there is a parent.
    pub(super) fn next_round(&self, now: Time) -> Time {
        // At the start, all introductions are answered in one round.
        let own = self.pacer.next_round().max(self.first_message.unwrap_or(now) + COALESCING_WINDOW);
        match self.parent_schedule() {
            Some(_) if self.relays => now,
            Some(schedule) if schedule.arrival + TIMER_SLACK > now => own.max(schedule.arrival + TIMER_SLACK),
            Some(_) | None => own,
        }
    }

    /// The schedule of the parent, unless it is idle.
    fn parent_schedule(&self) -> Option<RoundSchedule> {
        self.parent.and_then(|parent| self.links[parent.index()].busy_schedule())
    }

    /// The time until followers' operations are due for the next round, which must be in time for the parent's, and the
    /// period.
    fn schedule(&self, now: Time) -> (Duration, Duration) {
        if let Some(schedule) = self.parent_schedule().filter(|schedule| schedule.arrival > now) {
            return (schedule.next_slot(now).since(now), schedule.period);
        }
        let soon = self.pacer.collect_by().since(now);
        (soon, if soon.is_zero() { Duration::ZERO } else { self.pacer.period() })
    }

    /// Handles new operations from a follower, of which the oldest had waited there for so long.
    pub(super) fn on_arrival(&mut self, from: Peer, waited: Duration, now: Time) {
        if self.parent.is_none() && !self.direct && self.is_follower(from) {
            self.pacer.on_arrival(waited, now);
        }
    }

    /// Sends each follower what it lacks and the replies that are due; in a catch-up round only the former.
    fn send_round<N: Node<Timer: From<Tick>>>(&mut self, now: Time, out: &mut Outbox<N>) {
        let opens = self.next_round(now) <= now;
        let round = opens.then(|| self.pacer.on_round(now));
        if opens {
            self.has_new = false;
            self.relays = false;
        }
        for index in 0..self.links.len() {
            let peer = Peer::at(index);
            let link = &self.links[index];
            let is_due = match (link.ack_due, round) {
                (Some(ack_due), _) if ack_due <= now => true,
                (_, Some(Round::CatchUp)) => link.lacks(&self.log),
                (None, Some(Round::Regular)) => link.lacks(&self.log) || self.must_announce(link),
                (Some(_), Some(Round::Regular)) => true,
                (_, None) => false,
            };
            if is_due && self.is_follower(peer) {
                self.send(peer, out);
            }
        }
        if round == Some(Round::Regular) && self.parent.is_none() {
            self.sync_next(now);
        }
    }

    /// Sends a peer everything it is assumed to lack.
    fn send<N: Node<Timer: From<Tick>>>(&mut self, to: Peer, out: &mut Outbox<N>) {
        let now = whole_micros(out.now());
        let stamp = self.incarnation + now.as_nanos() / 1000;
        let link = &mut self.links[to.index()];
        if stamp <= link.last_stamp {
            // Two messages with the same stamp could overtake each other unnoticed.
            link.ack_by(now + STAMP_RESOLUTION);
            return;
        }
        let is_first = std::mem::replace(&mut link.last_stamp, stamp) == 0;
        let (parent, follower) = (self.is_parent(to), self.is_follower(to));
        let next = follower.then(|| self.schedule(now));
        let ack_within = self.acknowledge_within();
        let direct = self.direct;
        self.written.clear();
        let own_slots = self.own_slots();
        let is_tracked = self.is_tracked(to);
        let nodes = self.links.len();
        let held = self.held();
        let is_hub = self.parent.is_none();
        let Self { log, links, incarnation, pacer, written, stability, position, sync_peer, .. } = self;
        let link = &mut links[to.index()];
        let full = link.introduction != Announcement::Acked;
        let answer = link.probe;
        let header =
            Header { incarnation: *incarnation, stamp, now, position, received: link.received, next, answer, full };
        // In direct mode, operations of other origins are retransmitted only between neighbours in the tree, and only
        // neighbours need this replica's whole vector.
        let only = if direct && !(link.resend && (parent || follower)) { Some(&own_slots[..]) } else { None };
        // An unknown peer is first asked what it holds. If it does not reply, it may still receive, so anti-entropy
        // sends it operations nevertheless.
        let syncs = !is_first && to == *sync_peer;
        let probes_first = link.is_unknown() && !syncs && !parent && !direct;
        let only = if probes_first { Some(&[][..]) } else { only };
        let brief = direct && !full && !parent && !follower;
        let concerns = |origin: Origin| !brief || origin.node as usize % nodes == to.index();
        let mut message = header.write(out.send(to, "gossip"));
        if parent && !position.descendants.is_empty() {
            message = message.field("below", &position.descendants);
        }
        if let Some(held) = held {
            message = message.field("held", held);
        }
        let announces = follower && is_hub && link.stable != Announcement::Acked;
        if let Some(stable) = stability.as_ref().filter(|stable| announces && stable.total > 0) {
            link.stable.on_sent(stamp);
            message = message.field_with("stable", |text| write_stable(text, log, stable, *incarnation));
        }
        let message = message.field_with("ops", |text| write_ops(text, log, link, *incarnation, only, written));
        let message =
            message.field_with("have", |text| write_have(text, log, link, *incarnation, full, concerns, written));
        let carries = written.operations > 0;
        match link.waiting_since.take().filter(|_| parent && carries) {
            Some(since) => message.field("waited", micros(now.since(since))).end(),
            None => message.end(),
        }
        if carries {
            link.last_ops = stamp;
            if let Some(schedule) = link.schedule.as_mut().filter(|schedule| schedule.send_by <= now + TIMER_SLACK) {
                // The parent will start a round for these operations; later ones are in time for the next.
                schedule.send_by = schedule.send_by + schedule.period;
            }
        }
        link.introduction.on_sent(stamp);
        link.send_at = None;
        link.probe = false;
        link.resend = written.is_cut_short;
        // The rest follows as fast as the receiver can be expected to read it.
        link.ack_due = written.is_cut_short.then_some(now + COALESCING_WINDOW);
        link.unanswered = 0;
        if (carries || answer || link.is_unacked()) && is_tracked {
            let round_trip = match link.round_trip {
                None => UNKNOWN_ROUND_TRIP.max(pacer.latency() * 4),
                Some((smoothed, deviation)) => {
                    (smoothed + deviation * 4 + COALESCING_WINDOW).clamp(MIN_TIMEOUT, MAX_TIMEOUT)
                }
            };
            let delay = match (answer, parent) {
                (true, _) => Duration::ZERO,
                (false, true) if carries && !direct => {
                    pacer.period().max(link.schedule.map_or(Duration::ZERO, |schedule| schedule.arrival.since(now)))
                }
                (false, _) if direct => ack_within * 2,
                (false, _) => ack_within,
            };
            let timeout = round_trip + delay;
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

    /// The replica's next deadline.
    pub(super) fn next_due(&self, now: Time) -> Option<Time> {
        let bootstrap = self.settled.map(|settled| settled + BOOTSTRAP_TIMEOUT).filter(|at| *at > now);
        let probe = self.electing.or_else(|| self.must_probe().then_some(self.next_probe));
        let mut due = [probe, bootstrap].into_iter().flatten().min();
        if !self.direct {
            due = [due, self.round_due(now)].into_iter().flatten().min();
        }
        for (index, link) in self.links.iter().enumerate() {
            let retransmit = link.retransmit.map(|retransmit| retransmit.until);
            due = [due, retransmit, self.message_due(Peer::at(index), now)].into_iter().flatten().min();
        }
        due
    }
}

/// The content of a message.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The number of the last operation in it, by slot.
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

/// Writes the vector of stable operations.
fn write_stable(out: &mut Vec<u8>, log: &Log, stability: &Stability, incarnation: u64) {
    out.push(b'[');
    for slot in (0..log.origins()).filter(|slot| stability.vector.at(*slot) > 0) {
        write_entry(out, log.origin(slot), stability.vector.at(slot), incarnation);
    }
    out.push(b']');
}

/// Writes the watermarks of the origins that concern the receiver, except those that are advertised already or implied
/// by the operations in the message.
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
        let watermark = log.watermark(slot);
        let implied = written.watermarks.at(slot) == watermark;
        let is_advertised = link.advertised.at(slot) >= watermark;
        link.advertised.raise(slot, watermark);
        if watermark == 0 || implied || (is_advertised && !full) {
            continue;
        }
        write_entry(out, log.origin(slot), watermark, incarnation);
    }
    out.push(b']');
}
