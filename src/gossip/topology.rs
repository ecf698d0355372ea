//! The topology: every node follows the lowest node that it can reach.
//!
//! Doubt comes from missing acknowledgements, never from silence alone, for a cut can be one-way; what ends it is an
//! echo of something said since. A node that doubts its hub asks all lower nodes at once and follows the first that
//! answers, so on every side of a cut the lowest node becomes a hub. Who cannot reach the lowest node follows a
//! bridge, a node that can; since a bridge follows the hub itself, such chains do not grow into circles. A hub trades
//! everything with one node outside its following each round, and asks after the lower nodes it has lost, so that
//! groups that hang together by any link exchange, and one hub remains after a heal.

use crate::node::Peer;
use crate::time::{Duration, Time};

use super::link::{Announcement, Link, RoundSchedule};
use super::message::Message;
use super::{COALESCING_WINDOW, Gossip, MAX_TRIES, MIN_TIMEOUT, TIMER_SLACK};

/// A hub asks after the nodes it has lost this often, and so does everyone where everything goes straight to everyone;
/// a node that is far from its hub looks around every third time.
pub(super) const PROBE_INTERVAL: Duration = Duration::from_millis(700);

/// A node has noticed that its hub is gone after this many times the timeout for one answer.
const NOTICED: u32 = 4;

/// So many nodes at a time are asked, for a shorter way to the hub or for a lost one.
const EXPLORED: usize = 6;

/// Whom others follow is traced over at most this many nodes.
const LONGEST_CHAIN: usize = 8;

impl Gossip {
    /// Whether this replica follows a peer, and is not looking for another.
    pub(super) fn is_hub(&self, peer: Peer) -> bool {
        self.parent == Some(peer) && self.electing.is_none()
    }

    /// Whether what a peer is told is told again until it is acknowledged.
    pub(super) fn is_tracked(&self, peer: Peer) -> bool {
        self.is_neighbour(peer) || (self.pacer.is_direct() && self.links[peer.index()].is_reachable())
    }

    /// Whether a peer waits for this replica's rounds.
    pub(super) fn is_follower(&self, peer: Peer) -> bool {
        let link = &self.links[peer.index()];
        link.follows == Some(self.me) && link.is_reachable()
    }

    /// Whom to follow now: the lowest node that can be reached, directly or else through a node that follows it;
    /// `None` if that is this one.
    pub(super) fn best_parent(&self) -> Option<Peer> {
        let reachable = || (0..self.links.len()).map(Peer::at).filter(|peer| self.is_reachable_peer(*peer));
        let lowest = reachable().map(|peer| self.bridged(peer).map_or(peer, |above| above.min(peer))).min()?;
        if lowest > self.me {
            return None;
        }
        if self.links[lowest.index()].is_reachable() {
            return Some(lowest);
        }
        let is_bridge = |peer: &Peer| self.is_reachable_peer(*peer) && self.bridged(*peer) == Some(lowest);
        self.parent.filter(is_bridge).or_else(|| reachable().find(is_bridge))
    }

    fn is_reachable_peer(&self, peer: Peer) -> bool {
        peer != self.me && self.links[peer.index()].is_reachable()
    }

    /// The node that a peer surely follows. If this replica doubts that node, the peer may not have noticed yet that it
    /// is gone; what it says counts when it has had the time to.
    fn bridged(&self, peer: Peer) -> Option<Peer> {
        let link = &self.links[peer.index()];
        let above = link.follows.filter(|above| *above != self.me)?;
        let is_fresh = match (self.links[above.index()].suspected, link.received) {
            (None, _) => true,
            (Some(suspected), Some((_, heard))) => heard > suspected + self.timeout() * NOTICED,
            (Some(_), None) => false,
        };
        is_fresh.then_some(above)
    }

    /// Whether the hub is two hops away or more.
    pub(super) fn is_far(&self) -> bool {
        self.parent.is_some_and(|parent| self.links[parent.index()].follows.is_some_and(|above| above != parent))
    }

    /// Introduces this replica to its hub; the first node introduces itself to the second.
    pub(super) fn introduce(&mut self) {
        let next = Some(Peer::at(self.me.index() + 1)).filter(|next| next.index() < self.links.len());
        if let Some(peer) = self.parent.or(next) {
            let link = &mut self.links[peer.index()];
            link.introduction = Announcement::Due;
            link.probe = true;
        }
    }

    /// Learns where the peer stands, and when its next round opens.
    pub(super) fn on_position(&mut self, from: Peer, message: &Message<'_>, now: Time) {
        let follows =
            message.follows.map(|index| Peer::at(index as usize)).filter(|peer| peer.index() < self.links.len());
        let link = &mut self.links[from.index()];
        let moved = link.follows != follows;
        link.follows = follows;
        link.is_far = message.far;
        self.on_descendants(from, message);
        let link = &mut self.links[from.index()];
        if let Some((soon, period)) = message.next {
            let (smoothed, deviation) = link.round_trip.unwrap_or_default();
            let send_by = (now + soon) - smoothed - deviation * 2 - TIMER_SLACK;
            link.schedule = Some(RoundSchedule { send_by, arrival: now + period + deviation * 2, period });
            // What is about to go is not held back, or a period as long as the round trip would put it off for ever.
            link.send_at = link.send_at.filter(|send_at| *send_at <= now + COALESCING_WINDOW);
            self.relays |= self.parent == Some(from) && !period.is_zero();
        }
        let link = &mut self.links[from.index()];
        if moved && follows == Some(self.me) {
            // Nobody waited for acknowledgements so far.
            link.assume_lost();
            link.resend = true;
        }
        if self.electing.is_some() {
            return;
        }
        if self.parent == Some(from) {
            if moved {
                self.explores = true;
                self.probe_above(from);
            }
        } else if follows == Some(from) && from != self.me {
            // Another hub: either it can be followed, or it has lost a hub that this replica may have lost too.
            let quiet = self.timeout();
            if from < self.parent.unwrap_or(self.me) {
                self.links[from.index()].probe |= moved && !self.links[from.index()].is_reachable();
            } else if let Some(parent) = self.parent {
                let hub = &mut self.links[parent.index()];
                hub.probe |= now.since(hub.proved) > quiet && hub.retransmit.is_none();
            }
        }
        if moved || self.unsettled {
            self.choose_parent();
        }
    }

    /// The peer hands rounds on to nobody, as far as is known.
    pub(super) fn forget_descendants(&mut self, from: Peer) {
        for link in self.links.iter_mut().filter(|link| link.through == Some(from)) {
            link.through = None;
        }
    }

    /// Learns whom a peer hands rounds on to.
    fn on_descendants(&mut self, from: Peer, message: &Message<'_>) {
        if std::mem::take(&mut self.links[from.index()].relays) {
            self.forget_descendants(from);
        }
        for index in message.descendants() {
            let Some(link) = self.links.get_mut(index) else { continue };
            link.through = Some(from);
            self.links[from.index()].relays = true;
        }
    }

    /// Asks the node that the hub follows, if it would do as a hub.
    fn probe_above(&mut self, parent: Peer) {
        if let Some(above) = self.links[parent.index()].follows
            && above != parent
            && above != self.me
        {
            let link = &mut self.links[above.index()];
            link.probe |= !link.is_reachable() || link.follows.is_none();
        }
    }

    /// Turns to the first node in order, if that is another one than before.
    fn choose_parent(&mut self) {
        let first = self.best_parent();
        if first == self.parent {
            return;
        }
        self.parent = first;
        self.explores = true;
        self.introduce();
    }

    /// Asks again, and doubts whoever has been silent for too long.
    pub(super) fn on_timeouts(&mut self, now: Time) {
        for index in 0..self.links.len() {
            let peer = Peer::at(index);
            let is_hub = self.is_hub(peer);
            let tracked = self.is_tracked(peer);
            let link = &mut self.links[index];
            let Some(retransmit) = link.retransmit.as_mut().filter(|retransmit| retransmit.until <= now) else {
                continue;
            };
            retransmit.tries += 1;
            let tries = retransmit.tries;
            link.assume_lost();
            if tries < MAX_TRIES && tracked {
                link.probe = true;
                continue;
            }
            link.retransmit = None;
            if tracked {
                link.suspected = Some(now);
                self.pacer.on_instability(now);
            }
            if is_hub {
                self.elect(now);
            }
        }
    }

    /// Asks all lower nodes at once who can be followed.
    fn elect(&mut self, now: Time) {
        for link in &mut self.links[..self.me.index()] {
            link.suspected.get_or_insert(now);
            link.retransmit = None;
            link.probe = true;
        }
        self.electing = Some(now + self.timeout());
    }

    /// Ends the election when its time is up.
    pub(super) fn on_election(&mut self, now: Time) {
        if self.electing.is_none_or(|until| now < until) {
            return;
        }
        self.electing = None;
        self.parent = self.best_parent();
        self.explores = true;
        if self.parent.is_some() {
            self.introduce();
            return;
        }
        // A hub now: whoever has lost the old one should know, and whoever has not may be a bridge to it.
        for link in &mut self.links[self.me.index() + 1..] {
            link.probe = true;
        }
        self.next_probe = now + PROBE_INTERVAL;
    }

    /// Whether this replica has to look for nodes that it has lost.
    pub(super) fn must_probe(&self) -> bool {
        let suspects = || self.links.iter().any(|link| !link.is_reachable());
        match self.parent {
            _ if self.pacer.is_direct() => {
                suspects() || (self.parent.is_none() && self.unknown_peers().next().is_some())
            }
            _ if self.links.iter().any(|link| self.is_lost_follower(link)) => true,
            Some(_) => self.is_far(),
            None => self.outsiders().next().is_some(),
        }
    }

    /// Whether a peer follows this replica, which doubts it, so that nobody sends it anything.
    fn is_lost_follower(&self, link: &Link) -> bool {
        link.follows == Some(self.me) && !link.is_reachable()
    }

    /// Looks for lost nodes, once in a while.
    pub(super) fn probe_lost(&mut self, now: Time) {
        if now < self.next_probe || !self.must_probe() || self.electing.is_some() {
            return;
        }
        self.next_probe = now + PROBE_INTERVAL;
        if self.pacer.is_direct() {
            for link in &mut self.links {
                link.probe |= !link.is_reachable();
            }
        }
        if let Some(parent) = self.parent {
            self.next_probe = now + if self.pacer.is_direct() { PROBE_INTERVAL } else { PROBE_INTERVAL * 3 };
            self.probe_above(parent);
            // A parent that was started again knows nothing of its followers.
            let silence = self.acknowledge_within();
            let link = &mut self.links[parent.index()];
            link.probe |= link.received.is_none_or(|(_, heard)| now.since(heard) > silence);
            for index in 0..self.links.len() {
                let is_lost = self.is_lost_follower(&self.links[index]);
                self.links[index].probe |= is_lost;
            }
            if std::mem::take(&mut self.explores) || self.links[parent.index()].is_far {
                self.explore(parent);
            }
            return;
        }
        // What was sent to nodes outside and not acknowledged may not have arrived.
        for index in 0..self.links.len() {
            if !self.is_descendant(Peer::at(index)) {
                self.links[index].assume_lost();
            }
        }
        self.search(now);
    }

    /// A hub alone with its following: asks the first of the nodes that it has lost, and some others in turn.
    fn search(&mut self, now: Time) {
        let had_time = self.may_sync(now);
        let is_lost = |gossip: &Self, peer: &Peer| {
            let link = &gossip.links[peer.index()];
            let is_lower = *peer < gossip.me && !link.is_reachable();
            let is_new = had_time && link.is_unknown() && *peer != gossip.me && !gossip.is_descendant(*peer);
            is_lower || is_new || gossip.is_lost_follower(link)
        };
        let count = self.links.len();
        let first = (0..count).map(Peer::at).find(|peer| is_lost(self, peer));
        let turn = (1..=count).map(|step| Peer::at((self.last_probed.index() + step) % count));
        let mut some = smallvec::SmallVec::<[Peer; EXPLORED]>::new();
        some.extend(turn.filter(|peer| is_lost(self, peer)).take(EXPLORED - 1));
        self.last_probed = some.last().copied().unwrap_or(self.last_probed);
        for peer in first.into_iter().chain(some) {
            self.links[peer.index()].probe = true;
        }
    }

    /// Far from the hub: asks some of the others, as one may be nearer.
    fn explore(&mut self, parent: Peer) {
        let count = self.links.len();
        for _ in 0..EXPLORED.min(count) {
            self.last_probed = Peer::at((self.last_probed.index() + 1) % count);
            let is_new = self.is_reachable_peer(self.last_probed)
                && self.last_probed != parent
                && !self.is_follower(self.last_probed);
            self.links[self.last_probed.index()].probe |= is_new;
        }
    }

    /// Exchanges everything with one node outside the following, the next in turn.
    pub(super) fn sync_next(&mut self, now: Time) {
        if !self.may_sync(now) {
            return;
        }
        let Some(sync_peer) = self.next_sync_peer() else { return };
        self.sync_peer = sync_peer;
        let link = &mut self.links[sync_peer.index()];
        link.introduction = Announcement::Due;
        link.probe = true;
    }

    /// Trading waits until everyone has had the time to find a hub.
    pub(super) fn may_sync(&self, now: Time) -> bool {
        self.settled.is_some_and(|settled| now > settled + PROBE_INTERVAL)
    }

    /// The next node outside the following that lacks something, as far as this hub knows.
    pub(super) fn next_sync_peer(&self) -> Option<Peer> {
        let mut lacking = self.outsiders().filter(|peer| self.links[peer.index()].lacks(&self.log));
        let first = lacking.next()?;
        if first > self.sync_peer {
            return Some(first);
        }
        Some(lacking.find(|peer| *peer > self.sync_peer).unwrap_or(first))
    }

    /// Nodes that have not spoken in this incarnation. An idle one knows no better than that it follows an earlier
    /// incarnation of this replica, and may be the only one that holds anything: if all who knew more were killed,
    /// nobody else asks it.
    fn unknown_peers(&self) -> impl Iterator<Item = Peer> + '_ {
        self.outsiders().filter(|peer| self.links[peer.index()].is_unknown())
    }

    /// Nodes that this hub does not reach by its rounds or its followers' rounds.
    fn outsiders(&self) -> impl Iterator<Item = Peer> + '_ {
        (0..self.links.len()).map(Peer::at).filter(|peer| *peer != self.me && !self.is_descendant(*peer))
    }

    /// Whether a peer follows this replica, directly or through others.
    pub(super) fn is_descendant(&self, peer: Peer) -> bool {
        if self.links[peer.index()].through.is_some_and(|relay| self.is_follower(relay)) {
            return true;
        }
        let mut at = peer;
        for _ in 0..LONGEST_CHAIN {
            match self.links[at.index()].follows.filter(|_| self.links[at.index()].is_reachable()) {
                Some(above) if above == self.me => return true,
                Some(above) if above != at => at = above,
                Some(_) | None => return false,
            }
        }
        false
    }

    /// How long an answer at once may take.
    fn timeout(&self) -> Duration {
        let latency = self.pacer.latency();
        (latency * 3).max(MIN_TIMEOUT)
    }
}
