//! The registers of the transaction node: transactions are atomic, and replicas converge.

use std::time::Duration;

use gossip_gloomers::nodes::{PnCounter, Txn};
use serde_json::{Value, json};

use crate::cluster::NodeCluster;
use crate::rng::{Rng, each_seed};

const KEYS: [u64; 4] = [0, 1, 2, 3];

fn read_all(cluster: &mut NodeCluster, node: usize) -> Vec<Value> {
    let steps: Vec<_> = KEYS.iter().map(|key| json!(["r", key, null])).collect();
    let reply = cluster.ask(node, json!({"type": "txn", "txn": steps}));
    reply["txn"].as_array().expect("a list").iter().map(|step| step[2].clone()).collect()
}

#[test]
fn a_transaction_reads_its_own_writes_and_its_reply_repeats_its_operations() {
    let mut cluster = NodeCluster::of::<Txn>(1, Duration::ZERO, Rng::new(1));
    let txn =
        json!([["r", 1, null], ["w", 1, 6], ["r", 1, null], ["w", 1, 7], ["w", "k", {"a": [1, 2]}], ["r", "k", null]]);
    let reply = cluster.ask(0, json!({"type": "txn", "txn": txn}));
    let done = json!([
        ["r", 1, null],
        ["w", 1, 6],
        ["r", 1, 6],
        ["w", 1, 7],
        ["w", "k", {"a": [1, 2]}],
        ["r", "k", {"a": [1, 2]}]
    ]);
    assert_eq!((&reply["type"], &reply["txn"]), (&json!("txn_ok"), &done));
    assert_eq!(read_all(&mut cluster, 0)[1], json!(7));
    for nonsense in [json!(3), json!([["x", 1, 2]]), json!([["w", 1]]), json!([7])] {
        assert_eq!(cluster.ask(0, json!({"type": "txn", "txn": nonsense}))["code"], json!(12));
    }
}

#[test]
fn no_read_is_fractured_and_replicas_are_equal_after_a_heal() {
    each_seed("no_read_is_fractured_and_replicas_are_equal_after_a_heal", 80, |seed| {
        let mut rng = Rng::new(seed);
        let nodes = rng.one_of(&[2, 3, 5]);
        let latency = Duration::from_millis(rng.one_of(&[0, 5, 100]));
        let mut cluster = NodeCluster::of::<Txn>(nodes, latency, Rng::new(!seed));
        for number in 0..120 {
            cluster.pass(rng.up_to(Duration::from_millis(50)));
            if rng.percent(5) {
                cluster.partition(&mut rng);
            }
            let node = rng.index(nodes);
            if rng.percent(50) {
                // All keys get the same value, the last of several.
                let steps: Vec<_> = [json!("intermediate"), json!(number)]
                    .iter()
                    .flat_map(|value| KEYS.iter().map(move |key| json!(["w", key, value])))
                    .collect();
                assert_eq!(cluster.ask(node, json!({"type": "txn", "txn": steps}))["type"], "txn_ok");
            }
            let values = read_all(&mut cluster, node);
            assert!(values.iter().all(|value| *value == values[0]), "n{node} sees part of a transaction: {values:?}");
        }
        cluster.cut.clear();
        cluster.pass(Duration::from_secs(10));
        let all: Vec<_> = (0..nodes).map(|node| read_all(&mut cluster, node)).collect();
        assert!(all.iter().all(|values| *values == all[0]), "{all:?}");
    });
}

#[test]
fn a_restarted_node_overwrites_its_former_writes() {
    let mut cluster = NodeCluster::of::<Txn>(3, Duration::from_millis(10), Rng::new(3));
    for value in 0..20 {
        assert_eq!(cluster.ask(1, json!({"type": "txn", "txn": [["w", 0, value]]}))["type"], "txn_ok");
    }
    cluster.pass(Duration::from_secs(1));
    cluster.restart(1);
    cluster.ask(1, json!({"type": "txn", "txn": [["w", 0, "new"]]}));
    cluster.pass(Duration::from_secs(2));
    for node in 0..3 {
        assert_eq!(read_all(&mut cluster, node)[0], json!("new"), "n{node}");
    }
}

#[test]
fn every_add_counts_once_at_every_node() {
    each_seed("every_add_counts_once_at_every_node", 40, |seed| {
        let mut rng = Rng::new(seed);
        let mut cluster = NodeCluster::of::<PnCounter>(3, Duration::from_millis(20), Rng::new(!seed));
        let mut sum = 0;
        for _ in 0..60 {
            cluster.pass(rng.up_to(Duration::from_millis(60)));
            if rng.percent(10) {
                let apart = rng.index(3);
                cluster.cut = (0..3).flat_map(|other| [(apart, other), (other, apart)]).collect();
            }
            let delta = i64::try_from(rng.below(10)).expect("small") - 5;
            sum += delta;
            cluster.ask(rng.index(3), json!({"type": "add", "delta": delta}));
        }
        cluster.cut.clear();
        cluster.pass(Duration::from_secs(10));
        for node in 0..3 {
            assert_eq!(cluster.ask(node, json!({"type": "read"}))["value"], json!(sum), "n{node}");
        }
    });
}
