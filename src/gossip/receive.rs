//! Receiving: the peer's version vector, operations, and round-trip measurements.

use super::log::{Insertion, Log, Origin, Slot};
use super::message::Message;
use super::{Gossip, MAX_TICK_INTERVAL, Operation, TIMER_SLACK, View, orphans};
use crate::node::Peer;
use crate::time::Time;
use crate::wire::Json;

impl Gossip {
    /// Somebody names an incarnation of a peer.
    pub(super) fn on_incarnation(&mut self, peer: Peer, incarnation: u64) {
        if self.links[peer.index()].on_incarnation(incarnation) {
            self.forget_descendants(peer);
        }
    }

    /// The slot of an origin that is heard of. If it is of a new incarnation, the former one is over, whoever says so:
    /// its direct messages are not heard any more, and what it held does not count.
    pub(super) fn slot_of(&mut self, origin: Origin) -> Slot {
        if self.links.get(origin.node as usize).is_none_or(|link| link.incarnation != origin.incarnation) {
            self.on_new_incarnation(origin);
        }
        self.log.slot(origin)
    }

    #[cold]
    fn on_new_incarnation(&mut self, origin: Origin) {
        let node = self.maker(origin);
        if node != self.me {
            self.on_incarnation(node, origin.incarnation);
        }
    }

    /// Learns what the peer holds.
    pub(super) fn on_vector(&mut self, from: Peer, message: &Message<'_>) {
        for (origin, reach) in message.have() {
            if reach > 0 && self.exists(origin) {
                let slot = self.slot_of(origin);
                self.links[from.index()].acked.raise(slot, reach);
            }
        }
    }

    pub(super) fn on_operations(&mut self, from: Peer, message: &Message<'_>, view: &mut impl View, now: Time) {
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
            let slot = self.slot_of(run.origin);
            let mut number = run.first;
            let mut known = true;
            if !self.is_carrier(run.origin) && self.log.append(slot, number, run.ops.clone(), Json::write) {
                show(&self.log, slot, number, view);
                number = self.log.watermark(slot).saturating_add(1);
                known = number == run.first;
                self.news |= !known;
            } else {
                for operation in run.ops {
                    known &= self.take_in(slot, number, operation, view) == Insertion::Known;
                    number = number.saturating_add(1);
                }
            }
            learns |= !known;
            let gap = self.log.has_gap(slot);
            let link = &mut self.links[from.index()];
            // Who sends an operation holds all that came before it.
            link.acked.raise(slot, number - 1);
            if known {
                // It was sent again, so the acknowledgement was lost.
                link.advertised.set(slot, 0);
            }
            // Only those who hand on to each other acknowledge unasked.
            let Some(due) = due else { continue };
            link.ack_by(due);
            if known {
                link.ack_by(now + TIMER_SLACK);
            } else if gap {
                let grace = link.round_trip.map_or(TIMER_SLACK, |(_, deviation)| deviation * 2 + TIMER_SLACK);
                link.advertised.set(slot, 0);
                link.ack_by(now + grace);
            }
        }
        if learns && self.direct {
            self.ack_neighbours_by(now);
        }
    }

    /// Takes in one operation, and what is packed in it.
    #[inline]
    fn take_in(&mut self, slot: Slot, number: u32, operation: Json<'_>, view: &mut impl View) -> Insertion {
        let origin = self.log.origin(slot);
        let is_carrier = self.is_carrier(origin);
        if is_carrier && self.unpack((slot, number), operation, view) == Insertion::Dropped {
            return Insertion::Dropped;
        }
        let insertion = self.log.insert(slot, number, |payload| operation.write(payload));
        if matches!(insertion, Insertion::Next | Insertion::OutOfOrder) {
            self.news = true;
            if !is_carrier {
                deliver(view, origin, number, self.log.latest());
            }
        }
        insertion
    }

    /// Takes in what another replica hands on for a third.
    #[cold]
    fn unpack(&mut self, carrier: (Slot, u32), operation: Json<'_>, view: &mut impl View) -> Insertion {
        let packed = orphans::unpack(operation).filter(|(origin, ..)| self.exists(*origin));
        let Some((origin, number, operation)) = packed else { return Insertion::Known };
        let slot = self.slot_of(origin);
        self.on_packed((slot, number), carrier);
        self.take_in(slot, number, operation, view)
    }

    /// Takes note of what must be acknowledged besides operations.
    #[cold]
    pub(super) fn on_announcements(&mut self, from: Peer, message: &Message<'_>, now: Time) {
        self.links[from.index()].introduced |= message.full;
        for (origin, number) in message.stable() {
            if self.exists(origin) {
                let slot = self.slot_of(origin);
                self.links[from.index()].claimed.raise(slot, number);
            }
        }
        if self.is_tracked(from) {
            let due = now + self.acknowledge_within();
            self.links[from.index()].ack_by(due);
        }
    }

    /// The peer has heard a message of ours: both directions work, and what it still lacks of what went before is lost.
    pub(super) fn on_echo(&mut self, from: Peer, message: &Message<'_>, now: Time) {
        let Some((stamp, hold)) = message.echo else { return };
        // Meant for an earlier incarnation of this replica, whose operations the peer takes to be here.
        self.links[from.index()].probe |= stamp < self.incarnation;
        let Some(sent) = self.instant(stamp).filter(|sent| *sent <= now) else { return };
        let Some(round_trip) = now.since(sent).checked_sub(hold) else { return };
        let link = &mut self.links[from.index()];
        // What came while this process was stopped has waited here; it says nothing of the network.
        if sent >= self.resumed {
            link.on_round_trip(round_trip);
            self.pacer.on_round_trip(round_trip);
        }
        link.proved = link.proved.max(sent);
        link.on_echo(stamp);
        if link.suspected.is_some_and(|since| sent >= since) {
            link.suspected = None;
            self.pacer.on_instability(now);
            link.assume_lost();
            link.resend = true;
        }
        link.on_progress(sent, now);
    }

    /// Notices that the process was stopped.
    pub(super) fn detect_suspension(&mut self, now: Time) {
        if now.since(self.last_active) > MAX_TICK_INTERVAL * 2 {
            self.resumed = now;
        }
        self.last_active = now;
    }

    /// The local instant of a stamp of this incarnation.
    fn instant(&self, stamp: u64) -> Option<Time> {
        stamp.checked_sub(self.incarnation).and_then(|age| age.checked_mul(1000)).map(Time::from_nanos)
    }
}

/// Hands the operations of a slot on, from a number; by itself, as [`Log::append`].
#[inline(never)]
fn show(log: &Log, slot: Slot, first: u32, view: &mut impl View) {
    let origin = log.origin(slot);
    for (number, operation) in (first..).zip(log.payloads(slot, first)) {
        deliver(view, origin, number, operation);
    }
}

/// Hands one operation on. What its view cannot read was made by another program, and stays in the log.
#[inline]
fn deliver<V: View>(view: &mut V, origin: Origin, number: u32, operation: &[u8]) {
    if let Some(op) = V::Op::decode(operation) {
        view.apply(origin, number, op);
    }
}
