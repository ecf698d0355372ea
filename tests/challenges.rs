//! Every challenge in virtual time, and their table in docs/results.md.

#![cfg(feature = "workbench")]

use std::process::Command;

use gossip_gloomers::simulation::{Fault, Shape, Simulation, Value, Workload};
use gossip_gloomers::time::Duration;

#[test]
fn every_challenge_is_met_and_the_readme_shows_the_table() {
    let output = Command::new(env!("CARGO_BIN_EXE_gloomers")).args(["challenges", "--markdown"]).output();
    let output = output.expect("it starts");
    let table = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success() && table.lines().count() > 2, "{table}");
    let is_met = |row: &&str| row.contains("` | valid | ") || row.contains("` | valid, met | ");
    assert_eq!(table.lines().skip(2).filter(|row| !is_met(row)).collect::<Vec<_>>(), [""; 0]);
    let results = include_str!("../docs/results.md");
    assert!(
        results.contains(&table),
        "docs/results.md must contain the output of `gloomers challenges --markdown`:\n{table}"
    );
}

#[test]
fn replicas_converge_under_any_fault() {
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
