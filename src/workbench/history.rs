//! Histories: the invocations and completions of clients and nemesis, in order.

#[cfg(feature = "workbench")]
mod compressed;
mod read;
mod write;

use std::borrow::Cow;
use std::collections::HashMap;

use thiserror::Error;

pub use read::HistoryError;
pub use write::Format;

use crate::workbench::edn::Value;

/// The type of a line in a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpKind {
    /// The operation begins.
    Invoke,
    /// The operation took effect.
    Ok,
    /// The operation did not take effect, and never will.
    Fail,
    /// Indeterminate: it may have taken effect, or may still do so; also every operation of the nemesis.
    Info,
}

/// Who performs an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Process {
    /// A client process: thread number, plus the concurrency for each crash so far.
    Client(u64),
    /// The nemesis.
    Nemesis,
}

/// One line of a history.
#[derive(Debug, Clone, PartialEq)]
pub struct Op {
    /// Position in the history, from 0.
    pub index: u64,
    /// Nanoseconds since every node answered `init` (protocol §5, step 5).
    pub time: i64,
    /// Invocation or type of completion.
    pub kind: OpKind,
    /// The process that performs it.
    pub process: Process,
    /// The function: `broadcast`, `read`, `start-partition`, ... without the colon.
    pub f: Cow<'static, str>,
    /// The operation's value; its meaning depends on `f`.
    pub value: Value,
    /// Why it failed or is indeterminate: `:net-timeout`, `[:crash "…"]`, ...
    pub error: Option<Value>,
    /// Further keys, e.g. `:final? true` and `:exception`.
    pub extra: Vec<(Value, Value)>,
}

impl Op {
    /// Whether a client performed it.
    #[must_use]
    pub const fn is_client(&self) -> bool {
        matches!(self.process, Process::Client(_))
    }

    /// Whether it is the invocation of a client.
    #[must_use]
    pub fn is_invocation(&self) -> bool {
        self.is_client() && self.kind == OpKind::Invoke
    }

    /// Whether it carries `:final? true`: part of the reads after the last fault is healed.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.extra("final?").is_some_and(|value| *value == Value::Bool(true))
    }

    /// The value of a further key.
    #[must_use]
    pub fn extra(&self, keyword: &str) -> Option<&Value> {
        self.extra.iter().find_map(|(key, value)| (key.as_keyword() == Some(keyword)).then_some(value))
    }
}

/// An invocation or completion without its counterpart: not possible in a run, and an error for every checker.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unpaired {
    /// A completion without an invocation.
    #[error("the :{kind} at index {index} ends nothing: process {process} has no operation under way")]
    NothingUnderWay {
        /// The index of the completion.
        index: u64,
        /// `ok`, `fail` or `info`.
        kind: &'static str,
        /// Its process.
        process: u64,
    },
    /// An invocation by a process whose previous operation has not completed.
    #[error("process {process} begins an operation at index {index}, but the one from index {running} is not over")]
    Busy {
        /// The index of the second invocation.
        index: u64,
        /// The index of the first.
        running: u64,
        /// Their process.
        process: u64,
    },
}

/// The operations of a run in order, with each invocation paired with its completion.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    ops: Vec<Op>,
    partners: Vec<Option<usize>>,
    open: HashMap<u64, usize>,
    unpaired: Option<Unpaired>,
}

impl History {
    /// Appends an operation and gives it its index.
    pub fn push(&mut self, op: Op) -> &Op {
        let position = self.ops.len();
        self.append(Op { index: position as u64, ..op });
        &self.ops[position]
    }

    /// Appends an operation that already has its index. A process has one open invocation at a time: its
    /// next operation that is not an invocation completes it.
    fn append(&mut self, op: Op) {
        let position = self.ops.len();
        let mut partner = None;
        if let Process::Client(process) = op.process {
            let index = op.index;
            if op.kind == OpKind::Invoke {
                if let Some(running) = self.open.insert(process, position) {
                    let running = self.ops[running].index;
                    self.unpaired.get_or_insert(Unpaired::Busy { index, running, process });
                }
            } else {
                partner = self.open.remove(&process);
                if partner.is_none() {
                    let kind = op.kind.name();
                    self.unpaired.get_or_insert(Unpaired::NothingUnderWay { index, kind, process });
                }
            }
        }
        if let Some(invocation) = partner {
            self.partners[invocation] = Some(position);
        }
        self.partners.push(partner);
        self.ops.push(op);
    }

    /// All operations.
    #[must_use]
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// The position of the completion of an invocation, or of the invocation of a completion.
    #[must_use]
    pub fn partner(&self, position: usize) -> Option<usize> {
        self.partners.get(position).copied().flatten()
    }

    /// The first invocation or completion without its counterpart.
    #[must_use]
    pub const fn unpaired(&self) -> Option<&Unpaired> {
        self.unpaired.as_ref()
    }

    /// The sum of the lengths of all lists of integers.
    #[must_use]
    pub fn listed(&self) -> usize {
        self.ops.iter().map(|op| if let Value::Ints(list) = &op.value { list.len() } else { 0 }).sum()
    }

    /// The lines of clients, each with its position.
    pub fn client_ops(&self) -> impl Iterator<Item = (usize, &Op)> {
        self.ops.iter().enumerate().filter(|(_, op)| op.is_client())
    }

    /// The invocations of clients, each with its completion, if any.
    pub fn pairs(&self) -> impl Iterator<Item = (&Op, Option<&Op>)> {
        let invocations = self.client_ops().filter(|(_, op)| op.kind == OpKind::Invoke);
        invocations.map(|(position, op)| (op, self.partner(position).map(|completion| &self.ops[completion])))
    }

    /// The number of invocations by clients.
    #[must_use]
    pub fn invocation_count(&self) -> usize {
        self.ops.iter().filter(|op| op.is_invocation()).count()
    }
}

impl FromIterator<Op> for History {
    fn from_iter<I: IntoIterator<Item = Op>>(ops: I) -> Self {
        let mut history = Self::default();
        for op in ops {
            history.append(op);
        }
        history
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(lines: &str) -> History {
        lines.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_completion_belongs_to_the_open_invocation_of_its_process() {
        let history = history(
            "{:index 0, :time 1, :type :invoke, :process 0, :f :read, :value nil}
             {:index 1, :time 2, :type :info, :process :nemesis, :f :start-partition, :value :one}
             {:index 2, :time 3, :type :invoke, :process 1, :f :read, :value nil}
             {:index 3, :time 4, :type :ok, :process 0, :f :read, :value [1]}
             {:index 4, :time 5, :type :invoke, :process 0, :f :read, :value nil}",
        );
        let partners: Vec<_> = (0..5).map(|position| history.partner(position)).collect();
        assert_eq!(partners, [Some(3), None, None, Some(0), None]);
        assert_eq!(history.invocation_count(), 3);
        let answered: Vec<_> = history.pairs().map(|(_, completion)| completion.is_some()).collect();
        assert_eq!(answered, [true, false, false]);
    }

    #[test]
    fn a_pushed_operation_is_numbered_by_its_position() {
        let mut history = History::default();
        let (kind, process) = (OpKind::Invoke, Process::Client(0));
        let f = "read".into();
        let op = Op { index: 77, time: 0, kind, process, f, value: Value::Nil, error: None, extra: vec![] };
        history.push(op.clone());
        history.push(op);
        assert_eq!(history.ops().iter().map(|op| op.index).collect::<Vec<_>>(), [0, 1]);
    }
}
