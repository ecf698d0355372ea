//! Whether all replicas are equal after the test, which Maelstrom's checkers hardly look at.
//!
//! The history is closed, the messages are counted, all faults are healed and the recovery pause is over. Then every
//! running node is asked for all its state that clients can read, and the first difference is reported.

use super::{RECOVERY, Test, TestError};
use crate::workbench::cluster::{Cluster, Status};
use crate::workbench::edn::Value;
use crate::workbench::history::Op;
use crate::workbench::workload::ConvergenceProbe;
use crate::workbench::workload::client::ErrorPolicy;

/// How many of the values in which two replicas differ are reported.
const MOST_VALUES: usize = 8;

/// How often a probe is sent before a node counts as unresponsive: messages may still be lost.
const TRIES: u32 = 5;

/// The result of comparing all replicas.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Convergence {
    /// All answers were equal.
    Equal,
    /// They were not: a map of the key and, for two nodes, the values that the other lacks; or of the key and a node
    /// that did not answer.
    Different(Value),
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
        let difference = self.survey(&questions, history.len()).unwrap_or_else(|failure| {
            let error = Value::str(failure.to_string());
            Some(Value::record([("error", error)]))
        });
        Some(difference.map_or(Convergence::Equal, Convergence::Different))
    }

    fn survey(&mut self, questions: &[ConvergenceProbe], most: usize) -> Result<Option<Value>, TestError> {
        for act in self.nemesis.last_acts() {
            self.act(act)?;
            self.drain()?;
        }
        self.router.network.end_random_faults();
        self.rest(RECOVERY)?;
        let living = (0..self.plan.nodes.len()).filter(|node| self.router.cluster.status(*node) == Status::Alive);
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
            while let Some((owner, _, answer)) = self.router.next_answer() {
                let Replica { node, client, answers, received, failures } = &mut replicas[owner];
                let question = &questions[answers.len()];
                match policy.judge("compare", answer, &question.reply()) {
                    Ok(reply) => {
                        *failures = 0;
                        // A log that is longer than the history would never end.
                        if !question.receive(reply, received) || received.len() > most {
                            answers.push(std::mem::take(received));
                        }
                    }
                    Err(_) if *failures + 1 < TRIES => *failures += 1,
                    Err(failure) => return Ok(Some(self.silence(*node, question, failure.error))),
                }
                match questions.get(answers.len()) {
                    Some(question) => self.router.ask(*client, &question.request(received)),
                    None => busy -= 1,
                }
            }
        }
        Ok(self.first_difference(questions, &replicas))
    }

    fn silence(&self, node: usize, question: &ConvergenceProbe, error: Value) -> Value {
        let node = Value::str(self.plan.nodes[node].as_str());
        Value::record([("key", question.key()), ("node", node), ("error", error)])
    }

    fn first_difference(&self, questions: &[ConvergenceProbe], replicas: &[Replica]) -> Option<Value> {
        let (first, others) = replicas.split_first()?;
        let differs = |at: usize| others.iter().find(|other| other.answers[at] != first.answers[at]);
        let (at, other) = (0..questions.len()).find_map(|at| Some((at, differs(at)?)))?;
        let shown = |of: &Replica, beside: &Replica| {
            let (mine, theirs) = (&of.answers[at], &beside.answers[at]);
            let alone = mine.iter().filter(|value| !theirs.contains(value));
            let name = Value::str(self.plan.nodes[of.node].as_str());
            (name, Value::Vector(alone.take(MOST_VALUES).cloned().collect()))
        };
        let key = (Value::keyword("key"), questions[at].key());
        Some(Value::Map(vec![key, shown(first, other), shown(other, first)]))
    }
}
