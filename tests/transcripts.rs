//! Recorded input of nodes under the real Maelstrom, replayed to the nodes of this crate: each client request gets
//! exactly one well-formed reply, despite the messages of another implementation in between. Calls of services are
//! served.

#![cfg(feature = "workbench")]

mod protocol;
mod recordings;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::sync::mpsc;
use std::thread;

use chacha20::ChaCha8Rng;
use chacha20::rand_core::SeedableRng as _;
use gossip_gloomers::simulation::Services;
use gossip_gloomers::time::Time;
use protocol::{Participants, SentMessage, answers, message};
use recordings::{Run, runs};
use serde_json::Value;
use serde_json::value::RawValue;

/// The program for a workload.
fn program(workload: &str) -> &'static str {
    match workload {
        "echo" => env!("CARGO_BIN_EXE_echo"),
        "unique-ids" => env!("CARGO_BIN_EXE_unique-ids"),
        "broadcast" => env!("CARGO_BIN_EXE_broadcast"),
        "g-set" => env!("CARGO_BIN_EXE_g-set"),
        "g-counter" => env!("CARGO_BIN_EXE_g-counter"),
        "pn-counter" => env!("CARGO_BIN_EXE_pn-counter"),
        "kafka" => env!("CARGO_BIN_EXE_kafka"),
        "lin-kv" => env!("CARGO_BIN_EXE_lin-kv"),
        "txn-list-append" => env!("CARGO_BIN_EXE_txn-list-append"),
        "txn-rw-register" => env!("CARGO_BIN_EXE_txn"),
        _ => panic!("there is no node for {workload}"),
    }
}

/// Replays the input of node `me` of a run, and checks the replies.
fn replay(run: &Run, me: &str) {
    let text = run.file(&format!("{me}.in.jsonl"));
    let entry = |line| serde_json::from_str::<BTreeMap<&str, &RawValue>>(line).expect("a line of a transcript");
    let lines: Vec<_> = text.lines().map(|line| entry(line)["msg"].get()).collect();

    let mut participants = Participants::new([]);
    let mut requests = BTreeMap::new();
    for line in &lines {
        let message: Value = serde_json::from_str(line).expect("a message");
        let src = message["src"].as_str().expect("a sender");
        participants.add(src);
        for id in message["body"]["node_ids"].as_array().into_iter().flatten() {
            participants.add(id.as_str().expect("an id"));
        }
        if src.starts_with('c') {
            let number = message["body"]["msg_id"].as_i64().expect("a request has a number");
            let twice = requests.insert((src.to_owned(), number), message["body"].clone());
            assert_eq!(twice, None);
        }
    }
    assert!(!requests.is_empty());

    converse(program(run.workload()), &lines, |sent| {
        participants.assert_know(me, std::slice::from_ref(sent));
        if sent.dest.starts_with('c') {
            let id = sent.integer("in_reply_to").expect("a reply has in_reply_to");
            let request = requests.remove(&(sent.dest.clone(), id));
            let request = request.unwrap_or_else(|| panic!("there is no request for {sent:?}"));
            assert!(answers(&request, sent), "{request} was answered with {sent:?}");
        }
        !requests.is_empty()
    });
    assert_eq!(requests.len(), 0, "unanswered: {requests:?}");
}

/// Writes all lines to a node, serves its calls of services, and passes its messages to `on_message`. Once that returns
/// `false`, the input ends; the remaining messages are passed on nevertheless.
#[expect(clippy::disallowed_methods, reason = "writing blocks until the node reads, so it has its own thread")]
fn converse(program: &str, lines: &[&str], mut on_message: impl FnMut(&SentMessage) -> bool) {
    let mut child = protocol::spawn(program);
    let (mut stdin, stdout) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
    let (input, texts) = mpsc::channel::<String>();
    let writer = thread::spawn(move || {
        for text in texts {
            stdin.write_all(text.as_bytes()).expect("the node reads to the end");
        }
    });
    input.send(lines.join("\n") + "\n").expect("it writes");
    let mut input = Some(input);
    let mut services = Services::new(ChaCha8Rng::seed_from_u64(7));
    for line in BufReader::new(stdout).lines() {
        let sent = message(&line.expect("UTF-8")).expect("Maelstrom accepts the message");
        if let (Some(input), Some(service)) = (&input, Services::NAMES.iter().position(|name| **name == *sent.dest)) {
            let body = serde_json::to_string(&sent.body).expect("JSON");
            let response =
                services.handle(service, &sent.src, &body, Time::ZERO).expect("the service knows the request");
            let (src, dest) = (sent.dest.as_str(), sent.src.as_str());
            let line = format!("{{\"id\":1,\"src\":\"{src}\",\"dest\":\"{dest}\",\"body\":{response}}}\n");
            input.send(line).expect("it writes");
        }
        if !on_message(&sent) {
            input = None;
        }
    }
    drop(input);
    writer.join().expect("it writes");
    assert!(child.wait().expect("a child").success());
}

#[test]
fn each_recorded_request_gets_one_well_formed_reply() {
    for run in runs() {
        for me in run.nodes() {
            eprintln!("{me} of {}", run.name());
            replay(&run, &me);
        }
    }
}
