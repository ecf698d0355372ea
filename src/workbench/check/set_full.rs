//! Follows every element of a growing set through all reads (protocol §13.3): broadcast and g-set.
//!
//! An element is stable if the reads which began last saw it, lost if they missed it although it was known
//! before they began, never-read otherwise. Of a list that only grows each read costs what is new in it (see
//! [`tracks`]); of any other it touches each element once, over dense numbers. What Maelstrom passes over is found on the
//! way and stands under `:gloomers`.

mod export;
mod tracks;
mod unseen;

use std::cmp::Reverse;

use tracks::{Track, Tracks};
pub use unseen::Unseen;
use unseen::{Copies, Finals, Strangers};

use super::ids::Ids;
use super::{Quantiles, Unjudgeable};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind};

/// How many of the stale elements a result describes.
const MAX_WORST: usize = 8;

/// What became of the elements of a set. Lists are in the order of the elements.
#[derive(Debug, Clone, PartialEq)]
pub struct SetReport {
    /// How many elements clients began to add.
    pub attempts: usize,
    /// How many of them the last reads saw.
    pub stable: usize,
    /// Elements that were known and that later reads missed.
    pub lost: Vec<Value>,
    /// Elements that neither an acknowledgement nor a read made known.
    pub never_read: Vec<Value>,
    /// Elements that a read missed after they were known, and that are stable all the same.
    pub stale: Vec<Value>,
    /// The stalest of them, the worst first.
    pub worst_stale: Vec<Stale>,
    /// How long the stable elements took to be in every read.
    pub stable_latencies: Option<Quantiles>,
    /// How long the lost ones were still read.
    pub lost_latencies: Option<Quantiles>,
    /// What Maelstrom passes over.
    pub unseen: Vec<Unseen>,
}

/// An element that was known before a read missed it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stale {
    /// The element.
    pub element: Value,
    /// How long it took from being known to being in every read.
    pub latency_ms: i64,
    /// The operation that made it known.
    pub known: Option<Op>,
    /// The last read that missed it.
    pub last_absent: Option<Op>,
}

/// Invalid if an element was lost, unknown if none is stable.
///
/// # Errors
/// If a read that succeeded brought no collection, or the elements have no order.
pub fn check(history: &History) -> Result<SetReport, Unjudgeable> {
    report(history, &Elements::of(history)?)
}

/// How long each stable element took until every read saw it, in milliseconds, in order; none where [`check`] cannot
/// decide.
#[must_use]
pub fn stable_latencies(history: &History) -> Vec<i64> {
    let Ok(elements) = Elements::of(history) else { return Vec::new() };
    let ids = 0..elements.value.len();
    let mut latencies: Vec<_> = timed(history, &elements, ids, Outcome::Stable).map(|(latency, _)| latency).collect();
    latencies.sort_unstable();
    latencies
}

/// What is known about each element, by its number. Positions in the history count from one here: zero
/// stands for never.
#[derive(Default)]
struct Elements<'a> {
    ids: Ids,
    value: Vec<&'a Value>,
    known: Vec<usize>,
    last_present: Vec<usize>,
    last_absent: Vec<usize>,
    /// The number of the last read that saw the element.
    seen_in: Vec<usize>,
    reads: usize,
    /// How many adds of the element began, and how many of them failed.
    begun: Vec<usize>,
    failed: Vec<usize>,
    /// Where the last add of the element began, from zero.
    begun_at: Vec<usize>,
    /// Where the last of the final reads ended that missed the element although it was known before.
    missed: Vec<usize>,
    copies: Copies,
    strangers: Strangers,
    tracks: Tracks,
}

impl<'a> Elements<'a> {
    fn of(history: &'a History) -> Result<Self, Unjudgeable> {
        let mut elements = Elements::default();
        let finals = Finals::of(history);
        for (position, op) in history.client_ops() {
            let invocation = history.partner(position);
            match (&*op.f, op.kind) {
                ("add" | "broadcast", OpKind::Invoke) => elements.begin(&op.value, position),
                ("add" | "broadcast", OpKind::Ok) => elements.acknowledge(&op.value, position),
                ("add" | "broadcast", OpKind::Fail) => elements.fail(&op.value),
                ("read", OpKind::Ok) => {
                    let Some(invocation) = invocation else { continue };
                    let is_final = finals.have(history, invocation);
                    if is_final || !elements.follow(&op.value, position, invocation) {
                        elements.read(op, position, invocation)?;
                    }
                    if is_final {
                        elements.miss(position, invocation);
                    }
                }
                _ => {}
            }
        }
        elements.end_tracks();
        Ok(elements)
    }

    /// An element is about to be added; if it was before, it starts afresh.
    fn begin(&mut self, value: &'a Value, position: usize) {
        let id = self.ids.intern(value);
        if id == self.value.len() {
            self.value.push(value);
            for column in [&mut self.begun, &mut self.failed, &mut self.begun_at, &mut self.seen_in] {
                column.push(0);
            }
            for column in [&mut self.known, &mut self.last_present, &mut self.last_absent, &mut self.missed] {
                column.push(0);
            }
        } else {
            self.end_tracks();
        }
        self.begun[id] += 1;
        self.begun_at[id] = position;
        for column in [&mut self.known, &mut self.last_present, &mut self.last_absent, &mut self.missed] {
            column[id] = 0;
        }
    }

    fn fail(&mut self, value: &Value) {
        if let Some(id) = self.ids.of(value) {
            self.failed[id] += 1;
        }
    }

    fn acknowledge(&mut self, value: &Value, position: usize) {
        if let Some(id) = self.ids.of(value) {
            self.learn(id, position);
        }
    }

    /// From its first confirmation on an element is known.
    fn learn(&mut self, id: usize, position: usize) {
        if self.known[id] == 0 {
            self.known[id] = position + 1;
        }
    }

    fn see(&mut self, id: usize, position: usize) {
        if self.seen_in[id] == self.reads {
            self.copies.add(id, self.reads, position);
        } else {
            self.seen_in[id] = self.reads;
            self.learn(id, position);
        }
    }

    /// The latest read was a final one; what it misses should be there.
    fn miss(&mut self, position: usize, invocation: usize) {
        for ((missed, known), seen_in) in self.missed.iter_mut().zip(&self.known).zip(&self.seen_in) {
            if *seen_in != self.reads && (1..=invocation).contains(known) {
                *missed = position + 1;
            }
        }
    }

    /// A read completed at `position` and was invoked at `invocation`. Whether it was of a list that only grows, so that
    /// nothing but its new elements need be looked at.
    fn follow(&mut self, value: &Value, position: usize, invocation: usize) -> bool {
        let Value::Ints(list) = value else { return false };
        let (new, ended) = self.tracks.follow(list, (position, invocation + 1), |int| self.ids.of_int(int));
        ended.iter().for_each(|track| self.end_track(track));
        for id in new.iter().flatten() {
            self.learn(*id, position);
        }
        new.is_some()
    }

    fn end_tracks(&mut self) {
        for track in self.tracks.end() {
            self.end_track(&track);
        }
    }

    /// What the reads of a track say about each element.
    fn end_track(&mut self, track: &Track) {
        let latest = track.latest();
        let columns = self.last_present.iter_mut().zip(&mut self.last_absent).zip(&self.begun_at);
        for (id, ((present, absent), begun)) in columns.enumerate() {
            let [with, without] = track.last(*begun, id, &latest);
            *present = with.max(*present);
            *absent = without.max(*absent);
        }
    }

    /// A read completed at `position` and was invoked at `invocation`. It speaks for its invocation.
    fn read(&mut self, op: &Op, position: usize, invocation: usize) -> Result<(), Unjudgeable> {
        self.reads += 1;
        if let Value::Ints(ints) = &op.value {
            for int in ints {
                match self.ids.of_int(int) {
                    Some(id) => self.see(id, position),
                    None => self.strangers.see(&Value::Int(int), self.reads, position),
                }
            }
        } else if let Some(items) = op.value.items() {
            for item in items {
                match self.ids.of(&item) {
                    Some(id) => self.see(id, position),
                    None => self.strangers.see(&item, self.reads, position),
                }
            }
        } else if !op.value.is_nil() {
            return Err(Unjudgeable::NotAList { index: op.index, value: op.value.to_string().into() });
        }
        let columns = self.last_present.iter_mut().zip(&mut self.last_absent).zip(&self.seen_in);
        for ((present, absent), seen_in) in columns {
            let last = if *seen_in == self.reads { present } else { absent };
            *last = (*last).max(invocation + 1);
        }
        Ok(())
    }

    fn outcome(&self, id: usize) -> Outcome {
        let (known, present, absent) = (self.known[id], self.last_present[id], self.last_absent[id]);
        if present > absent {
            Outcome::Stable
        } else if known > 0 && absent > present && absent > known {
            Outcome::Lost
        } else {
            Outcome::NeverRead
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Stable,
    Lost,
    NeverRead,
}

/// Milliseconds from the moment an element was known until just after the operation that ends a state of
/// it; zero if there was none.
fn latency_ms(history: &History, known: usize, end: usize) -> i64 {
    let time = |place: usize| place.checked_sub(1).map(|position| history.ops()[position].time);
    let end = time(end).map_or(0, |ns| ns + 1);
    (end - time(known).unwrap_or_default()).max(0) / 1_000_000
}

/// Those of the elements with this outcome, and how long it took until they had it.
fn timed<'a>(
    history: &'a History,
    elements: &'a Elements<'_>,
    ids: impl Iterator<Item = usize> + 'a,
    wanted: Outcome,
) -> impl Iterator<Item = (i64, usize)> + 'a {
    let end = if wanted == Outcome::Lost { &elements.last_present } else { &elements.last_absent };
    let with = ids.filter(move |id| elements.outcome(*id) == wanted);
    with.map(|id| (latency_ms(history, elements.known[id], end[id]), id))
}

fn report(history: &History, elements: &Elements<'_>) -> Result<SetReport, Unjudgeable> {
    let in_order = Value::sorted(elements.value.iter().map(|value| (*value).clone()).collect())?;
    let in_order: Vec<usize> = in_order.iter().filter_map(|value| elements.ids.of(value)).collect();
    let ids = || in_order.iter().copied();
    let stable: Vec<_> = timed(history, elements, ids(), Outcome::Stable).collect();
    let lost: Vec<_> = timed(history, elements, ids(), Outcome::Lost).collect();
    let late: Vec<_> = stable.iter().copied().filter(|(latency, _)| *latency > 0).collect();
    let never_read = ids().filter(|id| elements.outcome(*id) == Outcome::NeverRead);
    // Of elements as late as each other the last comes first.
    let mut worst: Vec<_> = late.iter().rev().copied().collect();
    worst.sort_by_key(|(latency, _)| Reverse(*latency));

    let value = |id: usize| elements.value[id].clone();
    let values = |timed: &[(i64, usize)]| timed.iter().map(|(_, id)| value(*id)).collect();
    let quantiles = |timed: &[(i64, usize)]| Quantiles::of(timed.iter().map(|(latency, _)| *latency).collect());
    let op = |place: usize| {
        let op = &history.ops()[place.checked_sub(1)?];
        Some(if op.f == "broadcast" { Op { f: "add".into(), ..op.clone() } } else { op.clone() })
    };
    let described = |(latency_ms, id): &(i64, usize)| Stale {
        element: value(*id),
        latency_ms: *latency_ms,
        known: op(elements.known[*id]),
        last_absent: op(elements.last_absent[*id]),
    };
    Ok(SetReport {
        attempts: elements.value.len(),
        stable: stable.len(),
        lost: values(&lost),
        never_read: never_read.map(value).collect(),
        stale: values(&late),
        worst_stale: worst.iter().take(MAX_WORST).map(described).collect(),
        stable_latencies: quantiles(&stable),
        lost_latencies: quantiles(&lost),
        unseen: unseen::find(history, elements),
    })
}

#[cfg(test)]
mod tests;
