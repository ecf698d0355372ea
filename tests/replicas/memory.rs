//! The memory of a replica: operations that all peers have acknowledged take no memory outside of the log.

use std::time::Duration;

use gossip_gloomers::engine::StateMachine as _;
use gossip_gloomers::gossip::log::{Log, Origin};
use gossip_gloomers::gossip::{Settings, View};
use gossip_gloomers::time::Time;
use gossip_gloomers::wire::Raw;

use crate::allocations::size_of;
use crate::bare_node::{BareNode, init};
use crate::decode::{self, Output};
use crate::network::append;
use crate::recording_node::RecordingNode;

/// A view without state.
#[derive(Debug, Default)]
struct Nothing;

impl View for Nothing {
    type Op<'a> = Raw<'a>;

    fn apply(&mut self, _: Origin, _: u32, _: Raw<'_>) -> bool {
        true
    }
}

/// A copy of a log.
fn copy(log: &Log) -> Log {
    let mut copy = Log::default();
    for slot in 0..log.origins() {
        let same = copy.slot(log.origin(slot));
        for number in 1..=log.watermark(slot) {
            let payload = log.payload(slot, number).expect("within the watermark");
            copy.insert(same, number, |text| text.extend_from_slice(payload));
        }
    }
    copy
}

const NODES: usize = 4;

/// Replicas without latency, after a number of operations and their acknowledgements.
fn replicas(operations: i64, max_staleness: Option<Duration>) -> Vec<BareNode<RecordingNode<Nothing>>> {
    let mut nodes: Vec<_> = (0..NODES).map(|_| BareNode::with(Settings { max_staleness })).collect();
    let mut now = Time::from_millis(1);
    for node in &mut nodes {
        node.now = now;
    }
    let mut packet: Vec<(usize, Vec<u8>)> = (0..NODES).map(|node| (node, init(node, NODES).into_bytes())).collect();
    for step in 0..operations + 20_000 {
        if (1000..1000 + operations).contains(&step) {
            let node = usize::try_from(step).expect("positive") % NODES;
            packet.push((node, append(node, step).into_bytes()));
        }
        while let Some((to, line)) = packet.pop() {
            nodes[to].feed(&line);
        }
        for node in &mut nodes {
            node.engine.on_deadline(now);
            for line in std::mem::take(node.output()).split_inclusive(|byte| *byte == b'\n') {
                if let Output::ToReplica(message) = decode::read(&line[..line.len() - 1]) {
                    packet.push((message.to, line.to_vec()));
                }
            }
        }
        now = now + Duration::from_millis(1);
        for node in &mut nodes {
            node.now = now;
        }
    }
    nodes
}

/// The maximum memory of a replica besides its log, in bytes.
fn besides(operations: i64, max_staleness: Option<Duration>) -> usize {
    let besides = |node: BareNode<RecordingNode<Nothing>>| {
        let log = node.node().log.log();
        let held: u32 = (0..log.origins()).map(|slot| log.watermark(slot)).sum();
        assert_eq!(i64::from(held), operations);
        let log = size_of(copy(log));
        size_of(node) - log
    };
    replicas(operations, max_staleness).into_iter().map(besides).max().expect("some")
}

#[test]
fn acknowledged_operations_take_memory_only_in_the_log() {
    for max_staleness in [None, Some(Duration::ZERO), Some(Duration::from_secs(1))] {
        // The smaller number already fills the buffers, whose memory is reused.
        let (few, many) = (besides(5000, max_staleness), besides(20_000, max_staleness));
        // Larger numbers make longer lines, but even one byte per operation would exceed this.
        assert!(many < few + 10_000, "{few} bytes besides the log with 5,000 operations, {many} with 20,000");
    }
}
