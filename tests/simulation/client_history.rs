//! Acknowledged writes and successful reads by node, from the history.

use std::collections::BTreeSet;

use gossip_gloomers::simulation::{Op, OpKind, Process};

use crate::fixture::Outcome;

pub(crate) const MS: i64 = 1_000_000;

/// A read that succeeded.
pub(crate) struct Read {
    pub(crate) node: usize,
    pub(crate) invoked: i64,
    pub(crate) seen: BTreeSet<i64>,
    pub(crate) label: String,
}

fn node_of(op: &Op, nodes: usize) -> usize {
    match op.process {
        Process::Client(process) => usize::try_from(process).expect("few processes") % nodes,
        Process::Nemesis => unreachable!("clients only"),
    }
}

/// Each acknowledged value, the node that it was written to, and the time of the acknowledgement.
pub(crate) fn acknowledged(outcome: &Outcome) -> Vec<(i64, usize, i64)> {
    let ops = outcome.history().ops().iter();
    ops.filter(|op| op.f != "read" && op.is_client() && op.kind == OpKind::Ok)
        .map(|op| (op.value.as_int().expect("values are integers"), node_of(op, outcome.nodes), op.time))
        .collect()
}

pub(crate) fn reads(outcome: &Outcome) -> Vec<Read> {
    let pairs = outcome.history().pairs().filter(|(begun, _)| begun.f == "read");
    pairs
        .filter_map(|(begun, done)| Some((begun, done.filter(|done| done.kind == OpKind::Ok)?)))
        .map(|(begun, done)| Read {
            node: node_of(begun, outcome.nodes),
            invoked: begun.time,
            seen: done.value.items().into_iter().flatten().filter_map(|value| value.as_int()).collect(),
            label: format!("{:?} at {} ms", begun.process, begun.time / MS),
        })
        .collect()
}
