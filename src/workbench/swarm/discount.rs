//! What a killed node said is not held against the living.
//!
//! Nodes that stand on the replicated log keep it in memory: what only a killed node held is lost, though it was
//! acknowledged or read there. So whatever a process answered that was killed later counts as of unknown outcome, which
//! every checker understands. What a node that lived to the end said must hold: it had it, and so must everyone.
//!
//! The order of the values of a register is of that kind: a process that outlives its node may see a key go back to
//! what the other nodes hold. Maelstrom infers no such orders, so of transactions only our own judgement is discounted.

use std::collections::BTreeMap;

use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind, Process};
use crate::workbench::nemesis::{Fault, Turn};
use crate::workbench::test::TestConfig;
use crate::workbench::workload;

/// What a killed node of a workload may take with it that a judgement asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// Nothing.
    Nothing,
    /// The order of values, which only we ask for.
    Order,
    /// Values, for which Maelstrom asks as well.
    Values,
}

impl Loss {
    pub(super) const fn of(workload: workload::WorkloadKind) -> Self {
        match workload {
            workload::WorkloadKind::Broadcast
            | workload::WorkloadKind::GSet
            | workload::WorkloadKind::PnCounter
            | workload::WorkloadKind::Kafka => Self::Values,
            workload::WorkloadKind::TxnRwRegister => Self::Order,
            workload::WorkloadKind::Echo
            | workload::WorkloadKind::UniqueIds
            | workload::WorkloadKind::GCounter
            | workload::WorkloadKind::LinKv
            | workload::WorkloadKind::TxnListAppend => Self::Nothing,
        }
    }
}

/// The history in which answers of processes that were killed later are of unknown outcome.
pub(super) fn discounted(history: &History, options: &TestConfig) -> History {
    let killed = last_kills(history);
    let pardon = |(position, op): (usize, &Op)| {
        let dies = node_of(op, options)
            .is_some_and(|node| killed.get(options.nodes[node].as_str()).is_some_and(|last| position < *last));
        match history.partner(position).map(|partner| &history.ops()[partner]) {
            Some(invocation) if dies && op.kind == OpKind::Ok => Op {
                kind: OpKind::Info,
                value: invocation.value.clone(),
                error: Some(Value::keyword("killed-later")),
                ..op.clone()
            },
            Some(_) | None => op.clone(),
        }
    };
    history.ops().iter().enumerate().map(pardon).collect()
}

/// The node that a client's operation went to.
pub(super) fn node_of(op: &Op, options: &TestConfig) -> Option<usize> {
    let Process::Client(process) = op.process else { return None };
    let thread = usize::try_from(process).ok()? % options.concurrency;
    Some(thread % options.nodes.len())
}

/// For each node that was ever killed, where in the history it last was.
fn last_kills(history: &History) -> BTreeMap<&str, usize> {
    let mut last = BTreeMap::new();
    let is_kill = |op: &Op| op.process == Process::Nemesis && Turn::of(&op.f) == Some(Turn::Begins(Fault::Kill));
    let kills = history.ops().iter().enumerate().filter(|(_, op)| is_kill(op));
    for (position, op) in kills {
        for (node, outcome) in op.value.entries().unwrap_or_default() {
            if let Some(node) = node.as_str().filter(|_| outcome.as_keyword() == Some("killed")) {
                last.insert(node, position);
            }
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use OpKind::{Info, Invoke, Ok};

    use crate::workbench::check::txn::check_register;
    use crate::workbench::check::{Budget, CheckReport as _, Verdict};

    #[test]
    fn what_a_node_answered_before_it_was_killed_is_of_unknown_outcome() {
        let history: History = "
            {:index 0, :time 1, :type :invoke, :process 0, :f :broadcast, :value 7}
            {:index 1, :time 2, :type :ok, :process 0, :f :broadcast, :value 7}
            {:index 2, :time 3, :type :invoke, :process 3, :f :read, :value nil}
            {:index 3, :time 4, :type :ok, :process 3, :f :read, :value [7]}
            {:index 4, :time 5, :type :info, :process :nemesis, :f :kill, :value :one}
            {:index 5, :time 5, :type :info, :process :nemesis, :f :kill, :value {\"n1\" :killed, \"n0\" :not-running}}
            {:index 6, :time 6, :type :invoke, :process 1, :f :read, :value nil}
            {:index 7, :time 7, :type :ok, :process 1, :f :read, :value []}"
            .parse()
            .expect("a history");
        let options = TestConfig { nodes: TestConfig::numbered(2), ..TestConfig::default() };
        let discounted = discounted(&history, &options);
        let kinds: Vec<_> = discounted.ops().iter().map(|op| op.kind).collect();
        assert_eq!(kinds, [Invoke, Ok, Invoke, Info, Info, Info, Invoke, Ok]);
        assert!(discounted.ops()[3].value.is_nil());
    }

    #[test]
    fn the_order_in_which_a_killed_node_saw_values_says_nothing() {
        // n1 took its 2 of key 5 with it, so that its process saw the 1 of n0 after it; its 2 of key 6 was known.
        let lines = [
            "0 :invoke [[:w 5 1] [:w 6 1]]",
            "0 :ok [[:w 5 1] [:w 6 1]]",
            "1 :invoke [[:w 5 2] [:w 6 2]]",
            "1 :ok [[:w 5 2] [:w 6 2]]",
            "2 :invoke [[:r 6 nil]]",
            "2 :ok [[:r 6 1]]",
            "2 :invoke [[:r 6 nil]]",
            "2 :ok [[:r 6 2]]",
            "kill",
            "1 :invoke [[:r 5 nil]]",
            "1 :ok [[:r 5 1]]",
        ];
        let line = |(index, line): (usize, &&str)| {
            let op = match line.splitn(3, ' ').collect::<Vec<_>>()[..] {
                [process, kind, value] => format!(":type {kind}, :process {process}, :f :txn, :value {value}"),
                _ => ":type :info, :process :nemesis, :f :kill, :value {\"n1\" :killed}".to_owned(),
            };
            format!("{{:index {index}, :time {index}, {op}}}\n")
        };
        let history: History = lines.iter().enumerate().map(line).collect::<String>().parse().expect("a history");
        let options = TestConfig { nodes: TestConfig::numbered(2), concurrency: 4, ..TestConfig::default() };
        let ours = |history: &History| {
            let result = check_register(history, &["read-uncommitted".to_owned()], &Budget::Steps).expect("judged");
            result.extended_verdict()
        };
        assert_eq!(ours(&history), Some(Verdict::False), "a process that saw 2 sees 1 again: G0");
        assert_eq!(ours(&discounted(&history, &options)), Some(Verdict::True));
    }
}
