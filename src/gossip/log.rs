//! The log: the operations that this replica holds, by origin and number.

use std::collections::{BTreeMap, HashMap};

use crate::wire::FORWARDED;

/// The origin of an operation: one incarnation of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The node's index in `node_ids`.
    pub node: u32,
    /// Its incarnation.
    pub incarnation: u64,
}

/// The index of an origin in this replica's tables, in the order in which it learned of them.
pub type Slot = usize;

/// Maximum number of out-of-order operations kept for one origin; more are dropped, and retransmitted by the peers.
pub const MAX_OUT_OF_ORDER: usize = 1 << 14;

/// All operations that this replica holds.
#[derive(Debug, Default)]
pub struct Log {
    origins: Vec<Origin>,
    slots: HashMap<Origin, u32>,
    /// How many origins each node has.
    incarnations: HashMap<u32, usize>,
    /// The slot that was looked up last.
    recent: Slot,
    /// The contiguous operations, by slot and then by number less one.
    held: Vec<Vec<Span>>,
    /// The operations above a gap, by slot and number.
    out_of_order: Vec<BTreeMap<u32, Span>>,
    payloads: Vec<u8>,
    /// The start of the payload inserted last.
    latest: usize,
}

/// The position of a payload in `payloads`.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
}

/// The result of [`Log::insert`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Insertion {
    /// The operation is new, and contiguous with those before it.
    Next,
    /// The operation is new and kept, but one before it is missing.
    OutOfOrder,
    /// The log had it already.
    Known,
    /// [`MAX_OUT_OF_ORDER`] was reached, or the operation is too large to be forwarded.
    Dropped,
}

impl Log {
    /// The slot of an origin; a new one if the origin is unknown.
    ///
    /// # Panics
    /// There are over four billion origins.
    pub fn slot(&mut self, origin: Origin) -> Slot {
        if self.origins.get(self.recent) != Some(&origin) {
            self.recent = self.find_or_add(origin);
        }
        self.recent
    }

    fn find_or_add(&mut self, origin: Origin) -> Slot {
        if let Some(slot) = self.slots.get(&origin) {
            return *slot as usize;
        }
        let slot = self.origins.len();
        self.slots.insert(origin, u32::try_from(slot).expect("origins fit in memory"));
        self.origins.push(origin);
        *self.incarnations.entry(origin.node).or_default() += 1;
        self.held.push(Vec::new());
        self.out_of_order.push(BTreeMap::new());
        slot
    }

    /// The slot of a known origin.
    #[must_use]
    pub fn find(&self, origin: Origin) -> Option<Slot> {
        if self.origins.get(self.recent) == Some(&origin) {
            return Some(self.recent);
        }
        self.slots.get(&origin).map(|slot| *slot as usize)
    }

    /// The number of known origins of a node.
    #[must_use]
    pub fn incarnations(&self, node: u32) -> usize {
        self.incarnations.get(&node).copied().unwrap_or_default()
    }

    /// The number of contiguous operations of all origins: the sum of the watermarks.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.held.iter().map(|held| held.len() as u64).sum()
    }

    /// The number of known origins; slots are `0..origins()`.
    #[must_use]
    pub fn origins(&self) -> usize {
        self.origins.len()
    }

    /// The origin in a slot.
    #[must_use]
    pub fn origin(&self, slot: Slot) -> Origin {
        self.origins[slot]
    }

    /// The contiguous watermark: the highest number up to which every operation of the slot is held, which is its entry
    /// of the version vector.
    #[must_use]
    pub fn watermark(&self, slot: Slot) -> u32 {
        u32::try_from(self.held[slot].len()).unwrap_or(u32::MAX)
    }

    /// The payload of an operation within [`Log::watermark`].
    #[must_use]
    pub fn payload(&self, slot: Slot, number: u32) -> Option<&[u8]> {
        self.held.get(slot)?.get((number as usize).checked_sub(1)?).map(|span| self.bytes(*span))
    }

    fn bytes(&self, span: Span) -> &[u8] {
        &self.payloads[span.start..span.end]
    }

    /// Whether the slot has out-of-order operations.
    #[must_use]
    pub fn has_gap(&self, slot: Slot) -> bool {
        !self.out_of_order[slot].is_empty()
    }

    /// The numbers of the out-of-order operations, ascending.
    pub fn out_of_order(&self, slot: Slot) -> impl Iterator<Item = u32> + '_ {
        self.out_of_order[slot].keys().copied()
    }

    /// Inserts an operation; `write` appends its payload, and is called only if the operation is new.
    #[inline]
    pub fn insert(&mut self, slot: Slot, number: u32, write: impl FnOnce(&mut Vec<u8>)) -> Insertion {
        let next = self.watermark(slot).saturating_add(1);
        if number < next {
            return Insertion::Known;
        }
        if number > next || !self.out_of_order[slot].is_empty() {
            return self.insert_at_gap(slot, number, write);
        }
        let Some(span) = self.add(write) else { return Insertion::Dropped };
        self.held[slot].push(span);
        Insertion::Next
    }

    /// Inserts operations from number `first` on if that is the next number and the slot has no gap; returns whether
    /// they were. If one is too large to be forwarded, it and those after it are dropped. Not inlined, so that the loop
    /// has all registers.
    #[inline(never)]
    pub fn append<T>(
        &mut self,
        slot: Slot,
        first: u32,
        operations: impl Iterator<Item = T>,
        write: impl Fn(T, &mut Vec<u8>),
    ) -> bool {
        if first != self.watermark(slot).saturating_add(1) || self.has_gap(slot) {
            return false;
        }
        let Self { held, payloads, .. } = self;
        let (known, bytes) = (held[slot].len(), payloads.len());
        held[slot].extend(operations.map(|operation| {
            let start = payloads.len();
            write(operation, payloads);
            Span { start, end: payloads.len() }
        }));
        if payloads.len() - bytes > FORWARDED.bytes {
            self.drop_too_large(slot, known);
        }
        true
    }

    /// Removes the operations appended to the slot after the first `known`, from one that is too large on.
    #[cold]
    fn drop_too_large(&mut self, slot: Slot, known: usize) {
        let held = &mut self.held[slot];
        let too_large = held[known..].iter().position(|span| span.end - span.start > FORWARDED.bytes);
        if let Some(first) = too_large.map(|at| known + at) {
            self.payloads.truncate(held[first].start);
            held.truncate(first);
        }
    }

    /// The contiguous payloads of the slot from a number on.
    #[inline]
    pub fn payloads(&self, slot: Slot, first: u32) -> impl Iterator<Item = &[u8]> {
        let spans = self.held[slot].get((first as usize).saturating_sub(1)..).unwrap_or_default();
        spans.iter().map(|span| self.bytes(*span))
    }

    /// Adds a payload, unless it is too large.
    #[inline]
    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Option<Span> {
        let start = self.payloads.len();
        write(&mut self.payloads);
        let end = self.payloads.len();
        if end - start > FORWARDED.bytes {
            self.payloads.truncate(start);
            return None;
        }
        self.latest = start;
        Some(Span { start, end })
    }

    /// Inserts an operation into a slot with a gap, or one that causes a gap.
    #[cold]
    fn insert_at_gap(&mut self, slot: Slot, number: u32, write: impl FnOnce(&mut Vec<u8>)) -> Insertion {
        let next = self.watermark(slot).saturating_add(1);
        if self.out_of_order[slot].contains_key(&number) {
            return Insertion::Known;
        }
        if number > next && self.out_of_order[slot].len() >= MAX_OUT_OF_ORDER {
            return Insertion::Dropped;
        }
        let Some(span) = self.add(write) else { return Insertion::Dropped };
        if number > next {
            self.out_of_order[slot].insert(number, span);
            return Insertion::OutOfOrder;
        }
        self.held[slot].push(span);
        let mut next = next + 1;
        while let Some(span) = self.out_of_order[slot].remove(&next) {
            self.held[slot].push(span);
            next += 1;
        }
        Insertion::Next
    }

    /// The payload of the operation that was inserted last.
    #[must_use]
    pub fn latest(&self) -> &[u8] {
        &self.payloads[self.latest..]
    }

    /// The payload of an operation, contiguous or out of order.
    #[must_use]
    pub fn any_payload(&self, slot: Slot, number: u32) -> Option<&[u8]> {
        self.payload(slot, number).or_else(|| self.out_of_order.get(slot)?.get(&number).map(|span| self.bytes(*span)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(log: &mut Log, slot: Slot, number: u32) -> Insertion {
        log.insert(slot, number, |out| out.extend_from_slice(number.to_string().as_bytes()))
    }

    #[test]
    fn out_of_order_operations_count_once_the_gap_is_filled() {
        let mut log = Log::default();
        let slot = log.slot(Origin { node: 0, incarnation: 7 });
        assert_eq!(put(&mut log, slot, 2), Insertion::OutOfOrder);
        assert_eq!((log.watermark(slot), log.has_gap(slot)), (0, true));
        assert_eq!(put(&mut log, slot, 2), Insertion::Known);
        assert_eq!(put(&mut log, slot, 1), Insertion::Next);
        assert_eq!((log.watermark(slot), log.has_gap(slot)), (2, false));
        assert_eq!(log.payload(slot, 2), Some(b"2".as_slice()));
    }

    #[test]
    fn out_of_order_operations_are_bounded() {
        let mut log = Log::default();
        let slot = log.slot(Origin { node: 3, incarnation: 7 });
        let last = u32::try_from(MAX_OUT_OF_ORDER).expect("small") + 1;
        for number in 2..=last {
            assert_eq!(put(&mut log, slot, number), Insertion::OutOfOrder);
        }
        assert_eq!(put(&mut log, slot, last + 1), Insertion::Dropped);
        assert_eq!(put(&mut log, slot, 1), Insertion::Next);
        assert_eq!(log.watermark(slot), last);
    }

    #[test]
    fn an_operation_too_large_to_be_forwarded_and_those_after_it_are_dropped() {
        let mut log = Log::default();
        let slot = log.slot(Origin { node: 0, incarnation: 7 });
        let write = |bytes: usize, out: &mut Vec<u8>| out.resize(out.len() + bytes, b'1');
        assert!(log.append(slot, 1, [1, FORWARDED.bytes + 1, 1].into_iter(), write));
        assert_eq!(log.watermark(slot), 1);
        assert_eq!(log.insert(slot, 2, |out| write(FORWARDED.bytes + 1, out)), Insertion::Dropped);
        assert_eq!(log.insert(slot, 3, |out| write(FORWARDED.bytes + 1, out)), Insertion::Dropped);
        assert_eq!((put(&mut log, slot, 2), log.payload(slot, 2)), (Insertion::Next, Some(b"2".as_slice())));
    }

    #[test]
    fn incarnations_of_one_node_are_different_origins() {
        let mut log = Log::default();
        let first = log.slot(Origin { node: 0, incarnation: 7 });
        let second = log.slot(Origin { node: 0, incarnation: 8 });
        assert_ne!(first, second);
        assert_eq!(log.slot(Origin { node: 0, incarnation: 7 }), first);
    }
}
