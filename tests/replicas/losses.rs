//! Everything that a peer needs is retransmitted until it is acknowledged, whichever message is lost, even if there are
//! no operations afterwards.

use std::time::Duration;

use gossip_gloomers::gossip::Settings;
use gossip_gloomers::nodes::{Broadcast, Kafka};
use serde_json::{Value, json};

use crate::cluster::{NodeCluster, Predicate};
use crate::rng::{Rng, each_seed};

/// By then a lost message has been retransmitted.
const REPAIR: Duration = Duration::from_secs(8);

/// Appends a few messages to a log, and loses one gossip message selected by `is_it`; asserts that all nodes show the
/// same log in the end.
fn try_log(seed: u64, is_it: impl FnMut(&Value) -> bool + 'static) -> NodeCluster {
    let mut rng = Rng::new(seed);
    let nodes = rng.one_of(&[2, 3, 4]);
    let latency = Duration::from_millis(rng.one_of(&[0, 10, 100]));
    let mut cluster = NodeCluster::starting::<Kafka>(nodes, latency, Settings::default(), Rng::new(!seed));
    cluster.lose(is_it);
    cluster.pass(rng.up_to(Duration::from_secs(2)));
    for message in 0..=rng.below(4) {
        cluster.send(rng.index(nodes), json!({"type": "send", "key": "0", "msg": message}));
        cluster.pass(rng.up_to(Duration::from_secs(1)));
    }
    cluster.pass(REPAIR);
    let polls: Vec<_> =
        (0..nodes).map(|node| cluster.ask(node, json!({"type": "poll", "offsets": {"0": 0}}))).collect();
    let lacks = polls.iter().position(|poll| *poll != polls[0]);
    assert_eq!(lacks, None, "n0 shows {}, others {polls:?}, lost: {:?}", polls[0], cluster.lost);
    assert!(polls[0]["msgs"]["0"].is_array(), "n0 shows nothing, lost: {:?}", cluster.lost);
    cluster
}

fn carries(body: &Value, list: &str) -> bool {
    body[list].as_array().is_some_and(|list| !list.is_empty())
}

/// Tries a claim with the loss of each message in turn, until there are no more of them.
fn each_message(mut lost_with: impl FnMut(Predicate) -> Vec<Value>) {
    for number in 0_u32.. {
        let mut before = 0..number;
        if lost_with(Box::new(move |_| before.next().is_none())).is_empty() {
            break;
        }
    }
}

#[test]
fn a_lost_message_with_only_stable_operations_is_retransmitted() {
    let mut lost = 0;
    each_seed("a_lost_message_with_only_stable_operations_is_retransmitted", 200, |seed| {
        let cluster = try_log(seed, |body| carries(body, "stable") && !carries(body, "ops"));
        lost += cluster.lost.len();
    });
    assert!(lost > 0, "there was no such message");
}

#[test]
fn all_nodes_converge_whichever_message_is_lost() {
    each_seed("all_nodes_converge_whichever_message_is_lost", 40, |seed| {
        each_message(|is_it| try_log(seed, is_it).lost);
    });
}

/// Loses one gossip message, selected by `is_it`, after a heal while all nodes are idle; asserts that later broadcasts
/// reach all nodes after one hop.
fn heal(seed: u64, is_it: impl FnMut(&Value) -> bool + 'static) -> NodeCluster {
    let mut rng = Rng::new(seed);
    let nodes = rng.one_of(&[3, 4, 5]);
    let latency = Duration::from_millis(rng.one_of(&[1, 10, 100]));
    let settings = Settings { max_staleness: Some(Duration::ZERO) };
    let mut cluster = NodeCluster::starting::<Broadcast>(nodes, latency, settings, Rng::new(!seed));
    let alone = rng.index(nodes);
    let others = (0..nodes).filter(|node| *node != alone);
    cluster.cut = others.flat_map(|node| [(node, alone), (alone, node)]).collect();
    for node in 0..nodes {
        cluster.ask(node, json!({"type": "broadcast", "message": node}));
    }
    cluster.pass(REPAIR + rng.up_to(Duration::from_secs(2)));
    cluster.cut.clear();
    cluster.lose(is_it);
    cluster.pass(REPAIR);
    cluster.lose(|_| false);
    for origin in 0..nodes {
        cluster.ask(origin, json!({"type": "broadcast", "message": 100 + origin}));
        cluster.pass(latency);
        for node in 0..nodes {
            let read = cluster.ask(node, json!({"type": "read"}));
            let values = read["messages"].as_array().expect("a list");
            let has_it = values.contains(&json!(100 + origin));
            assert!(has_it, "n{node} lacks the value of n{origin}: {values:?}, lost: {:?}", cluster.lost);
        }
    }
    cluster
}

#[test]
fn direct_mode_resumes_after_a_heal_whichever_message_is_lost() {
    each_seed("direct_mode_resumes_after_a_heal_whichever_message_is_lost", 10, |seed| {
        each_message(|is_it| heal(seed, is_it).lost);
    });
}
