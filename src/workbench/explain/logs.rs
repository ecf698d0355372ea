//! Explains what is wrong with logs (kafka): which offset holds which messages, sent by whom and polled by whom; the
//! poll that skipped, and the send that it skipped.

use crate::workbench::check::kafka::{self, LogCase, Sequence};
use crate::workbench::edn::Value;
use crate::workbench::explain::bodies::Item;
use crate::workbench::explain::evidence::Evidence;
use crate::workbench::explain::faults::Stop;
use crate::workbench::explain::journey::Subject;
use crate::workbench::explain::words::{counted, list, seconds};
use crate::workbench::explain::{Claim, Explanation, Step, calls};
use crate::workbench::history::{Op, OpKind};

/// The maximum number of operations listed for one message.
const MAX_LISTED: usize = 2;

/// What is wrong.
#[derive(Debug)]
pub(super) enum Case {
    /// An error that the checker found.
    Error(&'static str, Box<LogCase>),
    /// A message of a log that was acknowledged, and that no poll brought.
    Unseen(Value, Value),
}

impl Case {
    /// The name of the log.
    fn key(&self) -> Option<&Value> {
        let case = match self {
            Self::Unseen(key, _) => return Some(key),
            Self::Error(_, case) => &**case,
        };
        match case {
            LogCase::InconsistentOffsets { key, .. }
            | LogCase::Duplicate { key, .. }
            | LogCase::LostWrite { key, .. }
            | LogCase::AbortedRead { key, .. }
            | LogCase::RealtimeCycle { key, .. }
            | LogCase::PrecommittedRead { key, .. }
            | LogCase::Sequence(Sequence { key, .. }) => Some(key),
            LogCase::CycleExists { .. } | LogCase::EmptyGraph | LogCase::Unseen(_) => None,
        }
    }
}

/// All that is wrong: first what explains the most.
pub(super) fn cases(evidence: &Evidence<'_>) -> Vec<Case> {
    let Ok(report) = kafka::check(evidence.history) else { return Vec::new() };
    let mut cases = Vec::new();
    for (anomaly, errors) in report.errors {
        for case in errors.cases {
            if let LogCase::Unseen(unseen) = case {
                let messages = unseen.by_key.into_iter().flat_map(|(key, _, first)| {
                    first.into_iter().map(move |message| Case::Unseen(key.clone(), message))
                });
                cases.extend(messages);
            } else {
                cases.push(Case::Error(anomaly.name(), Box::new(case)));
            }
        }
    }
    let rank = |case: &Case| {
        let Case::Error(_, case) = case else { return Some(3) };
        match **case {
            LogCase::CycleExists { .. } | LogCase::EmptyGraph | LogCase::Unseen(_) => None,
            LogCase::InconsistentOffsets { .. } | LogCase::Duplicate { .. } => Some(0),
            LogCase::LostWrite { .. } => Some(1),
            LogCase::AbortedRead { .. }
            | LogCase::RealtimeCycle { .. }
            | LogCase::PrecommittedRead { .. }
            | LogCase::Sequence(_) => Some(2),
        }
    };
    cases.retain(|case| rank(case).is_some());
    cases.sort_by_key(rank);
    cases
}

/// The micro-operations of an operation: name, key, and argument.
fn steps_of(op: &Op) -> Vec<(String, Value, Value)> {
    let read = |step: &Value| {
        let mut parts = step.items()?.map(std::borrow::Cow::into_owned);
        Some((
            parts.next()?.as_keyword()?.to_owned(),
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        ))
    };
    op.value.items().into_iter().flatten().filter_map(|step| read(&step)).collect()
}

fn pair(value: &Value) -> Option<(i64, Value)> {
    let mut parts = value.items()?;
    Some((parts.next()?.as_int()?, parts.next()?.into_owned()))
}

/// What an operation sent, each message with its key, and its offset if it was acknowledged.
fn sent(op: &Op) -> impl Iterator<Item = (Value, Option<i64>, Value)> {
    let sends = steps_of(op).into_iter().filter(|(name, ..)| name == "send");
    sends.map(|(_, key, argument)| match pair(&argument) {
        Some((offset, message)) => (key, Some(offset), message),
        None => (key, None, argument),
    })
}

/// What an operation polled: key, offset and message.
fn polled(op: &Op) -> Vec<(Value, i64, Value)> {
    let mut all = Vec::new();
    for (_, logs, _) in steps_of(op).into_iter().filter(|(name, ..)| name == "poll") {
        for (key, messages) in logs.entries().unwrap_or_default() {
            let messages = messages.items().into_iter().flatten().filter_map(|message| pair(&message));
            all.extend(messages.map(|(offset, message)| (key.clone(), offset, message)));
        }
    }
    all
}

/// The items that an operation sends.
pub(super) fn items(op: &Op) -> Vec<Item> {
    sent(op).map(|(key, _, message)| Item::keyed(&key, &message)).collect()
}

/// The operations that send a message, each with its end.
pub(super) fn sends<'a>(evidence: &Evidence<'a>, key: &Value, message: &Value) -> Vec<(&'a Op, Option<&'a Op>)> {
    let is_it = |op: &Op| sent(op).any(|(log, _, other)| log == *key && other == *message);
    evidence.history.pairs().filter(|(begin, _)| is_it(begin)).collect()
}

/// How a message of a log travelled; `None` if nobody sent it.
pub(super) fn journey(evidence: &Evidence<'_>, key: &Value, message: &Value) -> Option<Explanation> {
    // The logs of the workload have names that are numbers, which a command line does not quote.
    let key = &key.as_int().map_or_else(|| key.clone(), |number| Value::str(number.to_string()));
    let adds = sends(evidence, key, message);
    let subject = Subject::of(evidence, items, &[Item::keyed(key, message)], std::slice::from_ref(&adds));
    let subject = subject.into_iter().next().filter(|subject| !subject.adds.is_empty())?;
    let mut explanation = subject.travelled(evidence, &text(message));
    explanation.key = Some(text(key));
    explanation.steps.extend(told_polls(evidence, key, message, None));
    Some(explanation)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_json(), str::to_owned)
}

/// Who sent a message, and which offset it was given.
fn told_sends(evidence: &Evidence<'_>, key: &Value, message: &Value) -> Vec<Step> {
    let mut steps = Vec::new();
    for (begin, end) in sends(evidence, key, message).into_iter().take(MAX_LISTED) {
        let op = end.unwrap_or(begin);
        let (node, at) = (evidence.node_of(begin), seconds(op.time / 1_000));
        let offset = sent(op).find(|(log, _, other)| log == key && other == message).and_then(|(_, offset, _)| offset);
        let (name, log) = (text(message), text(key));
        let sentence = match (op.kind, offset) {
            (OpKind::Ok, Some(offset)) => {
                format!(
                    "{node} acknowledged {name} for log {log} at {at}, at offset {offset} (operation {}).",
                    op.index
                )
            }
            (OpKind::Ok, None) => format!("{node} acknowledged {name} for log {log} at {at} (operation {}).", op.index),
            (kind, _) => {
                let kind = if kind == OpKind::Fail { "refused" } else { "did not answer for" };
                format!("{node} {kind} {name} for log {log} at {at} (operation {}).", op.index)
            }
        };
        steps.push(Step::operation(op, node, sentence));
    }
    steps
}

/// The first polls that brought a message, of each node the first.
fn told_polls(evidence: &Evidence<'_>, key: &Value, message: &Value, offset: Option<i64>) -> Vec<Step> {
    let mut nodes: Vec<&str> = Vec::new();
    let mut steps = Vec::new();
    for op in evidence.history.ops().iter().filter(|op| op.is_client() && op.kind == OpKind::Ok) {
        let node = evidence.node_of(op);
        if nodes.contains(&node) || nodes.len() == MAX_LISTED {
            continue;
        }
        let found = polled(op)
            .into_iter()
            .find(|(log, at, other)| log == key && other == message && offset.is_none_or(|offset| offset == *at));
        let Some((_, found, _)) = found else { continue };
        nodes.push(node);
        let (at, name) = (seconds(op.time / 1_000), text(message));
        let sentence = format!("A poll of {node} at {at} brought {name} at offset {found} (operation {}).", op.index);
        steps.push(Step::operation(op, node, sentence));
    }
    if steps.is_empty() {
        steps.push(Step::remark(format!("No poll brought {}.", text(message))));
    }
    steps
}

pub(super) fn explain(evidence: &Evidence<'_>, case: &Case) -> Explanation {
    let (anomaly, title, value, mut steps) = match case {
        Case::Unseen(key, message) => {
            let title = format!("{} of log {} was acknowledged, but no poll brought it", text(message), text(key));
            ("unseen", title, Some(message), never_polled(evidence, key, message, None))
        }
        Case::Error(anomaly, case) => {
            let (title, value, steps) = error(evidence, case);
            (*anomaly, title, value, steps)
        }
    };
    let findings = calls::findings(evidence);
    let lost = findings.iter().filter(|finding| finding.kind != calls::FindingKind::StaleRead).take(1);
    let end = steps.len();
    steps.extend(lost.map(|finding| finding.step.clone()));
    let hints = if steps.len() > end { calls::hints(&findings) } else { Vec::new() };
    let (key, value) = (case.key().map(text), value.map(Value::to_json));
    Explanation { anomaly, title, key, value, steps, hints }
}

fn error<'c>(evidence: &Evidence<'_>, case: &'c LogCase) -> (String, Option<&'c Value>, Vec<Step>) {
    let ended = |op: &Op, what: &str| {
        let (node, at) = (evidence.node_of(op), seconds(op.time / 1_000));
        Step::operation(op, node, format!("{what} on {node} at {at} (operation {}).", op.index))
    };
    match case {
        LogCase::InconsistentOffsets { key, offset, values, .. } => {
            let title = format!("offset {offset} of log {} holds {}", text(key), list(values.iter().map(text)));
            let each = values.iter().flat_map(|message| {
                let sends = told_sends(evidence, key, message).into_iter();
                sends.chain(told_polls(evidence, key, message, Some(*offset)))
            });
            (title, None, each.collect())
        }
        LogCase::Duplicate { key, value, offsets } => {
            let title = format!("{} of log {} is at offsets {}", text(value), text(key), list(offsets));
            let polls = offsets.iter().flat_map(|offset| told_polls(evidence, key, value, Some(*offset)));
            (title, Some(value), told_sends(evidence, key, value).into_iter().chain(polls).collect())
        }
        LogCase::LostWrite { key, value, max_read, .. } => {
            let title = format!("{} of log {} was lost: polls went on without it", text(value), text(key));
            (title, Some(value), never_polled(evidence, key, value, max_read.as_ref()))
        }
        LogCase::AbortedRead { key, value, reader, .. } => {
            let title = format!("{} of log {} was polled, though its send had failed", text(value), text(key));
            let mut steps = told_sends(evidence, key, value);
            steps.push(ended(reader, &format!("A poll brought {}", text(value))));
            (title, Some(value), steps)
        }
        LogCase::RealtimeCycle { key, value, sent, polled } => {
            let title = format!("{} of log {} was polled before it was sent", text(value), text(key));
            (title, Some(value), vec![ended(polled, "The poll ended"), ended(sent, "The send ended")])
        }
        LogCase::PrecommittedRead { key, value, op } => {
            let title = format!("{} of log {} was polled by the operation that sends it", text(value), text(key));
            (title, Some(value), vec![ended(op, "It ended")])
        }
        LogCase::Sequence(sequence) => skip(evidence, sequence),
        LogCase::CycleExists { .. } | LogCase::EmptyGraph | LogCase::Unseen(_) => (String::new(), None, Vec::new()),
    }
}

/// A poll that skipped messages or went back, and who sent what it skipped.
fn skip<'c>(evidence: &Evidence<'_>, sequence: &'c Sequence) -> (String, Option<&'c Value>, Vec<Step>) {
    let Sequence { key, values: [first, second], skipped, ops, .. } = sequence;
    let log = text(key);
    let title = if skipped.is_empty() {
        format!("log {log}: {} came after {}, but is not after it", text(second), text(first))
    } else {
        format!(
            "log {log}: {} came after {}, and skipped {}",
            text(second),
            text(first),
            list(skipped.iter().map(text))
        )
    };
    let mut steps = Vec::new();
    for message in skipped.iter().take(MAX_LISTED) {
        steps.extend(told_sends(evidence, key, message));
    }
    for op in ops {
        let node = evidence.node_of(op);
        let of_log = polled(op).into_iter().filter(|(other, ..)| other == key);
        let of_log: Vec<_> = of_log.map(|(_, offset, message)| format!("{} at {offset}", text(&message))).collect();
        let sends: Vec<_> = sent(op).filter(|(other, ..)| other == key).map(|(.., message)| text(&message)).collect();
        let what = match (of_log.is_empty(), sends.is_empty()) {
            (false, _) => format!("polled {}", list(of_log)),
            (true, false) => format!("sent {}", list(sends)),
            (true, true) => "polled nothing of the log".to_owned(),
        };
        let at = seconds(op.time / 1_000);
        let process = op.process.to_value();
        let sentence = format!("Process {process} on {node} {what} at {at} (operation {}).", op.index);
        steps.push(Step::operation(op, node, sentence));
    }
    (title, skipped.first(), steps)
}

/// The first poll that brought another message at the offset that was acknowledged.
fn instead(evidence: &Evidence<'_>, key: &Value, message: &Value, end: &Op) -> Option<Step> {
    let (_, offset, _) = sent(end).find(|(log, _, other)| log == key && other == message)?;
    let offset = offset?;
    let polls = evidence.history.ops().iter().filter(|op| op.is_client() && op.kind == OpKind::Ok);
    let (op, other) =
        polls.filter_map(|op| Some((op, at_offset(op, key, offset)?))).find(|(_, other)| other != message)?;
    let (node, at) = (evidence.node_of(op), seconds(op.time / 1_000));
    let sentence =
        format!("A poll of {node} at {at} brought {} at offset {offset} (operation {}).", text(&other), op.index);
    Some(Step::operation(op, node, sentence))
}

fn at_offset(op: &Op, key: &Value, offset: i64) -> Option<Value> {
    polled(op).into_iter().find(|(log, at, _)| log == key && *at == offset).map(|(.., message)| message)
}

/// Why an acknowledged message was brought by no poll.
fn never_polled(evidence: &Evidence<'_>, key: &Value, message: &Value, max_read: Option<&Op>) -> Vec<Step> {
    let mut steps = told_sends(evidence, key, message);
    let adds = sends(evidence, key, message);
    let name = text(message);
    let subject =
        Subject::of(evidence, items, &[Item::keyed(key, message)], std::slice::from_ref(&adds)).into_iter().next();
    let acknowledged = adds.iter().find_map(|(_, end)| end.filter(|end| end.kind == OpKind::Ok));
    if let Some(end) = acknowledged {
        steps.extend(instead(evidence, key, message, end));
        let (node, at) = (evidence.node_of(end), end.time / 1_000);
        let deaths =
            evidence.faults.outages_of(node, at, i64::MAX).filter(|outage| outage.stop == Stop::Killed).take(1);
        let killed = |outage: &crate::workbench::explain::faults::Outage| {
            Step::of(Claim::Outage, format!("{}.", outage.in_words())).at(outage.from_us).on(node)
        };
        steps.extend(deaths.map(killed));
    }
    if let Some(subject) = subject.filter(|subject| subject.is_shown) {
        if let Some(op) = max_read {
            let node = evidence.node_of(op);
            if subject.journey.had(node).is_none() {
                steps.extend(subject.journey.why_without(evidence, node, &name, op.time / 1_000));
            }
        } else {
            steps.extend(subject.journey.holder_steps(evidence, &name));
        }
    } else if evidence.server_messages().next().is_some() {
        steps.push(Step::remark("No message between nodes shows the messages of logs in its body."));
    }
    if let Some(op) = max_read {
        let (node, at) = (evidence.node_of(op), seconds(op.time / 1_000));
        let beyond = polled(op).into_iter().filter(|(log, ..)| log == key).map(|(_, offset, _)| offset).max();
        let beyond = beyond.map_or("on".to_owned(), |offset| format!("up to offset {offset}"));
        let sentence = format!("A poll of {node} at {at} went {beyond} without it (operation {}).", op.index);
        steps.push(Step::operation(op, node, sentence));
    }
    let polls = evidence.history.ops().iter().filter(|op| op.kind == OpKind::Ok && !polled(op).is_empty()).count();
    steps.push(Step::remark(format!("None of the {} that brought something brought {name}.", counted(polls, "poll"))));
    steps
}
