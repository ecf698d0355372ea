//! The topology: every node follows the lowest node that it can reach.
//!
//! A peer becomes suspected when acknowledgements are missing, never from silence alone, since a partition can be
//! one-way; an echo of a later message ends the suspicion. A node that suspects its parent probes all lower nodes at
//! once and follows the lowest that responds, so in each component of a partition the lowest node becomes the hub. A
//! node that cannot reach the lowest node follows a *bridge*, a node that can; a bridge follows the hub itself, so
//! there are no cycles. Each round, a hub runs anti-entropy with one node that is not its descendant, and it probes the
//! lower nodes that it has lost: components that share any link exchange operations, and one hub remains after a heal.

use crate::node::Peer;
use crate::time::{Duration, Time};

use super::link::{Announcement, Link, RoundSchedule};
use super::message::Message;
use super::{COALESCING_WINDOW, Gossip, MAX_TRIES, MIN_TIMEOUT, TIMER_SLACK};

/// The interval at which a hub, and in direct mode every node, probes lost nodes; a follower probes at three times the
/// interval.
pub(super) const PROBE_INTERVAL: Duration = Duration::from_millis(700);

/// A node is assumed to have noticed the loss of its parent after this many time-outs.
const DETECTION_TIMEOUTS: u32 = 4;

/// The number of nodes probed at a time for a shorter path to the hub, or among the lost nodes.
const PROBE_FANOUT: usize = 6;

/// Maximum number of hops over which the parents of other nodes are traced.
const MAX_HOPS: usize = 8;

impl Gossip {
    /// Whether this replica follows a peer, and is not electing another parent.
    pub(super) fn is_parent(&self, peer: Peer) -> bool {
        self.parent == Some(peer) && self.electing.is_none()
    }

    /// Whether messages to a peer are retransmitted until they are acknowledged.
    pub(super) fn is_tracked(&self, peer: Peer) -> bool {
        self.is_neighbour(peer) || (self.pacer.is_direct() && self.links[peer.index()].is_reachable())
    }

    /// Whether a peer follows this replica and is reachable.
    pub(super) fn is_follower(&self, peer: Peer) -> bool {
        let link = &self.links[peer.index()];
        link.follows == Some(self.me) && link.is_reachable()
    }

    /// The node to follow: the lowest one that can be reached, or a bridge to it; `None` if this is the lowest.
    pub(super) fn best_parent(&self) -> Option<Peer> {
        let reachable = || (0..self.links.len()).map(Peer::at).filter(|peer| self.is_reachable_peer(*peer));
        let lowest = reachable().map(|peer| self.parent_of(peer).map_or(peer, |parent| parent.min(peer))).min()?;
        if lowest > self.me {
            return None;
        }
        if self.links[lowest.index()].is_reachable() {
            return Some(lowest);
        }
        let is_bridge = |peer: &Peer| self.is_reachable_peer(*peer) && self.parent_of(*peer) == Some(lowest);
        self.parent.filter(is_bridge).or_else(|| reachable().find(is_bridge))
    }

    fn is_reachable_peer(&self, peer: Peer) -> bool {
        peer != self.me && self.links[peer.index()].is_reachable()
    }

    /// The parent of a peer. If this replica suspects that parent, the peer may not have detected its loss yet, so only
    /// a message counts that was received long enough after the suspicion.
    fn parent_of(&self, peer: Peer) -> Option<Peer> {
        let link = &self.links[peer.index()];
        let parent = link.follows.filter(|parent| *parent != self.me)?;
        let is_fresh = match (self.links[parent.index()].suspected, link.received) {
            (None, _) => true,
            (Some(suspected), Some((_, received))) => received > suspected + self.timeout() * DETECTION_TIMEOUTS,
            (Some(_), None) => false,
        };
        is_fresh.then_some(parent)
    }

    /// Whether the hub is two hops away or more.
    pub(super) fn is_far(&self) -> bool {
        self.parent.is_some_and(|parent| self.links[parent.index()].follows.is_some_and(|next| next != parent))
    }

    /// Introduces this replica to its parent; the first node introduces itself to the second.
    pub(super) fn introduce(&mut self) {
        let next = Some(Peer::at(self.me.index() + 1)).filter(|next| next.index() < self.links.len());
        if let Some(peer) = self.parent.or(next) {
            let link = &mut self.links[peer.index()];
            link.introduction = Announcement::Due;
            link.probe = true;
        }
    }

    /// Handles the sender's position, and the schedule of its rounds.
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
            // Operations about to be sent are not postponed: with a period as long as the round trip they always were.
            link.send_at = link.send_at.filter(|send_at| *send_at <= now + COALESCING_WINDOW);
            self.relays |= self.parent == Some(from) && !period.is_zero();
        }
        let link = &mut self.links[from.index()];
        if moved && follows == Some(self.me) {
            // Messages to it have not been tracked so far, so any may have been lost.
            link.assume_lost();
            link.resend = true;
        }
        if self.electing.is_some() {
            return;
        }
        if self.parent == Some(from) {
            if moved {
                self.explores = true;
                self.probe_grandparent(from);
            }
        } else if follows == Some(from) && from != self.me {
            // Another hub: either it can be followed, or it has lost a hub that this replica may have lost as well.
            let timeout = self.timeout();
            if from < self.parent.unwrap_or(self.me) {
                self.links[from.index()].probe |= moved && !self.links[from.index()].is_reachable();
            } else if let Some(parent) = self.parent {
                let hub = &mut self.links[parent.index()];
                hub.probe |= now.since(hub.confirmed) > timeout && hub.retransmit.is_none();
            }
        }
        if moved || self.has_suspects {
            self.choose_parent();
        }
    }

    /// Forgets to which nodes a peer relays rounds.
    pub(super) fn forget_descendants(&mut self, from: Peer) {
        for link in self.links.iter_mut().filter(|link| link.relay == Some(from)) {
            link.relay = None;
        }
    }

    /// Handles the list of nodes to which a peer relays rounds.
    fn on_descendants(&mut self, from: Peer, message: &Message<'_>) {
        if std::mem::take(&mut self.links[from.index()].relays) {
            self.forget_descendants(from);
        }
        for index in message.descendants() {
            let Some(link) = self.links.get_mut(index) else { continue };
            link.relay = Some(from);
            self.links[from.index()].relays = true;
        }
    }

    /// Probes the node that the parent follows, which may be reachable directly.
    fn probe_grandparent(&mut self, parent: Peer) {
        if let Some(grandparent) = self.links[parent.index()].follows
            && grandparent != parent
            && grandparent != self.me
        {
            let link = &mut self.links[grandparent.index()];
            link.probe |= !link.is_reachable() || link.follows.is_none();
        }
    }

    /// Follows the best parent, if that has changed.
    fn choose_parent(&mut self) {
        let best = self.best_parent();
        if best == self.parent {
            return;
        }
        self.parent = best;
        self.explores = true;
        self.introduce();
    }

    /// Handles retransmission time-outs: probes the peer again, or suspects it after [`MAX_TRIES`].
    pub(super) fn on_timeouts(&mut self, now: Time) {
        for index in 0..self.links.len() {
            let peer = Peer::at(index);
            let is_parent = self.is_parent(peer);
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
            if is_parent {
                self.elect(now);
            }
        }
    }

    /// Starts an election: probes all lower nodes at once.
    fn elect(&mut self, now: Time) {
        for link in &mut self.links[..self.me.index()] {
            link.suspected.get_or_insert(now);
            link.retransmit = None;
            link.probe = true;
        }
        self.electing = Some(now + self.timeout());
    }

    /// Ends the election after its deadline.
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
        // This is the hub now: nodes that have lost the former one may follow it; the others may be bridges to it.
        for link in &mut self.links[self.me.index() + 1..] {
            link.probe = true;
        }
        self.next_probe = now + PROBE_INTERVAL;
    }

    /// Whether there are nodes to be probed.
    pub(super) fn must_probe(&self) -> bool {
        let suspects = || self.links.iter().any(|link| !link.is_reachable());
        match self.parent {
            _ if self.pacer.is_direct() => {
                suspects() || (self.parent.is_none() && self.unknown_peers().next().is_some())
            }
            _ if self.links.iter().any(|link| self.is_lost_follower(link)) => true,
            Some(_) => self.is_far(),
            None => self.non_descendants().next().is_some(),
        }
    }

    /// Whether a peer follows this replica but is suspected, so that no node sends it anything.
    fn is_lost_follower(&self, link: &Link) -> bool {
        link.follows == Some(self.me) && !link.is_reachable()
    }

    /// Probes lost nodes, once per interval.
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
            self.probe_grandparent(parent);
            // A restarted parent does not know its followers.
            let silence = self.acknowledge_within();
            let link = &mut self.links[parent.index()];
            link.probe |= link.received.is_none_or(|(_, received)| now.since(received) > silence);
            for index in 0..self.links.len() {
                let is_lost = self.is_lost_follower(&self.links[index]);
                self.links[index].probe |= is_lost;
            }
            if std::mem::take(&mut self.explores) || self.links[parent.index()].is_far {
                self.explore(parent);
            }
            return;
        }
        // Messages to the other nodes are not tracked, so unacknowledged ones may have been lost.
        for index in 0..self.links.len() {
            if !self.is_descendant(Peer::at(index)) {
                self.links[index].assume_lost();
            }
        }
        self.search(now);
    }

    /// As a hub: probes the lowest of the nodes that it has lost, and some others in turn.
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
        let mut some = smallvec::SmallVec::<[Peer; PROBE_FANOUT]>::new();
        some.extend(turn.filter(|peer| is_lost(self, peer)).take(PROBE_FANOUT - 1));
        self.last_probed = some.last().copied().unwrap_or(self.last_probed);
        for peer in first.into_iter().chain(some) {
            self.links[peer.index()].probe = true;
        }
    }

    /// Far from the hub: probes some of the other nodes, which may be nearer to it.
    fn explore(&mut self, parent: Peer) {
        let count = self.links.len();
        for _ in 0..PROBE_FANOUT.min(count) {
            self.last_probed = Peer::at((self.last_probed.index() + 1) % count);
            let is_new = self.is_reachable_peer(self.last_probed)
                && self.last_probed != parent
                && !self.is_follower(self.last_probed);
            self.links[self.last_probed.index()].probe |= is_new;
        }
    }

    /// Starts anti-entropy with the next node in turn that is not a descendant.
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

    /// Whether all nodes have had time to find a hub; anti-entropy waits for that.
    pub(super) fn may_sync(&self, now: Time) -> bool {
        self.settled.is_some_and(|settled| now > settled + PROBE_INTERVAL)
    }

    /// The next node that is not a descendant and is assumed to lack operations.
    pub(super) fn next_sync_peer(&self) -> Option<Peer> {
        let mut lacking = self.non_descendants().filter(|peer| self.links[peer.index()].lacks(&self.log));
        let first = lacking.next()?;
        if first > self.sync_peer {
            return Some(first);
        }
        Some(lacking.find(|peer| *peer > self.sync_peer).unwrap_or(first))
    }

    /// Nodes from which no message has arrived in this incarnation. An idle one may still follow an earlier incarnation
    /// of this replica, and may be the only survivor that holds certain operations; no other node would probe it.
    fn unknown_peers(&self) -> impl Iterator<Item = Peer> + '_ {
        self.non_descendants().filter(|peer| self.links[peer.index()].is_unknown())
    }

    /// Nodes that this hub's rounds do not reach, directly or through relays.
    fn non_descendants(&self) -> impl Iterator<Item = Peer> + '_ {
        (0..self.links.len()).map(Peer::at).filter(|peer| *peer != self.me && !self.is_descendant(*peer))
    }

    /// Whether a peer follows this replica, directly or through others.
    pub(super) fn is_descendant(&self, peer: Peer) -> bool {
        if self.is_relayed(peer) {
            return true;
        }
        let mut at = peer;
        for _ in 0..MAX_HOPS {
            match self.links[at.index()].follows.filter(|_| self.links[at.index()].is_reachable()) {
                Some(parent) if parent == self.me => return true,
                Some(parent) if parent != at => at = parent,
                Some(_) | None => return false,
            }
        }
        false
    }

    /// How long an immediate reply may take.
    fn timeout(&self) -> Duration {
        let latency = self.pacer.latency();
        (latency * 3).max(MIN_TIMEOUT)
    }
}
