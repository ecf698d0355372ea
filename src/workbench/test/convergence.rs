//! Whether all replicas are equal after the test, which Maelstrom's checkers hardly look at.
//!
//! The history is closed, the messages are counted, all faults are healed and the recovery pause is over. Then every
//! running node is asked for all its state that clients can read, and the first difference is reported.

use std::fmt::{self, Display};

use super::{Test, TestError};
use crate::workbench::cluster::{Cluster, Status};
use crate::workbench::edn::Value;
use crate::workbench::history::Op;
use crate::workbench::quote::cut;
use crate::workbench::workload::ConvergenceProbe;
use crate::workbench::workload::client::ErrorPolicy;

/// The maximum number of listed values in which two replicas differ.
const MAX_LISTED: usize = 8;
/// The maximum length of one of them in the summary, and of the whole list.
const MAX_CHARS: usize = 60;
const MAX_LIST_CHARS: usize = 160;

/// How often a probe is sent before a node counts as unresponsive: messages may still be lost.
const TRIES: u32 = 5;

/// The result of comparing all replicas.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Convergence {
    /// All answers were equal.
    Equal,
    /// They did not; where they differ first.
    Different(Difference),
}

/// Where replicas differ. Keys are nil where there are none.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// Two nodes answered differently.
    Values {
        /// What was asked for.
        key: Value,
        /// Each node, and some of the values that the other lacks.
        alone: [(String, Vec<Value>); 2],
    },
    /// A node did not answer.
    Silent {
        /// What was asked for.
        key: Value,
        /// The node.
        node: String,
        /// What it did instead.
        error: Value,
    },
    /// The nodes could not be asked.
    Unasked(String),
}

impl Difference {
    /// A map, as in `results.edn`.
    pub fn to_edn(&self) -> Value {
        match self {
            Self::Values { key, alone } => {
                let alone = alone.iter().map(|(node, values)| (node.as_str().into(), Value::Vector(values.clone())));
                Value::Map(std::iter::once((Value::keyword("key"), key.clone())).chain(alone).collect())
            }
            Self::Silent { key, node, error } => {
                Value::record([("key", key.clone()), ("node", node.as_str().into()), ("error", error.clone())])
            }
            Self::Unasked(why) => Value::record([("error", why.as_str().into())]),
        }
    }
}

impl Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |key: &Value| if key.is_nil() { String::new() } else { format!("key {}: ", key.to_json()) };
        let brief = |value: &Value| cut(&value.to_json(), MAX_CHARS);
        match self {
            Self::Values { key, alone } => {
                let lists = alone.each_ref().map(|(node, values)| {
                    let values: Vec<_> = values.iter().map(brief).collect();
                    let values = if values.is_empty() { "nothing".to_owned() } else { values.join(", ") };
                    format!("{node} alone has {}", cut(&values, MAX_LIST_CHARS))
                });
                write!(f, "{}{}", of(key), lists.join(", "))
            }
            Self::Silent { key, node, error } => {
                let error = error.as_str().or(error.as_keyword()).map_or_else(|| brief(error), str::to_owned);
                write!(f, "{}{node} did not answer ({error})", of(key))
            }
            Self::Unasked(why) => write!(f, "the nodes could not be asked ({why})"),
        }
    }
}

/// A node and its answers.
struct Replica {
    node: usize,
    client: usize,
    answers: Vec<Vec<Value>>,
    /// The values received so far of the next answer.
    received: Vec<Value>,
    /// Failed attempts of the current probe.
    failures: u32,
}

impl<C: Cluster> Test<'_, C> {
    /// Probes all running nodes and compares the answers; `None` if the workload has no probes.
    pub(super) fn compare(&mut self, history: &[Op]) -> Option<Convergence> {
        let questions = self.workload.convergence_probes(history);
        if questions.is_empty() {
            return None;
        }
        let difference = self.survey(&questions, history.len());
        let difference = difference.unwrap_or_else(|failure| Some(Difference::Unasked(failure.to_string())));
        Some(difference.map_or(Convergence::Equal, Convergence::Different))
    }

    fn survey(
        &mut self,
        questions: &[Box<dyn ConvergenceProbe>],
        most: usize,
    ) -> Result<Option<Difference>, TestError> {
        self.recover()?;
        let living = (0..self.config.nodes.len()).filter(|node| self.router.cluster.status(*node) == Status::Alive);
        let living: Vec<usize> = living.collect();
        let mut replicas: Vec<Replica> = Vec::new();
        for node in living {
            let client = self.router.open_client(replicas.len(), node);
            self.router.ask(client, &questions[0].request(&[]));
            replicas.push(Replica { node, client, answers: Vec::new(), received: Vec::new(), failures: 0 });
        }
        let policy = ErrorPolicy { maps_errors: true, idempotent: &[], reusable: true };
        let mut busy = replicas.len();
        while busy > 0 {
            self.router.turn(None)?;
            while let Some((owner, client, answer)) = self.router.next_answer() {
                if self.stepping.asked(client) {
                    self.on_answer(client, owner, answer);
                    continue;
                }
                let Replica { node, client, answers, received, failures } = &mut replicas[owner];
                let question = &questions[answers.len()];
                match policy.judge("compare", answer, &question.request(received).reply) {
                    Ok(reply) => {
                        *failures = 0;
                        // A log that is longer than the history would never end.
                        if !question.receive(reply, received) || received.len() > most {
                            answers.push(std::mem::take(received));
                        }
                    }
                    Err(_) if *failures + 1 < TRIES => *failures += 1,
                    Err(failure) => {
                        let (key, node) = (question.key(), self.config.nodes[*node].clone());
                        return Ok(Some(Difference::Silent { key, node, error: failure.error }));
                    }
                }
                match questions.get(answers.len()) {
                    Some(question) => self.router.ask(*client, &question.request(received)),
                    None => busy -= 1,
                }
            }
        }
        Ok(self.first_difference(questions, &replicas))
    }

    fn first_difference(&self, questions: &[Box<dyn ConvergenceProbe>], replicas: &[Replica]) -> Option<Difference> {
        let (first, others) = replicas.split_first()?;
        let differs = |at: usize| others.iter().find(|other| other.answers[at] != first.answers[at]);
        let (at, other) = (0..questions.len()).find_map(|at| Some((at, differs(at)?)))?;
        let shown = |of: &Replica, beside: &Replica| {
            let (mine, theirs) = (&of.answers[at], &beside.answers[at]);
            let alone = mine.iter().filter(|value| !theirs.contains(value));
            (self.config.nodes[of.node].clone(), alone.take(MAX_LISTED).cloned().collect())
        };
        Some(Difference::Values { key: questions[at].key(), alone: [shown(first, other), shown(other, first)] })
    }
}
