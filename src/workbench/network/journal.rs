//! The journal of messages and what became of each, from which diagrams are drawn and failures are explained.
//!
//! Every run keeps one, so it must be cheap: an entry is a pointer to the body, the two ends and the times; a long list
//! of integers is shared with those it continues. Messages beyond the bound are only counted. Messages from and to
//! clients would displace those between servers, so each kind has its own bound.

use std::borrow::Cow;
use std::rc::Rc;

use smallvec::SmallVec;

use super::{Array, BadLine, Muted};
use crate::time::Time;
use crate::workbench::json;

/// How many messages of each kind are kept, the first ones sent: enough for a minute of 25 nodes that send each other
/// 100,000 messages, twice.
const MOST: usize = 200_000;

/// How many bytes of bodies of each kind are kept, long lists of integers not counted; from the first message that does
/// not fit, the kind is only counted.
const MOST_BYTES: usize = 32 << 20;

/// How many messages of muted nodes are kept: enough to show what was not heard.
const MOST_IGNORED: usize = 1_000;

/// What became of one copy of a message that is no longer under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its receiver was given it.
    Delivered,
    /// Its receiver refused its sender, because of a partition.
    Refused,
    /// It was lost at random.
    Lost,
    /// It waited for a node that was killed, and was thrown away when the node was started again.
    Discarded,
    /// Its sender was muted, so that the network did not accept it.
    Ignored,
}

impl Fate {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Delivered, Self::Refused, Self::Lost, Self::Discarded, Self::Ignored];

    /// A word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Lost => "lost",
            Self::Discarded => "discarded",
            Self::Ignored => "ignored",
        }
    }
}

/// One message that was sent.
#[derive(Debug, Clone)]
pub struct Passage {
    /// Its number among all messages.
    pub id: u64,
    /// The sender.
    pub src: Rc<str>,
    /// The receiver.
    pub dest: Rc<str>,
    /// The text of a JSON object, with an empty list in the place of `array`.
    pub body: Rc<str>,
    /// The long list of integers in the body, if there is one.
    pub array: Option<Box<Array>>,
    /// When it was sent.
    pub sent: Time,
    /// When each copy ceased to be under way, and how; without an entry it still was at the end.
    pub fates: SmallVec<[(Time, Fate); 1]>,
    /// Whether it was duplicated, so that there are two copies.
    pub twice: bool,
}

impl Passage {
    /// The `type` of its body, if there is one.
    pub fn kind(&self) -> Option<String> {
        let members = json::members(&self.body).ok()?;
        let (_, kind) = members.iter().find(|(key, _)| key == "type")?;
        serde_json::from_str(kind.get()).ok()
    }

    /// When it was delivered: never, once, or twice.
    pub fn arrivals(&self) -> impl Iterator<Item = Time> {
        self.fates.iter().filter(|(_, fate)| *fate == Fate::Delivered).map(|(at, _)| *at)
    }

    /// At least the first `most` bytes of its body as it was sent, or all of it, and the length of the whole.
    #[must_use]
    pub fn start_of_body(&self, most: usize) -> (Cow<'_, str>, usize) {
        self.array.as_ref().map_or((Cow::Borrowed(&*self.body), self.body.len()), |array| {
            (Cow::Owned(array.put_back(&self.body, most)), array.whole_length(&self.body))
        })
    }
}

/// A node that was muted, and when.
#[derive(Debug, Clone)]
pub struct Mute {
    /// When it was.
    pub at: Time,
    /// The node.
    pub node: Rc<str>,
    /// The offending line, shortened and escaped.
    pub line: String,
    /// What is wrong with it.
    pub reason: String,
    /// The name in its message that nobody has, if that is what is wrong.
    pub unknown: Option<String>,
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
    ignored: Vec<Passage>,
    mutes: Vec<Mute>,
    /// The thread of each client that performs operations, by the number of the client.
    threads: Vec<(usize, usize)>,
    /// When each kind was full, so that later messages are missing: clients, servers.
    ends: [Option<Time>; 2],
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
        if !quota.admits(passage.body.len()) {
            self.ends[usize::from(!client)] = Some(passage.sent);
            return None;
        }
        self.passages.push(passage);
        Some(Slot(self.passages.len() - 1))
    }

    /// A copy of a message ceases to be under way.
    pub(super) fn settle(&mut self, slot: Slot, now: Time, fate: Fate) {
        self.passages[slot.0].fates.push((now, fate));
    }

    /// A message goes out twice.
    pub(super) fn duplicate(&mut self, slot: Slot) {
        self.passages[slot.0].twice = true;
    }

    /// A muted node printed a message.
    pub(super) fn ignored(&mut self, passage: impl FnOnce() -> Option<Passage>) {
        if self.ignored.len() < MOST_IGNORED {
            self.ignored.extend(passage());
        }
    }

    pub(super) fn muted(&mut self, at: Time, Muted { node, line, reason, .. }: &Muted) {
        let unknown =
            if let BadLine::UnknownDest(name) | BadLine::UnknownSrc(name) = reason { Some(name) } else { None };
        let (node, line, reason, unknown) = (Rc::clone(node), line.clone(), reason.to_string(), unknown.cloned());
        self.mutes.push(Mute { at, node, line, reason, unknown });
    }

    pub(super) fn assign(&mut self, client: usize, thread: usize) {
        self.threads.push((client, thread));
    }

    /// A journal that was stored.
    #[must_use]
    pub fn stored(
        zero: Time,
        passages: Vec<Passage>,
        ignored: Vec<Passage>,
        mutes: Vec<Mute>,
        threads: Vec<(usize, usize)>,
        ends: [Option<Time>; 2],
    ) -> Self {
        Self { zero, passages, ignored, mutes, threads, ends, ..Self::default() }
    }

    /// The first messages of muted nodes, which nobody heard.
    #[must_use]
    pub fn unheard(&self) -> &[Passage] {
        &self.ignored
    }

    /// The nodes that were muted, in that order.
    #[must_use]
    pub fn mutes(&self) -> &[Mute] {
        &self.mutes
    }

    /// The clients that perform operations, each with its thread, in the order in which they were opened.
    #[must_use]
    pub fn threads(&self) -> &[(usize, usize)] {
        &self.threads
    }

    /// From when on messages of clients, and those between servers, are missing; `None` if none are.
    #[must_use]
    pub const fn ends(&self) -> [Option<Time>; 2] {
        self.ends
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

    /// The zero of the history in nanoseconds of the times here.
    #[must_use]
    pub const fn zero_ns(&self) -> u64 {
        self.zero.as_nanos()
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
        let (body, fates) = (Rc::clone(body), SmallVec::new());
        Passage { id, src, dest, body, array: None, sent: Time::ZERO, fates, twice: false }
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
