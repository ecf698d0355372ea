//! What befalls a cluster, from a seed: operations, cuts, deaths and pauses until the heal.

use std::collections::BTreeSet;
use std::time::Duration;

use gossip_gloomers::gossip::Settings;

use crate::chance::Chance;
use crate::wires::{Cluster, Deed, Wires};

/// The longest that a node is stopped.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The longest that it stays dead.
const LONGEST_DEATH: Duration = Duration::from_secs(2);

/// What may happen.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not states of a machine")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) cuts: bool,
    pub(crate) kills: bool,
    pub(crate) pauses: bool,
    /// Messages are lost and repeated.
    pub(crate) noise: bool,
    pub(crate) ways: Ways,
}

impl Weather {
    pub(crate) const CALM: Self = Self { cuts: false, kills: false, pauses: false, noise: false, ways: Ways::Rounds };
    pub(crate) const STORM: Self = Self { cuts: true, kills: true, pauses: true, noise: true, ways: Ways::Rounds };

    /// Each of these things in half of the cases.
    pub(crate) fn any(self, chance: &mut Chance) -> Self {
        let mut half = |may: bool| may && chance.percent(50);
        let (cuts, kills, pauses, noise) = (half(self.cuts), half(self.kills), half(self.pauses), half(self.noise));
        Self { cuts, kills, pauses, noise, ..self }
    }
}

fn wires(chance: &mut Chance, noise: bool) -> Wires {
    let longest = Duration::from_millis(chance.one_of(&[0, 1, 5, 20, 50, 100, 100, 200]));
    let shortest = chance.one_of(&[Duration::ZERO, longest / 2, longest]);
    let mut rate = || if noise { chance.one_of(&[0, 5, 20, 40]) } else { 0 };
    Wires { shortest, longest, loss: rate(), duplication: rate() }
}

/// How news goes from node to node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ways {
    /// In rounds: even one who measures the longest pause does not think that two hops take as long as news may.
    Rounds,
    /// Straight to everyone, as long as nobody is doubted and two hops seem to take as long as news may.
    Straight,
}

fn settings(chance: &mut Chance, ways: Ways) -> Settings {
    let max_staleness = match ways {
        Ways::Rounds => chance.one_of(&[None, None, Some(Duration::from_secs(5))]),
        Ways::Straight => Some(Duration::from_millis(chance.one_of(&[0, 0, 50, 150, 250, 400]))),
    };
    Settings { max_staleness }
}

/// Links that fail together: between two sides, in one direction of it or both, or any here and there.
fn cut(chance: &mut Chance, nodes: usize) -> BTreeSet<(usize, usize)> {
    let side: Vec<bool> = (0..nodes).map(|_| chance.percent(50)).collect();
    let kind = chance.below(3);
    let all = (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to)));
    all.filter(|(from, to)| match kind {
        0 => side[*from] != side[*to],
        1 => side[*from] && !side[*to],
        _ => chance.percent(40),
    })
    .collect()
}

/// A cluster in such weather, whose troubles and operations are planned for this long, and then a heal.
pub(crate) fn cluster(seed: u64, weather: Weather, duration: Duration) -> Cluster {
    let mut chance = Chance::new(seed);
    let nodes = chance.one_of(&[2, 3, 3, 4, 5, 5, 6, 8]);
    let wires = wires(&mut chance, weather.noise);
    let settings = settings(&mut chance, weather.ways);
    let mut cluster = Cluster::new(nodes, wires, settings, Chance::new(chance.below(u64::MAX)));
    for _ in 0..5 + chance.below(60) {
        cluster.plan(chance.up_to(duration), Deed::Append(chance.index(nodes)));
    }
    let mut troubles = |happens: bool| if happens { 1 + chance.below(4) } else { 0 };
    let (cuts, kills, pauses) = (troubles(weather.cuts), troubles(weather.kills), troubles(weather.pauses));
    for _ in 0..cuts {
        let links = if chance.percent(25) { BTreeSet::new() } else { cut(&mut chance, nodes) };
        cluster.plan(chance.up_to(duration), Deed::Cut(links));
    }
    for _ in 0..kills {
        let (node, at) = (chance.index(nodes), chance.up_to(duration));
        cluster.plan(at, Deed::Kill(node));
        cluster.plan(at + Duration::from_millis(1) + chance.up_to(LONGEST_DEATH), Deed::Start(node));
    }
    for _ in 0..pauses {
        let (node, at) = (chance.index(nodes), chance.up_to(duration));
        cluster.plan(at, Deed::Pause(node));
        cluster.plan(at + chance.up_to(LONGEST_PAUSE), Deed::Resume(node));
    }
    cluster.plan(duration, Deed::Heal);
    cluster
}
