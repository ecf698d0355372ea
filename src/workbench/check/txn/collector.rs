//! Collects the anomalies of a history, and determines the verdict.

use std::collections::BTreeMap;

use super::Subject;
use super::anomaly::{Anomalies, Anomaly, EXTENDED, UNDECIDED};
use super::case::{Component, Cycle, CycleEdge, Dependency, Reason, TxnCase};
use super::cycles::{self, Unsearched, search};
use super::graph::{Graph, PROCESS, REALTIME, RW, WR, WW};
use super::models::ruled_out;
use super::steps::Why;
use crate::workbench::check::Verdict;
use crate::workbench::history::Op;

/// The maximum number of cases of an anomaly that are explained in words.
pub(super) const MAX_EXPLAINED: usize = 3;

/// Anomalies with their cases.
pub(super) type Found = BTreeMap<Anomaly, Vec<TxnCase>>;

/// The anomalies of a history.
pub(super) struct Collector<'a> {
    subject: Subject<'a>,
    pub(super) found: Found,
    /// The progress of the search for cycles, if it did not finish.
    pub(super) unsearched: Option<Unsearched>,
}

impl<'a> Collector<'a> {
    pub(super) const fn new(subject: Subject<'a>) -> Self {
        Self { subject, found: BTreeMap::new(), unsearched: None }
    }

    pub(super) fn add(&mut self, anomaly: Anomaly, case: TxnCase) {
        self.found.entry(anomaly).or_default().push(case);
    }

    /// Adds the cycles of a graph, whose edges `why` explains.
    pub(super) fn add_cycles(&mut self, graph: &Graph, why: impl Fn(u32, u32, u8) -> Option<Why>) {
        if graph.is_empty() {
            self.add(Anomaly::EmptyGraph, TxnCase::EmptyGraph);
        }
        let (cycles, components, unsearched) = search(graph, self.subject.budget);
        self.unsearched = unsearched;
        if let Some(unsearched) = unsearched {
            self.add(Anomaly::Timeout, TxnCase::Unsearched(unsearched));
        }
        for component in components {
            self.add(component.anomaly, TxnCase::Component(self.component(&component)));
        }
        for cycle in cycles {
            self.add(cycle.anomaly, TxnCase::Cycle(self.cycle(&cycle, &why)));
        }
    }

    fn component(&self, component: &cycles::Component) -> Component {
        let labels = [WW, WR, RW, PROCESS, REALTIME].into_iter().filter(|label| component.labels & label != 0);
        let ops = || component.transactions.iter().map(|number| self.subject.op(*number));
        let mut ends: Vec<_> =
            component.transactions.iter().map(|number| self.subject.transactions.of(*number).end).collect();
        ends.sort_unstable();
        Component {
            model: component.model,
            dependencies: labels.map(dependency).collect(),
            hops: component.hops,
            indices: ends.into_iter().map(|end| self.subject.history.ops()[end].index).collect(),
            first: ops().take(MAX_EXPLAINED).collect(),
        }
    }

    fn cycle(&self, cycle: &cycles::Cycle, why: &impl Fn(u32, u32, u8) -> Option<Why>) -> Cycle {
        let transactions = self.subject.transactions;
        let edge = |(pair, label): (&[u32], &u8)| {
            let value = |value: Option<u32>| value.map(|value| transactions.value(value).clone());
            let reason = why(pair[0], pair[1], *label).map(|why| Reason {
                key: transactions.key(why.key).clone(),
                value: value(why.value),
                next: value(why.next),
                steps: (why.from, why.to),
            });
            let began: &Op = &self.subject.history.ops()[transactions.of(pair[1]).begin];
            CycleEdge { dependency: dependency(*label), reason, began: began.clone() }
        };
        let (_, open) = cycle.transactions.split_last().unwrap_or((&0, &[]));
        Cycle {
            transactions: open.iter().map(|number| self.subject.op(*number)).collect(),
            edges: cycle.transactions.windows(2).zip(&cycle.labels).map(edge).collect(),
        }
    }
}

const fn dependency(label: u8) -> Dependency {
    match label {
        WW => Dependency::Ww,
        WR => Dependency::Wr,
        PROCESS => Dependency::Process,
        REALTIME => Dependency::Realtime,
        _ => Dependency::Rw,
    }
}

/// The anomalies to report: those that are prohibited or leave the verdict undecided, without a `-cycle-exists` whose
/// model another anomaly rules out.
pub(super) fn reported(found: &Found, prohibited: &Anomalies) -> Vec<Anomaly> {
    let worth =
        |anomaly: &Anomaly| prohibited.contains(anomaly) || UNDECIDED.contains(anomaly) || EXTENDED.contains(anomaly);
    let all = || found.keys().copied().filter(worth);
    let impossible = ruled_out(all().filter(|anomaly| anomaly.existence().is_none()));
    all().filter(|name| name.existence().is_none_or(|existence| !impossible.contains(existence.model))).collect()
}

/// Invalid if a prohibited anomaly was found, unknown if another one is to be reported.
pub(super) fn verdict(found: &Found, prohibited: &Anomalies) -> Verdict {
    if found.keys().any(|anomaly| prohibited.contains(anomaly) || EXTENDED.contains(anomaly)) {
        Verdict::False
    } else if reported(found, prohibited).is_empty() {
        Verdict::True
    } else {
        Verdict::Unknown
    }
}
