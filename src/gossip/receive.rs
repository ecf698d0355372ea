//! Receiving: the peer's version vector, operations, and round-trip measurements.

use super::log::{Insertion, Log, Origin, Slot};
use super::message::Message;
use super::{Gossip, MAX_TICK_INTERVAL, Operation, TIMER_SLACK, View, orphans};
use crate::node::Peer;
use crate::time::Time;
use crate::wire::Json;

impl Gossip {
    /// Handles an incarnation of a peer, named by any node.
    pub(super) fn on_incarnation(&mut self, peer: Peer, incarnation: u64) {
        if self.links[peer.index()].on_incarnation(incarnation) {
            self.forget_descendants(peer);
        }
    }

    /// The slot of an origin named in a message. A new incarnation, whichever node names it, ends the former one: its
    /// messages are ignored from then on, and what it held no longer counts.
    pub(super) fn slot_of(&mut self, origin: Origin) -> Slot {
        if self.links.get(origin.node as usize).is_none_or(|link| link.incarnation != origin.incarnation) {
            self.on_new_incarnation(origin);
        }
        self.log.slot(origin)
    }

    #[cold]
    fn on_new_incarnation(&mut self, origin: Origin) {
        let node = self.node_of(origin);
        if node != self.me {
            self.on_incarnation(node, origin.incarnation);
        }
    }

    /// Handles the peer's version vector.
    pub(super) fn on_vector(&mut self, from: Peer, message: &Message<'_>) {
        for (origin, watermark) in message.have() {
            if watermark > 0 && self.admits(origin) {
                let slot = self.slot_of(origin);
                self.links[from.index()].acked.raise(slot, watermark);
            }
        }
    }

    /// Inserts the operations of a message, and schedules their acknowledgement.
    pub(super) fn on_operations(&mut self, from: Peer, message: &Message<'_>, view: &mut impl View, now: Time) {
        // A hub acknowledges its followers' operations with the next round.
        let due = if self.is_follower(from) && !self.direct {
            Some(self.next_round(now).max(now))
        } else if self.parent == Some(from) || self.direct {
            Some(now + self.acknowledge_within())
        } else {
            None
        };
        let mut has_new = false;
        for run in message.runs() {
            if !self.admits(run.origin) {
                continue;
            }
            let slot = self.slot_of(run.origin);
            let mut number = run.first;
            let mut known = true;
            if !self.is_carrier(run.origin) && self.log.append(slot, number, run.ops.clone(), Json::write) {
                deliver_from(&self.log, slot, number, view);
                number = self.log.watermark(slot).saturating_add(1);
                known = number == run.first;
                self.has_new |= !known;
            } else {
                for operation in run.ops {
                    known &= self.insert(slot, number, operation, view) == Insertion::Known;
                    number = number.saturating_add(1);
                }
            }
            has_new |= !known;
            let gap = self.log.has_gap(slot);
            let link = &mut self.links[from.index()];
            // The sender of an operation holds all those before it.
            link.acked.raise(slot, number - 1);
            if known {
                // It was retransmitted, so the acknowledgement was lost.
                link.advertised.set(slot, 0);
            }
            // Other peers are acknowledged only on request.
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
        if has_new && self.direct {
            self.ack_neighbours_by(now);
        }
    }

    /// Inserts one operation and the orphan that it carries, if any.
    #[inline]
    fn insert(&mut self, slot: Slot, number: u32, operation: Json<'_>, view: &mut impl View) -> Insertion {
        let origin = self.log.origin(slot);
        let is_carrier = self.is_carrier(origin);
        if is_carrier && self.insert_orphan((slot, number), operation, view) == Insertion::Dropped {
            return Insertion::Dropped;
        }
        let insertion = self.log.insert(slot, number, |payload| operation.write(payload));
        if matches!(insertion, Insertion::Next | Insertion::OutOfOrder) {
            self.has_new = true;
            if !is_carrier {
                deliver(view, origin, number, self.log.latest());
            }
        }
        insertion
    }

    /// Inserts the orphan that an operation carries.
    #[cold]
    fn insert_orphan(&mut self, carrier: (Slot, u32), operation: Json<'_>, view: &mut impl View) -> Insertion {
        let orphan = orphans::read_orphan(operation).filter(|(origin, ..)| self.admits(*origin));
        let Some((origin, number, operation)) = orphan else { return Insertion::Known };
        let slot = self.slot_of(origin);
        self.on_forwarded((slot, number), carrier);
        self.insert(slot, number, operation, view)
    }

    /// Handles the announcements in a message, and schedules their acknowledgement.
    #[cold]
    pub(super) fn on_announcements(&mut self, from: Peer, message: &Message<'_>, now: Time) {
        self.links[from.index()].introduced |= message.full;
        for (origin, number) in message.stable() {
            if self.admits(origin) {
                let slot = self.slot_of(origin);
                self.links[from.index()].announced_stable.raise(slot, number);
            }
        }
        if self.is_tracked(from) {
            let due = now + self.acknowledge_within();
            self.links[from.index()].ack_by(due);
        }
    }

    /// Handles an echo of one of this replica's messages: both directions work, and operations that were sent no later
    /// than that message and are still unacknowledged were lost.
    pub(super) fn on_echo(&mut self, from: Peer, message: &Message<'_>, now: Time) {
        let Some((stamp, hold)) = message.echo else { return };
        // The echo is for an earlier incarnation of this replica, so the peer may assume that its operations are held.
        self.links[from.index()].probe |= stamp < self.incarnation;
        let Some(sent) = self.instant(stamp).filter(|sent| *sent <= now) else { return };
        let Some(round_trip) = now.since(sent).checked_sub(hold) else { return };
        let link = &mut self.links[from.index()];
        // A message that waited here while the process was suspended does not measure the network.
        if sent >= self.resumed {
            link.on_round_trip(round_trip);
            self.pacer.on_round_trip(round_trip);
        }
        link.confirmed = link.confirmed.max(sent);
        link.on_echo(stamp);
        if link.suspected.is_some_and(|since| sent >= since) {
            link.suspected = None;
            self.pacer.on_instability(now);
            link.assume_lost();
            link.resend = true;
        }
        link.on_progress(sent, now);
    }

    /// Detects that the process was suspended.
    pub(super) fn detect_suspension(&mut self, now: Time) {
        if now.since(self.last_active) > MAX_TICK_INTERVAL * 2 {
            self.resumed = now;
        }
        self.last_active = now;
    }

    /// The local time of a stamp of this incarnation.
    fn instant(&self, stamp: u64) -> Option<Time> {
        stamp.checked_sub(self.incarnation).and_then(|age| age.checked_mul(1000)).map(Time::from_nanos)
    }
}

/// Delivers the operations of a slot from a number on. Not inlined, for the reason given at [`Log::append`].
#[inline(never)]
fn deliver_from(log: &Log, slot: Slot, first: u32, view: &mut impl View) {
    let origin = log.origin(slot);
    for (number, operation) in (first..).zip(log.payloads(slot, first)) {
        deliver(view, origin, number, operation);
    }
}

/// Delivers one operation to the view, unless its view cannot decode it: then it was made by another program.
#[inline]
fn deliver<V: View>(view: &mut V, origin: Origin, number: u32, operation: &[u8]) {
    if let Some(op) = V::Op::decode(operation) {
        view.apply(origin, number, op);
    }
}
