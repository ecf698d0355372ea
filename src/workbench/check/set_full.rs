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

use super::interner::Interner;
use super::{CheckError, Quantiles};
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
pub fn check(history: &History) -> Result<SetReport, CheckError> {
    report(history, &Elements::of(history)?)
}

/// The stable latency of each stable element in milliseconds, sorted; empty where [`check`] fails.
#[must_use]
pub fn stable_latencies(history: &History) -> Vec<i64> {
    stable_elements(history).into_iter().map(|(latency, _)| latency).collect()
}

/// The stable latency of each stable element in milliseconds, and the element, the least latency first; empty where
/// [`check`] fails.
#[must_use]
pub fn stable_elements(history: &History) -> Vec<(i64, Value)> {
    let Ok(elements) = Elements::of(history) else { return Vec::new() };
    let stable = elements.all.iter().enumerate().filter(|(_, element)| element.outcome() == Outcome::Stable);
    let mut timed: Vec<_> = stable.map(|(id, element)| (element.latency_ms(history), id)).collect();
    timed.sort_unstable();
    timed.into_iter().map(|(latency, id)| (latency, elements.ids[id].clone())).collect()
}

/// The state of an element. Positions in the history count from one here: zero stands for never.
#[derive(Default)]
struct Element {
    /// Its first acknowledgement or read.
    known: usize,
    /// The invocation of the last read that returned it, and of the last that did not.
    last_present: usize,
    last_absent: usize,
    /// The number of the last read that returned it.
    seen_in: usize,
    /// How many adds of it began, and how many of them failed.
    begun: usize,
    failed: usize,
    /// The position at which its last add was invoked, from zero.
    begun_at: usize,
    /// The completion of the last final read that missed it although it was known before.
    missed: usize,
}

/// The elements by their ids, and what else reads returned.
#[derive(Default)]
struct Elements {
    ids: Interner,
    all: Vec<Element>,
    reads: usize,
    duplicates: Duplicates,
    invented: Invented,
    tracks: Tracks,
}

impl Elements {
    fn of(history: &History) -> Result<Self, CheckError> {
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
    fn begin(&mut self, value: &Value, position: usize) {
        let id = self.ids.intern(value);
        if id == self.all.len() {
            self.all.push(Element::default());
        } else {
            self.end_tracks();
        }
        let Element { begun, failed, seen_in, .. } = self.all[id];
        self.all[id] = Element { begun: begun + 1, failed, seen_in, begun_at: position, ..Element::default() };
    }

    fn fail(&mut self, value: &Value) {
        if let Some(id) = self.ids.of(value) {
            self.all[id].failed += 1;
        }
    }

    fn acknowledge(&mut self, value: &Value, position: usize) {
        if let Some(id) = self.ids.of(value) {
            self.all[id].mark_known(position);
        }
    }

    fn see(&mut self, id: usize, position: usize) {
        let element = &mut self.all[id];
        if element.seen_in == self.reads {
            self.duplicates.add(id, self.reads, position);
        } else {
            element.seen_in = self.reads;
            element.mark_known(position);
        }
    }

    /// Records the known elements that the latest read, a final one, missed.
    fn miss(&mut self, position: usize, invocation: usize) {
        for element in &mut self.all {
            if element.seen_in != self.reads && (1..=invocation).contains(&element.known) {
                element.missed = position + 1;
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
            self.all[*id].mark_known(position);
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
        for (id, element) in self.all.iter_mut().enumerate() {
            let [with, without] = track.last(element.begun_at, id, &latest);
            element.last_present = with.max(element.last_present);
            element.last_absent = without.max(element.last_absent);
        }
    }

    /// Handles a read, completed at `position`. It counts as present or absent at its invocation, as in Jepsen.
    fn read(&mut self, op: &Op, position: usize, invocation: usize) -> Result<(), CheckError> {
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
            let (index, value) = (op.index, &op.value);
            let problem = format!("the read completed at index {index} has {value} instead of a list of elements");
            return Err(CheckError::Invalid(problem));
        }
        for element in &mut self.all {
            let is_present = element.seen_in == self.reads;
            let last = if is_present { &mut element.last_present } else { &mut element.last_absent };
            *last = (*last).max(invocation + 1);
        }
        Ok(())
    }
}

impl Element {
    /// It is known from its first acknowledgement or read on.
    fn mark_known(&mut self, position: usize) {
        if self.known == 0 {
            self.known = position + 1;
        }
    }

    fn outcome(&self) -> Outcome {
        let &Self { known, last_present: present, last_absent: absent, .. } = self;
        if present > absent {
            Outcome::Stable
        } else if known > 0 && absent > present && absent > known {
            Outcome::Lost
        } else {
            Outcome::NeverRead
        }
    }

    /// Milliseconds from when it was known until just after the last read that missed it, or returned it if it was
    /// lost; zero if there was none.
    fn latency_ms(&self, history: &History) -> i64 {
        let time = |place: usize| place.checked_sub(1).map(|position| history.ops()[position].time);
        let end = if self.outcome() == Outcome::Lost { self.last_present } else { self.last_absent };
        let end = time(end).map_or(0, |ns| ns + 1);
        (end - time(self.known).unwrap_or_default()).max(0) / 1_000_000
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Stable,
    Lost,
    NeverRead,
}

fn report(history: &History, elements: &Elements) -> Result<SetReport, CheckError> {
    let in_order = Value::sorted(elements.ids.values().to_vec())?;
    let in_order: Vec<usize> = in_order.iter().filter_map(|value| elements.ids.of(value)).collect();
    let with = |outcome: Outcome| in_order.iter().copied().filter(move |id| elements.all[*id].outcome() == outcome);
    let timed = |outcome| with(outcome).map(|id| (elements.all[id].latency_ms(history), id)).collect::<Vec<_>>();
    let (stable, lost) = (timed(Outcome::Stable), timed(Outcome::Lost));
    let late: Vec<_> = stable.iter().copied().filter(|(latency, _)| *latency > 0).collect();
    // Among equally late elements, the last comes first.
    let mut worst: Vec<_> = late.iter().rev().copied().collect();
    worst.sort_by_key(|(latency, _)| Reverse(*latency));

    let value = |id: usize| elements.ids[id].clone();
    let values = |timed: &[(i64, usize)]| timed.iter().map(|(_, id)| value(*id)).collect();
    let quantiles = |timed: &[(i64, usize)]| Quantiles::of(timed.iter().map(|(latency, _)| *latency).collect());
    let op = |place: usize| {
        let op = &history.ops()[place.checked_sub(1)?];
        Some(if op.f == "broadcast" { Op { f: "add".into(), ..op.clone() } } else { op.clone() })
    };
    let described = |(latency_ms, id): &(i64, usize)| Stale {
        element: value(*id),
        latency_ms: *latency_ms,
        known: op(elements.all[*id].known),
        last_absent: op(elements.all[*id].last_absent),
    };
    Ok(SetReport {
        attempts: elements.all.len(),
        stable: stable.len(),
        lost: values(&lost),
        never_read: with(Outcome::NeverRead).map(value).collect(),
        stale: values(&late),
        worst_stale: worst.iter().take(MAX_WORST).map(described).collect(),
        stable_latencies: quantiles(&stable),
        lost_latencies: quantiles(&lost),
        extended: extended::find(history, elements),
    })
}

#[cfg(test)]
mod tests;
