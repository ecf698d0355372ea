//! Random schedules of operations, partitions, kills and pauses, from a seed, that end with a heal.

use std::collections::BTreeSet;
use std::time::Duration;

use gossip_gloomers::gossip::Settings;

use crate::network::{Action, Cluster, Network};
use crate::rng::Rng;

/// Upper bound on the length of a pause.
pub(crate) const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Upper bound on the time from a kill to the restart.
const MAX_DOWNTIME: Duration = Duration::from_secs(2);

/// The faults that may happen.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not states of a machine")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct FaultPlan {
    pub(crate) cuts: bool,
    pub(crate) kills: bool,
    pub(crate) pauses: bool,
    /// Whether messages are lost and duplicated.
    pub(crate) noise: bool,
    pub(crate) mode: Mode,
}

impl FaultPlan {
    pub(crate) const NONE: Self = Self { cuts: false, kills: false, pauses: false, noise: false, mode: Mode::Rounds };
    pub(crate) const ALL: Self = Self { cuts: true, kills: true, pauses: true, noise: true, mode: Mode::Rounds };

    /// A random subset of these faults.
    pub(crate) fn any(self, rng: &mut Rng) -> Self {
        let mut half = |may: bool| may && rng.percent(50);
        let (cuts, kills, pauses, noise) = (half(self.cuts), half(self.kills), half(self.pauses), half(self.noise));
        Self { cuts, kills, pauses, noise, ..self }
    }
}

fn network(rng: &mut Rng, noise: bool) -> Network {
    let longest = Duration::from_millis(rng.one_of(&[0, 1, 5, 20, 50, 100, 100, 200]));
    let shortest = rng.one_of(&[Duration::ZERO, longest / 2, longest]);
    let mut rate = || if noise { rng.one_of(&[0, 5, 20, 40]) } else { 0 };
    Network { shortest, longest, loss: rate(), duplication: rate() }
}

/// How operations are replicated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// In rounds: the bound on staleness is so large that not even a pause makes two hops seem to exceed it.
    Rounds,
    /// In direct mode, while no node is suspected and two hops seem to exceed the bound on staleness.
    Direct,
}

fn settings(rng: &mut Rng, mode: Mode) -> Settings {
    let max_staleness = match mode {
        Mode::Rounds => rng.one_of(&[None, None, Some(Duration::from_secs(5))]),
        Mode::Direct => Some(Duration::from_millis(rng.one_of(&[0, 0, 50, 150, 250, 400]))),
    };
    Settings { max_staleness }
}

/// Links that fail together: between two sides, in one direction or both, or at random.
fn cut(rng: &mut Rng, nodes: usize) -> BTreeSet<(usize, usize)> {
    let side: Vec<bool> = (0..nodes).map(|_| rng.percent(50)).collect();
    let kind = rng.below(3);
    let all = (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to)));
    all.filter(|(from, to)| match kind {
        0 => side[*from] != side[*to],
        1 => side[*from] && !side[*to],
        _ => rng.percent(40),
    })
    .collect()
}

/// A cluster with faults and operations spread over `duration`, and a heal at its end.
pub(crate) fn cluster(seed: u64, plan: FaultPlan, duration: Duration) -> Cluster {
    let mut rng = Rng::new(seed);
    let nodes = rng.one_of(&[2, 3, 3, 4, 5, 5, 6, 8]);
    let network = network(&mut rng, plan.noise);
    let settings = settings(&mut rng, plan.mode);
    let mut cluster = Cluster::new(nodes, network, settings, Rng::new(rng.below(u64::MAX)));
    for _ in 0..5 + rng.below(60) {
        cluster.plan(rng.up_to(duration), Action::Append(rng.index(nodes)));
    }
    let mut count = |happens: bool| if happens { 1 + rng.below(4) } else { 0 };
    let (cuts, kills, pauses) = (count(plan.cuts), count(plan.kills), count(plan.pauses));
    for _ in 0..cuts {
        let links = if rng.percent(25) { BTreeSet::new() } else { cut(&mut rng, nodes) };
        cluster.plan(rng.up_to(duration), Action::Cut(links));
    }
    for _ in 0..kills {
        let (node, at) = (rng.index(nodes), rng.up_to(duration));
        cluster.plan(at, Action::Kill(node));
        cluster.plan(at + Duration::from_millis(1) + rng.up_to(MAX_DOWNTIME), Action::Start(node));
    }
    for _ in 0..pauses {
        let (node, at) = (rng.index(nodes), rng.up_to(duration));
        cluster.plan(at, Action::Pause(node));
        cluster.plan(at + rng.up_to(MAX_PAUSE), Action::Resume(node));
    }
    cluster.plan(duration, Action::Heal);
    cluster
}
