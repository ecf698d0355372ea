//! Which operations every replica holds, and that nothing older than them can still appear.
//!
//! An operation is causally stable once every replica's version vector covers it: whatever is made from then on is made
//! by someone who has seen it. A replica may act on that when it also holds all that was made before those vectors were
//! taken. Each incarnation makes an operation as it joins, and only vectors count that hold those of the latest
//! incarnation of every node: what a dead incarnation held binds nobody. So when its own is stable, a new incarnation
//! holds all that was ever stable.
//!
//! Every message names the number of operations that its sender holds; if what is known of the sender comes to the same
//! number, it is exactly the sender's vector. A hub that everyone follows takes the minimum of the vectors and says it
//! with its messages until it is known to have arrived; a follower takes it over once it knows the hub's vector, and
//! holds all of it. Costs no message under load, and one round and its acknowledgements when news ends. Without a hub
//! for all, in a partition, nothing becomes stable.

use super::link::{Announcement, Link, Vector};
use super::log::{Log, Origin, Slot};
use super::message::Message;
use super::{ACKNOWLEDGE_WITHIN, Gossip, Tick};
use crate::node::{Node, Peer};
use crate::outbox::Outbox;
use crate::time::Time;

/// What is known to be stable.
#[derive(Debug, Default)]
pub(super) struct Stability {
    /// By slot, up to which number.
    pub(super) vector: Vector,
    /// How many operations that is; grows with every change.
    pub(super) total: u64,
    /// The operation of this incarnation by which others learn of it.
    config: u32,
    /// When those are asked whose vector is needed and not known.
    probe_at: Option<Time>,
}

impl Stability {
    fn raise(&mut self, slot: usize, to: u32) {
        let from = self.vector.at(slot);
        if self.vector.raise(slot, to) {
            self.total += u64::from(to - from);
        }
    }
}

impl Gossip {
    /// See [`Replicated::track_stability`](super::Replicated::track_stability).
    pub(crate) fn track_stability<N: Node>(&mut self, out: &mut Outbox<N>)
    where
        N::Timer: From<Tick>,
    {
        let config = self.append(b"[]", out);
        self.stability = Some(Stability { config, ..Stability::default() });
    }

    /// Whether this replica holds all that was ever stable, or made by earlier incarnations of its node, and is not
    /// lost.
    pub(crate) fn has_caught_up(&self) -> bool {
        self.stability.as_ref().is_some_and(|stability| stability.vector.at(self.own) >= stability.config)
    }

    /// What messages say of stability: how many operations are held, unless there is one that the vector cannot tell
    /// of.
    pub(super) fn held(&self) -> Option<u64> {
        (self.stability.is_some() && !self.has_unforwarded_orphan()).then(|| self.log.total())
    }

    /// Whether every replica holds the operation, and this one all that any of them had seen before.
    pub(crate) fn is_stable(&self, origin: Origin, number: u32) -> bool {
        let stable = self.stability.as_ref().zip(self.log.find(origin));
        stable.is_some_and(|(stability, slot)| {
            let covers = |(slot, number)| number <= stability.vector.at(slot);
            covers((slot, number)) || self.carriers((slot, number)).iter().copied().any(covers)
        })
    }

    /// How many operations are stable: what has become so lately shows as a change.
    pub(crate) fn stable_total(&self) -> u64 {
        self.stability.as_ref().map_or(0, |stability| stability.total)
    }

    /// As the hub of everyone: takes the minimum of what all hold.
    pub(super) fn update_stability(&mut self, now: Time) {
        let (is_hub, parent, me) = (self.parent.is_none() && self.electing.is_none(), self.parent, self.me);
        let settles = is_hub && self.held().is_some();
        let Self { stability: Some(stability), log, links, .. } = self else { return };
        let follows = |link: &Link| link.follows == Some(me) && link.is_reachable();
        let others = || links.iter().enumerate().filter(|(index, _)| *index != me.index()).map(|(_, link)| link);
        let least = |slot: Slot| others().map(|link| link.snapshot.at(slot)).min().unwrap_or(u32::MAX);
        // What is known of an incarnation that is over does not count, so everyone must know who is alive.
        let is_known = |(node, link): (u32, &Link)| {
            log.find(Origin { node, incarnation: link.incarnation }).is_some_and(|slot| least(slot) > 0)
        };
        if settles
            && others().all(|link| follows(link) && holds_all(log, &link.snapshot))
            && (0..).zip(links.iter()).all(is_known)
        {
            let before = stability.total;
            for slot in 0..log.origins() {
                stability.raise(slot, least(slot).min(log.watermark(slot)));
            }
            if stability.total > before {
                for link in links.iter_mut() {
                    link.stable = Announcement::Due;
                }
            }
        }
        // Whose vector is not known, or who follows through another node and may not know that this one is here.
        let is_missing = |index: usize, link: &Link| match parent {
            Some(parent) => parent.index() == index && !link.is_exact,
            None => index != me.index() && link.is_reachable() && !(link.is_exact && follows(link)),
        };
        if !links.iter().enumerate().any(|(index, link)| is_missing(index, link)) {
            stability.probe_at = None;
        } else if *stability.probe_at.get_or_insert(now + ACKNOWLEDGE_WITHIN) <= now {
            stability.probe_at = None;
            for (index, link) in links.iter_mut().enumerate() {
                let is_missing = is_missing(index, link);
                if is_missing {
                    link.probe = true;
                    link.introduction = Announcement::Due;
                }
            }
        }
    }

    /// Takes note of the peer's vector if nothing of it is missing, and of what its hub has found.
    pub(super) fn on_stable(&mut self, from: Peer, message: &Message<'_>) {
        let from_hub = self.parent == Some(from) && self.links[from.index()].follows == Some(from);
        let Self { stability: Some(stability), log, links, .. } = self else { return };
        let link = &mut links[from.index()];
        // What is known of the peer is at most what it held as it sent this, so equal sums are equal vectors.
        link.is_exact = message.held == Some(link.acked.total());
        if link.is_exact {
            link.snapshot.copy_from(&link.acked);
        }
        if from_hub && link.is_exact && holds_all(log, &link.acked) {
            let before = stability.total;
            for slot in 0..log.origins() {
                stability.raise(slot, link.claimed.at(slot));
            }
            if stability.total > before {
                for link in links.iter_mut() {
                    link.stable = Announcement::Due;
                }
            }
        }
    }
}

fn holds_all(log: &Log, vector: &Vector) -> bool {
    (0..log.origins()).all(|slot| log.watermark(slot) >= vector.at(slot))
}
