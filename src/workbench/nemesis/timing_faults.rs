//! Slow nodes and skewed clocks: faults that exist in virtual time only.

use chacha20::ChaCha8Rng;
use rand::RngExt as _;

use crate::time::Duration;
use crate::workbench::cluster::Skew;
use crate::workbench::edn::Value;

/// The lag of a slow node. Clients wait for 5 s, and nodes reply within 4 s.
const LAG_MS: std::ops::RangeInclusive<u64> = 10..=500;

/// The largest deviation of a clock's rate, in either direction: far worse than any quartz.
const MOST_PPM: i32 = 50_000;

/// The longest jump of a wall clock. It never goes back: peers ignore an incarnation that is older than its
/// predecessor.
const FARTHEST_S: u64 = 4 * 3600;

/// A lag for each of the victims.
pub(super) fn lags(victims: Vec<usize>, rng: &mut ChaCha8Rng) -> Vec<(usize, Duration)> {
    let mut lag = |_| Duration::from_millis(rng.random_range(LAG_MS));
    victims.into_iter().map(|victim| (victim, lag(victim))).collect()
}

/// A skew for each of the victims: of the rate, of the time of day, or of both.
pub(super) fn skews(victims: Vec<usize>, rng: &mut ChaCha8Rng) -> Vec<(usize, Skew)> {
    let mut skew = || {
        let faster_ppm = rng.random_range(-MOST_PPM..=MOST_PPM);
        let ahead = Duration::from_secs(rng.random_range(1..=FARTHEST_S));
        match rng.random_range(0..3) {
            0 => Skew { faster_ppm, ahead: Duration::ZERO },
            1 => Skew { faster_ppm: 0, ahead },
            _ => Skew { faster_ppm, ahead },
        }
    };
    victims.into_iter().map(|victim| (victim, skew())).collect()
}

/// The value of a lag in the history.
pub(in crate::workbench) fn lag_value(lag: Duration) -> Value {
    Value::record([("late-ms", Value::Int(i64::try_from(lag.as_millis()).unwrap_or(i64::MAX)))])
}

/// The value of a skew in the history.
pub(in crate::workbench) fn skew_value(skew: Skew) -> Value {
    let ahead = i64::try_from(skew.ahead.as_secs()).unwrap_or(i64::MAX);
    Value::record([("faster-ppm", Value::Int(skew.faster_ppm.into())), ("ahead-s", Value::Int(ahead))])
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn lags_and_skews_are_within_their_bounds_and_strike_only_the_victims() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..500 {
            let lags = lags(vec![1, 3], &mut rng);
            assert_eq!(lags.iter().map(|(victim, _)| *victim).collect::<Vec<_>>(), [1, 3]);
            assert!(lags.iter().all(|(_, lag)| (10..=500).contains(&lag.as_millis())), "{lags:?}");
            let skews = skews(vec![0, 2], &mut rng);
            assert!(skews.iter().all(|(_, skew)| *skew != Skew::default()), "{skews:?}");
            assert!(skews.iter().all(|(_, skew)| skew.faster_ppm.abs() <= 50_000), "{skews:?}");
            assert!(skews.iter().all(|(_, skew)| skew.ahead <= Duration::from_secs(4 * 3600)), "{skews:?}");
        }
    }

    #[test]
    fn the_history_names_their_units() {
        assert_eq!(lag_value(Duration::from_millis(120)).to_string(), "{:late-ms 120}");
        let skew = Skew { faster_ppm: -200, ahead: Duration::from_secs(60) };
        assert_eq!(skew_value(skew).to_string(), "{:faster-ppm -200, :ahead-s 60}");
    }
}
