//! Checks that each key is a linearizable register (protocol §13.5): lin-kv.
//!
//! Keys are checked separately, since linearizability is local. The search and its limits are in `search`; a key on
//! which it gives up is `:unknown`. A violation is shown, as text under `:gloomers`, by the shortest window of
//! operations that has no linearization.

mod calls;
mod export;
mod search;
mod window;

use calls::Calls;
pub use search::GaveUp;
use search::{Config, Search, SearchOutcome};

use super::{Budget, CheckError};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op};

/// The maximum number of configurations and paths of a violation, and of undecided keys, in the results.
const MAX_LISTED: usize = 10;

/// The outcome of each register.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearizableReport {
    /// The registers, sorted by key.
    pub keys: Vec<KeyReport>,
}

/// One register.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyReport {
    /// Its key.
    pub key: Value,
    /// The outcome of the search.
    pub outcome: KeyOutcome,
}

/// The outcome of the search for an order of the operations on a register.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyOutcome {
    /// Linearizable; some of the possible final configurations.
    Linearizable(Vec<Configuration>),
    /// The search gave up.
    Undecided(GaveUp),
    /// Not linearizable.
    Violation(Box<RegisterViolation>),
}

/// A possible configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    /// The value of the register.
    pub value: Value,
    /// The operation that was linearized last.
    pub last: Option<Op>,
    /// Pending operations that are not linearized.
    pub pending: Vec<Op>,
}

/// An operation that cannot be linearized before its completion.
#[derive(Debug, Clone, PartialEq)]
pub struct RegisterViolation {
    /// The operation.
    pub op: Op,
    /// The last operation acknowledged before it.
    pub previous_ok: Option<Op>,
    /// Some of the configurations possible just before its completion.
    pub before: Vec<Configuration>,
    /// Why it cannot be linearized in each of those.
    pub complaints: Vec<String>,
    /// A drawing of the shortest window that shows the violation.
    pub window: Vec<String>,
    /// The positions in the history at which the operations in it were invoked.
    pub shown: Vec<usize>,
}

/// Checks registers: invalid if a key is not linearizable, else unknown if the search gave up on a key.
///
/// # Errors
/// If the value of an operation is not a pair of a key and an argument.
pub fn check(history: &History, budget: &Budget) -> Result<LinearizableReport, CheckError> {
    let of_key = |(key, calls): (Value, Calls)| {
        let configurations = |configs: &[Config]| {
            configs.iter().take(MAX_LISTED).map(|config| configuration(history, &calls, config)).collect()
        };
        let outcome = match Search::new(budget).run(&calls) {
            SearchOutcome::Linearizable(frontier) => KeyOutcome::Linearizable(configurations(&frontier)),
            SearchOutcome::GaveUp(end) => KeyOutcome::Undecided(end),
            SearchOutcome::Violation(violation) => {
                let call = &calls.all[violation.call];
                let before = calls.all.iter().filter_map(|call| call.completion).filter(|at| *at < call.end());
                let frontier = violation.frontier.iter().take(MAX_LISTED);
                let window = window::shortest(&calls, &violation, budget);
                KeyOutcome::Violation(Box::new(RegisterViolation {
                    op: history.ops()[call.end()].clone(),
                    previous_ok: before.max().map(|at| history.ops()[at].clone()),
                    before: configurations(&violation.frontier),
                    complaints: frontier.map(|config| calls.complaint(call, config.state)).collect(),
                    window: window::draw(history, &key, &calls, &window),
                    shown: window.calls.iter().map(|call| calls.all[*call].invocation).collect(),
                }))
            }
        };
        KeyReport { key, outcome }
    };
    Ok(LinearizableReport { keys: calls::by_key(history)?.into_iter().map(of_key).collect() })
}

/// The completion of an operation if it was acknowledged, else its invocation.
fn configuration(history: &History, calls: &Calls, config: &Config) -> Configuration {
    let op = |call: usize| history.ops()[calls.all[call].end()].clone();
    Configuration {
        value: calls.value(config.state).clone(),
        last: config.last.map(op),
        pending: config.pending.iter().copied().map(op).collect(),
    }
}

#[cfg(test)]
mod tests;
