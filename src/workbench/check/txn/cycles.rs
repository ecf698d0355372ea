//! Searches a graph of transactions for the worst cycles of each strongly connected component.
//!
//! A class of cycles is searched through an edge that it must have. Whether there is a path back along the allowed
//! edges is decided for 64 candidates at a time, so the search is complete; the shortest cycle through the first
//! candidates is reported.

mod ways;

use thiserror::Error;

use super::anomaly::{Anomalies, Anomaly, Antis, CLASSES, Class, EXISTENCES, Existence, classify, implied_by};
use super::graph::{Components, Edge, Graph, NOWHERE, RW};
use super::models::{Names, stronger};
use crate::workbench::check::Budget;

/// The number of cycles of a class and component among which the shortest is selected.
const MAX_CANDIDATES: usize = 128;

/// A cycle: its transactions, the first again at its end, and the label of each edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cycle {
    pub(super) anomaly: Anomaly,
    pub(super) transactions: Vec<u32>,
    pub(super) labels: Vec<u8>,
}

/// A proof that some cycle exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Component {
    pub(super) anomaly: Anomaly,
    pub(super) model: &'static str,
    pub(super) labels: u8,
    pub(super) hops: bool,
    pub(super) transactions: Vec<u32>,
}

/// The progress of a search whose budget was spent before the last component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "no answer within the time limit (--check-timeout SECONDS); of {all} groups of transactions that depend on each \
     other, {done} have been searched for cycles"
)]
pub struct Unsearched {
    /// The number of components that were searched.
    pub done: usize,
    /// The number of components.
    pub all: usize,
}

/// The cycles of each component, the component with the first transaction first, what cycles rule out whether told or
/// not, and how far the search came if it did not come to its end.
pub(super) fn search(graph: &Graph, budget: &Budget) -> (Vec<Cycle>, Vec<Component>, Option<Unsearched>) {
    let (mut cycles, mut existing) = (Vec::new(), Vec::new());
    let mut numbers = vec![NOWHERE; graph.len()];
    let components = Components::of_graph(graph, |_| true).large();
    for (done, members) in components.iter().enumerate() {
        let unsearched = Some(Unsearched { done, all: components.len() });
        let part = graph.part(members, &mut numbers);
        let name = |vertex: &u32| members[*vertex as usize];
        let mut redundant = Names::new();
        for existence in &EXISTENCES {
            if redundant.contains(existence.model) {
                continue;
            }
            if let Some(vertices) = component(&part, existence) {
                redundant.extend(stronger([existence.model]));
                let Existence { anomaly, model, labels, hops } = *existence;
                let transactions = vertices.iter().map(name).collect();
                existing.push(Component { anomaly, model, labels, hops, transactions });
            }
            if budget.is_over() {
                return (cycles, existing, unsearched);
            }
        }
        let mut redundant = Anomalies::new();
        for class in CLASSES {
            if redundant.contains(&class.anomaly) {
                continue;
            }
            if let Some(vertices) = cycle(&part, class, budget) {
                redundant.extend(implied_by([class.anomaly]));
                let labels = labels_of(&part, &vertices);
                let transactions = vertices.iter().map(name).collect();
                cycles.push(Cycle { anomaly: class.anomaly, transactions, labels });
            }
            if budget.is_over() {
                return (cycles, existing, unsearched);
            }
        }
    }
    (cycles, existing, None)
}

/// The vertices of the smallest component that the labels of an existence leave; one vertex is a component if it
/// depends on itself.
fn component(part: &Graph, existence: &Existence) -> Option<Vec<u32>> {
    let allowed = |edge: &Edge| edge.labels & existence.labels != 0;
    if !existence.hops {
        let mut vertices = 0..u32::try_from(part.len()).unwrap_or(u32::MAX);
        let alone = vertices.find(|vertex| part.edge(*vertex, *vertex).is_some_and(|edge| allowed(&edge)));
        if let Some(alone) = alone {
            return Some(vec![alone]);
        }
        return Components::of_graph(part, allowed).large().into_iter().min_by_key(Vec::len);
    }
    let components = ways::hopping(part, |edge| edge.labels & existence.labels != 0, |edge| edge.labels & RW != 0);
    let smallest = components.large().into_iter().min_by_key(Vec::len)?;
    let mut vertices: Vec<_> = smallest.into_iter().map(|state| state / 2).collect();
    vertices.dedup();
    Some(vertices)
}

fn labels_of(part: &Graph, cycle: &[u32]) -> Vec<u8> {
    let labels = cycle.windows(2).map(|pair| part.edge(pair[0], pair[1]).map_or(0, |edge| edge.label));
    labels.collect()
}

/// A short cycle of a class, closed by its first vertex; none if there is none, or the budget is spent.
fn cycle(part: &Graph, class: Class, budget: &Budget) -> Option<Vec<u32>> {
    let allowed = |edge: &Edge| edge.label & class.labels != 0;
    let mut candidates = Vec::new();
    let components = match class.antis {
        Antis::Apart => ways::hopping(part, |edge| edge.label & class.labels & !RW != 0, |edge| edge.label == RW),
        Antis::None | Antis::One | Antis::Adjacent => Components::of_graph(part, allowed),
    };
    for from in 0..u32::try_from(part.len()).unwrap_or(u32::MAX) {
        for edge in part.out(from).iter().filter(|edge| edge.label & class.through != 0) {
            let joined = match class.antis {
                // From a state reached without an anti-dependency to the one reached by it.
                Antis::Apart => components.join(2 * from, 2 * edge.to + 1),
                Antis::None | Antis::One | Antis::Adjacent => components.join(from, edge.to),
            };
            if joined {
                candidates.push((from, edge.to));
            }
        }
    }
    if class.antis == Antis::One {
        let plain = |edge: &Edge| allowed(edge) && edge.label != RW;
        candidates = ways::with_way_back(part, &candidates, plain, MAX_CANDIDATES, budget);
    }
    let mut search = ways::Search::new(part.len());
    let mut shortest: Option<Vec<u32>> = None;
    for (tried, (from, to)) in candidates.into_iter().enumerate() {
        if tried >= MAX_CANDIDATES && shortest.is_some() || budget.is_over() {
            break;
        }
        let longest = shortest.as_ref().map_or(usize::MAX, |cycle| cycle.len() - 2);
        let back = match class.antis {
            Antis::One => search.way(part, to, from, longest, |edge| allowed(edge) && edge.label != RW),
            Antis::Apart => search.hopping_way(part, to, from, longest, allowed),
            Antis::None | Antis::Adjacent => search.way(part, to, from, longest, allowed),
        };
        let Some(back) = back else { continue };
        let vertices: Vec<u32> = std::iter::once(from).chain(back).collect();
        let shorter = shortest.as_ref().is_none_or(|cycle| vertices.len() < cycle.len());
        if shorter && is_simple(&vertices) && classify(&labels_of(part, &vertices)) == class.anomaly {
            shortest = Some(vertices);
        }
        if shortest.as_ref().is_some_and(|cycle| cycle.len() <= 3) {
            break;
        }
    }
    shortest
}

/// Whether a cycle visits no vertex twice.
fn is_simple(cycle: &[u32]) -> bool {
    let mut visited = cycle[1..].to_vec();
    visited.sort_unstable();
    visited.windows(2).all(|pair| pair[0] != pair[1])
}

#[cfg(test)]
mod tests;
