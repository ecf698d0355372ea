//! broadcast and g-set: every element against every read.

use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use super::draw::{Rng, Service, one_of};
use super::{Verdict, compare, try_all};
use crate::workbench::check::Quantiles;
use crate::workbench::check::set_full::{self, SetReport, Stale};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind};

/// A set that may lose, forget or repeat elements.
struct Set {
    add: &'static str,
    next: i64,
    held: Vec<i64>,
    /// How likely a read misses an element.
    misses: f64,
    /// Whether reads list the elements in the order of their adds, as replicas that are late by a few.
    in_order: bool,
}

impl Service for Set {
    fn request(&mut self, _: u64, rng: &mut Rng) -> (&'static str, Value) {
        if rng.random_bool(0.5) {
            return ("read", Value::Nil);
        }
        self.next += 1;
        (self.add, Value::Int(if rng.random_bool(0.1) { rng.random_range(-2..5) } else { self.next }))
    }

    fn perform(&mut self, process: u64, f: &str, asked: &Value, rng: &mut Rng) -> (OpKind, Value) {
        let kind = one_of(rng, &[OpKind::Ok, OpKind::Ok, OpKind::Ok, OpKind::Ok, OpKind::Fail, OpKind::Info]);
        if f != "read" {
            let lost = rng.random_bool(self.misses) || kind != OpKind::Ok && rng.random_bool(0.5);
            self.held.extend(asked.as_int().filter(|_| !lost));
            return (kind, asked.clone());
        }
        if kind != OpKind::Ok || rng.random_bool(0.02) {
            return (kind, Value::Nil);
        }
        let mut seen = self.held.clone();
        if self.in_order {
            seen.truncate(seen.len().saturating_sub(rng.random_range(0..4)));
            seen.drain(..seen.len().min(usize::from(process % 2 == 1)));
        } else {
            seen.retain(|_| !rng.random_bool(self.misses));
        }
        if rng.random_bool(0.05) {
            seen.push(rng.random_range(-3..100));
        }
        if !self.in_order {
            seen.shuffle(rng);
        }
        let list = Value::List(seen.iter().copied().map(Value::Int).collect());
        (kind, if rng.random_bool(0.5) { Value::ints(seen) } else { list })
    }
}

/// The outcome of one element.
struct Outcome<'a> {
    element: Value,
    name: &'static str,
    latency_ms: i64,
    known: Option<&'a Op>,
    last_absent: Option<&'a Op>,
}

fn outcome<'a>(history: &'a History, element: i64, add: &str) -> Outcome<'a> {
    let (ops, element) = (history.ops(), Value::Int(element));
    // Adding an element again starts it afresh.
    let is_add = |at: &usize| ops[*at].f == add && ops[*at].kind == OpKind::Invoke && ops[*at].value == element;
    let begin = (0..ops.len()).rfind(is_add).expect("it was added");
    let oks: Vec<usize> = (begin..ops.len()).filter(|at| ops[*at].is_client() && ops[*at].kind == OpKind::Ok).collect();
    let has = |at: &usize| ops[*at].value.items().is_some_and(|mut items| items.any(|item| *item == element));
    let is_read = |at: &usize| ops[*at].f == "read";
    let known = oks.iter().copied().find(|at| if is_read(at) { has(at) } else { ops[*at].value == element });
    let last = |present: bool| {
        let reads = oks.iter().filter(|at| is_read(at) && has(at) == present);
        reads.map(|at| history.partner(*at).expect("it completes a read")).max()
    };
    let (present, absent) = (last(true), last(false));
    let name = match (known, present, absent) {
        (_, Some(_), absent) if absent < present => "stable",
        (Some(known), present, Some(absent)) if present < Some(absent) && known < absent => "lost",
        _ => "never-read",
    };
    let until = if name == "stable" { absent } else { present };
    let until = until.map_or(0, |at| ops[at].time + 1);
    let latency_ms = known.map_or(0, |known| (until - ops[known].time).max(0) / 1_000_000);
    Outcome { element, name, latency_ms, known: known.map(|at| &ops[at]), last_absent: absent.map(|at| &ops[at]) }
}

fn quantiles(outcomes: &[&Outcome<'_>]) -> Option<Quantiles> {
    let mut all: Vec<i64> = outcomes.iter().map(|outcome| outcome.latency_ms).collect();
    all.sort_unstable();
    // In hundredths, so that no rounding is involved: the index is n * p, rounded down.
    let at = |hundredths: usize| all[(all.len() * hundredths / 100).min(all.len() - 1)];
    (!all.is_empty()).then(|| [0, 50, 95, 99, 100].map(at).into())
}

fn oracle(history: &History, add: &str) -> (Verdict, SetReport) {
    let adds = history.ops().iter().filter(|op| op.f == add && op.kind == OpKind::Invoke);
    let mut elements: Vec<i64> = adds.filter_map(|op| op.value.as_int()).collect();
    elements.sort_unstable();
    elements.dedup();
    let outcomes: Vec<_> = elements.iter().map(|element| outcome(history, *element, add)).collect();
    let named = |name: &str| outcomes.iter().filter(|outcome| outcome.name == name).collect::<Vec<_>>();
    let values = |outcomes: &[&Outcome<'_>]| outcomes.iter().map(|outcome| outcome.element.clone()).collect();
    let (stable, lost) = (named("stable"), named("lost"));
    let mut late: Vec<_> = stable.iter().copied().filter(|outcome| outcome.latency_ms > 0).collect();
    let late_values = values(&late);
    // Ascending by latency, equals in their order, all of it reversed.
    late.sort_by_key(|outcome| outcome.latency_ms);
    let op = |op: &Op| Op { f: if op.f == "broadcast" { "add".into() } else { op.f.clone() }, ..op.clone() };
    let worst = late.iter().rev().take(8).map(|outcome| Stale {
        element: outcome.element.clone(),
        latency_ms: outcome.latency_ms,
        known: outcome.known.map(op),
        last_absent: outcome.last_absent.map(op),
    });
    let verdict = match (lost.is_empty(), stable.is_empty()) {
        (false, _) => Verdict::False,
        (true, true) => Verdict::Unknown,
        (true, false) => Verdict::True,
    };
    let report = SetReport {
        attempts: outcomes.len(),
        stable: stable.len(),
        lost: values(&lost),
        never_read: values(&named("never-read")),
        stale: late_values,
        worst_stale: worst.collect(),
        stable_latencies: quantiles(&stable),
        lost_latencies: quantiles(&lost),
        extended: Vec::new(),
    };
    (verdict, report)
}

#[test]
fn sets_lose_what_no_later_read_shows_and_are_as_late_as_the_last_read_that_misses() {
    for add in ["broadcast", "add"] {
        let service = |rng: &mut Rng| {
            let misses = one_of(rng, &[0.0, 0.05, 0.4]);
            Set { add, next: 0, held: Vec::new(), misses, in_order: rng.random_bool(0.5) }
        };
        let judge = |history: &History| {
            let expected = oracle(history, add);
            let SetReport { stable, lost, never_read, stale, .. } = &expected.1;
            let counts =
                [(*stable, "stable"), (lost.len(), "lost"), (never_read.len(), "unread"), (stale.len(), "stale")];
            let found = set_full::check(history).map(|report| SetReport { extended: Vec::new(), ..report });
            let named = counts.iter().filter(|(count, _)| *count > 0).map(|(_, name)| *name).collect();
            Ok([named, compare(found, Some(expected))?].concat())
        };
        try_all(20, service, judge, &["valid", "invalid", "unknown", "stable", "lost", "unread", "stale"]);
    }
}
