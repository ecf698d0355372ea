//! Checks that the required fraction of the operations succeeds (protocol §12.3).

use super::{CheckReport, Verdict, Violation, share};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, OpKind};

/// The fraction of operations that must succeed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Availability {
    /// All of them.
    Total,
    /// At least this fraction. The measured fraction is a 32-bit float and the wanted one is not, so that
    /// exactly nine tenths of success do not satisfy 0.9: Maelstrom's quirk, kept (protocol §4.6).
    AtLeast(f64),
}

impl Availability {
    fn accepts(self, fraction: f32) -> bool {
        match self {
            Self::Total => fraction >= 1.0,
            Self::AtLeast(wanted) => wanted <= f64::from(fraction),
        }
    }
}

/// The measured availability, and the required one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AvailabilityReport {
    /// The fraction that succeeded.
    pub ok_fraction: f32,
    /// The required fraction.
    pub wanted: Option<Availability>,
}

/// Checks availability: invalid if fewer operations succeeded than required.
#[must_use]
pub fn check(history: &History, wanted: Option<Availability>) -> AvailabilityReport {
    let invocations = history.invocation_count();
    let oks = history.client_ops().filter(|(_, op)| op.kind == OpKind::Ok).count();
    let ok_fraction = if invocations == 0 { 1.0 } else { share(oks, invocations) };
    AvailabilityReport { ok_fraction, wanted }
}

impl CheckReport for AvailabilityReport {
    fn verdict(&self) -> Verdict {
        Verdict::from(self.wanted.is_none_or(|wanted| wanted.accepts(self.ok_fraction)))
    }

    fn to_edn(&self) -> Value {
        Value::record([("valid?", self.verdict().to_value()), ("ok-fraction", Value::single(self.ok_fraction))])
    }

    fn violations(&self) -> Vec<Violation> {
        if self.verdict() == Verdict::True {
            return Vec::new();
        }
        let percent = Value::single(self.ok_fraction).as_float().unwrap_or_default() * 100.0;
        let sentence = format!("{percent:.1} % of the operations succeeded, less than was demanded");
        vec![Violation { anomaly: "unavailable", count: 1, sentence }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::check::tests;

    /// The last `failures` of this many operations fail.
    fn run(operations: usize, failures: usize) -> History {
        let outcome = |i| if i < operations - failures { "ok" } else { "info" };
        tests::run(&(0..operations).map(|i| format!("{i} {} read [1]", outcome(i))).collect::<Vec<_>>())
    }

    fn valid(history: &History, wanted: Availability) -> bool {
        check(history, Some(wanted)).verdict() == Verdict::True
    }

    #[test]
    fn the_fraction_is_a_32_bit_float() {
        assert_eq!(check(&run(41, 3), None).to_edn().to_string(), "{:valid? true, :ok-fraction 0.9268293}");
        assert_eq!(check(&History::default(), None).to_edn().to_string(), "{:valid? true, :ok-fraction 1.0}");
    }

    #[test]
    fn total_availability_forgives_nothing() {
        assert!(valid(&run(10, 0), Availability::Total));
        assert!(!valid(&run(1000, 1), Availability::Total));
    }

    #[test]
    fn nine_of_ten_are_not_quite_nine_tenths() {
        assert!(!valid(&run(10, 1), Availability::AtLeast(0.9)));
        assert!(valid(&run(10, 1), Availability::AtLeast(0.89)));
        assert!(valid(&run(10, 5), Availability::AtLeast(0.5)));
    }
}
