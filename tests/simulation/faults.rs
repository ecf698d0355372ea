//! Nothing acknowledged is lost, and faults cost a bounded number of messages.

use gossip_gloomers::simulation::{Fault, Shape};

use crate::fixture::{Fixture, Outcome, mean, seeds};

#[test]
fn partitions_lose_nothing_with_3_or_5_nodes() {
    for nodes in [3, 5] {
        for latency in [0, 100] {
            let fixture = Fixture::new(nodes).latency(latency, Shape::Constant).faults(&[Fault::Partition], 3, 60);
            for seed in seeds(10) {
                fixture.run(seed).assert_nothing_lost();
            }
        }
    }
}

#[test]
fn partitions_lose_nothing_with_25_nodes_and_cost_a_message_more() {
    for (interval, limit) in [(3, 2.5), (10, 2.0)] {
        let fixture = Fixture::new(25).faults(&[Fault::Partition], interval, 60);
        let cost = mean(seeds(2).map(|seed| fixture.run(seed)).inspect(Outcome::assert_nothing_lost).map(|o| o.per_op));
        assert!(cost <= limit, "{cost} messages per operation at an interval of {interval} s");
    }
}

#[test]
fn partitions_lose_nothing_in_direct_mode() {
    for nodes in [3, 5, 9] {
        let fixture = Fixture::new(nodes).stale(0).faults(&[Fault::Partition], 3, 30);
        for seed in seeds(6) {
            fixture.run(seed).assert_nothing_lost();
        }
    }
}

#[test]
fn loss_duplication_and_reordering_lose_nothing() {
    let fixture = Fixture::new(25).with(|simulation| simulation.loss(0.1));
    for outcome in seeds(2).map(|seed| fixture.run(seed)) {
        outcome.assert_nothing_lost();
        assert!(outcome.per_op <= 2.0, "{}: {}", outcome.per_op, outcome.replay());
    }
    let fixture = Fixture::new(7).latency(50, Shape::Exponential).faults(&[Fault::Partition], 5, 30);
    let fixture = fixture.with(|simulation| simulation.loss(0.2).duplication(0.2));
    for seed in seeds(6) {
        fixture.run(seed).assert_nothing_lost();
    }
}

#[test]
fn paused_nodes_catch_up() {
    let fixture = Fixture::new(5).faults(&[Fault::Pause], 5, 40);
    for seed in seeds(8) {
        fixture.run(seed).assert_nothing_lost();
    }
}
