//! The schedule of a hub's rounds: their period, from the measured latency and the allowed staleness.

use crate::time::{Duration, Time};

/// The default period, in tenths of the one-way latency.
const TENTHS_OF_LATENCY: u32 = 37;

/// Lower bound of the default period, and the burst tolerance: a round may start this much early, so that with the
/// shortest period two rounds may follow each other at once after idle time.
const MIN_PERIOD: Duration = Duration::from_millis(50);

/// Upper bound of the period before a latency is measured.
const INITIAL_PERIOD: Duration = Duration::from_millis(370);

/// A sample has one part in this many of the average latency.
const WEIGHT: u32 = 16;

/// After a peer is lost or found again, the default period is shorter for this long.
const UNSTABLE_FOR: Duration = Duration::from_secs(20);

/// The shorter period, in percent of the default: detours over bridges take longer, and partitions delay operations
/// enough.
const UNSTABLE_PERCENT: u32 = 65;

/// Upper bound of the first round-trip sample.
const MAX_FIRST_SAMPLE: Duration = Duration::from_millis(500);

/// Later samples are clamped to this many times the average plus one millisecond: a process that was suspended for
/// seconds does not make the network slow, and the average would take many rounds to recover.
const MAX_SAMPLE_FACTOR: u32 = 3;

/// Upper bound of the margin, as is an eighth of the period: every round waits for operations that are late by up to
/// the margin. Later ones may cause a catch-up round.
const MAX_MARGIN: Duration = Duration::from_millis(20);

/// With each message the margin decays by this fraction, so that about one message in a thousand exceeds it.
const MARGIN_DECAY: u32 = 1024;

/// A catch-up round waits this long, since late operations tend to arrive together.
const COALESCING: Duration = Duration::from_millis(5);

/// A catch-up round costs as much as a regular one, so there is at most one in this many rounds on average, and at most
/// [`MAX_CATCH_UPS`] in a row.
const ROUNDS_PER_CATCH_UP: u32 = 32;
const MAX_CATCH_UPS: u32 = 3;

/// The kind of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    /// The next one of the schedule.
    Regular,
    /// An additional one, for operations that missed the last.
    CatchUp,
}

/// The pacer of a hub's rounds.
#[derive(Debug)]
pub(super) struct Pacer {
    max_staleness: Option<Duration>,
    /// The average one-way latency, once it is measured.
    latency: Option<Duration>,
    /// Whether the default period is shorter.
    unstable: bool,
    unstable_until: Time,
    /// The theoretical arrival time of the generic cell rate algorithm, with one round per period.
    theoretical: Time,
    /// How long before a round its followers' operations are due.
    margin: Duration,
    /// When they were due for the last round.
    last_collect_by: Time,
    /// When a catch-up round starts.
    catch_up: Option<Time>,
    /// The number of regular rounds not yet spent on catch-up rounds (token bucket).
    tokens: u32,
}

impl Pacer {
    pub(super) fn new(max_staleness: Option<Duration>) -> Self {
        Self {
            max_staleness,
            latency: None,
            unstable: false,
            unstable_until: Time::ZERO,
            theoretical: Time::ZERO,
            margin: Duration::ZERO,
            last_collect_by: Time::ZERO,
            catch_up: None,
            tokens: MAX_CATCH_UPS * ROUNDS_PER_CATCH_UP,
        }
    }

    /// Updates the latency with a measured round trip.
    pub(super) fn on_round_trip(&mut self, round_trip: Duration) {
        self.latency = Some(match self.latency {
            None => round_trip.min(MAX_FIRST_SAMPLE) / 2,
            Some(average) => {
                let sample = (round_trip / 2).min(average * MAX_SAMPLE_FACTOR + Duration::from_millis(1));
                (average * (WEIGHT - 1) + sample) / WEIGHT
            }
        });
    }

    /// The average one-way latency; zero while it is unknown.
    pub(super) fn latency(&self) -> Duration {
        self.latency.unwrap_or_default()
    }

    /// Whether to use direct mode, since two hops leave no time to collect operations.
    pub(super) fn is_direct(&self) -> bool {
        self.max_staleness.is_some_and(|limit| limit < self.latency() * 2 + MIN_PERIOD)
    }

    /// The time between two rounds under load.
    pub(super) fn period(&self) -> Duration {
        let margin = self.max_staleness.map_or(Duration::ZERO, |_| self.margin);
        self.nominal_period().saturating_sub(margin)
    }

    /// The period without the margin, which all replicas compute alike.
    fn nominal_period(&self) -> Duration {
        match (self.max_staleness, self.latency) {
            (Some(limit), Some(latency)) => limit.saturating_sub(latency * 2),
            (None, Some(latency)) => {
                let period = latency * TENTHS_OF_LATENCY / 10;
                let percent = if self.unstable { UNSTABLE_PERCENT } else { 100 };
                (period * percent / 100).max(MIN_PERIOD)
            }
            (limit, None) => INITIAL_PERIOD.min(limit.unwrap_or(INITIAL_PERIOD)),
        }
    }

    /// Upper bound of the period, also before the latency is measured.
    pub(super) fn max_period(&self) -> Duration {
        self.max_staleness.filter(|_| self.latency.is_none()).unwrap_or_else(|| self.nominal_period())
    }

    /// When the next round may start.
    pub(super) fn next_round(&self) -> Time {
        let regular = self.next_regular();
        self.catch_up.map_or(regular, |catch_up| catch_up.min(regular))
    }

    /// When the next regular round may start: one per period on average, early by at most [`MIN_PERIOD`].
    fn next_regular(&self) -> Time {
        self.theoretical - self.period().min(MIN_PERIOD)
    }

    /// When followers' operations are due for the next regular round.
    pub(super) fn collect_by(&self) -> Time {
        self.next_regular() - self.margin
    }

    /// The maximum staleness of operations that arrive in time for their round.
    fn staleness(&self) -> Duration {
        self.period() + self.latency() * 2 + MAX_MARGIN
    }

    /// Handles operations that arrive from a follower, where the oldest had waited for so long. The margin grows with
    /// their lateness. If the next regular round would exceed the staleness and an immediate one would not, schedules a
    /// catch-up round.
    pub(super) fn on_arrival(&mut self, waited: Duration, now: Time) {
        let due = if now >= self.collect_by() { self.collect_by() } else { self.last_collect_by };
        let late = now.since(due);
        self.margin -= self.margin / MARGIN_DECAY;
        if late <= MAX_MARGIN.min(self.nominal_period() / 8) {
            self.margin = self.margin.max(late);
        }
        let until_next = self.next_regular().since(now);
        let minimum = waited + self.latency() * 2;
        let is_late = minimum + until_next > self.staleness() && until_next > self.period() / 2;
        if is_late && minimum <= self.staleness() && self.tokens >= ROUNDS_PER_CATCH_UP {
            self.catch_up.get_or_insert(now + COALESCING);
        }
    }

    /// Handles that a peer was lost or found again.
    pub(super) fn on_instability(&mut self, now: Time) {
        self.unstable = true;
        self.unstable_until = now + UNSTABLE_FOR;
    }

    /// Starts a round, and returns its kind.
    pub(super) fn on_round(&mut self, now: Time) -> Round {
        if self.catch_up.take().is_some_and(|at| at <= now) && now < self.next_regular() {
            self.tokens -= ROUNDS_PER_CATCH_UP;
            return Round::CatchUp;
        }
        self.tokens = (self.tokens + 1).min(MAX_CATCH_UPS * ROUNDS_PER_CATCH_UP);
        self.last_collect_by = now - self.margin;
        self.unstable &= now < self.unstable_until;
        self.theoretical = self.theoretical.max(now) + self.period();
        Round::Regular
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_latency(ms: u64, max_staleness: Option<Duration>) -> Pacer {
        let mut pacer = Pacer::new(max_staleness);
        pacer.on_round_trip(Duration::from_millis(2 * ms));
        pacer
    }

    #[test]
    fn the_default_period_is_proportional_to_the_latency_with_a_lower_bound() {
        assert_eq!(at_latency(100, None).period(), Duration::from_millis(370));
        assert_eq!(at_latency(0, None).period(), MIN_PERIOD);
    }

    #[test]
    fn the_pause_of_a_process_hardly_changes_the_latency() {
        let mut pacer = at_latency(100, None);
        pacer.on_round_trip(Duration::from_secs(10));
        assert!(pacer.period() < Duration::from_millis(450));
        assert!(at_latency(5000, None).period() < Duration::from_secs(1));
    }

    #[test]
    fn staleness_is_one_period_and_two_hops() {
        let pacer = at_latency(100, Some(Duration::from_millis(1700)));
        assert_eq!(pacer.period(), Duration::from_millis(1500));
        assert!(!pacer.is_direct());
        assert!(at_latency(100, Some(Duration::from_millis(150))).is_direct());
        assert!(Pacer::new(Some(Duration::ZERO)).is_direct());
    }

    #[test]
    fn the_default_period_is_shorter_for_some_time_after_a_peer_was_lost() {
        let mut pacer = at_latency(100, None);
        let lost = Time::from_millis(10_000);
        pacer.on_instability(lost);
        pacer.on_round(lost + UNSTABLE_FOR - Duration::from_millis(1));
        assert_eq!(pacer.period(), Duration::from_micros(240_500));
        pacer.on_round(lost + UNSTABLE_FOR);
        assert_eq!(pacer.period(), Duration::from_millis(370));
        let mut bound = at_latency(100, Some(Duration::from_millis(1700)));
        bound.on_instability(lost);
        assert_eq!(bound.period(), Duration::from_millis(1500));
    }

    #[test]
    fn after_idle_time_a_round_starts_at_once_and_then_one_a_period_on_average() {
        let mut pacer = at_latency(100, None);
        let start = Time::from_millis(10_000);
        assert!(pacer.next_round() <= start);
        pacer.on_round(start);
        let mut last = start;
        for _ in 0..10 {
            last = pacer.next_round();
            pacer.on_round(last);
        }
        assert_eq!(last, start + pacer.period() * 10 - MIN_PERIOD);
    }

    #[test]
    fn without_latency_two_rounds_may_follow_in_a_row() {
        let mut pacer = at_latency(0, None);
        let start = Time::from_millis(10_000);
        pacer.on_round(start);
        assert!(pacer.next_round() <= start);
        pacer.on_round(start);
        assert_eq!(pacer.next_round(), start + MIN_PERIOD);
    }

    /// A pacer and the time of its last round; the next is due one period later.
    fn after_a_round(max_staleness: Option<Duration>) -> (Pacer, Time) {
        let mut pacer = at_latency(100, max_staleness);
        let start = Time::from_millis(10_000);
        pacer.on_round(start);
        let round = pacer.next_round();
        assert_eq!(pacer.on_round(round), Round::Regular);
        (pacer, round)
    }

    #[test]
    fn the_margin_follows_the_lateness_of_recent_arrivals() {
        let ms = Duration::from_millis;
        let (mut pacer, round) = after_a_round(None);
        let next = round + pacer.period();
        assert_eq!(pacer.collect_by(), next);
        pacer.on_arrival(ms(1), round + ms(7));
        assert_eq!(pacer.collect_by(), next - ms(7));
        pacer.on_arrival(ms(1), next - ms(2));
        assert!(pacer.collect_by() > next - ms(7), "an arrival within the margin lets it decay");
        pacer.on_arrival(ms(1), round + MAX_MARGIN + ms(1));
        assert!(pacer.collect_by() > next - ms(7), "an arrival beyond the maximum is ignored");
        for _ in 0..10 * MARGIN_DECAY {
            pacer.on_arrival(ms(1), next - ms(50));
        }
        assert!(pacer.collect_by() > next - ms(1), "old lateness has decayed");
    }

    #[test]
    fn operations_that_missed_their_round_cause_a_catch_up_round() {
        let ms = Duration::from_millis;
        for (waited, late, catches_up, why) in [
            (ms(329), ms(1), true, "they missed their round"),
            (ms(0), ms(1), false, "they are new, and in time for the next round"),
            (ms(329), ms(330), false, "the next round is soon"),
            (ms(2_000), ms(1), false, "they are too old already"),
        ] {
            let (mut pacer, round) = after_a_round(None);
            let next = pacer.next_round();
            pacer.on_arrival(waited, round + late);
            let expected = if catches_up { round + late + COALESCING } else { next };
            assert_eq!(pacer.next_round(), expected, "{why}");
            if catches_up {
                assert_eq!(pacer.on_round(expected), Round::CatchUp);
                assert_eq!(pacer.next_round(), next.max(pacer.collect_by()), "the schedule stays");
            }
        }
    }

    #[test]
    fn catch_up_rounds_are_rare_even_if_every_arrival_is_late() {
        let (mut pacer, mut round) = after_a_round(None);
        let mut extra = 0;
        for _ in 0..10 * ROUNDS_PER_CATCH_UP {
            pacer.on_arrival(Duration::from_millis(329), round + Duration::from_millis(1));
            round = pacer.next_round();
            if pacer.on_round(round) == Round::CatchUp {
                extra += 1;
                round = pacer.next_round();
                assert_eq!(pacer.on_round(round), Round::Regular);
            }
        }
        assert!((10..=10 + MAX_CATCH_UPS).contains(&extra), "{extra}");
    }

    #[test]
    fn with_bounded_staleness_the_margin_shortens_the_period() {
        let (mut pacer, round) = after_a_round(Some(Duration::from_millis(450)));
        pacer.on_arrival(Duration::ZERO, round + Duration::from_millis(9));
        assert_eq!(pacer.period(), Duration::from_millis(241));
    }
}
