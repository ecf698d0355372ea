//! The hub partitioned off, alone or with a minority: both sides soon propagate operations as fast as before, and after
//! the heal there is one hub again.

use std::collections::BTreeSet;
use std::time::Duration;

use gossip_gloomers::gossip::Settings;

use crate::network::{Action, Cluster, Network};
use crate::rng::{Rng, each_seed};

const LATENCY: Duration = Duration::from_millis(100);

/// The maximum propagation time without suspicions: the waits of the origin and the hub for their rounds, and two hops.
const NORMAL: Duration = Duration::from_millis(2 * 370 + 2 * 100);

/// By then an unreachable hub is suspected, and another one is followed.
const SUSPICION: Duration = Duration::from_secs(3);

/// By then two hubs that can reach each other again have merged.
const MERGE: Duration = Duration::from_secs(2);

/// A cluster four seconds after its start, with operations in between.
fn settled(nodes: usize, rng: &mut Rng) -> Cluster {
    let network = Network { shortest: LATENCY, longest: LATENCY, loss: 0, duplication: 0 };
    let mut cluster = Cluster::new(nodes, network, Settings::default(), Rng::new(rng.below(u64::MAX)));
    for _ in 0..nodes {
        cluster.plan(rng.up_to(Duration::from_secs(4)), Action::Append(rng.index(nodes)));
    }
    cluster.pass(Duration::from_secs(4));
    cluster
}

/// Appends at nodes of a side, and asserts that each operation reaches all of them in time; adds the times.
fn assert_propagates(cluster: &mut Cluster, side: &[usize], rng: &mut Rng, times: &mut Vec<Duration>) {
    for _ in 0..8 {
        cluster.pass(rng.up_to(Duration::from_millis(400)));
        let origin = rng.one_of(side);
        let name = cluster.append(origin);
        let start = cluster.now;
        let is_everywhere = cluster.pass_until(NORMAL, |cluster| side.iter().all(|node| cluster.holds(*node, name)));
        let lacking: Vec<_> = side.iter().filter(|node| !cluster.holds(**node, name)).collect();
        assert!(is_everywhere, "{NORMAL:?} after n{origin} appended it, {lacking:?} of {side:?} lack it");
        times.push(cluster.now.since(start));
    }
}

/// The nodes that a side's nodes follow.
fn hubs(cluster: &Cluster, side: &[usize]) -> BTreeSet<Option<usize>> {
    side.iter().map(|node| cluster.follows(*node)).collect()
}

/// The propagation times in each phase.
#[derive(Default)]
struct Times {
    before: Vec<Duration>,
    during: Vec<Duration>,
    after: Vec<Duration>,
}

fn cut_off(seed: u64, alone: bool, times: &mut Times) {
    let mut rng = Rng::new(seed);
    let nodes = rng.one_of(&[3, 5, 9, 25]);
    let mut cluster = settled(nodes, &mut rng);
    let all: Vec<usize> = (0..nodes).collect();
    assert_propagates(&mut cluster, &all, &mut rng, &mut times.before);
    assert_eq!(hubs(&cluster, &all), BTreeSet::from([Some(0)]));

    let company = if alone { 0 } else { rng.index(nodes.div_ceil(2)) };
    let mut rest: Vec<usize> = (1..nodes).collect();
    rng.shuffle(&mut rest);
    let mut minority = rest.split_off(rest.len() - company);
    minority.push(0);
    let across = |from: &usize, to: &usize| minority.contains(from) != minority.contains(to);
    let pairs = all.iter().flat_map(|from| all.iter().map(move |to| (*from, *to)));
    let links: BTreeSet<_> = pairs.filter(|(from, to)| across(from, to)).collect();
    cluster.plan(Duration::ZERO, Action::Cut(links));
    // Operations, so that missing acknowledgements are noticed.
    cluster.plan(Duration::from_millis(1), Action::Append(rest[0]));
    cluster.plan(Duration::from_millis(1), Action::Append(0));
    cluster.pass(SUSPICION);
    for side in [&minority, &rest] {
        assert_propagates(&mut cluster, side, &mut rng, &mut times.during);
        let lowest = *side.iter().min().expect("a side is not empty");
        assert_eq!(hubs(&cluster, side), BTreeSet::from([Some(lowest)]), "{side:?}");
    }

    cluster.plan(Duration::ZERO, Action::Heal);
    cluster.pass(MERGE);
    assert_propagates(&mut cluster, &all, &mut rng, &mut times.after);
    assert_eq!(hubs(&cluster, &all), BTreeSet::from([Some(0)]));
}

/// Asserts that the mean propagation time is the same in each phase, within a tenth.
fn assert_alike(claim: &'static str, alone: bool) {
    let mut times = Times::default();
    each_seed(claim, 40, |seed| cut_off(seed, alone, &mut times));
    let mean = |times: &[Duration]| {
        let count = u32::try_from(times.len()).expect("a moderate number");
        times.iter().sum::<Duration>().as_secs_f64() / f64::from(count)
    };
    let before = mean(&times.before);
    for (phase, mean) in [("during the cut", mean(&times.during)), ("after it", mean(&times.after))] {
        assert!(mean < 1.1 * before, "{mean} s {phase}, {before} s before");
    }
}

#[test]
fn an_isolated_hub_delays_no_one_and_is_the_hub_again_after_the_heal() {
    assert_alike("an_isolated_hub_delays_no_one_and_is_the_hub_again_after_the_heal", true);
}

#[test]
fn a_hub_partitioned_with_a_minority_serves_it_and_two_hubs_merge_after_the_heal() {
    assert_alike("a_hub_partitioned_with_a_minority_serves_it_and_two_hubs_merge_after_the_heal", false);
}
