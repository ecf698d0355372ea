//! Turns counts of messages into statistics (protocol §7).

use super::share;
use crate::workbench::edn::Value;

pub use crate::workbench::network::{Counts, Traffic};

/// Always valid; relates the messages to the number of operations that clients invoked.
#[must_use]
pub fn check(counts: &Counts, invocations: usize) -> Value {
    let group = |traffic: Traffic, with_ratio: bool| {
        let fields = [("send-count", traffic.send), ("recv-count", traffic.recv), ("msg-count", traffic.msg)];
        let mut entries: Vec<_> =
            fields.into_iter().map(|(key, count)| (Value::keyword(key), Value::count(count))).collect();
        if with_ratio && invocations > 0 {
            entries.push((Value::keyword("msgs-per-op"), Value::single(share(traffic.msg, invocations))));
        }
        Value::Map(entries)
    };
    Value::record([
        ("all", group(counts.all, true)),
        ("clients", group(counts.clients, false)),
        ("servers", group(counts.servers, true)),
        ("valid?", true.into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_per_invocation_and_not_shown_for_clients() {
        let counts = Counts {
            all: Traffic { send: 918, recv: 900, msg: 918 },
            clients: Traffic { send: 342, recv: 342, msg: 342 },
            servers: Traffic { send: 576, recv: 558, msg: 576 },
        };
        let expected = "{:all {:send-count 918, :recv-count 900, :msg-count 918, :msgs-per-op 5.464286}, \
            :clients {:send-count 342, :recv-count 342, :msg-count 342}, \
            :servers {:send-count 576, :recv-count 558, :msg-count 576, :msgs-per-op 3.4285715}, :valid? true}";
        assert_eq!(check(&counts, 168).to_string(), expected);
    }

    #[test]
    fn without_invocations_there_is_no_ratio() {
        assert!(!check(&Counts::default(), 0).to_string().contains("msgs-per-op"));
    }
}
