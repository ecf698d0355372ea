//! Reads `history.edn`, ours or Maelstrom's own.

use std::str::FromStr;

use thiserror::Error;

use super::{History, Kind, Op, Process};
use crate::workbench::edn::{ReadError, Reader, Value};

/// Why a text is no history.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HistoryError {
    /// It is not EDN.
    #[error("the history is not EDN: {0}")]
    Edn(#[from] ReadError),
    /// It is EDN, but a value in it is no operation.
    #[error("the operation before the end of line {line} of the history {problem}")]
    Op {
        /// The line on which the operation ends, from 1.
        line: usize,
        /// What is wrong with the operation.
        problem: &'static str,
    },
}

/// The operations of a text, one after the other or in one vector, as maps or `#jepsen.history.Op{...}`.
impl FromStr for History {
    type Err = HistoryError;

    fn from_str(text: &str) -> Result<Self, HistoryError> {
        let mut history = Self::default();
        let mut reader = Reader::new(text);
        while let Some(value) = reader.next_value()? {
            let refuse = |problem, reader: &Reader<'_>| HistoryError::Op { line: reader.line(), problem };
            if let Value::Vector(ops) = value {
                for op in ops {
                    history.append(Op::from_value(op).map_err(|problem| refuse(problem, &reader))?);
                }
            } else {
                history.append(Op::from_value(value).map_err(|problem| refuse(problem, &reader))?);
            }
        }
        Ok(history)
    }
}

impl Op {
    /// The operation that a map describes.
    fn from_value(value: Value) -> Result<Self, &'static str> {
        let value = if let Value::Tagged(_, inner) = value { *inner } else { value };
        let Value::Map(entries) = value else { return Err("is no map") };
        let mut op = Self {
            index: 0,
            time: 0,
            kind: Kind::Info,
            process: Process::Nemesis,
            f: "".into(),
            value: Value::Nil,
            error: None,
            extra: Vec::new(),
        };
        let (mut has_kind, mut has_process) = (false, false);
        for (key, value) in entries {
            match key.as_keyword() {
                Some("index") => op.index = natural(&value).ok_or("has an :index that is no position")?,
                Some("time") => op.time = value.as_int().ok_or("has a :time that is no integer")?,
                Some("type") => {
                    op.kind = kind(&value).ok_or("has a :type other than :invoke, :ok, :fail and :info")?;
                    has_kind = true;
                }
                Some("process") => {
                    op.process = process(&value).ok_or("has a :process that is neither a number nor :nemesis")?;
                    has_process = true;
                }
                Some("f") => {
                    let Value::Keyword(name) = value else { return Err("has an :f that is no keyword") };
                    op.f = name;
                }
                Some("value") => op.value = value,
                Some("error") => op.error = Some(value),
                _ => op.extra.push((key, value)),
            }
        }
        if !has_kind {
            return Err("has no :type");
        }
        if has_process { Ok(op) } else { Err("has no :process") }
    }
}

fn natural(value: &Value) -> Option<u64> {
    value.as_int().and_then(|number| u64::try_from(number).ok())
}

fn kind(value: &Value) -> Option<Kind> {
    match value.as_keyword()? {
        "invoke" => Some(Kind::Invoke),
        "ok" => Some(Kind::Ok),
        "fail" => Some(Kind::Fail),
        "info" => Some(Kind::Info),
        _ => None,
    }
}

fn process(value: &Value) -> Option<Process> {
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
            assert_eq!((op.index, op.time, op.kind, op.process), (4, -1, Kind::Ok, Process::Client(3)));
            assert_eq!(op.error, Some(Value::keyword("net-timeout")));
            assert!(op.is_final());
        }
    }

    #[test]
    fn what_is_no_operation_is_refused_with_its_line() {
        assert_eq!(problem("\n7"), "the operation before the end of line 2 of the history is no map");
        assert_eq!(problem("{:type :ok}"), "the operation before the end of line 1 of the history has no :process");
        assert_eq!(problem("{:type :ok"), "the history is not EDN: line 1, column 1: a collection that never ends");
        for text in ["{:type :maybe}", "{:process \"x\"}", "{:index -1}", "{:f 1}", "{:process 0}"] {
            assert!(problem(text).starts_with("the operation before"), "{text}");
        }
    }
}
