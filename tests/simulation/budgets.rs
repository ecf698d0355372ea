//! Bounds on message counts and staleness without faults.

use gossip_gloomers::simulation::Shape;

use crate::fixture::{Fixture, Outcome, float, mean, seeds};

fn outcomes(fixture: &Fixture, few: u64) -> Vec<Outcome> {
    seeds(few).map(|seed| fixture.run(seed)).inspect(Outcome::assert_nothing_lost).collect()
}

/// Asserts bounds on the averages: messages per operation, and median and maximum latency (ms).
fn assert_within(fixture: &Fixture, few: u64, per_op: f64, median: f64, maximum: f64) {
    let outcomes = outcomes(fixture, few);
    let latency = |quantile| mean(outcomes.iter().map(|outcome| float(outcome.stable(quantile))));
    let measured = (mean(outcomes.iter().map(|outcome| outcome.per_op)), latency(0.5), latency(1.0));
    let (cost, middle, worst) = measured;
    assert!(cost <= per_op && middle <= median && worst <= maximum, "{measured:?}: {}", outcomes[0].replay());
}

#[test]
fn the_default_meets_3d_with_one_message_per_operation() {
    assert_within(&Fixture::new(25), 3, 1.15, 390.0, 590.0);
    assert_within(&Fixture::new(25).free(), 3, 1.15, 390.0, 590.0);
}

#[test]
fn a_staleness_of_1700_ms_meets_3e_with_a_third_of_a_message_per_operation() {
    assert_within(&Fixture::new(25).stale(1700), 3, 0.38, 985.0, 1800.0);
    assert_within(&Fixture::new(25).stale(1700).free(), 3, 0.38, 985.0, 1800.0);
}

#[test]
fn without_staleness_values_are_everywhere_after_one_hop() {
    for fixture in [Fixture::new(25).stale(0), Fixture::new(25).stale(0).free()] {
        let outcomes = outcomes(&fixture, 2);
        for outcome in &outcomes {
            assert!(outcome.stable(0.5) <= 92 && outcome.stable(1.0) <= 110, "{}", outcome.replay());
        }
        let cost = mean(outcomes.iter().map(|outcome| outcome.per_broadcast));
        assert!(cost <= 24.8, "{cost} messages a broadcast: {}", outcomes[0].replay());
    }
}

#[test]
fn variable_latencies_cost_little_more() {
    for shape in [Shape::Uniform, Shape::Exponential] {
        assert_within(&Fixture::new(25).latency(100, shape), 2, 1.6, 700.0, f64::MAX);
        assert_within(&Fixture::new(25).latency(100, shape).free(), 2, 1.6, 700.0, f64::MAX);
    }
}

#[test]
fn without_latency_values_are_everywhere_at_once() {
    let fixture = Fixture::new(5).latency(0, Shape::Constant).with(|simulation| simulation.rate(10.0));
    for outcome in outcomes(&fixture, 20) {
        assert!(outcome.stable(0.95) <= 5, "{}", outcome.replay());
    }
}

#[test]
fn the_cost_of_an_operation_does_not_grow_with_the_cluster() {
    let cost = |nodes| mean(outcomes(&Fixture::new(nodes), 2).iter().map(|outcome| outcome.per_op));
    let (few, many) = (cost(5), cost(50));
    assert!(many <= few * 1.3, "5 nodes: {few}, 50 nodes: {many}");
}
