//! Known patterns that the messages of a whole run show: retry storms, time-outs shorter than the round trip, gossip of
//! the whole state, and nodes that do not answer while they wait.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value as Json;

use crate::time::Time;
use crate::workbench::explain::evidence::Evidence;
use crate::workbench::explain::words::duration;
use crate::workbench::explain::{Explanation, Hint};
use crate::workbench::network::Passage;

/// How many times one body must have been sent to one receiver on average, and how many times in all, for a storm.
const STORM: (usize, usize) = (4, 200);
/// How many repetitions came before an answer could, for a time-out that is too short; and their share of all.
const HASTE: (usize, usize) = (20, 2);
/// How many times as long messages of a type are at the end as at the beginning, at least; and their bytes at the end.
const GROWTH: (usize, usize) = (5, 500);
/// The minimum number of requests that reached a node while it waited for an answer, none of them answered before.
const LOCKED: usize = 10;
/// A shorter wait is none, in microseconds.
const SHORTEST_WAIT_US: i64 = 10_000;

/// The patterns that the run shows, if any.
pub(super) fn find(evidence: &Evidence<'_>) -> Option<Explanation> {
    let hints = repetitions(evidence).into_iter().chain(growth(evidence)).chain(locked(evidence));
    let hints: Vec<_> = hints.collect();
    let title = "What the messages of the whole run show".to_owned();
    (!hints.is_empty()).then_some(Explanation {
        anomaly: "patterns",
        title,
        key: None,
        value: None,
        steps: Vec::new(),
        hints,
    })
}

/// A body without the number of its message.
fn content(passage: &Passage) -> String {
    match serde_json::from_str::<Json>(&passage.body) {
        Ok(Json::Object(mut members)) => {
            members.remove("msg_id");
            Json::Object(members).to_string()
        }
        _ => passage.body.to_string(),
    }
}

/// Messages that are sent again and again, and whether too early.
fn repetitions(evidence: &Evidence<'_>) -> Vec<Hint> {
    let mut groups: HashMap<(&str, &str, String), Vec<&Passage>> = HashMap::new();
    let nodes = &evidence.setting.nodes;
    let is_node = |name: &str| nodes.iter().any(|node| node == name);
    let between = evidence.journal.passages().iter().filter(|passage| is_node(&passage.src) && is_node(&passage.dest));
    for passage in between.filter(|passage| passage.array.is_none() && !passage.body.contains("in_reply_to")) {
        groups.entry((&passage.src, &passage.dest, content(passage))).or_default().push(passage);
    }
    let answers = answers(evidence);
    let mut by_kind: BTreeMap<String, (usize, usize, usize, i64, i64)> = BTreeMap::new();
    for ((..), group) in groups.iter().filter(|(_, group)| group.len() > 1) {
        let entry = by_kind.entry(group[0].kind().unwrap_or_default()).or_insert((0, 0, 0, i64::MAX, 0));
        entry.0 += 1;
        entry.1 += 1;
        for pair in group.windows(2) {
            // Who asks the same again after an answer does not repeat a message for want of one.
            if number_of(pair[0], "msg_id")
                .and_then(|id| answers.get(&(&*pair[0].src, &*pair[0].dest, id)))
                .is_some_and(|answered| *answered <= pair[1].sent)
            {
                continue;
            }
            entry.0 += 1;
            // An answer to the first could have come at the earliest after another such latency.
            let Some(arrived) = pair[0].arrivals().next() else { continue };
            let trip = 2 * (evidence.us(arrived) - evidence.us(pair[0].sent));
            let gap = evidence.us(pair[1].sent) - evidence.us(pair[0].sent);
            // Without a number it cannot be acknowledged, so there is no time-out.
            if gap < trip && gap > 0 && number_of(pair[0], "msg_id").is_some() {
                entry.2 += 1;
                entry.3 = entry.3.min(gap);
                entry.4 = entry.4.max(trip);
            }
        }
    }
    let mut hints = Vec::new();
    for (kind, (sent, distinct, early, gap, trip)) in by_kind {
        if early >= HASTE.0 && early * HASTE.1 >= sent - distinct {
            let (gap, trip) = (duration(gap), duration(trip));
            let sentence = format!(
                "{early} of the {} repetitions of {kind} went out before an answer to the one before could arrive: the \
                 shortest after {gap}, where a round trip takes up to {trip}.",
                sent - distinct
            );
            hints.push(Hint { pattern: "time-out shorter than the round trip", sentence });
        }
        if sent >= STORM.0 * distinct && sent >= STORM.1 {
            let sentence = format!(
                "{sent} {kind} messages repeat {distinct} that were sent before to the same node: wait longer from one \
                 attempt to the next, and stop when it is acknowledged."
            );
            hints.push(Hint { pattern: "retry storm", sentence });
        }
    }
    hints
}

/// A member of a body, as text.
fn number_of(passage: &Passage, name: &str) -> Option<String> {
    serde_json::from_str::<Json>(&passage.body).ok()?.get(name).map(ToString::to_string)
}

/// When the answer to each request first arrived, by the two nodes and the `msg_id`.
fn answers<'a>(evidence: &Evidence<'a>) -> HashMap<(&'a str, &'a str, String), Time> {
    let replies = evidence.journal.passages().iter().filter(|passage| passage.body.contains("in_reply_to"));
    let mut answers = HashMap::new();
    for passage in replies {
        if let (Some(id), Some(at)) = (number_of(passage, "in_reply_to"), passage.arrivals().next()) {
            answers.entry((&*passage.dest, &*passage.src, id)).or_insert(at);
        }
    }
    answers
}

/// Types of messages that grow with time.
fn growth(evidence: &Evidence<'_>) -> Vec<Hint> {
    let mut lengths: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for passage in evidence.server_messages() {
        lengths.entry(passage.kind().unwrap_or_default()).or_default().push(passage.start_of_body(0).1);
    }
    let mean = |lengths: &[usize]| lengths.iter().sum::<usize>() / lengths.len().max(1);
    let of = |(kind, lengths): (String, Vec<usize>)| {
        let part = lengths.len() / 5;
        let (first, last) = (mean(lengths.get(..part)?), mean(lengths.get(lengths.len() - part..)?));
        let sentence = format!(
            "{kind} messages have {first} bytes on average at the beginning and {last} at the end: send what the \
             receiver lacks, not all there is."
        );
        let grows = part >= 5 && last >= GROWTH.0 * first && last >= GROWTH.1;
        grows.then_some(Hint { pattern: "gossip of the whole state", sentence })
    };
    lengths.into_iter().filter_map(of).collect()
}

/// Nodes that answer no client while they wait for an answer themselves.
fn locked(evidence: &Evidence<'_>) -> Vec<Hint> {
    let mut hints = Vec::new();
    for node in &evidence.setting.nodes {
        let waits = waits(evidence, node);
        let own = evidence.journal.passages().iter().filter(|passage| &*passage.src == node.as_str());
        let sent: Vec<_> = own.map(|passage| (passage.id, evidence.us(passage.sent))).collect();
        let (mut held, mut free, mut longest) = (0_usize, 0_usize, 0);
        for (begin, end) in evidence.history.pairs().filter(|(begin, _)| evidence.node_of(begin) == node.as_str()) {
            let exchange = evidence.exchange(begin, end);
            let (Some(request), Some(reply)) = (exchange.requests.first(), exchange.replies.first()) else { continue };
            let Some(at) = request.arrivals().next().map(|at| evidence.us(at)) else { continue };
            let answered = evidence.us(reply.sent);
            // The call that the request itself makes is sent after it.
            let is_within =
                |Wait { call, from, to }: &&Wait| *call < request.id && *from <= at && at < *to - SHORTEST_WAIT_US;
            for Wait { call, from, to } in waits.iter().filter(is_within) {
                // A node that sends anything meanwhile is not held up.
                let next = sent.get(sent.partition_point(|(id, _)| id <= call));
                let is_silent = next.is_none_or(|(_, us)| us >= to);
                if is_silent && answered >= *to {
                    held += 1;
                } else {
                    free += 1;
                }
                longest = longest.max((answered - at).min(to - from));
            }
        }
        if held >= LOCKED && free == 0 {
            let sentence = format!(
                "{held} requests reached {node} while it waited for an answer, up to {} long, and it sent nothing \
                 before that came: does it hold a lock across a call?",
                duration(longest)
            );
            hints.push(Hint { pattern: "a lock held across a call", sentence });
        }
    }
    hints
}

/// A call of a node: the number of its message, when it was sent, and when the answer arrived, in microseconds.
#[derive(Debug)]
struct Wait {
    call: u64,
    from: i64,
    to: i64,
}

fn waits(evidence: &Evidence<'_>, node: &str) -> Vec<Wait> {
    let mut open: HashMap<(&str, String), (u64, i64)> = HashMap::new();
    let mut waits = Vec::new();
    for passage in evidence.journal.passages().iter().filter(|passage| evidence.is_between_servers(passage)) {
        let (is_sender, is_receiver) = (&*passage.src == node, &*passage.dest == node);
        if !is_sender && !is_receiver {
            continue;
        }
        let Ok(body) = serde_json::from_str::<Json>(&passage.body) else { continue };
        if let Some(id) = body.get("in_reply_to").filter(|_| is_receiver) {
            let begun = open.remove(&(&*passage.src, id.to_string()));
            let arrived = passage.arrivals().next().map(|at| evidence.us(at));
            waits.extend(begun.zip(arrived).map(|((call, from), to)| Wait { call, from, to }));
        } else if let Some(id) = body.get("msg_id").filter(|_| is_sender) {
            open.insert((&*passage.dest, id.to_string()), (passage.id, evidence.us(passage.sent)));
        }
    }
    waits
}
