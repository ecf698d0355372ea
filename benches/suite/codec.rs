//! From a line to a typed request: the tape and borrowed views against `serde_json`, typed and untyped.
//!
//! Ours parses in place and so destroys what it reads: its time includes copying the line into the buffer, which a host
//! does not do. The workbench's features of `serde_json` (`arbitrary_precision`) slow it down; for a fair comparison
//! run `cargo bench --no-default-features`.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use gossip_gloomers::requests;
use gossip_gloomers::wire::{Decode, Json, PADDING, Reader};
use serde::Deserialize;
use serde_json::Value;

requests! {
    /// The three messages, as a node would declare them.
    enum Request<'a> {
        "echo" => Echo { echo: Json<'a> },
        "broadcast" => Broadcast { message: Json<'a> },
        "init" => Init { node_id: &'a str, node_ids: Vec<&'a str> },
    }
}

/// The same for serde, as most nodes declare it.
#[derive(Deserialize)]
struct Typed {
    src: String,
    body: Body,
}

#[derive(Deserialize)]
struct Body {
    msg_id: Option<i64>,
    #[serde(flatten)]
    payload: Payload,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Payload {
    Echo { echo: Value },
    Broadcast { message: Value },
    Init { node_id: String, node_ids: Vec<String> },
}

fn init25() -> String {
    let nodes: Vec<_> = (0..25).map(|node| format!("n{node}")).collect();
    format!(
        r#"{{"id":0,"src":"c0","dest":"n7","body":{{"type":"init","node_id":"n7","node_ids":{nodes:?},"msg_id":1}}}}"#
    )
}

/// What every contender must find: the length of the sender's id, the request's number, and a mark of its content.
type Found = (usize, i64, usize);

fn ours(reader: &mut Reader, buffer: &mut [u8], line: &[u8]) -> Found {
    buffer[..line.len()].copy_from_slice(line);
    reader.read(buffer, line.len(), |message| {
        let message = message.expect("a message");
        let mark = match Request::decode(message.kind, message.body).expect("a request") {
            Request::Echo { echo } => echo.as_str().map_or(0, str::len),
            Request::Broadcast { message } => usize::try_from(message.as_u64().unwrap_or_default()).unwrap_or_default(),
            Request::Init { node_id, node_ids } => node_id.len() + node_ids.len(),
        };
        (message.src.len(), message.msg_id.unwrap_or_default(), mark)
    })
}

fn typed(line: &[u8]) -> Found {
    let message: Typed = serde_json::from_slice(line).expect("a message");
    let mark = match &message.body.payload {
        Payload::Echo { echo } => echo.as_str().map_or(0, str::len),
        Payload::Broadcast { message } => usize::try_from(message.as_u64().unwrap_or_default()).unwrap_or_default(),
        Payload::Init { node_id, node_ids } => node_id.len() + node_ids.len(),
    };
    (message.src.len(), message.body.msg_id.unwrap_or_default(), mark)
}

fn value(line: &[u8]) -> Found {
    let message: Value = serde_json::from_slice(line).expect("a message");
    let body = &message["body"];
    let len = |value: &Value| value.as_str().map_or(0, str::len);
    let mark = match body["type"].as_str().unwrap_or_default() {
        "echo" => len(&body["echo"]),
        "broadcast" => usize::try_from(body["message"].as_u64().unwrap_or_default()).unwrap_or_default(),
        _ => len(&body["node_id"]) + body["node_ids"].as_array().map_or(0, Vec::len),
    };
    (len(&message["src"]), body["msg_id"].as_i64().unwrap_or_default(), mark)
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let echo = r#"{"id":41,"src":"c12","dest":"n1","body":{"type":"echo","echo":"Please echo 101","msg_id":3}}"#;
    let broadcast = r#"{"id":41,"src":"c12","dest":"n1","body":{"type":"broadcast","message":1007,"msg_id":3}}"#;
    for (case, line, found) in [
        ("echo", echo.to_owned(), (3, 3, 15)),
        ("broadcast", broadcast.to_owned(), (3, 3, 1007)),
        ("init25", init25(), (2, 1, 27)),
    ] {
        let line = line.as_bytes();
        let mut reader = Reader::default();
        let mut buffer = vec![0; line.len() + PADDING];
        assert_eq!(ours(&mut reader, &mut buffer, line), found);
        assert_eq!(typed(line), found);
        assert_eq!(value(line), found);
        let mut group = criterion.benchmark_group(format!("codec/parse_{case}"));
        group.throughput(Throughput::Bytes(line.len() as u64));
        group.bench_function("ours", |bencher| bencher.iter(|| ours(&mut reader, &mut buffer, black_box(line))));
        group.bench_function("serde_json_typed", |bencher| bencher.iter(|| typed(black_box(line))));
        group.bench_function("serde_json_value", |bencher| bencher.iter(|| value(black_box(line))));
        group.finish();
    }
}
