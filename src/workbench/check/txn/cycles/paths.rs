//! Paths through a part of the graph: whether there is one, and the shortest.

use std::collections::VecDeque;

use crate::workbench::check::Budget;
use crate::workbench::check::txn::graph::{Components, Edge, Graph};

/// Those of the edges, up to a number of them, from whose end the beginning can be reached; fewer if the budget is
/// spent.
pub(super) fn with_path_back(
    graph: &Graph,
    edges: &[(u32, u32)],
    allowed: impl Fn(&Edge) -> bool,
    wanted: usize,
    budget: &Budget,
) -> Vec<(u32, u32)> {
    let components = Components::new(graph, &allowed);
    // An edge between components leads to a lower number, so from high to low is a topological order.
    let mut order: Vec<u32> = (0..graph.count()).collect();
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
pub(super) struct PathSearch {
    /// In which round a vertex was visited, and from where.
    visited: Vec<(u32, u32)>,
    round: u32,
    queue: VecDeque<(u32, usize)>,
}

impl PathSearch {
    pub(super) fn new(vertices: usize) -> Self {
        Self { visited: vec![(0, 0); vertices], round: 0, queue: VecDeque::new() }
    }

    /// The shortest path of fewer than `longest` vertices, both ends included.
    pub(super) fn shortest(
        &mut self,
        graph: &Graph,
        from: u32,
        to: u32,
        longest: usize,
        allowed: impl Fn(&Edge) -> bool,
    ) -> Option<Vec<u32>> {
        self.round += 1;
        self.queue.clear();
        self.queue.push_back((from, 1));
        self.visited[from as usize] = (self.round, from);
        while let Some((vertex, length)) = self.queue.pop_front() {
            if vertex == to {
                return Some(self.path_to(to));
            }
            if length >= longest {
                return None;
            }
            for next in graph.out(vertex).iter().filter(|edge| allowed(edge)).map(|edge| edge.to) {
                if self.visited[next as usize].0 != self.round {
                    self.visited[next as usize] = (self.round, vertex);
                    self.queue.push_back((next, length + 1));
                }
            }
        }
        None
    }

    fn path_to(&self, end: u32) -> Vec<u32> {
        let mut path = vec![end];
        let mut vertex = end;
        while self.visited[vertex as usize].1 != vertex {
            vertex = self.visited[vertex as usize].1;
            path.push(vertex);
        }
        path.reverse();
        path
    }
}
