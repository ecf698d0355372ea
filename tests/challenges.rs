//! Every challenge in virtual time, and what the README says of them.

#![cfg(feature = "workbench")]

use std::path::Path;

use gossip_gloomers::simulation::{Fault, Shape, Simulation, Workload};
use gossip_gloomers::time::Duration;
use gossip_gloomers::workbench::cli::{Output, challenges};
use gossip_gloomers::workbench::edn::Value;
use gossip_gloomers::workbench::report::challenges::ALL;

#[test]
fn every_challenge_is_met_and_the_readme_has_the_table() {
    let mut page = Vec::new();
    let mut desk = Output { page: &mut page, colours: false, store: Path::new("nothing is stored in virtual time") };
    challenges(["--markdown".into()], &mut desk).expect("memory can be written");
    let table = String::from_utf8(page).expect("text");
    assert_eq!(table.lines().count(), 2 + ALL.len(), "{table}");
    let is_met = |row: &&str| row.contains("` | valid | ") || row.contains("` | valid, met | ");
    assert_eq!(table.lines().skip(2).filter(|row| !is_met(row)).collect::<Vec<_>>(), [""; 0]);
    let readme = include_str!("../README.md");
    assert!(readme.contains(&table), "the README wants `gloomers challenges --markdown`:\n{table}");
}

#[test]
fn replicas_are_equal_whatever_went_wrong() {
    let interval = Duration::from_secs(2);
    for workload in ["broadcast", "g-set", "g-counter", "pn-counter", "kafka", "txn-rw-register"] {
        for seed in 0..4 {
            let line = format!("-w {workload} --node-count 5 --rate 50 --time-limit 15");
            let simulation = Simulation::command(&line).expect("a good command line").seed(seed).loss(0.05);
            let simulation = simulation.faults(&[Fault::Partition, Fault::Pause, Fault::Kill], interval);
            let simulation = simulation.latency(Duration::from_millis(50)).latency_shape(Shape::Exponential);
            let report = simulation.run(simulation.workload()).expect("it runs");
            let converged = report.results().get("gloomers").and_then(|ours| ours.get("converged"));
            assert_eq!(converged, Some(&Value::Bool(true)), "{report:?}");
        }
    }
    let registers = Simulation::of::<gossip_gloomers::nodes::LinKv>().concurrency(10).time_limit(interval);
    let report = registers.run(Workload::LinKv).expect("it runs");
    assert_eq!(report.results().get("gloomers").and_then(|ours| ours.get("converged")), None);
}
