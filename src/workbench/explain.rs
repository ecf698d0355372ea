//! Why a test failed, from the sentence to the message that was lost.
//!
//! From the history, the journal of messages with the fate of each, and the faults, an anomaly becomes an
//! [`Explanation`]: steps that each make one claim, which the journal or the history proves, and hints at known
//! patterns, with their evidence. Everything here is a pure function of the [`Evidence`]; nothing is guessed: where the
//! bodies of messages cannot show a value, the explanation says so.

mod bodies;
mod calls;
mod counters;
mod evidence;
mod faults;
pub mod file;
mod ids;
mod journey;
mod logs;
mod muted;
mod patterns;
mod registers;
mod requests;
mod sets;
pub mod text;
mod transactions;
mod words;

use serde::Serialize;

pub use evidence::{Evidence, Setting};
pub use faults::{Cut, Faults, Outage};

use crate::workbench::check::Budget;
use crate::workbench::check::linearizable::RegisterViolation;
use crate::workbench::edn::Value;
use crate::workbench::history::{Op, OpKind};
use crate::workbench::network::Fate;
use crate::workbench::workload::Data;
use words::seconds;

/// How something went wrong, or how a value travelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The name of the anomaly in the results.
    pub anomaly: &'static str,
    /// What is wrong, in a sentence.
    pub title: String,
    /// The key that the value belongs to, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The value that it is about, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// In the order in which they are to be read.
    pub steps: Vec<Step>,
    /// Patterns that it shows.
    pub hints: Vec<Hint>,
}

/// One step of an explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What it claims.
    #[serde(flatten)]
    pub claim: Claim,
    /// When, in microseconds of the history.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_us: Option<i64>,
    /// The node that did it, or to which it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The index of the operation in the history.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub op: Option<u64>,
    /// The numbers of the messages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<u64>,
    /// The claim in words.
    pub sentence: String,
}

/// What a step claims of its time, node, operation and messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "claim", rename_all = "kebab-case")]
pub enum Claim {
    /// The operation is in the history at that time, as this, and the node is the one it was sent to.
    Operation {
        /// `invoke`, `ok`, `fail` or `info`.
        kind: &'static str,
    },
    /// The value of the operation has the value that is explained.
    Has,
    /// The value of the operation lacks the value that is explained.
    Lacks,
    /// The node sent these messages, which carry the value, and all came to the same end.
    Sent {
        /// The receiver.
        to: String,
        /// What became of them; `None` if they were under way at the end.
        #[serde(serialize_with = "fate_name")]
        fate: Option<Fate>,
    },
    /// The node was first given the value at that time, by this message.
    Had,
    /// After that time no message that carries the value was sent to the node, and none that was sent was delivered.
    NotSent,
    /// The node was killed or paused at that time.
    Outage,
    /// Something about the run as a whole.
    Remark,
}

#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference to the field")]
fn fate_name<S: serde::Serializer>(fate: &Option<Fate>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(fate.map_or("under-way", Fate::name))
}

/// A known pattern, and what shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hint {
    /// Its name.
    pub pattern: &'static str,
    /// The evidence.
    pub sentence: String,
}

impl Step {
    fn of(claim: Claim, sentence: String) -> Self {
        Self { claim, time_us: None, node: None, op: None, messages: Vec::new(), sentence }
    }

    /// About an operation, which the history records as this.
    fn operation(op: &Op, node: &str, sentence: String) -> Self {
        Self::of(Claim::Operation { kind: op.kind.name() }, sentence).at(op.time / 1_000).on(node).by(op)
    }

    fn remark(sentence: impl Into<String>) -> Self {
        Self::of(Claim::Remark, sentence.into())
    }

    fn at(mut self, us: i64) -> Self {
        self.time_us = Some(us);
        self
    }

    fn on(mut self, node: &str) -> Self {
        self.node = Some(node.to_owned());
        self
    }

    fn by(mut self, op: &Op) -> Self {
        self.op = Some(op.index);
        self
    }

    fn with(mut self, messages: impl IntoIterator<Item = u64>) -> Self {
        self.messages.extend(messages);
        self
    }
}

/// `acknowledged broadcast 4 (operation 57)`
fn acknowledged(node: &str, op: &Op, what: &str) -> Step {
    let verb = match op.kind {
        OpKind::Ok => "acknowledged",
        OpKind::Fail => "refused",
        OpKind::Info => "left open",
        OpKind::Invoke => "was asked to",
    };
    let sentence = format!("{node} {verb} {} {what} at {} (operation {}).", op.f, seconds(op.time / 1_000), op.index);
    Step::operation(op, node, sentence)
}

/// Something to be asked about a run, passed or failed.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// The journey of a value, of this key if it has one.
    Value {
        /// The key.
        key: Option<Value>,
        /// The value.
        value: Value,
    },
    /// What became of an operation, by its index.
    Operation(u64),
    /// What a node did.
    Node(String),
}

impl Question {
    /// The explanations that answer it.
    ///
    /// # Errors
    /// There is no such thing in the run; the text says so.
    pub fn answer(&self, evidence: &Evidence<'_>) -> Result<Vec<Explanation>, String> {
        match self {
            Self::Value { key, value } => {
                let journey = match (evidence.setting.workload.descriptor().data, key) {
                    (Data::Set, _) => sets::journey(evidence, value),
                    (Data::Logs, Some(key)) => logs::journey(evidence, key, value),
                    (Data::Lists | Data::Versions, Some(key)) => transactions::journey(evidence, key, value),
                    (Data::Logs | Data::Lists | Data::Versions, None) => {
                        return Err("a value of this workload belongs to a key: say --key, too".to_owned());
                    }
                    _ => {
                        let workload = evidence.setting.workload;
                        return Err(format!("values of {} cannot be identified in messages", workload.name()));
                    }
                };
                journey.map(|journey| vec![journey]).ok_or_else(|| format!("no client sent {}", value.to_json()))
            }
            Self::Operation(index) => requests::operation(evidence, *index)
                .map(|operation| vec![operation])
                .ok_or_else(|| format!("no operation of a client has the index {index}")),
            Self::Node(name) => {
                requests::node(evidence, name).map(|node| vec![node]).ok_or_else(|| format!("no node is called {name}"))
            }
        }
    }
}

/// What is wrong with the values of a workload.
#[derive(Debug)]
enum Wrong {
    Nothing,
    Sets(sets::SetCases),
    Logs(Vec<logs::Case>),
    Registers(Vec<(Value, RegisterViolation)>),
    Transactions(Vec<transactions::Case>),
    Counters(Vec<Op>),
    Ids(Vec<Value>),
}

impl Wrong {
    fn of(evidence: &Evidence<'_>, budget: &Budget) -> Self {
        match evidence.setting.workload.descriptor().data {
            Data::Nothing => Self::Nothing,
            Data::Ids => Self::Ids(ids::cases(evidence)),
            Data::Set => Self::Sets(sets::SetCases::of(evidence)),
            Data::Counter => Self::Counters(counters::cases(evidence)),
            Data::Logs => Self::Logs(logs::cases(evidence)),
            Data::Registers => Self::Registers(registers::cases(evidence, budget)),
            Data::Lists | Data::Versions => Self::Transactions(transactions::cases(evidence, budget)),
        }
    }

    const fn count(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Sets(cases) => cases.count(),
            Self::Logs(cases) => cases.len(),
            Self::Registers(cases) => cases.len(),
            Self::Transactions(cases) => cases.len(),
            Self::Counters(cases) => cases.len(),
            Self::Ids(cases) => cases.len(),
        }
    }

    fn explain(&self, evidence: &Evidence<'_>, most: usize) -> Vec<Explanation> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Sets(cases) => cases.explain(evidence, most),
            Self::Logs(cases) => cases.iter().take(most).map(|case| logs::explain(evidence, case)).collect(),
            Self::Registers(cases) => {
                let first = cases.iter().take(most);
                first.map(|(key, violation)| registers::explain(evidence, key, violation)).collect()
            }
            Self::Transactions(cases) => {
                cases.iter().take(most).map(|case| transactions::explain(evidence, case)).collect()
            }
            Self::Counters(cases) => cases.iter().take(most).map(|read| counters::explain(evidence, read)).collect(),
            Self::Ids(cases) => cases.iter().take(most).map(|id| ids::explain(evidence, id)).collect(),
        }
    }
}

/// The anomalies of a run that can be explained.
#[derive(Debug)]
pub struct Cases {
    mutes: usize,
    wrong: Wrong,
    failures: requests::Failures,
    patterns: Option<Explanation>,
}

impl Cases {
    /// Finds them; the most important come first. The budget is that of the checkers that search.
    #[must_use]
    pub fn of(evidence: &Evidence<'_>, budget: &Budget) -> Self {
        Self {
            mutes: evidence.journal.mutes().len(),
            wrong: Wrong::of(evidence, budget),
            failures: requests::Failures::of(evidence),
            patterns: patterns::find(evidence),
        }
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.mutes + self.wrong.count() + self.failures.count() + self.patterns.is_some() as usize
    }

    /// Explains the first `most` of them.
    #[must_use]
    pub fn explain(&self, evidence: &Evidence<'_>, most: usize) -> Vec<Explanation> {
        let wrong = self.wrong.explain(evidence, most);
        let all = muted::explain(evidence).chain(wrong).chain(self.failures.explain(evidence));
        all.chain(self.patterns.clone()).take(most).collect()
    }
}

#[cfg(test)]
mod tests;
