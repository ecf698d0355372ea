//! Explains ids that were given more than once: the requests, and whether the node had been started again in between.

use crate::workbench::check::unique_ids;
use crate::workbench::edn::Value;
use crate::workbench::explain::evidence::Evidence;
use crate::workbench::explain::faults::Stop;
use crate::workbench::explain::words::{list, seconds, times};
use crate::workbench::explain::{Claim, Explanation, Hint, Step};
use crate::workbench::history::{Op, OpKind};

/// The maximum number of requests listed.
const MAX_REQUESTS: usize = 4;

/// The duplicated ids.
pub(super) fn cases(evidence: &Evidence<'_>) -> Vec<Value> {
    let report = unique_ids::check(evidence.history);
    report.map_or_else(|_| Vec::new(), |report| report.duplicated.into_iter().map(|(id, _)| id).collect())
}

pub(super) fn explain(evidence: &Evidence<'_>, id: &Value) -> Explanation {
    let ended = evidence.history.pairs().filter_map(|(begin, end)| Some((begin, end?)));
    let given: Vec<(&Op, &Op)> = ended.filter(|(_, end)| end.kind == OpKind::Ok && end.value == *id).collect();
    let name = id.to_json();
    let mut nodes: Vec<&str> = given.iter().map(|(begin, _)| evidence.node_of(begin)).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let title = format!("the id {name} was given {} by {}", times(given.len()), list(&nodes));
    let mut steps = Vec::new();
    for (begin, end) in given.iter().take(MAX_REQUESTS) {
        let node = evidence.node_of(begin);
        let exchange = evidence.exchange(begin, Some(end));
        let reply = exchange.replies.last().map(|passage| passage.id);
        let message = reply.map_or(String::new(), |id| format!(", message {id}"));
        let (began, ended) = (seconds(begin.time / 1_000), seconds(end.time / 1_000));
        let sentence =
            format!("{node} gave {name} at {ended} to a request of {began} (operation {}{message}).", end.index);
        steps.push(Step::operation(end, node, sentence).with(reply));
    }
    let mut hints = Vec::new();
    let (first, last) = (given.first().map_or(0, |(_, end)| end.time), given.last().map_or(0, |(_, end)| end.time));
    if let [node] = nodes[..] {
        let deaths = evidence.faults.outages_of(node, first / 1_000, last / 1_000);
        if let Some(death) = deaths.into_iter().find(|outage| outage.stop == Stop::Killed) {
            let words = death.in_words();
            steps.insert(1, Step::of(Claim::Outage, format!("{words}.")).at(death.from_us).on(node));
            let sentence = format!("{words}, and began its ids anew: put something into them that no restart repeats.");
            hints.push(Hint { pattern: "ids repeat after a restart", sentence });
        }
    } else {
        let sentence = format!("{} made the same id: put the name of the node into it.", list(&nodes));
        hints.push(Hint { pattern: "ids without a node", sentence });
    }
    Explanation { anomaly: "duplicate id", title, key: None, value: Some(name), steps, hints }
}
