//! The calls that nodes make to key-value services, and what can be seen in them: answers from the past, updates that
//! overwrote what their node had not read, and initial writes that came late.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use serde_json::Value as Json;

use crate::workbench::explain::evidence::Evidence;
use crate::workbench::explain::words::{counted, duration, seconds};
use crate::workbench::explain::{Hint, Step};
use crate::workbench::network::Passage;
use crate::workbench::services::Services;

/// What a node asked of a service.
#[derive(Debug, Clone, PartialEq)]
enum Action {
    Read,
    Write(Json),
    Swap { from: Json, to: Json },
}

/// A call that the service answered without an error.
#[derive(Debug)]
struct Call<'a> {
    node: &'a str,
    service: &'a str,
    key: Json,
    action: Action,
    request: &'a Passage,
    reply: &'a Passage,
    /// When the service handled it.
    at_us: i64,
    /// What a read returned.
    value: Option<Json>,
}

/// A value of a key, the call that wrote it, and when it was replaced.
#[derive(Debug)]
struct State<'a> {
    value: Json,
    writer: &'a Call<'a>,
    until_us: Option<i64>,
}

/// Something about a service that explains a wrong result.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) kind: FindingKind,
    pub(super) key: Json,
    pub(super) step: Step,
}

/// What is wrong with a call of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FindingKind {
    /// A write overwrote a value that its node had not read.
    LostUpdate,
    /// A write of a node that was starting overwrote what another node had written.
    InitRace,
    /// A read returned a value that had been replaced.
    StaleRead,
}

impl Finding {
    /// Whether it is about this key, a number or its text, within a window of time.
    pub(super) fn is_about(&self, key: &str, window: RangeInclusive<i64>) -> bool {
        self.key.to_string().trim_matches('"') == key.trim_matches('"')
            && self.step.time_us.is_some_and(|us| window.contains(&us))
    }
}

fn read<'a>(evidence: &Evidence<'_>, request: &'a Passage, reply: &'a Passage) -> Option<Call<'a>> {
    let [body, answer] = [request, reply].map(|passage| serde_json::from_str::<Json>(&passage.body).ok());
    let (body, answer) = (body?, answer?);
    let member = |name: &str| body.get(name).cloned().unwrap_or_default();
    let action = match (body.get("type")?.as_str()?, answer.get("type")?.as_str()?) {
        ("read", "read_ok") => Action::Read,
        ("write", "write_ok") => Action::Write(member("value")),
        ("cas", "cas_ok") => Action::Swap { from: member("from"), to: member("to") },
        _ => return None,
    };
    Some(Call {
        node: &request.src,
        service: &request.dest,
        key: member("key"),
        action,
        at_us: request.arrivals().next().map(|at| evidence.us(at))?,
        value: answer.get("value").cloned(),
        request,
        reply,
    })
}

/// The calls in the order in which the services handled them.
fn calls<'a>(evidence: &Evidence<'a>) -> Vec<Call<'a>> {
    let mut open: HashMap<(&str, &str, String), &Passage> = HashMap::new();
    let mut calls = Vec::new();
    let is_service = |name: &str| Services::NAMES.contains(&name);
    let passages = evidence.journal.passages().iter();
    for passage in passages.filter(|passage| is_service(&passage.src) || is_service(&passage.dest)) {
        let Ok(body) = serde_json::from_str::<Json>(&passage.body) else { continue };
        let number = |name: &str| body.get(name).map(ToString::to_string);
        if is_service(&passage.dest) {
            if let Some(id) = number("msg_id") {
                open.insert((&passage.src, &passage.dest, id), passage);
            }
        } else if let Some(id) = number("in_reply_to")
            && let Some(request) = open.remove(&(&*passage.dest, &*passage.src, id))
        {
            calls.extend(read(evidence, request, passage));
        }
    }
    calls.sort_by_key(|call| (call.at_us, call.reply.id));
    calls
}

/// Lost updates and stale answers, in the order in which they happened.
pub(super) fn findings(evidence: &Evidence<'_>) -> Vec<Finding> {
    let calls = calls(evidence);
    let mut states: HashMap<(&str, String), Vec<State<'_>>> = HashMap::new();
    let mut last_read: HashMap<(&str, &str, String), &Call<'_>> = HashMap::new();
    let mut findings = Vec::new();
    for call in &calls {
        let key = call.key.to_string();
        let past = states.entry((call.service, key.clone())).or_default();
        let own = (call.node, call.service, key);
        match &call.action {
            Action::Read => {
                findings.extend(stale(call, past));
                last_read.insert(own, call);
            }
            Action::Write(value) => {
                if let Some(current) = past.last().filter(|current| current.writer.node != call.node) {
                    let read = last_read.get(&own).filter(|read| knew(evidence, call, read));
                    findings.extend(match read {
                        Some(read) => lost_update(call, value, current, read),
                        None => init_race(evidence, call, value, current),
                    });
                }
                replace(past, call, value);
            }
            Action::Swap { from, to } => {
                findings.extend(past.last().filter(|current| current.value != *from).map(|current| {
                    let Call { node, service, key, at_us, request, .. } = call;
                    let sentence = format!(
                        "{service} let {node} replace {from} by {to} in {key} at {} (message {}), though {} had made \
                         it {} at {}.",
                        seconds(*at_us),
                        request.id,
                        current.writer.node,
                        current.value,
                        seconds(current.writer.at_us)
                    );
                    let messages = [current.writer.request.id, request.id];
                    let step = Step::remark(sentence).at(*at_us).on(node).with(messages);
                    Finding { kind: FindingKind::LostUpdate, key: key.clone(), step }
                }));
                replace(past, call, to);
            }
        }
    }
    findings
}

fn replace<'a>(past: &mut Vec<State<'a>>, writer: &'a Call<'a>, value: &Json) {
    if let Some(last) = past.last_mut() {
        last.until_us = Some(writer.at_us);
    }
    past.push(State { value: value.clone(), writer, until_us: None });
}

fn stale(call: &Call<'_>, past: &[State<'_>]) -> Option<Finding> {
    let (current, value) = (past.last()?, call.value.as_ref()?);
    let old = past.iter().rfind(|state| state.value == *value)?;
    let until = old.until_us.filter(|_| current.value != *value)?;
    let Call { node, service, key, at_us, reply, .. } = call;
    let sentence = format!(
        "{service} answered {node}'s read of {key} at {} with {value} (message {}), which {} had replaced {} before.",
        seconds(*at_us),
        reply.id,
        current.writer.node,
        duration(at_us - until)
    );
    let step = Step::remark(sentence).at(*at_us).on(node).with([call.request.id, reply.id]);
    Some(Finding { kind: FindingKind::StaleRead, key: key.clone(), step })
}

/// Whether a node had the answer to a read when it sent a later call, and was not started in between.
fn knew(evidence: &Evidence<'_>, call: &Call<'_>, read: &Call<'_>) -> bool {
    let Some(answered) = read.reply.arrivals().find(|at| *at <= call.request.sent) else { return false };
    let starts = evidence.journal.passages().iter().filter(|passage| {
        &*passage.dest == call.node
            && passage.arrivals().any(|at| answered < at && at <= call.request.sent)
            && passage.kind().as_deref() == Some("init")
    });
    starts.count() == 0
}

fn lost_update(call: &Call<'_>, value: &Json, current: &State<'_>, read: &Call<'_>) -> Option<Finding> {
    let seen = read.value.as_ref().filter(|seen| **seen != current.value)?;
    let Call { node, service, key, at_us, request, .. } = call;
    let sentence = format!(
        "{node} wrote {value} to {key} of {service} at {} (message {}) over {}, which {} had written at {} (message \
         {}): {node} had read {seen} at {} (message {}).",
        seconds(*at_us),
        request.id,
        current.value,
        current.writer.node,
        seconds(current.writer.at_us),
        current.writer.request.id,
        seconds(read.at_us),
        read.reply.id
    );
    let messages = [read.reply.id, current.writer.request.id, request.id];
    let step = Step::remark(sentence).at(*at_us).on(node).with(messages);
    Some(Finding { kind: FindingKind::LostUpdate, key: key.clone(), step })
}

/// A blind write that a node sent when it had received nothing but `init`, over the value of another node.
fn init_race(evidence: &Evidence<'_>, call: &Call<'_>, value: &Json, current: &State<'_>) -> Option<Finding> {
    if current.value == *value {
        return None;
    }
    let Call { node, service, key, at_us, request, .. } = call;
    let requests = evidence.journal.passages().iter();
    let requests = requests.filter(|passage| &*passage.dest == *node && evidence.is_client(&passage.src));
    let latest = requests
        .filter_map(|passage| Some((passage.arrivals().filter(|at| *at <= request.sent).last()?, passage)))
        .max_by_key(|(at, passage)| (*at, passage.id));
    let (_, init) = latest.filter(|(_, passage)| passage.kind().as_deref() == Some("init"))?;
    let sentence = format!(
        "{node} sent {service} a write of {value} to {key} when it was initialized (messages {} and {}); it took \
         effect at {}, over {}, which {} had written at {} (message {}).",
        init.id,
        request.id,
        seconds(*at_us),
        current.value,
        current.writer.node,
        seconds(current.writer.at_us),
        current.writer.request.id
    );
    let step = Step::remark(sentence).at(*at_us).on(node).with([init.id, request.id, current.writer.request.id]);
    Some(Finding { kind: FindingKind::InitRace, key: key.clone(), step })
}

/// A hint for each kind of finding.
pub(super) fn hints(findings: &[Finding]) -> Vec<Hint> {
    let of = |kind: FindingKind, what: &str, pattern: &'static str, advice: &str| {
        let count = findings.iter().filter(|finding| finding.kind == kind).count();
        (count > 0).then(|| Hint { pattern, sentence: format!("{} {advice}", counted(count, what)) })
    };
    let hints = [
        of(
            FindingKind::LostUpdate,
            "write",
            "read-modify-write race",
            "overwrote what another node had written in between: use cas, and try again when it fails.",
        ),
        of(
            FindingKind::InitRace,
            "initial write",
            "init race",
            "overwrote another node's value: create the key with a cas from the initial value and \
             create_if_not_exists, and answer init when that is done.",
        ),
        of(
            FindingKind::StaleRead,
            "answer",
            "stale answer of a service",
            "of a service came from the past, as seq-kv and lww-kv may answer: write something first to read what is \
             current.",
        ),
    ];
    hints.into_iter().flatten().collect()
}
