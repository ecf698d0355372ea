//! The judge against real Maelstrom: histories that Jepsen recorded, with the results it came to.

#[path = "../../../tests/recordings/mod.rs"]
mod recordings;

use crate::workbench::check::net::{Counts, Traffic};
use crate::workbench::check::{Availability, Options, Verdict};
use crate::workbench::edn::{self, Value};
use crate::workbench::history::{Format, History};
use crate::workbench::report::results::judge;
use crate::workbench::workload::WorkloadKind;
use recordings::{Run, runs};

fn options(run: &Run) -> Options {
    let total = run.option("--availability") == Some("total");
    Options {
        availability: total.then_some(Availability::Total),
        consistency_models: run.option("--consistency-models").map(str::to_owned).into_iter().collect(),
        ..Options::default()
    }
}

fn kind(run: &Run) -> WorkloadKind {
    WorkloadKind::named(run.workload()).expect("a workload")
}

fn results(run: &Run) -> Value {
    edn::read(&run.file("results.edn")).unwrap_or_else(|error| panic!("{}: {error}", run.name()))
}

fn history(run: &Run) -> History {
    run.file("history.edn").parse().unwrap_or_else(|error| panic!("{}: {error}", run.name()))
}

#[test]
fn every_workload_has_a_run_and_every_checker_that_can_find_something_an_invalid_one() {
    let runs = runs();
    for workload in WorkloadKind::ALL.map(WorkloadKind::name) {
        assert!(runs.iter().any(|run| run.workload() == workload), "{workload}");
    }
    for workload in ["unique-ids", "broadcast", "g-counter", "kafka", "txn-list-append", "txn-rw-register"] {
        assert!(runs.iter().any(|run| run.workload() == workload && run.is_invalid()), "{workload}");
    }
}

fn counts(results: &Value) -> Counts {
    let traffic = |group: &str| {
        let count = |key: &str| {
            let count = results.get("net").and_then(|net| net.get(group)?.get(key)?.as_int());
            usize::try_from(count.expect("recorded")).expect("a count")
        };
        Traffic { send: count("send-count"), recv: count("recv-count"), msg: count("msg-count") }
    };
    Counts { all: traffic("all"), clients: traffic("clients"), servers: traffic("servers") }
}

fn assert_same(ours: &Value, theirs: &Value, place: &str) {
    let ours = &without_ours(ours);
    if let (Some(our_entries), Some(their_entries)) = (ours.entries(), theirs.entries()) {
        let keys = |entries: &[(Value, Value)]| {
            let mut keys: Vec<_> = entries.iter().map(|(key, _)| key.to_string()).collect();
            keys.sort();
            keys
        };
        assert_eq!(keys(our_entries), keys(their_entries), "keys of {place}");
        for (key, value) in our_entries {
            assert_same(value, theirs.entry(key).expect("the keys are equal"), &format!("{place} {key}"));
        }
    } else {
        assert!(ours.same(theirs), "{place}:\n  ours {ours}\ntheirs {theirs}");
    }
}

#[test]
fn our_verdicts_and_statistics_equal_those_of_maelstrom() {
    for run in runs().iter().filter(|run| !run.workload().starts_with("txn-")) {
        let place = run.name();
        let theirs = results(run);
        let ours = judge(kind(run), &history(run), &options(run), &counts(&theirs));
        assert_same(&ours.to_edn(), &theirs, &place);
        let invalid = run.is_invalid();
        assert_eq!(ours.verdict(), Verdict::from(!invalid), "{place}");
        assert!(invalid || ours.strict() != Verdict::False, "{place}: {:?}", ours.explanation());
    }
}

/// A map without the entry of our key.
fn without_ours(value: &Value) -> Value {
    let Some(entries) = value.entries() else { return value.clone() };
    let theirs = entries.iter().filter(|(key, _)| key.as_keyword() != Some("gloomers"));
    Value::Map(theirs.cloned().collect())
}

/// The elements of a collection in an order that does not depend on it.
fn sorted(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::items).into_iter().flatten();
    let mut items: Vec<_> = items.map(|item| item.identity().to_string()).collect();
    items.sort();
    items
}

#[test]
fn our_anomalies_equal_those_of_maelstrom() {
    for run in runs().iter().filter(|run| run.workload().starts_with("txn-")) {
        let place = run.name();
        let recorded = results(run);
        let theirs = recorded.get("workload").expect("recorded");
        let ours = judge(kind(run), &history(run), &options(run), &counts(&recorded));
        assert_eq!(ours.verdict(), Verdict::from(!run.is_invalid()), "{place}");
        let ours = without_ours(&ours.workload.to_edn());
        let (Some(our_anomalies), Some(their_anomalies)) = (ours.get("anomalies"), theirs.get("anomalies")) else {
            assert_same(&ours, theirs, &place);
            continue;
        };
        if their_anomalies.is_nil() {
            assert_same(&ours, theirs, &place);
            continue;
        }
        for key in ["valid?", "not", "also-not"] {
            assert_same(ours.get(key).expect("present"), theirs.get(key).expect("recorded"), &format!("{place} {key}"));
        }
        // Maelstrom gives up a class of cycles in a component after a second, or when the first cycle it comes upon
        // turns out to be of another class. So it finds other, milder classes there; as many components are bad.
        let gave_up = their_anomalies.get("cycle-search-timeout").is_some();
        let is_cycle = |name: &str| name.starts_with("G0") || name.starts_with("G-") || name.starts_with("G2");
        let count = |anomalies: &Value| {
            let cycles = anomalies.entries().into_iter().flatten().filter(|(name, _)| is_cycle(&name.to_string()[1..]));
            cycles.map(|(_, cases)| cases.items().map_or(0, |cases| cases.len())).sum::<usize>()
        };
        assert_eq!(count(our_anomalies), count(their_anomalies), "{place}");
        let others = |anomalies: &Value| {
            let names = anomalies.entries().into_iter().flatten().map(|(name, _)| name.to_string());
            let mut names: Vec<_> =
                names.filter(|name| !is_cycle(&name[1..]) && name != ":cycle-search-timeout").collect();
            names.sort();
            names
        };
        assert_eq!(others(our_anomalies), others(their_anomalies), "{place}");
        for (name, _) in our_anomalies.entries().into_iter().flatten() {
            assert!(gave_up || their_anomalies.entry(name).is_some(), "{place}: {name}");
        }
        assert_eq!(
            sorted(our_anomalies.get("lost-update")),
            sorted(their_anomalies.get("lost-update")),
            "{place} lost-update"
        );
        let keys = |anomalies: &Value| {
            let orders = anomalies.get("incompatible-order").and_then(Value::items).into_iter().flatten();
            sorted(Some(&Value::List(orders.filter_map(|case| case.get("key").cloned()).collect())))
        };
        assert_eq!(keys(our_anomalies), keys(their_anomalies), "{place} incompatible-order");
    }
}

#[test]
fn histories_and_results_are_printed_as_jepsen_prints_them() {
    for run in &runs() {
        let place = run.name();
        let mut printed = Vec::new();
        history(run).write(Format::Edn, &mut printed).expect("memory takes everything");
        assert!(printed == run.file("history.edn").into_bytes(), "{place}/history.edn");
        assert_eq!(edn::pretty(&results(run)) + "\n", run.file("results.edn"), "{place}/results.edn");
    }
}

#[test]
fn statistics_of_every_workload_equal_those_of_maelstrom() {
    for run in &runs() {
        let theirs = results(run);
        let ours = judge(kind(run), &history(run), &options(run), &counts(&theirs)).to_edn();
        for part in ["perf", "timeline", "exceptions", "stats", "availability", "net"] {
            let (ours, theirs) = (ours.get(part).expect("present"), theirs.get(part).expect("recorded"));
            assert_same(ours, theirs, &format!("{} {part}", run.name()));
        }
    }
}
