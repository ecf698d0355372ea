//! What real Maelstrom once sent to nodes, sent again to ours: each request of a client is answered exactly once and in
//! shape, whatever another implementation's nodes say in between. Services answer our nodes' own calls.

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
        _ => panic!("no node is for {workload}"),
    }
}

/// Has the node say what it says to what was sent to node `me` of a run.
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

    converse(program(run.workload()), &lines, |spoken| {
        participants.assert_know(me, std::slice::from_ref(spoken));
        if spoken.dest.starts_with('c') {
            let asked = requests.remove(&(spoken.dest.clone(), spoken.integer("in_reply_to").expect("a reply quotes")));
            let asked = asked.unwrap_or_else(|| panic!("nobody asked for {spoken:?}"));
            assert!(answers(&asked, spoken), "{asked} was answered with {spoken:?}");
        }
        !requests.is_empty()
    });
    assert_eq!(requests.len(), 0, "unanswered: {requests:?}");
}

/// Tells a node all of this at once, answers what it asks services, and passes on what it says, as long as there is
/// more to come and for what it says to the end of its input then.
#[expect(clippy::disallowed_methods, reason = "what waits for the node to read is a thread")]
fn converse(program: &str, lines: &[&str], mut on_message: impl FnMut(&SentMessage) -> bool) {
    let mut child = protocol::spawn(program);
    let (mut stdin, stdout) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
    let (tell, told) = mpsc::channel::<String>();
    let writer = thread::spawn(move || {
        for text in told {
            stdin.write_all(text.as_bytes()).expect("the node reads to the end");
        }
    });
    tell.send(lines.join("\n") + "\n").expect("it writes");
    let mut tell = Some(tell);
    let mut services = Services::new(ChaCha8Rng::seed_from_u64(7));
    for line in BufReader::new(stdout).lines() {
        let spoken = message(&line.expect("UTF-8")).expect("what Maelstrom accepts");
        if let (Some(tell), Some(service)) = (&tell, Services::NAMES.iter().position(|name| **name == *spoken.dest)) {
            let body = serde_json::to_string(&spoken.body).expect("JSON");
            let answer =
                services.handle(service, &spoken.src, &body, Time::ZERO).expect("services are asked what they know");
            let (src, dest) = (spoken.dest.as_str(), spoken.src.as_str());
            let line = format!("{{\"id\":1,\"src\":\"{src}\",\"dest\":\"{dest}\",\"body\":{answer}}}\n");
            tell.send(line).expect("it writes");
        }
        if !on_message(&spoken) {
            tell = None;
        }
    }
    drop(tell);
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
