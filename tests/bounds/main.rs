//! Values around each bound, at each node: an accepted one can be read at every other node, and a rejected one fails
//! definitely and has no effect.

#[path = "../bare_node/mod.rs"]
mod bare_node;
mod growth;
mod pair;

use std::time::Duration;

use gossip_gloomers::node::Node;
use gossip_gloomers::nodes::{Broadcast, Echo, GSet, Kafka, LinKv, ListAppend, Txn};
use gossip_gloomers::wire::{MAX_LINE, REQUEST};
use memchr::memmem::find;
use pair::{Pair, normal};
use proptest::prelude::*;

/// Upper bound on the size of a line without its value, in bytes.
const ENVELOPE: usize = 300;

/// The shape of a value, with its approximate size in bytes, or its depth.
#[derive(Debug, Clone)]
enum Value {
    Letters(usize),
    /// Each takes two bytes.
    Quotes(usize),
    /// Numbers that take more bytes when they are written than in the input.
    Grown(usize),
    Nested(usize),
}

impl Value {
    fn text(&self) -> String {
        match self {
            Self::Letters(bytes) => format!("\"{}\"", "x".repeat(bytes - 2)),
            Self::Quotes(bytes) => format!("\"{}\"", "\\\"".repeat(bytes / 2 - 1)),
            Self::Grown(bytes) => format!("[{}1]", "1e15,".repeat(bytes / 5)),
            Self::Nested(depth) => "[".repeat(*depth) + &"]".repeat(*depth),
        }
    }
}

/// Values around each bound.
fn value() -> impl Strategy<Value = Value> {
    let near = |bytes: usize, above: usize| bytes - 400..=bytes + above;
    let bytes = prop_oneof![
        4 => near(REQUEST.bytes, 400),
        1 => Just(20_000_000),
        1 => near(MAX_LINE - ENVELOPE, 0),
    ];
    prop_oneof![
        4 => bytes.clone().prop_map(Value::Letters),
        1 => bytes.prop_map(Value::Quotes),
        // Eighteen bytes are written for four.
        1 => near(REQUEST.bytes / 19 * 5, 400).prop_map(Value::Grown),
        3 => (REQUEST.depth - 6..=120).prop_map(Value::Nested),
    ]
}

/// Whether a reply is a definite error for a request beyond the bounds.
fn is_rejection(kind: &str, body: &[u8]) -> bool {
    kind == "error" && [11, 12, 14].iter().any(|code| find(body, format!("\"code\":{code},").as_bytes()).is_some())
}

/// Writes a value at one node with the request from `write`, and reads it at the other with `read`.
fn check<N: Node<Options: Default>>(value: &Value, write: impl Fn(&str) -> String, read: &str) {
    let mut pair = Pair::<N>::new();
    let (_, before) = pair.ask(1, read);
    let sent = value.text();
    let (kind, body) = pair.ask(0, &write(&sent));
    pair.pass(Duration::from_secs(3));
    if is_rejection(&kind, &body) {
        assert!(
            find(&body, b"16 MiB").or_else(|| find(&body, b"100 deep")).is_some(),
            "the bound is not stated: {kind}"
        );
        for node in [0, 1] {
            assert!(
                without_msg_id(&pair.ask(node, read).1) == without_msg_id(&before),
                "a rejected write has an effect"
            );
        }
    } else {
        assert!(kind.ends_with("_ok"), "{value:?}: {kind}, {:.300}", String::from_utf8_lossy(&body));
        let (kind, found) = pair.ask(1, read);
        assert!(find(&found, &normal(&sent)).is_some(), "{value:?} is not read: {kind}, {} bytes", found.len());
    }
    // The node continues to reply.
    assert!(pair.ask(0, read).0.ends_with("_ok") || pair.ask(0, read).0 == "error");
}

/// A body without its `in_reply_to`.
fn without_msg_id(body: &[u8]) -> Vec<u8> {
    let Some(start) = find(body, b"\"in_reply_to\":") else { return body.to_vec() };
    let end = body[start..].iter().position(|byte| [b',', b'}'].contains(byte)).map_or(body.len(), |at| start + at);
    [&body[..start], &body[end..]].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_broadcast_value_is_read_by_all_or_rejected(value in value()) {
        check::<Broadcast>(&value, |text| format!(r#""type":"broadcast","message":{text}"#), r#""type":"read""#);
        check::<GSet>(&value, |text| format!(r#""type":"add","element":{text}"#), r#""type":"read""#);
    }

    #[test]
    fn a_message_is_polled_from_all_or_rejected(value in value()) {
        let write = |text: &str| format!(r#""type":"send","key":"k","msg":{text}"#);
        check::<Kafka>(&value, write, r#""type":"poll","offsets":{"k":0}"#);
    }

    #[test]
    fn a_committed_offset_is_listed_by_all_or_rejected(bytes in REQUEST.bytes - 100..REQUEST.bytes + 100) {
        for bytes in [bytes, 20_000_000] {
            let key = Value::Letters(bytes).text();
            let write = |key: &str| format!(r#""type":"commit_offsets","offsets":{{"j":3,{key}:7}}"#);
            let read = format!(r#""type":"list_committed_offsets","keys":["j",{key}]"#);
            check::<Kafka>(&Value::Letters(bytes), write, &read);
        }
    }

    #[test]
    fn a_register_is_read_everywhere_or_not_written(value in value()) {
        let write = |text: &str| format!(r#""type":"txn","txn":[["w",2,1],["w",1,{text}]]"#);
        check::<Txn>(&value, write, r#""type":"txn","txn":[["r",1,null],["r",2,null]]"#);
        let write = |text: &str| format!(r#""type":"txn","txn":[["w",{text},1]]"#);
        check::<Txn>(&value, write, &format!(r#""type":"txn","txn":[["r",{},null]]"#, value.text()));
    }

    #[test]
    fn a_list_is_read_everywhere_or_not_appended_to(value in value()) {
        let write = |text: &str| format!(r#""type":"txn","txn":[["append",2,1],["append",1,{text}]]"#);
        check::<ListAppend>(&value, write, r#""type":"txn","txn":[["r",1,null],["r",2,null]]"#);
    }

    #[test]
    fn a_value_is_stored_by_a_service_and_read_back_or_rejected(value in value()) {
        let write = |text: &str| format!(r#""type":"write","key":1,"value":{text}"#);
        check::<LinKv>(&value, write, r#""type":"read","key":1"#);
    }

    #[test]
    fn an_echo_is_returned_or_fails_indefinitely(value in value()) {
        let mut pair = Pair::<Echo>::new();
        let (kind, body) = pair.ask(0, &format!(r#""type":"echo","echo":{}"#, value.text()));
        prop_assert!(kind == "echo_ok" || find(&body, b"\"code\":13,").is_some(), "{}", kind);
        prop_assert!(kind != "echo_ok" || find(&body, &normal(&value.text())).is_some());
    }
}
