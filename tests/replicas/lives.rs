//! A node's lives do not mix: each numbers its operations from one.

use std::time::Duration;

use gossip_gloomers::engine::SETTLE;
use gossip_gloomers::gossip::Settings;

use crate::chance::{Chance, each_seed};
use crate::wires::{Cluster, Deed, Wires};

const NODES: usize = 4;

/// Operations in each life.
const OPERATIONS: usize = 5;

/// Long enough for all to hear.
const WHILE: Duration = Duration::from_secs(5);

fn live(cluster: &mut Cluster, node: usize) {
    for _ in 0..OPERATIONS {
        cluster.plan(Duration::ZERO, Deed::Append(node));
    }
    let is_equal = cluster.pass_until(WHILE, |cluster| cluster.witness.are_equal(cluster.living()));
    let lacking: Vec<_> = (0..NODES).map(|node| cluster.witness.missing(node)).collect();
    assert!(is_equal, "n{node}: {lacking:?}");
    cluster.pass(WHILE);
}

#[test]
fn a_new_life_is_heard_from_its_first_operation() {
    each_seed("a_new_life_is_heard_from_its_first_operation", 60, |seed| {
        let mut chance = Chance::new(seed);
        let wires = Wires {
            shortest: Duration::ZERO,
            longest: Duration::from_millis(chance.one_of(&[0, 10, 100])),
            loss: 0,
            duplication: 0,
        };
        let max_staleness = chance.one_of(&[None, Some(Duration::ZERO), Some(Duration::from_secs(1))]);
        let node = chance.index(NODES);
        let mut cluster = Cluster::new(NODES, wires, Settings { max_staleness }, chance);
        cluster.pass(SETTLE * 2);
        for life in 1..=3 {
            live(&mut cluster, node);
            assert_eq!(cluster.witness.made(), life * OPERATIONS);
            for other in cluster.living() {
                let ledger = cluster.ledger(other).expect("it lives");
                assert_eq!(ledger.entries().len(), life * OPERATIONS, "n{other}");
                cluster.witness.check(other, ledger, true);
            }
            cluster.plan(Duration::ZERO, Deed::Kill(node));
            cluster.plan(Duration::from_millis(1), Deed::Start(node));
            cluster.pass(Duration::from_millis(2));
        }
    });
}
