//! The journal of messages, from which diagrams are drawn.
//!
//! Every run keeps one, so it must be cheap: an entry is a pointer to the body, the two ends and the times; messages
//! beyond the bound are only counted. Messages from and to clients would displace the fewer ones between servers, so
//! each kind has its own bound.

use std::rc::Rc;

use smallvec::SmallVec;

use crate::time::Time;
use crate::workbench::json;

/// How many messages of each kind are kept, the first ones sent: enough for 20 s of challenge 3d, and few enough for a
/// page that opens at once.
const MOST: usize = 10_000;

/// How many bytes of bodies of each kind are kept; from the first message that does not fit, the kind is only counted.
const MOST_BYTES: usize = 32 << 20;

/// One message that was sent.
#[derive(Debug, Clone)]
pub struct Passage {
    /// Its number among all messages.
    pub id: u64,
    /// The sender.
    pub src: Rc<str>,
    /// The receiver.
    pub dest: Rc<str>,
    /// The text of a JSON object.
    pub body: Rc<str>,
    /// When it was sent.
    pub sent: Time,
    /// When it was delivered: empty if it was lost, refused or in flight at the end; twice if it was duplicated.
    pub arrived: SmallVec<[Time; 2]>,
}

impl Passage {
    /// The `type` of its body, if there is one.
    pub fn kind(&self) -> Option<String> {
        let members = json::members(&self.body).ok()?;
        let (_, kind) = members.iter().find(|(key, _)| key == "type")?;
        serde_json::from_str(kind.get()).ok()
    }
}

/// The index of a message in the journal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot(usize);

/// One end of a link: all clients together, or a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// Any client.
    Clients,
    /// A node or a service, by its index.
    Receiver(usize),
}

impl End {
    const fn row(self) -> usize {
        match self {
            Self::Clients => 0,
            Self::Receiver(index) => index + 1,
        }
    }

    const fn of(row: usize) -> Self {
        match row.checked_sub(1) {
            None => Self::Clients,
            Some(index) => Self::Receiver(index),
        }
    }
}

/// The messages of one test.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    /// The instant from which the history counts.
    pub(super) zero: Time,
    passages: Vec<Passage>,
    clients: Quota,
    servers: Quota,
    /// The number of messages from each end to each.
    links: Vec<Vec<u32>>,
}

/// What the kept messages of one kind take up.
#[derive(Debug, Clone, Copy, Default)]
struct Quota {
    messages: usize,
    bytes: usize,
    full: bool,
}

impl Quota {
    fn admits(&mut self, bytes: usize) -> bool {
        self.full = self.full || self.messages == MOST || self.bytes + bytes > MOST_BYTES;
        if !self.full {
            self.messages += 1;
            self.bytes += bytes;
        }
        !self.full
    }
}

impl Journal {
    /// Counts a message; returns its slot if it is kept. `client` if it is from or to a client.
    pub(super) fn sent(&mut self, ends: [End; 2], client: bool, passage: impl FnOnce() -> Passage) -> Option<Slot> {
        let [from, to] = ends.map(End::row);
        if self.links.len() <= from {
            self.links.resize_with(from + 1, Vec::new);
        }
        let row = &mut self.links[from];
        if row.len() <= to {
            row.resize(to + 1, 0);
        }
        row[to] = row[to].saturating_add(1);
        let quota = if client { &mut self.clients } else { &mut self.servers };
        if quota.full {
            return None;
        }
        let passage = passage();
        quota.admits(passage.body.len()).then(|| {
            self.passages.push(passage);
            Slot(self.passages.len() - 1)
        })
    }

    pub(super) fn arrived(&mut self, slot: Slot, now: Time) {
        self.passages[slot.0].arrived.push(now);
    }

    /// The remembered messages in the order of sending.
    pub fn passages(&self) -> &[Passage] {
        &self.passages
    }

    /// How many messages went from where to where, the links without any left out.
    pub fn links(&self) -> impl Iterator<Item = (End, End, u32)> {
        let row = |(from, row): (usize, &Vec<u32>)| {
            let cells: Vec<_> =
                row.iter().enumerate().map(|(to, count)| (End::of(from), End::of(to), *count)).collect();
            cells
        };
        self.links.iter().enumerate().flat_map(row).filter(|(_, _, count)| *count > 0)
    }

    /// Microseconds from the zero of the history to `time`; below zero before it.
    pub fn us(&self, time: Time) -> i64 {
        let us = |time: Time| i64::try_from(time.as_nanos() / 1000).unwrap_or(i64::MAX);
        us(time) - us(self.zero)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(id: u64, body: &Rc<str>) -> Passage {
        let (src, dest) = ("n0".into(), "n1".into());
        Passage { id, src, dest, body: Rc::clone(body), sent: Time::ZERO, arrived: SmallVec::new() }
    }

    fn send(journal: &mut Journal, count: usize, client: bool, body: &Rc<str>) -> usize {
        let ends = [End::Receiver(0), if client { End::Clients } else { End::Receiver(1) }];
        (0..count).filter(|_| journal.sent(ends, client, || passage(7, body)).is_some()).count()
    }

    #[test]
    fn the_first_messages_of_each_kind_are_remembered_and_all_are_counted() {
        let mut journal = Journal::default();
        let body = "{}".into();
        assert_eq!(send(&mut journal, MOST + 5, true, &body), MOST);
        assert_eq!(send(&mut journal, 3, false, &body), 3);
        assert_eq!(journal.passages().len(), MOST + 3);
        let links: Vec<_> = journal.links().collect();
        let most = u32::try_from(MOST).expect("small");
        let here = End::Receiver(0);
        assert_eq!(links, [(here, End::Clients, most + 5), (here, End::Receiver(1), 3)]);
    }

    #[test]
    fn the_bodies_that_are_remembered_have_a_bound() {
        let mut journal = Journal::default();
        let large = "x".repeat(MOST_BYTES / 4 + 1).into();
        assert_eq!(send(&mut journal, 10, false, &large), 3);
        assert_eq!(send(&mut journal, 10, false, &"{}".into()), 0, "there is no gap in what is remembered");
    }
}
