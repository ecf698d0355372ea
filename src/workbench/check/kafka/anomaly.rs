//! The anomalies of a log, as results in Maelstrom's format and as sentences.

use crate::workbench::edn::Value;
use crate::workbench::history::Op;
use crate::workbench::quote::quote;

/// The maximum number of values in a sentence.
const MAX_LISTED: usize = 8;

anomalies! {
    /// A kind of error.
    LogAnomaly {
        /// A poll returned a message whose send failed.
        AbortedRead = "G1a",
        /// A poll completed before the send of its message was invoked.
        RealtimeCycle = "G1c-realtime",
        /// A message is at several offsets.
        Duplicate = "duplicate",
        /// The dependency graph is empty.
        EmptyGraph = "empty-transaction-graph",
        /// Several messages are at one offset.
        InconsistentOffsets = "inconsistent-offsets",
        /// One operation polled backwards.
        IntNonmonotonicPoll = "int-nonmonotonic-poll",
        /// One operation sent backwards.
        IntNonmonotonicSend = "int-nonmonotonic-send",
        /// One operation skipped messages in its polls.
        IntPollSkip = "int-poll-skip",
        /// Other messages are between those that one operation sent.
        IntSendSkip = "int-send-skip",
        /// A message was never polled, although a later one was.
        LostWrite = "lost-write",
        /// A process polled backwards.
        NonmonotonicPoll = "nonmonotonic-poll",
        /// A process sent backwards.
        NonmonotonicSend = "nonmonotonic-send",
        /// A process skipped messages from one poll to the next.
        PollSkip = "poll-skip",
        /// A transaction polled what it sends itself.
        PrecommittedRead = "precommitted-read",
        /// A [`Self::RealtimeCycle`] exists.
        CycleExists = "strong-PL-2-cycle-exists",
        /// An acknowledged message was never polled.
        Unseen = "unseen",
    }
}

impl LogAnomaly {
    /// Whether it does not make a run invalid; Jepsen allows cycles of writes as well, which are not looked for here.
    pub(super) const fn is_allowed(self) -> bool {
        matches!(self, Self::IntSendSkip)
    }

    /// Whether messages were skipped; the gravest of those errors are shown, the first of others.
    pub(super) const fn is_skip(self) -> bool {
        matches!(self, Self::IntPollSkip | Self::IntSendSkip | Self::PollSkip)
    }

    /// How many errors of the kind a result shows, sorted by [`LogCase::rank`]; of some, all as they were found.
    pub(super) fn shown(self) -> Option<usize> {
        let as_found = [
            Self::AbortedRead,
            Self::PrecommittedRead,
            Self::LostWrite,
            Self::EmptyGraph,
            Self::CycleExists,
            Self::Unseen,
        ];
        if as_found.contains(&self) {
            return None;
        }
        Some(if matches!(self, Self::Duplicate | Self::InconsistentOffsets) { 32 } else { 8 })
    }
}

/// One error, with the operations that show it.
#[allow(missing_docs, reason = "each variant says what it holds, under the names of the results")]
#[derive(Debug, Clone, PartialEq)]
pub enum LogCase {
    /// A message of a failed send, and who polled it.
    AbortedRead { key: Value, value: Value, writer: Op, reader: Op },
    /// A message that was polled before it was sent.
    RealtimeCycle { key: Value, value: Value, sent: Op, polled: Op },
    /// The indices of the operations that depend on each other.
    CycleExists { indices: Vec<u64> },
    /// There is nothing to show.
    EmptyGraph,
    /// A message and its offsets.
    Duplicate { key: Value, value: Value, offsets: Vec<i64> },
    /// An offset, its place among those of the log, and the messages there.
    InconsistentOffsets { key: Value, offset: i64, index: usize, values: Vec<Value> },
    /// A message that was never polled, its position in the log, and the last message that was polled.
    LostWrite { key: Value, value: Value, index: usize, max_read_index: usize, writer: Op, max_read: Option<Op> },
    /// A message that a transaction both sends and polls.
    PrecommittedRead { key: Value, value: Value, op: Op },
    /// Two messages out of order.
    Sequence(Sequence),
    /// All messages that were never polled.
    Unseen(UnseenMessages),
}

/// Two messages that should be adjacent, or in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequence {
    /// The log.
    pub key: Value,
    /// The messages, or nil.
    pub values: [Value; 2],
    /// The distance from the first to the second; 1 is correct.
    pub delta: i64,
    /// The messages between them.
    pub skipped: Vec<Value>,
    /// The operation with both messages, or the two operations.
    pub ops: Vec<Op>,
}

/// Messages that were acknowledged but not polled by the time of the last successful send or poll.
#[derive(Debug, Clone, PartialEq)]
pub struct UnseenMessages {
    /// The time of that operation in nanoseconds.
    pub time: i64,
    /// For each log the number of messages, and the first of them.
    pub by_key: Vec<(Value, usize, Vec<Value>)>,
}

impl LogCase {
    pub(super) fn count(&self) -> usize {
        if let Self::Unseen(unseen) = self { unseen.by_key.iter().map(|(_, count, _)| count).sum() } else { 1 }
    }
    pub(super) fn rank(&self) -> i64 {
        let length = |length: usize| length.cast_signed() as i64;
        if let Self::Duplicate { offsets, .. } = self {
            return length(offsets.len());
        }
        if let Self::InconsistentOffsets { values, .. } = self {
            return length(values.len());
        }
        if let Self::Sequence(sequence) = self { sequence.delta } else { 0 }
    }

    pub(super) fn to_edn(&self, anomaly: LogAnomaly) -> Value {
        let shown = |op: &Option<Op>| op.as_ref().map_or(Value::Nil, Op::to_value);
        let key = |key: &Value| ("key", key.clone());
        let value = |value: &Value| ("value", value.clone());
        match self {
            Self::AbortedRead { key: log, value: message, writer, reader } => {
                Value::record([key(log), value(message), ("writer", writer.to_value()), ("reader", reader.to_value())])
            }
            Self::RealtimeCycle { key: log, value: message, sent, polled } => {
                let kind = Value::keyword("wr");
                let steps = vec![
                    Value::record([("type", kind), key(log), value(message)]),
                    Value::record([("type", Value::keyword("realtime"))]),
                ];
                Value::record([
                    ("cycle", Value::Vector(vec![sent.to_value(), polled.to_value(), sent.to_value()])),
                    ("steps", Value::List(steps)),
                    ("type", Value::keyword(anomaly.name())),
                ])
            }
            Self::CycleExists { indices } => {
                let subgraph = ["union", "ww", "wwp", "wr", "wrp", "realtime"].map(Value::keyword);
                Value::record([
                    ("type", Value::keyword(anomaly.name())),
                    ("not", Value::keyword(MODEL)),
                    ("subgraph", Value::Vector(subgraph.into())),
                    ("scc-size", Value::count(indices.len())),
                    ("scc", Value::Set(indices.iter().map(|index| Value::Int(index.cast_signed())).collect())),
                ])
            }
            Self::EmptyGraph => true.into(),
            Self::Duplicate { key: log, value: message, offsets } => Value::record([
                key(log),
                value(message),
                ("count", Value::count(offsets.len())),
                ("offsets", Value::ints(offsets.clone())),
            ]),
            Self::InconsistentOffsets { key: log, offset, index, values } => Value::record([
                key(log),
                ("offset", Value::Int(*offset)),
                ("index", Value::count(*index)),
                ("values", Value::Set(values.clone())),
            ]),
            Self::LostWrite { key: log, value: message, index, max_read_index, writer, max_read } => Value::record([
                key(log),
                value(message),
                ("index", Value::count(*index)),
                ("max-read-index", Value::count(*max_read_index)),
                ("writer", writer.to_value()),
                ("max-read", shown(max_read)),
            ]),
            Self::PrecommittedRead { key: log, value: message, op } => {
                Value::record([("op", op.to_value()), key(log), value(message)])
            }
            Self::Sequence(sequence) => sequence.to_edn(anomaly),
            Self::Unseen(unseen) => unseen.to_edn(),
        }
    }

    pub(super) fn sentences(&self, anomaly: LogAnomaly) -> Vec<String> {
        let of = |op: &Op| op.process.to_value();
        let sentence = match self {
            Self::AbortedRead { key, value, writer, reader } => {
                let (key, value, writer, reader) = (plain(key), plain(value), of(writer), of(reader));
                format!("key {key}: process {reader} polled {value}, which process {writer} had failed to send")
            }
            Self::RealtimeCycle { key, value, .. } => {
                let (key, value) = (plain(key), plain(value));
                format!("key {key}: a poll that brought {value} was over before the send of it began")
            }
            Self::CycleExists { indices } => {
                let count = indices.len();
                format!("{count} operations depend on each other in a circle, as they may not under {MODEL}")
            }
            Self::EmptyGraph => "no poll brought anything, so that nothing depends on anything".to_owned(),
            Self::Duplicate { key, value, offsets } => {
                let offsets: Vec<_> = offsets.iter().copied().map(Value::Int).collect();
                format!("key {}: {} is at offsets {}", plain(key), plain(value), list(&offsets))
            }
            Self::InconsistentOffsets { key, offset, values, .. } => {
                let both = if values.len() == 2 { "both " } else { "" };
                format!("key {}, offset {offset} is {both}{}", plain(key), list(values))
            }
            Self::LostWrite { key, value, writer, .. } => {
                let (key, value, writer) = (plain(key), plain(value), of(writer));
                format!(
                    "key {key}: process {writer} sent {value}, but no poll brought it, though polls brought later \
                     messages"
                )
            }
            Self::PrecommittedRead { key, value, op } => {
                let (key, value, op) = (plain(key), plain(value), of(op));
                format!("key {key}: process {op} polled {value} in the transaction that sends it")
            }
            Self::Sequence(sequence) => sequence.sentence(anomaly),
            Self::Unseen(unseen) => return unseen.sentences().collect(),
        };
        vec![sentence]
    }
}

/// The model that a cycle in time rules out.
const MODEL: &str = "strong-read-committed";

impl Sequence {
    fn to_edn(&self, anomaly: LogAnomaly) -> Value {
        let mut entries = vec![("key", self.key.clone())];
        if anomaly != LogAnomaly::PollSkip {
            entries.push(("values", self.values.iter().cloned().collect()));
        }
        entries.push(("delta", Value::Int(self.delta)));
        if anomaly.is_skip() {
            entries.push(("skipped", Value::List(self.skipped.clone())));
        }
        match &self.ops[..] {
            [op] => entries.push(("op", op.to_value())),
            ops => entries.push(("ops", Value::Vector(ops.iter().map(Op::to_value).collect()))),
        }
        Value::record(entries)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "no other anomaly is of a sequence")]
    fn sentence(&self, anomaly: LogAnomaly) -> String {
        let key = plain(&self.key);
        let process = self.ops.first().map_or(Value::Nil, |op| op.process.to_value());
        let [first, second] = self.values.each_ref().map(plain);
        let skipped = || list(&self.skipped);
        match anomaly {
            LogAnomaly::IntPollSkip => format!(
                "key {key}: one poll of process {process} brought {first} and {second}, but not {} between them",
                skipped()
            ),
            LogAnomaly::IntNonmonotonicPoll => format!(
                "key {key}: one poll of process {process} brought {first} and then {second}, which is not after it"
            ),
            LogAnomaly::IntSendSkip => format!(
                "key {key}: {} came between {first} and {second}, which process {process} sent in one transaction",
                skipped()
            ),
            LogAnomaly::IntNonmonotonicSend => format!(
                "key {key}: process {process} sent {first} and then {second} in one transaction, but {second} is not \
                 after it"
            ),
            LogAnomaly::PollSkip => {
                format!("key {key}: process {process} polled on beyond {}, which it never saw", skipped())
            }
            LogAnomaly::NonmonotonicPoll => format!(
                "key {key}: process {process} polled {first} and in its next poll {second}, which is not after it"
            ),
            _ => format!(
                "key {key}: process {process} sent {first} and later {second}, but {second} is not after {first}"
            ),
        }
    }
}

impl UnseenMessages {
    fn to_edn(&self) -> Value {
        let counts = self.by_key.iter().map(|(key, count, _)| (key.clone(), Value::count(*count)));
        let messages = self.by_key.iter().map(|(key, _, first)| (key.clone(), Value::List(first.clone())));
        Value::record([
            ("time", Value::Int(self.time)),
            ("unseen", Value::Map(counts.collect())),
            ("messages", Value::Map(messages.collect())),
        ])
    }

    fn sentences(&self) -> impl Iterator<Item = String> + '_ {
        self.by_key
            .iter()
            .map(|(key, _, first)| format!("key {}: acknowledged, but brought by no poll: {}", plain(key), list(first)))
    }
}

/// A value as text, strings without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_json(), quote)
}

/// `1, 2 and 3`
fn list(values: &[Value]) -> String {
    let all: Vec<String> = values.iter().map(plain).collect();
    match all.split_last() {
        None => "nothing".to_owned(),
        Some((only, [])) => only.clone(),
        Some(_) if all.len() > MAX_LISTED => {
            format!("{} and {} more", all[..MAX_LISTED].join(", "), all.len() - MAX_LISTED)
        }
        Some((end, others)) => format!("{} and {end}", others.join(", ")),
    }
}
