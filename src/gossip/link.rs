//! The state that a replica keeps for one peer.

use crate::node::Peer;
use crate::time::{Duration, Time};

use super::STAMP_RESOLUTION;
use super::log::{Log, Slot};

/// A version vector by slot; absent entries are zero.
#[derive(Debug, Default, Clone)]
pub(super) struct Vector(Vec<u32>);

impl Vector {
    pub(super) fn at(&self, slot: Slot) -> u32 {
        self.0.get(slot).copied().unwrap_or_default()
    }

    /// Raises an entry; returns whether it grew.
    pub(super) fn raise(&mut self, slot: Slot, to: u32) -> bool {
        let grows = to > self.at(slot);
        if grows {
            self.set(slot, to);
        }
        grows
    }

    pub(super) fn set(&mut self, slot: Slot, to: u32) {
        if self.0.len() <= slot {
            self.0.resize(slot + 1, 0);
        }
        self.0[slot] = to;
    }

    pub(super) fn total(&self) -> u64 {
        self.0.iter().map(|number| u64::from(*number)).sum()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn copy_from(&mut self, other: &Self) {
        self.0.clear();
        self.0.extend_from_slice(&other.0);
    }

    pub(super) fn covers(&self, other: &Self) -> bool {
        other.0.iter().enumerate().all(|(slot, number)| self.at(slot) >= *number)
    }
}

/// The retransmission timer of a peer from which an acknowledgement is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retransmit {
    /// When the oldest unacknowledged message was sent.
    pub(super) since: Time,
    pub(super) until: Time,
    pub(super) timeout: Duration,
    pub(super) tries: u8,
}

/// The rounds of a parent, as estimated by its follower.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoundSchedule {
    /// A message sent then arrives as the next round starts.
    pub(super) send_by: Time,
    /// When the round itself should arrive here.
    pub(super) arrival: Time,
    /// The time between rounds while there are new operations; zero if the hub is idle.
    pub(super) period: Duration,
}

impl RoundSchedule {
    /// The next time at which a message arrives as a round starts; the hub must not be idle.
    pub(super) fn next_slot(self, now: Time) -> Time {
        let late = now.since(self.send_by).as_nanos();
        let missed = u32::try_from(late.div_ceil(self.period.as_nanos().max(1))).unwrap_or(u32::MAX);
        self.send_by + self.period * missed
    }
}

/// The state of an announcement to a peer: information besides operations that it must acknowledge.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announcement {
    /// The next message has to contain it.
    #[default]
    Due,
    /// Every message since the one with this stamp has contained it, since an echo names only the latest that arrived.
    Sent(u64),
    /// One of these messages has arrived.
    Acked,
}

impl Announcement {
    /// Handles that a message with this stamp contains it.
    pub(super) fn on_sent(&mut self, stamp: u64) {
        if *self == Self::Due {
            *self = Self::Sent(stamp);
        }
    }

    fn on_echo(&mut self, stamp: u64) {
        if matches!(*self, Self::Sent(first) if stamp >= first) {
            *self = Self::Acked;
        }
    }

    /// Schedules it again if it is unacknowledged.
    fn assume_lost(&mut self) {
        if matches!(self, Self::Sent(_)) {
            *self = Self::Due;
        }
    }
}

/// The state of one peer.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not states of a machine")]
#[derive(Debug, Default)]
pub(super) struct Link {
    /// The latest incarnation known from any message; zero if unknown.
    pub(super) incarnation: u64,
    /// What it is known to hold: it has acknowledged or sent it.
    pub(super) acked: Vector,
    /// What it holds if no message to it was lost.
    pub(super) in_flight: Vector,
    /// The part of this replica's own vector that was sent to it.
    pub(super) advertised: Vector,
    /// Its complete vector at some time, where stability is tracked, and whether that is the one of its last message.
    pub(super) snapshot: Vector,
    pub(super) is_exact: bool,
    /// What it has announced as stable, whether this replica can act on that yet or not.
    pub(super) announced_stable: Vector,
    /// The announcement of what this replica has found to be stable.
    pub(super) stable: Announcement,
    /// Whether its complete vector has been received in this incarnation.
    pub(super) introduced: bool,
    /// The announcement of this replica's complete vector and its position.
    pub(super) introduction: Announcement,
    /// Whether a message that asks for an immediate reply must be sent soon.
    pub(super) probe: bool,
    /// Whether operations may have been lost and must be retransmitted.
    pub(super) resend: bool,
    /// Smoothed round trip and its mean deviation (RFC 6298).
    pub(super) round_trip: Option<(Duration, Duration)>,
    /// The peer's latest stamp, and when it arrived: echoed so that the peer can measure the round trip.
    pub(super) received: Option<(u64, Time)>,
    /// The stamp of the latest message to it.
    pub(super) last_stamp: u64,
    /// The stamp of the latest message that carried operations.
    pub(super) last_ops: u64,
    /// The node that the peer follows; itself if it is a hub.
    pub(super) follows: Option<Peer>,
    /// The follower that relays this replica's rounds to the peer.
    pub(super) relay: Option<Peer>,
    /// Whether the peer has followers of its own.
    pub(super) relays: bool,
    /// Whether the peer is two hops or more from its hub.
    pub(super) is_far: bool,
    /// Since when the peer is suspected: no echo has confirmed since then that both directions work.
    pub(super) suspected: Option<Time>,
    /// Whether the peer suspects some node and so cannot use direct mode; its operations must be relayed.
    pub(super) suspects: bool,
    /// When the latest message was sent that the peer has echoed.
    pub(super) confirmed: Time,
    pub(super) retransmit: Option<Retransmit>,
    /// When an acknowledgement must be sent at the latest.
    pub(super) ack_due: Option<Time>,
    /// The number of messages received since the last one sent.
    pub(super) unanswered: u8,
    pub(super) schedule: Option<RoundSchedule>,
    /// When new operations should be sent to this parent, and since when they have waited.
    pub(super) send_at: Option<Time>,
    pub(super) waiting_since: Option<Time>,
}

impl Link {
    /// Handles an incarnation of the peer, named by any node. A new one holds nothing, so the state is reset; returns
    /// whether it was.
    pub(super) fn on_incarnation(&mut self, incarnation: u64) -> bool {
        if self.incarnation == 0 {
            self.incarnation = incarnation;
        }
        if self.incarnation >= incarnation {
            return false;
        }
        let suspected = self.suspected;
        *self = Self { incarnation, suspected, round_trip: self.round_trip, probe: self.probe, ..Self::default() };
        true
    }

    /// Whether no message has arrived from the peer in its latest incarnation.
    pub(super) fn is_unknown(&self) -> bool {
        self.received.is_none()
    }

    pub(super) fn is_reachable(&self) -> bool {
        self.suspected.is_none()
    }

    /// Updates the estimate with a measured round trip.
    pub(super) fn on_round_trip(&mut self, sample: Duration) {
        self.round_trip = Some(match self.round_trip {
            None => (sample, sample / 16),
            Some((smoothed, deviation)) => {
                let error = smoothed.abs_diff(sample);
                ((smoothed * 7 + sample) / 8, (deviation * 3 + error) / 4)
            }
        });
    }

    /// The watermark of a slot that the peer is assumed to have reached.
    pub(super) fn assumed(&self, slot: Slot) -> u32 {
        self.acked.at(slot).max(self.in_flight.at(slot))
    }

    /// Whether this replica holds operations that the peer is assumed to lack.
    pub(super) fn lacks(&self, log: &Log) -> bool {
        (0..log.origins()).any(|slot| log.watermark(slot) > self.assumed(slot))
    }

    /// Whether all operations sent are acknowledged.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.acked.covers(&self.in_flight)
    }

    /// Whether operations or an announcement are unacknowledged.
    pub(super) fn is_unacked(&self) -> bool {
        let is_unacked = |announcement| matches!(announcement, Announcement::Sent(_));
        !self.is_acknowledged() || is_unacked(self.introduction) || is_unacked(self.stable)
    }

    /// Handles an echo of the message with this stamp.
    pub(super) fn on_echo(&mut self, stamp: u64) {
        self.introduction.on_echo(stamp);
        self.stable.on_echo(stamp);
        if stamp >= self.last_ops && !self.is_acknowledged() {
            self.reset_in_flight();
        }
    }

    /// Schedules everything unacknowledged for retransmission.
    pub(super) fn assume_lost(&mut self) {
        self.introduction.assume_lost();
        self.stable.assume_lost();
        self.advertised.clear();
        self.reset_in_flight();
    }

    /// Schedules unacknowledged operations for retransmission.
    pub(super) fn reset_in_flight(&mut self) {
        if !self.is_acknowledged() {
            self.resend = true;
            // The vector entries in the lost messages may be lost as well.
            self.advertised.clear();
        }
        self.in_flight.copy_from(&self.acked);
    }

    /// Restarts or clears the retransmission timer when the peer has received a message sent at `sent`.
    pub(super) fn on_progress(&mut self, sent: Time, now: Time) {
        let is_unacked = self.is_unacked();
        self.retransmit = self.retransmit.and_then(|retransmit| match (sent >= retransmit.since, is_unacked) {
            (false, _) => Some(retransmit),
            (true, false) => None,
            (true, true) => Some(Retransmit {
                since: sent + STAMP_RESOLUTION,
                until: now + retransmit.timeout,
                tries: 0,
                ..retransmit
            }),
        });
    }

    /// Schedules new operations to arrive as the parent starts a round; they are sent by `latest` in any case.
    pub(super) fn schedule_send(&mut self, now: Time, latest: Time) {
        self.send_at = Some(self.send_at.unwrap_or_else(|| self.just_in_time(now)).min(latest));
        self.waiting_since.get_or_insert(now);
    }

    fn just_in_time(&self, now: Time) -> Time {
        let Some(schedule) = self.busy_schedule() else { return now };
        let idle = schedule.period * 2 + self.round_trip.map_or(Duration::ZERO, |(smoothed, _)| smoothed);
        if now.since(schedule.send_by) > idle {
            return now;
        }
        schedule.next_slot(now)
    }

    /// The schedule of this parent, unless it is idle.
    pub(super) fn busy_schedule(&self) -> Option<RoundSchedule> {
        self.schedule.filter(|schedule| !schedule.period.is_zero())
    }

    /// Makes an acknowledgement due at `at`, unless one is due earlier.
    pub(super) fn ack_by(&mut self, at: Time) {
        self.ack_due = Some(self.ack_due.map_or(at, |ack_due| ack_due.min(at)));
    }
}
