//! The view of broadcast and g-set: a set of JSON values of any type, in insertion order.
//!
//! The values are stored as the text of the reply, so that a read is a copy. Membership is decided by a hash table of
//! 64-bit words (open addressing, linear probing): a text of up to eight bytes is stored in the word itself, so that
//! integers are found without following a reference. Two values are equal if their texts are.

use crate::gossip::View;
use crate::gossip::log::Origin;
use crate::wire::Raw;

/// The multiplier of Fibonacci hashing: 2⁶⁴ divided by the golden ratio.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// The initial number of cells.
const MIN_CELLS: usize = 64;

/// A set of JSON values.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// `,1,2,"three"`: the elements of the array, each after a comma.
    listed: Vec<u8>,
    /// The hash table; its length is a power of two, and at most half of it is used. A cell is 0 if it is free, else
    /// the text of a short value, or a reference to a [`Place`].
    cells: Vec<u64>,
    /// The number of cells that may still be used.
    room: usize,
    /// The values longer than a word.
    long: Vec<Place>,
}

/// A value in the list.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: usize,
    len: u32,
    hash: u32,
}

impl Place {
    /// The cell that refers to the place at an index; its low byte is 0, with which no text begins.
    const fn word(index: usize) -> u64 {
        (index as u64 + 1) << 8
    }

    /// The place that a cell refers to.
    fn of(places: &[Self], cell: u64) -> Option<&Self> {
        if cell.to_le_bytes()[0] == 0 { places.get(usize::try_from(cell >> 8).ok()?.checked_sub(1)?) } else { None }
    }
}

impl Values {
    /// Inserts a value, given as JSON text; returns whether it was new.
    ///
    /// # Panics
    /// The text is longer than 4 GiB.
    #[inline]
    pub(super) fn insert(&mut self, value: &[u8]) -> bool {
        if self.room == 0 {
            self.grow();
        }
        let Some(word) = packed(value) else { return self.insert_long(value) };
        let Some(free) = seek(&mut self.cells, mixed(word), |cell| cell == word) else { return false };
        *free = word;
        self.room -= 1;
        let mut piece = [b','; 9];
        piece[1..].copy_from_slice(&word.to_le_bytes());
        let end = self.listed.len() + 1 + value.len();
        // Always nine bytes, so that the length of the copy is a constant.
        self.listed.extend_from_slice(&piece);
        self.listed.truncate(end);
        true
    }

    fn insert_long(&mut self, value: &[u8]) -> bool {
        let hash = hash(value);
        let Self { listed, cells, long, .. } = self;
        let is_same = |place: &Place| place.hash == hash && listed[place.start..][..place.len as usize] == *value;
        let is_known = |cell| Place::of(long, cell).is_some_and(is_same);
        let Some(free) = seek(cells, hash, is_known) else { return false };
        *free = Place::word(long.len());
        self.room -= 1;
        let len = u32::try_from(value.len()).expect("a line is shorter than four gigabytes");
        self.long.push(Place { start: self.listed.len() + 1, len, hash });
        self.listed.push(b',');
        self.listed.extend_from_slice(value);
        true
    }

    /// Doubles the table.
    #[cold]
    fn grow(&mut self) {
        let cells = vec![0; (self.cells.len() * 2).max(MIN_CELLS)];
        self.room = cells.len() / 2 - self.len();
        for cell in std::mem::replace(&mut self.cells, cells) {
            if cell != 0 {
                let hash = Place::of(&self.long, cell).map_or_else(|| mixed(cell), |place| place.hash);
                if let Some(free) = seek(&mut self.cells, hash, |_| false) {
                    *free = cell;
                }
            }
        }
    }

    /// The number of values.
    pub(super) fn len(&self) -> usize {
        self.cells.len() / 2 - self.room
    }

    /// Upper bound on the number of bytes that [`Self::write`] appends.
    pub(super) fn bytes(&self) -> usize {
        self.listed.len() + 2
    }

    /// Appends all values as a JSON array.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        out.extend_from_slice(self.listed.get(1..).unwrap_or_default());
        out.push(b']');
    }
}

impl View for Values {
    type Op<'a> = Raw<'a>;

    #[inline]
    fn apply(&mut self, _: Origin, _: u32, value: Raw<'_>) -> bool {
        self.insert(value.0)
    }
}

/// The free cell in which to insert; `None` if the value is there already.
#[inline]
fn seek(cells: &mut [u64], hash: u32, is_sought: impl Fn(u64) -> bool) -> Option<&mut u64> {
    let last = cells.len() - 1;
    let mut at = hash as usize & last;
    loop {
        match cells[at] {
            0 => return Some(&mut cells[at]),
            cell if is_sought(cell) => return None,
            _ => at = (at + 1) & last,
        }
    }
}

/// A text of up to eight bytes as one word.
#[inline]
fn packed(text: &[u8]) -> Option<u64> {
    match text.len() {
        4..=8 => {
            let (first, last) = (text.first_chunk()?, text.last_chunk()?);
            let beyond = 8 * (text.len() - 4);
            // Where the two overlap, they agree.
            Some(u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << beyond)
        }
        1..=3 => Some(text.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))),
        _ => None,
    }
}

/// A hash function that is the same in every process, and takes a few instructions for a short text. Not resistant to
/// deliberate collisions.
fn hash(text: &[u8]) -> u32 {
    let (words, tail) = text.as_chunks();
    let hash = words.iter().fold(0, |hash, word| mixed(u64::from(hash) ^ u64::from_le_bytes(*word)));
    mixed(u64::from(hash) ^ packed(tail).unwrap_or_default().rotate_left(32))
}

/// Combines the halves of a product, so that every bit of the word affects the result.
#[expect(clippy::cast_possible_truncation, reason = "half of the bits are enough")]
const fn mixed(word: u64) -> u32 {
    let product = word as u128 * FACTOR as u128;
    product as u32 ^ (product >> 64) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(values: &Values) -> String {
        let mut text = Vec::new();
        values.write(&mut text);
        String::from_utf8(text).expect("JSON is UTF-8")
    }

    #[test]
    fn values_of_any_type_are_listed_once_in_insertion_order() {
        let mut values = Values::default();
        assert_eq!(values.len(), 0);
        assert_eq!(listed(&values), "[]");
        for text in ["1", "\"1\"", "[1,2]", "1", "{\"a\":[1,2]}", "\"1\"", "12"] {
            values.insert(text.as_bytes());
        }
        assert_eq!(values.len(), 5);
        assert_eq!(listed(&values), r#"[1,"1",[1,2],{"a":[1,2]},12]"#);
    }

    #[test]
    fn every_value_is_found_however_far_the_table_has_grown() {
        let mut values = Values::default();
        let texts = || (0..20_000).map(|number| number.to_string());
        assert!(texts().all(|text| values.insert(text.as_bytes())));
        assert!(!texts().any(|text| values.insert(text.as_bytes())));
        assert_eq!(values.len(), 20_000);
    }

    #[test]
    fn long_values_that_differ_in_one_byte_are_distinct() {
        let mut values = Values::default();
        let plain = format!("{:?}", "x".repeat(40));
        for at in 1..41 {
            for byte in ["a", "b", "ab"] {
                let mut text = plain.clone();
                text.replace_range(at..=at, byte);
                assert!(values.insert(text.as_bytes()), "{text}");
                assert!(!values.insert(text.as_bytes()), "{text}");
            }
        }
        assert!(values.insert(plain.as_bytes()));
    }

    #[test]
    fn probe_sequences_are_short() {
        let steps = |text: &dyn Fn(u32) -> String| {
            let mut values = Values::default();
            for number in 0..1 << 15 {
                values.insert(text(number).as_bytes());
            }
            assert_eq!(values.cells.len(), 1 << 16);
            let last = values.cells.len() - 1;
            let away = |(at, cell): (usize, &u64)| {
                let home = Place::of(&values.long, *cell).map_or_else(|| mixed(*cell), |place| place.hash);
                if *cell == 0 { 0 } else { at.wrapping_sub(home as usize) & last }
            };
            values.cells.iter().enumerate().map(away).sum::<usize>()
        };
        // At random half a step each (Knuth 1973).
        assert!(steps(&|number| number.to_string()) < 1 << 15, "small integers");
        assert!(steps(&|number| (number * 1_000).to_string()) < 1 << 15, "round integers");
        assert!(steps(&|number| (10_000_000 + number).to_string()) < 1 << 15, "integers of one word");
        assert!(steps(&|number| (u64::from(number) << 40).to_string()) < 1 << 15, "long integers");
        assert!(steps(&|number| format!("\"text {number}\"")) < 1 << 15, "strings");
    }
}
