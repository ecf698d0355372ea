//! Generators of random messages that are almost valid.

use proptest::prelude::*;
use serde_json::Value;

/// JSON of any kind, as text.
pub(crate) fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|truth| truth.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        (0..5_u64).prop_map(|number| number.to_string()),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| format!("{number:?}")),
        any::<String>().prop_map(|text| Value::from(text).to_string()),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(("[a-z]{0,3}", inner), 0..4).prop_map(|entries| {
                let entries: Vec<_> = entries.iter().map(|(key, value)| format!("{key:?}:{value}")).collect();
                format!("{{{}}}", entries.join(","))
            }),
        ]
    })
}

/// Plausible times, edge cases, and values that are no number.
fn number() -> impl Strategy<Value = String> {
    let edges = [0, 1, 2, 3, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, u64::MAX - 1, u64::MAX];
    prop_oneof![
        3 => prop::sample::select(edges.to_vec()).prop_map(|number| number.to_string()),
        3 => (0..3_000_000_u64).prop_map(|age| (1_763_838_000_000_000 + age).to_string()),
        3 => (0..20_u64).prop_map(|number| number.to_string()),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => json(),
    ]
}

/// Gossip messages with arbitrary values.
pub(crate) fn gossip() -> impl Strategy<Value = String> {
    let numbers = || prop::collection::vec(number(), 0..8).prop_map(|items| format!("[{}]", items.join(",")));
    // Node numbers from 3 on are carriers, whose operations contain an orphan.
    let packed = (3..8_u8, prop::collection::vec(numbers(), 0..3));
    let packed = packed.prop_map(|(node, packed)| format!("[{node},0,1,{}]", packed.join(",")));
    let runs = prop::collection::vec(prop_oneof![numbers(), packed, json()], 0..4)
        .prop_map(|runs| format!("[{}]", runs.join(",")));
    let field = |name: &'static str, value: BoxedStrategy<String>| {
        let present = value.prop_map(move |value| format!(",\"{name}\":{value}"));
        prop_oneof![4 => present, 1 => Just(String::new())]
    };
    let pair = || (number(), number()).prop_map(|(first, second)| format!("[{first},{second}]"));
    // Mostly one incarnation, so that messages are not ignored.
    let incarnation = (0..9_000_000_u64).prop_map(|age| (1_763_838_000_000_500 + age, age));
    let incarnation = incarnation.prop_map(|(at, age)| format!(",\"at\":{at},\"age\":{age}"));
    let odd_incarnation = (number(), number()).prop_map(|(at, age)| format!(",\"at\":{at},\"age\":{age}"));
    (
        prop_oneof![3 => incarnation, 1 => odd_incarnation],
        field("follows", number().boxed()),
        field("echo", prop_oneof![4 => pair(), 1 => json()].boxed()),
        field("next", prop_oneof![4 => pair(), 1 => json()].boxed()),
        field("have", prop_oneof![4 => numbers(), 1 => json()].boxed()),
        field("ops", prop_oneof![4 => runs, 1 => json()].boxed()),
        field("below", prop_oneof![4 => numbers(), 1 => json()].boxed()),
        field("stable", prop_oneof![4 => numbers(), 1 => json()].boxed()),
        prop::sample::subsequence(vec!["full", "answer", "doubts", "far"], 0..=4),
    )
        .prop_map(|(incarnation, follows, echo, next, have, ops, below, stable, flags)| {
            let flags: Vec<_> = flags.iter().map(|flag| format!(",\"{flag}\":true")).collect();
            let flags = flags.concat();
            format!("{{\"type\":\"gossip\"{incarnation}{follows}{echo}{next}{have}{ops}{below}{stable}{flags}}}")
        })
}

/// Bodies with known keys and arbitrary values.
pub(crate) fn request() -> impl Strategy<Value = String> {
    let kinds = ["init", "echo", "generate", "broadcast", "read", "topology", "gossip", "error", "read_ok", "?"];
    let keys = ["msg_id", "in_reply_to", "echo", "message", "topology", "node_id", "node_ids", "code", "text", "type"];
    (prop::sample::select(kinds.to_vec()), prop::collection::vec((prop::sample::select(keys.to_vec()), json()), 0..5))
        .prop_map(|(kind, fields)| {
            let fields: Vec<_> = fields.iter().map(|(key, value)| format!(",\"{key}\":{value}")).collect();
            format!("{{\"type\":\"{kind}\"{}}}", fields.concat())
        })
}

pub(crate) fn source() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["n0", "n1", "n1", "n2", "n2", "c7", "lin-kv", "n9"])
}
