//! Typed calls to the services: what goes out, when it goes out again, and how answers are read.

mod host;
mod protocol;

use std::convert::Infallible;
use std::time::Duration;

use gossip_gloomers::kv::{self, Absent, LIN_KV, LWW_KV, PATIENT, Policy, Repetition, SEQ_KV, Store};
use gossip_gloomers::node::{Node, NodeContext, ReplyTo, Response};
use gossip_gloomers::outbox::Outbox;
use gossip_gloomers::requests;
use gossip_gloomers::wire::Json;
use host::{Host, line};
use protocol::Spoken;
use serde_json::json;

requests! {
    /// What a client has the node ask.
    #[derive(Debug)]
    pub enum Request<'a> {
        /// A value.
        "read" => Read { store: &'a str },
        /// A value, now.
        "write" => Write { store: &'a str, value: Json<'a> },
        /// A value, if.
        "cas" => Cas { store: &'a str, from: Json<'a>, to: Json<'a>, create: bool },
        /// The time.
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

/// Takes down in words what came of each call.
#[derive(Debug, Default)]
struct Asker(Vec<String>);

fn store(name: &str) -> Store {
    match name {
        "seq-kv" => SEQ_KV,
        "seq-kv, new values" => SEQ_KV.with(Policy { repetition: Repetition::Detected, ..PATIENT }),
        "lin-kv" => LIN_KV,
        "lww-kv" => LWW_KV,
        other => panic!("{other}"),
    }
}

impl Node for Asker {
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
                let absent = if create { Absent::Create } else { Absent::Refuse };
                store(name).cas(["k", "2"], (from, to), absent, Call::Cas, out);
            }
            Request::Ts {} => kv::ask_timestamp(PATIENT, Call::Timestamp, out),
        }
    }

    fn on_response(&mut self, call: Call, answer: Response<'_>, _: &mut Outbox<Self>) {
        self.0.push(match call {
            Call::Read => format!("{:?}", kv::found::<i64>(answer)),
            Call::Write => format!("{:?}", kv::written(answer)),
            Call::Cas => format!("{:?}", kv::swapped(answer)),
            Call::Timestamp => format!("{:?}", kv::timestamp(answer)),
        });
    }
}

/// A node that has been asked to do something, and the one line that it sent.
fn asked(body: &str) -> (Host<Asker>, Spoken) {
    let mut host = Host::<Asker>::started();
    let mut said = host.tell(&line("c1", "n0", body));
    assert_eq!(said.len(), 1, "{said:?}");
    (host, said.remove(0))
}

/// What the node takes an answer for.
fn outcome(request: &str, answer: &str) -> String {
    let (mut host, call) = asked(request);
    reply(&mut host, &call, answer);
    outcomes(&host).concat()
}

fn reply(host: &mut Host<Asker>, call: &Spoken, answer: &str) {
    let id = call.integer("msg_id").expect("a call has a number");
    let said = host.tell(&line(&call.dest, "n0", &format!(r#"{{{answer},"in_reply_to":{id}}}"#)));
    assert_eq!(said, [], "nothing follows");
}

fn outcomes(host: &Host<Asker>) -> &[String] {
    &host.engine.node().expect("it lives").0
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
        call.body.remove("msg_id").expect("a call has a number");
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
fn answers_are_read_as_what_they_say() {
    assert_eq!(outcome(READ, r#""type":"read_ok","value":7"#), "Ok(Some(7))");
    assert_eq!(outcome(READ, r#""type":"error","code":20"#), "Ok(None)");
    assert_eq!(outcome(WRITE, r#""type":"write_ok""#), "Ok(())");
    assert_eq!(outcome(CAS, r#""type":"cas_ok""#), "Ok(Done)");
    assert_eq!(outcome(CAS, REFUSED), "Ok(Differs)");
    assert_eq!(outcome(CAS, r#""type":"error","code":20"#), "Ok(Absent)");
    assert_eq!(outcome(r#"{"type":"ts"}"#, r#""type":"ts_ok","ts":41"#), "Ok(41)");
}

#[test]
fn definite_failures_and_others_are_kept_apart() {
    assert_eq!(outcome(WRITE, r#""type":"error","code":10"#), "Err(Refused(ErrorCode(10)))");
    assert_eq!(outcome(WRITE, r#""type":"error","code":13"#), "Err(Unknown)");
    assert_eq!(outcome(CAS, r#""type":"error","code":4711"#), "Err(Unknown)");
    for nonsense in [r#""type":"write_ok""#, r#""type":"read_ok""#, r#""type":"read_ok","value":"seven""#] {
        assert_eq!(outcome(READ, nonsense), "Err(Unexpected)");
    }
}

#[test]
fn what_may_be_sent_twice_is_sent_again_under_its_number_until_it_expires() {
    for request in [READ, NEW_CAS] {
        let (mut host, call) = asked(request);
        let again = host.pass(PATIENT.timeout.saturating_sub(Duration::from_millis(1)));
        assert!((2..=3).contains(&again.len()), "{again:?}");
        assert!(again.iter().all(|again| *again == call), "{again:?}");
        assert_eq!(outcomes(&host), [""; 0]);
        host.pass(Duration::from_millis(1));
        assert_eq!(outcomes(&host), ["Err(Unknown)"]);
        assert_eq!(host.pass(Duration::from_secs(60)), [], "it is over");
        reply(&mut host, &call, r#""type":"cas_ok""#);
        assert_eq!(outcomes(&host).len(), 1, "one answer for each call");
    }
}

#[test]
fn what_might_be_done_twice_is_sent_once_unless_it_was_refused() {
    for request in [WRITE, CAS] {
        let (mut host, call) = asked(request);
        assert_eq!(host.pass(Duration::from_secs(60)), []);
        assert_eq!(outcomes(&host), ["Err(Unknown)"]);
        let (mut host, refused) = asked(request);
        assert_eq!(refused, call);
        reply(&mut host, &refused, BUSY);
        assert_eq!(outcomes(&host), [""; 0], "there is time to try again");
        assert_eq!(host.pass(Duration::from_millis(1600)), [call]);
        let done = if request == WRITE { "write_ok" } else { "cas_ok" };
        reply(&mut host, &refused, &format!(r#""type":"{done}""#));
        assert!(outcomes(&host)[0].starts_with("Ok("), "{:?}", outcomes(&host));
    }
}

#[test]
fn a_refusal_after_an_attempt_nobody_has_heard_of_is_not_a_failure() {
    let (mut host, call) = asked(NEW_CAS);
    assert!(!host.pass(Duration::from_secs(2)).is_empty(), "it is sent again");
    reply(&mut host, &call, REFUSED);
    assert_eq!(outcomes(&host), ["Err(Unknown)"], "the first attempt may be why");
    let (mut host, call) = asked(READ);
    assert!(!host.pass(Duration::from_secs(2)).is_empty(), "it is sent again");
    reply(&mut host, &call, r#""type":"error","code":20"#);
    assert_eq!(outcomes(&host), ["Ok(None)"], "a read changes nothing");
}

#[test]
fn a_call_that_was_only_ever_refused_has_failed() {
    let (mut host, call) = asked(CAS);
    for _ in 0..8 {
        reply(&mut host, &call, BUSY);
        host.pass(Duration::from_millis(500));
    }
    assert_eq!(outcomes(&host), ["Err(Refused(ErrorCode(11)))"]);
}
