//! Everything straight to everyone: what a replica does where two hops would be staler than is allowed.
//!
//! Everyone tells everyone what is its own, one hop and n-1 messages an operation. That works as long as nobody is
//! suspected by anybody; who doubts says so, and is heard in rounds. Behind it the tree stands as a safety net: whoever
//! was told nothing, or only part of it, by one who died or thinks otherwise of the distances, gets it from its
//! neighbours.

use super::Gossip;
use crate::node::Peer;
use crate::time::{Duration, Time};

/// Own operations acknowledge others' in passing; silence lasts this long at most.
pub const ACKNOWLEDGE_DIRECT_WITHIN: Duration = Duration::from_secs(3);

/// Whoever is told something tells its neighbours in the tree within this time, as they may have to help out.
const ACKNOWLEDGE_TREE_WITHIN: Duration = Duration::from_millis(1500);

/// What a neighbour has not acknowledged after this time, at the latest twice it, is sent again, whoever made it.
const AUDIT: Duration = Duration::from_secs(2);

impl Gossip {
    /// Settles whether everything goes straight to everyone.
    pub(super) fn choose_mode(&mut self) {
        self.direct = self.pacer.is_direct() && self.links.iter().all(|link| link.is_reachable() && !link.suspects);
    }

    /// Whether a peer is the next node up or down the tree.
    pub(super) fn is_neighbour(&self, peer: Peer) -> bool {
        self.is_hub(peer) || self.is_follower(peer)
    }

    /// The neighbours hear soon what this replica holds.
    pub(super) fn ack_neighbours_by(&mut self, now: Time) {
        for index in 0..self.links.len() {
            if self.is_neighbour(Peer::at(index)) {
                self.links[index].ack_by(now + ACKNOWLEDGE_TREE_WITHIN);
            }
        }
    }

    /// Looks which neighbours have not acknowledged what was here at the last audit.
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
