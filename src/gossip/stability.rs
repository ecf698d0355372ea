//! Which operations every replica holds, and that nothing older than them can still appear.
//!
//! An operation is causally stable once every replica's version vector covers it: whatever is made from then on is made
//! by someone who has seen it. A replica may act on that when it also holds all that was made before those vectors were
//! taken. A hub that everyone follows knows everyone's vector from the acknowledgements; the minimum rides on its
//! messages, with the number of operations that the hub itself held then. A follower whose picture of the hub comes to
//! the same number knows the hub's vector exactly, and takes the minimum over once its own covers that. Costs no message
//! under load, and one round when news ends. Without a hub for all, in a partition, nothing becomes stable.

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
    /// When the hub is asked to say everything, since what it said does not fit the picture of it; or when it asks who
    /// does not follow it.
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

    /// As the hub of everyone: takes the minimum of what all hold. As a follower: asks, if it is time.
    pub(super) fn settle_stability(&mut self, now: Time) {
        if let Some(parent) = self.parent {
            let ask = self.stability.as_mut().and_then(|stability| stability.ask.take_if(|ask| *ask <= now));
            let link = &mut self.links[parent.index()];
            link.ask |= ask.is_some();
            link.tell_all |= ask.is_some();
            return;
        }
        if self.electing.is_some() {
            return;
        }
        let Self { stability: Some(stability), log, links, me, .. } = self else { return };
        let others = || links.iter().enumerate().filter(|(index, _)| *index != me.index()).map(|(_, link)| link);
        let is_whole = |link: &Link| link.follows == Some(*me) && link.is_trusted() && holds_all(log, &link.known);
        if !others().all(is_whole) {
            // Who follows through another node may have missed that this one is here.
            let asks = stability.ask.take_if(|ask| *ask <= now).is_some();
            stability.ask.get_or_insert(now + ACKNOWLEDGE_WITHIN);
            for (_, link) in links.iter_mut().enumerate().filter(|(index, _)| asks && *index != me.index()) {
                link.ask |= link.follows.is_some_and(|follows| follows != *me);
            }
            return;
        }
        for slot in 0..log.origins() {
            let least = others().map(|link| link.known.at(slot)).min().unwrap_or(u32::MAX);
            stability.raise(slot, least.min(log.reach(slot)));
        }
    }

    /// As a follower: takes over what the hub has found.
    pub(super) fn on_stable(&mut self, from: Peer, message: &Message<'_>, now: Time) {
        if self.parent != Some(from) || self.links[from.index()].follows != Some(from) {
            return;
        }
        let Some(held) = message.held else { return };
        let Self { stability: Some(stability), log, links, .. } = self else { return };
        let link = &links[from.index()];
        if link.known.total() != held || !holds_all(log, &link.known) {
            // A message was lost or overtaken. If no later one fits, the hub has to say everything.
            stability.ask.get_or_insert(now + ACKNOWLEDGE_WITHIN);
            return;
        }
        stability.ask = None;
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
