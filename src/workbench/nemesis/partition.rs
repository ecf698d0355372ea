//! Maelstrom's four kinds of partition (protocol §11), and two that cut only one direction.

use chacha20::ChaCha8Rng;
use rand::RngExt as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};

/// For each node, by index, the senders that it refuses.
pub type Grudges = Vec<Vec<usize>>;

/// With more nodes, a ring of majorities is drawn as a random graph.
const LARGEST_RING: usize = 5;

/// A kind of partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partition {
    /// One node against all others.
    One,
    /// Two halves; the first is the smaller one if the number is odd.
    Majority,
    /// Fewer than a third against the rest: none of two or three nodes.
    MinorityThird,
    /// Each node hears a majority, and no two the same one.
    MajoritiesRing,
    /// One-way: some nodes, not all unless there is one, receive nothing from the others.
    Deaf,
    /// One-way: the others receive nothing from some nodes.
    Mute,
}

impl Partition {
    /// Draws one of Maelstrom's four with equal probability.
    pub fn draw(rng: &mut ChaCha8Rng) -> Self {
        [Self::One, Self::Majority, Self::MinorityThird, Self::MajoritiesRing][rng.random_range(0..4)]
    }

    /// Draws one of the two that cut one direction with equal probability.
    pub fn draw_one_way(rng: &mut ChaCha8Rng) -> Self {
        if rng.random() { Self::Deaf } else { Self::Mute }
    }

    /// What the history calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Majority => "majority",
            Self::MinorityThird => "minority-third",
            Self::MajoritiesRing => "majorities-ring",
            Self::Deaf => "deaf",
            Self::Mute => "mute",
        }
    }

    /// A random partition of this kind among `count` nodes, at least one.
    pub fn grudges(self, count: usize, rng: &mut ChaCha8Rng) -> Grudges {
        let mut order: Vec<usize> = (0..count).collect();
        order.shuffle(rng);
        match self {
            Self::One => apart(&order, 1, true, true),
            Self::Majority => apart(&order, count / 2, true, true),
            Self::MinorityThird => apart(&order, (count - 1) / 3, true, true),
            Self::Deaf => apart(&order, rng.random_range(1..count.max(2)), true, false),
            Self::Mute => apart(&order, rng.random_range(1..count.max(2)), false, true),
            Self::MajoritiesRing if count <= LARGEST_RING => ring(&order),
            Self::MajoritiesRing => graph(count, rng),
        }
    }
}

/// Between the first `size` nodes and the others: whether the first refuse the others, and the others the first.
fn apart(order: &[usize], size: usize, first_refuse: bool, others_refuse: bool) -> Grudges {
    let mut grudges = vec![Vec::new(); order.len()];
    let (first, others) = order.split_at(size);
    for (refuses, side, other) in [(first_refuse, first, others), (others_refuse, others, first)] {
        for &node in side.iter().filter(|_| refuses) {
            other.clone_into(&mut grudges[node]);
        }
    }
    grudges
}

/// Each node hears the majority around it on the ring, and refuses the rest.
fn ring(order: &[usize]) -> Grudges {
    let count = order.len();
    let majority = count / 2 + 1;
    let mut grudges = vec![Vec::new(); count];
    for start in 0..count {
        let node = order[(start + majority / 2) % count];
        grudges[node] = (majority..count).map(|offset| order[(start + offset) % count]).collect();
    }
    grudges
}

/// Links nodes of the smallest degree until each is linked with a majority; links go both ways.
fn graph(count: usize, rng: &mut ChaCha8Rng) -> Grudges {
    let majority = count / 2 + 1;
    let mut linked: Vec<Vec<bool>> = (0..count).map(|a| (0..count).map(|b| a == b).collect()).collect();
    let mut degree = vec![1_usize; count];
    let everyone: Vec<usize> = (0..count).collect();
    while let Some(a) = least(&degree, &everyone, rng).filter(|&node| degree[node] < majority) {
        let unlinked: Vec<usize> = (0..count).filter(|&node| !linked[a][node]).collect();
        let Some(b) = least(&degree, &unlinked, rng) else { break };
        (linked[a][b], linked[b][a]) = (true, true);
        degree[a] += 1;
        degree[b] += 1;
    }
    linked.iter().map(|row| (0..count).filter(|&node| !row[node]).collect()).collect()
}

/// A random one of the candidates with the smallest degree.
fn least(degree: &[usize], candidates: &[usize], rng: &mut ChaCha8Rng) -> Option<usize> {
    let smallest = candidates.iter().map(|&node| degree[node]).min()?;
    let smallest: Vec<usize> = candidates.iter().copied().filter(|&node| degree[node] == smallest).collect();
    smallest.choose(rng).copied()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    /// Checks a property of many partitions of one kind.
    fn all(kind: Partition, count: usize, holds: impl Fn(&Grudges) -> bool) {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        for _ in 0..200 {
            let grudges = kind.grudges(count, &mut rng);
            assert_eq!(grudges.len(), count);
            assert!(holds(&grudges), "{kind:?} of {count}: {grudges:?}");
        }
    }

    #[test]
    fn a_one_way_cut_leaves_the_other_direction_open() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for (cut, count) in [(Partition::Deaf, 5), (Partition::Mute, 5), (Partition::Deaf, 2), (Partition::Mute, 25)] {
            for _ in 0..100 {
                let grudges = cut.grudges(count, &mut rng);
                let is_cut = |to: usize, from: usize| grudges[to].contains(&from);
                let pairs = || (0..count).flat_map(|a| (0..count).map(move |b| (a, b)));
                assert!(pairs().any(|(a, b)| is_cut(a, b)), "{cut:?} of {count}: {grudges:?}");
                assert!(pairs().all(|(a, b)| !(is_cut(a, b) && is_cut(b, a))), "{cut:?} of {count}: {grudges:?}");
            }
        }
        assert_eq!(Partition::Deaf.grudges(1, &mut rng), [Vec::<usize>::new()]);
    }

    fn symmetric(grudges: &Grudges) -> bool {
        (0..grudges.len()).all(|a| grudges[a].iter().all(|&b| grudges[b].contains(&a)))
    }

    /// The sizes of the two sides, the smaller first.
    fn sides(grudges: &Grudges) -> (usize, usize) {
        let other = grudges[0].len();
        let mine = grudges.len() - other;
        assert!(grudges.iter().all(|refused| [mine, other].contains(&refused.len())));
        (mine.min(other), mine.max(other))
    }

    #[test]
    fn splits_are_symmetric_and_of_maelstroms_sizes() {
        for (kind, sizes) in [
            (Partition::One, [(1, (0, 1)), (2, (1, 1)), (3, (1, 2)), (4, (1, 3)), (5, (1, 4)), (25, (1, 24))]),
            (Partition::Majority, [(1, (0, 1)), (2, (1, 1)), (3, (1, 2)), (4, (2, 2)), (5, (2, 3)), (25, (12, 13))]),
            (
                Partition::MinorityThird,
                [(1, (0, 1)), (2, (0, 2)), (3, (0, 3)), (4, (1, 3)), (5, (1, 4)), (25, (8, 17))],
            ),
        ] {
            for (count, expected) in sizes {
                all(kind, count, |grudges| symmetric(grudges) && sides(grudges) == expected);
            }
        }
    }

    #[test]
    fn in_a_ring_of_majorities_everyone_hears_a_majority_and_itself() {
        for count in [1, 2, 3, 4, 5, 6, 7, 25] {
            all(Partition::MajoritiesRing, count, |grudges| {
                let majority = count / 2 + 1;
                (0..count).all(|node| {
                    let heard = count - grudges[node].len();
                    heard >= majority && !grudges[node].contains(&node)
                })
            });
        }
    }

    #[test]
    fn a_small_ring_gives_no_two_nodes_the_same_majority() {
        for count in [3, 4, 5] {
            all(Partition::MajoritiesRing, count, |grudges| {
                let mut refused: Vec<Vec<usize>> = grudges.clone();
                for senders in &mut refused {
                    senders.sort_unstable();
                }
                refused.sort();
                refused.dedup();
                refused.len() == count
            });
        }
    }

    #[test]
    fn with_three_nodes_every_link_is_cut_in_one_direction() {
        all(Partition::MajoritiesRing, 3, |grudges| {
            grudges.iter().all(|refused| refused.len() == 1)
                && (0..3).all(|a| grudges[a].iter().all(|&b| !grudges[b].contains(&a)))
        });
    }

    #[test]
    fn with_four_nodes_opposites_refuse_each_other() {
        all(Partition::MajoritiesRing, 4, |grudges| {
            symmetric(grudges) && grudges.iter().all(|refused| refused.len() == 1)
        });
    }

    #[test]
    fn five_or_more_nodes_are_linked_both_ways() {
        for count in [5, 6, 25] {
            all(Partition::MajoritiesRing, count, symmetric);
        }
    }

    #[test]
    fn two_nodes_have_nothing_to_cut_in_a_ring() {
        all(Partition::MajoritiesRing, 2, |grudges| grudges.iter().all(Vec::is_empty));
    }

    #[test]
    fn all_kinds_come_up_alike() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let ones = (0..4_000).filter(|_| Partition::draw(&mut rng) == Partition::One).count();
        assert!((900..1_100).contains(&ones), "{ones}");
    }
}
