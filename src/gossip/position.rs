//! Where a replica stands in the tree, and who must know of it.
//!
//! Every message says it, so that it is never old for long while there is news. When there is none it must be said
//! nevertheless, and until it is known to have arrived: who is suspected no longer would else be thought to be for
//! ever.

use super::Gossip;
use super::link::{Announcement, Link};
use crate::node::Peer;
use crate::time::Time;

/// What a replica says of itself.
#[derive(Debug)]
pub(super) struct Position {
    /// Whom it follows; itself if it is a hub.
    pub(super) follows: Peer,
    /// It is no hub, and neither is whom it follows.
    pub(super) far: bool,
    /// It doubts some node, and so cannot send straight to everyone.
    pub(super) suspects: bool,
    /// Who gets its rounds, directly or not; only its hub need know.
    pub(super) descendants: Vec<usize>,
}

impl Position {
    /// That of a hub that nobody follows.
    pub(super) fn of(me: Peer) -> Self {
        Self { follows: me, far: false, suspects: false, descendants: Vec::new() }
    }
}

impl Gossip {
    /// Looks where this replica stands; if that is elsewhere than before, its neighbours are told, and those who send
    /// straight to everyone hear at once whether it can.
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
        let left = std::mem::replace(&mut self.position.follows, follows);
        (self.position.far, self.position.suspects) = (far, suspects);
        let mut descendants = std::mem::take(&mut self.position.descendants);
        descendants.clear();
        descendants.extend(self.descendants());
        self.position.descendants = descendants;
        let due = if has_new_parent || has_changed_mode { now } else { now + self.acknowledge_within() };
        for index in 0..self.links.len() {
            let peer = Peer::at(index);
            let was_followed = has_new_parent && peer == left;
            let sends_straight = has_changed_mode && self.pacer.is_direct();
            if peer != self.me && (was_followed || sends_straight || self.is_neighbour(peer)) {
                let link = &mut self.links[index];
                link.introduction = Announcement::Due;
                link.ack_by(due);
            }
        }
    }

    /// Who gets this replica's rounds, directly or not.
    fn descendants(&self) -> impl Iterator<Item = usize> + '_ {
        let reaches = |relay: Option<Peer>| relay.is_some_and(|relay| self.is_follower(relay));
        (0..self.links.len())
            .filter(move |index| self.is_follower(Peer::at(*index)) || reaches(self.links[*index].through))
    }
}
