//! Checks that a history is one of a workload: a checker ignores unknown operations, so that the history of another
//! workload, or an empty one, would be valid.

use thiserror::Error;

use super::{Descriptor, WorkloadKind};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind};
use crate::workbench::quote::cut;

/// The maximum length of a quoted value, in characters.
const QUOTED: usize = 60;

/// Why a history is not one of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WrongWorkload {
    /// It has no operation of a client.
    #[error("it holds no operation of a client, so there is nothing to judge")]
    Empty,
    /// It has an operation that the workload does not have.
    #[error("{op} at index {index} is not an operation of {workload}, which knows {known}{others}")]
    Operation {
        /// The index of the operation.
        index: u64,
        /// The operation.
        op: String,
        /// The workload.
        workload: &'static str,
        /// The operations of the workload.
        known: &'static str,
        /// The workloads whose history it may be, as the end of a sentence.
        others: String,
    },
}

/// Checks that all operations of a history are those of a workload.
///
/// # Errors
/// If there are none, or others.
pub fn admit(workload: WorkloadKind, history: &History) -> Result<(), WrongWorkload> {
    let foreign = |kind: WorkloadKind| history.client_ops().map(|(_, op)| op).find(|op| !(kind.descriptor().owns)(op));
    if history.client_ops().next().is_none() {
        return Err(WrongWorkload::Empty);
    }
    let Some(op) = foreign(workload) else { return Ok(()) };
    let others: Vec<_> =
        WorkloadKind::ALL.into_iter().filter(|kind| foreign(*kind).is_none()).map(WorkloadKind::name).collect();
    let others = if others.is_empty() { String::new() } else { format!("; it may be one of {}", others.join(", ")) };
    let &Descriptor { name: workload, operations: known, .. } = workload.descriptor();
    let text = format!(":{} :{} {}", op.kind.name(), op.f, cut(&op.value.to_string(), QUOTED));
    Err(WrongWorkload::Operation { index: op.index, op: text, workload, known, others })
}

/// Whether an operation is a read, with a result that passes if it has one.
pub(super) fn is_read(op: &Op, passes: fn(&Value) -> bool) -> bool {
    op.f == "read" && (op.kind != OpKind::Ok || passes(&op.value))
}

/// Whether an operation is a transaction of reads, whose results pass, and of writes of this name.
pub(super) fn is_txn(op: &Op, write: &str, passes: fn(&Value) -> bool) -> bool {
    let is_step = |step: &Value| {
        let of_read = || verb(step) == Some("r") && item(step, 2).is_some_and(|value| passes(&value));
        count(step) == Some(3) && (verb(step) == Some(write) || of_read())
    };
    op.f == "txn" && each(&op.value, is_step)
}

pub(super) fn is_list_or_nil(value: &Value) -> bool {
    value.is_nil() || value.items().is_some()
}

/// Whether a value is a list, and each element passes.
pub(super) fn each(value: &Value, passes: impl Fn(&Value) -> bool) -> bool {
    value.items().is_some_and(|mut items| items.all(|item| passes(&item)))
}

pub(super) fn count(value: &Value) -> Option<usize> {
    value.items().map(|items| items.len())
}

pub(super) fn item(value: &Value, place: usize) -> Option<std::borrow::Cow<'_, Value>> {
    value.items()?.nth(place)
}

/// The keyword with which a step begins.
pub(super) fn verb(step: &Value) -> Option<&str> {
    if let Value::Vector(parts) | Value::List(parts) = step { parts.first()?.as_keyword() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::check::tests::history;

    fn refused(workload: WorkloadKind, lines: &[&str]) -> String {
        admit(workload, &history(lines)).expect_err("foreign").to_string()
    }

    /// Operations of each workload, which no other has unless noted.
    const SAMPLES: [(WorkloadKind, &[&str]); 10] = [
        (WorkloadKind::Echo, &["0 invoke echo 1", "0 ok echo {:echo 1}"]),
        (WorkloadKind::UniqueIds, &["0 invoke generate nil", "0 ok generate 1"]),
        (WorkloadKind::Broadcast, &["0 invoke broadcast 1", "0 ok broadcast 1", "0 invoke read nil", "0 ok read [1]"]),
        (WorkloadKind::GSet, &["0 invoke add 1", "0 ok add 1", "0 invoke read nil", "0 ok read [1]"]),
        (WorkloadKind::PnCounter, &["0 invoke add -1", "0 ok add -1", "0 invoke read nil", "0 ok read -1"]),
        (WorkloadKind::GCounter, &["0 invoke add 1", "0 info add 1", "5 invoke read nil", "5 ok read 1"]),
        (
            WorkloadKind::Kafka,
            &["0 invoke send [[:send \"9\" 1]]", "0 ok send [[:send \"9\" [0 1]]]", "0 invoke crash nil"],
        ),
        (WorkloadKind::LinKv, &["0 invoke cas [0 [1 2]]", "0 fail cas [0 [1 2]]", "0 invoke read [0 nil]"]),
        (
            WorkloadKind::TxnListAppend,
            &["0 invoke txn [[:append 1 1] [:r 1 nil]]", "0 ok txn [[:append 1 1] [:r 1 [1]]]"],
        ),
        (WorkloadKind::TxnRwRegister, &["0 invoke txn [[:w 1 1] [:r 1 nil]]", "0 ok txn [[:w 1 1] [:r 1 1]]"]),
    ];

    #[test]
    fn a_history_is_admitted_to_its_own_workload_alone() {
        for (own, lines) in SAMPLES {
            for (other, _) in SAMPLES {
                // A history of a growing counter is also one of a counter that may shrink.
                let both = own == WorkloadKind::GCounter && other == WorkloadKind::PnCounter;
                assert_eq!(admit(other, &history(lines)).is_ok(), own == other || both, "{own:?} as {other:?}");
            }
        }
    }

    #[test]
    fn the_error_names_the_operation_and_the_workloads_that_have_it() {
        let error = refused(WorkloadKind::LinKv, SAMPLES[2].1);
        let wanted = ":invoke :broadcast 1 at index 0 is not an operation of lin-kv, which knows :read [key value], \
                      :write [key value] and :cas [key [from to]]; it may be one of broadcast";
        assert_eq!(error, wanted);
        let long = format!("0 invoke dance {:?}", "x".repeat(1_000));
        assert!(refused(WorkloadKind::Echo, &[&long]).len() < 200, "a quote is short");
    }

    #[test]
    fn without_an_operation_of_a_client_there_is_nothing_to_judge() {
        assert_eq!(admit(WorkloadKind::Echo, &history(&[])), Err(WrongWorkload::Empty));
        let nemesis = history(&[":nemesis info start-partition :one"]);
        assert_eq!(admit(WorkloadKind::Broadcast, &nemesis), Err(WrongWorkload::Empty));
    }
}
