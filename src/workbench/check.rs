//! Judges a history as Maelstrom does: the same statistics, the same verdicts, the same map of results.
//!
//! A checker is a pure function of the history; protocol §12 and §13 define each. One that cannot decide
//! says `:unknown` and why, which outranks `true` and is outranked by `false`.

pub mod availability;
mod budget;
pub mod counter;
#[cfg(test)]
mod differential;
pub mod echo;
pub mod exceptions;
mod ids;
pub mod kafka;
pub mod linearizable;
pub mod net;
pub mod set_full;
pub mod shape;
pub mod stats;
pub mod txn;
pub mod unique_ids;
mod verdict;

use thiserror::Error;

pub use availability::Availability;
pub use budget::Budget;
pub use verdict::{CheckReport, Quantiles, Verdict, Violation};

use crate::workbench::edn::{Incomparable, Value};
use crate::workbench::history::{History, Op, Unpaired};

/// What the checkers have to know beside the history.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The share of operations that must succeed; without it any share will do.
    pub availability: Option<Availability>,
    /// Names of the consistency models that transactions must satisfy; none is the same as Maelstrom's default.
    pub consistency_models: Vec<String>,
    /// How long to search for what proves or disproves the rest.
    pub budget: Budget,
}

/// Why a checker cannot decide.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Unjudgeable {
    /// Beginnings and ends of operations do not match; Jepsen's checkers refuse such a history, too.
    #[error(transparent)]
    Unpaired(#[from] Unpaired),
    /// The result would list values in an order that they do not have.
    #[error(transparent)]
    Incomparable(#[from] Incomparable),
    /// A read that succeeded has a value which is no collection.
    #[error("the read completed at index {index} has {value} where a list of elements belongs")]
    NotAList {
        /// The index of the read's completion.
        index: u64,
        /// Its value.
        value: Box<str>,
    },
    /// An operation of a history has a shape that its workload does not know.
    #[error("the operation at index {index} is {op}: {problem}")]
    Malformed {
        /// Its index.
        index: u64,
        /// What it is.
        op: Box<str>,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// There is no such consistency model.
    #[error("no consistency model is called {name:?}; there are {known} (between two belongs a comma between spaces)")]
    Model {
        /// The name.
        name: Box<str>,
        /// The names there are.
        known: Box<str>,
    },
    /// Two transactions wrote the same value to the same key, so that a read of it says nothing.
    #[error("{value} was written to key {key} more than once")]
    WrittenTwice {
        /// The key.
        key: Box<str>,
        /// The value.
        value: Box<str>,
    },
    /// Keys of registers have several types, so that Elle would not compare them.
    #[error("the keys {one} and {other} are of different types")]
    MixedKeys {
        /// A key.
        one: Box<str>,
        /// A key of another type.
        other: Box<str>,
    },
    /// The transactions depend on each other in too many ways.
    #[error("more than {most} dependencies between transactions; too many to search")]
    TooManyEdges {
        /// The bound.
        most: usize,
    },
    /// A poll brought what nobody ever sent.
    #[error("{value} was polled from the log {key}, but nobody sent it there")]
    Invented {
        /// The log.
        key: Box<str>,
        /// The message.
        value: Box<str>,
    },
    /// A message of a log has no place in it.
    #[error("the operation completed at index {index} has an offset that is no natural number of 64 bits")]
    BadOffset {
        /// The index of the completion.
        index: u64,
    },
    /// The workload has no checker.
    #[error("no checker knows the workload {0:?}")]
    Workload(Box<str>),
}

impl Unjudgeable {
    fn malformed(op: &Op, problem: &'static str) -> Self {
        Self::Malformed { index: op.index, op: format!(":{} {}", op.f, op.value).into(), problem }
    }
}

/// The report of the checker that belongs to a workload.
///
/// # Errors
/// If there is no such checker, or it cannot decide.
pub fn check_workload(
    workload: &str,
    history: &History,
    options: &Options,
) -> Result<Box<dyn CheckReport>, Unjudgeable> {
    if let Some(unpaired) = history.unpaired() {
        return Err(unpaired.clone().into());
    }
    let Options { consistency_models: models, budget, .. } = options;
    Ok(match workload {
        "echo" => Box::new(echo::check(history)),
        "unique-ids" => Box::new(unique_ids::check(history)?),
        "kafka" => Box::new(kafka::check(history)?),
        "g-counter" | "pn-counter" => Box::new(counter::check(history)?),
        "broadcast" | "g-set" => Box::new(set_full::check(history)?),
        "lin-kv" => Box::new(linearizable::check(history, budget)?),
        "txn-list-append" => Box::new(txn::check_append(history, models, budget)?),
        "txn-rw-register" => Box::new(txn::check_register(history, models, budget)?),
        _ => return Err(Unjudgeable::Workload(workload.into())),
    })
}

/// The report of a checker that cannot decide.
impl CheckReport for Unjudgeable {
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

/// A 32-bit quotient, as Clojure makes it from a ratio.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "Maelstrom's figures are this coarse")]
fn share(part: usize, whole: usize) -> f32 {
    (part as f64 / whole as f64) as f32
}

#[cfg(test)]
pub(in crate::workbench) mod tests {
    use super::*;

    /// A history from operations written as `process type f value`, a millisecond apart.
    pub(in crate::workbench) fn history(lines: &[&str]) -> History {
        let ops = lines.iter().enumerate().map(|(i, line)| {
            let [process, kind, f, value] = line.splitn(4, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            format!(
                "{{:index {i}, :time {}, :type :{kind}, :process {process}, :f :{f}, :value {value}}}\n",
                i * 1_000_000
            )
        });
        ops.collect::<String>().parse().unwrap_or_else(|error| panic!("{error}"))
    }
}
