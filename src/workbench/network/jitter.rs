//! Delays of a real machine: late threads of the network, late processes, and stalls.
//!
//! Fitted to Maelstrom's journals of three runs of challenge 3d (25 nodes, 100 ms) on a quiet machine, which hold the
//! times at which each message was sent and received. A thread delivers its message late, more so after a sleep; a node
//! wakes up late; and at times the whole machine stalls for some milliseconds. All of it is drawn from streams of the
//! seed that nothing else uses.

use chacha20::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};

use crate::time::{Duration, Time};

/// The machine that a test in virtual time simulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Jitter {
    /// Nothing is ever late.
    #[default]
    None,
    /// Idle otherwise: delays of about a millisecond, at times of ten.
    Quiet,
    /// Shared with other work: a node, or the whole machine, may stall for up to 30 ms.
    Busy,
}

impl Jitter {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Quiet, Self::Busy];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quiet => "quiet",
            Self::Busy => "busy",
        }
    }

    const fn profile(self) -> Option<&'static Profile> {
        match self {
            Self::None => None,
            Self::Quiet => Some(&QUIET),
            Self::Busy => Some(&BUSY),
        }
    }
}

/// A distribution as pairs of a cumulative count, of 10,000 draws, and a bound in microseconds; linear in between.
type Quantiles = [(u64, u64)];

/// The cumulative count of the last pair of [`Quantiles`].
const ALL: u64 = 10_000;

/// The delay of a delivery after a sleep.
const WOKEN: &Quantiles =
    &[(0, 60), (1_000, 150), (2_500, 250), (5_000, 500), (7_500, 900), (9_000, 1_300), (9_700, 2_000), (ALL, 3_500)];

/// The delay of a delivery that was due already.
const AT_ONCE: &Quantiles =
    &[(0, 20), (1_000, 60), (5_000, 100), (7_500, 140), (9_000, 280), (9_500, 540), (ALL, 1_500)];

/// The delay until a node reads its input or fires its timers.
const WAKING: &Quantiles =
    &[(0, 100), (1_000, 260), (5_000, 420), (7_500, 600), (9_000, 1_400), (9_500, 2_300), (ALL, 4_000)];

/// Stalls: one in each interval, at a random time.
#[derive(Debug)]
struct Stalls {
    interval: Duration,
    /// Never longer than the interval.
    length: &'static Quantiles,
}

impl Stalls {
    /// When something that is due at `at` happens, given the stalls of `whose` stream of the seed.
    fn end(&self, seed: u64, whose: u64, at: Time) -> Time {
        let interval = u64::try_from(self.interval.as_nanos()).unwrap_or(u64::MAX);
        let present = at.as_nanos() / interval;
        (present.saturating_sub(1)..=present).fold(at, |at, number| {
            let mut rng = stream(seed, STALLS | whose << 40 | number);
            let start = Time::from_nanos(number * interval + rng.random_range(0..interval));
            let end = start + draw(self.length, &mut rng);
            if start <= at { at.max(end) } else { at }
        })
    }
}

/// The stalls of one kind of machine.
#[derive(Debug)]
struct Profile {
    /// Of the whole machine: garbage collection, or another virtual machine on the same host.
    machine: Stalls,
    /// Of each node.
    node: Stalls,
}

/// Fitted to messages in the journals that are late together.
const QUIET: Profile = Profile {
    machine: Stalls { interval: Duration::from_millis(500), length: &[(0, 0), (9_000, 3_000), (ALL, 11_000)] },
    node: Stalls { interval: Duration::from_secs(1), length: &[(0, 0), (ALL, 3_000)] },
};

/// Chosen so that messages miss their gossip round about as often as on a loaded machine, of which there is no journal:
/// in every second run of challenge 3d, where followers allow for twice the mean deviation plus 3 ms.
const BUSY: Profile = Profile {
    machine: Stalls { interval: Duration::from_millis(500), length: &[(0, 0), (9_000, 5_000), (ALL, 30_000)] },
    node: Stalls { interval: Duration::from_secs(1), length: &[(0, 0), (9_900, 3_000), (ALL, 30_000)] },
};

/// The first of the seed's streams for stalls; each stall has a stream of its own.
const STALLS: u64 = 1 << 63;
/// The owner number of the whole machine's stalls; a node's is its index plus one.
const MACHINE: u64 = 0;

/// A source of delays; by default, none.
#[derive(Debug, Default)]
pub struct Delays(Option<Source>);

#[derive(Debug)]
struct Source {
    profile: &'static Profile,
    seed: u64,
    rng: ChaCha8Rng,
}

impl Source {
    fn stalled(&self, at: Time) -> Time {
        self.profile.machine.end(self.seed, MACHINE, at)
    }
}

impl Delays {
    /// Delays drawn from one stream of the seed; each user of a seed needs its own `number`.
    pub fn new(jitter: Jitter, seed: u64, number: u64) -> Self {
        Self(jitter.profile().map(|profile| Source { profile, seed, rng: stream(seed, number) }))
    }

    /// When a message that is due at `due` is delivered; `slept` if the thread has slept for it.
    pub fn delivery(&mut self, due: Time, slept: bool) -> Time {
        let Self(Some(source)) = self else { return due };
        let late = draw(if slept { WOKEN } else { AT_ONCE }, &mut source.rng);
        source.stalled(due + late)
    }

    /// The delay of a node's next wake-up.
    pub fn waking(&mut self) -> Duration {
        self.0.as_mut().map_or(Duration::ZERO, |source| draw(WAKING, &mut source.rng))
    }

    /// When a node does what it would do at some time.
    pub fn node(&self, node: usize, at: Time) -> Time {
        let Self(Some(source)) = self else { return at };
        source.stalled(source.profile.node.end(source.seed, node as u64 + 1, at))
    }
}

/// A stream of random numbers of the seed; each user needs its own `number`.
pub(in crate::workbench) fn stream(seed: u64, number: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    rng
}

fn draw(quantiles: &Quantiles, rng: &mut ChaCha8Rng) -> Duration {
    let share = rng.random_range(0..ALL);
    let above = quantiles.partition_point(|(end, _)| *end <= share);
    let [(from, low), (to, high)] = [quantiles[above - 1], quantiles[above]];
    Duration::from_nanos(1_000 * low + 1_000 * (high - low) * (share - from) / (to - from))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::workbench::network::{Journal, Latency, Shape};
    use crate::workbench::test::{TestConfig, Unwatched, run};
    use crate::workbench::workload::WorkloadKind;

    /// How many of a hundred messages between servers took at most this many ms more than 99, in the three journals,
    /// without their first second, in which a virtual machine warms up.
    const DELIVERED: [(usize, f64); 8] =
        [(5, 0.14), (25, 0.32), (50, 0.66), (75, 1.03), (90, 1.59), (95, 2.26), (98, 3.25), (99, 4.04)];
    /// How soon nodes answered clients there.
    const ANSWERED: [(usize, f64); 3] = [(5, 0.23), (25, 0.33), (50, 0.42)];

    fn journal(jitter: Jitter, seed: u64) -> Journal {
        let config = TestConfig {
            workload: WorkloadKind::Broadcast,
            nodes: TestConfig::numbered(25),
            concurrency: 25,
            time_limit: Duration::from_secs(20),
            rate: 100.0,
            latency: Latency { shape: Shape::Constant, mean_ms: 100 },
            virtual_time: true,
            jitter,
            seed,
            ..TestConfig::default()
        };
        let builtin = config.workload.node();
        let mut nodes = builtin.engines(config.nodes.len(), seed, &[], false).expect("no arguments are good ones");
        run(&config, &mut nodes, &mut Unwatched).expect("it runs").journal
    }

    fn ms(time: Duration) -> f64 {
        time.as_secs_f64() * 1e3
    }

    fn at(share: usize, sorted: &[f64]) -> f64 {
        sorted[sorted.len() * share / 100]
    }

    #[test]
    fn a_quiet_machine_delivers_and_answers_as_in_the_journals_of_real_runs() {
        let (mut delivered, mut answered) = (Vec::new(), Vec::new());
        for seed in 1..=2 {
            let journal = journal(Jitter::Quiet, seed);
            let mut asked = BTreeMap::new();
            for passage in journal.passages().iter().filter(|passage| passage.sent > Time::from_millis(1_000)) {
                let Some(arrived) = passage.arrivals().next() else { continue };
                if passage.src.starts_with('c') {
                    asked.insert(passage.src.clone(), arrived);
                } else if let Some(asked) = asked.remove(&passage.dest) {
                    answered.push(ms(passage.sent.since(asked)));
                } else if passage.dest.starts_with('n') {
                    delivered.push(ms(arrived.since(passage.sent)) - 99.0);
                }
            }
        }
        for (found, expected, tolerance) in
            [(&mut delivered, &DELIVERED[..], 0.4), (&mut answered, &ANSWERED[..], 0.15)]
        {
            found.sort_unstable_by(f64::total_cmp);
            for &(share, expected) in expected {
                let tolerance = if share > 95 { 3.0 * tolerance } else { tolerance };
                let found = at(share, found);
                assert!((found - expected).abs() < tolerance, "{share} of 100: {found} ms instead of {expected}");
            }
        }
    }

    #[test]
    fn stalls_do_not_depend_on_the_order_of_questions_and_a_busy_machine_has_longer_ones() {
        let longest = |profile: &Profile| {
            let end = |ms| profile.machine.end(7, MACHINE, Time::from_millis(ms)).since(Time::from_millis(ms));
            let forth: Vec<_> = (0..60_000).map(end).collect();
            let back: Vec<_> = (0..60_000).rev().map(end).collect();
            assert!(forth.iter().eq(back.iter().rev()));
            forth.into_iter().max().expect("there are some")
        };
        let (quiet, busy) = (longest(&QUIET), longest(&BUSY));
        assert!(quiet <= Duration::from_millis(11) && quiet > Duration::from_millis(5), "{quiet:?}");
        assert!(busy <= Duration::from_millis(30) && busy > Duration::from_millis(15), "{busy:?}");
    }

    #[test]
    fn a_machine_without_jitter_is_never_late() {
        let mut delays = Delays::new(Jitter::None, 1, 4);
        let time = Time::from_millis(1_234);
        assert_eq!((delays.delivery(time, true), delays.node(3, time)), (time, time));
        assert_eq!(delays.waking(), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn what_is_due_later_does_not_happen_earlier(
            seed: u64, at in 0..100_000_000_000_u64, later in 0..40_000_000_u64,
        ) {
            for profile in [&QUIET, &BUSY] {
                for (whose, stalls) in [(MACHINE, &profile.machine), (3, &profile.node)] {
                    let end = |at| stalls.end(seed, whose, Time::from_nanos(at));
                    prop_assert!(Time::from_nanos(at) <= end(at) && end(at) <= end(at + later));
                }
            }
        }
    }
}
