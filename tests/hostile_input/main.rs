//! Nodes under invalid input: they never panic, never stop, and never print a line that would mute them.
//!
//! Every test ends with a valid request, which must be answered.

mod corpus;
mod generators;
#[path = "../host/mod.rs"]
mod host;
#[path = "../protocol/mod.rs"]
mod protocol;
mod quoting;
mod replication;

use std::time::Duration;

use corpus::corpus;
use generators::{gossip, json, request, source};
use gossip_gloomers::node::Node;
use gossip_gloomers::nodes::{Broadcast, Echo, UniqueIds};
use host::{Host, init, line};
use proptest::prelude::*;
use protocol::{Participants, SentMessage, answers, messages};
use serde_json::Value;

/// Asserts that all messages are from `n0`, to existing participants.
fn assert_addressed(sent: &[SentMessage]) {
    let mut participants = Participants::new(["n0", "n1", "n2"]);
    for message in sent {
        // The destination of a reply is a client.
        if message.integer("in_reply_to").is_some() {
            participants.add(&message.dest);
        }
    }
    participants.assert_know("n0", sent);
}

/// A node, and a valid request that it must answer after any input.
struct NodeUnderTest<N: Node> {
    host: Host<N>,
    good: &'static str,
    asked: i64,
}

impl<N: Node<Options: Default>> NodeUnderTest<N> {
    fn new(good: &'static str) -> Self {
        Self { host: Host::started(), good, asked: 0 }
    }

    fn feed(&mut self, lines: &[u8]) -> Vec<SentMessage> {
        let mut sent = self.host.deliver_bytes(lines);
        sent.extend(self.host.pass(Duration::from_millis(3)));
        assert_addressed(&sent);
        sent
    }

    /// # Panics
    /// The node does not answer its valid request.
    fn assert_serves(&mut self) {
        self.asked += 1;
        let body = format!(r#"{{"msg_id":{},{}}}"#, self.asked, self.good);
        let request: Value = serde_json::from_str(&body).expect("a good request");
        let sent = self.host.deliver(&line("c99", "n0", &body));
        assert!(sent.len() == 1 && sent[0].dest == "c99" && answers(&request, &sent[0]), "{sent:?}");
    }
}

/// One node of each kind.
fn nodes_under_test() -> (NodeUnderTest<Echo>, NodeUnderTest<UniqueIds>, NodeUnderTest<Broadcast>) {
    (
        NodeUnderTest::new(r#""type":"echo","echo":{"a":[1,"b"]}"#),
        NodeUnderTest::new(r#""type":"generate""#),
        NodeUnderTest::new(r#""type":"read""#),
    )
}

/// Feeds every node, and asserts after each part that it serves.
fn assert_survived(parts: &[Vec<u8>]) {
    let (mut echo, mut ids, mut broadcast) = nodes_under_test();
    for part in parts {
        echo.feed(part);
        echo.assert_serves();
        ids.feed(part);
        ids.assert_serves();
        broadcast.feed(part);
        broadcast.assert_serves();
    }
    broadcast.host.pass(Duration::from_secs(60));
    broadcast.assert_serves();
}

#[test]
fn a_node_survives_every_bad_line() {
    assert_survived(&corpus());
}

#[test]
fn a_node_survives_bad_lines_with_either_line_ending() {
    let ended: Vec<_> = corpus().into_iter().map(|line| [line.as_slice(), b"\r\n"].concat()).collect();
    assert_survived(&ended);
    assert_survived(&[ended.concat()]);
}

#[test]
fn a_node_survives_bad_lines_before_init() {
    for bad in corpus() {
        let mut host = Host::<Broadcast>::new();
        let sent = host.deliver_bytes(&bad);
        assert!(sent.iter().all(|reply| ["init_ok", "error"].contains(&reply.kind())), "{sent:?}");
        host.deliver(&init("c0", "n0", &["n0", "n1", "n2"]));
        let mut sent = host.deliver(&line("c99", "n0", r#"{"type":"read","msg_id":1}"#));
        sent.retain(|message| message.dest == "c99");
        assert_eq!(sent.iter().map(SentMessage::kind).collect::<Vec<_>>(), ["read_ok"]);
    }
}

#[test]
fn very_long_strings_are_echoed_whole() {
    let (mut echo, _, mut broadcast) = nodes_under_test();
    for filler in ["x", "\\n", "\u{e9}", "\\u00e9"] {
        let giant = filler.repeat(10_000_000 / filler.len());
        let sent = echo.feed(line("c1", "n0", &format!(r#"{{"type":"echo","msg_id":1,"echo":"{giant}"}}"#)).as_bytes());
        let meant: String = serde_json::from_str(&format!("\"{giant}\"")).expect("a string");
        assert_eq!(sent[0].body["echo"].as_str().map(str::len), Some(meant.len()));
        assert!(sent[0].body["echo"] == *meant);
        echo.assert_serves();
        broadcast.feed(line("c1", "n0", &format!(r#"{{"type":"{giant}","msg_id":1}}"#)).as_bytes());
        broadcast.feed(line(&giant, "n0", r#"{"type":"read","msg_id":1}"#).as_bytes());
        broadcast.assert_serves();
    }
}

#[test]
fn values_are_echoed_unchanged() {
    let (mut echo, ..) = nodes_under_test();
    for value in [
        "-0.0",
        "5e-324",
        "1.7976931348623157e308",
        "-9223372036854775808",
        "18446744073709551615",
        r#""\u0000\u001f\"\\/""#,
    ] {
        let sent = echo.feed(line("c1", "n0", &format!(r#"{{"type":"echo","msg_id":1,"echo":{value}}}"#)).as_bytes());
        let number = |value: &Value| value.to_string().parse::<f64>().ok();
        let meant: Value = serde_json::from_str(value).expect("a value");
        let echoed = &sent[0].body["echo"];
        assert!(
            *echoed == meant || number(echoed).is_some_and(|echoed| Some(echoed) == number(&meant)),
            "{value}: {echoed}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_node_survives_any_bytes(lines in prop::collection::vec(any::<u8>(), 0..2000)) {
        assert_survived(&[lines]);
    }

    #[test]
    fn a_node_survives_any_json(lines in prop::collection::vec(json(), 0..20)) {
        assert_survived(&[lines.join("\n").as_bytes().to_vec()]);
    }

    #[test]
    fn a_node_survives_any_request(lines in prop::collection::vec((source(), request()), 0..20)) {
        let lines: String = lines.iter().map(|(src, body)| line(src, "n0", body)).collect();
        assert_survived(&[lines.as_bytes().to_vec()]);
    }

    #[test]
    fn a_node_survives_messages_with_changed_bytes(
        body in prop_oneof![request(), gossip()],
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut line = line("n1", "n0", &body).into_bytes();
        for (at, byte) in changes {
            let at = at.index(line.len());
            line[at] = byte;
        }
        assert_survived(&[line]);
    }

    #[test]
    fn a_replica_survives_invalid_values_in_every_field(
        messages in prop::collection::vec((source(), gossip(), 0..700_u64, any::<bool>()), 1..40),
    ) {
        let mut node = NodeUnderTest::<Broadcast>::new(r#""type":"read""#);
        for (number, (src, body, pause_ms, broadcasts)) in messages.into_iter().enumerate() {
            node.feed(line(src, "n0", &body).as_bytes());
            if broadcasts {
                let body = format!(r#"{{"type":"broadcast","message":{number},"msg_id":1}}"#);
                node.feed(line("c3", "n0", &body).as_bytes());
            }
            let sent = node.host.pass(Duration::from_millis(pause_ms));
            assert_addressed(&sent);
        }
        node.assert_serves();
        node.host.pass(Duration::from_secs(20));
        node.assert_serves();
    }
}

/// The messages that a node's program prints for this input.
fn output(program: &str, input: &[u8]) -> Vec<SentMessage> {
    let sent = messages(&protocol::output_of(program, input));
    assert_addressed(&sent);
    sent
}

#[test]
fn node_processes_survive_the_whole_corpus_in_one_burst() {
    let garbage: Vec<u8> = corpus().into_iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect();
    let start = init("c0", "n0", &["n0", "n1", "n2"]);
    for (program, body) in [
        (env!("CARGO_BIN_EXE_echo"), r#"{"type":"echo","msg_id":1,"echo":"still here"}"#),
        (env!("CARGO_BIN_EXE_unique-ids"), r#"{"type":"generate","msg_id":1}"#),
        (env!("CARGO_BIN_EXE_broadcast"), r#"{"type":"read","msg_id":1}"#),
    ] {
        // The last line lacks its newline.
        let good = line("c99", "n0", body);
        let sent = output(
            program,
            &[start.as_bytes(), &garbage, start.as_bytes(), &garbage, good.trim_end().as_bytes()].concat(),
        );
        let request: Value = serde_json::from_str(body).expect("a good request");
        let answered: Vec<_> = sent.iter().filter(|message| message.dest == "c99").collect();
        assert!(answered.len() == 1 && answers(&request, answered[0]), "{answered:?}");
    }
}

#[test]
fn a_node_process_survives_very_long_lines_and_carriage_returns() {
    let giant = format!(r#"{{"type":"echo","msg_id":1,"echo":"{}"}}"#, "é".repeat(5_000_000));
    let text = init("c0", "n0", &["n0"])
        + &line("c1", "n0", &giant)
        + &"x".repeat(10_000_000)
        + "\n"
        + &line("c1", "n0", &giant);
    let text = text.replace('\n', "\r\n") + &line("c2", "n0", r#"{"type":"echo","msg_id":2,"echo":2}"#);
    let sent = output(env!("CARGO_BIN_EXE_echo"), text.as_bytes());
    let sizes: Vec<_> =
        sent.iter().map(|reply| reply.body.get("echo").map_or(0, |echo| echo.to_string().len())).collect();
    assert_eq!(sizes, [0, 10_000_002, 10_000_002, 1]);
}

#[test]
fn the_test_parser_rejects_what_maelstrom_rejects() {
    for bad in [
        "",
        "x",
        "[]",
        "7",
        "{}",
        r#"{"src":"n0","body":{"type":"x"}}"#,
        r#"{"src":"n0","dest":7,"body":{"type":"x"}}"#,
        r#"{"src":"n0","dest":"c1","body":7}"#,
        r#"{"src":"n0","dest":"c1","extra":1,"body":{"type":"x"}}"#,
        r#"{"src":"n0","dest":"c1","body":{"type":"x","type":"y"}}"#,
        r#"{"src":"n0","dest":"c1","body":{"type":"x"}} {}"#,
        r#"{"src":"n0","dest":"c1","body":{"type":"x","in_reply_to":1.0}}"#,
        "{\"src\":\"n0\",\"dest\":\"c1\",\"body\":{\"type\":\"\t\"}}",
    ] {
        assert!(protocol::message(bad).is_err(), "{bad}");
    }
    let good = protocol::message(r#"{"src":"n0","dest":"c1","body":{"type":"x","in_reply_to":1}}"#);
    assert_eq!(good.map(|message| message.integer("in_reply_to")), Ok(Some(1)));
}
