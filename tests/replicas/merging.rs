//! Merging is commutative, associative and idempotent: what a replica holds follows from the set of messages alone.

use std::collections::BTreeMap;
use std::time::Duration;

use gossip_gloomers::gossip::Settings;
use gossip_gloomers::time::Time;

use crate::bare_node::{BareNode, EPOCH, init};
use crate::decode::Origin;
use crate::fault_plan::{self, FaultPlan};
use crate::network::Packet;
use crate::recording_node::{Name, RecordingNode};
use crate::rng::{Rng, each_seed};

/// The messages delivered in a cluster from nodes other than `me`, each of the last incarnation of its sender, since
/// former ones are ignored once a later one is known.
fn messages(seed: u64, me: usize) -> (usize, Vec<Packet>) {
    let duration = Duration::from_secs(4);
    let mut cluster = fault_plan::cluster(seed, FaultPlan::ALL.any(&mut Rng::new(!seed)), duration);
    cluster.arrived = Some(Vec::new());
    cluster.pass(duration * 2);
    let mut all = cluster.arrived.take().expect("kept");
    let mut last = BTreeMap::new();
    for packet in &all {
        let incarnation: &mut u64 = last.entry(packet.from).or_default();
        *incarnation = packet.message.incarnation.max(*incarnation);
    }
    all.retain(|packet| packet.from != me && packet.message.incarnation == last[&packet.from]);
    (cluster.living().count(), all)
}

/// The state of a replica after some messages.
struct Merged {
    entries: BTreeMap<Name, Box<[u8]>>,
    vector: BTreeMap<Origin, u32>,
}

fn merge<'a>(me: usize, nodes: usize, batches: impl Iterator<Item = Vec<&'a Packet>>) -> Merged {
    let mut node = BareNode::<RecordingNode>::incarnation(2 * EPOCH, 7, Settings::default());
    node.now = Time::from_millis(1);
    node.feed(init(me, nodes).as_bytes());
    for batch in batches {
        node.jump(node.now + Duration::from_millis(7));
        node.feed(&batch.iter().flat_map(|packet| &packet.line).copied().collect::<Vec<_>>());
    }
    let recording = node.node();
    let mut vector = recording.vector();
    // Carriers depend on the timing.
    vector.retain(|origin, _| (origin.0 as usize) < nodes);
    Merged { entries: recording.entries().clone(), vector }
}

/// All messages in random order, some of them repeated, in batches of random size.
fn disorder<'a>(all: &'a [Packet], rng: &mut Rng) -> Vec<Vec<&'a Packet>> {
    let mut pile: Vec<&Packet> = all.iter().flat_map(|packet| vec![packet; 1 + rng.index(3)]).collect();
    rng.shuffle(&mut pile);
    let mut batches = Vec::new();
    while !pile.is_empty() {
        let size = (1 + rng.index(10)).min(pile.len());
        batches.push(pile.split_off(pile.len() - size));
    }
    batches
}

#[test]
fn messages_merge_to_the_same_state_in_any_order_grouping_and_number() {
    each_seed("messages_merge_to_the_same_state_in_any_order_grouping_and_number", 300, |seed| {
        let (nodes, all) = messages(seed, 0);
        let mut rng = Rng::new(seed);
        let plain = merge(0, nodes, all.iter().map(|packet| vec![packet]));
        let mut union = BTreeMap::new();
        for run in all.iter().flat_map(|packet| &packet.message.runs) {
            for (number, operation) in run.numbers().zip(&run.operations) {
                let (name, operation) = operation.unpack((run.origin.0, run.origin.1, number));
                union.insert(name, operation.to_string().into_bytes().into());
            }
        }
        assert_eq!(plain.entries, union, "a replica holds the union of what it receives");
        for _ in 0..3 {
            let other = merge(0, nodes, disorder(&all, &mut rng).into_iter());
            assert_eq!((other.entries, other.vector), (plain.entries.clone(), plain.vector.clone()));
        }
    });
}
