//! Which operations every replica holds, and that nothing older than them can still appear.
//!
//! An operation is causally stable once every replica's version vector covers it: whatever is made from then on is made
//! by someone who has seen it. A replica may act on that when it also holds all that was made before those vectors were
//! taken. Every message names the number of operations that its sender holds; if what is known of the sender comes to
//! the same number, it is exactly the sender's vector. A hub that everyone follows takes the minimum of the vectors and
//! says it with its messages; a follower takes it over if it knows the hub's vector, and holds all of it. Costs no
//! message under load, and one round when news ends. Without a hub for all, in a partition, nothing becomes stable.

use super::link::{Link, Vector};
use super::log::{Log, Origin};
use super::message::Message;
use super::{ACKNOWLEDGE_WITHIN, Gossip};
use crate::node::Peer;
use crate::time::Time;

/// What is known to be stable.
#[derive(Debug, Default)]
pub(super) struct Stability {
    /// By slot, up to which number.
    pub(super) vector: Vector,
    /// How many operations that is; grows with every change.
    pub(super) total: u64,
    /// When those are asked whose vector is needed and not known.
    ask: Option<Time>,
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
    /// Finds out what is stable; to be called from [`Node::start`](crate::node::Node::start) by a node that uses
    /// [`Gossip::is_stable`].
    pub fn track_stability(&mut self) {
        self.stability = Some(Stability::default());
    }

    /// Whether every replica holds the operation, and this one all that any of them had seen before.
    #[must_use]
    pub fn is_stable(&self, origin: Origin, number: u32) -> bool {
        let stable = self.stability.as_ref().zip(self.log.find(origin));
        stable.is_some_and(|(stability, slot)| number <= stability.vector.at(slot))
    }

    /// How many operations are stable: what has become so lately shows as a change.
    #[must_use]
    pub fn stable_total(&self) -> u64 {
        self.stability.as_ref().map_or(0, |stability| stability.total)
    }

    /// As the hub of everyone: takes the minimum of what all hold.
    pub(super) fn settle_stability(&mut self, now: Time) {
        let (is_hub, parent, me) = (self.parent.is_none() && self.electing.is_none(), self.parent, self.me);
        let Self { stability: Some(stability), log, links, .. } = self else { return };
        let follows = |link: &Link| link.follows == Some(me) && link.is_trusted();
        let others = || links.iter().enumerate().filter(|(index, _)| *index != me.index()).map(|(_, link)| link);
        if is_hub && others().all(|link| follows(link) && holds_all(log, &link.snapshot)) {
            for slot in 0..log.origins() {
                let least = others().map(|link| link.snapshot.at(slot)).min().unwrap_or(u32::MAX);
                stability.raise(slot, least.min(log.reach(slot)));
            }
        }
        // Whose vector is not known, or who follows through another node and may not know that this one is here.
        let is_missing = |index: usize, link: &Link| match parent {
            Some(parent) => parent.index() == index && !link.is_exact,
            None => index != me.index() && link.is_trusted() && !(link.is_exact && follows(link)),
        };
        if !links.iter().enumerate().any(|(index, link)| is_missing(index, link)) {
            stability.ask = None;
        } else if *stability.ask.get_or_insert(now + ACKNOWLEDGE_WITHIN) <= now {
            stability.ask = None;
            for (index, link) in links.iter_mut().enumerate() {
                let is_missing = is_missing(index, link);
                link.ask |= is_missing;
                link.tell_all |= is_missing;
            }
        }
    }

    /// Takes note of the peer's vector if nothing of it is missing, and of what its hub has found.
    pub(super) fn on_stable(&mut self, from: Peer, message: &Message<'_>) {
        let from_hub = self.parent == Some(from) && self.links[from.index()].follows == Some(from);
        let Self { stability: Some(stability), log, links, .. } = self else { return };
        let link = &mut links[from.index()];
        // What is known of the peer is at most what it held as it sent this, so equal sums are equal vectors.
        link.is_exact = message.held == Some(link.known.total());
        if link.is_exact {
            link.snapshot.copy_from(&link.known);
        }
        if from_hub && link.is_exact && holds_all(log, &link.known) {
            for (origin, number) in message.stable() {
                if let Some(slot) = log.find(origin) {
                    stability.raise(slot, number);
                }
            }
        }
    }
}

fn holds_all(log: &Log, vector: &Vector) -> bool {
    (0..log.origins()).all(|slot| log.reach(slot) >= vector.at(slot))
}
