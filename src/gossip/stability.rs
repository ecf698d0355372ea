//! Causal stability: which operations every replica holds, so that no operation concurrent with them can still appear.
//!
//! An operation is causally stable once every replica's version vector covers it: every later operation has it in its
//! causal past. A replica may act on that when it also holds all operations that those vectors covered. Each
//! incarnation appends an operation as it joins, and only vectors count that cover the joins of the latest incarnation
//! of every node, because the state of a dead incarnation is gone. So once its own join is stable, a new incarnation
//! holds everything that was ever stable.
//!
//! Every message states how many operations its sender holds; if the sender's known vector adds up to the same number,
//! it is exact. A hub that all nodes follow takes the minimum of the vectors and announces it until it is acknowledged;
//! a follower adopts it once it knows the hub's exact vector and holds all of it. That costs no message under load, and
//! one round and its acknowledgements after the last operation. While there is no hub that all nodes follow, as in a
//! partition, nothing becomes stable.

use super::link::{Announcement, Link, Vector};
use super::log::{Log, Origin, Slot};
use super::message::Message;
use super::{ACKNOWLEDGE_WITHIN, Gossip, Tick};
use crate::node::{Node, Peer};
use crate::outbox::Outbox;
use crate::time::Time;

/// The operations known to be stable.
#[derive(Debug, Default)]
pub(super) struct Stability {
    /// The highest stable number, by slot.
    pub(super) vector: Vector,
    /// The number of stable operations; grows with every change.
    pub(super) total: u64,
    /// The number of the operation by which this incarnation joins.
    join: u32,
    /// When peers are probed whose exact vector is needed and unknown.
    probe_at: Option<Time>,
}

impl Stability {
    /// Raises the entries of all slots; returns whether any grew.
    fn raise_all(&mut self, log: &Log, to: impl Fn(Slot) -> u32) -> bool {
        let before = self.total;
        for slot in 0..log.origins() {
            let (from, to) = (self.vector.at(slot), to(slot));
            if self.vector.raise(slot, to) {
                self.total += u64::from(to - from);
            }
        }
        self.total > before
    }
}

/// Schedules the announcement of the stable operations to all peers.
fn announce(links: &mut [Link]) {
    for link in links {
        link.stable = Announcement::Due;
    }
}

impl Gossip {
    /// See [`Replicated::track_stability`](super::Replicated::track_stability).
    pub(crate) fn track_stability<N: Node<Timer: From<Tick>>>(&mut self, out: &mut Outbox<N>) {
        let join = self.append(b"[]", out);
        self.stability = Some(Stability { join, ..Stability::default() });
    }

    /// See [`Replicated::has_caught_up`](super::Replicated::has_caught_up).
    pub(crate) fn has_caught_up(&self) -> bool {
        self.stability.as_ref().is_some_and(|stability| stability.vector.at(self.own) >= stability.join)
    }

    /// The number of operations held, as stated in messages; `None` while some are held that a vector cannot express.
    pub(super) fn held(&self) -> Option<u64> {
        (self.stability.is_some() && !self.has_unforwarded_orphan()).then(|| self.log.total())
    }

    /// Whether an operation is causally stable.
    pub(crate) fn is_stable(&self, origin: Origin, number: u32) -> bool {
        let stable = self.stability.as_ref().zip(self.log.find(origin));
        stable.is_some_and(|(stability, slot)| {
            let covers = |(slot, number)| number <= stability.vector.at(slot);
            covers((slot, number)) || self.carriers((slot, number)).iter().copied().any(covers)
        })
    }

    /// The number of stable operations.
    pub(crate) fn stable_total(&self) -> u64 {
        self.stability.as_ref().map_or(0, |stability| stability.total)
    }

    /// As the hub of all nodes, takes the minimum of their vectors; probes peers whose vector is missing.
    pub(super) fn update_stability(&mut self, now: Time) {
        let (is_hub, parent, me) = (self.parent.is_none() && self.electing.is_none(), self.parent, self.me);
        let decides = is_hub && self.held().is_some();
        let Self { stability: Some(stability), log, links, .. } = self else { return };
        let follows = |link: &Link| link.follows == Some(me) && link.is_reachable();
        let others = || links.iter().enumerate().filter(|(index, _)| *index != me.index()).map(|(_, link)| link);
        let minimum = |slot: Slot| others().map(|link| link.snapshot.at(slot)).min().unwrap_or(u32::MAX);
        // The vectors of former incarnations do not count, so every node must hold the join of every latest one.
        let has_joined = |(node, link): (u32, &Link)| {
            log.find(Origin { node, incarnation: link.incarnation }).is_some_and(|slot| minimum(slot) > 0)
        };
        if decides
            && others().all(|link| follows(link) && holds_all(log, &link.snapshot))
            && (0..).zip(links.iter()).all(has_joined)
        {
            let grew = stability.raise_all(log, |slot| minimum(slot).min(log.watermark(slot)));
            if grew {
                announce(links);
            }
        }
        // The vector is unknown, or the node follows another and may not know that this one is reachable.
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

    /// Stores the peer's vector if it is exact, and adopts what the hub has announced as stable.
    pub(super) fn on_stable(&mut self, from: Peer, message: &Message<'_>) {
        let from_hub = self.parent == Some(from) && self.links[from.index()].follows == Some(from);
        let Self { stability: Some(stability), log, links, .. } = self else { return };
        let link = &mut links[from.index()];
        // No entry known of the peer exceeds what it held when it sent this, so equal sums mean equal vectors.
        link.is_exact = message.held == Some(link.acked.total());
        if link.is_exact {
            link.snapshot.copy_from(&link.acked);
        }
        if from_hub
            && link.is_exact
            && holds_all(log, &link.acked)
            && stability.raise_all(log, |slot| link.announced_stable.at(slot))
        {
            announce(links);
        }
    }
}

fn holds_all(log: &Log, vector: &Vector) -> bool {
    (0..log.origins()).all(|slot| log.watermark(slot) >= vector.at(slot))
}
