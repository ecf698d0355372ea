//! Whatever happens before a heal, soon after it all replicas hold all that any of them held.

use std::time::Duration;

use gossip_gloomers::engine::SETTLE;
use gossip_gloomers::gossip::ACKNOWLEDGE_WITHIN;

use crate::fault_plan::{self, FaultPlan, MAX_PAUSE, Mode};
use crate::network::Cluster;
use crate::rng::{Rng, each_seed};

/// Troubles last this long.
const FAULTS_FOR: Duration = Duration::from_secs(8);

/// A lost node is asked after this often.
const PROBE_INTERVAL: Duration = Duration::from_millis(700);

/// A period is never longer than this many tenths of the one-way latency, or than this while that is unknown.
const TENTHS: u32 = 37;
const INITIAL_PERIOD: Duration = Duration::from_millis(370);

/// What lies above a gap is looked at no more often, and handed on at the second look.
const ORPHAN_TIMEOUT: Duration = Duration::from_secs(3);

/// By then all are equal.
///
/// News takes two rounds and four hops, and a second for what was lost (2T + 4L + 1 s, which the node promises where
/// everyone is known to be there). Before that a node that was killed settles; what was sent in redundant is missed after
/// the silence that acknowledgements may take, twice if that of an earlier message comes last, and three questions;
/// and a doubted node is found again within three probes: to the lost hub, from it, and to the node that only one of
/// its followers knows. A node that was stopped while a message was under way makes the latency seem that much longer,
/// and T and L with it.
fn bound(cluster: &Cluster, plan: FaultPlan) -> Duration {
    let stopped = if plan.pauses { MAX_PAUSE } else { Duration::ZERO };
    let hop = cluster.network.longest + stopped / 2;
    let period = cluster.settings.max_staleness.unwrap_or((hop * TENTHS / 10).max(INITIAL_PERIOD));
    let promise = period * 2 + hop * 4 + Duration::from_secs(1);
    let silence = (period * 4).max(ACKNOWLEDGE_WITHIN);
    let question = (hop * 4).max(Duration::from_millis(150));
    SETTLE + silence * 2 + question * 3 + PROBE_INTERVAL * 3 + silence.max(ORPHAN_TIMEOUT) * 2 + promise
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
