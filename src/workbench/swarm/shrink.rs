//! Shrinks a failing scenario to a smaller one that fails in the same way.
//!
//! Greedy: takes the first simpler scenario that fails in the same way and starts over from there, until there is none.
//! Fewer faults, no loss, no jitter, fewer nodes, a shorter time and a lower rate are tried in that order. Since a
//! simpler test takes another course, each is tried with a few seeds. Deterministic, and bounded by [`MAX_TRIES`].

use super::IsCancelled;
use super::failure::Failure;
use super::scenario::Scenario;
use crate::workbench::network::jitter::Jitter;
use crate::workbench::network::{Delivery, Shape};

/// The maximum number of scenarios that are run to shrink one.
pub const MAX_TRIES: usize = 300;

/// The same for programs, whose start alone takes as long as a whole test of engines.
pub const MAX_TRIES_OF_PROGRAMS: usize = 100;

/// The number of seeds with which a simpler scenario is tried: its own, and the next ones.
const SEEDS: u64 = 3;

/// A smaller scenario that fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrunk {
    /// The smallest one found.
    pub scenario: Scenario,
    /// Its failure.
    pub failure: Failure,
    /// The number of scenarios that were run.
    pub tries: usize,
}

/// Shrinks a scenario that fails with `failure`, to no fewer nodes than `least_nodes`; `run` runs another one and
/// returns its failure, if any. Ends with what it has once `is_over` returns true.
pub(super) fn shrink(
    failing: &Scenario,
    failure: &Failure,
    least_nodes: usize,
    run: impl Fn(&Scenario) -> Option<Failure>,
    is_over: &IsCancelled<'_>,
) -> Shrunk {
    let max_tries = if failing.bin.is_some() { MAX_TRIES_OF_PROGRAMS } else { MAX_TRIES };
    let mut best = Shrunk { scenario: failing.clone(), failure: failure.clone(), tries: 0 };
    loop {
        let seed = best.scenario.seed;
        let seeded = |scenario: Scenario| (0..SEEDS).map(move |more| (scenario.clone(), seed.wrapping_add(more)));
        let mut smaller = None;
        for (scenario, seed) in simpler(&best.scenario, least_nodes).into_iter().flat_map(seeded) {
            if best.tries == max_tries || is_over() {
                break;
            }
            best.tries += 1;
            let scenario = Scenario { seed, ..scenario };
            if let Some(failure) = run(&scenario).filter(|found| found.is_like(failure)) {
                smaller = Some((scenario, failure));
                break;
            }
        }
        let Some((scenario, failure)) = smaller else { return best };
        best = Shrunk { scenario, failure, ..best };
    }
}

/// The scenarios that are simpler in one parameter.
fn simpler(from: &Scenario, least_nodes: usize) -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut Scenario)| {
        let mut changed = from.clone();
        change(&mut changed);
        all.extend(Some(changed).filter(|changed| changed != from));
    };
    for fault in &from.faults {
        with(&|scenario| scenario.faults.retain(|other| other != fault));
    }
    with(&|scenario| scenario.loss_percent = 0);
    with(&|scenario| scenario.duplication_percent = 0);
    with(&|scenario| scenario.jitter = Jitter::None);
    for nodes in steps(from.nodes as u64, least_nodes as u64) {
        with(&|scenario| scenario.nodes = usize::try_from(nodes).unwrap_or(from.nodes));
    }
    for time_limit_s in steps(from.time_limit_s, 1) {
        with(&|scenario| scenario.time_limit_s = time_limit_s);
    }
    for rate in steps(from.rate.into(), 1) {
        with(&|scenario| scenario.rate = u32::try_from(rate).unwrap_or(from.rate));
    }
    with(&|scenario| scenario.shape = Shape::Constant);
    with(&|scenario| (scenario.latency_ms, scenario.shape) = (0, Shape::Constant));
    with(&|scenario| scenario.delivery = Delivery::Held);
    all
}

/// Smaller numbers to try: the least, half of it, one less.
fn steps(from: u64, least: u64) -> Vec<u64> {
    let mut steps = vec![least, from / 2, from.saturating_sub(1)];
    steps.retain(|step| (least..from).contains(step));
    steps.dedup();
    steps
}

#[cfg(test)]
mod tests {
    use super::super::draw;
    use super::*;
    use crate::workbench::nemesis::Fault;
    use crate::workbench::workload::WorkloadKind;

    fn shrunk(fails: impl Fn(&Scenario) -> bool) -> Shrunk {
        let mut drawn = (0..).map(|seed| draw::scenario(WorkloadKind::Broadcast, seed));
        let failing = drawn.find(|scenario| scenario.nodes == 25 && fails(scenario)).expect("some seed draws it");
        shrink(&failing, &failure("fails"), 2, |scenario| fails(scenario).then(|| failure("fails")), &|| false)
    }

    fn failure(kind: &'static str) -> Failure {
        Failure::new(kind, "something is wrong")
    }

    #[test]
    fn a_scenario_that_fails_in_another_way_is_not_taken() {
        let mut drawn = (0..).map(|seed| draw::scenario(WorkloadKind::Broadcast, seed));
        let drawn = drawn.find(|scenario| scenario.nodes >= 5).expect("some seed draws it");
        let fails = |scenario: &Scenario| Some(failure(if scenario.nodes >= 4 { "lost" } else { "muted" }));
        let Shrunk { scenario, failure: found, .. } = shrink(&drawn, &failure("lost"), 2, fails, &|| false);
        assert_eq!((scenario.nodes, scenario.rate, found), (4, 1, failure("lost")));
    }

    #[test]
    fn parameters_that_the_failure_does_not_need_are_at_their_minimum() {
        let needs = |scenario: &Scenario| scenario.faults.contains(&Fault::Kill) && scenario.nodes >= 3;
        let Shrunk { scenario, tries, .. } = shrunk(needs);
        assert!(tries < MAX_TRIES, "{tries}");
        assert_eq!((scenario.nodes, scenario.rate, scenario.time_limit_s), (3, 1, 1));
        assert_eq!(scenario.faults, [Fault::Kill]);
        assert_eq!((scenario.loss_percent, scenario.duplication_percent, scenario.latency_ms), (0, 0, 0));
        assert_eq!((scenario.shape, scenario.delivery), (Shape::Constant, Delivery::Held));
        assert_eq!(scenario.jitter, Jitter::None);
    }

    #[test]
    fn shrinking_is_bounded_and_deterministic() {
        let odd = |scenario: &Scenario| scenario.seed % 7 < 6 && u64::from(scenario.rate) * scenario.time_limit_s > 5;
        let first = shrunk(odd);
        assert!(first.tries <= MAX_TRIES && odd(&first.scenario));
        assert_eq!(first, shrunk(odd));
    }
}
