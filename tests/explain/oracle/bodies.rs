//! Which bodies carry a value. What the workload and the services define is read as they define it, place by place; in
//! all else a value is looked for anywhere.

use serde_json::{Map, Value};

const SERVICES: [&str; 4] = ["lin-kv", "seq-kv", "lww-kv", "lin-tso"];

/// A value, and the key that it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) key: Option<String>,
    pub(crate) value: Value,
}

/// Whether a message carries a value.
pub(super) fn carries(workload: &str, message: &Value, wanted: &Wanted) -> bool {
    let Some(body) = message["body"].as_object() else { return false };
    let is_of_service = SERVICES.iter().any(|name| message["src"] == **name || message["dest"] == **name);
    let (defined, pairs) = defined(workload, is_of_service, body);
    let is_wanted = |(key, value): &(Option<String>, &Value)| {
        has(value, &wanted.value) && (wanted.key.is_none() || *key == wanted.key)
    };
    let own = || body.iter().filter(|(name, _)| !["type", "msg_id", "in_reply_to"].contains(&&***name));
    let mut unknown = own().filter(|(name, _)| !defined.contains(&&***name));
    let has_key = || wanted.key.as_ref().is_none_or(|key| own().any(|(_, member)| has_text(member, key)));
    pairs.iter().any(is_wanted) || unknown.any(|(_, member)| has(member, &wanted.value)) && has_key()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The members of a body of which the protocol says what they are, and the values in them with their keys.
fn defined<'a>(
    workload: &str,
    is_of_service: bool,
    body: &'a Map<String, Value>,
) -> (&'static [&'static str], Vec<(Option<String>, &'a Value)>) {
    let member = |name: &str| body.get(name).unwrap_or(&Value::Null);
    let list = |value: &'a Value| value.as_array().into_iter().flatten();
    match (workload, member("type").as_str().unwrap_or_default()) {
        (_, "init") => (&["node_id", "node_ids"], Vec::new()),
        (_, "error") => (&["code", "text"], Vec::new()),
        (_, "read" | "write" | "cas") if is_of_service => (&["key", "create_if_not_exists"], Vec::new()),
        (_, "ts_ok") if is_of_service => (&["ts"], Vec::new()),
        _ if is_of_service => (&[], Vec::new()),
        ("broadcast", "topology") => (&["topology"], Vec::new()),
        ("kafka", "send") => (&["key", "msg"], vec![(Some(text(member("key"))), member("msg"))]),
        ("kafka", "send_ok") => (&["offset"], Vec::new()),
        ("kafka", "poll" | "commit_offsets" | "list_committed_offsets_ok") => (&["offsets"], Vec::new()),
        ("kafka", "list_committed_offsets") => (&["keys"], Vec::new()),
        ("kafka", "poll_ok") => {
            let logs = member("msgs").as_object().into_iter().flatten();
            (&["msgs"], logs.flat_map(|(key, pairs)| list(pairs).map(|pair| (Some(key.clone()), &pair[1]))).collect())
        }
        ("txn-list-append" | "txn-rw-register", "txn" | "txn_ok") => {
            (&["txn"], list(member("txn")).map(|step| (Some(text(&step[1])), &step[2])).collect())
        }
        _ => (&[], Vec::new()),
    }
}

/// Whether a value is anywhere in a part of a body.
fn has(part: &Value, value: &Value) -> bool {
    match part {
        Value::Array(elements) => elements.iter().any(|element| has(element, value)),
        Value::Object(members) => members
            .iter()
            .any(|(name, member)| has(member, value) || value.as_i64().is_some_and(|value| name.parse() == Ok(value))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => part == value,
    }
}

/// Whether a text is anywhere in a part of a body, as a string, a name or a number.
fn has_text(part: &Value, wanted: &str) -> bool {
    match part {
        Value::Array(elements) => elements.iter().any(|element| has_text(element, wanted)),
        Value::Object(members) => members.iter().any(|(name, member)| name == wanted || has_text(member, wanted)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => text(part) == wanted,
    }
}

#[test]
fn an_offset_and_the_number_of_a_message_are_no_values_where_the_workload_defines_them() {
    let found = |workload: &str, ends: [&str; 2], body: Value| {
        let wanted = Wanted { key: Some("9".to_owned()), value: 10.into() };
        carries(workload, &serde_json::json!({"src": ends[0], "dest": ends[1], "body": body}), &wanted)
    };
    let nodes = ["n0", "n1"];
    for (body, expected) in [
        (r#"{"type":"send_ok","offset":10,"in_reply_to":10}"#, false),
        (r#"{"type":"poll","offsets":{"9":10}}"#, false),
        (r#"{"type":"poll_ok","msgs":{"9":[[10,4]],"8":[[4,10]]}}"#, false),
        (r#"{"type":"poll_ok","msgs":{"9":[[4,10]]}}"#, true),
        (r#"{"type":"send","key":"9","msg":10}"#, true),
        (r#"{"type":"send","key":"8","msg":10,"msg_id":9}"#, false),
        (r#"{"type":"send","key":"9","msg":4,"and":[["9",10]]}"#, true),
        (r#"{"type":"copy","log":"9","offset":10}"#, true),
        (r#"{"type":"error","code":10,"text":"9"}"#, false),
    ] {
        assert_eq!(found("kafka", nodes, serde_json::from_str(body).expect("JSON")), expected, "{body}");
    }
    let step = r#"{"type":"txn","txn":[["append",10,9],["r",9,null]]}"#;
    assert!(!found("txn-list-append", nodes, serde_json::from_str(step).expect("JSON")));
    let write = r#"{"type":"write","key":10,"value":{"9":1}}"#;
    assert!(!found("kafka", ["n0", "seq-kv"], serde_json::from_str(write).expect("JSON")));
}
