//! A node's own clock, which may run fast or slow but never goes back.

use crate::time::{Duration, Time};

/// A rate of one, in millionths.
const TRUE_RATE: u64 = 1_000_000;

/// A monotonic function from true time to the time that the clock shows.
#[derive(Debug, Clone, Copy)]
pub(in crate::workbench::cluster) struct Clock {
    /// When its rate last changed, and what it showed then.
    since: Time,
    shown: Time,
    /// In millionths of the true one, above zero.
    rate: u64,
}

impl Clock {
    /// A clock that shows the true time.
    pub(in crate::workbench::cluster) const ACCURATE: Self =
        Self { since: Time::ZERO, shown: Time::ZERO, rate: TRUE_RATE };

    /// What it shows.
    pub(in crate::workbench::cluster) fn at(&self, now: Time) -> Time {
        self.shown + scaled(now.since(self.since), self.rate, TRUE_RATE, false)
    }

    /// The first instant at which it shows `time`, which it has not shown before its last change.
    pub(in crate::workbench::cluster) fn when(&self, time: Time) -> Time {
        self.since + scaled(time.since(self.shown), TRUE_RATE, self.rate, true)
    }

    /// Changes the rate from `now` on by this many millionths of the true rate; it always stays positive.
    pub(in crate::workbench::cluster) fn run(&mut self, now: Time, faster_ppm: i32) {
        (self.shown, self.since) = (self.at(now), now);
        self.rate = TRUE_RATE.saturating_add_signed(faster_ppm.into()).max(1);
    }
}

/// A duration times a ratio, in whole nanoseconds.
fn scaled(duration: Duration, over: u64, under: u64, up: bool) -> Duration {
    let product = duration.as_nanos() * u128::from(over);
    let under = u128::from(under);
    let nanos = if up { product.div_ceil(under) } else { product / under };
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_right_clock_shows_the_time() {
        let now = Time::from_nanos(1_234_567_891);
        assert_eq!((Clock::ACCURATE.at(now), Clock::ACCURATE.when(now)), (now, now));
    }

    #[test]
    fn a_clock_keeps_what_it_has_gained() {
        let mut clock = Clock::ACCURATE;
        clock.run(Time::from_millis(1_000), 50_000);
        assert_eq!(clock.at(Time::from_millis(2_000)), Time::from_millis(2_050));
        clock.run(Time::from_millis(2_000), 0);
        assert_eq!(clock.at(Time::from_millis(3_000)), Time::from_millis(3_050));
        assert_eq!(clock.when(Time::from_millis(3_050)), Time::from_millis(3_000));
    }

    proptest! {
        #[test]
        fn a_time_is_shown_when_it_is_said_to_be_and_not_before(
            faster_ppm in -50_000_i32..50_000, since in 0..1_000_000_u64, later in 0..10_000_000_000_u64,
        ) {
            let mut clock = Clock::ACCURATE;
            clock.run(Time::from_nanos(since), faster_ppm);
            let time = clock.at(Time::from_nanos(since)) + Duration::from_nanos(later);
            let when = clock.when(time);
            prop_assert!(clock.at(when) >= time);
            prop_assert!(later == 0 || clock.at(when - Duration::from_nanos(1)) < time);
        }
    }
}
