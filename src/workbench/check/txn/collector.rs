//! Collects the anomalies of a history.

use std::collections::BTreeMap;

use super::TxnHistory;
use super::anomaly::{Anomaly, CycleRule};
use super::case::{self, Component, CycleEdge, Reason, TxnCase};
use super::cycles::{Cycle, Search, Unsearched, search};
use super::graph::Graph;

/// The maximum number of cases of an anomaly that are explained in words.
pub(super) const MAX_EXPLAINED: usize = 3;

/// Anomalies with their cases.
pub(super) type Found = BTreeMap<Anomaly, Vec<TxnCase>>;

/// The anomalies of a history.
pub(super) struct Collector<'a> {
    input: TxnHistory<'a>,
    pub(super) found: Found,
    /// The progress of the search for cycles, if it did not finish.
    pub(super) unsearched: Option<Unsearched>,
}

impl<'a> Collector<'a> {
    pub(super) const fn new(input: TxnHistory<'a>) -> Self {
        Self { input, found: BTreeMap::new(), unsearched: None }
    }

    pub(super) fn add(&mut self, anomaly: Anomaly, case: TxnCase) {
        self.found.entry(anomaly).or_default().push(case);
    }

    /// Adds the cycles of a graph; `why` explains an edge.
    pub(super) fn add_cycles(&mut self, graph: &Graph, why: impl Fn(u32, u32, u8) -> Option<Reason>) {
        if graph.is_empty() {
            self.add(Anomaly::EmptyGraph, TxnCase::EmptyGraph);
        }
        let TxnHistory { history, transactions, budget, .. } = self.input;
        let Search { cycles, components, unsearched } = search(graph, budget);
        self.unsearched = unsearched;
        if let Some(unsearched) = unsearched {
            self.add(Anomaly::Timeout, TxnCase::Unsearched(unsearched));
        }
        let ops = |numbers: &[u32]| numbers.iter().map(|number| self.input.op(*number)).collect::<Vec<_>>();
        let component = |(rule, numbers): (&'static CycleRule, Vec<u32>)| {
            let mut indices: Vec<u64> = ops(&numbers).iter().map(|op| op.index).collect();
            indices.sort_unstable();
            let first = ops(&numbers[..numbers.len().min(MAX_EXPLAINED)]);
            (rule.anomaly, TxnCase::Component(Component { rule, indices, first }))
        };
        let cycle = |Cycle { anomaly, transactions: numbers, labels }: Cycle| {
            let edge = |(pair, label): (&[u32], &u8)| {
                let began = history.ops()[transactions.of(pair[1]).begin].clone();
                CycleEdge { label: *label, reason: why(pair[0], pair[1], *label), began }
            };
            let edges = numbers.windows(2).zip(&labels).map(edge).collect();
            (anomaly, TxnCase::Cycle(case::Cycle { transactions: ops(&numbers[..labels.len()]), edges }))
        };
        let cases: Vec<_> = components.into_iter().map(component).chain(cycles.into_iter().map(cycle)).collect();
        for (anomaly, case) in cases {
            self.add(anomaly, case);
        }
    }
}
