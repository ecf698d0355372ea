//! Swarms of the nodes of this crate find no failures, and their reports are deterministic.

mod mutants;

use super::failure::Failure;
use super::*;
use crate::workbench::cli::BAD_ARGUMENTS;
use crate::workbench::cli::tests::gloomers;
use crate::workbench::cluster::simulated::SimulatedCluster;
use crate::workbench::nemesis::Fault;
use crate::workbench::network::{Delivery, Shape};
use crate::workbench::report::finish::VALID;
use crate::workbench::test::{Unwatched, run};

fn swarm(workload: WorkloadKind, seeds: u64, jobs: usize) -> Swarm {
    Swarm {
        workload,
        seeds: Seeds { first: 1, count: seeds, corpus: Vec::new(), shard: Shard::WHOLE },
        jobs,
        time_limit: None,
        nodes: None,
        faults: None,
        durable: false,
        bin: None,
        arguments: Vec::new(),
    }
}

/// The nodes of this crate.
fn builtin_nodes(workload: WorkloadKind) -> impl Fn(usize, u64, &[String]) -> Result<SimulatedCluster, String> + Sync {
    let builtin = workload.node();
    move |count, seed, arguments: &[String]| builtin.engines(count, seed, arguments, false)
}

/// The failure of a scenario on the nodes of this crate.
fn failure(scenario: &Scenario) -> Option<Failure> {
    run_case(scenario, &builtin_nodes(scenario.workload), &|| false).expect("it is not over").failure
}

fn run_swarm(line: &str) -> (u8, String) {
    gloomers(&format!("swarm {line}"), "unused".as_ref())
}

#[test]
fn the_nodes_of_every_workload_pass_a_few_seeds() {
    for workload in WorkloadKind::ALL {
        let report = swarm(workload, 8, 2).run(&builtin_nodes(workload), &|_| {}, &|| false, &|| false);
        assert!(report.failures.is_empty(), "{report}");
        assert!(report.operations > 0);
    }
}

#[test]
fn messages_of_one_instant_that_are_reordered_leave_no_node_behind() {
    // Regression: the second message, which named the node's new hub, was taken for the older one, so that the node
    // never received the last value.
    let scenario = Scenario {
        nodes: 9,
        rate: 10,
        time_limit_s: 8,
        latency_ms: 0,
        shape: Shape::Constant,
        delivery: Delivery::Free,
        loss_percent: 10,
        duplication_percent: 20,
        faults: vec![Fault::Skew],
        interval_ms: 2000,
        ..swarm(WorkloadKind::PnCounter, 1, 1).scenario(470)
    };
    assert_eq!(failure(&scenario), None, "{scenario}");
}

#[test]
fn an_incarnation_that_assigned_no_offset_does_not_make_messages_stable() {
    // Regression: its vector made messages stable on other nodes although it was not recorded in lin-kv, so that the
    // next incarnation took itself for the first.
    let scenario = Scenario {
        nodes: 2,
        rate: 10,
        time_limit_s: 7,
        latency_ms: 0,
        shape: Shape::Constant,
        delivery: Delivery::Held,
        loss_percent: 17,
        duplication_percent: 0,
        faults: vec![Fault::Partition, Fault::Kill],
        interval_ms: 1400,
        ..swarm(WorkloadKind::Kafka, 1, 1).scenario(7000)
    };
    assert_eq!(failure(&scenario), None, "{scenario}");
}

#[test]
fn a_hub_reconnects_to_idle_followers_after_a_partition() {
    // Regression: the hub suspected them, they did not suspect the hub, and neither side had a message to send.
    let scenario = Scenario {
        nodes: 5,
        rate: 40,
        time_limit_s: 12,
        latency_ms: 0,
        shape: Shape::Constant,
        delivery: Delivery::Held,
        loss_percent: 0,
        duplication_percent: 0,
        faults: vec![Fault::Partition, Fault::Skew],
        interval_ms: 3900,
        ..swarm(WorkloadKind::Kafka, 1, 1).scenario(2712)
    };
    assert_eq!(failure(&scenario), None, "{scenario}");
}

#[test]
fn a_lost_stability_update_is_retransmitted() {
    // Regression: the message carried nothing else, so that its acknowledgement was not awaited.
    let base = |seed| Scenario {
        nodes: 4,
        latency_ms: 0,
        shape: Shape::Constant,
        delivery: Delivery::Held,
        duplication_percent: 0,
        ..swarm(WorkloadKind::Kafka, 1, 1).scenario(seed)
    };
    let cut = Scenario {
        rate: 9,
        time_limit_s: 8,
        loss_percent: 0,
        faults: vec![Fault::OneWay, Fault::Pause, Fault::Skew],
        interval_ms: 4000,
        ..base(7490)
    };
    let lost = Scenario {
        rate: 14,
        time_limit_s: 6,
        loss_percent: 5,
        faults: vec![Fault::Pause, Fault::Slow, Fault::Skew],
        interval_ms: 3000,
        ..base(1_099_511_628_954)
    };
    for scenario in [cut, lost] {
        assert_eq!(failure(&scenario), None, "{scenario}");
    }
}

#[test]
fn messages_lost_after_a_long_pause_are_retransmitted_in_time() {
    // Regression: the pause of the hub raised the round-trip estimate to many seconds.
    let scenario = Scenario {
        nodes: 4,
        rate: 10,
        time_limit_s: 19,
        latency_ms: 50,
        shape: Shape::Uniform,
        delivery: Delivery::Held,
        loss_percent: 20,
        duplication_percent: 14,
        faults: vec![Fault::Pause, Fault::Kill, Fault::Slow],
        interval_ms: 2100,
        ..swarm(WorkloadKind::Broadcast, 1, 1).scenario(5361)
    };
    assert_eq!(failure(&scenario), None, "{scenario}");
}

#[test]
fn registers_that_revert_because_a_node_was_killed_are_no_failure() {
    // A process read the values of other nodes after those that its own node had lost, so that the former seemed newer.
    let many = Scenario {
        nodes: 4,
        rate: 20,
        time_limit_s: 11,
        latency_ms: 200,
        shape: Shape::Constant,
        delivery: Delivery::Held,
        loss_percent: 0,
        duplication_percent: 0,
        faults: vec![Fault::Kill],
        interval_ms: 1500,
        ..swarm(WorkloadKind::TxnRwRegister, 1, 1).scenario(500_459)
    };
    let few = Scenario {
        rate: 5,
        time_limit_s: 8,
        latency_ms: 50,
        faults: vec![Fault::OneWay, Fault::Kill, Fault::Slow, Fault::Skew],
        seed: 31_001_427,
        ..many.clone()
    };
    for scenario in [many, few] {
        assert_eq!(failure(&scenario), None, "{scenario}");
    }
}

#[test]
fn the_report_does_not_depend_on_the_number_of_threads() {
    let nodes = builtin_nodes(WorkloadKind::Broadcast);
    let alone = swarm(WorkloadKind::Broadcast, 12, 1).run(&nodes, &|_| {}, &|| false, &|| false);
    assert_eq!(alone, swarm(WorkloadKind::Broadcast, 12, 5).run(&nodes, &|_| {}, &|| false, &|| false));
}

#[test]
fn the_output_has_the_commands_of_the_worst_cases_and_ends_with_a_table() {
    let (status, page) = run_swarm("-w broadcast --seeds 5 --first-seed 20 --jobs 2 --time-limit 3");
    assert_eq!(status, VALID, "{page}");
    assert!(page.contains("\nworkload        broadcast\nseeds           5, 20 to 24\noperations      "), "{page}");
    assert!(page.contains("\nfailures        0\ntook            "), "{page}");
    let commands: Vec<_> = page.lines().filter(|line| line.contains("gloomers test -w broadcast ")).collect();
    assert_eq!(commands.len(), 6, "{page}");
    assert!(commands.iter().all(|line| line.contains(" --virtual-time --seed 2") && line.contains(" --time-limit 3")));
}

#[test]
fn bad_arguments_end_with_254_and_help_with_0() {
    assert_eq!(run_swarm("-w ecko").0, BAD_ARGUMENTS);
    assert_eq!(run_swarm("--help").0, VALID);
}

/// The history of a scenario, as bytes.
fn history(scenario: &Scenario) -> Vec<u8> {
    let config = scenario.config();
    let mut nodes =
        builtin_nodes(config.workload)(config.nodes.len(), config.seed, &config.arguments).expect("valid arguments");
    let outcome = run(&config, &mut nodes, &mut Unwatched).expect("it runs");
    let mut bytes = Vec::new();
    outcome.history.write(crate::workbench::history::Format::Edn, &mut bytes).expect("memory takes it");
    bytes
}

#[test]
fn the_printed_command_replays_the_test_to_the_byte() {
    for workload in [WorkloadKind::Broadcast, WorkloadKind::Kafka, WorkloadKind::TxnRwRegister] {
        let swarm = Swarm { arguments: vec!["--max-staleness".into(), "1s".into()], ..swarm(workload, 1, 1) };
        for seed in 1..4 {
            let scenario = swarm.scenario(seed);
            let printed = scenario.to_string();
            let store = tempfile::tempdir().expect("a folder");
            gloomers(printed.strip_prefix("gloomers ").expect("a command"), store.path());
            let stored = std::fs::read(store.path().join("latest/history.edn")).expect("a history");
            assert!(stored == history(&scenario), "{printed}");
        }
    }
}
