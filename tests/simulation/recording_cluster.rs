//! A cluster that records which node holds which value, by the lines delivered to running nodes.
//!
//! A node holds exactly the values that it received from clients and in gossip, so the recording shows which values
//! still exist, independently of what nodes report. A line in transit, or in the pipe of a paused node, counts once the
//! node handles it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde::Deserialize;

use gossip_gloomers::simulation::{Cluster, Halt, OutputTail, SimulatedCluster, Status};
use gossip_gloomers::time::Time;

/// One process of a node.
#[derive(Debug)]
pub(crate) struct Incarnation {
    pub(crate) node: usize,
    pub(crate) started: Time,
    /// When it was killed.
    pub(crate) ended: Option<Time>,
    /// The values that it held, and since when.
    pub(crate) holds: BTreeMap<i64, Time>,
    /// While it is paused: since when, and the values received.
    paused: Option<(Time, Vec<i64>)>,
}

/// The time for which a process was paused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pause {
    pub(crate) from: Time,
    pub(crate) to: Time,
}

/// A simulated cluster and its recording.
#[derive(Debug)]
pub(crate) struct RecordingCluster {
    cluster: SimulatedCluster,
    /// In order of start.
    pub(crate) incarnations: Vec<Incarnation>,
    pub(crate) pauses: Vec<Pause>,
}

/// The relevant part of a line.
#[derive(Deserialize)]
struct Line {
    body: Body,
}

#[derive(Deserialize)]
struct Body {
    /// `broadcast`
    message: Option<i64>,
    /// `add`
    element: Option<i64>,
    /// `gossip`: a node, its incarnation and a first number, then values or forwarded orphans.
    ops: Option<Vec<Vec<Operation>>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Operation {
    Plain(i64),
    Forwarded((u32, u64, u32, Box<Operation>)),
}

impl Operation {
    fn value(self) -> i64 {
        match self {
            Self::Plain(value) => value,
            Self::Forwarded((.., operation)) => operation.value(),
        }
    }
}

fn values(line: &[u8]) -> Vec<i64> {
    let Line { body } = serde_json::from_slice(line).expect("the network delivers JSON");
    let gossip = body.ops.into_iter().flatten().flat_map(|run| run.into_iter().skip(3).map(Operation::value));
    body.message.into_iter().chain(body.element).chain(gossip).collect()
}

impl Incarnation {
    pub(crate) fn is_there(&self, at: Time) -> bool {
        self.started <= at && self.ended.is_none_or(|ended| at <= ended)
    }

    fn insert(&mut self, values: &[i64], now: Time) {
        for value in values {
            self.holds.entry(*value).or_insert(now);
        }
    }
}

impl RecordingCluster {
    pub(crate) fn of(cluster: SimulatedCluster) -> Self {
        Self { cluster, incarnations: Vec::new(), pauses: Vec::new() }
    }

    /// The values held by a living process.
    pub(crate) fn survivors(&self, at: Time) -> BTreeSet<i64> {
        let living = self.incarnations.iter().filter(|incarnation| incarnation.is_there(at));
        living
            .flat_map(|incarnation| {
                incarnation.holds.iter().filter(|(_, since)| **since <= at).map(|(value, _)| *value)
            })
            .collect()
    }

    /// A description of which processes held a value, and when.
    pub(crate) fn trail(&self, value: i64) -> String {
        let holders = self
            .incarnations
            .iter()
            .filter_map(|incarnation| incarnation.holds.get(&value).map(|since| (incarnation, since)));
        let spans = holders.map(|(incarnation, since)| {
            let end = incarnation
                .ended
                .map_or("the end".to_owned(), |ended| format!("{} ms", ended.since(Time::ZERO).as_millis()));
            format!("n{} from {} ms to {end}", incarnation.node, since.since(Time::ZERO).as_millis())
        });
        format!("value {value} was at {}", spans.collect::<Vec<_>>().join(", "))
    }

    fn living(&mut self, node: usize) -> Option<&mut Incarnation> {
        self.incarnations
            .iter_mut()
            .rev()
            .find(|incarnation| incarnation.node == node)
            .filter(|incarnation| incarnation.ended.is_none())
    }
}

impl Cluster for RecordingCluster {
    fn now(&self) -> Time {
        self.cluster.now()
    }

    fn start(&mut self, node: usize) -> io::Result<()> {
        let started = self.now();
        self.incarnations.push(Incarnation { node, started, ended: None, holds: BTreeMap::new(), paused: None });
        self.cluster.start(node)
    }

    fn accepts(&self, node: usize) -> bool {
        self.cluster.accepts(node)
    }

    fn deliver(&mut self, node: usize, line: &[u8]) {
        let now = self.now();
        if let Some(incarnation) = self.living(node) {
            let values = values(line);
            match &mut incarnation.paused {
                Some((_, waiting)) => waiting.extend(values),
                None => incarnation.insert(&values, now),
            }
        }
        self.cluster.deliver(node, line);
    }

    fn wait(&mut self, until: Option<Time>, on_line: &mut dyn FnMut(usize, Time, &[u8])) -> Result<(), Halt> {
        self.cluster.wait(until, on_line)
    }

    fn kill(&mut self, node: usize) {
        let now = self.now();
        if let Some(incarnation) = self.living(node) {
            incarnation.ended = Some(now);
        }
        self.cluster.kill(node);
    }

    fn pause(&mut self, node: usize) {
        let now = self.now();
        if let Some(incarnation) = self.living(node) {
            incarnation.paused.get_or_insert_with(|| (now, Vec::new()));
        }
        self.cluster.pause(node);
    }

    fn resume(&mut self, node: usize) {
        let to = self.now();
        if let Some(incarnation) = self.living(node)
            && let Some((from, waiting)) = incarnation.paused.take()
        {
            incarnation.insert(&waiting, to);
            self.pauses.push(Pause { from, to });
        }
        self.cluster.resume(node);
    }

    fn status(&mut self, node: usize) -> Status {
        self.cluster.status(node)
    }

    fn output_tail(&self, node: usize) -> OutputTail {
        self.cluster.output_tail(node)
    }
}
