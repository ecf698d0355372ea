//! Parsing and writing compared with `serde_json`, and the `requests!` macro.

use std::borrow::Cow;
use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Decode, DecodeError, Encode, Json, MAX_DEPTH, Message, PADDING, Reader, Unreadable};
use crate::requests;

fn read<R>(line: &str, handle: impl FnOnce(Result<&Message<'_>, Unreadable>) -> R) -> R {
    let padded = [line.as_bytes(), &[b'}'; PADDING]].concat();
    let mut buffer = padded.clone();
    let result = Reader::default().read(&mut buffer, line.len(), handle);
    assert_eq!(buffer[line.len()..], padded[line.len()..], "the padding is left as it was");
    result
}

fn with_body<R>(body: &str, handle: impl FnOnce(&Message<'_>) -> R) -> R {
    read(&format!(r#"{{"src":"c1","dest":"n1","body":{body}}}"#), |message| handle(message.expect("a message")))
}

fn with_value<R>(value: &str, handle: impl FnOnce(Json<'_>) -> R) -> R {
    with_body(&format!(r#"{{"value":{value}}}"#), |message| handle(message.body.get("value").expect("a value")))
}

fn text(value: &impl Encode) -> String {
    let mut out = Vec::new();
    value.encode(&mut out).expect("this value has a JSON form");
    String::from_utf8(out).expect("JSON is UTF-8")
}

#[test]
fn a_message_is_found_in_any_order_of_keys() {
    let body = r#"{"x":[{"type":"no"}],"msg_id":-3,"in_reply_to":4,"type":"a\u00e9\n"}"#;
    read(&format!(r#" {{"body":{body}, "dest":"n1","id":9,"src":"c\"" }} "#), |message| {
        let message = message.expect("a message");
        assert_eq!((message.src, message.dest, message.kind), ("c\"", "n1", "aé\n"));
        assert_eq!((message.msg_id, message.in_reply_to), (Some(-3), Some(4)));
    });
}

#[test]
fn an_invalid_message_is_rejected_with_the_missing_field() {
    let shape = |line: &str| match read(line, |message| message.map(|_| ())) {
        Err(Unreadable::NotAMessage(why)) => why,
        other => panic!("{line}: {other:?}"),
    };
    assert!(shape("[]").contains("object"));
    assert!(shape(r#"{"dest":"n1","body":{}}"#).contains("src"));
    assert!(shape(r#"{"src":"c1","dest":2,"body":{}}"#).contains("dest"));
    assert!(shape(r#"{"src":"c1","dest":"n1"}"#).contains("body"));
    assert!(shape(r#"{"src":"c1","dest":"n1","body":[]}"#).contains("object"));
}

#[test]
fn nesting_beyond_the_bound_is_rejected() {
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let is_read = |depth| read(&format!(r#"{{"src":"a","dest":"b","body":{{"v":{}}}}}"#, nested(depth)), |m| m.is_ok());
    assert!(is_read(MAX_DEPTH - 4));
    assert!(!is_read(MAX_DEPTH + 1));
    assert!(!is_read(100 * MAX_DEPTH));
}

#[test]
fn views_show_the_values_of_the_line() {
    with_value(r#"{"a":[1,[2,3],{}],"a":null,"b":"x"}"#, |value| {
        let entries: Vec<_> = value.entries().expect("an object").map(|(key, value)| (key, text(&value))).collect();
        assert_eq!(entries, [("a", "[1,[2,3],{}]".into()), ("a", "null".into()), ("b", "\"x\"".into())]);
        let list = value.entries().and_then(|mut entries| entries.next()).map(|(_, list)| list);
        let items: Vec<_> = list.and_then(Json::items).expect("an array").map(|item| text(&item)).collect();
        assert_eq!(items, ["1", "[2,3]", "{}"]);
        assert_eq!(value.get("b").and_then(Json::as_str), Some("x"));
        assert!(value.get("c").is_none() && value.items().is_none() && value.as_str().is_none());
        assert!(value.get("b").is_some_and(|text| text.entries().is_none() && text.get("b").is_none()));
    });
    with_value("null", |value| assert!(value.is_null() && value.as_i64().is_none()));
}

#[test]
fn integers_are_exact_and_other_values_are_not_integers() {
    let both = |number: &str| with_value(number, |value| (value.as_i64(), value.as_u64()));
    assert_eq!(both("0"), (Some(0), Some(0)));
    assert_eq!(both("-1"), (Some(-1), None));
    assert_eq!(both("-9223372036854775808"), (Some(i64::MIN), None));
    assert_eq!(both("9223372036854775807"), (Some(i64::MAX), Some(i64::MAX.unsigned_abs())));
    assert_eq!(both("18446744073709551615"), (None, Some(u64::MAX)));
    for other in ["1.0", "1e2", "\"1\"", "true", "[1]"] {
        assert_eq!(both(other), (None, None), "{other}");
    }
}

#[test]
fn the_last_value_of_a_repeated_key_counts_in_envelope_and_body() {
    let line = r#"{"src":"n9","dest":"n9","body":7,"src":"c1","dest":"n1","body":{"type":"x","type":"put","msg_id":"?",
        "in_reply_to":1,"msg_id":2,"msg_id":3,"in_reply_to":4,"v":1,"v":{"a":1,"a":2}}}"#;
    read(&line.replace('\n', ""), |message| {
        let message = message.expect("a message");
        assert_eq!((message.src, message.dest, message.kind), ("c1", "n1", "put"));
        assert_eq!((message.msg_id, message.in_reply_to), (Some(3), Some(4)));
        let value = message.body.get("v").expect("a value");
        assert_eq!(value.get("a").and_then(Json::as_u64), Some(2));
    });
    // Also if it is of the wrong type.
    read(r#"{"src":"c1","src":4,"dest":"n1","body":{}}"#, |message| assert!(message.is_err()));
    with_body(r#"{"type":"x","msg_id":1,"msg_id":null,"in_reply_to":1,"in_reply_to":"1","type":3}"#, |message| {
        assert_eq!((message.kind, message.msg_id, message.in_reply_to), ("", None, None));
    });
}

#[test]
fn distinct_entries_are_those_of_a_map() {
    with_value(r#"{"b":1,"a":2,"b":3,"c":4,"a":5,"b":6}"#, |value| {
        let entries = value.distinct_entries().expect("an object");
        let entries: Vec<_> = entries.map(|(key, value)| (key, value.as_u64())).collect();
        assert_eq!(entries, [("a", Some(5)), ("b", Some(6)), ("c", Some(4))]);
    });
    with_value("{}", |value| assert_eq!(value.distinct_entries().map(Iterator::count), Some(0)));
    with_value("[]", |value| assert!(value.distinct_entries().is_none()));
}

requests! {
    /// Fields of every kind.
    #[derive(Debug, PartialEq)]
    enum Request<'a> {
        /// Required and optional ones.
        "put" => Put { key: &'a str, value: u8, old: Option<i64>, tags: Option<Vec<&'a str>> },
        /// Owned fields.
        "own" => Own { by_name: BTreeMap<String, (u32, f64)>, maybe: Cow<'a, str> },
        /// None.
        "stop" => Stop {},
        /// A key that is not an identifier.
        "answer" => Answer { "in-reply" as in_reply: u32, text: &'a str },
        /// The whole body.
        "all" => All(Whole),
    }
}

#[derive(Debug, PartialEq, Deserialize)]
struct Whole {
    #[serde(default)]
    more: bool,
    level: i8,
}

#[derive(Debug, PartialEq, Deserialize)]
enum Choice {
    A(u8),
}

fn decoded<R>(kind: &str, body: &str, look: impl FnOnce(Result<Request<'_>, DecodeError>) -> R) -> R {
    with_body(body, |message| look(Request::decode(kind, message.body)))
}

#[test]
fn requests_are_read_by_type_and_absent_options_are_none() {
    decoded("put", r#"{"value":255,"more":{},"key":"k"}"#, |request| {
        assert_eq!(request, Ok(Request::Put { key: "k", value: 255, old: None, tags: None }));
    });
    decoded("put", r#"{"value":0,"key":"k","old":null,"tags":["a","b"]}"#, |request| {
        assert_eq!(request, Ok(Request::Put { key: "k", value: 0, old: None, tags: Some(vec!["a", "b"]) }));
    });
    decoded("own", r#"{"by_name":{"x":[1,2]},"maybe":"é"}"#, |request| {
        let by_name = BTreeMap::from([("x".to_owned(), (1, 2.0))]);
        assert_eq!(request, Ok(Request::Own { by_name, maybe: "é".into() }));
    });
    decoded("stop", r#"{"key":1}"#, |request| assert_eq!(request, Ok(Request::Stop {})));
    decoded("all", r#"{"level":-7,"type":"all"}"#, |request| {
        assert_eq!(request, Ok(Request::All(Whole { more: false, level: -7 })));
    });
}

#[test]
fn of_a_repeated_field_the_last_counts_whatever_reads_it() {
    decoded("put", r#"{"key":7,"value":1,"old":1,"key":"k","tags":1,"value":2,"old":null,"tags":["a"]}"#, |request| {
        assert_eq!(request, Ok(Request::Put { key: "k", value: 2, old: None, tags: Some(vec!["a"]) }));
    });
    decoded("own", r#"{"by_name":{"x":[1,2],"x":[3,4]},"maybe":"a","maybe":"b"}"#, |request| {
        let by_name = BTreeMap::from([("x".to_owned(), (3, 4.0))]);
        assert_eq!(request, Ok(Request::Own { by_name, maybe: "b".into() }));
    });
    decoded("all", r#"{"level":"?","more":false,"level":1,"x":1,"x":2,"more":true,"level":2}"#, |request| {
        assert_eq!(request, Ok(Request::All(Whole { more: true, level: 2 })));
    });
    decoded("put", r#"{"key":"k","value":1,"value":"?"}"#, |request| assert!(request.is_err(), "{request:?}"));
    with_value(r#"{"A":1,"A":2}"#, |value| assert_eq!(value.to(), Ok(Choice::A(2))));
    with_value(r#"{"A":1,"B":2}"#, |value| assert!(value.to::<Choice>().is_err()));
}

#[test]
fn a_key_that_is_no_identifier_is_read_and_named_as_it_is_on_the_wire() {
    decoded("answer", r#"{"type":"answer","in-reply":7,"text":"yes"}"#, |request| {
        assert_eq!(request, Ok(Request::Answer { in_reply: 7, text: "yes" }));
    });
    decoded("answer", r#"{"type":"answer","in_reply":7,"text":"yes"}"#, |request| {
        assert_eq!(request, Err(DecodeError::Malformed("in-reply: it is missing".to_owned())));
    });
}

#[test]
fn a_field_that_does_not_fit_is_named() {
    for (kind, body, field) in [
        ("put", r#"{"value":1}"#, "key"),
        ("put", r#"{"value":256,"key":"k"}"#, "value"),
        ("put", r#"{"value":1.0,"key":"k"}"#, "value"),
        ("put", r#"{"value":null,"key":"k"}"#, "value"),
        ("put", r#"{"value":1,"key":"k","old":"1"}"#, "old"),
        ("put", r#"{"value":1,"key":"k","tags":[1]}"#, "tags"),
        ("own", r#"{"by_name":{"x":[1]},"maybe":""}"#, "by_name"),
        ("all", r#"{"more":true}"#, "level"),
    ] {
        decoded(kind, body, |request| match request {
            Err(DecodeError::Malformed(why)) => assert!(why.contains(field), "{body}: {why}"),
            other => panic!("{body}: {other:?}"),
        });
    }
    decoded("halt", "{}", |request| assert_eq!(request, Err(DecodeError::UnknownType)));
}

#[test]
fn keys_of_maps_read_back_as_what_they_were() {
    with_value(r#"{"7":1,"-8":2}"#, |value| assert_eq!(value.to(), Ok(BTreeMap::from([(7_i64, 1), (-8, 2)]))));
    with_value(r#"{"true":1}"#, |value| assert_eq!(value.to(), Ok(BTreeMap::from([(true, 1)]))));
    with_value(r#"{"7":1}"#, |value| assert_eq!(value.to(), Ok(BTreeMap::from([("7", 1)]))));
    for bad in [r#"{"x":1}"#, r#"{"":1}"#, r#"{"256":1}"#, r#"{"1.0":1}"#] {
        with_value(bad, |value| assert!(value.to::<BTreeMap<u8, u8>>().is_err(), "{bad}"));
    }
}

/// A value of every kind in serde's data model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Everything {
    truth: bool,
    small: (i8, u8, i16, u16, i32, u32),
    large: (i64, u64),
    half: f64,
    letter: char,
    text: String,
    option: Option<String>,
    unit: (),
    list: Vec<Kind>,
    by_name: BTreeMap<String, Option<u64>>,
    by_number: BTreeMap<i32, Wrapper>,
    nothing: Nothing,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Kind {
    Unit,
    Wrapped(u32),
    Pair(i64, String),
    Named { x: Option<bool>, y: Wrapper },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Wrapper(i16);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Nothing;

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Unit),
        any::<u32>().prop_map(Kind::Wrapped),
        any::<(i64, String)>().prop_map(|(number, text)| Kind::Pair(number, text)),
        any::<(Option<bool>, i16)>().prop_map(|(x, y)| Kind::Named { x, y: Wrapper(y) }),
    ]
}

fn everything() -> impl Strategy<Value = Everything> {
    let scalars = any::<(bool, (i8, u8, i16, u16, i32, u32), (i64, u64), i32, char, String, Option<String>)>();
    let list = prop::collection::vec(kind(), 0..5);
    let by_name = any::<BTreeMap<String, Option<u64>>>();
    let by_number = prop::collection::btree_map(any::<i32>(), any::<i16>().prop_map(Wrapper), 0..4);
    (scalars, list, by_name, by_number).prop_map(|(scalars, list, by_name, by_number)| {
        let (truth, small, large, halves, letter, text, option) = scalars;
        let half = f64::from(halves) / 2.0;
        Everything {
            truth,
            small,
            large,
            half,
            letter,
            text,
            option,
            unit: (),
            list,
            by_name,
            by_number,
            nothing: Nothing,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn serde_reads_what_we_write(value in everything()) {
        let ours = text(&value);
        prop_assert!(!ours.contains(['\n', '\r']));
        prop_assert_eq!(serde_json::from_str::<Everything>(&ours).expect("it is JSON"), value);
    }

    #[test]
    fn we_read_what_serde_writes(value in everything()) {
        let theirs = serde_json::to_string(&value).expect("it has a JSON form");
        with_value(&theirs, |ours| {
            prop_assert_eq!(ours.to::<Everything>(), Ok(value.clone()));
            prop_assert_eq!(serde_json::from_str::<Everything>(&text(&ours)).expect("it is JSON"), value);
            Ok(())
        })?;
    }

    #[test]
    fn numbers_read_back_to_the_last_bit(number in any::<f64>().prop_filter("finite", |number| number.is_finite())) {
        with_value(&text(&number), |value| {
            let back = value.to::<f64>().expect("a number");
            prop_assert_eq!(back.to_bits(), number.to_bits());
            Ok(())
        })?;
    }

    #[test]
    fn equal_values_have_equal_texts(texts in prop::collection::vec(any::<String>(), 0..4)) {
        let spaced = serde_json::to_string_pretty(&texts).expect("it has a JSON form").replace('\n', " ");
        prop_assert_eq!(with_value(&spaced, |value| text(&value)), text(&texts));
    }
}
