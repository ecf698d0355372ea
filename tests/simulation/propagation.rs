//! How soon a value is where links lead, read off the history itself: who was told, who could hear whom, who read what.

use std::collections::{BTreeMap, BTreeSet};

use gossip_gloomers::simulation::{Fault, Process, Shape, Value};

use crate::client_history::{MS, Read, acknowledged, reads};
use crate::fixture::{Fixture, Outcome, seeds};

/// By then everyone has noticed whom a cut took away, and found another hub.
const REELECTION_MS: i64 = 6000;

/// How the network is from a time on: for each node, whom it refuses to hear.
struct Links {
    from: i64,
    to: i64,
    refuses: BTreeMap<usize, BTreeSet<usize>>,
}

fn index(id: &Value) -> usize {
    id.as_str().and_then(|id| id[1..].parse().ok()).expect("nodes are n0, n1, ...")
}

/// The states of the network, one after the other.
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
    /// In how many hops each node hears of what `origin` knows.
    fn hops(&self, origin: usize, nodes: usize) -> BTreeMap<usize, i64> {
        let mut reached = BTreeMap::from([(origin, 0)]);
        let mut edge = vec![origin];
        let mut hop = 0;
        while !edge.is_empty() {
            hop += 1;
            let heard = |node: &usize| {
                edge.iter().any(|from| !self.refuses.get(node).is_some_and(|refused| refused.contains(from)))
            };
            let next: Vec<usize> = (0..nodes).filter(|node| !reached.contains_key(node)).filter(heard).collect();
            reached.extend(next.iter().map(|node| (*node, hop)));
            edge = next;
        }
        reached
    }
}

/// Within one state of the network, once whoever is cut off is known to be, a value is wherever open links lead within
/// `hop_ms` a hop, and where no link is cut within `heal_ms` altogether.
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
                    "value {value}, told n{origin} at {} ms, is not in the read of n{} by {}, network since {} ms\n{}",
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

/// `period_ms` is that of the rounds.
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
    // Cut from the first moment on and only one way, they never learn that the latency is zero.
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
