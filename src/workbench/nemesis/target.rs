//! The targets of a fault of processes (protocol §11.1).

use chacha20::ChaCha8Rng;
use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use crate::workbench::edn::Value;

/// A kind of target set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Any nodes, at least one.
    Any,
    /// One node.
    One,
    /// Fewer than a third: none of two or three nodes.
    MinorityThird,
    /// The largest minority: none of one node.
    Minority,
    /// The smallest majority.
    Majority,
    /// All nodes.
    All,
}

impl Target {
    const ALL: [Self; 6] = [Self::Any, Self::One, Self::MinorityThird, Self::Minority, Self::Majority, Self::All];

    /// Draws one of the six with equal probability.
    pub fn draw(rng: &mut ChaCha8Rng) -> Self {
        Self::ALL[rng.random_range(0..Self::ALL.len())]
    }

    /// What the history calls it.
    pub const fn to_value(self) -> Value {
        match self {
            Self::Any => Value::Nil,
            Self::One => Value::keyword("one"),
            Self::MinorityThird => Value::keyword("minority-third"),
            Self::Minority => Value::keyword("minority"),
            Self::Majority => Value::keyword("majority"),
            Self::All => Value::keyword("all"),
        }
    }

    /// A random set of this kind among `count` nodes, which is at least 1; in ascending order.
    pub fn victims(self, count: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let size = match self {
            Self::Any => rng.random_range(1..=count),
            Self::One => 1,
            Self::MinorityThird => (count - 1) / 3,
            Self::Minority => (count - 1) / 2,
            Self::Majority => count / 2 + 1,
            Self::All => count,
        };
        let mut victims: Vec<usize> = (0..count).collect();
        victims.shuffle(rng);
        victims.truncate(size);
        victims.sort_unstable();
        victims
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn each_kind_has_its_size_at_every_number_of_nodes() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut size = |target: Target, count| target.victims(count, &mut rng).len();
        for (count, third, minority, majority) in
            [(1, 0, 0, 1), (2, 0, 0, 2), (3, 0, 1, 2), (5, 1, 2, 3), (25, 8, 12, 13)]
        {
            assert_eq!(size(Target::One, count), 1);
            assert_eq!(size(Target::MinorityThird, count), third);
            assert_eq!(size(Target::Minority, count), minority);
            assert_eq!(size(Target::Majority, count), majority);
            assert_eq!(size(Target::All, count), count);
        }
    }

    #[test]
    fn any_nodes_are_sometimes_few_and_sometimes_all() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut sizes: Vec<_> = (0..100).map(|_| Target::Any.victims(3, &mut rng).len()).collect();
        sizes.sort_unstable();
        sizes.dedup();
        assert_eq!(sizes, [1, 2, 3]);
    }
}
