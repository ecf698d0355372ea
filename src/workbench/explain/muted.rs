//! Explains why nothing that a node printed was read any more: the line, the rule, and what would be right.

use crate::workbench::explain::evidence::Evidence;
use crate::workbench::explain::words::{counted, seconds};
use crate::workbench::explain::{Claim, Explanation, Hint, Step};
use crate::workbench::network::{Mute, Passage};

/// What every line on stdout has to be.
const RULE: &str = "Every line on stdout must be one message, a JSON object such as \
    {\"src\":\"n1\",\"dest\":\"n2\",\"body\":{\"type\":\"…\"}}, to and from somebody who exists; all else belongs on \
    stderr.";

/// For each node that was muted an explanation.
pub(super) fn explain(evidence: &Evidence<'_>) -> impl Iterator<Item = Explanation> {
    evidence.journal.mutes().iter().map(|mute| of(evidence, mute))
}

fn of(evidence: &Evidence<'_>, mute: &Mute) -> Explanation {
    let Mute { at, node, line, reason, unknown } = mute;
    let at = evidence.us(*at);
    let title = format!("{node} was muted at {}, so that nothing it printed later was read", seconds(at));
    let printed = Step::remark(format!("{node} printed {reason}: {line}")).at(at).on(node);
    let mut steps = vec![printed, Step::remark(RULE)];
    let mut hints = Vec::new();
    let requests = || evidence.journal.passages().iter().filter(|passage| Some(&*passage.src) == unknown.as_deref());
    let last = requests().filter(|passage| evidence.us(passage.sent) <= at && passage.dest == *node).last();
    if let (Some(client), Some(last)) = (unknown, last) {
        steps.push(late(evidence, client, last, at));
        let sentence = format!(
            "{node} answered {client} at {}, but {client} had stopped waiting: answer in time, or not at all.",
            seconds(at)
        );
        hints.push(Hint { pattern: "reply after the time-out", sentence });
    }
    let unheard = evidence.journal.unheard().iter().filter(|passage| passage.src == *node);
    let ids: Vec<u64> = unheard.clone().map(|passage| passage.id).collect();
    if let Some(first) = unheard.clone().next() {
        let kind = first.kind().unwrap_or_else(|| "message".to_owned());
        let sentence = format!(
            "Nobody heard the {} that it printed afterwards, the first of them {kind} to {} at {}.",
            counted(ids.len(), "message"),
            first.dest,
            seconds(evidence.us(first.sent))
        );
        steps.push(Step::remark(sentence).at(evidence.us(first.sent)).on(node));
    }
    Explanation { anomaly: "muted", title, key: None, value: None, steps, hints }
}

fn late(evidence: &Evidence<'_>, client: &str, request: &Passage, at: i64) -> Step {
    let sent = evidence.us(request.sent);
    let kind = request.kind().unwrap_or_else(|| "request".to_owned());
    let waited = seconds(at - sent);
    let sentence = format!(
        "{client} had sent its last {kind} at {} (message {}), {waited} before, and had stopped waiting.",
        seconds(sent),
        request.id
    );
    let fate = request.fates.first().map(|(_, fate)| *fate);
    Step::of(Claim::Sent { to: request.dest.to_string(), fate }, sentence).at(sent).with([request.id])
}
