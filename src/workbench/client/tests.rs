//! The tables of reference §2.4 and §2.6, row by row.

use super::*;

const READ_OK: Schema = Schema { kind: "read_ok", fields: &[("messages", is_list)] };
const GENERATE_OK: Schema = Schema { kind: "generate_ok", fields: &[("id", is_anything)] };
const MAPPED: Conduct = Conduct { maps_errors: true, idempotent: &["read"], reusable: false };
const RAISED: Conduct = Conduct { maps_errors: false, idempotent: &[], reusable: false };

fn request() -> Request {
    Request { body: "{\"type\":\"read\"}".into(), reply: READ_OK, patience: PATIENCE }
}

fn hear(body: &str) -> Option<Answer> {
    let mut client = Client::new(0, 0);
    client.ask(&request(), Time::ZERO);
    client.hear(body)
}

fn trouble(conduct: &Conduct, f: &str, body: &str) -> (Kind, Value, bool) {
    let answer = hear(body).expect("it answers the request");
    let trouble = conduct.judge(f, answer, &READ_OK).expect_err("it is no good");
    (trouble.kind, trouble.error, trouble.exception.is_some())
}

fn named(name: &'static str, text: Value) -> Value {
    Value::Vector(vec![Value::Keyword(name.into()), text])
}

#[test]
fn requests_are_numbered_from_one_and_the_number_comes_last() {
    let mut client = Client::new(0, 0);
    assert_eq!(client.ask(&request(), Time::ZERO), r#"{"type":"read","msg_id":1}"#);
    assert_eq!(client.expire(Time::ZERO + PATIENCE), Some(Answer::TimedOut));
    assert_eq!(client.ask(&request(), Time::ZERO), r#"{"type":"read","msg_id":2}"#);
}

#[test]
fn only_the_answer_to_the_outstanding_request_is_heard() {
    for ignored in [
        r#"{"type":"read_ok","messages":[],"in_reply_to":2}"#,
        r#"{"type":"read_ok","messages":[],"in_reply_to":"1"}"#,
        r#"{"type":"read_ok","messages":[],"in_reply_to":1.0}"#,
        r#"{"type":"read_ok","messages":[]}"#,
        "{}",
    ] {
        assert_eq!(hear(ignored), None, "{ignored}");
    }
    let mut client = Client::new(0, 0);
    assert_eq!(client.hear(r#"{"type":"read_ok","messages":[],"in_reply_to":0}"#), None, "nothing was asked");
}

#[test]
fn a_reply_in_shape_passes_with_its_fields() {
    let answer = hear(r#"{"msg_id":9,"messages":[3,1],"type":"read_ok","in_reply_to":1}"#).expect("answers");
    let members = MAPPED.judge("read", answer, &READ_OK).expect("in shape");
    assert!(members.contains(&("messages".into(), Value::Ints(vec![3, 1]))));
    let answer = hear(r#"{"type":"generate_ok","id":{"a":1},"in_reply_to":1}"#).expect("answers");
    assert!(MAPPED.judge("generate", answer, &GENERATE_OK).is_ok());
}

#[test]
fn a_time_out_is_a_failure_only_where_nothing_can_have_happened() {
    for (f, kind) in [("broadcast", Kind::Info), ("read", Kind::Fail)] {
        let trouble = MAPPED.judge(f, Answer::TimedOut, &READ_OK).expect_err("timed out");
        assert_eq!((trouble.kind, trouble.error), (kind, Value::Keyword("net-timeout".into())));
    }
}

#[test]
fn a_definite_error_is_a_failure_of_any_operation() {
    let body = r#"{"type":"error","code":22,"text":"no","in_reply_to":1,"more":0}"#;
    for f in ["broadcast", "read"] {
        assert_eq!(
            trouble(&MAPPED, f, body),
            (Kind::Fail, named("precondition-failed", Value::Str("no".into())), false)
        );
    }
    let untold = r#"{"type":"error","code":11,"in_reply_to":1}"#;
    assert_eq!(trouble(&MAPPED, "x", untold).1, named("temporarily-unavailable", Value::Nil));
}

#[test]
fn an_indefinite_or_unknown_error_is_indeterminate() {
    for (code, name) in [("13", "crash"), ("0", "timeout"), ("1000", "unknown"), ("\"x\"", "unknown")] {
        let body = format!(r#"{{"type":"error","code":{code},"text":"t","in_reply_to":1}}"#);
        let error = named(name, Value::Str("t".into()));
        assert_eq!(trouble(&MAPPED, "broadcast", &body), (Kind::Info, error.clone(), false));
        assert_eq!(trouble(&MAPPED, "read", &body), (Kind::Fail, error, false));
    }
}

#[test]
fn the_code_decides_which_errors_are_definite() {
    for (code, name, definite) in CODES {
        let body = format!(r#"{{"type":"error","code":{code},"in_reply_to":1}}"#);
        let kind = if definite { Kind::Fail } else { Kind::Info };
        assert_eq!(trouble(&MAPPED, "broadcast", &body), (kind, named(name, Value::Nil), false));
    }
}

#[test]
fn a_reply_out_of_shape_is_indeterminate_even_for_a_read() {
    for body in [
        r#"{"type":"read_ok","messages":[],"node_id":"n1","in_reply_to":1}"#,
        r#"{"type":"read_ok","messages":5,"in_reply_to":1}"#,
        r#"{"type":"read_ok","in_reply_to":1}"#,
        r#"{"type":"read_ok","messages":[],"msg_id":1.5,"in_reply_to":1}"#,
        r#"{"type":"reed_ok","messages":[],"in_reply_to":1}"#,
        r#"{"messages":[],"in_reply_to":1}"#,
    ] {
        let (kind, error, raised) = trouble(&MAPPED, "read", body);
        assert_eq!((kind, raised), (Kind::Info, true), "{body}");
        assert!(matches!(error, Value::Str(text) if text.starts_with("indeterminate: Malformed RPC response. ")));
    }
}

#[test]
fn null_passes_for_a_list() {
    let answer = hear(r#"{"type":"read_ok","messages":null,"in_reply_to":1}"#).expect("answers");
    assert!(MAPPED.judge("read", answer, &READ_OK).is_ok());
}

#[test]
fn without_mapping_every_trouble_is_an_exception() {
    let timed_out = RAISED.judge("read", Answer::TimedOut, &READ_OK).expect_err("timed out");
    assert_eq!((timed_out.kind, timed_out.exception.is_some()), (Kind::Info, true));
    let (kind, error, raised) = trouble(&RAISED, "add", r#"{"type":"error","code":22,"in_reply_to":1}"#);
    assert_eq!((kind, raised), (Kind::Info, true));
    assert!(matches!(error, Value::Str(text) if text.starts_with("indeterminate: ")));
}
