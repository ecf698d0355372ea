//! What a seed draws: small clusters mostly, for some seconds, and half of all faults.

use chacha20::ChaCha8Rng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::scenario::Scenario;
use crate::workbench::nemesis::Fault;
use crate::workbench::network::jitter::Jitter;
use crate::workbench::network::{Delivery, Shape};
use crate::workbench::workload::WorkloadKind;

/// The test itself draws from other streams of the same seed.
const STREAM: u64 = 16;

/// One cluster in so many is a large one, where the workload takes that.
const LARGE_ONE_IN: u32 = 25;
const LARGE: usize = 25;

const RATES: [u32; 5] = [5, 10, 20, 40, 80];
const LATENCIES_MS: [u64; 8] = [0, 0, 1, 5, 20, 50, 100, 200];
const SHAPES: [Shape; 4] = [Shape::Constant, Shape::Constant, Shape::Uniform, Shape::Exponential];
const JITTERS: [Jitter; 4] = [Jitter::None, Jitter::None, Jitter::Quiet, Jitter::Busy];
const DELIVERIES: [Delivery; 3] = [Delivery::Held, Delivery::Held, Delivery::Free];

/// What a workload can bear.
struct Habits {
    most_nodes: usize,
    threads: usize,
    faults: &'static [Fault],
    /// Whether messages may arrive twice. A service does what it is asked once for each copy, which no node can help.
    duplication: bool,
    model: Option<&'static str>,
}

impl Habits {
    fn of(workload: WorkloadKind) -> Self {
        let usual = Self { most_nodes: 10, threads: 1, faults: &Fault::ALL, duplication: true, model: None };
        match workload {
            // Its checker wants every request answered, and who is away answers none.
            WorkloadKind::Echo => Self { faults: &[Fault::Partition, Fault::Slow, Fault::Skew], ..usual },
            WorkloadKind::Broadcast | WorkloadKind::GSet | WorkloadKind::PnCounter | WorkloadKind::UniqueIds => usual,
            WorkloadKind::Kafka => Self { most_nodes: 5, threads: 2, ..usual },
            WorkloadKind::LinKv => Self { most_nodes: 5, threads: 2, duplication: false, ..usual },
            WorkloadKind::GCounter | WorkloadKind::TxnListAppend => Self { most_nodes: 5, duplication: false, ..usual },
            WorkloadKind::TxnRwRegister => Self { most_nodes: 5, model: Some("read-committed"), ..usual },
        }
    }
}

/// The scenario of a seed.
pub(super) fn scenario(workload: WorkloadKind, seed: u64) -> Scenario {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(STREAM);
    let rng = &mut rng;
    let Habits { most_nodes, threads, faults, duplication, model } = Habits::of(workload);
    let large = rng.random_ratio(1, LARGE_ONE_IN)
        && matches!(workload, WorkloadKind::Broadcast | WorkloadKind::GSet | WorkloadKind::UniqueIds);
    let nodes = if large { LARGE } else { rng.random_range(2..=most_nodes) };
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
        arguments: Vec::new(),
    }
}

fn one_of<T: Copy>(choices: &[T], rng: &mut ChaCha8Rng) -> T {
    *choices.choose(rng).expect("there are some")
}

/// Nothing half of the time, or up to a fifth.
fn percent(rng: &mut ChaCha8Rng) -> u32 {
    if rng.random() { rng.random_range(1..=20) } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::workbench::cli::options::Options;

    #[test]
    fn every_seed_of_every_workload_draws_a_good_test_whose_command_line_says_the_same() {
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
    fn each_fault_strikes_half_of_the_seeds_and_few_clusters_are_large() {
        let drawn: Vec<_> = (0..1000).map(|seed| scenario(WorkloadKind::Broadcast, seed)).collect();
        for fault in Fault::ALL {
            let struck = drawn.iter().filter(|scenario| scenario.faults.contains(&fault)).count();
            assert!((450..550).contains(&struck), "{fault:?}: {struck}");
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
