//! How many of the requested operations the main phase began, and the cause of a shortfall.

use crate::time::{Duration, Time};

/// The least share of the requested operations that must begin for the test to count as the one requested.
const ENOUGH: f64 = 0.8;
/// The gaps between operations are random: up to this many standard deviations fewer than asked for are no shortfall.
const CHANCE: f64 = 3.0;
/// The standard deviation of a gap that is uniform up to twice its mean, in means.
const SPREAD: f64 = 0.577;

/// Figures of the main phase.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Throughput {
    /// The expected number of operations: rate times limit.
    pub asked: f64,
    /// The number of operations that clients began.
    pub begun: u64,
    /// From the first operation, a client's or the nemesis', until nothing was outstanding at the end.
    pub lasted: Duration,
    /// The time limit.
    pub limit: Duration,
    /// The number of client threads.
    pub threads: usize,
    /// How long an operation was due while no thread was free.
    pub saturated: Duration,
    /// From the first operation, of a client or the nemesis, to the first of a client.
    pub late_start: Duration,
    /// The total time that operations were overdue, for any reason.
    pub overdue: Duration,
}

impl Throughput {
    /// Operations begun and expected: `1969 of about 2000 operations in 20.0 s`.
    pub fn in_words(&self) -> String {
        let Self { asked, begun, lasted, .. } = self;
        let decimals = usize::from(*asked < 10.0 && asked.fract() > 0.0);
        format!("{begun} of about {asked:.decimals$} operations in {:.1} s", lasted.as_secs_f64())
    }

    /// The figures before the first operation.
    pub(super) fn asked(rate: f64, limit: Duration, threads: usize) -> Self {
        Self { asked: rate * limit.as_secs_f64(), limit, threads, ..Self::default() }
    }

    /// Records that a client begins an operation that was due at `due`.
    pub(super) fn on_begin(&mut self, due: Option<Time>, phase_began: Option<Time>, now: Time) {
        if self.begun == 0 {
            self.late_start = phase_began.map_or(Duration::ZERO, |began| now.since(began));
        } else {
            self.overdue += due.map_or(Duration::ZERO, |due| now.since(due));
        }
        self.begun += 1;
    }

    /// Records a time in which an operation was due and no thread was free.
    pub(super) fn on_busy(&mut self, from: Time, to: Time) {
        self.saturated += to.since(from);
    }

    /// The cause if significantly fewer operations began than requested; otherwise `None`.
    #[expect(clippy::cast_precision_loss, reason = "counts of operations")]
    pub fn shortfall(&self) -> Option<String> {
        let begun = self.begun as f64;
        if begun >= (self.asked * ENOUGH).min(self.asked - CHANCE * SPREAD * self.asked.sqrt()) {
            return None;
        }
        let half_of_missing = self.limit.mul_f64((1.0 - begun / self.asked) / 2.0);
        let late = self.overdue.saturating_sub(self.saturated);
        Some(if self.lasted < self.limit.mul_f64(ENOUGH) {
            let (lasted, limit) = (self.lasted.as_secs_f64(), self.limit.as_secs_f64());
            format!("the main phase was ended after {lasted:.1} s of {limit:.0} s")
        } else if self.saturated >= half_of_missing {
            let threads = match self.threads {
                1 => "the only client thread was".to_owned(),
                threads => format!("all {threads} client threads were"),
            };
            let saturated = self.saturated.as_secs_f64();
            format!(
                "{threads} busy for {saturated:.1} s while operations were due: the answers they waited for came late \
                 or never; a higher --concurrency asks more at once"
            )
        } else if self.late_start >= half_of_missing {
            format!("the first operation began {:.1} s late", self.late_start.as_secs_f64())
        } else {
            let late = late.as_secs_f64();
            format!("this machine is too slow or too busy: operations began {late:.1} s late in sum")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    fn run(begun: u64) -> Throughput {
        Throughput { asked: 2000.0, begun, lasted: LIMIT, limit: LIMIT, threads: 5, ..Throughput::default() }
    }

    #[test]
    fn four_fifths_of_what_was_asked_are_enough() {
        assert_eq!(run(2100).shortfall(), None);
        assert_eq!(run(1600).shortfall(), None);
        assert!(run(1599).shortfall().is_some());
        let few = |asked, begun| Throughput { asked, begun, ..run(0) }.shortfall().is_some();
        assert!(few(80.0, 54) && few(20.0, 11) && few(250.0, 180));
    }

    #[test]
    fn what_was_asked_is_an_average() {
        assert_eq!(run(1994).in_words(), "1994 of about 2000 operations in 20.0 s");
        let seldom = Throughput { asked: 0.2, begun: 1, ..run(1) };
        assert_eq!(seldom.in_words(), "1 of about 0.2 operations in 20.0 s");
    }

    #[test]
    fn few_operations_are_a_matter_of_chance() {
        let few = |begun| Throughput { asked: 4.0, begun, ..run(0) }.shortfall();
        assert_eq!(few(1), None);
        assert_eq!(Throughput::default().shortfall(), None, "nothing was asked for");
    }

    #[test]
    fn a_shortfall_has_its_cause() {
        let second = Duration::from_secs(1);
        for (run, expected) in [
            (Throughput { saturated: second * 15, ..run(500) }, "all 5 client threads were busy for 15.0 s"),
            (Throughput { saturated: second * 15, threads: 1, ..run(500) }, "the only client thread was busy"),
            (Throughput { overdue: second * 12, ..run(500) }, "too busy: operations began 12.0 s late"),
            (Throughput { late_start: second * 15, ..run(500) }, "the first operation began 15.0 s late"),
            (Throughput { lasted: second * 3, ..run(300) }, "was ended after 3.0 s of 20 s"),
        ] {
            let why = run.shortfall().expect("far fewer than were asked for");
            assert!(why.contains(expected), "{why}");
        }
    }
}
