//! When operations begin, and on which thread (reference §9).

use rand::RngExt as _;
use rand::seq::IteratorRandom as _;
use rand_chacha::ChaCha8Rng;

use crate::time::{Duration, Time};

/// A stream of operations with random gaps: uniform from zero to twice the mean, counted from when the last
/// one really began, so that lost time is never caught up.
#[derive(Debug, Clone)]
pub struct Stagger {
    mean: Duration,
    due: Time,
}

impl Stagger {
    /// A stream whose first operation is due at once.
    #[must_use]
    pub fn new(mean: Duration) -> Self {
        Self { mean, due: Time::ZERO }
    }

    /// When the next operation is due.
    #[must_use]
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
    /// Begin an operation of this stream of the nemesis.
    Nemesis(usize),
    /// Ask again then, or after the next completion.
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
    deadline: Option<Time>,
}

impl MainPhase {
    /// A phase that begins at `now`, with so many streams of the nemesis at their mean interval. Without a `rate`
    /// (in operations a second) no client does anything and the limit passes idly.
    #[must_use]
    pub fn new(rate: f64, nemesis: (usize, Duration), limit: Duration, now: Time) -> Self {
        // The smallest rate that a duration can express; below it only the first operation ever happens.
        const SLOWEST: f64 = 1e-9;
        let clients = (rate > 0.0).then(|| Stagger::new(Duration::from_secs_f64(1.0 / rate.max(SLOWEST))));
        let deadline = clients.is_none().then(|| now + limit);
        Self { clients, nemesis: vec![Stagger::new(nemesis.1); nemesis.0], limit, deadline }
    }

    /// What to do at `now`, given whether a client thread and whether the nemesis is free. The phase ends as soon as
    /// the next operation is known to fall on the deadline or after it.
    pub fn next(&self, now: Time, thread_free: bool, nemesis_free: bool, rng: &mut ChaCha8Rng) -> Step {
        let client = self.clients.as_ref().filter(|_| thread_free).map(|stagger| stagger.due().max(now));
        let nemesis = if nemesis_free { self.first_of_nemesis(now, rng) } else { None };
        let (at, step) = match (client, nemesis) {
            (Some(client), Some((at, stream))) if client == at && rng.random() => (at, Step::Nemesis(stream)),
            (Some(client), Some((at, stream))) if at < client => (at, Step::Nemesis(stream)),
            (Some(client), _) => (client, Step::Client),
            (None, Some((at, stream))) => (at, Step::Nemesis(stream)),
            (None, None) => match self.deadline {
                Some(deadline) if self.clients.is_none() && now >= deadline => return Step::Over,
                Some(deadline) if self.clients.is_none() => return Step::Wait(Some(deadline)),
                Some(_) | None => return Step::Wait(None),
            },
        };
        let idle = self.clients.is_none();
        match self.deadline {
            Some(deadline) if at >= deadline && idle && now < deadline => Step::Wait(Some(deadline)),
            Some(deadline) if at >= deadline => Step::Over,
            Some(_) | None if at > now => Step::Wait(Some(at)),
            Some(_) | None => step,
        }
    }

    /// When the next operation of the nemesis is due, and of which stream; a tie is decided by chance.
    fn first_of_nemesis(&self, now: Time, rng: &mut ChaCha8Rng) -> Option<(Time, usize)> {
        let due = |stream: usize| self.nemesis[stream].due().max(now);
        let streams = 0..self.nemesis.len();
        let first = streams.clone().map(due).min()?;
        let stream = streams.filter(|stream| due(*stream) == first).choose(rng)?;
        Some((first, stream))
    }

    /// The step that [`MainPhase::next`] proposed was taken at `now`.
    pub fn dispatched(&mut self, step: Step, now: Time, rng: &mut ChaCha8Rng) {
        self.deadline.get_or_insert(now + self.limit);
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
    /// Advances with every operation, the nemesis' too, over one place more than there are client threads.
    pointer: usize,
}

impl Threads {
    /// `count` free threads.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self { free: vec![true; count], pointer: 0 }
    }

    /// How many threads there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.free.len()
    }

    /// Whether any thread is free.
    #[must_use]
    pub fn any_free(&self) -> bool {
        self.free.contains(&true)
    }

    /// Whether all threads are free.
    #[must_use]
    pub fn all_free(&self) -> bool {
        !self.free.contains(&false)
    }

    /// Whether a thread is free.
    #[must_use]
    pub fn is_free(&self, thread: usize) -> bool {
        self.free.get(thread).is_some_and(|free| *free)
    }

    /// The first free thread at or after the pointer: the usual choice.
    #[must_use]
    pub fn round_robin(&self) -> Option<usize> {
        self.round_robin_of(|_| true)
    }

    /// The first free thread of some at or after the pointer.
    #[must_use]
    pub fn round_robin_of(&self, some: impl Fn(usize) -> bool) -> Option<usize> {
        let count = self.free.len();
        (self.pointer..count).chain(0..self.pointer.min(count)).find(|&thread| self.free[thread] && some(thread))
    }

    /// Any free thread, each as likely as another: the choice where every thread has a generator of its own.
    pub fn uniform(&self, rng: &mut ChaCha8Rng) -> Option<usize> {
        let free = self.free.iter().filter(|free| **free).count();
        let chosen = if free == 0 { return None } else { rng.random_range(0..free) };
        (0..self.free.len()).filter(|&thread| self.free[thread]).nth(chosen)
    }

    /// A client thread begins an operation.
    pub fn begin(&mut self, thread: usize) {
        self.free[thread] = false;
        self.advance();
    }

    /// The nemesis does something; it is done at once.
    pub fn advance(&mut self) {
        self.pointer = (self.pointer + 1) % (self.free.len() + 1);
    }

    /// A client thread is done with its operation.
    pub fn end(&mut self, thread: usize) {
        self.free[thread] = true;
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);
    const NO_NEMESIS: (usize, Duration) = (0, Duration::ZERO);

    /// Runs a phase whose threads are free whenever `busy_until` is past; returns the times of operations.
    fn times(phase: &mut MainPhase, kind: Step, hold: Duration) -> Vec<Time> {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let (mut now, mut busy_until, mut times) = (Time::from_millis(3), Time::ZERO, Vec::new());
        loop {
            match phase.next(now, busy_until <= now, true, &mut rng) {
                Step::Over => return times,
                Step::Wait(until) => now = until.unwrap_or(busy_until),
                step @ (Step::Client | Step::Nemesis(_)) => {
                    if step == kind {
                        times.push(now);
                    }
                    if step == Step::Client {
                        busy_until = now + hold;
                    }
                    phase.dispatched(step, now, &mut rng);
                }
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
        let times = times(&mut phase, Step::Client, Duration::ZERO);
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
        let gaps = gaps_ms(&times(&mut phase, Step::Client, Duration::from_millis(50)));
        assert!(gaps.iter().all(|gap| *gap >= 50.0));
        assert!(gaps.len() < 400);
    }

    #[test]
    fn the_nemesis_begins_at_once_and_keeps_its_own_pace() {
        let interval = Duration::from_secs(1);
        let mut phase = MainPhase::new(100.0, (1, interval), LIMIT, Time::ZERO);
        let times = times(&mut phase, Step::Nemesis(0), Duration::ZERO);
        assert_eq!(times[0], Time::from_millis(3));
        assert!((10..35).contains(&times.len()), "{}", times.len());
    }

    #[test]
    fn a_busy_nemesis_is_not_asked_and_an_idle_one_has_its_streams_in_any_order() {
        let phase = MainPhase::new(0.0, (2, LIMIT), LIMIT, Time::ZERO);
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        assert_eq!(phase.next(Time::ZERO, true, false, &mut rng), Step::Wait(Some(Time::ZERO + LIMIT)));
        let first: Vec<_> = (0..20).map(|_| phase.next(Time::ZERO, true, true, &mut rng)).collect();
        assert!(first.contains(&Step::Nemesis(0)) && first.contains(&Step::Nemesis(1)), "{first:?}");
    }

    #[test]
    fn without_a_rate_the_limit_passes_idly() {
        let mut phase = MainPhase::new(0.0, NO_NEMESIS, LIMIT, Time::from_millis(3));
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let end = Time::from_millis(20_003);
        assert_eq!(phase.next(Time::from_millis(3), true, true, &mut rng), Step::Wait(Some(end)));
        assert_eq!(phase.next(end, true, true, &mut rng), Step::Over);
        assert!(times(&mut phase, Step::Client, Duration::ZERO).is_empty());
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
