//! Searches a graph of transactions for the worst cycles of each strongly connected component.
//!
//! A class of cycles is searched through an edge that it must have. Whether there is a path back along the allowed
//! edges is decided for 64 candidates at a time, so the search is complete; the shortest cycle through the first
//! candidates is reported.

mod paths;

use thiserror::Error;

use super::anomaly::{
    Anomalies, Anomaly, AntiDependencies, CYCLE_RULES, Class, CycleRule, classes, classify, implied_by,
};
use super::graph::{Components, Edge, Graph, NO_VERTEX, RW};
use super::models::{ModelNames, stronger};
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

/// The result of a search.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// The cycles of each component, the component with the first transaction first.
    pub(super) cycles: Vec<Cycle>,
    /// Transactions whose cycles, reported or not, rule out a model.
    pub(super) components: Vec<(&'static CycleRule, Vec<u32>)>,
    /// Why the search is not complete.
    pub(super) unsearched: Option<Unsearched>,
}

/// Searches all components of a graph.
pub(super) fn search(graph: &Graph, budget: &Budget) -> Search {
    let mut search = Search::default();
    let mut numbers = vec![NO_VERTEX; graph.len()];
    let components = Components::new(graph, |_| true).nontrivial();
    for (done, members) in components.iter().enumerate() {
        search.unsearched = Some(Unsearched { done, all: components.len() });
        let part = graph.subgraph(members, &mut numbers);
        let named = |vertices: &[u32]| vertices.iter().map(|vertex| members[*vertex as usize]).collect();
        let mut redundant = ModelNames::new();
        for rule in &CYCLE_RULES {
            if redundant.contains(rule.model) {
                continue;
            }
            if let Some(vertices) = component(&part, rule) {
                redundant.extend(stronger([rule.model]));
                search.components.push((rule, named(&vertices)));
            }
            if budget.is_over() {
                return search;
            }
        }
        let mut redundant = Anomalies::new();
        for class in classes() {
            if redundant.contains(&class.anomaly) {
                continue;
            }
            if let Some(vertices) = cycle(&part, class, budget) {
                redundant.extend(implied_by([class.anomaly]));
                let (transactions, labels) = (named(&vertices), labels_of(&part, &vertices));
                search.cycles.push(Cycle { anomaly: class.anomaly, transactions, labels });
            }
            if budget.is_over() {
                return search;
            }
        }
    }
    search.unsearched = None;
    search
}

/// The vertices of the smallest component that the labels of an rule leave; one vertex is a component if it
/// depends on itself.
fn component(part: &Graph, rule: &CycleRule) -> Option<Vec<u32>> {
    let allowed = |edge: &Edge| edge.labels & rule.labels != 0;
    let smallest = |components: Components| components.nontrivial().into_iter().min_by_key(Vec::len);
    if !rule.extended_by_rw {
        let itself = |vertex: &u32| part.edge(*vertex, *vertex).is_some_and(|edge| allowed(&edge));
        let alone = (0..part.count()).find(itself).map(|vertex| vec![vertex]);
        return alone.or_else(|| smallest(Components::new(part, allowed)));
    }
    let doubled = part.without_adjacent_anti(allowed, |edge| edge.labels & RW != 0);
    let mut vertices: Vec<_> = smallest(Components::new(&doubled, |_| true))?.iter().map(|state| state / 2).collect();
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
    let plain = |edge: &Edge| allowed(edge) && edge.label != RW;
    let is_nonadjacent = class.anti_dependencies == AntiDependencies::Nonadjacent;
    let doubled = is_nonadjacent.then(|| part.without_adjacent_anti(plain, |edge| edge.label == RW));
    let graph = doubled.as_ref().unwrap_or(part);
    // From a state reached without an anti-dependency to the one reached by it.
    let states = |from: u32, to: u32| if is_nonadjacent { (2 * from, 2 * to + 1) } else { (from, to) };
    let components = Components::new(graph, allowed);
    let mut candidates = Vec::new();
    for from in 0..part.count() {
        let through = part.out(from).iter().filter(|edge| edge.label & class.through != 0);
        candidates.extend(
            through.map(|edge| states(from, edge.to)).filter(|(from, to)| components.same_component(*from, *to)),
        );
    }
    if class.anti_dependencies == AntiDependencies::One {
        candidates = paths::with_path_back(part, &candidates, plain, MAX_CANDIDATES, budget);
    }
    let mut paths = paths::PathSearch::new(graph.len());
    let mut shortest: Option<Vec<u32>> = None;
    for (tried, (from, to)) in candidates.into_iter().enumerate() {
        if tried >= MAX_CANDIDATES && shortest.is_some() || budget.is_over() {
            break;
        }
        let longest = shortest.as_ref().map_or(usize::MAX, |cycle| cycle.len() - 2);
        let is_step =
            |edge: &Edge| if class.anti_dependencies == AntiDependencies::One { plain(edge) } else { allowed(edge) };
        let Some(back) = paths.shortest(graph, to, from, longest, is_step) else { continue };
        let vertices = std::iter::once(from).chain(back).map(|state| if is_nonadjacent { state / 2 } else { state });
        let vertices: Vec<u32> = vertices.collect();
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
