//! Convergence: soon after a heal, all replicas hold every operation that any of them held.

use std::time::Duration;

use gossip_gloomers::engine::SETTLE;
use gossip_gloomers::gossip::ACKNOWLEDGE_WITHIN;

use crate::fault_plan::{self, FaultPlan, MAX_PAUSE, Mode};
use crate::network::Cluster;
use crate::rng::{Rng, each_seed};

/// How long faults are injected.
const FAULTS_FOR: Duration = Duration::from_secs(8);

/// The interval at which lost nodes are probed.
const PROBE_INTERVAL: Duration = Duration::from_millis(700);

/// The maximum period: tenths of the one-way latency, and the bound before that is measured.
const TENTHS: u32 = 37;
const INITIAL_PERIOD: Duration = Duration::from_millis(370);

/// The interval at which gaps are checked; orphans are forwarded at the second check.
const ORPHAN_TIMEOUT: Duration = Duration::from_secs(3);

/// Upper bound on the time from the heal to convergence.
///
/// Propagation takes two rounds, four hops, and a second for retransmissions (2T + 4L + 1 s, the guarantee without
/// suspicions). Before that, a killed node settles; a lost message is detected after the longest delay of an
/// acknowledgement, twice if an earlier message is acknowledged last, and three attempts; and a suspected node is found
/// within three probes: to the lost hub, from it, and to a node that only one of its followers knows. A pause while a
/// message was in transit makes the measured latency that much longer, and T and L with it.
fn bound(cluster: &Cluster, plan: FaultPlan) -> Duration {
    let pause = if plan.pauses { MAX_PAUSE } else { Duration::ZERO };
    let hop = cluster.network.longest + pause / 2;
    let period = cluster.settings.max_staleness.unwrap_or((hop * TENTHS / 10).max(INITIAL_PERIOD));
    let propagation = period * 2 + hop * 4 + Duration::from_secs(1);
    let ack_delay = (period * 4).max(ACKNOWLEDGE_WITHIN);
    let attempt = (hop * 4).max(Duration::from_millis(150));
    SETTLE + ack_delay * 2 + attempt * 3 + PROBE_INTERVAL * 3 + ack_delay.max(ORPHAN_TIMEOUT) * 2 + propagation
}

fn assert_converges(seed: u64, plan: FaultPlan) {
    let plan = plan.any(&mut Rng::new(!seed));
    let mut cluster = fault_plan::cluster(seed, plan, FAULTS_FOR);
    cluster.pass(FAULTS_FOR);
    let bound = bound(&cluster, plan);
    let is_over =
        |cluster: &Cluster| cluster.oracle.are_equal(cluster.living()) && !cluster.has_operations_in_transit();
    let is_equal = cluster.pass_until(bound, is_over);
    let lacking: Vec<_> = cluster.living().map(|node| (node, cluster.oracle.missing(node))).collect();
    assert!(is_equal, "{bound:?} after the heal, nodes lack {lacking:?}\n{plan:?}, {:?}", cluster.network);
    for node in cluster.living() {
        let recording = cluster.recording(node).expect("it is running");
        cluster.oracle.check(node, recording, true);
    }
}

#[test]
fn replicas_converge_after_partitions_losses_duplicates_and_pauses() {
    let claim = "replicas_converge_after_partitions_losses_duplicates_and_pauses";
    each_seed(claim, 2000, |seed| assert_converges(seed, FaultPlan { kills: false, ..FaultPlan::ALL }));
}

#[test]
fn a_kill_loses_only_operations_that_no_other_node_held() {
    let claim = "a_kill_loses_only_operations_that_no_other_node_held";
    each_seed(claim, 2000, |seed| assert_converges(seed, FaultPlan::ALL));
}

#[test]
fn replicas_in_direct_mode_converge_as_well() {
    let plan = FaultPlan { mode: Mode::Direct, ..FaultPlan::ALL };
    each_seed("replicas_in_direct_mode_converge_as_well", 1000, |seed| assert_converges(seed, plan));
}
