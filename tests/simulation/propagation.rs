//! How soon a value reaches all connected nodes, by the history alone: writes, reads, and the state of the network.

use std::collections::{BTreeMap, BTreeSet};

use gossip_gloomers::simulation::{Fault, Process, Shape, Value};

use crate::client_history::{MS, Read, acknowledged, reads};
use crate::fixture::{Fixture, Outcome, seeds};

/// By then all nodes have detected a partition and follow another hub.
const REELECTION_MS: i64 = 6000;

/// The state of the network for some time: for each node, the nodes from which it drops messages.
struct Links {
    from: i64,
    to: i64,
    refuses: BTreeMap<usize, BTreeSet<usize>>,
}

fn index(id: &Value) -> usize {
    id.as_str().and_then(|id| id[1..].parse().ok()).expect("nodes are n0, n1, ...")
}

/// The states of the network, in order.
fn links(outcome: &Outcome) -> Vec<Links> {
    let mut states = vec![Links { from: 0, to: i64::MAX, refuses: BTreeMap::new() }];
    for op in outcome.history().ops().iter().filter(|op| op.process == Process::Nemesis) {
        let refuses = match op.value.items().map(Iterator::collect::<Vec<_>>) {
            Some(isolated) => isolated[1]
                .entries()
                .unwrap_or_default()
                .iter()
                .map(|(node, from)| (index(node), from.items().into_iter().flatten().map(|id| index(&id)).collect()))
                .collect(),
            None if op.value.as_keyword() == Some("network-healed") => BTreeMap::new(),
            None => continue,
        };
        states.last_mut().expect("there is a first state").to = op.time;
        states.push(Links { from: op.time, to: i64::MAX, refuses });
    }
    states
}

impl Links {
    /// The number of hops from `origin` to each node that it can reach.
    fn hops(&self, origin: usize, nodes: usize) -> BTreeMap<usize, i64> {
        let mut reached = BTreeMap::from([(origin, 0)]);
        let mut edge = vec![origin];
        let mut hop = 0;
        while !edge.is_empty() {
            hop += 1;
            let is_reached = |node: &usize| {
                edge.iter().any(|from| !self.refuses.get(node).is_some_and(|refused| refused.contains(from)))
            };
            let next: Vec<usize> = (0..nodes).filter(|node| !reached.contains_key(node)).filter(is_reached).collect();
            reached.extend(next.iter().map(|node| (*node, hop)));
            edge = next;
        }
        reached
    }
}

/// Asserts that a value reaches all connected nodes within `hop_ms` a hop once a partition is detected, and within
/// `heal_ms` in all while there is none.
fn assert_propagation(outcome: &Outcome, hop_ms: i64, heal_ms: i64) {
    let reads = reads(outcome);
    let values = acknowledged(outcome);
    for state in links(outcome) {
        let reads: Vec<&Read> =
            reads.iter().filter(|read| state.from < read.invoked && read.invoked < state.to).collect();
        let hops: Vec<_> = (0..outcome.nodes).map(|origin| state.hops(origin, outcome.nodes)).collect();
        for (value, origin, known) in &values {
            if *known > state.to {
                continue;
            }
            for read in &reads {
                let due = match hops[*origin].get(&read.node) {
                    Some(_) if state.refuses.is_empty() => known.max(&state.from) + heal_ms * MS,
                    Some(hops) => known.max(&(state.from + REELECTION_MS * MS)) + hops * hop_ms * MS,
                    None => continue,
                };
                assert!(
                    read.invoked < due || read.seen.contains(value),
                    "value {value} of n{origin} at {} ms is missing in the read of n{} by {}, network since {} ms\n{}",
                    known / MS,
                    read.node,
                    read.label,
                    state.from / MS,
                    outcome.replay()
                );
            }
        }
    }
}

/// Asserts the bounds for a cluster whose rounds have this period.
fn assert_all(nodes: usize, latency_ms: u32, period_ms: u32, few: u64) {
    let fixture = Fixture::new(nodes).latency(latency_ms.into(), Shape::Constant).faults(&[Fault::Partition], 10, 60);
    let (latency, period) = (i64::from(latency_ms), i64::from(period_ms));
    for seed in seeds(few) {
        let outcome = fixture.run(seed);
        outcome.assert_nothing_lost();
        let hop = 2 * (period + 2 * latency);
        assert_propagation(&outcome, hop, 2 * period + 4 * latency + 1000);
    }
}

#[test]
fn values_reach_all_connected_nodes_with_3_nodes() {
    assert_all(3, 100, 370, 10);
    // With a one-way partition from the start, the nodes never measure that the latency is zero.
    assert_all(3, 0, 370, 10);
}

#[test]
fn values_reach_all_connected_nodes_with_5_nodes() {
    assert_all(5, 100, 370, 10);
    assert_all(5, 0, 50, 10);
}

#[test]
fn values_reach_all_connected_nodes_with_25_nodes() {
    assert_all(25, 100, 370, 2);
}
