//! Explains anomalies of transactions: the simplest cycle first, and for each of its edges the two micro-operations
//! that make it.

use crate::workbench::check::Budget;
use crate::workbench::check::txn::{self, CycleEdge, PROCESS, REALTIME, ReadFault, TxnCase, WR, WW};
use crate::workbench::edn::Value;
use crate::workbench::explain::bodies::Item;
use crate::workbench::explain::evidence::Evidence;
use crate::workbench::explain::journey::Subject;
use crate::workbench::explain::words::seconds;
use crate::workbench::explain::{Explanation, Step};
use crate::workbench::history::Op;
use crate::workbench::quote::cut;
use crate::workbench::workload::Data;

/// The maximum length of a micro-operation or a transaction in a sentence.
const MAX_CHARS: usize = 120;

/// A case of an anomaly.
#[derive(Debug)]
pub(super) struct Case {
    anomaly: &'static str,
    meaning: String,
    shown: TxnCase,
    lines: Vec<String>,
}

/// All cases, cycles by their length before others.
pub(super) fn cases(evidence: &Evidence<'_>, budget: &Budget) -> Vec<Case> {
    let is_list = evidence.setting.workload.descriptor().data == Data::Lists;
    let check = if is_list { txn::check_append } else { txn::check_register };
    let models = &evidence.setting.models;
    let Ok(report) = check(evidence.history, models, budget) else { return Vec::new() };
    let mut cases: Vec<_> = report
        .reported_cases()
        .map(|(anomaly, case, lines)| Case {
            anomaly: anomaly.name(),
            meaning: anomaly.in_plain_words(),
            shown: case.clone(),
            lines,
        })
        .filter(|case| !matches!(case.shown, TxnCase::EmptyGraph | TxnCase::Unsearched(_) | TxnCase::Component(_)))
        .collect();
    let weight =
        |case: &Case| if let TxnCase::Cycle(cycle) = &case.shown { cycle.transactions.len() } else { usize::MAX };
    cases.sort_by_key(weight);
    cases
}

/// A micro-operation of a transaction, as JSON.
fn step(op: &Op, index: Option<usize>) -> Option<String> {
    let step = op.value.items()?.nth(index?)?;
    Some(cut(&step.to_json(), MAX_CHARS))
}

fn transaction(evidence: &Evidence<'_>, name: &str, op: &Op) -> Step {
    let node = evidence.node_of(op);
    let at = seconds(op.time / 1_000);
    let sentence =
        format!("{name} ended on {node} at {at}: {} (operation {}).", cut(&op.value.to_json(), MAX_CHARS), op.index);
    Step::operation(op, node, sentence)
}

fn edge(names: [&str; 2], ops: [&Op; 2], edge: &CycleEdge) -> Step {
    let [a, b] = names;
    let CycleEdge { label, reason, .. } = edge;
    let json = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), Value::to_json);
    let sentence = match (*label, reason) {
        (REALTIME, _) => {
            let (ended, began) = (seconds(ops[0].time / 1_000), seconds(edge.began.time / 1_000));
            format!("{a} ended at {ended}, before {b} began at {began}.")
        }
        (PROCESS, _) => format!("One client did {a} and then {b}."),
        (_, None) => format!("{b} depends on {a}."),
        (label, Some(reason)) => {
            let shown = |op: &Op, index| step(op, index).map_or(String::new(), |step| format!(" with {step}"));
            let (ours, theirs) = (shown(ops[0], reason.steps[0]), shown(ops[1], reason.steps[1]));
            let (key, value, next) = (reason.key.to_json(), json(&reason.value), json(&reason.next));
            match label {
                WW => format!("{a} wrote {value} to {key}{ours}, and {b} wrote {next} after it{theirs}."),
                WR => format!("{a} wrote {value} to {key}{ours}, and {b} read it{theirs}."),
                _ => {
                    format!("{a} read {key} with {value} as the last{ours}, and {b} wrote {next} after it{theirs}.")
                }
            }
        }
    };
    Step::remark(format!("{a} comes before {b}: {sentence}"))
}

pub(super) fn explain(evidence: &Evidence<'_>, case: &Case) -> Explanation {
    let Case { anomaly, meaning, shown: case, lines } = case;
    let mut steps = Vec::new();
    let title = if let TxnCase::Cycle(cycle) = case {
        let count = cycle.transactions.len();
        let names: Vec<String> = (1..=count).map(|number| format!("T{number}")).collect();
        steps.extend(names.iter().zip(&cycle.transactions).map(|(name, op)| transaction(evidence, name, op)));
        for (index, shown) in cycle.edges.iter().enumerate() {
            let next = (index + 1) % count;
            let ops = [&cycle.transactions[index], &cycle.transactions[next]];
            steps.push(edge([&names[index], &names[next]], ops, shown));
        }
        let circle = names.iter().chain(names.first()).map(String::as_str).collect::<Vec<_>>().join(" before ");
        format!("{circle}, so no order explains them: {meaning}")
    } else {
        steps.extend(lines.iter().map(Step::remark));
        let transactions = match case {
            TxnCase::Read { op, fault: ReadFault::Dirty { writer, .. }, .. }
            | TxnCase::DirtyUpdate { aborted: op, writer, .. } => vec![writer, op],
            TxnCase::Read { op, .. } | TxnCase::Changed { op, .. } => vec![op],
            TxnCase::LostUpdate { txns, .. } => txns.iter().collect(),
            TxnCase::EmptyGraph
            | TxnCase::Unsearched(_)
            | TxnCase::Cycle(_)
            | TxnCase::Component(_)
            | TxnCase::IncompatibleOrder { .. }
            | TxnCase::CyclicVersions { .. } => Vec::new(),
        };
        let named = transactions.into_iter().enumerate();
        steps.extend(named.map(|(index, op)| transaction(evidence, &format!("T{}", index + 1), op)));
        meaning.clone()
    };
    Explanation { anomaly, title, key: None, value: None, steps, hints: Vec::new() }
}

/// The writes of a transaction: key and value.
fn writes(op: &Op) -> impl Iterator<Item = (Value, Value)> {
    let read = |step: &Value| {
        let mut parts = step.items()?.map(std::borrow::Cow::into_owned);
        let is_write = parts.next()?.as_keyword() != Some("r");
        let (key, value) = (parts.next()?, parts.next()?);
        is_write.then_some((key, value))
    };
    let steps: Vec<_> = op.value.items().into_iter().flatten().filter_map(|step| read(&step)).collect();
    steps.into_iter()
}

fn items(op: &Op) -> Vec<Item> {
    writes(op).map(|(key, value)| Item::keyed(&key, &value)).collect()
}

/// How a value that a transaction wrote travelled; `None` if none did.
pub(super) fn journey(evidence: &Evidence<'_>, key: &Value, value: &Value) -> Option<Explanation> {
    let is_it = |op: &Op| writes(op).any(|(other, written)| other == *key && written == *value);
    let adds: Vec<_> = evidence.history.pairs().filter(|(begin, _)| is_it(begin)).collect();
    let subject = Subject::of(evidence, items, &[Item::keyed(key, value)], std::slice::from_ref(&adds));
    let subject = subject.into_iter().next().filter(|subject| !subject.adds.is_empty())?;
    Some(Explanation { key: Some(key.to_json()), ..subject.travelled(evidence, &value.to_json()) })
}
