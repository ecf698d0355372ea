//! Discounts the replies of nodes that were killed later.
//!
//! Nodes on the replicated log keep it in memory: an operation that only a killed node had is lost, though it was
//! acknowledged or read there. So a completion by a node that is killed later becomes indeterminate (`:info`), which
//! every checker handles. Replies of a node that was never killed afterwards are kept.
//!
//! The order of the values of a register can be lost in the same way: a process whose node is restarted may see a key
//! revert to what the other nodes have. Since Maelstrom does not infer such orders, only the extended checks of
//! transactions use the discounted history.

use std::collections::BTreeMap;

use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind, Process};
use crate::workbench::nemesis::{Fault, Turn};
use crate::workbench::test::TestConfig;

/// The history in which successful operations on nodes that were killed later are indeterminate.
pub(super) fn discounted(history: &History, options: &TestConfig) -> History {
    let killed = last_kills(history);
    let discount = |(position, op): (usize, &Op)| {
        let is_killed = node_of(op, options)
            .is_some_and(|node| killed.get(options.nodes[node].as_str()).is_some_and(|last| position < *last));
        match history.partner(position).map(|partner| &history.ops()[partner]) {
            Some(invocation) if is_killed && op.kind == OpKind::Ok => Op {
                kind: OpKind::Info,
                value: invocation.value.clone(),
                error: Some(Value::keyword("killed-later")),
                ..op.clone()
            },
            Some(_) | None => op.clone(),
        }
    };
    history.ops().iter().enumerate().map(discount).collect()
}

/// The node that a client's operation went to.
pub(super) fn node_of(op: &Op, options: &TestConfig) -> Option<usize> {
    let Process::Client(process) = op.process else { return None };
    let thread = usize::try_from(process).ok()? % options.concurrency;
    Some(thread % options.nodes.len())
}

/// The position in the history at which each killed node was last killed.
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
    fn replies_of_a_node_before_its_last_kill_are_indeterminate() {
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
    fn the_order_in_which_a_killed_node_saw_values_is_discounted() {
        // n1 lost its 2 of key 5, so that its process then read the 1 of n0; its 2 of key 6 had been replicated.
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
        let extended = |history: &History| {
            let result = check_register(history, &["read-uncommitted".to_owned()], &Budget::Steps).expect("judged");
            result.extended_verdict()
        };
        assert_eq!(extended(&history), Some(Verdict::False), "a process that saw 2 sees 1 again: G0");
        assert_eq!(extended(&discounted(&history, &options)), Some(Verdict::True));
    }
}
