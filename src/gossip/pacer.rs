//! The schedule of a hub's rounds: their period, from the measured latency and the allowed staleness.

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
const UNSTABLE_FOR: Duration = Duration::from_secs(20);

/// What is left of it: detours are longer than the way over the hub, and cuts hold news up enough.
const UNSTABLE_PERCENT: u32 = 65;

/// A first round trip counts as this long at most.
const LONGEST_FIRST: Duration = Duration::from_millis(500);

/// A later one counts as at most so many times the average, and as one millisecond more: when a process was stopped
/// for seconds the network has not become slow, and a hub that thought so would not learn better for many rounds.
const OUTLIER: u32 = 3;

/// Upper bound on how long before a round its followers' news is wanted, which is an eighth of a short period at most:
/// that much lateness is waited for in every round. What is later than that earns a catch-up round.
const LONGEST_MARGIN: Duration = Duration::from_millis(20);

/// The margin forgets a lateness at this rate a message: it is the most that one of a thousand messages exceeds.
const MARGIN_DECAY: u32 = 1024;

/// What is late often comes together: a catch-up round waits for more this long.
const COALESCING: Duration = Duration::from_millis(5);

/// A catch-up round costs as much as another. On average there is one to so many rounds at most, whatever latencies
/// are like, and so many may follow each other.
const ROUNDS_PER_CATCH_UP: u32 = 32;
const MOST_CATCH_UPS: u32 = 3;

/// Which round begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    /// The next one of the schedule.
    Regular,
    /// One in between, for news that came too late for the last.
    CatchUp,
}

/// How the rounds of a hub are spaced.
#[derive(Debug)]
pub(super) struct Pacer {
    /// What the command line demands.
    max_staleness: Option<Duration>,
    /// Average one-way latency, once one exchange has measured it.
    latency: Option<Duration>,
    /// The default period is shorter.
    unstable: bool,
    unstable_until: Time,
    /// When the rounds so far are paid for at one a period (generic cell rate algorithm).
    paid_until: Time,
    /// How long before a round news is wanted.
    margin: Duration,
    /// When it was wanted for the last round.
    last_wanted: Time,
    /// When a round goes out before the next one of the schedule, for news that came too late for the last.
    catch_up: Option<Time>,
    /// Rounds that no catch-up round has been charged to.
    uncharged: u32,
}

impl Pacer {
    pub(super) fn new(max_staleness: Option<Duration>) -> Self {
        Self {
            max_staleness,
            latency: None,
            unstable: false,
            unstable_until: Time::ZERO,
            paid_until: Time::ZERO,
            margin: Duration::ZERO,
            last_wanted: Time::ZERO,
            catch_up: None,
            uncharged: MOST_CATCH_UPS * ROUNDS_PER_CATCH_UP,
        }
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
        let early = self.max_staleness.map_or(Duration::ZERO, |_| self.margin);
        self.nominal_period().saturating_sub(early)
    }

    /// The period of a hub whose followers are never late, by which all replicas reckon alike.
    fn nominal_period(&self) -> Duration {
        match (self.max_staleness, self.latency) {
            (Some(limit), Some(latency)) => limit.saturating_sub(latency * 2),
            (None, Some(latency)) => {
                let period = latency * TENTHS_OF_LATENCY / 10;
                let percent = if self.unstable { UNSTABLE_PERCENT } else { 100 };
                (period * percent / 100).max(SHORTEST)
            }
            (limit, None) => UNMEASURED.min(limit.unwrap_or(UNMEASURED)),
        }
    }

    /// The period that comes of it once the latency is measured, at most.
    pub(super) fn longest(&self) -> Duration {
        self.max_staleness.filter(|_| self.latency.is_none()).unwrap_or_else(|| self.nominal_period())
    }

    /// When the next round may go.
    pub(super) fn opens(&self) -> Time {
        let regular = self.next_regular();
        self.catch_up.map_or(regular, |catch_up| catch_up.min(regular))
    }

    /// When the next round of the schedule may go: one a period on average, early by [`SHORTEST`] at most.
    fn next_regular(&self) -> Time {
        self.paid_until - self.period().min(SHORTEST)
    }

    /// When followers' news is wanted for the next round of the schedule.
    pub(super) fn wanted(&self) -> Time {
        self.next_regular() - self.margin
    }

    /// How old news is when it is everywhere, at most, if it came in time for its round.
    fn staleness(&self) -> Duration {
        self.period() + self.latency() * 2 + LONGEST_MARGIN
    }

    /// Takes note of news that came at `now` from a follower, where its oldest part had waited for so long. The margin
    /// grows with its lateness. News that the next round would take out too late, and that is not too old already,
    /// earns a round at once.
    pub(super) fn on_news(&mut self, waited: Duration, now: Time) {
        let due = if now >= self.wanted() { self.wanted() } else { self.last_wanted };
        let late = now.since(due);
        self.margin -= self.margin / MARGIN_DECAY;
        if late <= LONGEST_MARGIN.min(self.nominal_period() / 8) {
            self.margin = self.margin.max(late);
        }
        let until_next = self.next_regular().since(now);
        let at_best = waited + self.latency() * 2;
        let is_late = at_best + until_next > self.staleness() && until_next > self.period() / 2;
        if is_late && at_best <= self.staleness() && self.uncharged >= ROUNDS_PER_CATCH_UP {
            self.catch_up.get_or_insert(now + COALESCING);
        }
    }

    /// A peer was lost or found again.
    pub(super) fn on_instability(&mut self, now: Time) {
        self.unstable = true;
        self.unstable_until = now + UNSTABLE_FOR;
    }

    /// Takes note of a round that begins now.
    pub(super) fn on_round(&mut self, now: Time) -> Round {
        if self.catch_up.take().is_some_and(|at| at <= now) && now < self.next_regular() {
            self.uncharged -= ROUNDS_PER_CATCH_UP;
            return Round::CatchUp;
        }
        self.uncharged = (self.uncharged + 1).min(MOST_CATCH_UPS * ROUNDS_PER_CATCH_UP);
        self.last_wanted = now - self.margin;
        self.unstable &= now < self.unstable_until;
        self.paid_until = self.paid_until.max(now) + self.period();
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
    fn the_default_period_grows_with_the_latency_but_has_a_floor() {
        assert_eq!(at_latency(100, None).period(), Duration::from_millis(370));
        assert_eq!(at_latency(0, None).period(), SHORTEST);
    }

    #[test]
    fn a_process_that_was_stopped_does_not_make_the_network_slow() {
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
    fn the_default_period_is_shorter_until_peers_have_stayed_for_a_while() {
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
    fn after_a_lull_a_round_goes_at_once_and_then_one_a_period_on_average() {
        let mut pacer = at_latency(100, None);
        let start = Time::from_millis(10_000);
        assert!(pacer.opens() <= start);
        pacer.on_round(start);
        let mut last = start;
        for _ in 0..10 {
            last = pacer.opens();
            pacer.on_round(last);
        }
        assert_eq!(last, start + pacer.period() * 10 - SHORTEST);
    }

    #[test]
    fn without_latency_two_rounds_may_follow_each_other_at_once() {
        let mut pacer = at_latency(0, None);
        let start = Time::from_millis(10_000);
        pacer.on_round(start);
        assert!(pacer.opens() <= start);
        pacer.on_round(start);
        assert_eq!(pacer.opens(), start + SHORTEST);
    }

    /// A hub whose last round went at this time, with the next one a period later.
    fn after_a_round(max_staleness: Option<Duration>) -> (Pacer, Time) {
        let mut pacer = at_latency(100, max_staleness);
        let start = Time::from_millis(10_000);
        pacer.on_round(start);
        let round = pacer.opens();
        assert_eq!(pacer.on_round(round), Round::Regular);
        (pacer, round)
    }

    #[test]
    fn news_is_wanted_as_early_as_it_lately_was_late() {
        let ms = Duration::from_millis;
        let (mut pacer, round) = after_a_round(None);
        let next = round + pacer.period();
        assert_eq!(pacer.wanted(), next);
        pacer.on_news(ms(1), round + ms(7));
        assert_eq!(pacer.wanted(), next - ms(7));
        pacer.on_news(ms(1), next - ms(2));
        assert!(pacer.wanted() > next - ms(7), "what came within the margin lets it shrink slowly");
        pacer.on_news(ms(1), round + LONGEST_MARGIN + ms(1));
        assert!(pacer.wanted() > next - ms(7), "what is much too late is not waited for");
        for _ in 0..10 * MARGIN_DECAY {
            pacer.on_news(ms(1), next - ms(50));
        }
        assert!(pacer.wanted() > next - ms(1), "lateness of long ago is forgotten");
    }

    #[test]
    fn what_the_next_round_would_take_out_too_late_earns_a_round_in_between() {
        let ms = Duration::from_millis;
        for (waited, late, earns, why) in [
            (ms(329), ms(1), true, "it waited for the round that it has missed"),
            (ms(0), ms(1), false, "it would have come by the next one anyway"),
            (ms(329), ms(330), false, "the next round is here soon"),
            (ms(2_000), ms(1), false, "it is too old already"),
        ] {
            let (mut pacer, round) = after_a_round(None);
            let next = pacer.opens();
            pacer.on_news(waited, round + late);
            let expected = if earns { round + late + COALESCING } else { next };
            assert_eq!(pacer.opens(), expected, "{why}");
            if earns {
                assert_eq!(pacer.on_round(expected), Round::CatchUp);
                assert_eq!(pacer.opens(), next.max(pacer.wanted()), "the schedule stays");
            }
        }
    }

    #[test]
    fn rounds_in_between_are_rare_however_often_news_is_late() {
        let (mut pacer, mut round) = after_a_round(None);
        let mut extra = 0;
        for _ in 0..10 * ROUNDS_PER_CATCH_UP {
            pacer.on_news(Duration::from_millis(329), round + Duration::from_millis(1));
            round = pacer.opens();
            if pacer.on_round(round) == Round::CatchUp {
                extra += 1;
                round = pacer.opens();
                assert_eq!(pacer.on_round(round), Round::Regular);
            }
        }
        assert!((10..=10 + MOST_CATCH_UPS).contains(&extra), "{extra}");
    }

    #[test]
    fn a_margin_is_taken_from_the_period_where_the_staleness_is_bounded() {
        let (mut pacer, round) = after_a_round(Some(Duration::from_millis(450)));
        pacer.on_news(Duration::ZERO, round + Duration::from_millis(9));
        assert_eq!(pacer.period(), Duration::from_millis(241));
    }
}
