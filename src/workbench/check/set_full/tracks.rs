//! Sequences of reads of a growing list, of which each visits only the elements that are new.
//!
//! A replica that lists elements in the order in which it received them returns lists of which each begins with the one
//! before. Such reads form a track. The first read that returned an element decides which reads of the track had it, so
//! that the state of the elements is updated once for all reads, when the track ends.

use crate::workbench::edn::Ints;

/// The maximum number of concurrent tracks: one for each replica of a large cluster.
const MAX_TRACKS: usize = 128;

/// Reads of which each returned the list of the one before, with more elements at its end.
pub(super) struct Track {
    list: Ints,
    /// For each element, by its id, the first read that returned it, counted from one; zero or absent if none did.
    first: Vec<u32>,
    /// The positions of the completion and of the invocation of each read, counted from one.
    reads: Vec<(usize, usize)>,
}

impl Track {
    /// Adds a read of a list that begins with the one before, and returns the ids of its new elements; `None` if an
    /// element has no id or occurs twice.
    fn grow(&mut self, list: &Ints, read: (usize, usize), id: impl Fn(i64) -> Option<usize>) -> Option<Vec<usize>> {
        let number = u32::try_from(self.reads.len() + 1).ok()?;
        let mut new = Vec::new();
        for element in list.iter_from(self.list.len()) {
            let id = id(element)?;
            if self.first.len() <= id {
                self.first.resize(id + 1, 0);
            }
            if self.first[id] != 0 {
                return None;
            }
            self.first[id] = number;
            new.push(id);
        }
        self.list = list.clone();
        self.reads.push(read);
        Some(new)
    }

    /// The positions, counted from one, at which the last read was invoked that returned an element, and the last that
    /// did not; among the reads that completed after its add was invoked, at `begun`.
    pub(super) fn last(&self, begun: usize, id: usize, latest: &RangeMaxima) -> [usize; 2] {
        let start = self.reads.partition_point(|(end, _)| *end < begun);
        let end = self.reads.len();
        let first = self.first.get(id).map_or(0, |first| *first as usize);
        let first = if first == 0 { end } else { (first - 1).max(start) };
        [latest.within(first, end), latest.within(start, first)]
    }

    pub(super) fn latest(&self) -> RangeMaxima {
        RangeMaxima::of(self.reads.iter().map(|(_, begun)| *begun).collect())
    }
}

/// Range maxima in constant time: a sparse table, with a row of maxima for each window length 1, 2, 4, 8, ...
pub(super) struct RangeMaxima(Vec<Vec<usize>>);

impl RangeMaxima {
    fn of(numbers: Vec<usize>) -> Self {
        let mut rows = vec![numbers];
        let mut length = 1;
        while let Some(row) = rows.last()
            && row.len() > length
        {
            let next = row.iter().zip(&row[length..]).map(|(a, b)| *a.max(b)).collect();
            rows.push(next);
            length *= 2;
        }
        Self(rows)
    }

    /// The maximum from `start` to before `end`; zero of an empty range.
    fn within(&self, start: usize, end: usize) -> usize {
        let Some(row) = end.saturating_sub(start).checked_ilog2() else { return 0 };
        let (row, length) = (&self.0[row as usize], 1 << row);
        row[start].max(row[end - length])
    }
}

/// The current tracks, the most recently read first.
#[derive(Default)]
pub(super) struct Tracks(Vec<Track>);

impl Tracks {
    /// Adds a read to the track that it continues, or to a new one. Returns the ids of its new elements, or `None` if
    /// the list must be visited as a whole; and the track that ended, if any.
    pub(super) fn follow(
        &mut self,
        list: &Ints,
        read: (usize, usize),
        id: impl Fn(i64) -> Option<usize>,
    ) -> (Option<Vec<usize>>, Option<Track>) {
        let before = self.0.iter().enumerate().filter(|(_, track)| list.starts_with(&track.list));
        let before = before.max_by_key(|(at, track)| (track.list.len(), usize::MAX - at)).map(|(at, _)| at);
        let new = Track { list: Ints::default(), first: Vec::new(), reads: Vec::new() };
        let mut track = before.map_or(new, |at| self.0.remove(at));
        let new = track.grow(list, read, id);
        if new.is_none() {
            return (None, (!track.reads.is_empty()).then_some(track));
        }
        self.0.insert(0, track);
        (new, if self.0.len() > MAX_TRACKS { self.0.pop() } else { None })
    }
    pub(super) fn end(&mut self) -> Vec<Track> {
        std::mem::take(&mut self.0)
    }
}
