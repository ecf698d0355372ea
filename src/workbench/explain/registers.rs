//! Explains registers that are not linearizable: the window, each operation in it with its times and values, and the
//! one that no order explains.

use crate::workbench::check::Budget;
use crate::workbench::check::linearizable::{self, KeyOutcome, RegisterViolation};
use crate::workbench::edn::Value;
use crate::workbench::explain::calls;
use crate::workbench::explain::evidence::Evidence;
use crate::workbench::explain::words::{duration, seconds};
use crate::workbench::explain::{Explanation, Hint, Step};
use crate::workbench::history::{Op, OpKind};
use crate::workbench::network::Passage;

/// The maximum number of findings about services.
const MAX_FINDINGS: usize = 2;

/// The violations by key.
pub(super) fn cases(evidence: &Evidence<'_>, budget: &Budget) -> Vec<(Value, RegisterViolation)> {
    let Ok(report) = linearizable::check(evidence.history, budget) else { return Vec::new() };
    let of_key = |key: linearizable::KeyReport| match key.outcome {
        KeyOutcome::Violation(violation) => Some((key.key, *violation)),
        KeyOutcome::Linearizable(_) | KeyOutcome::Undecided(_) => None,
    };
    report.keys.into_iter().filter_map(of_key).collect()
}

/// What an operation did, in words: `wrote 4`, `read 3`, `replaced 3 by 4`.
fn deed(begin: &Op, end: Option<&Op>) -> String {
    let value =
        |op: &Op| op.value.items().and_then(|mut items| items.nth(1)).map_or(Value::Nil, std::borrow::Cow::into_owned);
    let is_done = end.is_some_and(|end| end.kind == OpKind::Ok);
    match &*begin.f {
        "read" if is_done => format!("read {}", value(end.unwrap_or(begin)).to_json()),
        "read" => "read, without an answer".to_owned(),
        "write" => format!("{} {}", if is_done { "wrote" } else { "tried to write" }, value(begin).to_json()),
        _ => {
            let pair = value(begin);
            let parts: Vec<_> = pair.items().into_iter().flatten().map(|part| part.to_json()).collect();
            format!("{} {}", if is_done { "replaced" } else { "tried to replace" }, parts.join(" by "))
        }
    }
}

pub(super) fn explain(evidence: &Evidence<'_>, key: &Value, violation: &RegisterViolation) -> Explanation {
    let RegisterViolation { op: culprit, complaints, shown, .. } = violation;
    let ops = evidence.history.ops();
    let node = evidence.node_of(culprit);
    let name = key.to_json();
    let mut steps = Vec::new();
    let mut pairs: Vec<_> =
        shown.iter().map(|index| (&ops[*index], evidence.history.partner(*index).map(|end| &ops[end]))).collect();
    pairs.sort_by_key(|(begin, end)| (end.is_some_and(|end| end.index == culprit.index), begin.index));
    let mut what = String::new();
    let mut hints = Vec::new();
    for (begin, end) in pairs {
        let (node, deed) = (evidence.node_of(begin), deed(begin, end));
        let begun = begin.time / 1_000;
        let span = end.map_or_else(
            || format!("from {} on, without an end", seconds(begun)),
            |end| {
                format!(
                    "from {} to {}, within {}",
                    seconds(begun),
                    seconds(end.time / 1_000),
                    duration(end.time / 1_000 - begun)
                )
            },
        );
        let op = end.unwrap_or(begin);
        let is_culprit = end.is_some_and(|end| end.index == culprit.index);
        let suffix = if is_culprit { ": no order of these operations explains it" } else { "" };
        let sentence = format!("A client of {node} {deed}, {span} (operation {}){suffix}.", op.index);
        steps.push(Step::operation(op, node, sentence));
        if is_culprit {
            what = deed;
            hints.extend(alone(evidence, begin, end));
        }
    }
    let begun = shown.iter().map(|index| ops[*index].time / 1_000).min().unwrap_or_default();
    let mut findings = calls::findings(evidence);
    findings.retain(|finding| finding.is_about(&name, begun..=culprit.time / 1_000));
    steps.extend(findings.iter().take(MAX_FINDINGS).map(|finding| finding.step.clone()));
    hints.extend(calls::hints(&findings));
    let complaint = complaints.first().map(|complaint| Step::remark(format!("Then {complaint}.")));
    steps.extend(complaint);
    let title =
        format!("key {name} is not linearizable: a client of {node} {what} at {}", seconds(culprit.time / 1_000));
    Explanation { anomaly: "not linearizable", title, key: None, value: None, steps, hints }
}

/// The node answered without asking anyone.
fn alone(evidence: &Evidence<'_>, begin: &Op, end: Option<&Op>) -> Option<Hint> {
    let exchange = evidence.exchange(begin, end);
    let (request, reply) = (exchange.requests.first()?, exchange.replies.last()?);
    let (from, to) = (request.arrivals().next()?, reply.sent);
    let node = &request.dest;
    let is_during = |passage: &Passage| {
        passage.dest == *node && passage.sent >= from && passage.arrivals().any(|arrived| arrived <= to)
    };
    let asked = evidence.server_messages().any(is_during);
    let sentence = format!(
        "{node} answered {} after the request came (messages {} and {}), before anyone could tell it \
         anything: it answered from its own state, which may be old.",
        duration(evidence.us(to) - evidence.us(from)),
        request.id,
        reply.id
    );
    (!asked && evidence.setting.nodes.len() > 1).then_some(Hint { pattern: "read served by a stale replica", sentence })
}
