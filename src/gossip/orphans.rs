//! Operations above a gap that nobody may ever fill: their maker has died, and what lies before them with it.
//!
//! A version vector cannot name them, so they would stay where they came. Who has held some for [`TIMEOUT`] while the
//! gap stayed hands them on as operations of another origin of its own, its estate:
//! `[node,incarnation,number,operation]`, whose name is a node beyond the last. Others unpack them. If the maker lives
//! after all and was only cut off, the operations come twice and count once. An estate may have gaps of its own, and is
//! handed on in the same way.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::Gossip;
use super::log::{Origin, Slot};
use super::message::{INCARNATIONS_END, write_origin};
use crate::node::Peer;
use crate::time::{Duration, Time};
use crate::wire::{HANDED_ON, Json, write_int};

/// A gap that has stayed for so long may stay for ever.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Operations of more incarnations of one node are not taken in, though their node answers them: each incarnation takes
/// memory at every replica, and time. Each replica says so on stderr, once for each such incarnation.
pub const MAX_INCARNATIONS: usize = 256;

/// Operations of estates that carry the same one.
type Carriers = SmallVec<[(Slot, u32); 1]>;

/// What a replica hands on for others.
#[derive(Debug)]
pub(super) struct Orphans {
    pub(super) slot: Slot,
    /// When gaps are next looked at.
    look: Time,
    /// Where there was a gap then, and how far the operations below it reached.
    gaps: Vec<(Slot, u32)>,
    /// What was handed on by anyone, and as which operations of estates.
    packed: BTreeMap<(Slot, u32), Carriers>,
    /// By node, its latest incarnation beyond [`MAX_INCARNATIONS`] of which that was said.
    refused: BTreeMap<u32, u64>,
    scratch: Vec<u8>,
}

impl Orphans {
    pub(super) fn new(slot: Slot) -> Self {
        let (gaps, packed, refused) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        Self { slot, look: Time::ZERO, gaps, packed, refused, scratch: Vec::new() }
    }
}

impl Gossip {
    /// The origin of what a node hands on for others.
    pub(super) fn carrier_origin(own: Origin, nodes: usize) -> Origin {
        let beyond = u32::try_from(nodes).expect("nodes are numbered in 32 bits");
        Origin { node: own.node + beyond, incarnation: own.incarnation }
    }

    pub(super) fn is_carrier(&self, origin: Origin) -> bool {
        origin.node as usize >= self.links.len()
    }

    /// The node whose operations, or whose estate, an origin names.
    pub(super) fn maker(&self, origin: Origin) -> Peer {
        Peer::at(origin.node as usize % self.links.len())
    }

    /// Whether there can be such an origin, and there is room for it.
    pub(super) fn exists(&mut self, origin: Origin) -> bool {
        if origin.node as usize >= self.links.len() * 2 {
            return false;
        }
        let has_room = self.log.find(origin).is_some() || self.log.incarnations(origin.node) < MAX_INCARNATIONS;
        if !has_room {
            self.refuse(origin);
        }
        has_room
    }

    /// Says that an incarnation is one too many, unless that was said.
    #[cold]
    fn refuse(&mut self, origin: Origin) {
        let node = self.maker(origin).index();
        let refused = self.orphans.refused.entry(origin.node).or_default();
        if *refused < origin.incarnation {
            *refused = origin.incarnation;
            let incarnation = origin.incarnation;
            log::error!(
                "what node {node} of node_ids (from 0) makes in its incarnation {incarnation} is not heard here, \
                 though it is acknowledged there: the node was started more than {MAX_INCARNATIONS} times; start all \
                 nodes anew"
            );
        }
    }

    /// Notes that an operation of this name was handed on, and so need not be again.
    pub(super) fn on_packed(&mut self, operation: (Slot, u32), carrier: (Slot, u32)) {
        let carriers = self.orphans.packed.entry(operation).or_default();
        if !carriers.contains(&carrier) {
            carriers.push(carrier);
        }
    }

    /// As which operations of estates this one was handed on.
    pub(super) fn carriers(&self, operation: (Slot, u32)) -> &[(Slot, u32)] {
        self.orphans.packed.get(&operation).map_or(&[], |carriers| carriers)
    }

    /// Whether something of an incarnation that is over waits above a gap and is not handed on: no vector tells of it.
    pub(super) fn has_unforwarded_orphan(&self) -> bool {
        let is_over = |slot: Slot| {
            let origin = self.log.origin(slot);
            origin.incarnation < self.links[self.maker(origin).index()].incarnation
        };
        let mut over = (0..self.log.origins()).filter(|slot| self.log.has_gap(*slot) && is_over(*slot));
        over.any(|slot| self.log.out_of_order(slot).any(|number| self.carriers((slot, number)).is_empty()))
    }

    /// Hands on what has waited above a gap since the last look.
    pub(super) fn forward_orphans(&mut self, now: Time) {
        if now < self.orphans.look {
            return;
        }
        // Where acknowledgements take long, so do repairs.
        let timeout = TIMEOUT.max(self.acknowledge_within());
        let Self { log, orphans, news, .. } = self;
        orphans.look = now + timeout;
        let before = std::mem::take(&mut orphans.gaps);
        orphans
            .gaps
            .extend((0..log.origins()).filter(|slot| log.has_gap(*slot)).map(|slot| (slot, log.watermark(slot))));
        orphans.packed.retain(|(slot, number), _| log.watermark(*slot) < *number);
        for (slot, _) in orphans.gaps.iter().filter(|gap| before.contains(gap)) {
            let numbers: Vec<u32> =
                log.out_of_order(*slot).filter(|number| !orphans.packed.contains_key(&(*slot, *number))).collect();
            for number in numbers {
                orphans.scratch.clear();
                orphans.scratch.push(b'[');
                write_origin(&mut orphans.scratch, log.origin(*slot), 0);
                orphans.scratch.push(b',');
                write_int(&mut orphans.scratch, number.into());
                orphans.scratch.push(b',');
                orphans.scratch.extend_from_slice(log.any_payload(*slot, number).unwrap_or_default());
                orphans.scratch.push(b']');
                if HANDED_ON.admit(&orphans.scratch).is_err() {
                    // What was wrapped so often could not be read by anyone.
                    continue;
                }
                let next = log.watermark(orphans.slot) + 1;
                log.insert(orphans.slot, next, |payload| payload.extend_from_slice(&orphans.scratch));
                orphans.packed.entry((*slot, number)).or_default().push((orphans.slot, next));
                *news = true;
            }
        }
    }
}

/// What was handed on: its name, and the operation itself.
pub(super) fn unpack(packed: Json<'_>) -> Option<(Origin, u32, Json<'_>)> {
    let mut parts = packed.items()?;
    let node = u32::try_from(parts.next()?.as_u64()?).ok()?;
    let incarnation = parts.next()?.as_u64().filter(|incarnation| *incarnation < INCARNATIONS_END)?;
    let number = u32::try_from(parts.next()?.as_u64()?).ok().filter(|number| *number > 0)?;
    Some((Origin { node, incarnation }, number, parts.next()?))
}
