//! The set that broadcast and g-set are views of: JSON values of any type, in the order in which they came.
//!
//! Every value lies once in memory, inside the text of the reply: a read is a copy, and what is known is found by the
//! place of its text. Two values are one if their texts are.

use hashbrown::HashTable;

use crate::gossip::View;
use crate::gossip::log::Origin;

/// Odd, and half of its bits are set: the golden ratio's fraction.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// A set of JSON values.
#[derive(Debug, Default)]
pub struct Values {
    /// `[1,2,"three"` without the closing bracket.
    listed: Vec<u8>,
    known: HashTable<Place>,
}

/// Where a value lies in the list.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: usize,
    len: u32,
}

impl Place {
    fn text(self, listed: &[u8]) -> &[u8] {
        &listed[self.start..self.start + self.len as usize]
    }
}

impl Values {
    /// Whether the value was new.
    ///
    /// # Panics
    /// The text of the value has four gigabytes.
    pub fn insert(&mut self, value: &[u8]) -> bool {
        let Self { listed, known } = self;
        let hash = hash(value);
        if known.find(hash, |place| place.text(listed) == value).is_some() {
            return false;
        }
        listed.push(if listed.is_empty() { b'[' } else { b',' });
        let len = u32::try_from(value.len()).expect("a line is shorter than four gigabytes");
        let place = Place { start: listed.len(), len };
        listed.extend_from_slice(value);
        known.insert_unique(hash, place, |place| self::hash(place.text(listed)));
        true
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Appends all values as a JSON array.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.listed.is_empty() { b"[" } else { &self.listed });
        out.push(b']');
    }
}

impl View for Values {
    fn apply(&mut self, _: Origin, _: u32, operation: &[u8]) {
        self.insert(operation);
    }
}

/// The same in every process, and a few instructions for a short text. It does not resist those who choose values to
/// collide; nobody does.
fn hash(text: &[u8]) -> u64 {
    let (words, tail) = text.as_chunks();
    let hash = words.iter().fold(0, |hash, word| mixed(hash ^ u64::from_le_bytes(*word)));
    let word = tail.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    mixed(hash ^ word)
}

/// High bits reach low ones by the shift, low bits high ones by the product.
fn mixed(word: u64) -> u64 {
    let product = word.wrapping_mul(FACTOR);
    product ^ product >> 32
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn listed(values: &Values) -> String {
        let mut text = Vec::new();
        values.write(&mut text);
        String::from_utf8(text).expect("JSON is UTF-8")
    }

    #[test]
    fn values_of_any_type_are_listed_once_each_in_the_order_in_which_they_came() {
        let mut values = Values::default();
        assert!(values.is_empty());
        assert_eq!(listed(&values), "[]");
        for text in ["1", "\"1\"", "[1,2]", "1", "{\"a\":[1,2]}", "\"1\"", "12"] {
            values.insert(text.as_bytes());
        }
        assert_eq!(values.len(), 5);
        assert_eq!(listed(&values), r#"[1,"1",[1,2],{"a":[1,2]},12]"#);
    }

    #[test]
    fn every_value_is_known_however_far_the_table_has_grown() {
        let mut values = Values::default();
        let texts = || (0..20_000).map(|number| number.to_string());
        assert!(texts().all(|text| values.insert(text.as_bytes())));
        assert!(!texts().any(|text| values.insert(text.as_bytes())));
        assert_eq!(values.len(), 20_000);
    }

    #[test]
    fn hashes_of_integers_are_spread_in_their_low_and_in_their_high_bits() {
        let hashes: Vec<_> = (0..1 << 16).map(|number| hash(number.to_string().as_bytes())).collect();
        let distinct = |part: fn(u64) -> u64| hashes.iter().map(|hash| part(*hash)).collect::<HashSet<_>>().len();
        assert_eq!(distinct(|hash| hash), 1 << 16);
        // As many cells as values: at random 63 % of them are met.
        assert!(distinct(|hash| hash & 0xffff) > 38_000, "low bits");
        assert!(distinct(|hash| hash >> 48) > 38_000, "high bits");
    }
}
