//! A cluster of complete nodes with clients, and a network that delays or loses messages.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gossip_gloomers::gossip::Settings;
use gossip_gloomers::node::Node;
use gossip_gloomers::simulation::{Cluster as _, SimulatedCluster};
use gossip_gloomers::time::Time;
use serde_json::{Value, json};

use crate::bare_node::init;
use crate::rng::Rng;

/// Selects a message by its body.
pub(crate) type Predicate = Box<dyn FnMut(&Value) -> bool>;

/// A cluster of nodes of one kind, with a client and lin-kv.
pub(crate) struct NodeCluster {
    cluster: SimulatedCluster,
    pub(crate) nodes: usize,
    latency: Duration,
    rng: Rng,
    network: BTreeMap<(Time, u64), (usize, Vec<u8>)>,
    sequence: u64,
    /// Links, from and to, that lose every message.
    pub(crate) cut: BTreeSet<(usize, usize)>,
    /// The next message that this selects is lost.
    loses: Option<Predicate>,
    /// The messages lost for that reason.
    pub(crate) lost: Vec<Value>,
    replies: Vec<Value>,
    /// The state of lin-kv.
    registered: BTreeMap<String, Value>,
    /// The number of messages between nodes.
    pub(crate) messages: usize,
}

impl NodeCluster {
    /// A cluster two seconds after its start.
    pub(crate) fn of<N>(nodes: usize, latency: Duration, rng: Rng) -> Self
    where
        N: Node<Options = Settings> + 'static,
    {
        let mut cluster = Self::starting::<N>(nodes, latency, Settings::default(), rng);
        cluster.pass(Duration::from_secs(2));
        cluster
    }

    /// A cluster that starts now.
    pub(crate) fn starting<N>(nodes: usize, latency: Duration, settings: Settings, mut rng: Rng) -> Self
    where
        N: Node<Options = Settings> + 'static,
    {
        let cluster = SimulatedCluster::of::<N>(nodes, rng.below(u64::MAX), &settings);
        let mut cluster = Self {
            cluster,
            nodes,
            latency,
            rng,
            network: BTreeMap::new(),
            sequence: 0,
            cut: BTreeSet::new(),
            loses: None,
            lost: Vec::new(),
            replies: Vec::new(),
            registered: BTreeMap::new(),
            messages: 0,
        };
        for node in 0..nodes {
            cluster.begin(node);
        }
        cluster
    }

    /// Partitions the nodes into two random sides.
    pub(crate) fn partition(&mut self, rng: &mut Rng) {
        let side: Vec<bool> = (0..self.nodes).map(|_| rng.percent(50)).collect();
        let links = (0..self.nodes).flat_map(|from| (0..self.nodes).map(move |to| (from, to)));
        self.cut = links.filter(|(from, to)| side[*from] != side[*to]).collect();
    }

    /// Loses the next message that this selects.
    pub(crate) fn lose(&mut self, loses: impl FnMut(&Value) -> bool + 'static) {
        self.loses = Some(Box::new(loses));
    }

    fn begin(&mut self, node: usize) {
        self.cluster.start(node).expect("a simulated node starts");
        self.cluster.deliver(node, init(node, self.nodes).as_bytes());
        self.collect(self.cluster.now());
    }

    /// Kills a node and starts its next incarnation.
    pub(crate) fn restart(&mut self, node: usize) {
        self.cluster.kill(node);
        self.pass(Duration::from_millis(20));
        self.begin(node);
    }

    /// Advances the time.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let end = self.cluster.now() + duration;
        loop {
            let next = self.network.first_key_value().map_or(end, |((at, _), _)| *at).min(end);
            self.collect(next);
            if self.cluster.now() < next {
                continue;
            }
            match self.network.first_entry().filter(|first| first.key().0 <= next) {
                Some(first) => {
                    let (node, line) = first.remove();
                    self.cluster.deliver(node, &line);
                }
                None if next == end => return,
                None => {}
            }
        }
    }

    /// Collects the output of the nodes until `until`, at the latest.
    fn collect(&mut self, until: Time) {
        let Self { cluster, network, sequence, rng, latency, cut, loses, lost, replies, registered, messages, .. } =
            self;
        let result = cluster.wait(Some(until), &mut |node, at, line| {
            let message: Value = serde_json::from_slice(line).expect("nodes print JSON");
            let dest = message["dest"].as_str().expect("it is addressed");
            if dest == "lin-kv" {
                *sequence += 1;
                let answer = swap(registered, node, &message["body"]);
                network.insert((at + rng.up_to(*latency), *sequence), (node, answer.into_bytes()));
                return;
            }
            let Some(to) = dest.strip_prefix('n').and_then(|index| index.parse().ok()) else {
                replies.push(message["body"].clone());
                return;
            };
            *messages += 1;
            if loses.as_mut().is_some_and(|loses| loses(&message["body"])) {
                *loses = None;
                lost.push(message);
            } else if !cut.contains(&(node, to)) {
                *sequence += 1;
                let there = at + rng.up_to(*latency);
                network.insert((there, *sequence), (to, [line, b"\n"].concat()));
            }
        });
        assert!(result.is_ok(), "the simulation continues");
    }

    /// Sends a request, and waits for its reply.
    pub(crate) fn ask(&mut self, node: usize, body: Value) -> Value {
        let asked = body.to_string();
        self.send(node, body);
        self.reply_within(Duration::from_secs(5)).unwrap_or_else(|| panic!("no reply to {asked}"))
    }

    /// Sends a request.
    pub(crate) fn send(&mut self, node: usize, mut body: Value) {
        self.replies.clear();
        body["msg_id"] = json!(1);
        let line = format!("{}\n", json!({"src": "c1", "dest": format!("n{node}"), "body": body}));
        self.cluster.deliver(node, line.as_bytes());
    }

    /// Waits for the reply to the last request.
    pub(crate) fn reply_within(&mut self, timeout: Duration) -> Option<Value> {
        let end = self.cluster.now() + timeout;
        loop {
            self.collect(self.cluster.now());
            let reply = self.replies.pop();
            if reply.is_some() || self.cluster.now() >= end {
                return reply;
            }
            self.pass(Duration::from_millis(1));
        }
    }
}

/// Executes a compare-and-set with `create_if_not_exists`; returns the response.
fn swap(registered: &mut BTreeMap<String, Value>, node: usize, body: &Value) -> String {
    let key = body["key"].as_str().expect("a key").to_owned();
    let value = registered.entry(key).or_insert_with(|| body["from"].clone());
    let done = *value == body["from"];
    if done {
        *value = body["to"].clone();
    }
    let answer = if done { json!({"type": "cas_ok"}) } else { json!({"type": "error", "code": 22, "text": "differs"}) };
    let mut line = json!({"src": "lin-kv", "dest": format!("n{node}"), "body": answer});
    line["body"]["in_reply_to"] = body["msg_id"].clone();
    format!("{line}\n")
}
