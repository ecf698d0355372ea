//! Requests to each replica after the test, whose answers are compared.
//!
//! An answer is a list of values: the elements of a set in a fixed order, the one value of a register.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::field;
use super::kafka::{is_log, is_offsets};
use super::txn::is_register_txn;
use crate::workbench::edn::Value;
use crate::workbench::history::Op;
use crate::workbench::workload::client::{Request, Schema, TIMEOUT, is_integer, is_list};

/// A question to every replica.
#[derive(Debug, Clone, PartialEq)]
pub enum ConvergenceProbe {
    /// All values of broadcast.
    Messages,
    /// All elements of a g-set.
    Elements,
    /// The total of the counter.
    Total,
    /// The value of a register.
    Register(i64),
    /// All messages of a key's log with their offsets, in pages until one is empty.
    Log(Box<str>),
    /// The committed offset of a key's log.
    Committed(Box<str>),
}

impl ConvergenceProbe {
    /// The key that it concerns; nil for workloads without keys.
    #[must_use]
    pub fn key(&self) -> Value {
        match self {
            Self::Messages | Self::Elements | Self::Total => Value::Nil,
            Self::Register(key) => Value::Int(*key),
            Self::Log(key) | Self::Committed(key) => Value::Str(key.clone()),
        }
    }

    /// The next request, given the values received so far.
    #[must_use]
    pub fn request(&self, received: &[Value]) -> Request {
        let quoted = |key: &str| serde_json::Value::from(key).to_string();
        let body = match self {
            Self::Messages | Self::Elements | Self::Total => "{\"type\":\"read\"}".to_owned(),
            Self::Register(key) => format!("{{\"type\":\"txn\",\"txn\":[[\"r\",{key},null]]}}"),
            Self::Log(key) => {
                let next = received.iter().filter_map(|pair| pair.items()?.next()?.as_int()).max();
                let next = next.map_or(0, |offset| offset.saturating_add(1));
                format!("{{\"type\":\"poll\",\"offsets\":{{{}:{next}}}}}", quoted(key))
            }
            Self::Committed(key) => format!("{{\"type\":\"list_committed_offsets\",\"keys\":[{}]}}", quoted(key)),
        };
        Request { body, reply: self.reply(), timeout: TIMEOUT }
    }

    /// The schema of a valid reply.
    #[must_use]
    pub const fn reply(&self) -> Schema {
        match self {
            Self::Messages => Schema { kind: "read_ok", fields: &[("messages", is_list)] },
            Self::Elements => Schema { kind: "read_ok", fields: &[("value", is_list)] },
            Self::Total => Schema { kind: "read_ok", fields: &[("value", is_integer)] },
            Self::Register(_) => Schema { kind: "txn_ok", fields: &[("txn", is_register_txn)] },
            Self::Log(_) => Schema { kind: "poll_ok", fields: &[("msgs", is_log)] },
            Self::Committed(_) => Schema { kind: "list_committed_offsets_ok", fields: &[("offsets", is_offsets)] },
        }
    }

    /// Adds the values of a valid reply to those received; returns whether there may be more.
    pub fn receive(&self, reply: Vec<(Box<str>, Value)>, received: &mut Vec<Value>) -> bool {
        let before = received.len();
        let items = |value: &Value| value.items().into_iter().flatten().map(Cow::into_owned).collect::<Vec<_>>();
        match self {
            Self::Messages | Self::Elements => {
                let name = if *self == Self::Messages { "messages" } else { "value" };
                *received = items(&field(reply, name));
                received
                    .sort_by_cached_key(|value| (value.as_int(), value.as_int().is_none().then(|| value.to_string())));
                received.dedup();
            }
            Self::Total => received.push(field(reply, "value")),
            Self::Register(_) => received.extend(items(&field(reply, "txn")).iter().flat_map(items).nth(2)),
            Self::Log(key) => received.extend(items(&under(&field(reply, "msgs"), key))),
            Self::Committed(key) => received.push(under(&field(reply, "offsets"), key)),
        }
        matches!(self, Self::Log(_)) && received.len() > before
    }
}

/// The value of a key in a map, or nil.
fn under(map: &Value, key: &str) -> Value {
    let entries = map.entries().unwrap_or_default().iter();
    entries.filter(|(name, _)| name.as_str() == Some(key)).map(|(_, value)| value.clone()).next().unwrap_or_default()
}

/// The keys that clients wrote, or tried to.
pub(super) fn written(history: &[Op]) -> BTreeSet<String> {
    history.iter().filter(|op| op.is_invocation()).flat_map(keys_of).collect()
}

/// The keys that an operation writes: `[[:w 5 1]]`, `[[:send "5" 1]]`.
fn keys_of(op: &Op) -> Vec<String> {
    let steps = if let Value::Vector(steps) = &op.value { steps.as_slice() } else { &[] };
    let key = |step: &Value| {
        let Value::Vector(parts) = step else { return None };
        match (parts.first()?.as_keyword()?, parts.get(1)?) {
            ("w", Value::Int(key)) => Some(key.to_string()),
            ("send", Value::Str(key)) => Some(key.to_string()),
            _ => None,
        }
    };
    steps.iter().filter_map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::history::History;
    use crate::workbench::json;

    fn reply(name: &str, text: &str) -> Vec<(Box<str>, Value)> {
        vec![(name.into(), json::value(text).expect("JSON"))]
    }

    #[test]
    fn every_key_that_was_written_is_asked_for_once() {
        for (value, keys) in [
            ("[[:w 7 1] [:r 9 nil] [:w 5 2] [:w 7 2]]", &["5", "7"][..]),
            ("[[:send \"5\" 1]]", &["5"]),
            ("[[:poll]]", &[]),
            ("nil", &[]),
        ] {
            let line = format!("{{:index 0, :time 0, :type :invoke, :process 0, :f :txn, :value {value}}}\n");
            let history: History = line.parse().expect("a history");
            assert_eq!(written(history.ops()), keys.iter().map(ToString::to_string).collect());
        }
    }

    #[test]
    fn a_log_is_read_to_its_end() {
        let log = ConvergenceProbe::Log("5".into());
        let mut received = Vec::new();
        assert_eq!(log.request(&received).body, r#"{"type":"poll","offsets":{"5":0}}"#);
        assert!(log.receive(reply("msgs", r#"{"5":[[0,7],[3,8]]}"#), &mut received));
        assert_eq!(log.request(&received).body, r#"{"type":"poll","offsets":{"5":4}}"#);
        assert!(!log.receive(reply("msgs", r#"{"5":[]}"#), &mut received));
        assert_eq!(received, [Value::ints(vec![0, 7]), Value::ints(vec![3, 8])]);
    }

    #[test]
    fn sets_are_equal_in_any_order() {
        let set = ConvergenceProbe::Messages;
        let (mut one, mut other) = (Vec::new(), Vec::new());
        assert!(!set.receive(reply("messages", r#"[3,"b",1,2]"#), &mut one));
        assert!(!set.receive(reply("messages", r#"[1,2,2,3,"b"]"#), &mut other));
        assert_eq!(one, other);
    }

    #[test]
    fn a_register_a_total_and_an_offset_are_single_values() {
        for (question, name, text) in [
            (ConvergenceProbe::Register(5), "txn", r#"[["r",5,8]]"#),
            (ConvergenceProbe::Total, "value", "8"),
            (ConvergenceProbe::Committed("5".into()), "offsets", r#"{"5":8}"#),
        ] {
            let mut received = Vec::new();
            assert!(!question.receive(reply(name, text), &mut received));
            assert_eq!(received, [Value::Int(8)], "{question:?}");
        }
    }
}
