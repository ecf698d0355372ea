//! The g-counter's handling of responses from seq-kv, above all after a write whose outcome is unknown.

mod host;
mod protocol;

use std::time::Duration;

use gossip_gloomers::kv::DEFAULT_POLICY;
use gossip_gloomers::nodes::GCounter;
use host::{Host, init, line};
use protocol::SentMessage;
use serde_json::{Value, json};

/// A cluster of one counter, which only uses its own key, and the value that seq-kv stores under it.
struct Fixture {
    host: Host<GCounter>,
    stored: Value,
}

impl Fixture {
    /// A new incarnation, which has read the stored value.
    fn new(stored: Value) -> Self {
        let mut host = Host::new();
        host.deliver(&init("c0", "n0", &["n0"]));
        let mut fixture = Self { host, stored };
        let add = fixture.ask(r#"{"type":"add","delta":0,"msg_id":1}"#);
        fixture.serve(&add);
        fixture
    }

    fn ask(&mut self, body: &str) -> Vec<SentMessage> {
        self.host.deliver(&line("c1", "n0", body))
    }

    /// Serves calls of seq-kv until there are none; returns the types of replies to clients.
    fn serve(&mut self, sent: &[SentMessage]) -> Vec<String> {
        let mut replies = Vec::new();
        let mut sent = sent.to_vec();
        while !sent.is_empty() {
            let mut next = Vec::new();
            for request in &sent {
                if request.dest == "seq-kv" {
                    next.extend(self.answer(request));
                } else {
                    replies.push(request.kind().to_owned());
                }
            }
            sent = next;
        }
        replies
    }

    /// Executes one request and delivers the response; returns the messages that the node sends then.
    fn answer(&mut self, request: &SentMessage) -> Vec<SentMessage> {
        let answer = self.execute(request);
        let id = request.integer("msg_id").expect("a call has a msg_id");
        self.host.deliver(&line("seq-kv", "n0", &format!(r#"{{{answer},"in_reply_to":{id}}}"#)))
    }

    /// Executes one request; returns its response without `in_reply_to`.
    fn execute(&mut self, request: &SentMessage) -> String {
        match request.kind() {
            "read" if self.stored.is_null() => r#""type":"error","code":20"#.into(),
            "read" => format!(r#""type":"read_ok","value":{}"#, self.stored),
            "cas" if self.stored.is_null() || self.stored == request.body["from"] => {
                self.stored = request.body["to"].clone();
                r#""type":"cas_ok""#.into()
            }
            "cas" => r#""type":"error","code":22"#.into(),
            "write" => r#""type":"write_ok""#.into(),
            other => panic!("seq-kv has no {other}"),
        }
    }

    fn sum(&self) -> i64 {
        self.stored[0].as_i64().expect("a sum is stored")
    }
}

/// Adds five; returns the pending compare-and-set.
fn commit(fixture: &mut Fixture) -> SentMessage {
    let sent = fixture.ask(r#"{"type":"add","delta":5,"msg_id":2}"#);
    assert!(sent.len() == 1 && sent[0].kind() == "cas", "{sent:?}");
    sent[0].clone()
}

/// Lets the commit expire; returns the call that the node makes then.
fn expire(fixture: &mut Fixture) -> Vec<SentMessage> {
    let mut sent = fixture.host.pass(DEFAULT_POLICY.timeout);
    sent.retain(|request| request.kind() != "cas");
    assert!(sent.len() == 1 && sent[0].kind() == "write", "{sent:?}");
    sent
}

#[test]
fn an_add_is_acknowledged_only_after_it_is_stored() {
    let mut fixture = Fixture::new(Value::Null);
    let cas = commit(&mut fixture);
    assert_eq!(fixture.host.pass(Duration::from_millis(100)), []);
    assert_eq!(fixture.serve(&[cas]), ["add_ok"]);
    assert_eq!(fixture.sum(), 5);
}

#[test]
fn the_value_stored_by_a_former_incarnation_is_added_to() {
    let mut fixture = Fixture::new(json!([100, 7, 1]));
    let cas = commit(&mut fixture);
    fixture.serve(&[cas]);
    assert_eq!(fixture.sum(), 105);
}

#[test]
fn a_commit_whose_response_was_lost_counts_once() {
    let mut fixture = Fixture::new(Value::Null);
    let cas = commit(&mut fixture);
    fixture.execute(&cas);
    let sent = expire(&mut fixture);
    fixture.serve(&sent);
    assert_eq!(fixture.sum(), 5);
    let cas = commit(&mut fixture);
    assert_eq!(fixture.serve(&[cas]), ["add_ok"]);
    assert_eq!(fixture.sum(), 10);
}

#[test]
fn a_commit_that_arrives_after_its_retry_counts_once() {
    let mut fixture = Fixture::new(json!([100, 7, 1]));
    let first = commit(&mut fixture);
    let freshen = expire(&mut fixture);
    // There is another add by now, but the retry must be the same write, since the first may arrive before or after it.
    assert_eq!(fixture.ask(r#"{"type":"add","delta":3,"msg_id":3}"#), []);
    let read = fixture.answer(&freshen[0]);
    let again = fixture.answer(&read[0]);
    assert!(again.len() == 1 && again[0].kind() == "cas", "{again:?}");
    assert_eq!(again[0].body["to"], first.body["to"]);
    fixture.execute(&first);
    fixture.serve(&again);
    assert_eq!(fixture.sum(), 108);
    fixture.execute(&first);
    assert_eq!(fixture.sum(), 108);
}

#[test]
fn a_delayed_write_of_a_former_incarnation_is_not_mistaken_for_the_nodes_own() {
    let mut fixture = Fixture::new(json!([100, 7, 1]));
    let cas = commit(&mut fixture);
    // The former incarnation was about to add five as well.
    fixture.stored = json!([105, 8, 1]);
    fixture.serve(&[cas]);
    assert_eq!(fixture.sum(), 110);
}
