//! Every challenge in virtual time, and what the README says of them.

#![cfg(feature = "workbench")]

use std::ffi::OsString;

use gossip_gloomers::simulation::{Fault, Report, Shape, Simulation, Workload};
use gossip_gloomers::time::Duration;
use gossip_gloomers::workbench::challenges::{ALL, Attempt};
use gossip_gloomers::workbench::edn::Value;
use gossip_gloomers::workbench::options::Options;

fn run(command: &str) -> Report {
    let line = format!("--virtual-time --seed 1 {command}");
    let options = Options::parse(line.split_whitespace().map(OsString::from)).expect("a good command line");
    let workload = options.workload;
    Simulation::like(options).expect("it is built in").run(workload).expect("it runs")
}

#[test]
fn every_challenge_is_valid_and_within_its_limits() {
    for challenge in &ALL {
        let report = run(&challenge.command());
        assert!(report.is_valid(), "challenge {}: {report:?}", challenge.name);
        let is_met = challenge.is_met(&Attempt::of(report.results()));
        assert!(is_met || challenge.name == "4", "challenge {}: {report:?}", challenge.name);
    }
}

#[test]
fn the_readme_names_every_challenge_with_its_command() {
    let readme = include_str!("../README.md");
    for challenge in &ALL {
        let row = format!("\n| {} | `{}` | valid", challenge.name, challenge.command());
        assert!(readme.contains(&row), "README.md lacks{row}: see `gloomers challenges --markdown`");
    }
}

#[test]
fn replicas_are_equal_whatever_went_wrong() {
    let interval = Duration::from_secs(2);
    for workload in ["broadcast", "g-set", "g-counter", "pn-counter", "kafka", "txn-rw-register"] {
        for seed in 0..4 {
            let line = format!("-w {workload} --virtual-time --node-count 5 --rate 50 --time-limit 15 --seed {seed}");
            let options = Options::parse(line.split(' ').map(OsString::from)).expect("a good command line");
            let faults = [Fault::Partition, Fault::Pause, Fault::Kill];
            let workload = options.workload;
            let simulation = Simulation::like(options).expect("it is built in").faults(&faults, interval).loss(0.05);
            let simulation = simulation.latency(Duration::from_millis(50)).latency_shape(Shape::Exponential);
            let report = simulation.run(workload).expect("it runs");
            let converged = report.results().get("gloomers").and_then(|ours| ours.get("converged"));
            assert_eq!(converged, Some(&Value::Bool(true)), "{workload:?} {seed}: {report:?}");
        }
    }
    let registers = Simulation::of::<gossip_gloomers::nodes::LinKv>().concurrency(10).time_limit(interval);
    let report = registers.run(Workload::LinKv).expect("it runs");
    assert_eq!(report.results().get("gloomers").and_then(|ours| ours.get("converged")), None);
}
