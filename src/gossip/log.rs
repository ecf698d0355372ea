//! The operations themselves: who made them, in what order, and which of them this replica holds.

use std::collections::{BTreeMap, HashMap};

use crate::wire::HANDED_ON;

/// Who made an operation: a node in one of its incarnations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The node's position in `node_ids`.
    pub node: u32,
    /// Its incarnation.
    pub incarnation: u64,
}

/// The place of an origin in this replica's tables, in the order in which it first heard of them.
pub type Slot = usize;

/// At most this many operations of one origin wait above a gap; later ones are dropped, and sent again by whoever
/// has them.
pub const MAX_OUT_OF_ORDER: usize = 1 << 14;

/// Every operation this replica has heard of, by origin and number.
#[derive(Debug, Default)]
pub struct Log {
    origins: Vec<Origin>,
    slots: HashMap<Origin, u32>,
    /// How many origins each node has.
    incarnations: HashMap<u32, usize>,
    /// The slot that was asked for last.
    recent: Slot,
    /// By slot, then by number less one.
    held: Vec<Vec<Span>>,
    /// By slot: those above a gap, by number.
    out_of_order: Vec<BTreeMap<u32, Span>>,
    payloads: Vec<u8>,
    /// Where the payload begins that came last.
    latest: usize,
}

/// Where a payload lies among all payloads.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
}

/// What became of an operation that was offered to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Insertion {
    /// It is new, and nothing before it is missing.
    Next,
    /// It is new, and kept, but one before it is missing.
    OutOfOrder,
    /// The log had it.
    Known,
    /// There was no room above the gap, or it is too large to be handed on.
    Dropped,
}

impl Log {
    /// The slot of an origin, which is new if this replica never heard of it.
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

    /// The slot of an origin that this replica has heard of.
    #[must_use]
    pub fn find(&self, origin: Origin) -> Option<Slot> {
        if self.origins.get(self.recent) == Some(&origin) {
            return Some(self.recent);
        }
        self.slots.get(&origin).map(|slot| *slot as usize)
    }

    /// How many origins of one node this replica has heard of.
    #[must_use]
    pub fn incarnations(&self, node: u32) -> usize {
        self.incarnations.get(&node).copied().unwrap_or_default()
    }

    /// How many operations are held without a gap, of all origins.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.held.iter().map(|held| held.len() as u64).sum()
    }

    /// How many origins this replica has heard of; slots are `0..origins()`.
    #[must_use]
    pub fn origins(&self) -> usize {
        self.origins.len()
    }

    /// The origin in a slot.
    #[must_use]
    pub fn origin(&self, slot: Slot) -> Origin {
        self.origins[slot]
    }

    /// The highest number up to which every operation of the slot is held: the slot's entry of the version vector.
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

    /// Whether an operation of the slot waits for one before it.
    #[must_use]
    pub fn has_gap(&self, slot: Slot) -> bool {
        !self.out_of_order[slot].is_empty()
    }

    /// The numbers of those that do, in order.
    pub fn out_of_order(&self, slot: Slot) -> impl Iterator<Item = u32> + '_ {
        self.out_of_order[slot].keys().copied()
    }

    /// Offers an operation whose payload `write` appends if it is wanted.
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

    /// Takes in operations from number `first` on if that is the next one and nothing waits above a gap, and else none;
    /// says which. From one that is too large to be handed on, the rest is dropped. By itself, so that the loop has all
    /// registers.
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
        if payloads.len() - bytes > HANDED_ON.bytes {
            self.drop_too_large(slot, known);
        }
        true
    }

    /// Takes back what was appended to the slot from the first on that is too large.
    #[cold]
    fn drop_too_large(&mut self, slot: Slot, known: usize) {
        let held = &mut self.held[slot];
        let too_large = held[known..].iter().position(|span| span.end - span.start > HANDED_ON.bytes);
        if let Some(first) = too_large.map(|at| known + at) {
            self.payloads.truncate(held[first].start);
            held.truncate(first);
        }
    }

    /// The payloads of the slot from a number on, as far as they are held.
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
        if end - start > HANDED_ON.bytes {
            self.payloads.truncate(start);
            return None;
        }
        self.latest = start;
        Some(Span { start, end })
    }

    /// Above a gap or in it.
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

    /// The payload of the operation that was new last.
    #[must_use]
    pub fn latest(&self) -> &[u8] {
        &self.payloads[self.latest..]
    }

    /// The payload of an operation that is held or waits above a gap.
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
    fn what_waits_above_a_gap_counts_once_the_gap_is_filled() {
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
    fn no_more_than_the_bound_waits_above_a_gap() {
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
    fn what_is_too_large_to_be_handed_on_is_not_taken_in_and_neither_is_what_follows() {
        let mut log = Log::default();
        let slot = log.slot(Origin { node: 0, incarnation: 7 });
        let write = |bytes: usize, out: &mut Vec<u8>| out.resize(out.len() + bytes, b'1');
        assert!(log.append(slot, 1, [1, HANDED_ON.bytes + 1, 1].into_iter(), write));
        assert_eq!(log.watermark(slot), 1);
        assert_eq!(log.insert(slot, 2, |out| write(HANDED_ON.bytes + 1, out)), Insertion::Dropped);
        assert_eq!(log.insert(slot, 3, |out| write(HANDED_ON.bytes + 1, out)), Insertion::Dropped);
        assert_eq!((put(&mut log, slot, 2), log.payload(slot, 2)), (Insertion::Next, Some(b"2".as_slice())));
    }

    #[test]
    fn lives_of_one_node_are_different_origins() {
        let mut log = Log::default();
        let first = log.slot(Origin { node: 0, incarnation: 7 });
        let second = log.slot(Origin { node: 0, incarnation: 8 });
        assert_ne!(first, second);
        assert_eq!(log.slot(Origin { node: 0, incarnation: 7 }), first);
    }
}
