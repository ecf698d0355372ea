//! The tables of protocol §2.4 and §2.6, row by row.

use super::*;

const READ_OK: Schema = Schema { kind: "read_ok", fields: &[("messages", is_list)] };
const GENERATE_OK: Schema = Schema { kind: "generate_ok", fields: &[("id", is_anything)] };
const MAPPED: ErrorPolicy = ErrorPolicy { maps_errors: true, idempotent: &["read"], reusable: false };
const RAISED: ErrorPolicy = ErrorPolicy { maps_errors: false, idempotent: &[], reusable: false };

fn request() -> Request {
    Request { body: "{\"type\":\"read\"}".into(), reply: READ_OK, timeout: TIMEOUT }
}

fn receive(body: &str) -> Option<ClientReply> {
    let mut client = Client::new(0, 0, "c2");
    client.ask(&request(), Time::ZERO);
    client.receive(&"n0".into(), body, None)
}

/// A time-out of which nothing more is known.
fn timed_out() -> ClientReply {
    ClientReply::TimedOut(TimeoutHints { timeout: TIMEOUT, ..TimeoutHints::default() })
}

/// Why a request that heard only these bodies came to nothing.
fn silence(asked: usize, bodies: &[&str]) -> String {
    let mut client = Client::new(0, 0, "c2");
    for _ in 0..asked {
        client.ask(&request(), Time::ZERO);
    }
    for body in bodies {
        assert_eq!(client.receive(&"n0".into(), body, None), None);
    }
    let answer = client.expire(Time::ZERO + TIMEOUT, || None).expect("it gives up");
    MAPPED.judge("read", answer, &READ_OK).expect_err("no answer").reason.to_string()
}

fn failure(policy: &ErrorPolicy, f: &str, body: &str) -> (OpKind, Value, bool) {
    let answer = receive(body).expect("it answers the request");
    let failure = policy.judge(f, answer, &READ_OK).expect_err("it is no good");
    (failure.kind, failure.error, failure.exception.is_some())
}

fn named(name: &'static str, text: Value) -> Value {
    Value::Vector(vec![Value::Keyword(name.into()), text])
}

#[test]
fn requests_are_numbered_from_one_and_the_number_comes_last() {
    let mut client = Client::new(0, 0, "c2");
    assert_eq!(client.ask(&request(), Time::ZERO), r#"{"type":"read","msg_id":1}"#);
    assert_eq!(client.expire(Time::ZERO + TIMEOUT, || None), Some(timed_out()));
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
        assert_eq!(receive(ignored), None, "{ignored}");
    }
    let mut client = Client::new(0, 0, "c2");
    let body = r#"{"type":"read_ok","messages":[],"in_reply_to":0}"#;
    assert_eq!(client.receive(&"n0".into(), body, None), None, "nothing was asked");
}

#[test]
fn a_time_out_tells_what_was_heard_instead_of_an_answer() {
    assert_eq!(silence(1, &[]), "no reply within 5 s");
    let body = r#"{"type":"read_ok"}"#;
    let message = format!("no reply within 5 s; n0 had sent read_ok to c2 with in_reply_to missing: {body}");
    assert_eq!(silence(1, &[body]), message);
    let late = r#"{"type":"read_ok","in_reply_to":1}"#;
    assert!(silence(2, &[late]).contains("with in_reply_to 1, the msg_id of an earlier request, not 2: "));
    assert_eq!(silence(2, &[late, body, late]), message, "the most telling is kept");
    let mut client = Client::new(0, 0, "c2");
    client.ask(&request(), Time::ZERO);
    client.receive(&"n0".into(), body, None);
    client.ask(&request(), Time::ZERO);
    assert_eq!(client.expire(Time::ZERO + TIMEOUT, || None), Some(timed_out()), "of the former request");
}

#[test]
fn an_answer_that_goes_to_somebody_else_is_overheard() {
    for (src, dest, message) in [
        ("n0", "c7", "n0 had sent read_ok to c7 instead of c2"),
        ("c2", "n0", "n0 had sent read_ok with src c2 and dest n0 (swapped?)"),
    ] {
        let mut client = Client::new(0, 0, "c2");
        client.ask(&request(), Time::ZERO);
        client.note_misdirected(&"n0".into(), &"c7".into(), r#"{"type":"other","in_reply_to":9}"#, None);
        client.note_misdirected(&src.into(), &dest.into(), r#"{"type":"read_ok","in_reply_to":1}"#, None);
        let answer = client.expire(Time::ZERO + TIMEOUT, || None).expect("it gives up");
        let reason = MAPPED.judge("read", answer, &READ_OK).expect_err("no answer").reason.to_string();
        assert!(reason.contains(message), "{reason}");
    }
}

#[test]
fn what_is_wrong_with_a_reply_is_one_sentence_and_makes_even_a_read_indeterminate() {
    for (body, message) in [
        (r#"{"type":"read","in_reply_to":1}"#, "the reply has the type `read`, not `read_ok`"),
        (r#"{"type":7,"in_reply_to":1}"#, "the reply has the type 7, not `read_ok`"),
        (r#"{"messages":[],"in_reply_to":1}"#, "the reply has no `type`"),
        (r#"{"type":"read_ok","in_reply_to":1}"#, "the reply lacks the key `messages`"),
        (
            r#"{"type":"read_ok","messages":[],"message":5,"in_reply_to":1}"#,
            "the reply has the key `message`, which does not belong there",
        ),
        (
            r#"{"type":"read_ok","messages":5,"in_reply_to":1}"#,
            "the value of the reply's `messages` has the wrong type",
        ),
        (
            r#"{"type":"read_ok","messages":[],"msg_id":1.5,"in_reply_to":1}"#,
            "the value of the reply's `msg_id` has the wrong type",
        ),
    ] {
        let failure = MAPPED.judge("read", receive(body).expect("answers"), &READ_OK).expect_err("out of shape");
        assert_eq!(failure.reason.to_string(), format!("{message}: {body}"));
        assert_eq!(failure.reason.kind(), message);
        let error = format!("indeterminate: Malformed RPC response. It cannot be used: {message}.");
        assert_eq!((failure.kind, failure.error), (OpKind::Info, Value::str(error)));
        assert!(failure.exception.is_some(), "{body}");
    }
}

#[test]
fn of_a_key_given_twice_the_last_value_counts() {
    let body = r#"{"type":"x","messages":5,"in_reply_to":7,"messages":[],"in_reply_to":1,"type":"read_ok"}"#;
    assert!(MAPPED.judge("read", receive(body).expect("answers"), &READ_OK).is_ok());
    let body = r#"{"type":"read_ok","type":"\u0065rror","code":1,"code":11,"in_reply_to":1}"#;
    assert_eq!(receive(body), Some(ClientReply::Error { code: Some(11), text: Value::Nil }));
}

#[test]
fn a_reply_in_shape_passes_with_its_fields() {
    let answer = receive(r#"{"msg_id":9,"messages":[3,1],"type":"read_ok","in_reply_to":1}"#).expect("answers");
    let members = MAPPED.judge("read", answer, &READ_OK).expect("in shape");
    assert!(members.contains(&("messages".into(), Value::ints(vec![3, 1]))));
    let null = receive(r#"{"type":"read_ok","messages":null,"in_reply_to":1}"#).expect("answers");
    assert!(MAPPED.judge("read", null, &READ_OK).is_ok(), "null passes for a list");
    let answer = receive(r#"{"type":"generate_ok","id":{"a":1},"in_reply_to":1}"#).expect("answers");
    assert!(MAPPED.judge("generate", answer, &GENERATE_OK).is_ok());
}

#[test]
fn a_time_out_is_a_failure_only_where_nothing_can_have_happened() {
    for (f, kind) in [("broadcast", OpKind::Info), ("read", OpKind::Fail)] {
        let failure = MAPPED.judge(f, timed_out(), &READ_OK).expect_err("timed out");
        assert_eq!((failure.kind, failure.error), (kind, Value::Keyword("net-timeout".into())));
    }
}

#[test]
fn the_code_decides_whether_an_operation_has_failed_and_a_read_always_has() {
    let known = CODES.map(|(code, name, definite)| (code.to_string(), name, definite));
    for (code, name, definite) in
        known.into_iter().chain([("1000".into(), "unknown", false), ("\"x\"".into(), "unknown", false)])
    {
        for (more, text) in [("", Value::Nil), (r#","text":"no","more":0"#, Value::str("no"))] {
            let body = format!(r#"{{"type":"error","code":{code}{more},"in_reply_to":1}}"#);
            let kind = if definite { OpKind::Fail } else { OpKind::Info };
            assert_eq!(failure(&MAPPED, "broadcast", &body), (kind, named(name, text.clone()), false));
            assert_eq!(failure(&MAPPED, "read", &body), (OpKind::Fail, named(name, text), false));
        }
    }
    let definite = CODES.into_iter().filter(|(_, _, definite)| *definite).map(|(code, ..)| code);
    assert_eq!(definite.collect::<Vec<_>>(), [1, 10, 11, 12, 14, 20, 21, 22, 30]);
}

#[test]
fn without_mapping_every_trouble_is_an_exception() {
    let timed_out = RAISED.judge("read", timed_out(), &READ_OK).expect_err("timed out");
    assert_eq!((timed_out.kind, timed_out.exception.is_some()), (OpKind::Info, true));
    let (kind, error, raised) = failure(&RAISED, "add", r#"{"type":"error","code":22,"in_reply_to":1}"#);
    assert_eq!((kind, raised), (OpKind::Info, true));
    assert!(matches!(error, Value::Str(text) if text.starts_with("indeterminate: ")));
}
