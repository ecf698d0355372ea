//! What a replica is asked when all is over, to be compared with the others. Each workload has probes of its own.
//!
//! An answer is a list of values: the elements of a set in a fixed order, the one value of a register.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Debug;

use crate::workbench::edn::Value;
use crate::workbench::history::Op;
use crate::workbench::workload::client::Request;

/// One thing to ask every replica.
pub trait ConvergenceProbe: Debug {
    /// The key that it is about; nil if there are none.
    fn key(&self) -> Value {
        Value::Nil
    }

    /// The request that goes on from what was received.
    fn request(&self, received: &[Value]) -> Request;

    /// Adds what a reply in shape says to what was received; returns whether there may be more.
    fn receive(&self, reply: Vec<(Box<str>, Value)>, received: &mut Vec<Value>) -> bool;
}

/// The elements of a list.
pub(super) fn items(value: &Value) -> Vec<Value> {
    value.items().into_iter().flatten().map(Cow::into_owned).collect()
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
}
