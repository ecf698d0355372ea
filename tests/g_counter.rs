//! What a g-counter makes of seq-kv's answers when it does not know what became of a write.

mod host;
mod protocol;

use std::time::Duration;

use gossip_gloomers::kv::DEFAULT_POLICY;
use gossip_gloomers::nodes::GCounter;
use host::{Host, init, line};
use protocol::SentMessage;
use serde_json::{Value, json};

/// A counter alone in its cluster, so that it only speaks of its own key, and what seq-kv holds for it.
struct Bench {
    host: Host<GCounter>,
    stored: Value,
}

impl Bench {
    /// A new incarnation, which has been told what is stored.
    fn new(stored: Value) -> Self {
        let mut host = Host::new();
        host.deliver(&init("c0", "n0", &["n0"]));
        let mut bench = Self { host, stored };
        let add = bench.ask(r#"{"type":"add","delta":0,"msg_id":1}"#);
        bench.serve(&add);
        bench
    }

    fn ask(&mut self, body: &str) -> Vec<SentMessage> {
        self.host.deliver(&line("c1", "n0", body))
    }

    /// Answers everything that seq-kv is asked until nothing more is; returns what clients were told.
    fn serve(&mut self, sent: &[SentMessage]) -> Vec<String> {
        let mut told = Vec::new();
        let mut sent = sent.to_vec();
        while !sent.is_empty() {
            let mut next = Vec::new();
            for request in &sent {
                if request.dest == "seq-kv" {
                    next.extend(self.answer(request));
                } else {
                    told.push(request.kind().to_owned());
                }
            }
            sent = next;
        }
        told
    }

    /// Carries out one request and tells the node.
    fn answer(&mut self, request: &SentMessage) -> Vec<SentMessage> {
        let answer = self.carry_out(request);
        let id = request.integer("msg_id").expect("a call has a msg_id");
        self.host.deliver(&line("seq-kv", "n0", &format!(r#"{{{answer},"in_reply_to":{id}}}"#)))
    }

    /// Carries out one request; its answer without the number.
    fn carry_out(&mut self, request: &SentMessage) -> String {
        match request.kind() {
            "read" if self.stored.is_null() => r#""type":"error","code":20"#.into(),
            "read" => format!(r#""type":"read_ok","value":{}"#, self.stored),
            "cas" if self.stored.is_null() || self.stored == request.body["from"] => {
                self.stored = request.body["to"].clone();
                r#""type":"cas_ok""#.into()
            }
            "cas" => r#""type":"error","code":22"#.into(),
            "write" => r#""type":"write_ok""#.into(),
            other => panic!("seq-kv is asked to {other}"),
        }
    }

    fn sum(&self) -> i64 {
        self.stored[0].as_i64().expect("a sum is stored")
    }
}

/// Adds five; the compare-and-set that comes of it, which nobody has answered.
fn commit(bench: &mut Bench) -> SentMessage {
    let sent = bench.ask(r#"{"type":"add","delta":5,"msg_id":2}"#);
    assert!(sent.len() == 1 && sent[0].kind() == "cas", "{sent:?}");
    sent[0].clone()
}

/// Lets the commit expire; what the node asks then.
fn expire(bench: &mut Bench) -> Vec<SentMessage> {
    let mut sent = bench.host.pass(DEFAULT_POLICY.timeout);
    sent.retain(|request| request.kind() != "cas");
    assert!(sent.len() == 1 && sent[0].kind() == "write", "{sent:?}");
    sent
}

#[test]
fn an_add_is_acknowledged_when_it_is_stored_and_not_before() {
    let mut bench = Bench::new(Value::Null);
    let cas = commit(&mut bench);
    assert_eq!(bench.host.pass(Duration::from_millis(100)), []);
    assert_eq!(bench.serve(&[cas]), ["add_ok"]);
    assert_eq!(bench.sum(), 5);
}

#[test]
fn what_a_former_life_has_stored_is_added_to() {
    let mut bench = Bench::new(json!([100, 7, 1]));
    let cas = commit(&mut bench);
    bench.serve(&[cas]);
    assert_eq!(bench.sum(), 105);
}

#[test]
fn a_commit_that_was_carried_out_unheard_counts_once() {
    let mut bench = Bench::new(Value::Null);
    let cas = commit(&mut bench);
    bench.carry_out(&cas);
    let sent = expire(&mut bench);
    bench.serve(&sent);
    assert_eq!(bench.sum(), 5);
    let cas = commit(&mut bench);
    assert_eq!(bench.serve(&[cas]), ["add_ok"]);
    assert_eq!(bench.sum(), 10);
}

#[test]
fn a_commit_that_arrives_after_its_repetition_counts_once() {
    let mut bench = Bench::new(json!([100, 7, 1]));
    let first = commit(&mut bench);
    let freshen = expire(&mut bench);
    // More to add by now, yet the repetition must be the same write, as the first may arrive before or after it.
    assert_eq!(bench.ask(r#"{"type":"add","delta":3,"msg_id":3}"#), []);
    let read = bench.answer(&freshen[0]);
    let again = bench.answer(&read[0]);
    assert!(again.len() == 1 && again[0].kind() == "cas", "{again:?}");
    assert_eq!(again[0].body["to"], first.body["to"]);
    bench.carry_out(&first);
    bench.serve(&again);
    assert_eq!(bench.sum(), 108);
    bench.carry_out(&first);
    assert_eq!(bench.sum(), 108);
}

#[test]
fn a_write_of_a_former_life_that_arrives_late_is_not_taken_for_ones_own() {
    let mut bench = Bench::new(json!([100, 7, 1]));
    let cas = commit(&mut bench);
    // The earlier incarnation, too, was about to add five.
    bench.stored = json!([105, 8, 1]);
    bench.serve(&[cas]);
    assert_eq!(bench.sum(), 110);
}
