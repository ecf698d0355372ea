//! Which operations every replica holds, and that nothing older than them can still appear.
//!
//! An operation is causally stable once every replica's version vector covers it: whatever is made from then on is made
//! by someone who has seen it. A replica may act on that when it also holds all that was made before those vectors were
//! taken. A hub that everyone follows knows everyone's vector from the acknowledgements; the minimum rides on its
//! messages, with the number of operations that the hub itself held then. A follower whose picture of the hub comes to
//! the same number knows the hub's vector exactly, and takes the minimum over once its own covers that. Costs no message
//! under load, and one round when news ends. Without a hub for all, in a partition, nothing becomes stable.

use super::Gossip;
use super::link::{Link, Vector};
use super::log::{Log, Origin};
use super::message::Message;
use crate::node::Peer;

/// So many messages in a row may leave the picture of the hub incomplete before it is asked.
const MISSES: u32 = 4;

/// What is known to be stable.
#[derive(Debug, Default)]
pub(super) struct Stability {
    /// By slot, up to which number.
    pub(super) vector: Vector,
    /// How many operations that is; grows with every change.
    pub(super) total: u64,
    /// Messages of the hub, one after the other, that did not fit the picture of it.
    misses: u32,
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
    pub(super) fn settle_stability(&mut self) {
        if self.parent.is_some() || self.electing.is_some() {
            return;
        }
        let Self { stability: Some(stability), log, links, me, .. } = self else { return };
        let others = || links.iter().enumerate().filter(|(index, _)| *index != me.index()).map(|(_, link)| link);
        let is_whole = |link: &Link| link.follows == Some(*me) && link.is_trusted() && holds_all(log, &link.known);
        if !others().all(is_whole) {
            return;
        }
        for slot in 0..log.origins() {
            let least = others().map(|link| link.known.at(slot)).min().unwrap_or(u32::MAX);
            stability.raise(slot, least.min(log.reach(slot)));
        }
    }

    /// As a follower: takes over what the hub has found.
    pub(super) fn on_stable(&mut self, from: Peer, message: &Message<'_>) {
        if self.parent != Some(from) || self.links[from.index()].follows != Some(from) {
            return;
        }
        let Some(held) = message.held else { return };
        let Self { stability: Some(stability), log, links, .. } = self else { return };
        let link = &mut links[from.index()];
        if link.known.total() != held || !holds_all(log, &link.known) {
            // A message was lost or overtaken. If that does not mend itself, the hub has to say everything.
            stability.misses += 1;
            if stability.misses.is_multiple_of(MISSES) {
                link.ask = true;
                link.tell_all = true;
            }
            return;
        }
        stability.misses = 0;
        for (origin, number) in message.stable() {
            if let Some(slot) = log.find(origin) {
                stability.raise(slot, number);
            }
        }
    }
}

fn holds_all(log: &Log, vector: &Vector) -> bool {
    (0..log.origins()).all(|slot| log.reach(slot) >= vector.at(slot))
}
