//! How late messages were delivered, which shows a loaded machine.

use hdrhistogram::Histogram;

use crate::time::Duration;

/// The 99th percentile is exact to this many digits, at most a hundredth too high, and reaches up to an hour.
const DIGITS: u8 = 2;
const MAX_US: u64 = 3_600_000_000;

/// The distribution of actual less due hand-over times.
#[derive(Debug, Clone, PartialEq)]
pub struct Lateness {
    max: Duration,
    total: Duration,
    /// In microseconds.
    histogram: Histogram<u32>,
}

impl Default for Lateness {
    fn default() -> Self {
        let histogram = Histogram::new_with_max(MAX_US, DIGITS).expect("a good range");
        Self { max: Duration::ZERO, total: Duration::ZERO, histogram }
    }
}

impl Lateness {
    /// Records a delivery.
    pub fn add(&mut self, late: Duration) {
        self.total += late;
        self.max = self.max.max(late);
        self.histogram.saturating_record(u64::try_from(late.as_micros()).unwrap_or(u64::MAX));
    }

    /// The mean, the 99th percentile and the maximum in milliseconds; zero without deliveries.
    pub fn in_ms(&self) -> [f64; 3] {
        let mean = u32::try_from(self.histogram.len()).ok().and_then(|count| self.total.checked_div(count));
        let p99 = Duration::from_micros(self.histogram.value_at_quantile(0.99)).min(self.max);
        [mean.unwrap_or_default(), p99, self.max].map(|late| (late.as_secs_f64() * 1e6).round() / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_late_message_in_a_hundred_is_the_maximum_and_not_the_99th_percentile() {
        let mut lateness = Lateness::default();
        assert_eq!(format!("{:?}", lateness.in_ms()), "[0.0, 0.0, 0.0]");
        for _ in 0..99 {
            lateness.add(Duration::from_micros(10));
        }
        lateness.add(Duration::from_millis(20));
        assert_eq!(format!("{:?}", lateness.in_ms()), "[0.21, 0.01, 20.0]");
    }
}
