//! The logs of the kafka node: no poll skips or reorders messages, and all nodes converge.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gossip_gloomers::nodes::Kafka;
use serde_json::{Value, json};

use crate::cluster::NodeCluster;
use crate::rng::{Rng, each_seed};

const KEYS: [&str; 3] = ["0", "7", "a \"key\""];

/// A consumer at one node, and the messages that it has read.
struct Consumer {
    node: usize,
    read: BTreeMap<&'static str, Vec<(u64, u64)>>,
}

impl Consumer {
    fn poll(&mut self, cluster: &mut NodeCluster) {
        let next = |key| self.read.get(key).and_then(|read| read.last()).map_or(0, |(offset, _)| offset + 1);
        let offsets: Value = KEYS.iter().map(|key| ((*key).to_owned(), json!(next(key)))).collect();
        let reply = cluster.ask(self.node, json!({"type": "poll", "offsets": offsets}));
        assert_eq!(reply["type"], "poll_ok");
        for key in KEYS {
            let read = self.read.entry(key).or_default();
            for pair in reply["msgs"][key].as_array().into_iter().flatten() {
                let pair = (pair[0].as_u64().expect("an offset"), pair[1].as_u64().expect("a message"));
                assert!(read.last().is_none_or(|last| last.0 < pair.0), "{pair:?} after {:?}", read.last());
                read.push(pair);
            }
        }
    }
}

fn try_logs(seed: u64, faults: bool) {
    let mut rng = Rng::new(seed);
    let nodes = rng.one_of(&[1, 2, 2, 3, 5]);
    let latency = Duration::from_millis(rng.one_of(&[0, 1, 20, 100]));
    let mut cluster = NodeCluster::of::<Kafka>(nodes, latency, Rng::new(!seed));
    let mut consumers: Vec<_> = (0..nodes).map(|node| Consumer { node, read: BTreeMap::new() }).collect();
    let mut sent: BTreeMap<&str, BTreeSet<(u64, u64)>> = BTreeMap::new();
    for message in 0..150 {
        cluster.pass(rng.up_to(Duration::from_millis(60)));
        if faults && rng.percent(4) {
            cluster.partition(&mut rng);
        }
        let node = rng.index(nodes);
        if rng.percent(60) {
            let key = rng.one_of(&KEYS);
            let reply = cluster.ask(node, json!({"type": "send", "key": key, "msg": message}));
            let offset = reply["offset"].as_u64().expect("an offset");
            assert!(sent.entry(key).or_default().insert((offset, message)), "offset {offset} of {key} is given twice");
        } else {
            consumers[node].poll(&mut cluster);
        }
    }
    cluster.cut.clear();
    cluster.pass(Duration::from_secs(12));
    for consumer in &mut consumers {
        consumer.poll(&mut cluster);
        for key in KEYS {
            let all: Vec<_> = sent.get(key).into_iter().flatten().copied().collect();
            let read = consumer.read.get(key).cloned().unwrap_or_default();
            assert_eq!(read, all, "n{} reads everything of {key} once, in order", consumer.node);
        }
    }
}

#[test]
fn no_poll_skips_or_reorders_and_all_nodes_converge() {
    each_seed("no_poll_skips_or_reorders_and_all_nodes_converge", 60, |seed| try_logs(seed, false));
}

#[test]
fn logs_are_complete_after_a_partition() {
    each_seed("logs_are_complete_after_a_partition", 60, |seed| try_logs(seed, true));
}

#[test]
fn a_restarted_node_assigns_no_offset_twice() {
    each_seed("a_restarted_node_assigns_no_offset_twice", 40, |seed| {
        let mut rng = Rng::new(seed);
        let mut cluster = NodeCluster::of::<Kafka>(3, Duration::from_millis(10), Rng::new(!seed));
        let mut offsets = BTreeSet::new();
        for message in 0..40 {
            let reply = cluster.ask(rng.index(3), json!({"type": "send", "key": "0", "msg": message}));
            assert!(offsets.insert(reply["offset"].as_u64().expect("an offset")), "{reply}");
            if message % 10 == 9 {
                // By then no message is held by only one process.
                cluster.pass(Duration::from_secs(1));
                cluster.restart(rng.index(3));
            }
        }
    });
}

#[test]
fn a_restarted_node_assigns_no_offset_before_it_has_caught_up_with_every_peer() {
    each_seed("a_restarted_node_assigns_no_offset_before_it_has_caught_up_with_every_peer", 40, |seed| {
        let mut rng = Rng::new(seed);
        let nodes = rng.one_of(&[2, 3, 5]);
        let mut cluster = NodeCluster::of::<Kafka>(nodes, Duration::from_millis(10), Rng::new(!seed));
        let (node, deaf) = (rng.index(nodes), rng.index(nodes));
        let mut offsets = BTreeSet::new();
        for message in 0..5 {
            let reply = cluster.ask(node, json!({"type": "send", "key": "0", "msg": message}));
            offsets.insert(reply["offset"].as_u64().expect("an offset"));
        }
        cluster.pass(Duration::from_secs(1));
        // One of the others is unreachable, or all of them are.
        let is_cut = |other: &usize| *other != node && (deaf == node || deaf == *other);
        let cut = (0..nodes).filter(is_cut).flat_map(|other| [(node, other), (other, node)]);
        cluster.cut = cut.collect();
        cluster.restart(node);
        cluster.send(node, json!({"type": "send", "key": "0", "msg": 7}));
        if deaf == node || nodes == 2 {
            assert_eq!(cluster.reply_within(Duration::from_secs(3)), None, "it has received nothing");
        }
        cluster.cut.clear();
        let reply = cluster.ask(node, json!({"type": "send", "key": "0", "msg": 8}));
        let offset = reply["offset"].as_u64().expect("an offset");
        assert!(offset > *offsets.last().expect("some"), "{offset} after {offsets:?}");
    });
}

#[test]
fn a_node_in_its_first_incarnation_assigns_offsets_without_its_peers() {
    let mut cluster = NodeCluster::of::<Kafka>(3, Duration::from_millis(10), Rng::new(1));
    cluster.cut = (0..3).flat_map(|from| (0..3).map(move |to| (from, to))).collect();
    for node in 0..3 {
        let reply = cluster.ask(node, json!({"type": "send", "key": "0", "msg": node}));
        assert_eq!(reply["type"], "send_ok");
    }
}

#[test]
fn commits_never_go_back_and_reach_all_nodes() {
    let mut cluster = NodeCluster::of::<Kafka>(3, Duration::from_millis(10), Rng::new(1));
    for offset in [5, 3] {
        let reply = cluster.ask(1, json!({"type": "commit_offsets", "offsets": {"0": offset, "1": 2}}));
        assert_eq!(reply["type"], "commit_offsets_ok");
    }
    cluster.pass(Duration::from_secs(1));
    let reply = cluster.ask(2, json!({"type": "list_committed_offsets", "keys": ["0", "1", "2"]}));
    assert_eq!(reply["offsets"], json!({"0": 5, "1": 2}));
}
