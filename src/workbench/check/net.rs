//! Message statistics (protocol §7).

use super::{CheckReport, Verdict, share};
use crate::workbench::edn::Value;

pub use crate::workbench::network::{Counts, Traffic};

/// Numbers of messages and operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetReport {
    /// The messages.
    pub counts: Counts,
    /// The number of operations that clients invoked.
    pub invocations: usize,
}

/// Always valid; relates the messages to the number of operations that clients invoked.
#[must_use]
pub const fn check(counts: &Counts, invocations: usize) -> NetReport {
    NetReport { counts: *counts, invocations }
}

impl NetReport {
    /// Messages between servers per operation; `None` if there was no operation.
    #[must_use]
    pub fn servers_per_op(&self) -> Option<f64> {
        self.per_op(self.counts.servers)?.as_float()
    }

    fn per_op(&self, traffic: Traffic) -> Option<Value> {
        (self.invocations > 0).then(|| Value::single(share(traffic.msg, self.invocations)))
    }
}

impl CheckReport for NetReport {
    fn verdict(&self) -> Verdict {
        Verdict::True
    }

    fn to_edn(&self) -> Value {
        let group = |traffic: Traffic, per_op: Option<Value>| {
            let counts = [("send-count", traffic.send), ("recv-count", traffic.recv), ("msg-count", traffic.msg)];
            let counts = counts.map(|(key, count)| (key, Value::count(count)));
            let entries = counts.into_iter().chain(per_op.map(|per_op| ("msgs-per-op", per_op)));
            Value::record(entries)
        };
        let Counts { all, clients, servers } = self.counts;
        Value::record([
            ("all", group(all, self.per_op(all))),
            ("clients", group(clients, None)),
            ("servers", group(servers, self.per_op(servers))),
            ("valid?", true.into()),
        ])
    }
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
        assert_eq!(check(&counts, 168).to_edn().to_string(), expected);
    }

    #[test]
    fn without_invocations_there_is_no_ratio() {
        assert!(!check(&Counts::default(), 0).to_edn().to_string().contains("msgs-per-op"));
    }
}
