//! What is wrong with a log, in one plain sentence for each error.

use crate::workbench::edn::Value;
use crate::workbench::quote::quote;

/// How many errors of a kind are told in words.
const MAX_TOLD: usize = 3;
/// How many values one sentence lists.
const MAX_LISTED: usize = 8;

/// The errors of a kind in words, from what the result shows of them.
pub(super) fn told(kind: &str, shown: &Value) -> Value {
    let paragraph = |sentence: String| Value::Vector(vec![Value::str(format!("{kind}: {sentence}"))]);
    let sentences: Vec<String> = match kind {
        "empty-transaction-graph" => {
            vec!["no poll brought anything, so that nothing depends on anything".to_owned()]
        }
        "unseen" => unseen(shown),
        _ => {
            let cases = shown.get("errs").and_then(Value::items).into_iter().flatten();
            cases.take(MAX_TOLD).map(|case| sentence(kind, &case)).collect()
        }
    };
    Value::Vector(sentences.into_iter().map(paragraph).collect())
}

/// How many errors of a kind a result counts: of what was unseen, the messages.
pub(crate) fn count(shown: &Value) -> Option<i64> {
    let unseen = shown.get("unseen").and_then(Value::entries);
    let messages = unseen.map(|keys| keys.iter().filter_map(|(_, count)| count.as_int()).sum());
    messages.or_else(|| shown.get("count")?.as_int())
}

fn unseen(shown: &Value) -> Vec<String> {
    let keys = shown.get("messages").and_then(Value::entries).unwrap_or_default();
    let sentence = |(key, messages): &(Value, Value)| {
        let key = plain(key);
        format!("key {key}: acknowledged, but brought by no poll: {}", list(messages))
    };
    keys.iter().take(MAX_TOLD).map(sentence).collect()
}

fn sentence(kind: &str, case: &Value) -> String {
    let field = |name: &str| case.get(name).cloned().unwrap_or_default();
    let (key, value) = (plain(&field("key")), plain(&field("value")));
    let process = |op: &Value| op.get("process").cloned().unwrap_or_default();
    let op = process(&field("op"));
    let mut ops = case.get("ops").and_then(Value::items).into_iter().flatten();
    let one = ops.next().map(|op| process(&op)).unwrap_or_default();
    let mut values = case.get("values").and_then(Value::items).into_iter().flatten();
    let mut next = || values.next().map_or_else(|| "nothing".to_owned(), |value| plain(&value));
    let (first, second) = (next(), next());
    let skipped = || list(&field("skipped"));
    match kind {
        "inconsistent-offsets" => {
            let values = list(&field("values"));
            let both = if field("values").items().is_some_and(|values| values.len() == 2) { "both " } else { "" };
            format!("key {key}, offset {} is {both}{values}", field("offset"))
        }
        "duplicate" => format!("key {key}: {value} is at offsets {}", list(&field("offsets"))),
        "lost-write" => {
            let writer = process(&field("writer"));
            format!(
                "key {key}: process {writer} sent {value}, but no poll brought it, though polls brought later messages"
            )
        }
        "G1a" => {
            let (reader, writer) = (process(&field("reader")), process(&field("writer")));
            format!("key {key}: process {reader} polled {value}, which process {writer} had failed to send")
        }
        "precommitted-read" => format!("key {key}: process {op} polled {value} in the transaction that sends it"),
        "G1c-realtime" => {
            let step =
                case.get("steps").and_then(|steps| Some(steps.items()?.next()?.into_owned())).unwrap_or_default();
            let part = |name: &str| plain(&step.get(name).cloned().unwrap_or_default());
            format!("key {}: a poll that brought {} was over before the send of it began", part("key"), part("value"))
        }
        "int-poll-skip" => format!(
            "key {key}: one poll of process {op} brought {first} and {second}, but not {} between them",
            skipped()
        ),
        "int-nonmonotonic-poll" => {
            format!("key {key}: one poll of process {op} brought {first} and then {second}, which is not after it")
        }
        "int-send-skip" => format!(
            "key {key}: {} came between {first} and {second}, which process {op} sent in one transaction",
            skipped()
        ),
        "int-nonmonotonic-send" => format!(
            "key {key}: process {op} sent {first} and then {second} in one transaction, but {second} is not after it"
        ),
        "poll-skip" => format!("key {key}: process {one} polled on beyond {}, which it never saw", skipped()),
        "nonmonotonic-poll" => {
            format!("key {key}: process {one} polled {first} and in its next poll {second}, which is not after it")
        }
        "nonmonotonic-send" => {
            format!("key {key}: process {one} sent {first} and later {second}, but {second} is not after {first}")
        }
        _ => format!("key {key}"),
    }
}

/// A value, without quotes where it is a text.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), quote)
}

/// `1, 2 and 3`
fn list(values: &Value) -> String {
    let all: Vec<String> = values.items().into_iter().flatten().map(|value| plain(&value)).collect();
    match all.split_last() {
        None => "nothing".to_owned(),
        Some((only, [])) => only.clone(),
        Some(_) if all.len() > MAX_LISTED => {
            format!("{} and {} more", all[..MAX_LISTED].join(", "), all.len() - MAX_LISTED)
        }
        Some((end, others)) => format!("{} and {end}", others.join(", ")),
    }
}
