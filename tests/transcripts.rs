//! What real Maelstrom once said to nodes, said again to ours: each request of a client is answered exactly once and in
//! shape, whatever another implementation's nodes say in between.
//!
//! The recordings lie beside the repository, not in it; without them this test has nothing to say.

mod protocol;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use protocol::{Participants, answers, messages, output_of};
use serde_json::Value;
use serde_json::value::RawValue;

/// The program for a workload, if it is one of those in question.
fn program(command: &str) -> Option<&'static str> {
    let mut words = command.split_whitespace();
    words.find(|word| *word == "-w")?;
    match words.next()? {
        "echo" => Some(env!("CARGO_BIN_EXE_echo")),
        "unique-ids" => Some(env!("CARGO_BIN_EXE_unique-ids")),
        "broadcast" => Some(env!("CARGO_BIN_EXE_broadcast")),
        "g-set" => Some(env!("CARGO_BIN_EXE_g-set")),
        _ => None,
    }
}

/// Every transcript with the program that must cope with it, and the node's name.
fn transcripts() -> Vec<(PathBuf, &'static str, String)> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/maelstrom-runs"));
    let Ok(runs) = root.read_dir() else {
        eprintln!("skipped: no recorded runs at {}", root.display());
        return Vec::new();
    };
    let mut found = Vec::new();
    for run in runs {
        let run = run.expect("readable").path();
        let command = std::fs::read_to_string(run.join("command.txt")).unwrap_or_default();
        let Some(program) = program(&command) else { continue };
        for file in run.read_dir().expect("a folder") {
            let file = file.expect("readable").path();
            let name = file.file_name().expect("a file has a name").to_string_lossy().into_owned();
            if let Some(node) = name.strip_suffix(".in.jsonl") {
                found.push((file, program, node.to_owned()));
            }
        }
    }
    found.sort();
    found
}

fn replay(file: &Path, program: &str, me: &str) {
    let text = std::fs::read_to_string(file).expect("readable");
    let entry = |line| serde_json::from_str::<BTreeMap<&str, &RawValue>>(line).expect("a line of a transcript");
    let lines: Vec<_> = text.lines().map(|line| entry(line)["msg"].get()).collect();

    let mut participants = Participants::default();
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

    let said = messages(&output_of(program, (lines.join("\n") + "\n").as_bytes()));
    participants.assert_know(me, &said);
    for reply in said.iter().filter(|message| message.dest.starts_with('c')) {
        let asked = requests.remove(&(reply.dest.clone(), reply.integer("in_reply_to").expect("a reply quotes")));
        let asked = asked.unwrap_or_else(|| panic!("nobody asked for {reply:?}"));
        assert!(answers(&asked, reply), "{asked} was answered with {reply:?}");
    }
    assert_eq!(requests.len(), 0, "unanswered: {requests:?}");
}

#[test]
fn recorded_requests_are_answered_once_each_and_in_shape() {
    for (file, program, me) in transcripts() {
        eprintln!("{me} of {}", file.display());
        replay(&file, program, &me);
    }
}
