//! Operations that are late for their round do not wait for the next one.

use std::collections::BTreeMap;
use std::time::Duration;

use gossip_gloomers::gossip::Settings;
use gossip_gloomers::time::Time;

use crate::network::{Cluster, Network};
use crate::recording_node::Name;
use crate::rng::{Rng, each_seed};

const LATENCY: Duration = Duration::from_millis(100);
const PERIOD: Duration = Duration::from_millis(370);
const STEP: Duration = Duration::from_millis(5);
/// The maximum margin of a hub, its coalescing time, and the slack of timers.
const LEEWAY: Duration = Duration::from_millis(20 + 5 + 10);

/// Appends operations for some time, one in twenty milliseconds on average, and asserts that each reaches all nodes
/// within the bound.
fn assert_spread(cluster: &mut Cluster, nodes: usize, duration: Duration, within: Duration, rng: &mut Rng) {
    let mut in_transit: BTreeMap<Name, Time> = BTreeMap::new();
    let end = cluster.now + duration;
    while cluster.now < end || !in_transit.is_empty() {
        if cluster.now < end && rng.percent(25) {
            let origin = rng.index(nodes);
            in_transit.insert(cluster.append(origin), cluster.now);
        }
        cluster.pass(STEP);
        in_transit.retain(|name, appended| {
            let age = cluster.now.since(*appended);
            let is_everywhere = (0..nodes).all(|node| cluster.holds(node, *name));
            assert!(is_everywhere || age <= within, "{name:?} is {age:?} old and not at all nodes");
            !is_everywhere
        });
    }
}

#[test]
fn operations_that_miss_their_round_do_not_wait_for_the_next() {
    each_seed("operations_that_miss_their_round_do_not_wait_for_the_next", 60, |seed| {
        let mut rng = Rng::new(seed);
        let nodes = rng.one_of(&[3, 5, 9]);
        let network = Network { shortest: LATENCY, longest: LATENCY, loss: 0, duplication: 0 };
        let mut cluster = Cluster::new(nodes, network, Settings::default(), Rng::new(!seed));
        let at_best = PERIOD + 2 * LATENCY + LEEWAY;
        cluster.pass(Duration::from_secs(2));
        let settling = Duration::from_secs(2) + rng.up_to(PERIOD);
        assert_spread(&mut cluster, nodes, settling, 2 * at_best, &mut rng);
        let delay = Duration::from_millis(1) + rng.up_to(Duration::from_millis(60));
        (cluster.network.shortest, cluster.network.longest) = (LATENCY + delay, LATENCY + delay);
        assert_spread(&mut cluster, nodes, PERIOD, at_best + 2 * delay, &mut rng);
    });
}
