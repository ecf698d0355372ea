//! Parses long lists of integers, sharing common prefixes with earlier lists without parsing them again.

use super::Ints;

/// Shorter texts are not worth sharing.
const SHORTEST: usize = 256;

/// The maximum number of lists that are cached: one for each replica of a large cluster.
const MOST: usize = 128;

/// An integer of this many digits fits into an `i64`.
const MAX_DIGITS: usize = 18;

/// The separator of elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// `[1,2]` or `[1, 2]`, as in JSON.
    Comma,
    /// `[1 2]`, as in EDN.
    Space,
}

/// A cache of lists that were read, the latest first.
#[derive(Debug, Default)]
pub struct Lists(Vec<Known>);

#[derive(Debug)]
struct Known {
    /// From the opening bracket to the last element.
    text: Vec<u8>,
    list: Ints,
}

impl Lists {
    /// The list with which `text` begins, and its length in bytes; `None` if it is short or has other elements than
    /// plain integers. A prefix in common with a cached list costs only a comparison of bytes.
    pub fn read(&mut self, text: &str, separator: Separator) -> Option<(Ints, usize)> {
        let text = text.as_bytes();
        if text.first() != Some(&b'[') || memchr::memchr(b']', text.get(..SHORTEST)?).is_some() {
            return None;
        }
        let best = self.0.iter().enumerate().map(|(at, known)| (at, common(&known.text, text)));
        let (best, shared) = best.max_by_key(|(at, shared)| (*shared, usize::MAX - at)).unwrap_or_default();
        let known = self.0.get(best);
        // An element ends here in both.
        let is_end = |of: &[u8]| of.get(shared).is_none_or(|byte| !byte.is_ascii_digit());
        let is_whole = shared > 1 && text[shared - 1].is_ascii_digit() && is_end(text);
        let known = known.filter(|_| shared > 1);
        let is_whole = is_whole && known.is_some_and(|known| is_end(&known.text));
        let grows = known.filter(|known| is_whole && shared == known.text.len());
        let (mut at, keep) = if let Some(known) = grows {
            (shared, known.list.len())
        } else {
            let between = if separator == Separator::Comma { b',' } else { b' ' };
            // The last common element may continue differently.
            let cut = if is_whole { Some(shared) } else { memchr::memrchr(between, &text[..shared]) };
            cut.map_or((1, 0), |cut| (cut, memchr::memchr_iter(between, &text[..cut]).count() + 1))
        };
        let mut more = Vec::new();
        let mut is_first = keep == 0;
        while text.get(at) != Some(&b']') {
            let (element, end) = element(text, at, separator, is_first)?;
            more.push(element);
            (at, is_first) = (end, false);
        }
        let base = known.map(|known| known.list.clone()).unwrap_or_default();
        let list = base.with(keep, &more);
        if grows.is_some() {
            let mut known = self.0.remove(best);
            known.text.extend_from_slice(&text[shared..at]);
            known.list = list.clone();
            self.0.insert(0, known);
        } else if !more.is_empty() {
            self.0.truncate(MOST - 1);
            self.0.insert(0, Known { text: text[..at].to_vec(), list: list.clone() });
        }
        Some((list, at + 1))
    }
}

/// The element at `at` after its separator, and its end.
fn element(text: &[u8], mut at: usize, separator: Separator, is_first: bool) -> Option<(i64, usize)> {
    if !is_first {
        if *text.get(at)? != (if separator == Separator::Comma { b',' } else { b' ' }) {
            return None;
        }
        at += 1;
        at += usize::from(separator == Separator::Comma && text.get(at) == Some(&b' '));
    }
    let is_negative = text.get(at) == Some(&b'-');
    let start = at + usize::from(is_negative);
    let digits = text.get(start..)?.iter().take(MAX_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
    let is_plain = (1..=MAX_DIGITS).contains(&digits) && (digits == 1 || text[start] != b'0');
    let number = text[start..start + digits].iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
    let number = if is_negative { -number } else { number };
    is_plain.then_some((number, start + digits))
}

/// The length of the common prefix of two texts.
fn common(ours: &[u8], theirs: &[u8]) -> usize {
    const STEP: usize = 4096;
    let length = ours.len().min(theirs.len());
    let mut alike = 0;
    while alike < length {
        let end = (alike + STEP).min(length);
        if ours[alike..end] != theirs[alike..end] {
            return alike + ours[alike..end].iter().zip(&theirs[alike..end]).take_while(|(a, b)| a == b).count();
        }
        alike = end;
    }
    length
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(elements: &[i64], between: &str) -> String {
        format!("[{}]", elements.iter().map(i64::to_string).collect::<Vec<_>>().join(between))
    }

    fn read(lists: &mut Lists, text: &str) -> Option<(Vec<i64>, usize)> {
        let (list, length) = lists.read(text, Separator::Comma)?;
        Some((list.iter().collect(), length))
    }

    #[test]
    fn anything_but_a_long_list_of_plain_integers_is_left_to_others() {
        let mut lists = Lists::default();
        let long: Vec<i64> = (0..200).collect();
        let good = text(&long, ",");
        for bad in [
            "[1,2,3]".to_owned(),
            good.replace("150", "0150"),
            good.replace("150", "\"150\""),
            good.replace("150", "150.5"),
            good.replace("150", "1500000000000000000000"),
            good.replace(",150", ",,150"),
            good.replace(",150", " 150"),
            good.replace(']', ",]"),
            good.replace(']', ""),
            good.replace("[0,", "[,"),
        ] {
            assert_eq!(read(&mut lists, &bad), None, "{bad}");
        }
        assert_eq!(read(&mut lists, &format!("{good},7]")), Some((long.clone(), good.len())));
        for bad in [good.replace("199", "199.5"), good.replace(']', ","), good.replace(']', "")] {
            assert_eq!(read(&mut lists, &bad), None, "{bad}");
        }
        let longer = good.replace("199", "1995");
        assert_eq!(read(&mut lists, &longer).and_then(|(list, _)| list.last().copied()), Some(1995));
    }

    #[test]
    fn reads_of_growing_replicas_keep_few_elements() {
        let mut lists = Lists::default();
        let mut blocks = std::collections::BTreeMap::new();
        let mut kept = Vec::new();
        let (replicas, reads, new) = (5, 200, 20);
        for read in 1..=reads {
            for replica in 0..replicas {
                let elements: Vec<i64> = (0..read * new).map(|n| n * (replica + 1) % 10_007).collect();
                let (list, _) = lists.read(&text(&elements, ","), Separator::Comma).unwrap_or_default();
                list.count_blocks(&mut blocks);
                kept.push(list);
            }
        }
        let total: usize = kept.iter().map(Ints::len).sum();
        let kept: usize = blocks.values().sum();
        assert!(total > 1_900_000 && kept < 200_000, "{kept} elements are kept of {total}");
    }

    proptest! {
        #[test]
        fn a_list_is_read_alike_whatever_was_read_before(
            steps in prop::collection::vec((0_usize..400, prop::collection::vec(-2000_i64..2000, 0..150)), 1..12),
            spaced in any::<bool>(),
        ) {
            let mut lists = Lists::default();
            let mut elements: Vec<i64> = (0..100).collect();
            for (keep, more) in steps {
                elements.truncate(keep);
                elements.extend(more);
                let text = text(&elements, if spaced { ", " } else { "," });
                if let Some(found) = read(&mut lists, &text) {
                    prop_assert_eq!(found, (elements.clone(), text.len()));
                } else {
                    prop_assert!(text.len() <= SHORTEST);
                }
            }
        }
    }
}
