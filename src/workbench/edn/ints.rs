//! Lists of integers that share common prefixes.
//!
//! Repeated reads of a growing replica share the blocks of elements with which they begin, so that the memory of a
//! history grows with the changes and not with the lengths of the reads.

use std::fmt;
use std::sync::Arc;

/// Elements of a full block. Larger blocks cost more copying while they fill, smaller ones more pointers.
const BLOCK: usize = 256;

type Block = Arc<[i64]>;

/// A list of integers; cheap to clone, and to extend by a few elements.
#[derive(Clone, Default)]
pub struct Ints {
    /// Blocks of exactly [`BLOCK`] elements.
    full: Option<Arc<Vec<Block>>>,
    /// Fewer than [`BLOCK`] elements.
    rest: Block,
}

impl Ints {
    fn full(&self) -> &[Block] {
        self.full.as_ref().map_or(&[], |blocks| blocks.as_slice())
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.full().len() * BLOCK + self.rest.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty() && self.full().is_empty()
    }

    fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.full().iter().chain(std::iter::once(&self.rest))
    }

    /// The elements from index `start` on.
    pub fn iter_from(&self, start: usize) -> Iter<'_> {
        let start = start.min(self.len());
        let (block, within) = (start / BLOCK, start % BLOCK);
        let mut full = self.full().get(block..).unwrap_or_default().iter();
        let first = full.next().unwrap_or(&self.rest);
        let current = first.get(within..).unwrap_or_default().iter();
        let rest = if block < self.full().len() { self.rest.iter() } else { [].iter() };
        Iter { current, full, rest, left: self.len() - start }
    }

    /// All elements.
    pub fn iter(&self) -> Iter<'_> {
        self.iter_from(0)
    }

    /// The list of the first `keep` elements of this one, followed by `more`.
    pub fn with(&self, keep: usize, more: &[i64]) -> Self {
        let keep = keep.min(self.len());
        if keep == self.len() && more.is_empty() {
            return self.clone();
        }
        let whole = keep / BLOCK;
        let begun = self.full().get(whole).unwrap_or(&self.rest);
        let mut rest = begun[..keep % BLOCK].to_vec();
        rest.extend_from_slice(more);
        let completes = rest.len() >= BLOCK;
        let full = if whole == self.full().len() && !completes {
            self.full.clone()
        } else {
            let complete = rest.chunks_exact(BLOCK).map(Block::from);
            let blocks: Vec<Block> = self.full()[..whole].iter().cloned().chain(complete).collect();
            (!blocks.is_empty()).then(|| Arc::new(blocks))
        };
        Self { full, rest: rest[rest.len() - rest.len() % BLOCK..].into() }
    }

    /// Whether this list begins with `start`. Shared blocks are not compared.
    pub fn starts_with(&self, start: &Self) -> bool {
        if start.len() > self.len() {
            return false;
        }
        let shares_full = match (&self.full, &start.full) {
            (Some(ours), Some(theirs)) => Arc::ptr_eq(ours, theirs),
            _ => false,
        };
        let mut pairs = self.full().iter().zip(start.full());
        let begun = self.full().get(start.full().len()).unwrap_or(&self.rest);
        (shares_full || pairs.all(|(ours, theirs)| same(ours, theirs)))
            && (Arc::ptr_eq(begun, &start.rest) || begun.starts_with(&start.rest))
    }

    /// Adds the addresses and lengths of its blocks to `count`.
    #[cfg(test)]
    pub(crate) fn count_blocks(&self, count: &mut std::collections::BTreeMap<*const i64, usize>) {
        for block in self.blocks() {
            count.insert(block.as_ptr(), block.len());
        }
    }
}

fn same(ours: &Block, theirs: &Block) -> bool {
    Arc::ptr_eq(ours, theirs) || ours == theirs
}

impl PartialEq for Ints {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.blocks().zip(other.blocks()).all(|(ours, theirs)| same(ours, theirs))
    }
}

impl Eq for Ints {}

impl fmt::Debug for Ints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl From<Vec<i64>> for Ints {
    fn from(elements: Vec<i64>) -> Self {
        if elements.len() < BLOCK {
            return Self { full: None, rest: elements.into() };
        }
        Self::default().with(0, &elements)
    }
}

impl FromIterator<i64> for Ints {
    fn from_iter<I: IntoIterator<Item = i64>>(elements: I) -> Self {
        elements.into_iter().collect::<Vec<_>>().into()
    }
}

impl<'a> IntoIterator for &'a Ints {
    type Item = i64;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The elements of [`Ints`].
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    current: std::slice::Iter<'a, i64>,
    full: std::slice::Iter<'a, Block>,
    rest: std::slice::Iter<'a, i64>,
    left: usize,
}

impl Iterator for Iter<'_> {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        loop {
            if let Some(element) = self.current.next() {
                self.left -= 1;
                return Some(*element);
            }
            self.current = match self.full.next() {
                Some(block) => block.iter(),
                None if self.rest.len() > 0 => std::mem::replace(&mut self.rest, [].iter()),
                None => return None,
            };
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(range: std::ops::Range<i64>) -> Ints {
        range.collect()
    }

    #[test]
    fn a_list_of_any_length_holds_its_elements() {
        for length in [0, 1, 255, 256, 257, 512, 1000] {
            let list = counted(0..length);
            assert_eq!(list.len(), usize::try_from(length).expect("small"));
            assert!(list.iter().eq(0..length), "{length}");
            for start in [0, 1, 255, 256, 300, 512, 2000] {
                let from = list.iter_from(start);
                let expected = (0..length).skip(start);
                assert_eq!(from.len(), expected.clone().count());
                assert!(from.eq(expected), "{length} from {start}");
            }
        }
    }

    #[test]
    fn a_list_is_made_of_the_beginning_of_another_and_more() {
        let list = counted(0..700);
        for keep in [0, 1, 255, 256, 257, 511, 512, 699, 700] {
            for more in [0, 1, 200, 300, 600] {
                let more: Vec<i64> = (0..more).map(|n| -n).collect();
                let made = list.with(keep, &more);
                let expected: Vec<i64> = list.iter().take(keep).chain(more.iter().copied()).collect();
                assert!(made.iter().eq(expected.iter().copied()), "{keep} and {}", more.len());
                assert_eq!(made, Ints::from(expected));
                assert!(made.starts_with(&list.with(keep, &[])));
                assert_eq!(made.starts_with(&list), keep == 700);
            }
        }
    }

    #[test]
    fn lists_differ_in_length_and_elements() {
        assert_ne!(counted(0..256), counted(0..257));
        assert_ne!(counted(0..300), counted(1..301));
        assert!(!counted(0..300).starts_with(&counted(1..300)));
        assert!(!counted(0..300).starts_with(&counted(0..301)));
    }

    #[test]
    fn what_reads_of_a_growing_list_take_grows_with_the_reads() {
        let mut list = Ints::default();
        let mut blocks = std::collections::BTreeMap::new();
        let mut reads = Vec::new();
        for n in 0..4000 {
            list = list.with(list.len(), &[n]);
            list.count_blocks(&mut blocks);
            reads.push(list.clone());
        }
        let kept: usize = blocks.values().sum();
        assert!(kept < reads.len() * BLOCK, "{kept} elements are kept for {} reads", reads.len());
    }
}
