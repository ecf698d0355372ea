//! A message carries what its receiver lacks, as far as the sender can know.
//!
//! That nothing in a message was acknowledged to its sender before, by any message that had arrived there, is checked
//! whenever one leaves ([`crate::oracle::Oracle::on_send`]), in every test of this folder. A message may
//! carry all that there is to one who holds half of it while acknowledgements are under way; that is counted here, and
//! so is the sum.

use std::time::Duration;

use crate::fault_plan::{self, FaultPlan};
use crate::rng::each_seed;

const DURATION: Duration = Duration::from_secs(8);

/// How often an operation is carried for each node that must deliver of it, on average over the seeds.
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
    // Whoever cannot answer may be sent everything again.
    assert!(redundant * 64 <= messages, "{redundant} of {messages} messages carried all to one who held half");
    float(carried) / float(needed)
}

#[test]
fn without_faults_each_operation_is_sent_to_each_node_once() {
    let average = average("without_faults_each_operation_is_sent_to_each_node_once", FaultPlan::NONE);
    // A node that speaks first, before its hub has heard of it, may deliver what others have told it already.
    assert!((1.0..1.05).contains(&average), "{average}");
}

#[test]
fn under_faults_each_operation_is_sent_to_each_node_a_few_times() {
    let average = average("under_faults_each_operation_is_sent_to_each_node_a_few_times", FaultPlan::ALL);
    // One to four cuts, deaths and pauses each in eight seconds, and four messages in ten lost.
    assert!(average < 4.0, "{average}");
}
