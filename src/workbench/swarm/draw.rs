//! Generates the scenario of a seed: mostly small clusters, for some seconds, each with about half of the faults.

use chacha20::ChaCha8Rng;
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;

use super::scenario::Scenario;
use crate::workbench::network::jitter::{Jitter, stream};
use crate::workbench::network::{Delivery, Shape};
use crate::workbench::workload::{SwarmRules, WorkloadKind};

/// The random stream of the scenario; the test uses other streams of the same seed.
const STREAM: u64 = 16;

/// One cluster in this many is large, if the workload supports it.
const LARGE_ONE_IN: u32 = 25;
const LARGE: usize = 25;

const RATES: [u32; 5] = [5, 10, 20, 40, 80];
const LATENCIES_MS: [u64; 8] = [0, 0, 1, 5, 20, 50, 100, 200];
const SHAPES: [Shape; 4] = [Shape::Constant, Shape::Constant, Shape::Uniform, Shape::Exponential];
const JITTERS: [Jitter; 4] = [Jitter::None, Jitter::None, Jitter::Quiet, Jitter::Busy];
const DELIVERIES: [Delivery; 3] = [Delivery::Held, Delivery::Held, Delivery::Free];

/// The scenario of a seed.
pub(super) fn scenario(workload: WorkloadKind, seed: u64) -> Scenario {
    let rng = &mut stream(seed, STREAM);
    let &SwarmRules { max_nodes, large_clusters, threads, faults, duplication, model, .. } =
        &workload.descriptor().swarm;
    let large = rng.random_ratio(1, LARGE_ONE_IN) && large_clusters;
    let nodes = if large { LARGE } else { rng.random_range(2..=max_nodes) };
    let latency_ms = one_of(&LATENCIES_MS, rng);
    let shape = one_of(&SHAPES, rng);
    Scenario {
        workload,
        seed,
        nodes,
        threads,
        rate: one_of(&RATES, rng),
        time_limit_s: rng.random_range(5..=25),
        latency_ms,
        shape: if latency_ms > 0 { shape } else { Shape::Constant },
        delivery: one_of(&DELIVERIES, rng),
        loss_percent: percent(rng),
        duplication_percent: if duplication { percent(rng) } else { 0 },
        faults: faults.iter().copied().filter(|_| rng.random()).collect(),
        interval_ms: 100 * rng.random_range(10..=40),
        jitter: one_of(&JITTERS, rng),
        model,
        durable: false,
        bin: None,
        arguments: Vec::new(),
    }
}

fn one_of<T: Copy>(choices: &[T], rng: &mut ChaCha8Rng) -> T {
    *choices.choose(rng).expect("there are some")
}

/// Zero for half of the seeds, else from 1 to 20.
fn percent(rng: &mut ChaCha8Rng) -> u32 {
    if rng.random() { rng.random_range(1..=20) } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::workbench::cli::options::Options;
    use crate::workbench::nemesis::Fault;

    #[test]
    fn every_scenario_is_valid_and_equals_the_test_of_its_command_line() {
        for workload in WorkloadKind::ALL {
            for seed in 0..100 {
                let scenario = scenario(workload, seed);
                let words = scenario.to_arguments().into_iter().map(OsString::from);
                let printed = Options::parse(words).unwrap_or_else(|error| panic!("{scenario}: {error:?}"));
                assert_eq!(printed.config, scenario.config(), "{scenario}");
            }
        }
    }

    #[test]
    fn each_fault_is_in_half_of_the_scenarios_and_few_clusters_are_large() {
        let drawn: Vec<_> = (0..1000).map(|seed| scenario(WorkloadKind::Broadcast, seed)).collect();
        for fault in Fault::ALL {
            let with_fault = drawn.iter().filter(|scenario| scenario.faults.contains(&fault)).count();
            assert!((450..550).contains(&with_fault), "{fault:?}: {with_fault}");
        }
        for jitter in [Jitter::Quiet, Jitter::Busy] {
            let late = drawn.iter().filter(|scenario| scenario.jitter == jitter).count();
            assert!((200..300).contains(&late), "{jitter:?}: {late}");
        }
        let large = drawn.iter().filter(|scenario| scenario.nodes == LARGE).count();
        assert!((25..60).contains(&large), "{large}");
        assert!(drawn.iter().all(|scenario| (2..=10).contains(&scenario.nodes) || scenario.nodes == LARGE));
    }
}
