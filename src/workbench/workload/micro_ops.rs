//! The reads and writes in transactions, and their keys (protocol §10.4).

use std::collections::BTreeMap;

use chacha20::ChaCha8Rng;
use rand::RngExt as _;

use super::WorkloadOptions;

/// A read, or a write of a value that no other write of the key has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MicroOp {
    pub(super) key: i64,
    /// The value written; `None` for a read.
    pub(super) value: Option<i64>,
}

/// Draws micro-operations. Of the active keys, each is drawn twice as often as the one before; a key that has had its
/// share of writes is replaced in its place by a new one.
#[derive(Debug)]
pub(super) struct MicroOps {
    alive: Vec<i64>,
    /// The value of the next write to each active key that has been written.
    next: BTreeMap<i64, i64>,
    fresh: i64,
    writes: i64,
}

impl MicroOps {
    pub(super) fn new(options: &WorkloadOptions) -> Self {
        let count = i64::try_from(options.key_count).unwrap_or(i64::MAX);
        let writes = i64::try_from(options.max_writes_per_key).unwrap_or(i64::MAX);
        Self { alive: (0..count).collect(), next: BTreeMap::new(), fresh: count, writes }
    }

    pub(super) fn draw(&mut self, rng: &mut ChaCha8Rng) -> MicroOp {
        loop {
            let place = self.place(rng);
            let key = self.alive[place];
            if rng.random() {
                return MicroOp { key, value: None };
            }
            let next = self.next.entry(key).or_insert(1);
            if *next <= self.writes {
                *next += 1;
                return MicroOp { key, value: Some(*next - 1) };
            }
            self.next.remove(&key);
            self.alive[place] = self.fresh;
            self.fresh += 1;
        }
    }

    /// The last place in half of the cases, the one before in a quarter, ...
    fn place(&self, rng: &mut ChaCha8Rng) -> usize {
        loop {
            let tails = rng.random::<u64>().leading_zeros() as usize;
            if let Some(place) = self.alive.len().checked_sub(tails + 1) {
                return place;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;
    use crate::workbench::test::TestConfig;

    fn draw(options: &WorkloadOptions, count: usize) -> Vec<MicroOp> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut micro_ops = MicroOps::new(options);
        (0..count).map(|_| micro_ops.draw(&mut rng)).collect()
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "shares of a few thousand")]
    fn each_key_is_drawn_twice_as_often_as_the_one_before_and_half_of_the_draws_write() {
        let ops = draw(
            &WorkloadOptions { max_writes_per_key: 1_000_000, ..TestConfig::default().workload_options() },
            100_000,
        );
        let share = |count: usize| count as f64 / ops.len() as f64;
        for key in 0..10 {
            let seen = share(ops.iter().filter(|op| op.key == key).count());
            let expected = f64::from(1 << key) / 1023.0;
            assert!((seen - expected).abs() < 0.005, "{key}: {seen} instead of {expected}");
        }
        let writes = share(ops.iter().filter(|op| op.value.is_some()).count());
        assert!((writes - 0.5).abs() < 0.005, "{writes}");
    }

    #[test]
    fn a_key_is_written_1_to_16_and_then_replaced_in_its_place() {
        let ops = draw(&TestConfig::default().workload_options(), 20_000);
        let last = ops.iter().map(|op| op.key).max().expect("there are some");
        let written = |key| ops.iter().filter(move |op| op.key == key).filter_map(|op| op.value).collect::<Vec<_>>();
        let retired = (0..=last).map(written).filter(|values| values.len() == 16).count();
        assert!(retired > 500, "{retired}");
        for key in 0..=last {
            let values = written(key);
            assert!(values.iter().copied().eq((1..).take(values.len())) && values.len() <= 16, "{key}: {values:?}");
        }
    }

    #[test]
    fn the_number_of_keys_and_of_writes_can_be_chosen() {
        let ops = draw(
            &WorkloadOptions { key_count: 1, max_writes_per_key: 2, ..TestConfig::default().workload_options() },
            100,
        );
        let written: Vec<_> = ops.iter().filter_map(|op| Some((op.key, op.value?))).collect();
        assert_eq!(written[..5], [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1)]);
        let many = draw(&WorkloadOptions { key_count: 5_000, ..TestConfig::default().workload_options() }, 1_000);
        assert!(many.iter().all(|op| op.key > 4_900));
    }
}
