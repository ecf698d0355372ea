//! Bugs planted on purpose, which the swarm must find, on seeds that the node without them stands.

use serde_json::{Value as Json, json};

use super::{good, swarm};
use crate::engine::StateMachine;
use crate::engine::{Engine, EngineConfig};
use crate::gossip::Settings;
use crate::nodes::{Broadcast, Kafka, Txn};
use crate::time::{Duration, Time};
use crate::wire::PADDING;
use crate::workbench::cluster::simulated::SimulatedCluster;
use crate::workbench::swarm::report::Failing;
use crate::workbench::swarm::shrink::MAX_TRIES;
use crate::workbench::swarm::{NodeFactory, SwarmReport, attempt};
use crate::workbench::workload::WorkloadKind;

fn broadcast(incarnation: u64, seed: u64) -> Engine<Broadcast> {
    Engine::new(EngineConfig { incarnation, seed, options: Settings::default() })
}

/// The swarm finds the mutant and shrinks it, and finds nothing else: without the bug, all is well.
fn assert_found(workload: WorkloadKind, mutant: &NodeFactory<'_>, seeds: u64) -> SwarmReport {
    let swarm = swarm(workload, seeds, 2);
    let found = swarm.run(mutant, &|_| {}, &|| false);
    let first = found.failures.first().unwrap_or_else(|| panic!("not found\n{found}"));
    let shrunk = first.shrunk.as_ref().expect("the first failures are shrunk");
    assert!(shrunk.tries > 0 && shrunk.tries <= MAX_TRIES);
    let size = |scenario: &crate::workbench::swarm::Scenario| {
        (u64::from(scenario.rate) * scenario.time_limit_s, scenario.faults.len(), scenario.nodes)
    };
    let (small, large) = (size(&shrunk.scenario), size(&first.scenario));
    assert!(small.0 < large.0 && small.1 <= large.1 && small.2 <= large.2, "{found}");
    assert_eq!(attempt(&shrunk.scenario, mutant).fault.as_ref(), Some(&shrunk.fault), "{found}");
    assert!(shrunk.fault.is_like(&first.fault), "{found}");
    let findings = swarm.run(&good(workload), &|_| {}, &|| false);
    assert!(findings.failures.is_empty(), "{findings}");
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

/// The first node tells the second one no operations in its rounds, as if it knew them all.
struct Forgets {
    engine: Engine<Broadcast>,
    /// What it says, without that.
    said: Vec<u8>,
}

impl Forgets {
    fn listen(&mut self) {
        for line in self.engine.output().split_inclusive(|byte| *byte == b'\n') {
            let mut message: Json = serde_json::from_slice(line).expect("a message");
            if message["src"] == "n0" && message["dest"] == "n1" && message["body"]["type"] == "gossip" {
                message["body"]["ops"] = json!([]);
                self.said.extend_from_slice(format!("{message}\n").as_bytes());
            } else {
                self.said.extend_from_slice(line);
            }
        }
        self.engine.output().clear();
    }
}

impl StateMachine for Forgets {
    fn on_lines(&mut self, buffer: &mut [u8], lines: usize, now: Time) {
        self.engine.on_lines(buffer, lines, now);
        self.listen();
    }

    fn on_deadline(&mut self, now: Time) {
        self.engine.on_deadline(now);
        self.listen();
    }

    fn next_deadline(&self) -> Option<Time> {
        self.engine.next_deadline()
    }

    fn output(&mut self) -> &mut Vec<u8> {
        &mut self.said
    }
}

#[test]
fn a_hub_that_forgets_one_follower_is_found() {
    let mutant = |count: usize, seed: u64, _: &[String]| {
        Ok(SimulatedCluster::with_factory(count, seed, |_, incarnation, seed| {
            Box::new(Forgets { engine: broadcast(incarnation, seed), said: Vec::new() })
        }))
    };
    assert_found(WorkloadKind::Broadcast, &mutant, 10);
}

/// A node that hears what other replicas say in other words.
struct Mishears<M> {
    engine: M,
    mishear: Box<dyn FnMut(&mut Json)>,
}

impl<M: StateMachine> StateMachine for Mishears<M> {
    fn on_lines(&mut self, buffer: &mut [u8], lines: usize, now: Time) {
        let mut message: Json = serde_json::from_slice(&buffer[..lines]).expect("a message");
        if message["body"]["type"] != "gossip" {
            return self.engine.on_lines(buffer, lines, now);
        }
        (self.mishear)(&mut message["body"]);
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

/// More than the transactions that a node carries out between two that it hears of.
const LATER: u64 = 1 << 20;

#[test]
fn registers_that_keep_what_came_last_are_found() {
    // Whatever comes is given a time after all that was before, and not the one at which it was written.
    let last = || {
        let mut time = 0;
        move |said: &mut Json| {
            let runs = said["ops"].as_array_mut().into_iter().flatten();
            for transaction in runs.flat_map(|run| run.as_array_mut().into_iter().flatten().skip(3)) {
                time += LATER;
                transaction[0] = json!(time);
            }
        }
    };
    let mutant = |count: usize, seed: u64, _: &[String]| {
        Ok(SimulatedCluster::with_factory(count, seed, move |_, incarnation, seed| {
            let engine = Engine::<Txn>::new(EngineConfig { incarnation, seed, options: Settings::default() });
            Box::new(Mishears { engine, mishear: Box::new(last()) })
        }))
    };
    let found = assert_found(WorkloadKind::TxnRwRegister, &mutant, 10);
    // No model that is checked asks replicas to be equal.
    let differ = |failing: &Failing| failing.fault.to_string().starts_with("the replicas differ in the end");
    assert!(found.failures.iter().any(differ), "{found}");
}

#[test]
fn a_poll_that_shows_what_is_not_stable_yet_is_found() {
    // What the hub holds is taken for what everyone holds.
    let early = |said: &mut Json| {
        if !said["have"].is_null() {
            said["stable"] = said["have"].clone();
        }
    };
    let mutant = |count: usize, seed: u64, _: &[String]| {
        Ok(SimulatedCluster::with_factory(count, seed, move |_, incarnation, seed| {
            let engine = Engine::<Kafka>::new(EngineConfig { incarnation, seed, options: Settings::default() });
            Box::new(Mishears { engine, mishear: Box::new(early) })
        }))
    };
    assert_found(WorkloadKind::Kafka, &mutant, 10);
}
