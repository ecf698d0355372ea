//! Explains the final reads of a counter that are no possible sum: what was added where, who read what, and whether a
//! service answered from the past.

use std::collections::BTreeMap;

use crate::workbench::check::counter;
use crate::workbench::explain::calls::FindingKind;
use crate::workbench::explain::evidence::Evidence;
use crate::workbench::explain::faults::Stop;
use crate::workbench::explain::words::{counted, list, seconds};
use crate::workbench::explain::{Claim, Explanation, Step, calls};
use crate::workbench::history::{Op, OpKind};

/// The maximum number of findings about services, of deaths, and of adds.
const MAX_FINDINGS: usize = 3;

/// The wrong final reads, one for each value.
pub(super) fn cases(evidence: &Evidence<'_>) -> Vec<Op> {
    let Ok(report) = counter::check(evidence.history) else { return Vec::new() };
    let mut wrong: Vec<Op> = Vec::new();
    for read in report.wrong {
        if wrong.iter().all(|other| other.value != read.value) {
            wrong.push(read);
        }
    }
    wrong
}

/// The acknowledged adds.
fn adds<'a>(evidence: &Evidence<'a>) -> impl Iterator<Item = (&'a Op, i64)> {
    let ended = evidence.history.pairs().filter_map(|(begin, end)| end.filter(|_| begin.f == "add"));
    ended.filter(|end| end.kind == OpKind::Ok).filter_map(|end| Some((end, end.value.as_int()?)))
}

/// Messages that the network delivered to a node more than once.
fn delivered_twice(evidence: &Evidence<'_>, node: &str) -> Option<Step> {
    let to_node = evidence.server_messages().filter(|passage| &*passage.dest == node);
    let twice: Vec<_> = to_node.filter(|passage| passage.arrivals().nth(1).is_some()).collect();
    let first = twice.first()?;
    let at = evidence.us(first.arrivals().nth(1)?);
    let sentence = format!(
        "{} reached {node} twice, the first of them from {} (message {}), again at {}.",
        counted(twice.len(), "message"),
        first.src,
        first.id,
        seconds(at)
    );
    Some(Step::of(Claim::Had, sentence).at(at).on(node).with([first.id]))
}

pub(super) fn explain(evidence: &Evidence<'_>, read: &Op) -> Explanation {
    let node = evidence.node_of(read);
    let value = read.value.as_int().unwrap_or_default();
    let sum: i64 = adds(evidence).map(|(_, by)| by).sum();
    let title = format!("{node}'s final read is {value}, but the acknowledged adds come to {sum}");
    let mut by_node: BTreeMap<&str, (usize, i64)> = BTreeMap::new();
    for (add, by) in adds(evidence) {
        let entry = by_node.entry(evidence.node_of(add)).or_default();
        *entry = (entry.0 + 1, entry.1 + by);
    }
    let shares = by_node.iter().map(|(node, (count, sum))| format!("{sum} by {} on {node}", counted(*count, "add")));
    let mut steps = vec![Step::remark(format!("Acknowledged were {}, in all {sum}.", list(shares)))];
    let unsure = evidence
        .history
        .pairs()
        .filter(|(begin, end)| begin.f == "add" && end.is_none_or(|end| end.kind == OpKind::Info));
    let unsure = unsure.count();
    if unsure > 0 {
        steps.push(Step::remark(format!("{} of unknown outcome may count or not.", counted(unsure, "further add"))));
    }
    let missing = sum - value;
    let alike: Vec<_> = adds(evidence).filter(|(_, by)| *by == missing && missing != 0).collect();
    if let [(add, by)] = alike[..] {
        let node = evidence.node_of(add);
        let at = seconds(add.time / 1_000);
        let sentence = format!(
            "One acknowledged add is exactly the difference: {by}, acknowledged by {node} at {at} (operation {}).",
            add.index
        );
        steps.push(Step::operation(add, node, sentence));
    }
    for outage in evidence.faults.outages.iter().filter(|outage| outage.stop == Stop::Killed).take(MAX_FINDINGS) {
        let before = adds(evidence)
            .filter(|(add, _)| evidence.node_of(add) == outage.node && add.time / 1_000 <= outage.from_us);
        let before: i64 = before.map(|(_, by)| by).sum();
        let sentence = format!("{}; it had acknowledged adds of {before} by then.", outage.in_words());
        steps.push(Step::of(Claim::Outage, sentence).at(outage.from_us).on(&outage.node));
    }
    steps.extend(delivered_twice(evidence, node));
    if evidence.server_messages().next().is_none() {
        steps.push(Step::remark("No node sent a message to another node or to a service."));
    }
    let findings = calls::findings(evidence);
    let lost = findings.iter().filter(|finding| finding.kind != FindingKind::StaleRead).take(MAX_FINDINGS);
    let stale = findings.iter().filter(|finding| finding.kind == FindingKind::StaleRead).rev().take(1);
    steps.extend(lost.chain(stale).map(|finding| finding.step.clone()));
    let finals = evidence.history.ops().iter().filter(|op| op.f == "read" && op.kind == OpKind::Ok && op.is_final());
    for op in finals {
        let (node, at) = (evidence.node_of(op), seconds(op.time / 1_000));
        let sentence = format!("{node}'s final read at {at} is {} (operation {}).", op.value.to_json(), op.index);
        steps.push(Step::operation(op, node, sentence));
    }
    Explanation { anomaly: "wrong sum", title, key: None, value: None, steps, hints: calls::hints(&findings) }
}
