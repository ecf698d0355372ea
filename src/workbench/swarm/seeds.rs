//! Which seeds a swarm runs: those of a corpus first, then a range, of both only the part of its shard.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The maximum number of shards.
pub const MAX_SHARDS: u64 = 100_000;

/// From this number on, a range is taken to be without end.
pub(super) const ENDLESS: u64 = 1 << 62;

/// One of several equal parts of a swarm that run apart, each on a machine of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// Its number, from 1.
    pub number: u64,
    /// How many there are.
    pub of: u64,
}

impl Shard {
    /// A swarm that is not divided.
    pub const WHOLE: Self = Self { number: 1, of: 1 };

    /// The shard of this process in a job whose tasks are numbered by their environment: an indexed job of Kubernetes,
    /// or an array of Slurm jobs. `variable` reads the environment.
    ///
    /// # Errors
    /// There is no such number, or it is not below `of`.
    pub fn of_task(of: u64, variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let number = |name| variable(name)?.trim().parse::<u64>().ok();
        let slurm = || number("SLURM_ARRAY_TASK_ID")?.checked_sub(number("SLURM_ARRAY_TASK_MIN").unwrap_or(0));
        let index = number("JOB_COMPLETION_INDEX").or_else(slurm);
        let index = index.ok_or("neither JOB_COMPLETION_INDEX nor SLURM_ARRAY_TASK_ID is set to a number")?;
        format!("{}/{of}", index.saturating_add(1)).parse()
    }
}

/// `K/N`.
impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(number, of)| number.parse().ok().zip(of.parse().ok()));
        let shard = numbers.map(|(number, of)| Self { number, of });
        let is_valid = |shard: &Self| (1..=shard.of).contains(&shard.number) && shard.of <= MAX_SHARDS;
        shard.filter(is_valid).ok_or_else(|| format!("{text} is not K/N with K from 1 to N, at most {MAX_SHARDS}"))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// The seeds of a swarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seeds {
    /// The first of the range.
    pub first: u64,
    /// The length of the range.
    pub count: u64,
    /// Seeds that are run before the range.
    pub corpus: Vec<u64>,
    /// The part that is run.
    pub shard: Shard,
}

impl Seeds {
    /// How many seeds the shard has; `None` if nobody could run them all.
    #[must_use]
    pub fn len(&self) -> Option<u64> {
        let in_range = |seed: &&u64| seed.wrapping_sub(self.first) < self.count;
        let outside = self.corpus.len() - self.corpus.iter().filter(in_range).count();
        let all = self.count.checked_add(outside as u64).filter(|_| self.count < ENDLESS)?;
        let Shard { number, of } = self.shard;
        Some(all / of + u64::from(number <= all % of))
    }

    /// All seeds of the shard, in the order in which they are run. A shard takes every n-th, so that all take equally
    /// long whatever the order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + Send + use<'_> {
        let range = (0..self.count).map(|more| self.first.wrapping_add(more));
        let is_new = |seed: &u64| !self.corpus.contains(seed);
        let Shard { number, of } = self.shard;
        (0..).zip(self.corpus.iter().copied().chain(range.filter(is_new))).filter_map(move |(index, seed)| {
            let index: u64 = index;
            (index % of == number - 1).then_some(seed)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_divide_the_seeds_without_overlap() {
        for of in [1, 2, 3, 16] {
            let shards = (1..=of).map(|number| Shard { number, of });
            let seeds = |shard| Seeds { first: 10, count: 40, corpus: vec![7, 12], shard };
            let parts: Vec<Vec<u64>> = shards.clone().map(|shard| seeds(shard).iter().collect()).collect();
            let sizes: Vec<_> = parts.iter().map(Vec::len).collect();
            let counted = shards.map(|shard| seeds(shard).len());
            assert!(counted.eq(sizes.iter().map(|size| Some(*size as u64))), "{sizes:?}");
            assert!(sizes.iter().max() <= sizes.iter().min().map(|least| least + 1).as_ref(), "{sizes:?}");
            let mut all = parts.concat();
            all.sort_unstable();
            let expected: Vec<u64> = std::iter::once(7).chain(10..50).collect();
            assert_eq!(all, expected);
        }
        let seeds = Seeds { first: 10, count: 4, corpus: vec![12, 7], shard: Shard::WHOLE };
        assert_eq!(seeds.iter().collect::<Vec<_>>(), [12, 7, 10, 11, 13]);
    }

    #[test]
    fn shards_are_read_as_a_fraction() {
        assert_eq!("3/16".parse(), Ok(Shard { number: 3, of: 16 }));
        for text in ["0/3", "4/3", "3", "a/b", "1/0", "-1/3", "1/100001"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_task_of_kubernetes_or_slurm_knows_its_shard() {
        let task = |variables: &'static [(&str, &str)]| {
            let find = |name: &str| variables.iter().find(|(other, _)| *other == name);
            Shard::of_task(4, |name| find(name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(task(&[("JOB_COMPLETION_INDEX", "0")]), Ok(Shard { number: 1, of: 4 }));
        let slurm = &[("SLURM_ARRAY_TASK_ID", "4"), ("SLURM_ARRAY_TASK_MIN", "1")];
        assert_eq!(task(slurm), Ok(Shard { number: 4, of: 4 }));
        for wrong in [&[][..], &[("JOB_COMPLETION_INDEX", "4")], &[("SLURM_ARRAY_TASK_ID", "x")]] {
            assert!(task(wrong).is_err(), "{wrong:?}");
        }
    }
}
