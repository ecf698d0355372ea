//! Gossip between whole nodes, from bytes to bytes: merging new and known operations, a hub's round, and a long read.
//!
//! Replicas that merge restart after 10,000 values, so the times include the growth of their tables.

use std::cell::RefCell;
use std::collections::HashSet;
use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput};
use gossip_gloomers::engine::{SETTLE, StateMachine as _};
use gossip_gloomers::nodes::Broadcast;
use gossip_gloomers::time::{Duration, Time};
use serde_json::{Value, json};

use super::engine::Ours;
use crate::bare_node::init;

/// The number of values in a message.
const CARRIED: u64 = 50;
/// The number of messages until a replica restarts.
const MESSAGES: u64 = 200;
/// The number of values that a replica holds by then.
const HELD: u64 = CARRIED * MESSAGES;
/// The size of the cluster whose hub sends a round.
const NODES: usize = 25;
/// The number of new values in a round.
const NEW: usize = 14;

const READ: &str = concat!(r#"{"src":"c1","dest":"n0","body":{"type":"read","msg_id":7}}"#, "\n");

fn replica(me: usize, count: usize) -> Ours<Broadcast> {
    let mut replica = Ours::new();
    replica.replies_to(init(me, count).as_bytes());
    replica
}

/// The messages in which `n1` sends all of its values.
fn messages() -> Vec<String> {
    let message = |number: u64| {
        let age = 1_000_000 + number * 1000;
        let values: Vec<_> = (number * CARRIED..(number + 1) * CARRIED).map(|value| value.to_string()).collect();
        let body = format!(
            r#"{{"type":"gossip","at":{},"age":{age},"follows":0,"have":[0,-500,0],"ops":[[1,0,{},{}]]}}"#,
            1_763_838_000_000_500 + age,
            number * CARRIED + 1,
            values.join(",")
        );
        format!("{{\"src\":\"n1\",\"dest\":\"n0\",\"body\":{body}}}\n")
    };
    (0..MESSAGES).map(message).collect()
}

/// A replica that merges messages of other nodes.
trait Merge {
    fn fresh() -> Self;
    fn merge(&mut self, message: &str);
    fn held(&self) -> usize;
}

impl Merge for Ours<Broadcast> {
    fn fresh() -> Self {
        replica(0, 2)
    }

    fn merge(&mut self, message: &str) {
        self.replies_to(message.as_bytes());
    }

    fn held(&self) -> usize {
        self.node.node().len()
    }
}

impl Merge for HashSet<u64> {
    fn fresh() -> Self {
        Self::new()
    }

    fn merge(&mut self, message: &str) {
        let message: Value = serde_json::from_str(message).expect("a message");
        for run in message["body"]["ops"].as_array().into_iter().flatten() {
            self.extend(run.as_array().into_iter().flatten().skip(3).filter_map(Value::as_u64));
        }
    }

    fn held(&self) -> usize {
        self.len()
    }
}

fn filled<M: Merge>(messages: &[String]) -> M {
    let mut replica = M::fresh();
    for message in messages {
        replica.merge(message);
    }
    replica
}

fn merge_new<M: Merge>(group: &mut BenchmarkGroup<'_, WallTime>, contender: &str, messages: &[String]) {
    let mut replica = filled::<M>(messages);
    assert_eq!(replica.held() as u64, HELD);
    let mut next_messages = messages.iter();
    group.bench_function(contender, |bencher| {
        bencher.iter(|| {
            let message = next_messages.next().unwrap_or_else(|| {
                replica = M::fresh();
                next_messages = messages[1..].iter();
                &messages[0]
            });
            replica.merge(black_box(message));
        });
    });
}

fn merge_known<M: Merge>(group: &mut BenchmarkGroup<'_, WallTime>, contender: &str, messages: &[String]) {
    let mut replica = filled::<M>(messages);
    group.bench_function(contender, |bencher| bencher.iter(|| replica.merge(black_box(&messages[7]))));
    assert_eq!(replica.held() as u64, HELD);
}

/// A cluster without latency.
struct Cluster {
    nodes: Vec<Ours<Broadcast>>,
    now: Time,
    broadcasts: usize,
}

impl Cluster {
    fn new() -> Self {
        let nodes = (0..NODES).map(|me| replica(me, NODES)).collect();
        let mut cluster = Self { nodes, now: Time::ZERO, broadcasts: 0 };
        cluster.pass(SETTLE * 10);
        cluster
    }

    /// Advances the time in steps of a millisecond.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.now = self.now + Duration::from_millis(1);
            for node in &mut self.nodes {
                node.node.now = self.now;
                node.node.engine.on_deadline(self.now);
            }
            self.deliver();
        }
    }

    fn deliver(&mut self) {
        let outputs: Vec<_> = self.nodes.iter_mut().map(|node| std::mem::take(node.node.output())).collect();
        for line in outputs.iter().flat_map(|output| output.split_inclusive(|byte| *byte == b'\n')) {
            let message: Value = serde_json::from_slice(line).expect("a message");
            let index = message["dest"].as_str().and_then(|id| id.strip_prefix('n')?.parse::<usize>().ok());
            if let Some(index) = index {
                self.nodes[index].replies_to(line);
            }
        }
    }

    /// Broadcasts new values at the hub, once its next round is due.
    fn prepare(&mut self) {
        self.pass(Duration::from_millis(200));
        for _ in 0..NEW {
            self.broadcasts += 1;
            let body = format!(r#"{{"type":"broadcast","message":{},"msg_id":1}}"#, self.broadcasts);
            self.nodes[0].replies_to(format!("{{\"src\":\"c1\",\"dest\":\"n0\",\"body\":{body}}}\n").as_bytes());
        }
    }

    /// The messages of the hub's round.
    fn round(&mut self) -> &[u8] {
        let hub = &mut self.nodes[0].node.engine;
        hub.on_deadline(self.now);
        hub.output()
    }
}

/// The same round by `serde_json`.
fn naive_round(first: usize, out: &mut Vec<u8>) {
    for node in 1..NODES {
        let values: Vec<_> = (first..first + NEW).collect();
        let body = json!({"type": "gossip", "first": first, "ops": values});
        let message = json!({"src": "n0", "dest": format!("n{node}"), "body": body});
        serde_json::to_writer(&mut *out, &message).expect("writing to a Vec cannot fail");
        out.push(b'\n');
    }
}

fn values_in(round: &[u8], values: impl Fn(&Value) -> usize) -> usize {
    let read = |line| serde_json::from_slice::<Value>(line).expect("a message");
    round.split_inclusive(|byte| *byte == b'\n').map(|line| values(&read(line)["body"]["ops"])).sum()
}

fn round(criterion: &mut Criterion) {
    let cluster = RefCell::new(Cluster::new());
    let carried = (NODES - 1) * NEW;
    for _ in 0..5 {
        cluster.borrow_mut().prepare();
        let runs = |ops: &Value| ops.as_array().map_or(0, Vec::len);
        let values = |ops: &Value| ops.as_array().map_or(0, |all| all.iter().map(|run| runs(run) - 3).sum());
        assert_eq!(values_in(cluster.borrow_mut().round(), values), carried);
    }
    let mut naive = Vec::new();
    naive_round(7, &mut naive);
    assert_eq!(values_in(&naive, |ops| ops.as_array().map_or(0, Vec::len)), carried);
    let mut group = criterion.benchmark_group(format!("gossip/round/{NODES}"));
    group.throughput(Throughput::Elements(carried as u64));
    group.bench_function("ours", |bencher| {
        let timed = |()| cluster.borrow_mut().round().len();
        bencher.iter_batched(|| cluster.borrow_mut().prepare(), timed, BatchSize::PerIteration);
    });
    group.bench_function("serde_json", |bencher| {
        bencher.iter(|| {
            naive.clear();
            naive_round(black_box(7), &mut naive);
            naive.len()
        });
    });
    group.finish();
}

fn read(criterion: &mut Criterion, messages: &[String]) {
    let mut ours = filled::<Ours<Broadcast>>(messages);
    let reply = ours.replies_to(READ.as_bytes()).to_vec();
    let values: Vec<_> = (0..HELD).collect();
    let encode = |out: &mut Vec<u8>| {
        out.clear();
        let body = json!({"type": "read_ok", "in_reply_to": 7, "messages": values});
        serde_json::to_writer(out, &json!({"src": "n0", "dest": "c1", "body": body}))
            .expect("writing to a Vec cannot fail");
    };
    let mut copy = Vec::new();
    encode(&mut copy);
    let parsed = |text: &[u8]| serde_json::from_slice::<Value>(text).expect("a message");
    assert_eq!(parsed(&copy), parsed(&reply));
    let mut group = criterion.benchmark_group(format!("engine/read_{HELD}"));
    group.throughput(Throughput::Bytes(reply.len() as u64));
    group.bench_function("ours", |bencher| bencher.iter(|| ours.replies_to(black_box(READ.as_bytes())).len()));
    group.bench_function("memcpy", |bencher| {
        bencher.iter(|| {
            copy.clear();
            copy.extend_from_slice(black_box(&reply));
            copy.len()
        });
    });
    group.bench_function("serde_json", |bencher| {
        bencher.iter(|| {
            encode(&mut copy);
            copy.len()
        });
    });
    group.finish();
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let messages = messages();
    let mut group = criterion.benchmark_group(format!("gossip/merge/new_{CARRIED}"));
    group.throughput(Throughput::Elements(CARRIED));
    merge_new::<Ours<Broadcast>>(&mut group, "ours", &messages);
    merge_new::<HashSet<u64>>(&mut group, "serde_json_hash_set", &messages);
    group.finish();
    let mut group = criterion.benchmark_group(format!("gossip/merge/known_{CARRIED}"));
    group.throughput(Throughput::Elements(CARRIED));
    merge_known::<Ours<Broadcast>>(&mut group, "ours", &messages);
    merge_known::<HashSet<u64>>(&mut group, "serde_json_hash_set", &messages);
    group.finish();
    round(criterion);
    read(criterion, &messages);
}
