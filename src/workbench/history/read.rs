//! Reads `history.edn`, of `gloomers` or of Maelstrom.

#[cfg(feature = "workbench")]
use std::io::Read;
use std::str::FromStr;

use thiserror::Error;

use super::{History, Op, OpKind, Process};
use crate::workbench::edn::{ReadError, Reader, Value};

/// Why a text is not a history.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HistoryError {
    /// It is not EDN.
    #[error("the history is not EDN: {0}")]
    Edn(#[from] ReadError),
    /// It cannot be decompressed.
    #[cfg(feature = "workbench")]
    #[error("the history cannot be unpacked: {0}")]
    Packed(String),
    /// It is EDN, but a value in it is not an operation.
    #[error("the operation before the end of line {line} of the history {problem}")]
    Op {
        /// The line on which the operation ends, from 1.
        line: usize,
        /// What is wrong with the operation.
        problem: &'static str,
    },
    /// The completion of an operation has another `:f` than its invocation.
    #[error("the :{ended} at index {index} of the history ends an operation that began as :{begun}")]
    Turned {
        /// The index of the completion.
        index: u64,
        /// The `:f` of the invocation.
        begun: String,
        /// The `:f` of the completion.
        ended: String,
    },
}

impl HistoryError {
    /// The same error with line numbers increased by the lines before the text.
    fn below(mut self, lines: usize) -> Self {
        if let Self::Op { line, .. } | Self::Edn(ReadError { line, .. }) = &mut self {
            *line += lines;
        }
        self
    }
}

/// The operations of a text, one after the other or in one vector, as maps or `#jepsen.history.Op{...}`.
impl FromStr for History {
    type Err = HistoryError;

    fn from_str(text: &str) -> Result<Self, HistoryError> {
        let mut history = Self::default();
        history.take_all(&mut Reader::new(text))?;
        history.in_pairs()
    }
}

impl History {
    /// Reads a file compressed with Zstandard, by `gloomers` or another tool, with one operation on each line, so that
    /// the whole text is never in memory.
    #[cfg(feature = "workbench")]
    pub(crate) fn read_compressed(from: impl Read) -> Result<Self, HistoryError> {
        use std::io::{BufRead as _, BufReader};

        let unpacked = |error: &dyn std::fmt::Display| HistoryError::Packed(error.to_string());
        let decoder = ruzstd::decoding::StreamingDecoder::new(from).map_err(|error| unpacked(&error))?;
        let mut from = BufReader::with_capacity(1 << 20, decoder);
        let (mut history, mut lists, mut text) =
            (Self::default(), crate::workbench::edn::Lists::default(), String::new());
        for line in 0.. {
            text.clear();
            if from.read_line(&mut text).map_err(|error| unpacked(&error))? == 0 {
                break;
            }
            let mut reader = Reader::knowing(&text, lists);
            history.take_all(&mut reader).map_err(|error| error.below(line))?;
            lists = reader.into_lists();
        }
        history.in_pairs()
    }

    fn take_all(&mut self, reader: &mut Reader<'_>) -> Result<(), HistoryError> {
        while let Some(value) = reader.next_value()? {
            let ops = if let Value::Vector(ops) = value { ops } else { vec![value] };
            for op in ops {
                let taken = self.take(op);
                taken.map_err(|problem| HistoryError::Op { line: reader.line(), problem })?;
            }
        }
        Ok(())
    }

    /// The history, unless a completion has another `:f` than its invocation.
    fn in_pairs(self) -> Result<Self, HistoryError> {
        for (begun, ended) in self.pairs() {
            if let Some(ended) = ended.filter(|ended| ended.f != begun.f) {
                let (index, begun, ended) = (ended.index, begun.f.to_string(), ended.f.to_string());
                return Err(HistoryError::Turned { index, begun, ended });
            }
        }
        Ok(self)
    }

    /// Appends the operation that a map describes. Time does not run back, and indices rise; where the first operation
    /// has none, each is numbered by its position.
    fn take(&mut self, value: Value) -> Result<(), &'static str> {
        let (index, mut op) = Op::from_value(value)?;
        let position = self.ops.len() as u64;
        op.index = index.unwrap_or(position);
        if let Some(last) = self.ops.last() {
            if op.index <= last.index {
                return Err("has an :index that is not above the one before");
            }
            if op.time < last.time {
                return Err("has a :time before that of the operation before it");
            }
        }
        self.append(op);
        Ok(())
    }
}

/// The time of an operation without one, as in Jepsen.
const NO_TIME: i64 = -1;

impl Op {
    /// The operation that a map describes, and its index if it has one.
    fn from_value(value: Value) -> Result<(Option<u64>, Self), &'static str> {
        let value = if let Value::Tagged(tag, inner) = value {
            if &*tag != "jepsen.history.Op" {
                return Err("is a tagged value, but no #jepsen.history.Op");
            }
            *inner
        } else {
            value
        };
        let Value::Map(entries) = value else { return Err("is not a map") };
        let (mut index, mut time, mut kind, mut process, mut f, mut result) = (None, None, None, None, None, None);
        let (mut error, mut extra) = (None, Vec::new());
        for (key, value) in entries {
            let known = match key.as_keyword() {
                Some("index") => put(&mut index, natural(&value).ok_or("has an :index that is not a position")?),
                Some("time") => put(&mut time, value.as_int().ok_or("has a :time that is not an integer")?),
                Some("type") => {
                    put(&mut kind, kind_of(&value).ok_or("has a :type other than :invoke, :ok, :fail and :info")?)
                }
                Some("process") => {
                    let problem = "has a :process that is neither a number nor :nemesis";
                    put(&mut process, process_of(&value).ok_or(problem)?)
                }
                Some("f") => {
                    let Value::Keyword(name) = value else { return Err("has an :f that is not a keyword") };
                    put(&mut f, name)
                }
                Some("value") => put(&mut result, value),
                Some("error") => put(&mut error, value),
                _ => {
                    extra.push((key, value));
                    Ok(())
                }
            };
            known?;
        }
        let op = Self {
            index: 0,
            time: time.unwrap_or(NO_TIME),
            kind: kind.ok_or("has no :type")?,
            process: process.ok_or("has no :process")?,
            f: f.ok_or("has no :f")?,
            value: result.unwrap_or_default(),
            error,
            extra,
        };
        Ok((index, op))
    }
}

/// Sets the value of a key, which may occur only once.
fn put<T>(place: &mut Option<T>, value: T) -> Result<(), &'static str> {
    if place.replace(value).is_some() { Err("has a key twice") } else { Ok(()) }
}

fn natural(value: &Value) -> Option<u64> {
    value.as_int().and_then(|number| u64::try_from(number).ok())
}

fn kind_of(value: &Value) -> Option<OpKind> {
    match value.as_keyword()? {
        "invoke" => Some(OpKind::Invoke),
        "ok" => Some(OpKind::Ok),
        "fail" => Some(OpKind::Fail),
        "info" => Some(OpKind::Info),
        _ => None,
    }
}

fn process_of(value: &Value) -> Option<Process> {
    if value.as_keyword() == Some("nemesis") { Some(Process::Nemesis) } else { natural(value).map(Process::Client) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        text.parse::<History>().expect_err(text).to_string()
    }

    #[test]
    fn operations_are_read_as_maps_or_records_or_in_a_vector() {
        let map =
            "{:index 4, :time -1, :type :ok, :process 3, :f :read, :value [1], :final? true, :error :net-timeout}";
        for text in [map.to_owned(), format!("#jepsen.history.Op{map}"), format!("[{map}]")] {
            let history: History = text.parse().expect("a history");
            let [op] = history.ops() else { panic!("one operation") };
            assert_eq!((op.index, op.time, op.kind, op.process), (4, -1, OpKind::Ok, Process::Client(3)));
            assert_eq!(op.error, Some(Value::keyword("net-timeout")));
            assert!(op.is_final());
        }
    }

    #[test]
    fn what_is_no_operation_is_refused_with_its_line() {
        assert_eq!(problem("\n7"), "the operation before the end of line 2 of the history is not a map");
        assert_eq!(problem("{:type :ok}"), "the operation before the end of line 1 of the history has no :process");
        assert_eq!(problem("{:type :ok"), "the history is not EDN: line 1, column 1: a collection that never ends");
        let twice = "{:type :ok, :process 0, :f :read, :type :ok}";
        let tagged = "#inst{:type :ok, :process 0, :f :read}";
        let bad = ["{:type :maybe}", "{:process \"x\"}", "{:index -1}", "{:f 1}", "{:process 0}"];
        for text in bad.into_iter().chain(["{:type :ok, :process 0}", twice, tagged]) {
            assert!(problem(text).starts_with("the operation before"), "{text}");
        }
    }

    fn op(rest: &str) -> String {
        format!("{{:type :invoke, :process 0, {rest}}}\n")
    }

    #[test]
    fn where_there_are_no_indices_positions_are() {
        let history: History = [op(":f :read"), op(":f :read")].concat().parse().expect("a history");
        assert_eq!(history.ops().iter().map(|op| op.index).collect::<Vec<_>>(), [0, 1]);
        let history: History = [op(":f :read, :index 3"), op(":f :read, :index 7")].concat().parse().expect("sparse");
        assert_eq!(history.ops().iter().map(|op| op.index).collect::<Vec<_>>(), [3, 7]);
    }

    #[test]
    fn neither_indices_nor_time_run_back_and_an_operation_ends_as_what_it_began() {
        let again = [op(":f :read, :index 3, :time 5"), op(":f :read, :index 3, :time 5")].concat();
        assert!(problem(&again).ends_with("line 2 of the history has an :index that is not above the one before"));
        let missing = [op(":f :read, :index 3"), op(":f :read")].concat();
        assert!(problem(&missing).contains("line 2"), "{}", problem(&missing));
        let back = [op(":f :read, :time 5"), op(":f :read, :time 4")].concat();
        assert!(problem(&back).ends_with("has a :time before that of the operation before it"));
        let turned = op(":f :read") + "{:type :ok, :process 0, :f :write}";
        assert_eq!(problem(&turned), "the :write at index 1 of the history ends an operation that began as :read");
    }
}
