//! Rejected input is quoted briefly on stderr and in replies, with its full length.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use gossip_gloomers::node::Node;
use gossip_gloomers::nodes::{Kafka, LinKv, PnCounter, Txn};
use gossip_gloomers::wire::{MAX_ERROR_TEXT, MAX_QUOTE};

use crate::host::{Host, init, line};
use crate::protocol::SentMessage;

/// The size of the rejected input, in bytes.
const GIANT: usize = 3_000_000;

/// Upper bound on the output for one line: two messages, with up to six bytes per quoted byte, and their envelopes.
const ROOM: usize = 2 * (6 * MAX_QUOTE + MAX_ERROR_TEXT + 500);

fn giant() -> String {
    "é".repeat(GIANT / 2)
}

/// The stdout and stderr of a program for this input.
fn output(program: &str, arguments: &[&str], input: String) -> (String, String) {
    let mut command = Command::new(program);
    command.args(arguments).env("RUST_LOG", "trace");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut to = child.stdin.take().expect("it is piped");
    let writer = std::thread::Builder::new().spawn(move || to.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("it exits at the end of input");
    // A program that rejects its arguments does not read its input.
    let _ = writer.expect("a thread").join().expect("it does not panic");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (text(output.stdout), text(output.stderr))
}

/// Asserts that a program reports a long line after `init` briefly, with its length.
fn assert_brief(program: &str, bad: &str) {
    let start = init("c0", "n0", &["n0"]);
    let (stdout, stderr) = output(program, &[], format!("{start}{bad}"));
    let shown: String = bad.chars().filter(|character| *character != 'é').collect();
    assert!(!stderr.is_empty(), "{shown} is not reported");
    assert!(stderr.len() <= ROOM && stdout.len() <= ROOM, "{shown}: {} and {} bytes", stdout.len(), stderr.len());
    let length = stderr.split(|character: char| !character.is_ascii_digit()).filter_map(|digits| digits.parse().ok());
    assert!(length.max().is_some_and(|length: usize| length >= GIANT), "{shown}: its length is missing: {stderr}");
}

#[test]
fn every_rejection_is_brief_on_stderr_and_in_the_reply() {
    let giant = giant();
    let body = |body: &str| line("c1", "n0", &body.replace('#', &giant));
    let (kafka, counter, txn) =
        (env!("CARGO_BIN_EXE_kafka"), env!("CARGO_BIN_EXE_pn-counter"), env!("CARGO_BIN_EXE_txn"));
    for (program, bad) in [
        (counter, body(r##"{"type":"#","msg_id":1}"##)),
        (counter, body(r##"{"type":"#"}"##)),
        (counter, body(r##"{"type":"add","delta":"#","msg_id":1}"##)),
        (counter, line(&giant, "n0", r#"{"type":"read","msg_id":1}"#)),
        (counter, line(&giant, "n0", &format!(r#"{{"type":"{giant}","msg_id":1}}"#))),
        (counter, line("n1", &giant, &format!(r#"{{"type":"{giant}","msg_id":1}}"#))),
        (counter, format!("{giant}\n")),
        (counter, format!("{{\"src\":\"{giant}\"}}\n")),
        (counter, format!("{{\"src\":\"c1\",\"dest\":\"n0\",\"body\":\"{giant}\"}}\n")),
        (kafka, body(r##"{"type":"#","msg_id":1}"##)),
        (txn, body(r##"{"type":"#","txn":"#","msg_id":1}"##)),
    ] {
        assert_brief(program, &bad);
    }
}

#[test]
fn a_rejected_init_and_a_rejected_argument_are_reported_briefly() {
    let (giant, program) = (giant(), env!("CARGO_BIN_EXE_broadcast"));
    for bad in [
        line("c0", &giant, r#"{"type":"init","node_id":"n0","node_ids":["n0"],"msg_id":1}"#),
        line("c0", "n0", &format!(r#"{{"type":"init","node_id":"{giant}","node_ids":["{giant}"],"msg_id":1}}"#)),
        line("c0", "n0", &format!(r#"{{"type":"init","node_id":"n0","node_ids":["n0","{giant}"],"msg_id":1}}"#)),
        line("c0", "n0", &format!(r#"{{"type":"init","node_id":"{giant}","node_ids":["n0"],"msg_id":1}}"#)),
        line(&giant, "n0", r#"{"type":"init","node_id":"n0","node_ids":["n0"],"msg_id":1}"#),
    ] {
        let (stdout, stderr) = output(program, &[], bad);
        assert!(!stderr.is_empty() && stderr.len() <= ROOM && stdout.len() <= ROOM, "{stdout:.300} {stderr:.300}");
    }
    let long = "é".repeat(50_000);
    for (program, arguments) in [
        (program, [long.as_str()].as_slice()),
        (program, &["--max-staleness", &long]),
        (env!("CARGO_BIN_EXE_echo"), &[&long]),
    ] {
        let (_, stderr) = output(program, arguments, String::new());
        assert!(stderr.contains("100000 bytes") && stderr.len() <= ROOM, "{stderr:.300}");
    }
}

/// The error replies to requests.
fn errors<N: Node<Options: Default>>(bodies: &[String]) -> Vec<SentMessage> {
    let mut host = Host::<N>::started();
    bodies.iter().flat_map(|body| host.deliver(&line("c1", "n0", body))).filter(|sent| sent.kind() == "error").collect()
}

#[test]
fn an_error_text_keeps_what_follows_a_truncated_quote() {
    let giant = giant();
    let text = |sent: Vec<SentMessage>| sent[0].body["text"].as_str().expect("a text").to_owned();
    let counter = text(errors::<PnCounter>(&[format!(r#"{{"type":"add","delta":"{giant}","msg_id":1}}"#)]));
    assert!(counter.ends_with(&format!("… ({GIANT} bytes), expected i64")), "{counter}");
    let kafka = text(errors::<Kafka>(&[format!(r#"{{"type":"poll","offsets":"{giant}","msg_id":1}}"#)]));
    assert!(kafka.contains("offsets"), "{kafka}");
    let txn = text(errors::<Txn>(&[format!(r#"{{"type":"txn","txn":"{giant}","msg_id":1}}"#)]));
    assert!(txn.contains("a list of"), "{txn}");
}

#[test]
fn a_long_error_text_of_a_service_is_truncated_in_the_reply() {
    let mut host = Host::<LinKv>::started();
    let asked = host.deliver(&line("c1", "n0", r#"{"type":"read","key":1,"msg_id":1}"#));
    let number = asked[0].integer("msg_id").expect("a call has a msg_id");
    let giant = giant();
    let error = format!(r#"{{"type":"error","code":12,"text":"{giant}","in_reply_to":{number}}}"#);
    let sent = host.deliver(&line("lin-kv", "n0", &error));
    let text = sent[0].body["text"].as_str().expect("a text");
    assert!(sent[0].code() == Some(12) && text.ends_with(&format!("… ({GIANT} bytes)")) && text.len() < ROOM, "{text}");
    host.pass(Duration::from_secs(10));
    // A response of an unknown type is not quoted at all.
    let asked = host.deliver(&line("c1", "n0", r#"{"type":"read","key":1,"msg_id":2}"#));
    let number = asked[0].integer("msg_id").expect("a call has a msg_id");
    let sent = host.deliver(&line("lin-kv", "n0", &format!(r#"{{"type":"{giant}","in_reply_to":{number}}}"#)));
    assert_eq!(sent[0].code(), Some(13), "{:?}", sent[0].body.keys());
}
