//! Parsing lines into typed requests and writing values, compared with serde on either parser and untyped values.
//!
//! simd-json parses in place and so overwrites its input: the times of contenders that use it, ours among them, include
//! copying the line into the buffer, which a host does not do. The workbench's features of `serde_json`
//! (`arbitrary_precision`) slow it down; for a fair comparison run `cargo bench --no-default-features`.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, Throughput};
use gossip_gloomers::requests;
use gossip_gloomers::wire::{Decode, Encode, Json, PADDING, Reader};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

requests! {
    /// The messages, as a node declares them.
    enum Request<'a> {
        "init" => Init { node_id: &'a str, node_ids: Vec<&'a str> },
        "echo" => Echo { echo: Json<'a> },
        "broadcast" => Broadcast { message: Json<'a> },
        "topology" => Topology { topology: BTreeMap<&'a str, Vec<&'a str>> },
        "gossip" => Gossip { ops: Vec<Vec<u64>> },
        "read_ok" => ReadOk { messages: Vec<u64> },
    }
}

/// The same for serde, as most nodes declare them.
#[derive(Deserialize)]
struct Typed {
    src: String,
    body: Body,
}

#[derive(Deserialize)]
struct Body {
    msg_id: Option<u64>,
    #[serde(flatten)]
    payload: Payload,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Payload {
    Init { node_id: String, node_ids: Vec<String> },
    Echo { echo: String },
    Broadcast { message: u64 },
    Topology { topology: BTreeMap<String, Vec<String>> },
    Gossip { ops: Vec<Vec<u64>> },
    ReadOk { messages: Vec<u64> },
}

/// The result of parsing: the length of the sender's id, the `msg_id`, and a checksum of the content.
type Parsed = (usize, u64, u64);

fn length(text: &str) -> u64 {
    text.len() as u64
}

fn ours(reader: &mut Reader, buffer: &mut [u8], line: &[u8]) -> Parsed {
    buffer[..line.len()].copy_from_slice(line);
    reader.read(buffer, line.len(), |message| {
        let message = message.expect("a message");
        let checksum = match Request::decode(message.kind, message.body).expect("a request") {
            Request::Init { node_id, node_ids } => length(node_id) + node_ids.len() as u64,
            Request::Echo { echo } => echo.as_str().map_or(0, length),
            Request::Broadcast { message } => message.as_u64().unwrap_or_default(),
            Request::Topology { topology } => topology.values().map(|near| near.len() as u64).sum(),
            Request::Gossip { ops } => ops.iter().flatten().sum(),
            Request::ReadOk { messages } => messages.iter().sum(),
        };
        (message.src.len(), message.msg_id.map_or(0, i64::unsigned_abs), checksum)
    })
}

fn typed(message: &Typed) -> Parsed {
    let checksum = match &message.body.payload {
        Payload::Init { node_id, node_ids } => length(node_id) + node_ids.len() as u64,
        Payload::Echo { echo } => length(echo),
        Payload::Broadcast { message } => *message,
        Payload::Topology { topology } => topology.values().map(|near| near.len() as u64).sum(),
        Payload::Gossip { ops } => ops.iter().flatten().sum(),
        Payload::ReadOk { messages } => messages.iter().sum(),
    };
    (message.src.len(), message.body.msg_id.unwrap_or_default(), checksum)
}

fn simd_json_typed(buffer: &mut [u8], line: &[u8]) -> Parsed {
    let buffer = &mut buffer[..line.len()];
    buffer.copy_from_slice(line);
    typed(&simd_json::serde::from_slice(buffer).expect("a message"))
}

fn serde_json_typed(line: &[u8]) -> Parsed {
    typed(&serde_json::from_slice(line).expect("a message"))
}

fn value(line: &[u8]) -> Parsed {
    let message: Value = serde_json::from_slice(line).expect("a message");
    let body = &message["body"];
    let text = |value: &Value| value.as_str().map_or(0, length);
    let list = |value: &Value| value.as_array().map_or(0, |list| list.len() as u64);
    let sum = |value: &Value| value.as_array().into_iter().flatten().filter_map(Value::as_u64).sum::<u64>();
    let checksum = match body["type"].as_str().unwrap_or_default() {
        "init" => text(&body["node_id"]) + list(&body["node_ids"]),
        "echo" => text(&body["echo"]),
        "broadcast" => body["message"].as_u64().unwrap_or_default(),
        "topology" => body["topology"].as_object().into_iter().flat_map(|all| all.values()).map(list).sum(),
        "gossip" => body["ops"].as_array().into_iter().flatten().map(sum).sum(),
        _ => sum(&body["messages"]),
    };
    (message["src"].as_str().map_or(0, str::len), body["msg_id"].as_u64().unwrap_or_default(), checksum)
}

/// The messages to parse: name, body, and checksum of the content.
fn messages() -> Vec<(&'static str, Value, u64)> {
    let nodes: Vec<_> = (0..25).map(|node| format!("n{node}")).collect();
    let topology: BTreeMap<_, _> = nodes.iter().map(|node| (node, &nodes[..4])).collect();
    let run: Vec<_> = [1, 0, 77].into_iter().chain(1_000_000..1_000_050_u64).collect();
    let checksums = (run.iter().sum(), (0..1000_u64).sum());
    let gossip = json!({
        "type": "gossip", "at": 1_763_838_000_123_456_u64, "age": 523_456, "follows": 0, "have": [0, 0, 17],
        "ops": [run],
    });
    let known: Vec<_> = (0..1000_u64).collect();
    vec![
        ("init_25", json!({"type": "init", "node_id": "n7", "node_ids": nodes, "msg_id": 1}), 27),
        ("echo", json!({"type": "echo", "echo": "Please echo 101", "msg_id": 3}), 15),
        ("broadcast", json!({"type": "broadcast", "message": 1007, "msg_id": 3}), 1007),
        ("topology_25", json!({"type": "topology", "topology": topology, "msg_id": 4}), 100),
        ("gossip_50", gossip, checksums.0),
        ("read_ok_1000", json!({"type": "read_ok", "messages": known, "in_reply_to": 5}), checksums.1),
    ]
}

fn parse(criterion: &mut Criterion) {
    for (case, body, checksum) in messages() {
        let expected = (3, body["msg_id"].as_u64().unwrap_or_default(), checksum);
        let line = json!({"id": 41, "src": "c12", "dest": "n7", "body": body}).to_string();
        let line = line.as_bytes();
        let mut reader = Reader::default();
        let mut buffer = vec![0; line.len() + PADDING];
        assert_eq!(ours(&mut reader, &mut buffer, line), expected, "{case}");
        assert_eq!(simd_json_typed(&mut buffer, line), expected, "{case}");
        assert_eq!(serde_json_typed(line), expected, "{case}");
        assert_eq!(value(line), expected, "{case}");
        let mut group = criterion.benchmark_group(format!("codec/parse/{case}"));
        group.throughput(Throughput::Bytes(line.len() as u64));
        group.bench_function("ours", |bencher| bencher.iter(|| ours(&mut reader, &mut buffer, black_box(line))));
        group.bench_function("simd_json_typed", |bencher| {
            bencher.iter(|| simd_json_typed(&mut buffer, black_box(line)));
        });
        group.bench_function("serde_json_typed", |bencher| bencher.iter(|| serde_json_typed(black_box(line))));
        group.bench_function("serde_json_value", |bencher| bencher.iter(|| value(black_box(line))));
        group.finish();
    }
}

/// A message as a node declares it for writing.
#[derive(Serialize)]
struct Written<'a, B> {
    src: &'a str,
    dest: &'a str,
    body: B,
}

#[derive(Serialize)]
struct EchoOk<'a> {
    r#type: &'a str,
    in_reply_to: u64,
    echo: &'a str,
}

#[derive(Serialize)]
struct ReadOk<'a> {
    r#type: &'a str,
    in_reply_to: u64,
    messages: &'a [u64],
}

#[derive(Serialize)]
struct Gossip<'a> {
    r#type: &'a str,
    at: u64,
    age: u64,
    ops: [&'a [u64]; 1],
}

fn write_one(criterion: &mut Criterion, case: &str, message: &impl Serialize) {
    type Writer<'a> = (&'a str, &'a dyn Fn(&mut Vec<u8>));
    let value = serde_json::to_value(message).expect("it has a JSON form");
    let contenders: [Writer<'_>; 4] = [
        ("ours", &|out| black_box(message).encode(out).expect("it has a JSON form")),
        ("simd_json_typed", &|out| simd_json::serde::to_writer(out, black_box(message)).expect("it has a JSON form")),
        ("serde_json_typed", &|out| serde_json::to_writer(out, black_box(message)).expect("it has a JSON form")),
        ("serde_json_value", &|out| serde_json::to_writer(out, black_box(&value)).expect("it has a JSON form")),
    ];
    let mut group = criterion.benchmark_group(format!("codec/write/{case}"));
    let mut out = Vec::new();
    for (contender, write) in contenders {
        out.clear();
        write(&mut out);
        assert_eq!(serde_json::from_slice::<Value>(&out).expect("it is JSON"), value, "{case} by {contender}");
        group.throughput(Throughput::Bytes(out.len() as u64));
        group.bench_function(contender, |bencher| {
            bencher.iter(|| {
                out.clear();
                write(&mut out);
                out.len()
            });
        });
    }
    group.finish();
}

fn write(criterion: &mut Criterion) {
    let known: Vec<_> = (0..1000).collect();
    let run: Vec<_> = [1, 0, 77].into_iter().chain(1_000_000..1_000_050).collect();
    let (src, dest) = ("n7", "c12");
    let echo = EchoOk { r#type: "echo_ok", in_reply_to: 3, echo: "Please echo 101" };
    write_one(criterion, "echo_ok", &Written { src, dest, body: echo });
    let read = ReadOk { r#type: "read_ok", in_reply_to: 5, messages: &known };
    write_one(criterion, "read_ok_1000", &Written { src, dest, body: read });
    let gossip = Gossip { r#type: "gossip", at: 1_763_838_000_123_456, age: 523_456, ops: [&run] };
    write_one(criterion, "gossip_50", &Written { src, dest: "n8", body: gossip });
}

pub(crate) fn bench(criterion: &mut Criterion) {
    parse(criterion);
    write(criterion);
}
