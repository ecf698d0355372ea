//! Demands that each key be one linearizable register (protocol §13.5): lin-kv.
//!
//! Keys are judged apart, for linearizability is local. The search and its bounds are in `search`; a key on which
//! it gives up is `:unknown`. A violation comes with the shortest window of operations that no order explains,
//! drawn as text, under `:gloomers`.

mod calls;
mod export;
mod search;
mod window;

use calls::Calls;
pub use search::GaveUp;
use search::{Config, Search, SearchOutcome};

use super::{Budget, Unjudgeable};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op};

/// How many configurations and paths a violation lists, and how many keys that could not be decided.
const MAX_LISTED: usize = 10;

/// What became of each register.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearizableReport {
    /// The registers in the order of their keys.
    pub keys: Vec<KeyReport>,
}

/// One register.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyReport {
    /// Its key.
    pub key: Value,
    /// What the search found.
    pub outcome: KeyOutcome,
}

/// What the search for an order of the operations on a register found.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyOutcome {
    /// An order explains everything; some of what is possible at the end.
    Linearizable(Vec<Configuration>),
    /// The search gave up.
    Undecided(GaveUp),
    /// No order explains an operation.
    Violation(Box<RegisterViolation>),
}

/// A possible state of affairs.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    /// What the register holds.
    pub value: Value,
    /// The operation that happened last.
    pub last: Option<Op>,
    /// Operations that are under way and have not happened.
    pub pending: Vec<Op>,
}

/// An operation that could not have happened before it ended.
#[derive(Debug, Clone, PartialEq)]
pub struct RegisterViolation {
    /// The operation.
    pub op: Op,
    /// The last operation that was acknowledged before.
    pub previous_ok: Option<Op>,
    /// Some of what was possible just before.
    pub before: Vec<Configuration>,
    /// Why it could not happen in each of those.
    pub complaints: Vec<String>,
    /// The shortest window that shows it, drawn.
    pub window: Vec<String>,
}

/// Invalid if a key is not linearizable; unknown if none is known not to be, but the search gave up on one.
///
/// # Errors
/// If an operation has a value that is no pair of a key and what to do with it.
pub fn check(history: &History, budget: &Budget) -> Result<LinearizableReport, Unjudgeable> {
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
                let shown = violation.frontier.iter().take(MAX_LISTED);
                let window = window::shortest(&calls, &violation, budget);
                KeyOutcome::Violation(Box::new(RegisterViolation {
                    op: history.ops()[call.end()].clone(),
                    previous_ok: before.max().map(|at| history.ops()[at].clone()),
                    before: configurations(&violation.frontier),
                    complaints: shown.map(|config| calls.complaint(call, config.state)).collect(),
                    window: window::draw(history, &key, &calls, &window),
                }))
            }
        };
        KeyReport { key, outcome }
    };
    Ok(LinearizableReport { keys: calls::by_key(history)?.into_iter().map(of_key).collect() })
}

/// Operations by their completions if they were acknowledged, else by their invocations.
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
