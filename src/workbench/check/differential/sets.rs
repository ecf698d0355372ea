//! broadcast and g-set: every element against every read.

use super::draw::{Clients, Dice};
use super::{Said, compare, ints, verdict};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind};

/// Clients of a set that may lose, forget or repeat elements.
struct Sloppy {
    add: &'static str,
    next: i64,
    held: Vec<i64>,
    /// How likely a read misses an element.
    misses: f64,
    /// Whether reads list the elements in the order of their adds, as replicas that are late by a few.
    in_order: bool,
}

impl Clients for Sloppy {
    fn ask(&mut self, _: u64, dice: &mut Dice) -> (&'static str, Value, bool) {
        if dice.chance(0.5) {
            return ("read", Value::Nil, dice.chance(0.3));
        }
        self.next += 1;
        let again = dice.chance(0.1);
        (self.add, Value::Int(if again { dice.between(-2, 4) } else { self.next }), false)
    }

    fn answer(&mut self, process: u64, f: &str, asked: &Value, dice: &mut Dice) -> (OpKind, Value) {
        let kind = dice.one_of(&[OpKind::Ok, OpKind::Ok, OpKind::Ok, OpKind::Ok, OpKind::Fail, OpKind::Info]);
        if f != "read" {
            let lost = dice.chance(self.misses) || kind != OpKind::Ok && dice.chance(0.5);
            self.held.extend(asked.as_int().filter(|_| !lost));
            return (kind, asked.clone());
        }
        if kind != OpKind::Ok || dice.chance(0.02) {
            return (kind, Value::Nil);
        }
        let mut seen: Vec<i64> = if self.in_order {
            let late = usize::try_from(dice.between(0, 3)).expect("small");
            let len = self.held.len().saturating_sub(late);
            self.held[..len].iter().copied().skip(usize::from(process % 2 == 1)).collect()
        } else {
            self.held.iter().copied().filter(|_| !dice.chance(self.misses)).collect()
        };
        if dice.chance(0.05) {
            seen.push(dice.between(-3, 99));
        }
        if !self.in_order {
            dice.shuffle(&mut seen);
        }
        (kind, if dice.chance(0.5) { Value::ints(seen) } else { ints(seen) })
    }
}

/// One element's fate.
struct Fate<'a> {
    element: i64,
    outcome: &'static str,
    latency: i64,
    known: Option<&'a Op>,
    last_absent: Option<&'a Op>,
}

fn fate<'a>(history: &'a History, element: i64, add: &str) -> Fate<'a> {
    let value = Value::Int(element);
    let ops = history.ops();
    // Whoever adds it again begins its story again.
    let begun =
        (0..ops.len()).filter(|at| ops[*at].f == add && ops[*at].kind == OpKind::Invoke && ops[*at].value == value);
    let begun = begun.max().expect("it was added");
    let oks: Vec<usize> = (begun..ops.len()).filter(|at| ops[*at].is_client() && ops[*at].kind == OpKind::Ok).collect();
    let has = |at: &usize| ops[*at].value.items().is_some_and(|mut items| items.any(|item| *item == value));
    let is_read = |at: &usize| ops[*at].f == "read";
    let confirms = |at: &usize| if is_read(at) { has(at) } else { ops[*at].value == value };
    let known = oks.iter().copied().find(confirms);
    let last = |present: bool| {
        let reads = oks.iter().filter(|at| is_read(at) && has(at) == present);
        reads.map(|at| history.partner(*at).expect("reads that end began")).max()
    };
    let (present, absent) = (last(true), last(false));
    let outcome = match (known, present, absent) {
        (_, Some(present), absent) if absent.is_none_or(|absent| absent < present) => "stable",
        (Some(known), present, Some(absent)) if present.is_none_or(|p| p < absent) && known < absent => "lost",
        _ => "never-read",
    };
    let until = if outcome == "stable" { absent } else { present };
    let until = until.map_or(0, |at| ops[at].time + 1);
    let latency = known.map_or(0, |known| (until - ops[known].time).max(0) / 1_000_000);
    let op = |at: Option<usize>| at.map(|at| &ops[at]);
    Fate { element, outcome, latency, known: op(known), last_absent: op(absent) }
}

fn oracle(history: &History, add: &str) -> Said {
    let begun = history.ops().iter().filter(|op| op.f == add && op.kind == OpKind::Invoke);
    let mut elements: Vec<i64> = begun.filter_map(|op| op.value.as_int()).collect();
    elements.sort_unstable();
    elements.dedup();
    let fates: Vec<Fate<'_>> = elements.iter().map(|element| fate(history, *element, add)).collect();
    let with = |outcome: &str| fates.iter().filter(|fate| fate.outcome == outcome).collect::<Vec<_>>();
    let (settled, lost, never) = (with("stable"), with("lost"), with("never-read"));
    let mut stale: Vec<&Fate<'_>> = settled.iter().copied().filter(|fate| fate.latency > 0).collect();
    let names = |fates: &[&Fate<'_>]| ints(fates.iter().map(|fate| fate.element));
    let count = |fates: &[&Fate<'_>]| Value::count(fates.len());
    let valid = match (lost.is_empty(), settled.is_empty()) {
        (false, _) => Value::Bool(false),
        (true, true) => Value::keyword("unknown"),
        (true, false) => Value::Bool(true),
    };
    let mut entries = vec![
        ("valid?", valid),
        ("attempt-count", Value::count(fates.len())),
        ("stable-count", count(&settled)),
        ("lost-count", count(&lost)),
        ("lost", names(&lost)),
        ("never-read-count", count(&never)),
        ("never-read", names(&never)),
        ("stale-count", count(&stale)),
        ("stale", names(&stale)),
        ("duplicated-count", Value::Int(0)),
        ("duplicated", Value::Map(Vec::new())),
    ];
    for (key, fates) in [("stable-latencies", &settled), ("lost-latencies", &lost)] {
        let mut all: Vec<i64> = fates.iter().map(|fate| fate.latency).collect();
        all.sort_unstable();
        // In twentieths and hundredths, so that no rounding is involved: the index is n * p, rounded down.
        let at = |hundredths: usize| Value::Int(all[(all.len() * hundredths / 100).min(all.len() - 1)]);
        if !all.is_empty() {
            let keys = [Value::Int(0), Value::Float(0.5), Value::Float(0.95), Value::Float(0.99), Value::Int(1)];
            entries.push((key, Value::Map(keys.into_iter().zip([0, 50, 95, 99, 100].map(at)).collect())));
        }
    }
    // Ascending by latency, equals in their order, all of it reversed.
    stale.sort_by_key(|fate| fate.latency);
    stale.reverse();
    let shown = |op: Option<&Op>| {
        let renamed =
            op.map(|op| Op { f: if op.f == "broadcast" { "add".into() } else { op.f.clone() }, ..op.clone() });
        renamed.map_or(Value::Nil, |op| op.to_value())
    };
    let worst = stale.iter().take(8).map(|fate| {
        Value::record([
            ("element", Value::Int(fate.element)),
            ("outcome", Value::keyword("stable")),
            ("stable-latency", Value::Int(fate.latency)),
            ("lost-latency", Value::Nil),
            ("known", shown(fate.known)),
            ("last-absent", shown(fate.last_absent)),
        ])
    });
    entries.push(("worst-stale", Value::List(worst.collect())));
    Said::Result(entries)
}

fn notable(said: &Said) -> Vec<String> {
    let mut kinds = vec![verdict(said)];
    if let Said::Result(entries) = said {
        let counted = entries.iter().filter(|(_, value)| value.as_int().is_some_and(|count| count > 0));
        kinds.extend(counted.map(|(key, _)| (*key).to_owned()));
    }
    kinds
}

const KINDS: [&str; 7] = ["true", "false", ":unknown", "stable-count", "lost-count", "never-read-count", "stale-count"];

#[test]
fn sets_lose_what_no_later_read_shows_and_are_as_late_as_the_last_read_that_misses() {
    for (workload, add) in [("broadcast", "broadcast"), ("g-set", "add")] {
        let clients = |dice: &mut Dice| {
            let misses = dice.one_of(&[0.0, 0.05, 0.4]);
            Sloppy { add, next: 0, held: Vec::new(), misses, in_order: dice.chance(0.5) }
        };
        compare(workload, clients, |history| oracle(history, add), Value::clone, notable, &KINDS);
    }
}
