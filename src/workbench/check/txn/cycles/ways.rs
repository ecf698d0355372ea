//! Ways through a part of the graph: whether there is one, and the shortest.

use std::collections::VecDeque;

use crate::workbench::check::Budget;
use crate::workbench::check::txn::graph::{Components, Edge, Graph, RW};

/// The components of a graph whose vertices also say whether the last edge was an anti-dependency, two of which
/// may not follow each other: state 2v is v after another edge, 2v + 1 is v after an anti-dependency.
pub(super) fn hopping(graph: &Graph, plain: impl Fn(&Edge) -> bool, hop: impl Fn(&Edge) -> bool) -> Components {
    Components::new(2 * graph.len(), |state, mut place| {
        let (vertex, after_hop) = (state / 2, state % 2 == 1);
        let out = graph.out(vertex);
        // Each edge has two places: as a plain one and as a hop.
        while let Some(edge) = out.get(place / 2) {
            let as_hop = place % 2 == 1;
            place += 1;
            if as_hop && !after_hop && hop(edge) {
                return Some((2 * edge.to + 1, place));
            }
            if !as_hop && plain(edge) {
                return Some((2 * edge.to, place));
            }
        }
        None
    })
}

/// Those of the edges, up to a number of them, from whose end the beginning can be reached; fewer if the budget is
/// spent.
pub(super) fn with_way_back(
    graph: &Graph,
    edges: &[(u32, u32)],
    allowed: impl Fn(&Edge) -> bool,
    wanted: usize,
    budget: &Budget,
) -> Vec<(u32, u32)> {
    let components = Components::of_graph(graph, &allowed);
    // An edge between components leads to a lower number, so from high to low is a topological order.
    let mut order: Vec<u32> = (0..u32::try_from(graph.len()).unwrap_or(u32::MAX)).collect();
    order.sort_by_key(|vertex| std::cmp::Reverse(components.of[*vertex as usize]));
    let mut found = Vec::new();
    for chunk in edges.chunks(64) {
        let mut reached = vec![0_u64; components.sizes.len()];
        for (bit, (_, to)) in chunk.iter().enumerate() {
            reached[components.of[*to as usize] as usize] |= 1 << bit;
        }
        for vertex in &order {
            let here = reached[components.of[*vertex as usize] as usize];
            if here != 0 {
                for edge in graph.out(*vertex).iter().filter(|edge| allowed(edge)) {
                    reached[components.of[edge.to as usize] as usize] |= here;
                }
            }
        }
        for (bit, edge) in chunk.iter().enumerate() {
            if reached[components.of[edge.0 as usize] as usize] & (1 << bit) != 0 {
                found.push(*edge);
            }
        }
        if found.len() >= wanted || budget.is_over() {
            break;
        }
    }
    found
}

/// Breadth-first searches that share their tables.
pub(super) struct Search {
    /// In which round a state was visited, and from where.
    visited: Vec<(u32, u32)>,
    round: u32,
    queue: VecDeque<(u32, usize)>,
}

impl Search {
    pub(super) fn new(vertices: usize) -> Self {
        Self { visited: vec![(0, 0); 2 * vertices], round: 0, queue: VecDeque::new() }
    }

    /// The shortest way of fewer than `longest` vertices, both ends included.
    pub(super) fn way(
        &mut self,
        graph: &Graph,
        from: u32,
        to: u32,
        longest: usize,
        allowed: impl Fn(&Edge) -> bool,
    ) -> Option<Vec<u32>> {
        self.walk(
            from,
            |state| state == to,
            longest,
            |state, visit| {
                for edge in graph.out(state).iter().filter(|edge| allowed(edge)) {
                    visit(edge.to);
                }
            },
        )
    }

    /// The shortest way that continues an anti-dependency and may be followed by one.
    pub(super) fn hopping_way(
        &mut self,
        graph: &Graph,
        from: u32,
        to: u32,
        longest: usize,
        allowed: impl Fn(&Edge) -> bool,
    ) -> Option<Vec<u32>> {
        let way = self.walk(
            2 * from + 1,
            |state| state == 2 * to,
            longest,
            |state, visit| {
                for edge in graph.out(state / 2).iter().filter(|edge| allowed(edge)) {
                    let hop = edge.label == RW;
                    if !(hop && state % 2 == 1) {
                        visit(2 * edge.to + u32::from(hop));
                    }
                }
            },
        )?;
        Some(way.into_iter().map(|state| state / 2).collect())
    }

    fn walk(
        &mut self,
        from: u32,
        is_end: impl Fn(u32) -> bool,
        longest: usize,
        spread: impl Fn(u32, &mut dyn FnMut(u32)),
    ) -> Option<Vec<u32>> {
        self.round += 1;
        let round = self.round;
        self.queue.clear();
        self.queue.push_back((from, 1));
        self.visited[from as usize] = (round, from);
        while let Some((state, length)) = self.queue.pop_front() {
            if is_end(state) {
                return Some(self.way_to(state));
            }
            if length >= longest {
                return None;
            }
            let (visited, queue) = (&mut self.visited, &mut self.queue);
            spread(state, &mut |next| {
                if visited[next as usize].0 != round {
                    visited[next as usize] = (round, state);
                    queue.push_back((next, length + 1));
                }
            });
        }
        None
    }

    fn way_to(&self, end: u32) -> Vec<u32> {
        let mut way = vec![end];
        let mut state = end;
        while self.visited[state as usize].1 != state {
            state = self.visited[state as usize].1;
            way.push(state);
        }
        way.reverse();
        way
    }
}
