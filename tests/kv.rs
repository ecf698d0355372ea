//! Typed clients of the services: their requests, retransmissions, and how responses are interpreted.

mod host;
mod protocol;

use std::convert::Infallible;
use std::time::Duration;

use gossip_gloomers::kv::{self, DEFAULT_POLICY, IfMissing, KvClient, LIN_KV, LWW_KV, Policy, Repetition, SEQ_KV};
use gossip_gloomers::node::{Node, NodeContext, ReplyTo, Response};
use gossip_gloomers::outbox::Outbox;
use gossip_gloomers::requests;
use gossip_gloomers::wire::Json;
use host::{Host, line};
use protocol::SentMessage;
use serde_json::json;

requests! {
    /// Requests that the node forwards to a service.
    #[derive(Debug)]
    pub enum Request<'a> {
        /// Read the key.
        "read" => Read { store: &'a str },
        /// Write the key.
        "write" => Write { store: &'a str, value: Json<'a> },
        /// Compare and set the key.
        "cas" => Cas { store: &'a str, from: Json<'a>, to: Json<'a>, create: bool },
        /// Request a timestamp.
        "ts" => Ts {},
    }
}

#[derive(Debug, Clone, Copy)]
enum Call {
    Read,
    Write,
    Cas,
    Timestamp,
}

/// A node that records the outcome of each call as text.
#[derive(Debug, Default)]
struct Proxy(Vec<String>);

fn store(name: &str) -> KvClient {
    match name {
        "seq-kv" => SEQ_KV,
        "seq-kv, new values" => SEQ_KV.with_policy(Policy { repetition: Repetition::Detected, ..DEFAULT_POLICY }),
        "lin-kv" => LIN_KV,
        "lww-kv" => LWW_KV,
        other => panic!("{other}"),
    }
}

impl Node for Proxy {
    type Request<'a> = Request<'a>;
    type Timer = Infallible;
    type Call = Call;
    type Options = ();

    fn start(_: &NodeContext<'_, ()>, _: &mut Outbox<Self>) -> Self {
        Self::default()
    }

    fn on_request(&mut self, _: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
        match request {
            Request::Read { store: name } => store(name).read("k", Call::Read, out),
            Request::Write { store: name, value } => store(name).write("k", value, Call::Write, out),
            Request::Cas { store: name, from, to, create } => {
                let missing = if create { IfMissing::Create } else { IfMissing::Fail };
                store(name).cas(["k", "2"], (from, to), missing, Call::Cas, out);
            }
            Request::Ts {} => kv::request_timestamp(DEFAULT_POLICY, Call::Timestamp, out),
        }
    }

    fn on_response(&mut self, call: Call, response: Response<'_>, _: &mut Outbox<Self>) {
        self.0.push(match call {
            Call::Read => format!("{:?}", kv::found::<i64>(response)),
            Call::Write => format!("{:?}", kv::written(response)),
            Call::Cas => format!("{:?}", kv::swapped(response)),
            Call::Timestamp => format!("{:?}", kv::timestamp(response)),
        });
    }
}

/// A node that has received a request, and the call that it made.
fn asked(body: &str) -> (Host<Proxy>, SentMessage) {
    let mut host = Host::<Proxy>::started();
    let mut sent = host.deliver(&line("c1", "n0", body));
    assert_eq!(sent.len(), 1, "{sent:?}");
    (host, sent.remove(0))
}

/// The outcome of a call with this response.
fn outcome(request: &str, response: &str) -> String {
    let (mut host, call) = asked(request);
    reply(&mut host, &call, response);
    outcomes(&host).concat()
}

fn reply(host: &mut Host<Proxy>, call: &SentMessage, response: &str) {
    let id = call.integer("msg_id").expect("a call has a msg_id");
    let sent = host.deliver(&line(&call.dest, "n0", &format!(r#"{{{response},"in_reply_to":{id}}}"#)));
    assert_eq!(sent, [], "nothing follows");
}

fn outcomes(host: &Host<Proxy>) -> &[String] {
    &host.engine.node().expect("it is running").0
}

const READ: &str = r#"{"type":"read","store":"lin-kv"}"#;
const WRITE: &str = r#"{"type":"write","store":"lww-kv","value":{"any":[1,null,"x"]}}"#;
const CAS: &str = r#"{"type":"cas","store":"seq-kv","from":1,"to":[2],"create":false}"#;
const NEW_CAS: &str = r#"{"type":"cas","store":"seq-kv, new values","from":1,"to":[2],"create":true}"#;
const REFUSED: &str = r#""type":"error","code":22,"text":"current value 8 is not 7""#;
const BUSY: &str = r#""type":"error","code":11,"text":"later""#;

#[test]
fn calls_are_written_as_the_services_read_them() {
    let written = |body: &str| {
        let (_, mut call) = asked(body);
        call.body.remove("msg_id").expect("a call has a msg_id");
        (call.dest, serde_json::to_value(call.body).expect("JSON"))
    };
    assert_eq!(written(READ), ("lin-kv".into(), json!({"type": "read", "key": "k"})));
    let value = json!({"any": [1, null, "x"]});
    assert_eq!(written(WRITE), ("lww-kv".into(), json!({"type": "write", "key": "k", "value": value})));
    let cas = json!({"type": "cas", "key": ["k", "2"], "from": 1, "to": [2]});
    assert_eq!(written(CAS), ("seq-kv".into(), cas.clone()));
    let mut create = cas;
    create["create_if_not_exists"] = true.into();
    assert_eq!(written(NEW_CAS), ("seq-kv".into(), create));
    assert_eq!(written(r#"{"type":"ts"}"#), ("lin-tso".into(), json!({"type": "ts"})));
}

#[test]
fn responses_are_interpreted() {
    assert_eq!(outcome(READ, r#""type":"read_ok","value":7"#), "Ok(Some(7))");
    assert_eq!(outcome(READ, r#""type":"error","code":20"#), "Ok(None)");
    assert_eq!(outcome(WRITE, r#""type":"write_ok""#), "Ok(())");
    assert_eq!(outcome(CAS, r#""type":"cas_ok""#), "Ok(Done)");
    assert_eq!(outcome(CAS, REFUSED), "Ok(Differs)");
    assert_eq!(outcome(CAS, r#""type":"error","code":20"#), "Ok(Absent)");
    assert_eq!(outcome(r#"{"type":"ts"}"#, r#""type":"ts_ok","ts":41"#), "Ok(41)");
}

#[test]
fn definite_failures_are_distinguished_from_indefinite_ones() {
    assert_eq!(outcome(WRITE, r#""type":"error","code":10"#), "Err(Definite(ErrorCode(10)))");
    assert_eq!(outcome(WRITE, r#""type":"error","code":13"#), "Err(Indefinite)");
    assert_eq!(outcome(CAS, r#""type":"error","code":4711"#), "Err(Indefinite)");
    for nonsense in [r#""type":"write_ok""#, r#""type":"read_ok""#, r#""type":"read_ok","value":"seven""#] {
        assert_eq!(outcome(READ, nonsense), "Err(Unexpected)");
    }
}

#[test]
fn an_idempotent_request_is_retransmitted_with_the_same_id_until_it_expires() {
    for request in [READ, NEW_CAS] {
        let (mut host, call) = asked(request);
        let again = host.pass(DEFAULT_POLICY.timeout.saturating_sub(Duration::from_millis(1)));
        assert!((2..=3).contains(&again.len()), "{again:?}");
        assert!(again.iter().all(|again| *again == call), "{again:?}");
        assert_eq!(outcomes(&host), [""; 0]);
        host.pass(Duration::from_millis(1));
        assert_eq!(outcomes(&host), ["Err(Indefinite)"]);
        assert_eq!(host.pass(Duration::from_secs(60)), [], "an expired call is not retransmitted");
        reply(&mut host, &call, r#""type":"cas_ok""#);
        assert_eq!(outcomes(&host).len(), 1, "one response for each call");
    }
}

#[test]
fn any_other_request_is_sent_once_unless_it_failed_definitely() {
    for request in [WRITE, CAS] {
        let (mut host, call) = asked(request);
        assert_eq!(host.pass(Duration::from_secs(60)), []);
        assert_eq!(outcomes(&host), ["Err(Indefinite)"]);
        let (mut host, refused) = asked(request);
        assert_eq!(refused, call);
        reply(&mut host, &refused, BUSY);
        assert_eq!(outcomes(&host), [""; 0], "it will be retried");
        assert_eq!(host.pass(Duration::from_millis(1600)), [call]);
        let done = if request == WRITE { "write_ok" } else { "cas_ok" };
        reply(&mut host, &refused, &format!(r#""type":"{done}""#));
        assert!(outcomes(&host)[0].starts_with("Ok("), "{:?}", outcomes(&host));
    }
}

#[test]
fn an_error_after_an_attempt_without_response_is_indefinite() {
    let (mut host, call) = asked(NEW_CAS);
    assert!(!host.pass(Duration::from_secs(2)).is_empty(), "it is retransmitted");
    reply(&mut host, &call, REFUSED);
    assert_eq!(outcomes(&host), ["Err(Indefinite)"], "the first attempt may have caused the error");
    let (mut host, call) = asked(READ);
    assert!(!host.pass(Duration::from_secs(2)).is_empty(), "it is retransmitted");
    reply(&mut host, &call, r#""type":"error","code":20"#);
    assert_eq!(outcomes(&host), ["Ok(None)"], "a read has no effect");
}

#[test]
fn a_call_whose_attempts_all_failed_definitely_fails_definitely() {
    let (mut host, call) = asked(CAS);
    for _ in 0..8 {
        reply(&mut host, &call, BUSY);
        host.pass(Duration::from_millis(500));
    }
    assert_eq!(outcomes(&host), ["Err(Definite(ErrorCode(11)))"]);
}
