//! Checks a history as Maelstrom does: the same statistics, the same verdicts, the same map of results.
//!
//! A checker is a pure function of the history; protocol §12 and §13 specify each. One that cannot decide
//! returns `:unknown` with a reason, which outranks `true` and is outranked by `false`.

/// An enum of anomalies, each with its name in the results.
macro_rules! anomalies {
    ($(#[$attribute:meta])* $type:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type {
            $($(#[$doc])* $variant,)*
        }

        impl $type {
            /// All of them.
            #[cfg(test)]
            #[allow(dead_code, reason = "of some only")]
            pub(in crate::workbench::check) const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in the results.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

pub mod availability;
mod budget;
pub mod counter;
#[cfg(test)]
mod differential;
pub mod echo;
pub mod exceptions;
mod interner;
pub mod kafka;
pub mod linearizable;
pub mod net;
pub mod set_full;
pub mod stats;
pub mod txn;
pub mod unique_ids;
mod verdict;

use thiserror::Error;

pub use availability::Availability;
pub use budget::Budget;
use verdict::in_words;
pub use verdict::{CheckReport, Quantiles, Verdict, Violation};

use crate::workbench::edn::{Incomparable, Value};
use crate::workbench::history::{Op, Unpaired};

/// The settings of the checkers.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The fraction of operations that must succeed; `None` accepts any.
    pub availability: Option<Availability>,
    /// Names of the consistency models that transactions must satisfy; empty means Maelstrom's default.
    pub consistency_models: Vec<String>,
    /// When to abandon a search that could take exponential time.
    pub budget: Budget,
}

/// Why a checker cannot decide.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CheckError {
    /// Invocations and completions do not pair up; Jepsen's checkers reject such a history, too.
    #[error(transparent)]
    Unpaired(#[from] Unpaired),
    /// The result would have to sort values of types that have no common order.
    #[error(transparent)]
    Incomparable(#[from] Incomparable),
    /// The dependency graph of the transactions is too large to search.
    #[error("more than {most} dependencies between transactions; too many to search")]
    TooManyEdges {
        /// The limit.
        most: usize,
    },
    /// The history is not one of the workload, or contradicts itself; or there is no such workload or consistency
    /// model.
    #[error("{0}")]
    Invalid(String),
}

impl CheckError {
    /// The value of an operation does not have the shape that its workload prescribes.
    fn malformed(op: &Op, problem: &str) -> Self {
        Self::Invalid(format!("the operation at index {} is :{} {}: {problem}", op.index, op.f, op.value))
    }
}

/// A checker that cannot decide reports the reason.
impl CheckReport for CheckError {
    fn verdict(&self) -> Verdict {
        Verdict::Unknown
    }

    fn to_edn(&self) -> Value {
        Value::record([("valid?", Verdict::Unknown.to_value()), ("error", Value::str(self.to_string()))])
    }

    fn violations(&self) -> Vec<Violation> {
        vec![Violation { anomaly: "undecided", count: 1, sentence: self.to_string() }]
    }
}

/// A quotient as the 32-bit float that Clojure makes of a ratio.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "Maelstrom's precision")]
fn share(part: usize, whole: usize) -> f32 {
    (part as f64 / whole as f64) as f32
}

#[cfg(test)]
pub(in crate::workbench) mod tests {
    use std::collections::BTreeSet;

    use crate::workbench::history::History;

    /// A history from lines written as `process type f value`, a millisecond apart.
    pub(in crate::workbench) fn history(lines: &[&str]) -> History {
        read(lines)
    }

    pub(super) fn read<L: AsRef<str>>(lines: &[L]) -> History {
        let ops = lines.iter().enumerate().map(|(i, line)| {
            let [process, kind, f, value] = parts(line.as_ref());
            format!("{{:index {i}, :time {i}000000, :type :{kind}, :process {process}, :f :{f}, :value {value}}}\n")
        });
        ops.collect::<String>().parse().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same, where a completion without an invocation follows one with the same value.
    pub(super) fn run<L: AsRef<str>>(lines: &[L]) -> History {
        let (mut open, mut all) = (BTreeSet::new(), Vec::new());
        for line in lines.iter().map(AsRef::as_ref) {
            let [process, kind, f, value] = parts(line);
            if kind == "invoke" {
                open.insert(process);
            } else if !open.remove(process) && !process.starts_with(':') {
                all.push(format!("{process} invoke {f} {value}"));
            }
            all.push(line.to_owned());
        }
        read(&all)
    }

    fn parts(line: &str) -> [&str; 4] {
        line.splitn(4, ' ').collect::<Vec<_>>().try_into().unwrap_or_else(|_| panic!("{line}"))
    }
}
