//! The state that a replica keeps for one peer.

use crate::node::Peer;
use crate::time::{Duration, Time};

use super::STAMP;
use super::log::{Log, Slot};

/// A version vector by slot; what is not there is zero.
#[derive(Debug, Default, Clone)]
pub(super) struct Vector(Vec<u32>);

impl Vector {
    pub(super) fn at(&self, slot: Slot) -> u32 {
        self.0.get(slot).copied().unwrap_or_default()
    }

    /// Whether the entry grew.
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

/// Something sent that must be acknowledged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retransmit {
    pub(super) since: Time,
    pub(super) until: Time,
    pub(super) timeout: Duration,
    pub(super) tries: u8,
}

/// When a hub opens its next round, as its follower sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoundSchedule {
    /// A message sent then is there as the round opens.
    pub(super) send_by: Time,
    /// When the round itself should be here.
    pub(super) arrival: Time,
    /// From one round to the next while there is news; zero if the hub is idle.
    pub(super) period: Duration,
}

impl RoundSchedule {
    /// When a message that is there as a round opens can next be sent; the hub is not idle.
    pub(super) fn next_slot(self, now: Time) -> Time {
        let late = now.since(self.send_by).as_nanos();
        let missed = u32::try_from(late.div_ceil(self.period.as_nanos().max(1))).unwrap_or(u32::MAX);
        self.send_by + self.period * missed
    }
}

/// How far a peer has learned something that it must learn, and that operations do not acknowledge.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announcement {
    /// The next message says it.
    #[default]
    Due,
    /// So has every message since the one of this stamp, since an echo names only the latest that arrived.
    Sent(u64),
    /// One of them did arrive.
    Acked,
}

impl Announcement {
    /// A message of this stamp says it.
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

    /// Gives up the hope that it arrived.
    fn assume_lost(&mut self) {
        if matches!(self, Self::Sent(_)) {
            *self = Self::Due;
        }
    }
}

/// One peer.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not states of a machine")]
#[derive(Debug, Default)]
pub(super) struct Link {
    /// Its latest incarnation that anyone has named; zero if nobody has.
    pub(super) incarnation: u64,
    /// What it holds: it acknowledged this, or sent it.
    pub(super) acked: Vector,
    /// What it holds if nothing sent was lost.
    pub(super) in_flight: Vector,
    /// The part of this replica's own vector that was sent to it.
    pub(super) advertised: Vector,
    /// Its whole vector as it once was, where stability is tracked, and whether that was at its last message.
    pub(super) snapshot: Vector,
    pub(super) is_exact: bool,
    /// What it has said is stable, whether this replica can act on that yet or not.
    pub(super) claimed: Vector,
    /// What this replica has found to be stable.
    pub(super) stable: Announcement,
    /// It has said, in this incarnation, all that it holds.
    pub(super) introduced: bool,
    /// All that this replica holds, and where it stands.
    pub(super) introduction: Announcement,
    /// The next message goes soon, and asks for an answer at once.
    pub(super) probe: bool,
    /// What was sent is not all known to have arrived, and goes again.
    pub(super) resend: bool,
    /// Smoothed round trip and its mean deviation (RFC 6298).
    pub(super) round_trip: Option<(Duration, Duration)>,
    /// The peer's latest stamp, and when it came: echoed so that the peer can measure.
    pub(super) received: Option<(u64, Time)>,
    /// The stamp of the latest message to it.
    pub(super) last_stamp: u64,
    /// The stamp of the latest message that carried operations.
    pub(super) last_ops: u64,
    /// Whom the peer follows, itself if it is a hub.
    pub(super) follows: Option<Peer>,
    /// The follower that hands this replica's rounds on to the peer.
    pub(super) through: Option<Peer>,
    /// The peer has followers of its own.
    pub(super) relays: bool,
    /// The peer is no hub, and neither is whom it follows.
    pub(super) is_far: bool,
    /// Since when nothing proves that both directions work; `None` while they are thought to.
    pub(super) suspected: Option<Time>,
    /// The peer doubts others where everything should go straight to everyone: what it says must be handed on.
    pub(super) suspects: bool,
    /// When an echo last proved it.
    pub(super) proved: Time,
    pub(super) retransmit: Option<Retransmit>,
    /// An acknowledgement must go by then.
    pub(super) ack_due: Option<Time>,
    /// Messages heard since the last one sent.
    pub(super) unanswered: u8,
    pub(super) schedule: Option<RoundSchedule>,
    /// When the news at hand should go to this hub.
    pub(super) send_at: Option<Time>,
    /// Since when it has waited for that.
    pub(super) waits_since: Option<Time>,
}

impl Link {
    /// Somebody names the peer's incarnation. If that is a new one, it holds nothing now, and nothing that was said
    /// counts.
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

    /// Whether the peer has not spoken to this replica in its latest incarnation.
    pub(super) fn is_unknown(&self) -> bool {
        self.received.is_none()
    }

    pub(super) fn is_reachable(&self) -> bool {
        self.suspected.is_none()
    }

    /// Takes note of a measured round trip.
    pub(super) fn on_round_trip(&mut self, sample: Duration) {
        self.round_trip = Some(match self.round_trip {
            None => (sample, sample / 16),
            Some((smoothed, deviation)) => {
                let error = smoothed.abs_diff(sample);
                ((smoothed * 7 + sample) / 8, (deviation * 3 + error) / 4)
            }
        });
    }

    /// What the peer is thought to hold of a slot.
    pub(super) fn assumed(&self, slot: Slot) -> u32 {
        self.acked.at(slot).max(self.in_flight.at(slot))
    }

    /// Whether this replica holds something that the peer is thought to lack.
    pub(super) fn lacks(&self, log: &Log) -> bool {
        (0..log.origins()).any(|slot| log.watermark(slot) > self.assumed(slot))
    }

    /// Whether all that was sent is acknowledged.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.acked.covers(&self.in_flight)
    }

    /// Whether something was said that must be acknowledged, and is not.
    pub(super) fn is_unacked(&self) -> bool {
        let is_unacked = |lesson| matches!(lesson, Announcement::Sent(_));
        !self.is_acknowledged() || is_unacked(self.introduction) || is_unacked(self.stable)
    }

    /// An echo came of the message of this stamp.
    pub(super) fn on_echo(&mut self, stamp: u64) {
        self.introduction.on_echo(stamp);
        self.stable.on_echo(stamp);
        if stamp >= self.last_ops && !self.is_acknowledged() {
            self.reset_in_flight();
        }
    }

    /// Gives up the hope that anything arrived that is not acknowledged.
    pub(super) fn assume_lost(&mut self) {
        self.introduction.assume_lost();
        self.stable.assume_lost();
        self.advertised.clear();
        self.reset_in_flight();
    }

    /// Gives up the hope that the operations did that are not acknowledged.
    pub(super) fn reset_in_flight(&mut self) {
        if !self.is_acknowledged() {
            self.resend = true;
            // With it what was said there of other operations may be lost.
            self.advertised.clear();
        }
        self.in_flight.copy_from(&self.acked);
    }

    /// The peer has heard something sent at `sent`: what is still out is newer.
    pub(super) fn on_progress(&mut self, sent: Time, now: Time) {
        let is_unacked = self.is_unacked();
        self.retransmit = self.retransmit.and_then(|retransmit| match (sent >= retransmit.since, is_unacked) {
            (false, _) => Some(retransmit),
            (true, false) => None,
            (true, true) => {
                Some(Retransmit { since: sent + STAMP, until: now + retransmit.timeout, tries: 0, ..retransmit })
            }
        });
    }

    /// Settles when the news at hand should go, so that it arrives as the hub opens a round; never after `latest`,
    /// whatever the hub says.
    pub(super) fn schedule_send(&mut self, now: Time, latest: Time) {
        self.send_at = Some(self.send_at.unwrap_or_else(|| self.just_in_time(now)).min(latest));
        self.waits_since.get_or_insert(now);
    }

    fn just_in_time(&self, now: Time) -> Time {
        let Some(schedule) = self.busy_schedule() else { return now };
        let idle = schedule.period * 2 + self.round_trip.map_or(Duration::ZERO, |(smoothed, _)| smoothed);
        if now.since(schedule.send_by) > idle {
            return now;
        }
        schedule.next_slot(now)
    }

    /// The rhythm of this hub while it has one.
    pub(super) fn busy_schedule(&self) -> Option<RoundSchedule> {
        self.schedule.filter(|schedule| !schedule.period.is_zero())
    }

    /// An acknowledgement must go by `at`, or earlier if one already must.
    pub(super) fn ack_by(&mut self, at: Time) {
        self.ack_due = Some(self.ack_due.map_or(at, |ack_due| ack_due.min(at)));
    }
}
