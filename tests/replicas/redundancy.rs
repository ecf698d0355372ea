//! The redundancy of messages: how often operations are sent to replicas that hold them already.
//!
//! The oracle checks in every test that a message contains nothing that was acknowledged to its sender before
//! ([`crate::oracle::Oracle::on_send`]). While acknowledgements are in transit, a message may nevertheless contain
//! operations that its receiver holds; these tests bound their number.

use std::time::Duration;

use crate::fault_plan::{self, FaultPlan};
use crate::rng::each_seed;

const DURATION: Duration = Duration::from_secs(8);

/// How often an operation is sent per node that must receive it, on average over the seeds.
fn average(claim: &'static str, plan: FaultPlan) -> f64 {
    let (mut carried, mut needed, mut redundant, mut messages) = (0, 0, 0, 0);
    each_seed(claim, 500, |seed| {
        let mut cluster = fault_plan::cluster(seed, plan, DURATION);
        cluster.pass(DURATION * 2);
        carried += cluster.oracle.carried;
        redundant += cluster.oracle.redundant;
        messages += cluster.oracle.messages;
        needed += cluster.oracle.made() * (cluster.living().count() - 1);
    });
    let float = |count| f64::from(u32::try_from(count).expect("a moderate number"));
    // A replica that cannot respond may be sent everything again.
    assert!(redundant * 64 <= messages, "{redundant} of {messages} messages had all operations for a node with half");
    float(carried) / float(needed)
}

#[test]
fn without_faults_each_operation_is_sent_to_each_node_once() {
    let average = average("without_faults_each_operation_is_sent_to_each_node_once", FaultPlan::NONE);
    // A node that sends before its hub knows it may receive operations that it has received from others.
    assert!((1.0..1.05).contains(&average), "{average}");
}

#[test]
fn under_faults_each_operation_is_sent_to_each_node_a_few_times() {
    let average = average("under_faults_each_operation_is_sent_to_each_node_a_few_times", FaultPlan::ALL);
    // One to four partitions, kills and pauses each in eight seconds, and up to 40 % loss.
    assert!(average < 4.0, "{average}");
}
