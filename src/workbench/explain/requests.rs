//! Explains single operations: whether the request reached the node, what the node did next, where its answer went; and
//! the operations that did not succeed, one for each kind of error.

use serde_json::Value as Json;

use crate::workbench::explain::evidence::Evidence;
use crate::workbench::explain::faults::Outage;
use crate::workbench::explain::words::{counted, duration, list, seconds};
use crate::workbench::explain::{Claim, Explanation, Hint, Step};
use crate::workbench::history::{Op, OpKind};
use crate::workbench::network::{Fate, Passage};
use crate::workbench::quote::cut;

/// The maximum number of a node's messages that the explanation of an operation lists.
const MAX_LISTED: usize = 5;
/// The maximum length of a body in a sentence.
const MAX_BODY: usize = 100;

/// The first operation of each name and error that did not succeed.
#[derive(Debug, Default)]
pub(super) struct Failures(Vec<Failure>);

#[derive(Debug)]
struct Failure {
    index: u64,
    kind: (String, String),
    count: usize,
}

impl Failures {
    /// Errors that a correct node may answer with are not among them.
    pub(super) fn of(evidence: &Evidence<'_>) -> Self {
        let mut failures: Vec<Failure> = Vec::new();
        for (_, end) in evidence.history.pairs() {
            let Some(end) = end.filter(|end| end.kind != OpKind::Ok) else { continue };
            let Some(error) = error_of(end).filter(|error| !is_ordinary(error)) else { continue };
            let kind = (end.f.to_string(), error);
            match failures.iter_mut().find(|failure| failure.kind == kind) {
                Some(failure) => failure.count += 1,
                None => failures.push(Failure { index: end.index, kind, count: 1 }),
            }
        }
        failures.sort_by_key(|failure| std::cmp::Reverse(failure.count));
        Self(failures)
    }

    pub(super) const fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn explain<'s>(&'s self, evidence: &'s Evidence<'_>) -> impl Iterator<Item = Explanation> + 's {
        self.0.iter().filter_map(|failure| {
            let mut explanation = operation(evidence, failure.index)?;
            if failure.count > 1 {
                let (f, error) = &failure.kind;
                explanation.title =
                    format!("{} ended with {error}; the first: {}", counted(failure.count, f), explanation.title);
            }
            Some(explanation)
        })
    }
}

/// The error of an operation in JSON's words.
fn error_of(end: &Op) -> Option<String> {
    let error = end.error.as_ref()?;
    let first = error.items().and_then(|mut items| items.next());
    let name = error.as_keyword().map(str::to_owned).or_else(|| first?.as_keyword().map(str::to_owned));
    Some(name.unwrap_or_else(|| cut(&error.to_json(), MAX_BODY)))
}

/// Errors of a request that could not be carried out, and was not.
fn is_ordinary(error: &str) -> bool {
    ["key-does-not-exist", "key-already-exists", "precondition-failed", "txn-conflict"].contains(&error)
}

/// A member of a body.
fn member(passage: &Passage, name: &str) -> Option<Json> {
    serde_json::from_str::<Json>(&passage.body).ok()?.get(name).cloned()
}

/// What became of an operation; `None` if no client performed it. `index` is that of its invocation or its completion.
pub(super) fn operation(evidence: &Evidence<'_>, index: u64) -> Option<Explanation> {
    let mut pairs = evidence.history.pairs();
    let (begin, end) = pairs.find(|(begin, end)| begin.index == index || end.is_some_and(|end| end.index == index))?;
    let node = evidence.node_of(begin);
    let from = begin.time / 1_000;
    let until = end.map_or(evidence.end_us(), |end| end.time / 1_000);
    let exchange = evidence.exchange(begin, end);
    let what = cut(&begin.value.to_json(), MAX_BODY);
    let what = if begin.value.is_nil() { begin.f.to_string() } else { format!("{} {what}", begin.f) };
    let sentence = format!("A client began {what} at {} on {node} (operation {}).", seconds(from), begin.index);
    let mut steps = vec![Step::operation(begin, node, sentence)];
    let mut hints = Vec::new();
    for request in &exchange.requests {
        let kind = request.kind().unwrap_or_else(|| "request".to_owned());
        let Some(at) = request.arrivals().next() else {
            steps.push(unreached(evidence, request, node, &kind, until));
            continue;
        };
        let at = evidence.us(at);
        let waited = duration(at - evidence.us(request.sent));
        let id = request.id;
        let sentence = format!("{kind} (message {id}) reached {node} at {}, after {waited}.", seconds(at));
        steps.push(
            Step::of(Claim::Sent { to: node.to_owned(), fate: Some(Fate::Delivered) }, sentence).at(at).with([id]),
        );
        let number = member(request, "msg_id");
        let answers = |passage: &&&Passage| number.is_some() && member(passage, "in_reply_to") == number;
        let answer = exchange.replies.iter().find(answers);
        let answered = answer.map_or(until, |answer| evidence.us(answer.sent));
        let (doing, hint) = meanwhile(evidence, node, at, answered);
        steps.extend(doing);
        if let Some(answer) = answer {
            let (sent, kind) = (evidence.us(answer.sent), answer.kind().unwrap_or_default());
            let took = duration(sent - at);
            let sentence =
                format!("{node} answered {kind} at {}, {took} later (message {}).", seconds(sent), answer.id);
            let to = answer.dest.to_string();
            let fate = answer.fates.first().map(|(_, fate)| *fate);
            steps.push(Step::of(Claim::Sent { to, fate }, sentence).at(sent).on(node).with([answer.id]));
        } else {
            steps.extend(unanswered(evidence, request, node, at, until));
            hints.extend(hint);
        }
    }
    let outcome = match end {
        None => format!("{what} was never completed"),
        Some(end) => {
            let error = error_of(end).map_or(String::new(), |error| format!(" ({error})"));
            let at = seconds(until);
            let took = duration(until - from);
            let kind = end.kind.name();
            let sentence = format!("It ended at {at} as {kind}{error}, after {took} (operation {}).", end.index);
            steps.push(Step::operation(end, node, sentence));
            format!("{what} on {node} ended as {kind}{error} after {took}")
        }
    };
    let anomaly = if end.is_some_and(|end| end.kind == OpKind::Ok) { "operation" } else { "no success" };
    Some(Explanation { anomaly, title: outcome, key: None, value: None, steps, hints })
}

/// Why a request did not reach its node.
fn unreached(evidence: &Evidence<'_>, request: &Passage, node: &str, kind: &str, until: i64) -> Step {
    let sent = evidence.us(request.sent);
    let outages: Vec<_> = evidence.faults.outages_of(node, sent, until).map(Outage::in_words).collect();
    let why = if outages.is_empty() { String::new() } else { format!(": {}", outages.join("; ")) };
    let fate = request.fates.first().map(|(_, fate)| *fate);
    let sentence = format!("{kind} (message {}) never reached {node}{why}.", request.id);
    Step::of(Claim::Sent { to: node.to_owned(), fate }, sentence).at(sent).with([request.id])
}

/// What a node sent and received between two times; a hint if it waited for something that did not come.
fn meanwhile(evidence: &Evidence<'_>, node: &str, from: i64, to: i64) -> (Vec<Step>, Option<Hint>) {
    let passages = evidence.journal.passages();
    let first = passages.partition_point(|passage| evidence.us(passage.sent) < from);
    let later = passages[first..].iter().take_while(|passage| evidence.us(passage.sent) <= to);
    let sent: Vec<_> = later.filter(|passage| &*passage.src == node && evidence.is_between_servers(passage)).collect();
    let mut steps: Vec<_> = evidence
        .faults
        .outages_of(node, from, to)
        .map(|outage| Step::of(Claim::Outage, format!("{}.", outage.in_words())).at(outage.from_us).on(node))
        .collect();
    for passage in sent.iter().take(MAX_LISTED) {
        let (at, kind) = (evidence.us(passage.sent), passage.kind().unwrap_or_else(|| "?".to_owned()));
        let end = end_of(evidence, passage);
        let sentence =
            format!("{node} sent {kind} to {} at {} (message {}), {end}.", passage.dest, seconds(at), passage.id);
        let fate = passage.fates.first().map(|(_, fate)| *fate);
        steps.push(
            Step::of(Claim::Sent { to: passage.dest.to_string(), fate }, sentence).at(at).on(node).with([passage.id]),
        );
    }
    if sent.len() > MAX_LISTED {
        let more = counted(sent.len() - MAX_LISTED, "more message");
        steps.push(Step::remark(format!("{node} sent {more} to other nodes and services by {}.", seconds(to))));
    }
    let dropped: Vec<_> = sent.iter().filter(|passage| passage.arrivals().next().is_none()).collect();
    let hint = (!dropped.is_empty()).then(|| {
        let to = dropped.iter().map(|passage| passage.dest.to_string()).collect::<std::collections::BTreeSet<_>>();
        let sentence = format!(
            "while it had the request, {node} sent {} to {} that did not arrive, and gave no answer.",
            counted(dropped.len(), "message"),
            list(to)
        );
        Hint { pattern: "waits for what does not come", sentence }
    });
    (steps, hint)
}

/// `which arrived at 1.31 s`
fn end_of(evidence: &Evidence<'_>, passage: &Passage) -> String {
    if let Some(at) = passage.arrivals().next() {
        return format!("which arrived at {}", seconds(evidence.us(at)));
    }
    match passage.fates.first() {
        Some((at, Fate::Refused)) => {
            let cut = evidence.faults.cut_at(&passage.src, &passage.dest, evidence.us(*at));
            cut.map_or_else(|| "dropped by a partition".to_owned(), |cut| format!("dropped by {}", cut.in_words()))
        }
        Some((_, Fate::Lost)) => "lost at random".to_owned(),
        Some((_, Fate::Discarded)) => "thrown away with the queue of a dead node".to_owned(),
        Some((_, Fate::Ignored)) => "not heard, because its sender was muted".to_owned(),
        Some((_, Fate::Delivered)) | None => "still under way at the end".to_owned(),
    }
}

/// Where the answer to a request went that did not come in time.
fn unanswered(evidence: &Evidence<'_>, request: &Passage, node: &str, at: i64, until: i64) -> Vec<Step> {
    let number = member(request, "msg_id");
    let passages = evidence.journal.passages().iter().chain(evidence.journal.unheard());
    let own = passages.filter(|passage| &*passage.src == node && evidence.us(passage.sent) >= at);
    let is_answer = |passage: &&Passage| number.is_some() && member(passage, "in_reply_to") == number;
    let answer =
        own.filter(is_answer).find(|passage| passage.dest == request.src || !evidence.is_client(&passage.dest));
    let mute = evidence.journal.mutes().iter().find(|mute| &*mute.node == node && evidence.us(mute.at) <= until);
    if let Some(mute) = mute {
        let muted_at = evidence.us(mute.at);
        let sentence = format!("Nothing that {node} printed after {} was read: it was muted.", seconds(muted_at));
        return vec![Step::remark(sentence).at(muted_at).on(node)];
    }
    match answer {
        Some(answer) if answer.dest == request.src => {
            let sent = evidence.us(answer.sent);
            let sentence =
                format!("{node} answered only at {}, too late for its client (message {}).", seconds(sent), answer.id);
            let fate = answer.fates.first().map(|(_, fate)| *fate);
            let claim = Claim::Sent { to: answer.dest.to_string(), fate };
            vec![Step::of(claim, sentence).at(sent).on(node).with([answer.id])]
        }
        _ => vec![Step::remark(format!("{node} never answered it."))],
    }
}

/// What a node did: its messages by type and end, its outages, and its operations.
pub(super) fn node(evidence: &Evidence<'_>, name: &str) -> Option<Explanation> {
    let node = evidence.setting.nodes.iter().find(|node| *node == name)?;
    let mut steps = Vec::new();
    for outage in evidence.faults.outages_of(node, i64::MIN, i64::MAX) {
        steps.push(Step::of(Claim::Outage, format!("{}.", outage.in_words())).at(outage.from_us).on(node));
    }
    for cut in evidence.faults.cuts.iter().filter(|cut| {
        evidence.setting.nodes.iter().any(|other| cut.is_between(other, node) || cut.is_between(node, other))
    }) {
        let words = cut.in_words();
        steps.push(Step::remark(format!("It was cut off by {words}.")).at(cut.from_us).on(node));
    }
    for mute in evidence.journal.mutes().iter().filter(|mute| &*mute.node == node.as_str()) {
        let at = evidence.us(mute.at);
        let sentence = format!("It was muted at {}: it printed {}.", seconds(at), mute.reason);
        steps.push(Step::remark(sentence).at(at).on(node));
    }
    let mut kinds: std::collections::BTreeMap<(bool, String), [usize; 2]> = std::collections::BTreeMap::new();
    let own = evidence.journal.passages().iter();
    for passage in own.filter(|passage| &*passage.src == node.as_str() || &*passage.dest == node.as_str()) {
        let entry = kinds.entry((&*passage.src == node.as_str(), passage.kind().unwrap_or_default())).or_default();
        entry[0] += 1;
        entry[1] += usize::from(passage.arrivals().next().is_some());
    }
    for ((is_sender, kind), [all, arrived]) in kinds {
        let verb = if is_sender { "sent" } else { "was sent" };
        steps.push(Step::remark(format!(
            "It {verb} {}, of which {arrived} arrived.",
            counted(all, &format!("{kind} message"))
        )));
    }
    let ends = evidence.history.pairs().filter(|(begin, _)| evidence.node_of(begin) == node.as_str());
    let mut outcomes: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for (begin, end) in ends {
        let kind = end.map_or("unfinished", |end| end.kind.name());
        *outcomes.entry(format!("{} {kind}", begin.f)).or_default() += 1;
    }
    let outcomes: Vec<_> = outcomes.into_iter().map(|(what, count)| format!("{count} × {what}")).collect();
    steps.push(Step::remark(format!("Operations of its clients: {}.", outcomes.join(", "))));
    let title = format!("What {node} did");
    Some(Explanation { anomaly: "node", title, key: None, value: None, steps, hints: Vec::new() })
}
