//! Reads of one growing list after the other, of which only what is new in each is looked at.
//!
//! A replica that lists its elements in the order in which it came to know them is read as a list that grows at its
//! end. Its reads make a track. Where an element comes in, and when the reads began, say which of them had it and which
//! had not: the columns of the elements are brought up to date once for all reads of a track, when it ends.

use crate::workbench::edn::Ints;

/// As many lists are followed at once: one for each replica of a large cluster.
const MOST: usize = 128;

/// The reads of one list while it grows.
pub(super) struct Track {
    list: Ints,
    /// Of each element, by its number, the first read that had it, from one; zero if none had, as if it is not there.
    first: Vec<u32>,
    /// Where each read ended, and where it began, counted from one.
    reads: Vec<(usize, usize)>,
}

impl Track {
    /// Takes the next read, of a list that begins with the one before; `id` numbers the elements. Nothing, if one has
    /// no number or stands there twice. Otherwise `learn` hears of each that is new.
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

    /// Of an element whose add began at a position, where the last read began that had it, and the last one that had
    /// it not, counted from one; of those that ended after the add began.
    pub(super) fn last(&self, begun: usize, id: usize, latest: &Latest) -> [usize; 2] {
        let start = self.reads.partition_point(|(end, _)| *end < begun);
        let end = self.reads.len();
        let first = self.first.get(id).map_or(0, |first| *first as usize);
        let first = if first == 0 { end } else { (first - 1).max(start) };
        [latest.within(first, end), latest.within(start, first)]
    }

    pub(super) fn latest(&self) -> Latest {
        Latest::of(self.reads.iter().map(|(_, begun)| *begun).collect())
    }
}

/// The greatest of any numbers that stand one after the other: of all that are 1, 2, 4, 8, ... long.
pub(super) struct Latest(Vec<Vec<usize>>);

impl Latest {
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

    /// The greatest from `start` to before `end`; zero of none.
    fn within(&self, start: usize, end: usize) -> usize {
        let Some(row) = end.saturating_sub(start).checked_ilog2() else { return 0 };
        let (row, length) = (&self.0[row as usize], 1 << row);
        row[start].max(row[end - length])
    }
}

/// The lists that are followed, the latest first.
#[derive(Default)]
pub(super) struct Tracks(Vec<Track>);

impl Tracks {
    /// Follows a read of a list. Returns the numbers of the elements that the list had not had before, or nothing if it
    /// must be looked at as a whole; and a track that ended, for [`Elements`](super::Elements) to take it over.
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
        (new, if self.0.len() > MOST { self.0.pop() } else { None })
    }

    /// Ends all tracks.
    pub(super) fn end(&mut self) -> Vec<Track> {
        std::mem::take(&mut self.0)
    }
}
