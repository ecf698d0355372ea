//! A replica's position in the tree, and which peers must know it.
//!
//! Every message contains it, so under load it is always recent. When idle, a change is announced and retransmitted
//! until it is acknowledged: a peer that missed it might regard a reachable node as suspected for ever.

use super::Gossip;
use super::link::{Announcement, Link};
use crate::node::Peer;
use crate::time::Time;

/// The position that a replica states in its messages.
#[derive(Debug)]
pub(super) struct Position {
    /// The node that it follows; itself if it is a hub.
    pub(super) follows: Peer,
    /// Whether it is two hops or more from the hub.
    pub(super) far: bool,
    /// Whether it suspects a node, and so cannot use direct mode.
    pub(super) suspects: bool,
    /// The nodes that receive its rounds, directly or through others; only its parent needs them.
    pub(super) descendants: Vec<usize>,
}

impl Position {
    /// The position of a hub without followers.
    pub(super) fn of(me: Peer) -> Self {
        Self { follows: me, far: false, suspects: false, descendants: Vec::new() }
    }
}

impl Gossip {
    /// Updates the position and announces a change to the neighbours. A change that affects direct mode is announced to
    /// all nodes at once.
    pub(super) fn update_position(&mut self, now: Time) {
        let follows = self.parent.unwrap_or(self.me);
        let far = self.is_far();
        let suspects = self.pacer.is_direct() && !self.links.iter().all(Link::is_reachable);
        let has_new_parent = follows != self.position.follows;
        let has_changed_mode = suspects != self.position.suspects;
        let has_other_followers = !self.descendants().eq(self.position.descendants.iter().copied());
        if !(has_new_parent || has_changed_mode || has_other_followers || far != self.position.far) {
            return;
        }
        let former_parent = std::mem::replace(&mut self.position.follows, follows);
        (self.position.far, self.position.suspects) = (far, suspects);
        let mut descendants = std::mem::take(&mut self.position.descendants);
        descendants.clear();
        descendants.extend(self.descendants());
        self.position.descendants = descendants;
        let due = if has_new_parent || has_changed_mode { now } else { now + self.acknowledge_within() };
        for index in 0..self.links.len() {
            let peer = Peer::at(index);
            let was_followed = has_new_parent && peer == former_parent;
            let is_direct = has_changed_mode && self.pacer.is_direct();
            if peer != self.me && (was_followed || is_direct || self.is_neighbour(peer)) {
                let link = &mut self.links[index];
                link.introduction = Announcement::Due;
                link.ack_by(due);
            }
        }
    }

    /// The nodes that receive this replica's rounds, directly or through a relay.
    fn descendants(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.links.len()).filter(|index| self.is_follower(Peer::at(*index)) || self.is_relayed(Peer::at(*index)))
    }

    /// Whether a follower relays this replica's rounds to a peer.
    pub(super) fn is_relayed(&self, peer: Peer) -> bool {
        self.links[peer.index()].relay.is_some_and(|relay| self.is_follower(relay))
    }
}
