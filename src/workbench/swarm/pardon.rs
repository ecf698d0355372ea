//! What a killed node said is not held against the living.
//!
//! Nodes that stand on the replicated log keep it in memory: what only a killed node held is lost, though it was
//! acknowledged or read there. So whatever a process answered that was killed later counts as of unknown outcome, which
//! every checker understands. What a node that lived to the end said must hold: it had it, and so must everyone.

use std::collections::BTreeMap;

use crate::workbench::edn::Value;
use crate::workbench::history::{History, Kind, Op, Process};
use crate::workbench::options::Options;
use crate::workbench::workload;

/// Whether a node of this workload that is killed may take something with it that its checker asks for. That of
/// transactions on registers does not ask who reads a write.
pub(super) fn forgets(workload: workload::Kind) -> bool {
    match workload {
        workload::Kind::Broadcast | workload::Kind::GSet | workload::Kind::PnCounter | workload::Kind::Kafka => true,
        workload::Kind::Echo
        | workload::Kind::UniqueIds
        | workload::Kind::GCounter
        | workload::Kind::LinKv
        | workload::Kind::TxnListAppend
        | workload::Kind::TxnRwRegister => false,
    }
}

/// The history in which answers of processes that were killed later are of unknown outcome.
pub(super) fn pardoned(history: &History, options: &Options) -> History {
    let killed = last_kills(history);
    let pardon = |(position, op): (usize, &Op)| {
        let dies = node_of(op, options)
            .is_some_and(|node| killed.get(options.nodes[node].as_str()).is_some_and(|last| position < *last));
        match history.partner(position).map(|partner| &history.ops()[partner]) {
            Some(invocation) if dies && op.kind == Kind::Ok => Op {
                kind: Kind::Info,
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
pub(super) fn node_of(op: &Op, options: &Options) -> Option<usize> {
    let Process::Client(process) = op.process else { return None };
    let thread = usize::try_from(process).ok()? % options.concurrency;
    Some(thread % options.nodes.len())
}

/// For each node that was ever killed, where in the history it last was.
fn last_kills(history: &History) -> BTreeMap<&str, usize> {
    let mut last = BTreeMap::new();
    let kills = history.ops().iter().enumerate().filter(|(_, op)| op.process == Process::Nemesis && op.f == "kill");
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
    use Kind::{Info, Invoke, Ok};

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
        let words = ["-w", "broadcast", "--node-count", "2"].map(std::ffi::OsString::from);
        let options = Options::parse(words).expect("good");
        let pardoned = pardoned(&history, &options);
        let kinds: Vec<_> = pardoned.ops().iter().map(|op| op.kind).collect();
        assert_eq!(kinds, [Invoke, Ok, Invoke, Info, Info, Info, Invoke, Ok]);
        assert!(pardoned.ops()[3].value.is_nil());
    }
}
