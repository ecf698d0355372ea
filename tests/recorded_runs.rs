//! The judge against real Maelstrom: histories that Jepsen recorded, with the results it came to.
//!
//! The recordings lie beside the repository, not in it; without them these tests have nothing to say.

#![cfg(feature = "workbench")]

use std::path::{Path, PathBuf};

use gossip_gloomers::workbench::check::net::{Counts, Traffic};
use gossip_gloomers::workbench::check::{Availability, Options, Verdict, judge};
use gossip_gloomers::workbench::edn::{self, Value};
use gossip_gloomers::workbench::history::History;

const WORKLOADS: [&str; 7] = ["echo", "unique-ids", "broadcast", "g-set", "g-counter", "pn-counter", "kafka"];

/// A recorded run.
struct Run {
    folder: PathBuf,
    command: String,
}

impl Run {
    fn file(&self, name: &str) -> String {
        read(&self.folder.join(name))
    }

    fn option(&self, name: &str) -> Option<&str> {
        let mut words = self.command.split_whitespace();
        words.find(|word| *word == name)?;
        words.next()
    }

    fn workload(&self) -> &str {
        self.option("-w").expect("every recorded command names its workload")
    }

    fn options(&self) -> Options {
        let total = self.option("--availability") == Some("total");
        Options { availability: total.then_some(Availability::Total) }
    }

    fn results(&self) -> Value {
        edn::read(&self.file("results.edn")).unwrap_or_else(|error| panic!("{}: {error}", self.folder.display()))
    }

    fn history(&self) -> History {
        self.file("history.edn").parse().unwrap_or_else(|error| panic!("{}: {error}", self.folder.display()))
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The recorded runs in the order of their names; none if they are not at hand.
fn runs() -> Vec<Run> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/maelstrom-runs"));
    let Ok(entries) = root.read_dir() else {
        eprintln!("skipped: no recorded runs at {}", root.display());
        return Vec::new();
    };
    let mut folders: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.retain(|folder| folder.join("results.edn").exists());
    folders.sort();
    folders.into_iter().map(|folder| Run { command: read(&folder.join("command.txt")), folder }).collect()
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
    for run in runs().iter().filter(|run| WORKLOADS.contains(&run.workload())) {
        let place = run.folder.file_name().expect("a folder has a name").to_string_lossy();
        let theirs = run.results();
        let ours = judge(run.workload(), &run.history(), &run.options(), &counts(&theirs));
        assert_same(&ours, &theirs, &place);
        let invalid = place.ends_with("-invalid");
        assert_eq!(Verdict::of(&ours), Verdict::from(!invalid), "{place}");
    }
}

#[test]
fn histories_and_results_are_printed_as_jepsen_prints_them() {
    for run in runs() {
        let place = run.folder.display();
        let mut printed = Vec::new();
        run.history().write_edn(&mut printed).expect("memory takes everything");
        assert!(printed == run.file("history.edn").into_bytes(), "{place}/history.edn");
        assert_eq!(edn::pretty(&run.results()) + "\n", run.file("results.edn"), "{place}/results.edn");
    }
}

#[test]
fn statistics_of_every_workload_equal_those_of_maelstrom() {
    for run in runs() {
        let theirs = run.results();
        let ours = judge("any", &run.history(), &run.options(), &counts(&theirs));
        for part in ["perf", "timeline", "exceptions", "stats", "availability", "net"] {
            let (ours, theirs) = (ours.get(part).expect("present"), theirs.get(part).expect("recorded"));
            assert_same(ours, theirs, &format!("{} {part}", run.folder.display()));
        }
    }
}
