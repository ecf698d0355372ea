//! When a hub may speak: the period of its rounds, from the latency it measures and the staleness users will bear.

use crate::time::{Duration, Time};

/// The period is this many tenths of the one-way latency, unless the command line sets the staleness.
const TENTHS_OF_LATENCY: u32 = 37;

/// The default period is never shorter; where it is as short, two rounds may follow each other at once after a lull.
const SHORTEST: Duration = Duration::from_millis(50);

/// The period before a latency is measured, or what the command line allows if that is less.
const UNMEASURED: Duration = Duration::from_millis(370);

/// Round trips of this many exchanges make up the average.
const WEIGHT: u32 = 16;

/// After a peer is lost or found again, the default period is shorter for this long.
const UNREST: Duration = Duration::from_secs(20);

/// What is left of it: detours are longer than the way over the hub, and cuts hold news up enough.
const UNREST_PERCENT: u32 = 65;

/// A first round trip counts as this long at most.
const LONGEST_FIRST: Duration = Duration::from_millis(500);

/// A later one counts as at most so many times the average, and as one millisecond more: when a process was stopped
/// for seconds the network has not become slow, and a hub that thought so would not learn better for many rounds.
const OUTLIER: u32 = 3;

/// How the rounds of a hub are spaced.
#[derive(Debug)]
pub(super) struct Pace {
    /// What the command line demands.
    max_staleness: Option<Duration>,
    /// Average one-way latency, once one exchange has measured it.
    latency: Option<Duration>,
    /// The default period is shorter.
    restless: bool,
    unrest_until: Time,
    /// When the rounds so far are paid for at one a period (generic cell rate algorithm).
    paid_until: Time,
}

impl Pace {
    pub(super) fn new(max_staleness: Option<Duration>) -> Self {
        Self { max_staleness, latency: None, restless: false, unrest_until: Time::ZERO, paid_until: Time::ZERO }
    }

    /// Takes note of a measured round trip.
    pub(super) fn on_round_trip(&mut self, round_trip: Duration) {
        self.latency = Some(match self.latency {
            None => round_trip.min(LONGEST_FIRST) / 2,
            Some(average) => {
                let sample = (round_trip / 2).min(average * OUTLIER + Duration::from_millis(1));
                (average * (WEIGHT - 1) + sample) / WEIGHT
            }
        });
    }

    /// The average one-way latency; zero while it is unknown.
    pub(super) fn latency(&self) -> Duration {
        self.latency.unwrap_or_default()
    }

    /// Whether every operation goes straight to everyone, since two hops leave no time to collect any.
    pub(super) fn is_direct(&self) -> bool {
        self.max_staleness.is_some_and(|limit| limit < self.latency() * 2 + SHORTEST)
    }

    /// The time between two rounds when there is always news.
    pub(super) fn period(&self) -> Duration {
        match (self.max_staleness, self.latency) {
            (Some(limit), Some(latency)) => limit.saturating_sub(latency * 2),
            (None, Some(latency)) => {
                let period = latency * TENTHS_OF_LATENCY / 10;
                let percent = if self.restless { UNREST_PERCENT } else { 100 };
                (period * percent / 100).max(SHORTEST)
            }
            (limit, None) => UNMEASURED.min(limit.unwrap_or(UNMEASURED)),
        }
    }

    /// The period that comes of it once the latency is measured, at most.
    pub(super) fn longest(&self) -> Duration {
        self.max_staleness.filter(|_| self.latency.is_none()).unwrap_or_else(|| self.period())
    }

    /// When the next round may go: one a period on average, early by [`SHORTEST`] at most.
    pub(super) fn opens(&self) -> Time {
        self.paid_until - self.period().min(SHORTEST)
    }

    /// A peer was lost or found again.
    pub(super) fn on_unrest(&mut self, now: Time) {
        self.restless = true;
        self.unrest_until = now + UNREST;
    }

    /// Takes note of a round.
    pub(super) fn on_round(&mut self, now: Time) {
        self.restless &= now < self.unrest_until;
        self.paid_until = self.paid_until.max(now) + self.period();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_latency(ms: u64, max_staleness: Option<Duration>) -> Pace {
        let mut pace = Pace::new(max_staleness);
        pace.on_round_trip(Duration::from_millis(2 * ms));
        pace
    }

    #[test]
    fn the_default_period_grows_with_the_latency_but_has_a_floor() {
        assert_eq!(at_latency(100, None).period(), Duration::from_millis(370));
        assert_eq!(at_latency(0, None).period(), SHORTEST);
    }

    #[test]
    fn a_process_that_was_stopped_does_not_make_the_network_slow() {
        let mut pace = at_latency(100, None);
        pace.on_round_trip(Duration::from_secs(10));
        assert!(pace.period() < Duration::from_millis(450));
        assert!(at_latency(5000, None).period() < Duration::from_secs(1));
    }

    #[test]
    fn staleness_is_one_period_and_two_hops() {
        let pace = at_latency(100, Some(Duration::from_millis(1700)));
        assert_eq!(pace.period(), Duration::from_millis(1500));
        assert!(!pace.is_direct());
        assert!(at_latency(100, Some(Duration::from_millis(150))).is_direct());
        assert!(Pace::new(Some(Duration::ZERO)).is_direct());
    }

    #[test]
    fn the_default_period_is_shorter_until_peers_have_stayed_for_a_while() {
        let mut pace = at_latency(100, None);
        let lost = Time::from_millis(10_000);
        pace.on_unrest(lost);
        pace.on_round(lost + UNREST - Duration::from_millis(1));
        assert_eq!(pace.period(), Duration::from_micros(240_500));
        pace.on_round(lost + UNREST);
        assert_eq!(pace.period(), Duration::from_millis(370));
        let mut bound = at_latency(100, Some(Duration::from_millis(1700)));
        bound.on_unrest(lost);
        assert_eq!(bound.period(), Duration::from_millis(1500));
    }

    #[test]
    fn after_a_lull_a_round_goes_at_once_and_then_one_a_period_on_average() {
        let mut pace = at_latency(100, None);
        let start = Time::from_millis(10_000);
        assert!(pace.opens() <= start);
        pace.on_round(start);
        let mut last = start;
        for _ in 0..10 {
            last = pace.opens();
            pace.on_round(last);
        }
        assert_eq!(last, start + pace.period() * 10 - SHORTEST);
    }

    #[test]
    fn without_latency_two_rounds_may_follow_each_other_at_once() {
        let mut pace = at_latency(0, None);
        let start = Time::from_millis(10_000);
        pace.on_round(start);
        assert!(pace.opens() <= start);
        pace.on_round(start);
        assert_eq!(pace.opens(), start + SHORTEST);
    }
}
