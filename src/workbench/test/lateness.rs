//! How late messages were delivered, which shows a loaded machine.

use crate::time::Duration;

/// Each number of microseconds below this has a bucket of its own; above, each power of two has as many buckets.
const FINE: u32 = 16;
/// Enough for every `u64`.
const BUCKETS: usize = (64 * FINE) as usize;

/// The distribution of actual minus due delivery times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lateness {
    /// The number of messages delivered.
    pub count: u64,
    /// The maximum.
    pub max: Duration,
    total: Duration,
    /// By [`bucket`].
    buckets: Vec<u32>,
}

impl Default for Lateness {
    fn default() -> Self {
        Self { count: 0, max: Duration::ZERO, total: Duration::ZERO, buckets: vec![0; BUCKETS] }
    }
}

impl Lateness {
    /// Records a delivery.
    pub fn add(&mut self, late: Duration) {
        self.count += 1;
        self.total += late;
        self.max = self.max.max(late);
        self.buckets[bucket(u64::try_from(late.as_micros()).unwrap_or(u64::MAX))] += 1;
    }

    /// The mean; zero without deliveries.
    #[must_use]
    pub fn mean(&self) -> Duration {
        u32::try_from(self.count).ok().and_then(|count| self.total.checked_div(count)).unwrap_or_default()
    }

    /// The 99th percentile, at most a sixteenth too high; zero without deliveries.
    #[must_use]
    pub fn p99(&self) -> Duration {
        let wanted = self.count - self.count / 100;
        let mut seen = 0;
        let reached = self.buckets.iter().position(|count| {
            seen += u64::from(*count);
            seen >= wanted
        });
        Duration::from_micros(upper(reached.unwrap_or_default())).min(self.max)
    }
}

/// The bucket of a number of microseconds.
fn bucket(us: u64) -> usize {
    let fine = u64::from(FINE);
    if us < fine {
        return usize::try_from(us).unwrap_or_default();
    }
    let shift = us.ilog2() - fine.ilog2();
    usize::try_from(u64::from(shift) * fine + (us >> shift)).unwrap_or(BUCKETS - 1)
}

/// The largest number in a bucket.
fn upper(bucket: usize) -> u64 {
    let (bucket, fine) = (bucket as u64, u64::from(FINE));
    if bucket < 2 * fine {
        return bucket;
    }
    let shift = bucket / fine - 1;
    ((bucket - shift * fine + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_at_most_a_sixteenth_below_the_end_of_its_bucket() {
        for us in (0..5_000).chain([1 << 20, (1 << 20) + 1, 987_654_321, 1 << 50]) {
            let end = upper(bucket(us));
            assert!(end >= us && end - us <= us / 16, "{us} of at most {end}");
            assert_ne!(bucket(end), bucket(end + 1));
        }
        assert!(bucket(u64::MAX) < BUCKETS);
    }

    #[test]
    fn one_late_message_in_a_hundred_is_the_maximum_and_not_the_99th_percentile() {
        let mut lateness = Lateness::default();
        assert_eq!((lateness.mean(), lateness.p99()), (Duration::ZERO, Duration::ZERO));
        for _ in 0..99 {
            lateness.add(Duration::from_micros(10));
        }
        lateness.add(Duration::from_millis(20));
        assert_eq!(lateness.p99(), Duration::from_micros(10));
        assert_eq!((lateness.max, lateness.mean()), (Duration::from_millis(20), Duration::from_nanos(209_900)));
    }
}
