//! The timer wheel: a priority queue of deadlines.
//!
//! A hierarchical wheel (Varghese and Lauck 1987) whose tick is one nanosecond: eleven levels of 64 slots cover all of
//! [`Time`], so there is no overflow list and nothing is rounded. An entry is at the level of the highest base-64 digit
//! in which its deadline differs from the cursor. Since that is invariant, equal deadlines share a slot, the lowest
//! occupied slot holds the earliest entries, and appending keeps the order of arming. Popping moves the cursor directly
//! to the earliest deadline, however far, and distributes only that slot over the levels below. Arming costs a few
//! instructions; an entry moves at most once per level, in practice twice. Deadlines behind the cursor, which a host
//! with a monotonic clock never arms, are kept in a heap.

#[cfg(test)]
mod tests;

use crate::time::Time;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Bits of a deadline that one level decides.
const DIGIT: u32 = 6;
/// Slots of a level: one bit each in a `u64`.
const SLOTS: usize = 1 << DIGIT;
/// Levels that it takes to cover 64 bits.
const LEVELS: usize = u64::BITS.div_ceil(DIGIT) as usize;
/// No entry: the end of a list.
const NIL: u32 = u32::MAX;

/// A queue of `T`, each with a deadline, in exact order of deadline, then of arming.
///
/// Entries cannot be cancelled; ignore one that is no longer wanted when it is popped. Memory is reused, so the wheel
/// allocates only when it holds more entries than ever before.
#[derive(Debug)]
pub struct Wheel<T> {
    entries: Vec<Entry<T>>,
    /// The head of the list of unused entries.
    free: u32,
    len: usize,
    /// Nothing in `due` or `slots` is earlier than this.
    cursor: u64,
    /// Entries whose deadline is the cursor.
    due: List,
    slots: Box<[[Slot; SLOTS]; LEVELS]>,
    /// A bit for each slot that is not empty.
    occupied: [u64; LEVELS],
    /// A bit for each level that is not empty.
    levels: u16,
    /// Entries that were armed behind the cursor: deadline, order of arming, index.
    overdue: BinaryHeap<Reverse<(u64, u64, u32)>>,
    /// The number of entries armed behind the cursor so far.
    late: u64,
}

#[derive(Debug)]
struct Entry<T> {
    at: u64,
    next: u32,
    payload: T,
}

#[derive(Debug, Clone, Copy)]
struct List {
    head: u32,
    tail: u32,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    list: List,
    /// The earliest deadline in the list; exact, because a slot is only ever emptied as a whole.
    earliest: u64,
}

impl List {
    const EMPTY: Self = Self { head: NIL, tail: NIL };
}

impl Slot {
    const EMPTY: Self = Self { list: List::EMPTY, earliest: u64::MAX };
}

impl<T: Copy> Wheel<T> {
    /// An empty wheel.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// An empty wheel that holds `capacity` entries before it allocates.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            entries: Vec::with_capacity(capacity),
            free: NIL,
            len: 0,
            cursor: 0,
            due: List::EMPTY,
            slots: Box::new([[Slot::EMPTY; SLOTS]; LEVELS]),
            occupied: [0; LEVELS],
            levels: 0,
            overdue: BinaryHeap::new(),
            late: 0,
        }
    }

    /// How many entries are armed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is armed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Arms an entry for `at`, which may be in the past; O(1), or O(log n) if earlier than an entry already popped.
    ///
    /// # Panics
    ///
    /// Beyond four billion entries at a time.
    pub fn arm(&mut self, at: Time, payload: T) {
        let at = at.as_nanos();
        let index = self.take(Entry { at, next: NIL, payload });
        self.len += 1;
        if at < self.cursor {
            self.overdue.push(Reverse((at, self.late, index)));
            self.late += 1;
        } else {
            self.place(index, at);
        }
    }

    /// The earliest deadline armed.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        if let Some(&Reverse((at, ..))) = self.overdue.peek() {
            return Some(Time::from_nanos(at));
        }
        if self.due.head != NIL {
            return Some(Time::from_nanos(self.cursor));
        }
        let (level, digit) = self.first()?;
        Some(Time::from_nanos(self.slots[level][digit].earliest))
    }

    /// Takes the first entry whose deadline is not after `now`, with that deadline.
    pub fn pop(&mut self, now: Time) -> Option<(Time, T)> {
        let now = now.as_nanos();
        let index = if let Some(&Reverse((at, _, index))) = self.overdue.peek() {
            if at > now {
                return None;
            }
            self.overdue.pop();
            index
        } else {
            if self.due.head == NIL {
                self.advance(now)?;
            } else if self.cursor > now {
                return None;
            }
            self.shift()
        };
        let entry = &mut self.entries[index as usize];
        let popped = (Time::from_nanos(entry.at), entry.payload);
        entry.next = self.free;
        self.free = index;
        self.len -= 1;
        Some(popped)
    }

    /// Moves the cursor to the earliest deadline, if that is not after `now`, and redistributes its slot.
    fn advance(&mut self, now: u64) -> Option<()> {
        let (level, digit) = self.first()?;
        let slot = &mut self.slots[level][digit];
        if slot.earliest > now {
            return None;
        }
        self.cursor = slot.earliest;
        let mut index = slot.list.head;
        *slot = Slot::EMPTY;
        self.occupied[level] &= !(1 << digit);
        if self.occupied[level] == 0 {
            self.levels &= !(1 << level);
        }
        while index != NIL {
            let Entry { at, next, .. } = self.entries[index as usize];
            self.place(index, at);
            index = next;
        }
        Some(())
    }

    /// The lowest occupied slot, where the earliest entries are, as level and digit.
    fn first(&self) -> Option<(usize, usize)> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize;
        Some((level, self.occupied[level].trailing_zeros() as usize))
    }

    /// Appends an entry, whose deadline is not behind the cursor, to the list where it belongs.
    fn place(&mut self, index: u32, at: u64) {
        let difference = at ^ self.cursor;
        let list = if difference == 0 {
            &mut self.due
        } else {
            let level = (difference.ilog2() / DIGIT) as usize;
            let digit = usize::from((at >> (level * DIGIT as usize)).to_le_bytes()[0]) % SLOTS;
            self.occupied[level] |= 1 << digit;
            self.levels |= 1 << level;
            let slot = &mut self.slots[level][digit];
            slot.earliest = slot.earliest.min(at);
            &mut slot.list
        };
        let before = std::mem::replace(&mut list.tail, index);
        if before == NIL {
            list.head = index;
        } else {
            self.entries[before as usize].next = index;
        }
        self.entries[index as usize].next = NIL;
    }

    /// Takes the first of the entries that are due; there must be one.
    fn shift(&mut self) -> u32 {
        let index = self.due.head;
        self.due.head = self.entries[index as usize].next;
        if self.due.head == NIL {
            self.due.tail = NIL;
        }
        index
    }

    /// Stores an entry in unused memory.
    fn take(&mut self, entry: Entry<T>) -> u32 {
        if self.free == NIL {
            let index = u32::try_from(self.entries.len()).ok().filter(|&index| index != NIL);
            self.entries.push(entry);
            return index.expect("four billion timers are a leak");
        }
        let index = self.free;
        let unused = &mut self.entries[index as usize];
        self.free = unused.next;
        *unused = entry;
        index
    }
}

impl<T: Copy> Default for Wheel<T> {
    fn default() -> Self {
        Self::new()
    }
}
