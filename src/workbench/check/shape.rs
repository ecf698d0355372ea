//! Checks that a history is one of a workload: a checker ignores unknown operations, so that the history of another
//! workload, or an empty one, would be valid.

use thiserror::Error;

use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind};
use crate::workbench::quote::cut;
use crate::workbench::workload::WorkloadKind;

/// The maximum length of a quoted value, in characters.
const QUOTED: usize = 60;

/// Why a history is not one of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Foreign {
    /// It has no operation of a client.
    #[error("it holds no operation of a client, so there is nothing to judge")]
    Empty,
    /// It has an operation that the workload does not have.
    #[error("{op} at index {index} is no operation of {workload}, which knows {known}{others}")]
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
pub fn admit(workload: WorkloadKind, history: &History) -> Result<(), Foreign> {
    let foreign = |workload| history.client_ops().map(|(_, op)| op).find(|op| !belongs(workload, op));
    if history.client_ops().next().is_none() {
        return Err(Foreign::Empty);
    }
    let Some(op) = foreign(workload) else { return Ok(()) };
    let others: Vec<_> =
        WorkloadKind::ALL.into_iter().filter(|kind| foreign(*kind).is_none()).map(WorkloadKind::name).collect();
    let others = if others.is_empty() { String::new() } else { format!("; it may be one of {}", others.join(", ")) };
    let text = format!(":{} :{} {}", op.kind.name(), op.f, cut(&op.value.to_string(), QUOTED));
    Err(Foreign::Operation { index: op.index, op: text, workload: workload.name(), known: known(workload), others })
}

const fn known(workload: WorkloadKind) -> &'static str {
    match workload {
        WorkloadKind::Echo => ":echo",
        WorkloadKind::UniqueIds => ":generate",
        WorkloadKind::Broadcast => ":broadcast with a value and :read of a list",
        WorkloadKind::GSet => ":add with an element and :read of a list",
        WorkloadKind::GCounter => ":add with an integer not below 0 and :read of an integer",
        WorkloadKind::PnCounter => ":add with an integer and :read of an integer",
        WorkloadKind::Kafka => {
            ":send, :poll and :txn with lists of [:send key message] and [:poll messages], :assign and :crash"
        }
        WorkloadKind::LinKv => ":read [key value], :write [key value] and :cas [key [from to]]",
        WorkloadKind::TxnListAppend => ":txn with a list of [:r key elements] and [:append key element]",
        WorkloadKind::TxnRwRegister => ":txn with a list of [:r key value] and [:w key value]",
    }
}

/// Whether an operation is one of a workload.
fn belongs(workload: WorkloadKind, op: &Op) -> bool {
    let (f, value) = (&*op.f, &op.value);
    let seen = |is: fn(&Value) -> bool| op.kind != OpKind::Ok || is(value);
    match workload {
        WorkloadKind::Echo => f == "echo",
        WorkloadKind::UniqueIds => f == "generate",
        WorkloadKind::Broadcast => f == "broadcast" || f == "read" && seen(is_list_or_nil),
        WorkloadKind::GSet => f == "add" || f == "read" && seen(is_list_or_nil),
        WorkloadKind::GCounter => match f {
            "add" => is_integer(value) && value.as_int().is_none_or(|delta| delta >= 0),
            _ => f == "read" && seen(is_integer),
        },
        WorkloadKind::PnCounter => f == "add" && is_integer(value) || f == "read" && seen(is_integer),
        WorkloadKind::Kafka => match f {
            "send" | "poll" | "txn" => each(value, |step| matches!(verb(step), Some("send" | "poll"))),
            _ => matches!(f, "assign" | "subscribe" | "crash" | "debug-topic-partitions"),
        },
        WorkloadKind::LinKv => match f {
            "read" | "write" => count(value) == Some(2),
            _ => f == "cas" && count(value) == Some(2) && item(value, 1).is_some_and(|pair| count(&pair) == Some(2)),
        },
        WorkloadKind::TxnListAppend => f == "txn" && each(value, |step| is_step(step, "append", is_list_or_nil)),
        WorkloadKind::TxnRwRegister => f == "txn" && each(value, |step| is_step(step, "w", |_| true)),
    }
}

fn is_step(step: &Value, write: &str, seen: fn(&Value) -> bool) -> bool {
    let of_write = verb(step) == Some(write);
    let of_read = verb(step) == Some("r") && item(step, 2).is_some_and(|value| seen(&value));
    count(step) == Some(3) && (of_write || of_read)
}

fn is_integer(value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::Big(_))
}

fn is_list_or_nil(value: &Value) -> bool {
    value.is_nil() || value.items().is_some()
}

/// Whether a value is a list, and each element passes.
fn each(value: &Value, passes: impl Fn(&Value) -> bool) -> bool {
    value.items().is_some_and(|mut items| items.all(|item| passes(&item)))
}

fn count(value: &Value) -> Option<usize> {
    value.items().map(|items| items.len())
}

fn item(value: &Value, place: usize) -> Option<std::borrow::Cow<'_, Value>> {
    value.items()?.nth(place)
}

/// The keyword with which a step begins.
fn verb(step: &Value) -> Option<&str> {
    if let Value::Vector(parts) | Value::List(parts) = step { parts.first()?.as_keyword() } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::tests::history;
    use super::*;

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
        let wanted = ":invoke :broadcast 1 at index 0 is no operation of lin-kv, which knows :read [key value], \
                      :write [key value] and :cas [key [from to]]; it may be one of broadcast";
        assert_eq!(error, wanted);
        let long = format!("0 invoke dance {:?}", "x".repeat(1_000));
        assert!(refused(WorkloadKind::Echo, &[&long]).len() < 200, "a quote is short");
    }

    #[test]
    fn without_an_operation_of_a_client_there_is_nothing_to_judge() {
        assert_eq!(admit(WorkloadKind::Echo, &history(&[])), Err(Foreign::Empty));
        let nemesis = history(&[":nemesis info start-partition :one"]);
        assert_eq!(admit(WorkloadKind::Broadcast, &nemesis), Err(Foreign::Empty));
    }
}
