//! A decoder of gossip messages that is independent of the implementation.

use std::ops::RangeInclusive;

use serde::Deserialize;

use crate::recording_node::Name;

#[derive(Deserialize)]
struct Envelope<'a> {
    dest: &'a str,
    body: Body<'a>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(default)]
    at: u64,
    #[serde(default)]
    age: u64,
    follows: Option<usize>,
    #[serde(default)]
    have: Vec<i64>,
    #[serde(default)]
    ops: Vec<Vec<serde_json::Value>>,
}

/// The origin of operations: a node in one of its incarnations.
pub(crate) type Origin = (u32, u64);

/// An operation, or the orphan that an operation of a carrier contains, with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    Plain(i64),
    Forwarded(Name, Box<Operation>),
}

impl Operation {
    fn read(value: &serde_json::Value) -> Self {
        let Some(parts) = value.as_array() else { return Self::Plain(integer(value)) };
        let [node, incarnation, number, forwarded] = &parts[..] else {
            panic!("a forwarded operation has four parts: {parts:?}")
        };
        let incarnation = u64::try_from(integer(incarnation)).expect("an incarnation");
        Self::Forwarded((small(integer(node)), incarnation, small(integer(number))), Box::new(Self::read(forwarded)))
    }

    /// The origins of the orphan in it, and of the carriers around that.
    fn origins(&self) -> Vec<Origin> {
        match self {
            Self::Plain(_) => Vec::new(),
            Self::Forwarded((node, incarnation, _), operation) => {
                [vec![(*node, *incarnation)], operation.origins()].concat()
            }
        }
    }

    /// The innermost operation, and its name.
    pub(crate) fn unpack(&self, name: Name) -> (Name, i64) {
        match self {
            Self::Plain(operation) => (name, *operation),
            Self::Forwarded(name, operation) => operation.unpack(*name),
        }
    }
}

/// Consecutive operations of one origin.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) origin: Origin,
    pub(crate) first: u32,
    pub(crate) operations: Vec<Operation>,
}

impl Run {
    /// Their numbers.
    pub(crate) fn numbers(&self) -> RangeInclusive<u32> {
        self.first..=self.first - 1 + small(i64::try_from(self.operations.len()).expect("few"))
    }
}

/// A message from one replica to another.
#[derive(Debug, Clone)]
pub(crate) struct GossipMessage {
    pub(crate) to: usize,
    /// The sender's incarnation.
    pub(crate) incarnation: u64,
    /// The node that the sender follows; itself if it is a hub.
    pub(crate) follows: Option<usize>,
    pub(crate) have: Vec<(Origin, u32)>,
    pub(crate) runs: Vec<Run>,
}

impl GossipMessage {
    /// All origins that it names.
    pub(crate) fn origins(&self) -> impl Iterator<Item = Origin> + '_ {
        let runs = self.runs.iter().map(|run| run.origin);
        let forwarded = self.runs.iter().flat_map(|run| run.operations.iter().flat_map(Operation::origins));
        self.have.iter().map(|(origin, _)| *origin).chain(runs).chain(forwarded)
    }

    /// The number of operations in it.
    pub(crate) fn carried(&self) -> usize {
        self.runs.iter().map(|run| run.operations.len()).sum()
    }
}

/// A line of a node's output.
#[derive(Debug)]
pub(crate) enum Output {
    ToReplica(GossipMessage),
    ToClient { kind: String },
}

fn small(number: i64) -> u32 {
    u32::try_from(number).expect("a small number")
}

fn integer(value: &serde_json::Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("{value} is not an integer"))
}

fn origin(node: i64, relative: i64, incarnation: u64) -> Origin {
    (small(node), incarnation.checked_add_signed(relative).expect("an incarnation"))
}

/// Reads one line, without its newline.
pub(crate) fn read(text: &[u8]) -> Output {
    let Envelope { dest, body } =
        serde_json::from_slice(text).unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(text)));
    let Some(to) = dest.strip_prefix('n').and_then(|index| index.parse().ok()) else {
        return Output::ToClient { kind: body.kind.into() };
    };
    assert_eq!(body.kind, "gossip", "replicas only gossip");
    let incarnation = body.at - body.age;
    let entries = body.have.chunks_exact(3);
    assert!(entries.remainder().is_empty(), "{:?}", body.have);
    let have = entries.map(|entry| (origin(entry[0], entry[1], incarnation), small(entry[2]))).collect();
    let run = |run: &Vec<serde_json::Value>| {
        assert!(run.len() > 3, "an empty run: {run:?}");
        let origin = origin(integer(&run[0]), integer(&run[1]), incarnation);
        Run { origin, first: small(integer(&run[2])), operations: run[3..].iter().map(Operation::read).collect() }
    };
    Output::ToReplica(GossipMessage {
        to,
        incarnation,
        follows: body.follows,
        have,
        runs: body.ops.iter().map(run).collect(),
    })
}
