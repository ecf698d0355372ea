//! A batch of requests through a whole node, from bytes to bytes: a node of this crate against one on `serde_json`
//! values.
//!
//! Both receive a fresh copy of the batch each time, as if it had just been read.

use std::collections::BTreeSet;
use std::hint::black_box;

use criterion::{Criterion, Throughput};
use gossip_gloomers::node::Node;
use gossip_gloomers::nodes::{Broadcast, Echo, UniqueIds};
use serde_json::{Value, json};

use crate::bare_node::BareNode;

/// The number of requests in a batch.
const BATCH: usize = 64;
/// The number of values that the broadcast node holds.
const KNOWN: usize = 1000;

const INIT: &str =
    concat!(r#"{"src":"c0","dest":"n0","body":{"type":"init","msg_id":1,"node_id":"n0","node_ids":["n0"]}}"#, "\n");

/// A node under test.
trait Contender {
    fn replies_to(&mut self, lines: &[u8]) -> &[u8];
}

/// A node of this crate, without an event loop.
pub(crate) struct Ours<N: Node> {
    pub(crate) node: BareNode<N>,
    replies: Vec<u8>,
}

impl<N: Node<Options: Default>> Ours<N> {
    pub(crate) fn new() -> Self {
        Self { node: BareNode::with(N::Options::default()), replies: Vec::new() }
    }
}

impl<N: Node> Ours<N> {
    /// Its output after it has handled the lines.
    pub(crate) fn replies_to(&mut self, lines: &[u8]) -> &[u8] {
        self.node.feed(lines);
        self.replies.clear();
        std::mem::swap(&mut self.replies, self.node.output());
        &self.replies
    }
}

impl<N: Node> Contender for Ours<N> {
    fn replies_to(&mut self, lines: &[u8]) -> &[u8] {
        self.replies_to(lines)
    }
}

/// A straightforward node.
#[derive(Default)]
struct Naive {
    known: BTreeSet<u64>,
    issued: u64,
    replies: Vec<u8>,
}

impl Naive {
    fn reply(&mut self, request: &Value) -> Value {
        match request["type"].as_str().unwrap_or_default() {
            "init" => json!({"type": "init_ok"}),
            "echo" => json!({"type": "echo_ok", "echo": request["echo"]}),
            "generate" => {
                self.issued += 1;
                json!({"type": "generate_ok", "id": format!("n0-{}", self.issued)})
            }
            "topology" => json!({"type": "topology_ok"}),
            "broadcast" => {
                self.known.extend(request["message"].as_u64());
                json!({"type": "broadcast_ok"})
            }
            _ => json!({"type": "read_ok", "messages": self.known}),
        }
    }
}

impl Contender for Naive {
    fn replies_to(&mut self, lines: &[u8]) -> &[u8] {
        self.replies.clear();
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let message: Value = serde_json::from_slice(line).expect("a message");
            let mut body = self.reply(&message["body"]);
            body["in_reply_to"] = message["body"]["msg_id"].clone();
            let reply = json!({"src": message["dest"], "dest": message["src"], "body": body});
            serde_json::to_writer(&mut self.replies, &reply).expect("writing to a Vec cannot fail");
            self.replies.push(b'\n');
        }
        &self.replies
    }
}

fn batch(body: impl Fn(usize) -> String) -> String {
    let line = |number| {
        format!(
            r#"{{"id":{number},"src":"c{}","dest":"n0","body":{{{},"msg_id":{number}}}}}"#,
            number % 25,
            body(number)
        ) + "\n"
    };
    (1..=BATCH).map(line).collect()
}

/// The replies' bodies, in order.
fn bodies(replies: &[u8]) -> Vec<Value> {
    let body = |line| serde_json::from_slice::<Value>(line).expect("a message")["body"].take();
    replies.split_inclusive(|byte| *byte == b'\n').map(body).collect()
}

fn compare(criterion: &mut Criterion, case: &str, batch: &str, mut ours: impl Contender, mut naive: impl Contender) {
    let our_bodies = bodies(ours.replies_to(batch.as_bytes()));
    assert_eq!(our_bodies.len(), BATCH);
    let ids = |bodies: &[Value]| bodies.iter().filter_map(|body| Some(body.get("id")?.to_string())).collect::<Vec<_>>();
    assert_eq!(ids(&our_bodies).len(), ids(&our_bodies).into_iter().collect::<BTreeSet<_>>().len(), "ids are unique");
    let naive_bodies = bodies(naive.replies_to(batch.as_bytes()));
    // Each node generates its own ids.
    let without_ids = |bodies: Vec<Value>| {
        bodies
            .into_iter()
            .map(|mut body| {
                body.as_object_mut().map(|fields| {
                    fields.remove("id");
                    fields.clone()
                })
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(without_ids(our_bodies), without_ids(naive_bodies));
    let mut group = criterion.benchmark_group(format!("engine/{case}"));
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("ours", |bencher| bencher.iter(|| ours.replies_to(black_box(batch.as_bytes())).len()));
    group.bench_function("naive", |bencher| bencher.iter(|| naive.replies_to(black_box(batch.as_bytes())).len()));
    group.finish();
}

/// A node after `init` and some broadcasts.
fn filled<C: Contender>(mut contender: C) -> C {
    contender.replies_to(INIT.as_bytes());
    for value in 0..KNOWN {
        let body = format!(r#"{{"type":"broadcast","message":{value},"msg_id":{value}}}"#);
        contender.replies_to(format!("{{\"src\":\"c1\",\"dest\":\"n0\",\"body\":{body}}}\n").as_bytes());
    }
    contender
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let echo = batch(|number| format!(r#""type":"echo","echo":"Please echo {number}""#));
    let mut ours = Ours::<Echo>::new();
    ours.replies_to(INIT.as_bytes());
    compare(criterion, "echo", &echo, ours, Naive::default());

    let generate = batch(|_| r#""type":"generate""#.to_owned());
    let mut ours = Ours::<UniqueIds>::new();
    ours.replies_to(INIT.as_bytes());
    compare(criterion, "generate", &generate, ours, Naive::default());

    let topology = batch(|_| r#""type":"topology","topology":{"n0":["n1","n2"],"n1":["n0"],"n2":["n0"]}"#.to_owned());
    compare(criterion, "topology", &topology, filled(Ours::<Broadcast>::new()), Naive::default());

    let read = batch(|_| r#""type":"read""#.to_owned());
    compare(criterion, "read", &read, filled(Ours::<Broadcast>::new()), filled(Naive::default()));

    let known = batch(|number| format!(r#""type":"broadcast","message":{}"#, number * 7));
    compare(criterion, "broadcast_known", &known, filled(Ours::<Broadcast>::new()), filled(Naive::default()));
}
