//! Scheduling: when operations begin, and on which thread (protocol §9).

use chacha20::ChaCha8Rng;
use rand::RngExt as _;
use rand::seq::IteratorRandom as _;

use crate::time::{Duration, Time};

/// A stream of operations with random gaps, uniform from zero to twice the mean, counted from when the previous one
/// actually began: lost time is never caught up.
#[derive(Debug, Clone)]
pub struct Stagger {
    mean: Duration,
    due: Time,
}

impl Stagger {
    /// A stream whose first operation is due at once.
    pub fn new(mean: Duration) -> Self {
        Self { mean, due: Time::ZERO }
    }

    /// When the next operation is due.
    pub fn due(&self) -> Time {
        self.due
    }

    /// An operation began at `now`.
    pub fn dispatched(&mut self, now: Time, rng: &mut ChaCha8Rng) {
        self.due = now + self.mean.mul_f64(rng.random_range(0.0..2.0));
    }
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Begin an operation of a client.
    Client,
    /// Begin an operation of this nemesis stream.
    Nemesis(usize),
    /// Ask again at this time, or after the next completion.
    Wait(Option<Time>),
    /// The phase is over.
    Over,
}

/// The main phase: operations of clients and nemesis until the time limit.
#[derive(Debug)]
pub struct MainPhase {
    clients: Option<Stagger>,
    nemesis: Vec<Stagger>,
    limit: Duration,
    /// When the first operation began, from which the limit counts.
    began: Option<Time>,
}

impl MainPhase {
    /// A phase that begins at `now`. `rate` is in operations a second; with 0, clients are idle until the limit.
    /// `nemesis` is the number of its streams and their mean interval.
    pub fn new(rate: f64, nemesis: (usize, Duration), limit: Duration, now: Time) -> Self {
        // The smallest rate that a duration can express; below it, only the first operation happens.
        const SLOWEST: f64 = 1e-9;
        let clients = (rate > 0.0).then(|| Stagger::new(Duration::from_secs_f64(1.0 / rate.max(SLOWEST))));
        let began = clients.is_none().then_some(now);
        Self { clients, nemesis: vec![Stagger::new(nemesis.1); nemesis.0], limit, began }
    }

    /// What to do at `now`, given the free client threads and whether the nemesis is free.
    ///
    /// The phase is over when the earliest operation that could begin is due at the deadline or later, and nothing is
    /// outstanding: a busy thread may be free again, with an operation due, before the deadline.
    pub fn next(&self, now: Time, threads: &Threads, nemesis_free: bool, rng: &mut ChaCha8Rng) -> Step {
        let client = self.client_due().filter(|_| threads.any_free()).map(|due| due.max(now));
        let nemesis = if nemesis_free { self.first_of_nemesis(now, rng) } else { None };
        let offer = match (client, nemesis) {
            (Some(client), Some((at, stream))) if client == at && rng.random() => Some((at, Step::Nemesis(stream))),
            (Some(client), Some((at, stream))) if at < client => Some((at, Step::Nemesis(stream))),
            (Some(client), _) => Some((client, Step::Client)),
            (None, Some((at, stream))) => Some((at, Step::Nemesis(stream))),
            (None, None) => None,
        };
        let deadline = self.began.map(|began| began + self.limit);
        let in_time = |at: &Time| deadline.is_none_or(|deadline| *at < deadline);
        match offer.filter(|(at, _)| in_time(at)) {
            Some((at, _)) if at > now => Step::Wait(Some(at)),
            Some((_, step)) => step,
            None if self.clients.is_none() && in_time(&now) => Step::Wait(deadline),
            None if threads.all_free() && nemesis_free => Step::Over,
            None => Step::Wait(None),
        }
    }

    /// When the first operation began.
    pub fn began(&self) -> Option<Time> {
        self.began
    }

    /// When the next operation of a client is due, whether or not a thread is free for it.
    pub fn client_due(&self) -> Option<Time> {
        self.clients.as_ref().map(Stagger::due)
    }

    /// When the next operation of the nemesis is due, and of which stream; ties are broken at random.
    fn first_of_nemesis(&self, now: Time, rng: &mut ChaCha8Rng) -> Option<(Time, usize)> {
        let due = |stream: usize| self.nemesis[stream].due().max(now);
        let streams = 0..self.nemesis.len();
        let first = streams.clone().map(due).min()?;
        let stream = streams.filter(|stream| due(*stream) == first).choose(rng)?;
        Some((first, stream))
    }

    /// Records that the step that [`MainPhase::next`] returned was taken at `now`.
    pub fn dispatched(&mut self, step: Step, now: Time, rng: &mut ChaCha8Rng) {
        self.began.get_or_insert(now);
        let stagger = match step {
            Step::Client => self.clients.as_mut(),
            Step::Nemesis(stream) => self.nemesis.get_mut(stream),
            Step::Wait(_) | Step::Over => return,
        };
        if let Some(stagger) = stagger {
            stagger.dispatched(now, rng);
        }
    }
}

/// Which client threads are free, and whose turn it is.
#[derive(Debug)]
pub struct Threads {
    free: Vec<bool>,
    /// Advances with each operation, including the nemesis', modulo one more than the number of client threads.
    pointer: usize,
}

impl Threads {
    /// `count` free threads.
    pub fn new(count: usize) -> Self {
        Self { free: vec![true; count], pointer: 0 }
    }

    /// How many threads there are.
    pub fn count(&self) -> usize {
        self.free.len()
    }

    /// Whether any thread is free.
    pub fn any_free(&self) -> bool {
        self.free.contains(&true)
    }

    /// Whether all threads are free.
    pub fn all_free(&self) -> bool {
        !self.free.contains(&false)
    }

    /// Whether a thread is free.
    pub fn is_free(&self, thread: usize) -> bool {
        self.free.get(thread).is_some_and(|free| *free)
    }

    /// The first free thread at or after the pointer: the usual choice.
    pub fn round_robin(&self) -> Option<usize> {
        self.round_robin_of(|_| true)
    }

    /// The first free thread at or after the pointer that satisfies `some`.
    pub fn round_robin_of(&self, some: impl Fn(usize) -> bool) -> Option<usize> {
        let count = self.free.len();
        (self.pointer..count).chain(0..self.pointer.min(count)).find(|&thread| self.free[thread] && some(thread))
    }

    /// A free thread drawn uniformly: the choice where each thread has a generator of its own.
    pub fn uniform(&self, rng: &mut ChaCha8Rng) -> Option<usize> {
        let free = self.free.iter().filter(|free| **free).count();
        let chosen = if free == 0 { return None } else { rng.random_range(0..free) };
        (0..self.free.len()).filter(|&thread| self.free[thread]).nth(chosen)
    }

    /// Marks a client thread as busy.
    pub fn begin(&mut self, thread: usize) {
        self.free[thread] = false;
        self.advance();
    }

    /// Accounts for an operation of the nemesis.
    pub fn advance(&mut self) {
        self.pointer = (self.pointer + 1) % (self.free.len() + 1);
    }

    /// Marks a client thread as free.
    pub fn end(&mut self, thread: usize) {
        self.free[thread] = true;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng as _;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);
    const NO_NEMESIS: (usize, Duration) = (0, Duration::ZERO);

    /// When operations began in a phase that was played to its end.
    #[derive(Default)]
    struct BeginTimes {
        clients: Vec<Time>,
        nemesis: Vec<Time>,
        longest: Duration,
    }

    /// Plays a phase on this many threads; `hold` draws how long each operation takes, `slack` how much too late
    /// each wake-up comes.
    fn play(
        phase: &mut MainPhase,
        threads: usize,
        mut hold: impl FnMut(&mut ChaCha8Rng) -> Duration,
        slack: Duration,
        seed: u64,
    ) -> BeginTimes {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut threads = Threads::new(threads);
        let mut busy: Vec<(Time, usize)> = Vec::new();
        let (mut now, mut played) = (Time::from_millis(3), BeginTimes::default());
        loop {
            busy.retain(|&(until, thread)| {
                if until <= now {
                    threads.end(thread);
                }
                until > now
            });
            let step = phase.next(now, &threads, true, &mut rng);
            match step {
                Step::Over => {
                    assert!(threads.all_free(), "nothing is outstanding");
                    return played;
                }
                Step::Wait(until) => {
                    let completion = busy.iter().map(|(until, _)| *until).min();
                    let next = until.into_iter().chain(completion).min().expect("something is awaited");
                    now = next + slack.mul_f64(rng.random());
                }
                Step::Client => {
                    let thread = threads.round_robin().expect("a thread is free");
                    let took = hold(&mut rng);
                    threads.begin(thread);
                    busy.push((now + took, thread));
                    played.longest = played.longest.max(took);
                    played.clients.push(now);
                }
                Step::Nemesis(_) => played.nemesis.push(now),
            }
            phase.dispatched(step, now, &mut rng);
        }
    }

    /// As [`play`], on one thread, with the same duration of each operation.
    fn play_alone(phase: &mut MainPhase, hold: Duration) -> BeginTimes {
        play(phase, 1, |_| hold, Duration::ZERO, 7)
    }

    /// The number of operations that clients begin within the limit by the rule of protocol §9 alone, without a
    /// scheduler: each begins a random gap after its predecessor, or when a thread is free, if that is later.
    fn undisturbed(
        rate: f64,
        threads: usize,
        mut hold: impl FnMut(&mut ChaCha8Rng) -> Duration,
        limit: Duration,
        seed: u64,
    ) -> usize {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut free, mut at, mut count) = (vec![0.0_f64; threads], 0.0_f64, 0);
        while at < limit.as_secs_f64() {
            count += 1;
            let first = free.iter_mut().min_by(|a, b| a.total_cmp(b)).expect("a thread");
            *first = at + hold(&mut rng).as_secs_f64();
            let first = free.iter().copied().min_by(f64::total_cmp).expect("a thread");
            at = first.max(at + rng.random_range(0.0..2.0) / rate);
        }
        count
    }

    proptest! {
        #[test]
        #[expect(clippy::cast_precision_loss, reason = "thousands of operations")]
        fn clients_go_on_until_the_limit_whatever_the_nemesis_does(
            rate_log in -1.0..4.0_f64,
            threads in 1..30_usize,
            hold_us in prop_oneof![Just(0_u64), 1..1_000_u64, 1_000..300_000_u64, 1_000_000..5_000_000_u64],
            steady in any::<bool>(),
            nemesis in (0..4_usize, 0.05..30.0_f64),
            slack_us in prop_oneof![Just(0_u64), 1..3_000_u64],
            seed in any::<u64>(),
        ) {
            let rate = 10_f64.powf(rate_log);
            let limit = Duration::from_secs_f64((20_000.0 / rate).min(20.0));
            let slack = Duration::from_micros(slack_us);
            let hold = |rng: &mut ChaCha8Rng| {
                Duration::from_micros(if steady { hold_us } else { rng.random_range(0..=hold_us * 2) })
            };
            let interval = Duration::from_secs_f64(nemesis.1);
            let mut phase = MainPhase::new(rate, (nemesis.0, interval), limit, Time::from_millis(3));
            let played = play(&mut phase, threads, hold, slack, seed);
            let began = played.clients[0].min(*played.nemesis.first().unwrap_or(&played.clients[0]));
            let last = *played.clients.last().expect("the first is due at once");
            prop_assert!(played.clients.iter().chain(&played.nemesis).all(|at| at.since(began) < limit));
            // The next one would have begun within this gap, and was not allowed to.
            let gap = Duration::from_secs_f64(2.0 / rate).max(played.longest) + slack * 2;
            prop_assert!((last + gap).since(began) >= limit, "the last of {} at {last:?}", played.clients.len());
            if slack.is_zero() {
                let expected = undisturbed(rate, threads, hold, limit, !seed) as f64;
                // Standard deviation of a uniform gap; with threads busy at random, of the time that each takes.
                let spread = 0.577 * expected.sqrt() * 6.0 + 3.0;
                prop_assert!((played.clients.len() as f64 - expected).abs() <= spread,
                    "{} operations, {expected} without a nemesis", played.clients.len());
            }
        }
    }

    fn gaps_ms(times: &[Time]) -> Vec<f64> {
        times.windows(2).map(|pair| pair[1].since(pair[0]).as_secs_f64() * 1e3).collect()
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "a few thousand operations")]
    fn gaps_are_uniform_up_to_twice_the_mean() {
        let mut phase = MainPhase::new(1000.0, NO_NEMESIS, LIMIT, Time::ZERO);
        let times = play_alone(&mut phase, Duration::ZERO).clients;
        let gaps = gaps_ms(&times);
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        assert!((variance.sqrt() - 0.577).abs() < 0.02, "{}", variance.sqrt());
        assert!(gaps.iter().all(|gap| *gap < 2.0));
        assert_eq!(times[0], Time::from_millis(3), "the first is due at once");
        assert!(times.iter().all(|time| time.since(times[0]) < LIMIT), "none after the limit");
    }

    #[test]
    fn time_lost_to_a_busy_thread_is_not_caught_up() {
        let mut phase = MainPhase::new(100.0, NO_NEMESIS, LIMIT, Time::ZERO);
        let gaps = gaps_ms(&play_alone(&mut phase, Duration::from_millis(50)).clients);
        assert!(gaps.iter().all(|gap| *gap >= 50.0));
        assert!(gaps.len() < 400);
    }

    #[test]
    fn the_nemesis_begins_at_once_and_keeps_its_own_pace() {
        let interval = Duration::from_secs(1);
        let mut phase = MainPhase::new(100.0, (1, interval), LIMIT, Time::ZERO);
        let times = play_alone(&mut phase, Duration::ZERO).nemesis;
        assert_eq!(times[0], Time::from_millis(3));
        assert!((10..35).contains(&times.len()), "{}", times.len());
    }

    #[test]
    fn a_busy_nemesis_is_not_asked_and_an_idle_one_has_its_streams_in_any_order() {
        let phase = MainPhase::new(0.0, (2, LIMIT), LIMIT, Time::ZERO);
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let threads = Threads::new(1);
        assert_eq!(phase.next(Time::ZERO, &threads, false, &mut rng), Step::Wait(Some(Time::ZERO + LIMIT)));
        let first: Vec<_> = (0..20).map(|_| phase.next(Time::ZERO, &threads, true, &mut rng)).collect();
        assert!(first.contains(&Step::Nemesis(0)) && first.contains(&Step::Nemesis(1)), "{first:?}");
    }

    #[test]
    fn without_a_rate_the_limit_passes_idly() {
        let mut phase = MainPhase::new(0.0, NO_NEMESIS, LIMIT, Time::from_millis(3));
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let (threads, end) = (Threads::new(1), Time::from_millis(20_003));
        assert_eq!(phase.next(Time::from_millis(3), &threads, true, &mut rng), Step::Wait(Some(end)));
        assert_eq!(phase.next(end, &threads, true, &mut rng), Step::Over);
        assert!(play_alone(&mut phase, Duration::ZERO).clients.is_empty());
    }

    #[test]
    fn threads_take_turns_with_a_place_for_the_nemesis() {
        let mut threads = Threads::new(3);
        let turns: Vec<_> = (0..10)
            .map(|_| {
                let thread = threads.round_robin().expect("all are free");
                threads.begin(thread);
                threads.end(thread);
                thread
            })
            .collect();
        assert_eq!(turns, [0, 1, 2, 0, 0, 1, 2, 0, 0, 1]);
    }

    #[test]
    fn a_busy_thread_is_passed_over() {
        let mut threads = Threads::new(3);
        threads.begin(0);
        threads.begin(1);
        threads.advance();
        threads.advance();
        assert_eq!(threads.round_robin(), Some(2));
        threads.begin(2);
        assert_eq!((threads.round_robin(), threads.any_free()), (None, false));
        threads.end(1);
        assert_eq!(threads.uniform(&mut ChaCha8Rng::seed_from_u64(1)), Some(1));
    }
}
