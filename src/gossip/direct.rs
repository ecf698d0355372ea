//! Direct mode, for a bound on staleness that two hops would exceed.
//!
//! Each replica sends its own operations to all others: one hop, and n-1 messages per operation. As soon as a replica
//! suspects a peer, its messages state that and all return to rounds. The tree remains as a fallback: neighbours in it
//! retransmit any origin's operations, in case the origin died before it had sent them to all, or measures another
//! latency and so is not in direct mode.

use super::Gossip;
use crate::node::Peer;
use crate::time::{Duration, Time};

/// Upper bound on how long an acknowledgement waits for an operation to be piggybacked on.
pub const ACKNOWLEDGE_DIRECT_WITHIN: Duration = Duration::from_secs(3);

/// A replica acknowledges new operations to its neighbours in the tree within this time, so that they know what need
/// not be retransmitted.
const ACKNOWLEDGE_TREE_WITHIN: Duration = Duration::from_millis(1500);

/// The interval between audits: an operation of any origin that a neighbour has not acknowledged after one to two
/// intervals is retransmitted.
const AUDIT: Duration = Duration::from_secs(2);

impl Gossip {
    /// Enters or leaves direct mode.
    pub(super) fn choose_mode(&mut self) {
        self.direct = self.pacer.is_direct() && self.links.iter().all(|link| link.is_reachable() && !link.suspects);
    }

    /// Whether a peer is this replica's parent or follower.
    pub(super) fn is_neighbour(&self, peer: Peer) -> bool {
        self.is_parent(peer) || self.is_follower(peer)
    }

    /// Schedules acknowledgements to the neighbours in the tree.
    pub(super) fn ack_neighbours_by(&mut self, now: Time) {
        for index in 0..self.links.len() {
            if self.is_neighbour(Peer::at(index)) {
                self.links[index].ack_by(now + ACKNOWLEDGE_TREE_WITHIN);
            }
        }
    }

    /// Retransmits to the neighbours that have not acknowledged what was held at the last audit.
    pub(super) fn audit(&mut self, now: Time) {
        if !self.direct || now < self.audit {
            return;
        }
        self.audit = now + AUDIT;
        for index in 0..self.links.len() {
            if self.is_neighbour(Peer::at(index)) && !self.links[index].acked.covers(&self.audited) {
                self.links[index].reset_in_flight();
                self.links[index].resend = true;
            }
        }
        for slot in 0..self.log.origins() {
            self.audited.set(slot, self.log.watermark(slot));
        }
    }
}
