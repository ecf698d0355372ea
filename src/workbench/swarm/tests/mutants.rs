//! Nodes with deliberate bugs, which the swarm must find, on seeds that the nodes without them pass.

use serde_json::{Value as Json, json};

use super::{Swarm, builtin_nodes, swarm};
use crate::engine::StateMachine;
use crate::engine::{Engine, EngineConfig};
use crate::gossip::Settings;
use crate::nodes::{Broadcast, Kafka, Txn, UniqueIds};
use crate::time::{Duration, Time};
use crate::wire::PADDING;
use crate::workbench::cluster::simulated::{SimulatedCluster, Start};
use crate::workbench::nemesis::Fault;
use crate::workbench::swarm::report::FailedCase;
use crate::workbench::swarm::shrink::MAX_TRIES;
use crate::workbench::swarm::{NodeFactory, SwarmReport, run_case};
use crate::workbench::workload::WorkloadKind;

fn broadcast(incarnation: u64, seed: u64) -> Engine<Broadcast> {
    Engine::new(EngineConfig { incarnation, seed, options: Settings::default() })
}

/// Asserts that the swarm finds and shrinks a failure of the mutant, and none of the correct nodes.
fn assert_found(workload: WorkloadKind, mutant: &NodeFactory<'_, SimulatedCluster>, seeds: u64) -> SwarmReport {
    let swarm = swarm(workload, seeds, 2);
    let found = swarm.run(mutant, &|_| {}, &|| false, &|| false);
    let first = found.failures.first().unwrap_or_else(|| panic!("not found\n{found}"));
    let scenario = swarm.scenario(first.case.seed);
    let failure = |scenario| run_case(scenario, mutant, &|| false).expect("it is not over").failure.expect("found");
    let outcome = run_case(&scenario, mutant, &|| false).expect("it is not over");
    let shrunk = swarm.shrink(&[(scenario.clone(), outcome)], mutant, &|| false).remove(0);
    let printed = first.shrunk.as_ref().expect("the first failures are shrunk");
    assert_eq!((&printed.case.command, printed.tries), (&shrunk.scenario.to_string(), shrunk.tries));
    assert!(shrunk.tries > 0 && shrunk.tries <= MAX_TRIES);
    let size = |scenario: &crate::workbench::swarm::Scenario| {
        (u64::from(scenario.rate) * scenario.time_limit_s, scenario.faults.len(), scenario.nodes)
    };
    let (small, large) = (size(&shrunk.scenario), size(&scenario));
    assert!(small.0 < large.0 && small.1 <= large.1 && small.2 <= large.2, "{found}");
    assert_eq!(failure(&shrunk.scenario), shrunk.failure, "{found}");
    assert!(shrunk.failure.is_like(&failure(&scenario)), "{found}");
    let report = swarm.run(&builtin_nodes(workload), &|_| {}, &|| false, &|| false);
    assert!(report.failures.is_empty(), "{report}");
    found
}

/// Answers `broadcast_ok` at once and merges soon after; of two values within that time, the first is lost.
struct AcknowledgesFirst {
    engine: Engine<Broadcast>,
    unmerged: Option<(Time, Vec<u8>)>,
}

/// Until a value is merged.
const MERGES_AFTER: Duration = Duration::from_millis(5);

impl StateMachine for AcknowledgesFirst {
    fn on_lines(&mut self, buffer: &mut [u8], lines: usize, now: Time) {
        let mut message: Json = serde_json::from_slice(&buffer[..lines]).expect("a message");
        if message["body"]["type"] != "broadcast" {
            return self.engine.on_lines(buffer, lines, now);
        }
        let body = json!({"type": "broadcast_ok", "in_reply_to": message["body"]["msg_id"].take()});
        let reply = json!({"src": message["dest"], "dest": message["src"], "body": body});
        self.engine.output().extend_from_slice(format!("{reply}\n").as_bytes());
        message["body"].as_object_mut().expect("a body").remove("msg_id");
        self.unmerged = Some((now + MERGES_AFTER, format!("{message}\n").into_bytes()));
    }

    fn on_deadline(&mut self, now: Time) {
        if let Some((_, mut line)) = self.unmerged.take_if(|(due, _)| *due <= now) {
            let length = line.len();
            line.resize(length + PADDING, 0);
            self.engine.on_lines(&mut line, length, now);
        }
        self.engine.on_deadline(now);
    }

    fn next_deadline(&self) -> Option<Time> {
        let merges = self.unmerged.as_ref().map(|(due, _)| *due);
        [self.engine.next_deadline(), merges].into_iter().flatten().min()
    }

    fn output(&mut self) -> &mut Vec<u8> {
        self.engine.output()
    }
}

#[test]
fn an_acknowledgement_before_the_merge_is_found() {
    let mutant = |count: usize, seed: u64, _: &[String]| {
        Ok(SimulatedCluster::with_factory(count, seed, |_, incarnation, seed| {
            Box::new(AcknowledgesFirst { engine: broadcast(incarnation, seed), unmerged: None })
        }))
    };
    assert_found(WorkloadKind::Broadcast, &mutant, 10);
}

#[test]
fn a_restart_that_reuses_numbers_is_found() {
    let mutant = |count: usize, seed: u64, _: &[String]| {
        Ok(SimulatedCluster::with_factory(count, seed, |_, _, seed| Box::new(broadcast(1_700_000_000_000_000, seed))))
    };
    assert_found(WorkloadKind::Broadcast, &mutant, 10);
}

/// The first node sends the second one no operations in its rounds, as if it had acknowledged them all.
struct SkipsSecondNode {
    engine: Engine<Broadcast>,
    /// The output without those operations.
    output: Vec<u8>,
}

impl SkipsSecondNode {
    fn filter_output(&mut self) {
        for line in self.engine.output().split_inclusive(|byte| *byte == b'\n') {
            let mut message: Json = serde_json::from_slice(line).expect("a message");
            if message["src"] == "n0" && message["dest"] == "n1" && message["body"]["type"] == "gossip" {
                message["body"]["ops"] = json!([]);
                self.output.extend_from_slice(format!("{message}\n").as_bytes());
            } else {
                self.output.extend_from_slice(line);
            }
        }
        self.engine.output().clear();
    }
}

impl StateMachine for SkipsSecondNode {
    fn on_lines(&mut self, buffer: &mut [u8], lines: usize, now: Time) {
        self.engine.on_lines(buffer, lines, now);
        self.filter_output();
    }

    fn on_deadline(&mut self, now: Time) {
        self.engine.on_deadline(now);
        self.filter_output();
    }

    fn next_deadline(&self) -> Option<Time> {
        self.engine.next_deadline()
    }

    fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }
}

#[test]
fn a_hub_that_forgets_one_follower_is_found() {
    let mutant = |count: usize, seed: u64, _: &[String]| {
        Ok(SimulatedCluster::with_factory(count, seed, |_, incarnation, seed| {
            Box::new(SkipsSecondNode { engine: broadcast(incarnation, seed), output: Vec::new() })
        }))
    };
    assert_found(WorkloadKind::Broadcast, &mutant, 10);
}

/// A node that misreads the messages of other replicas.
struct Misreads<M> {
    engine: M,
    misread: Box<dyn FnMut(&mut Json)>,
}

impl<M: StateMachine> StateMachine for Misreads<M> {
    fn on_lines(&mut self, buffer: &mut [u8], lines: usize, now: Time) {
        let mut message: Json = serde_json::from_slice(&buffer[..lines]).expect("a message");
        if message["body"]["type"] != "gossip" {
            return self.engine.on_lines(buffer, lines, now);
        }
        (self.misread)(&mut message["body"]);
        let mut line = format!("{message}\n").into_bytes();
        let length = line.len();
        line.resize(length + PADDING, 0);
        self.engine.on_lines(&mut line, length, now);
    }

    fn on_deadline(&mut self, now: Time) {
        self.engine.on_deadline(now);
    }

    fn next_deadline(&self) -> Option<Time> {
        self.engine.next_deadline()
    }

    fn output(&mut self) -> &mut Vec<u8> {
        self.engine.output()
    }
}

/// More than the number of transactions that a node executes between two that it receives.
const LATER: u64 = 1 << 20;

#[test]
fn registers_that_keep_the_value_received_last_are_found() {
    // A received transaction gets a time after all earlier ones instead of the one at which it was executed.
    let last = || {
        let mut time = 0;
        move |message: &mut Json| {
            let runs = message["ops"].as_array_mut().into_iter().flatten();
            for transaction in runs.flat_map(|run| run.as_array_mut().into_iter().flatten().skip(3)) {
                time += LATER;
                transaction[0] = json!(time);
            }
        }
    };
    let mutant = |count: usize, seed: u64, _: &[String]| {
        Ok(SimulatedCluster::with_factory(count, seed, move |_, incarnation, seed| {
            let engine = Engine::<Txn>::new(EngineConfig { incarnation, seed, options: Settings::default() });
            Box::new(Misreads { engine, misread: Box::new(last()) })
        }))
    };
    let found = assert_found(WorkloadKind::TxnRwRegister, &mutant, 10);
    // The consistency model does not require replicas to converge.
    let differ = |failed: &FailedCase| failed.failure.starts_with("the replicas differ in the end");
    assert!(found.failures.iter().any(differ), "{found}");
}

#[test]
fn a_poll_that_returns_messages_before_they_are_stable_is_found() {
    // What the hub has is taken for what all nodes have.
    let early = |message: &mut Json| {
        if !message["have"].is_null() {
            message["stable"] = message["have"].clone();
        }
    };
    let mutant = |count: usize, seed: u64, _: &[String]| {
        Ok(SimulatedCluster::with_factory(count, seed, move |_, incarnation, seed| {
            let engine = Engine::<Kafka>::new(EngineConfig { incarnation, seed, options: Settings::default() });
            Box::new(Misreads { engine, misread: Box::new(early) })
        }))
    };
    assert_found(WorkloadKind::Kafka, &mutant, 10);
}

#[test]
fn a_node_that_ignores_what_it_stored_is_found() {
    let swarm = Swarm { durable: true, faults: Some(vec![Fault::Kill]), ..swarm(WorkloadKind::UniqueIds, 20, 2) };
    let report = |forgets: bool| {
        let nodes = |count: usize, seed: u64, _: &[String]| {
            Ok(SimulatedCluster::with_disks(count, seed, move |Start { incarnation, seed, stored, .. }| {
                let stored = stored.filter(|_| !forgets).unwrap_or_default();
                Box::new(Engine::<UniqueIds>::durable(EngineConfig { incarnation, seed, options: () }, stored))
            }))
        };
        swarm.run(&nodes, &|_| {}, &|| false, &|| false)
    };
    let (found, passed) = (report(true), report(false));
    let is_duplicate = |failed: &FailedCase| failed.failure.contains("given more than once");
    assert!(found.failures.first().is_some_and(is_duplicate), "{found}");
    assert!(found.failures[0].case.command.contains(" --durable"), "{found}");
    assert!(passed.failures.is_empty(), "{passed}");
}
