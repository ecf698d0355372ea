//! Orphans: operations above a gap that may never be filled, because their origin died and those in the gap with it.
//!
//! A version vector cannot express them, so they would not spread. A replica that has held one for [`TIMEOUT`] forwards
//! it inside an operation of a second origin of its own, the *carrier*: `[node,incarnation,number,operation]`. The node
//! number of a carrier is its replica's plus the number of nodes. Receivers insert the orphan as well as the carrier's
//! operation. If the origin is alive after all and was only partitioned, the duplicates are recognised. A carrier may
//! have gaps itself; its operations are then forwarded in the same way.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::Gossip;
use super::log::{Origin, Slot};
use super::message::{INCARNATIONS_END, write_origin};
use crate::node::Peer;
use crate::time::{Duration, Time};
use crate::wire::{FORWARDED, Json, write_int};

/// How long a gap must have stayed before the operations above it are forwarded.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Maximum number of incarnations of one node: each takes memory and time at every replica. The operations of more are
/// ignored, with one line on stderr for each incarnation, although their own node acknowledges them.
pub const MAX_INCARNATIONS: usize = 256;

/// The operations of carriers that contain the same orphan.
type Carriers = SmallVec<[(Slot, u32); 1]>;

/// The orphans that are forwarded.
#[derive(Debug)]
pub(super) struct Orphans {
    /// The slot of this replica's carrier.
    pub(super) slot: Slot,
    /// When gaps are next checked.
    next_check: Time,
    /// The slots that had a gap at the last check, and their watermarks.
    gaps: Vec<(Slot, u32)>,
    /// The orphans that any replica has forwarded.
    forwarded: BTreeMap<(Slot, u32), Carriers>,
    /// By node, its latest incarnation that was ignored and logged.
    refused: BTreeMap<u32, u64>,
    scratch: Vec<u8>,
}

impl Orphans {
    pub(super) fn new(slot: Slot) -> Self {
        let (gaps, forwarded, refused) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        Self { slot, next_check: Time::ZERO, gaps, forwarded, refused, scratch: Vec::new() }
    }
}

impl Gossip {
    /// The carrier of a replica with this origin.
    pub(super) fn carrier_origin(own: Origin, nodes: usize) -> Origin {
        let nodes = u32::try_from(nodes).expect("nodes are numbered in 32 bits");
        Origin { node: own.node + nodes, incarnation: own.incarnation }
    }

    pub(super) fn is_carrier(&self, origin: Origin) -> bool {
        origin.node as usize >= self.links.len()
    }

    /// The node of an origin, which may be a carrier.
    pub(super) fn node_of(&self, origin: Origin) -> Peer {
        Peer::at(origin.node as usize % self.links.len())
    }

    /// Whether operations of an origin are accepted: its node exists, and has not exceeded [`MAX_INCARNATIONS`].
    pub(super) fn admits(&mut self, origin: Origin) -> bool {
        if origin.node as usize >= self.links.len() * 2 {
            return false;
        }
        let has_room = self.log.find(origin).is_some() || self.log.incarnations(origin.node) < MAX_INCARNATIONS;
        if !has_room {
            self.log_refused(origin);
        }
        has_room
    }

    /// Logs that an incarnation is ignored, once.
    #[cold]
    fn log_refused(&mut self, origin: Origin) {
        let node = self.node_of(origin).index();
        let refused = self.orphans.refused.entry(origin.node).or_default();
        if *refused < origin.incarnation {
            *refused = origin.incarnation;
            let incarnation = origin.incarnation;
            log::error!(
                "ignoring the operations of incarnation {incarnation} of node {node} (its index in node_ids), which \
                 acknowledges them: it was started more than {MAX_INCARNATIONS} times; restart all nodes"
            );
        }
    }

    /// Records that an orphan was forwarded, and so need not be forwarded again.
    pub(super) fn on_forwarded(&mut self, operation: (Slot, u32), carrier: (Slot, u32)) {
        let carriers = self.orphans.forwarded.entry(operation).or_default();
        if !carriers.contains(&carrier) {
            carriers.push(carrier);
        }
    }

    /// The operations of carriers that contain an orphan.
    pub(super) fn carriers(&self, operation: (Slot, u32)) -> &[(Slot, u32)] {
        self.orphans.forwarded.get(&operation).map_or(&[], |carriers| carriers)
    }

    /// Whether an operation of a former incarnation is above a gap and not forwarded, so that no vector expresses it.
    pub(super) fn has_unforwarded_orphan(&self) -> bool {
        let is_over = |slot: Slot| {
            let origin = self.log.origin(slot);
            origin.incarnation < self.links[self.node_of(origin).index()].incarnation
        };
        let mut over = (0..self.log.origins()).filter(|slot| self.log.has_gap(*slot) && is_over(*slot));
        over.any(|slot| self.log.out_of_order(slot).any(|number| self.carriers((slot, number)).is_empty()))
    }

    /// Forwards the operations above gaps that have stayed since the last check.
    pub(super) fn forward_orphans(&mut self, now: Time) {
        if now < self.orphans.next_check {
            return;
        }
        // Retransmissions take as long as acknowledgements.
        let timeout = TIMEOUT.max(self.acknowledge_within());
        let Self { log, orphans, has_new, .. } = self;
        orphans.next_check = now + timeout;
        let before = std::mem::take(&mut orphans.gaps);
        orphans
            .gaps
            .extend((0..log.origins()).filter(|slot| log.has_gap(*slot)).map(|slot| (slot, log.watermark(slot))));
        orphans.forwarded.retain(|(slot, number), _| log.watermark(*slot) < *number);
        for (slot, _) in orphans.gaps.iter().filter(|gap| before.contains(gap)) {
            let numbers: Vec<u32> =
                log.out_of_order(*slot).filter(|number| !orphans.forwarded.contains_key(&(*slot, *number))).collect();
            for number in numbers {
                orphans.scratch.clear();
                orphans.scratch.push(b'[');
                write_origin(&mut orphans.scratch, log.origin(*slot), 0);
                orphans.scratch.push(b',');
                write_int(&mut orphans.scratch, number.into());
                orphans.scratch.push(b',');
                orphans.scratch.extend_from_slice(log.any_payload(*slot, number).unwrap_or_default());
                orphans.scratch.push(b']');
                if FORWARDED.admit(&orphans.scratch).is_err() {
                    // It was forwarded so often that no receiver could parse it.
                    continue;
                }
                let next = log.watermark(orphans.slot) + 1;
                log.insert(orphans.slot, next, |payload| payload.extend_from_slice(&orphans.scratch));
                orphans.forwarded.entry((*slot, number)).or_default().push((orphans.slot, next));
                *has_new = true;
            }
        }
    }
}

/// Reads the orphan in an operation of a carrier: its origin, its number, and the operation itself.
pub(super) fn read_orphan(carrier: Json<'_>) -> Option<(Origin, u32, Json<'_>)> {
    let mut parts = carrier.items()?;
    let node = u32::try_from(parts.next()?.as_u64()?).ok()?;
    let incarnation = parts.next()?.as_u64().filter(|incarnation| *incarnation < INCARNATIONS_END)?;
    let number = u32::try_from(parts.next()?.as_u64()?).ok().filter(|number| *number > 0)?;
    Some((Origin { node, incarnation }, number, parts.next()?))
}
