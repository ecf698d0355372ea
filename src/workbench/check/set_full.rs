//! Follows every element of a growing set through all reads (protocol §13.3): broadcast and g-set.
//!
//! An element is known once its add is acknowledged or a read returns it. It is stable if the reads invoked last
//! return it, lost if they miss it although it was known before they began, and never-read otherwise. A read of a list
//! that only grows costs time in proportion to its new elements (see [`tracks`]), any other read in proportion to all
//! elements. [`extended`] finds what Maelstrom does not report.

mod export;
mod extended;
mod tracks;

use std::cmp::Reverse;

use extended::{Duplicates, FinalReads, Invented};
pub use extended::{SetAnomaly, SetCase, SetViolation};
use tracks::{Track, Tracks};

use super::ids::Ids;
use super::{Quantiles, Unjudgeable};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind};

/// The maximum number of stale elements that the results describe.
const MAX_WORST: usize = 8;

/// The outcome of each element of a set. Lists are sorted.
#[derive(Debug, Clone, PartialEq)]
pub struct SetReport {
    /// The number of elements that clients invoked an add of.
    pub attempts: usize,
    /// The number of stable elements.
    pub stable: usize,
    /// The lost elements.
    pub lost: Vec<Value>,
    /// The elements that were never read.
    pub never_read: Vec<Value>,
    /// The stable elements that some read missed after they were known.
    pub stale: Vec<Value>,
    /// The stalest of them, the worst first.
    pub worst_stale: Vec<Stale>,
    /// How long after they were known the stable elements were in every read.
    pub stable_latencies: Option<Quantiles>,
    /// How long after they were known the lost elements were last read.
    pub lost_latencies: Option<Quantiles>,
    /// The violations that Maelstrom does not report.
    pub extended: Vec<SetViolation>,
}

/// A stable element that a read missed after it was known.
#[derive(Debug, Clone, PartialEq)]
pub struct Stale {
    /// The element.
    pub element: Value,
    /// The time from when it was known until every read returned it.
    pub latency_ms: i64,
    /// The operation that made it known.
    pub known: Option<Op>,
    /// The last read that missed it.
    pub last_absent: Option<Op>,
}

/// Checks a set: invalid if an element was lost, unknown if none is stable.
///
/// # Errors
/// If the value of a successful read is not a collection, or the elements cannot be sorted.
pub fn check(history: &History) -> Result<SetReport, Unjudgeable> {
    report(history, &Elements::of(history)?)
}

/// The stable latency of each stable element in milliseconds, sorted; empty where [`check`] fails.
#[must_use]
pub fn stable_latencies(history: &History) -> Vec<i64> {
    let Ok(elements) = Elements::of(history) else { return Vec::new() };
    let ids = 0..elements.value.len();
    let mut latencies: Vec<_> = timed(history, &elements, ids, Outcome::Stable).map(|(latency, _)| latency).collect();
    latencies.sort_unstable();
    latencies
}

/// The state of each element, by its dense id. Positions in the history count from one here: zero stands for never.
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
    /// The position at which the last add of the element was invoked, from zero.
    begun_at: Vec<usize>,
    /// The position at which the last final read completed that missed the element although it was known before.
    missed: Vec<usize>,
    duplicates: Duplicates,
    invented: Invented,
    tracks: Tracks,
}

impl<'a> Elements<'a> {
    fn of(history: &'a History) -> Result<Self, Unjudgeable> {
        let mut elements = Elements::default();
        let finals = FinalReads::of(history);
        for (position, op) in history.client_ops() {
            let invocation = history.partner(position);
            match (&*op.f, op.kind) {
                ("add" | "broadcast", OpKind::Invoke) => elements.begin(&op.value, position),
                ("add" | "broadcast", OpKind::Ok) => elements.acknowledge(&op.value, position),
                ("add" | "broadcast", OpKind::Fail) => elements.fail(&op.value),
                ("read", OpKind::Ok) => {
                    let Some(invocation) = invocation else { continue };
                    let is_final = finals.contain(history, invocation);
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

    /// An add was invoked; if the element was added before, its state is reset.
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

    /// An element is known from its first acknowledgement or read on.
    fn learn(&mut self, id: usize, position: usize) {
        if self.known[id] == 0 {
            self.known[id] = position + 1;
        }
    }

    fn see(&mut self, id: usize, position: usize) {
        if self.seen_in[id] == self.reads {
            self.duplicates.add(id, self.reads, position);
        } else {
            self.seen_in[id] = self.reads;
            self.learn(id, position);
        }
    }

    /// Records the known elements that the latest read, a final one, missed.
    fn miss(&mut self, position: usize, invocation: usize) {
        for ((missed, known), seen_in) in self.missed.iter_mut().zip(&self.known).zip(&self.seen_in) {
            if *seen_in != self.reads && (1..=invocation).contains(known) {
                *missed = position + 1;
            }
        }
    }

    /// Handles a read, invoked at `invocation` and completed at `position`, if it continues a growing list, so that
    /// only its new elements need to be visited; returns whether it does.
    fn follow(&mut self, value: &Value, position: usize, invocation: usize) -> bool {
        let Value::Ints(list) = value else { return false };
        let (new, ended) = self.tracks.follow(list, (position, invocation + 1), |int| self.ids.of_int(int));
        if let Some(track) = &ended {
            self.end_track(track);
        }
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

    /// Updates the state of every element with the reads of a track.
    fn end_track(&mut self, track: &Track) {
        let latest = track.latest();
        let columns = self.last_present.iter_mut().zip(&mut self.last_absent).zip(&self.begun_at);
        for (id, ((present, absent), begun)) in columns.enumerate() {
            let [with, without] = track.last(*begun, id, &latest);
            *present = with.max(*present);
            *absent = without.max(*absent);
        }
    }

    /// Handles a read, completed at `position`. It counts as present or absent at its invocation, as in Jepsen.
    fn read(&mut self, op: &Op, position: usize, invocation: usize) -> Result<(), Unjudgeable> {
        self.reads += 1;
        if let Value::Ints(ints) = &op.value {
            for int in ints {
                match self.ids.of_int(int) {
                    Some(id) => self.see(id, position),
                    None => self.invented.see(&Value::Int(int), self.reads, position),
                }
            }
        } else if let Some(items) = op.value.items() {
            for item in items {
                match self.ids.of(&item) {
                    Some(id) => self.see(id, position),
                    None => self.invented.see(&item, self.reads, position),
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

/// Milliseconds from when an element was known until just after the operation at `end`; zero if there was none.
fn latency_ms(history: &History, known: usize, end: usize) -> i64 {
    let time = |place: usize| place.checked_sub(1).map(|position| history.ops()[position].time);
    let end = time(end).map_or(0, |ns| ns + 1);
    (end - time(known).unwrap_or_default()).max(0) / 1_000_000
}

/// The elements with an outcome, each with its latency in milliseconds.
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
    // Among equally late elements, the last comes first.
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
        extended: extended::find(history, elements),
    })
}

#[cfg(test)]
mod tests;
