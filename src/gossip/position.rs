//! Where a replica stands in the tree, and who must know of it.
//!
//! Every message says it, so that it is never old for long while there is news. When there is none it must be said
//! nevertheless, and until it is known to have arrived: who is suspected no longer would else be thought to be for
//! ever.

use super::Gossip;
use super::link::{Lesson, Link};
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
    pub(super) doubts: bool,
    /// Who gets its rounds, directly or not; only its hub need know.
    pub(super) below: Vec<usize>,
}

impl Position {
    /// That of a hub that nobody follows.
    pub(super) fn of(me: Peer) -> Self {
        Self { follows: me, far: false, doubts: false, below: Vec::new() }
    }
}

impl Gossip {
    /// Looks where this replica stands; if that is elsewhere than before, its neighbours are told, and those who send
    /// straight to everyone hear at once whether it can.
    pub(super) fn take_position(&mut self, now: Time) {
        let follows = self.parent.unwrap_or(self.me);
        let far = self.is_far();
        let doubts = self.pace.is_direct() && !self.links.iter().all(Link::is_reachable);
        let has_turned = follows != self.position.follows;
        let has_changed_ways = doubts != self.position.doubts;
        let has_other_followers = !self.below().eq(self.position.below.iter().copied());
        if !(has_turned || has_changed_ways || has_other_followers || far != self.position.far) {
            return;
        }
        let left = std::mem::replace(&mut self.position.follows, follows);
        (self.position.far, self.position.doubts) = (far, doubts);
        let mut below = std::mem::take(&mut self.position.below);
        below.clear();
        below.extend(self.below());
        self.position.below = below;
        let due = if has_turned || has_changed_ways { now } else { now + self.acknowledge_within() };
        for index in 0..self.links.len() {
            let peer = Peer::at(index);
            let was_followed = has_turned && peer == left;
            let sends_straight = has_changed_ways && self.pace.is_direct();
            if peer != self.me && (was_followed || sends_straight || self.is_neighbour(peer)) {
                let link = &mut self.links[index];
                link.introduction = Lesson::Due;
                link.owe(due);
            }
        }
    }

    /// Who gets this replica's rounds, directly or not.
    fn below(&self) -> impl Iterator<Item = usize> + '_ {
        let reaches = |relay: Option<Peer>| relay.is_some_and(|relay| self.is_follower(relay));
        (0..self.links.len())
            .filter(move |index| self.is_follower(Peer::at(*index)) || reaches(self.links[*index].through))
    }
}
