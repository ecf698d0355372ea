//! A graph of transactions whose edges say why one comes before the other, and its strongly connected components.

/// The later transaction overwrote a value of the earlier.
pub const WW: u8 = 1;
/// The later read a value of the earlier.
pub const WR: u8 = 2;
/// The later overwrote a value that the earlier had read.
pub(super) const RW: u8 = 4;
/// One process executed both, the earlier first.
pub const PROCESS: u8 = 8;
/// The earlier completed before the later was invoked.
pub const REALTIME: u8 = 16;

/// An edge to a transaction: all its labels, and the one to report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) to: u32,
    pub(super) labels: u8,
    /// The label to report.
    pub(super) label: u8,
}

/// Transactions by number, each with its outgoing edges, sorted by target.
#[derive(Debug, Default)]
pub(super) struct Graph {
    starts: Vec<usize>,
    edges: Vec<Edge>,
    is_empty: bool,
}

/// Edges as they are found: from, to, label.
pub(super) type Edges = Vec<(u32, u32, u8)>;

impl Graph {
    /// The graph with these edges; parallel ones are merged. The label to report is the first one of `preference` that
    /// an edge has. Of self-loops, only those labelled [`WR`] are kept, as by Elle, but the others too make a graph not
    /// empty.
    pub(super) fn new(vertices: usize, mut edges: Edges, preference: &[u8]) -> Self {
        let is_empty = edges.is_empty();
        edges.retain(|(from, to, label)| from != to || *label == WR);
        edges.sort_unstable();
        let (starts, merged) = (Vec::with_capacity(vertices + 1), Vec::with_capacity(edges.len()));
        let mut graph = Self { starts, edges: merged, is_empty };
        let mut edges = edges.into_iter().peekable();
        for vertex in 0..u32::try_from(vertices).unwrap_or(u32::MAX) {
            let begin = graph.edges.len();
            graph.starts.push(begin);
            while let Some((_, to, label)) = edges.next_if(|(from, ..)| *from == vertex) {
                if graph.edges.len() > begin && graph.edges.last().is_some_and(|last| last.to == to) {
                    graph.edges.last_mut().expect("not empty").labels |= label;
                } else {
                    graph.edges.push(Edge { to, labels: label, label });
                }
            }
        }
        graph.starts.push(graph.edges.len());
        for edge in &mut graph.edges {
            let preferred = preference.iter().copied().find(|label| edge.labels & label != 0);
            edge.label = preferred.unwrap_or(edge.label);
        }
        graph
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The number of vertices, as a vertex number.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.len()).unwrap_or(u32::MAX)
    }

    /// Whether it was made without any edges.
    pub(super) const fn is_empty(&self) -> bool {
        self.is_empty
    }

    pub(super) fn out(&self, vertex: u32) -> &[Edge] {
        &self.edges[self.starts[vertex as usize]..self.starts[vertex as usize + 1]]
    }

    pub(super) fn edge(&self, from: u32, to: u32) -> Option<Edge> {
        let out = self.out(from);
        out.binary_search_by_key(&to, |edge| edge.to).ok().map(|index| out[index])
    }

    /// The graph with these outgoing edges of each vertex in turn.
    fn of_rows<R: IntoIterator<Item = Edge>>(rows: impl Iterator<Item = R>, is_empty: bool) -> Self {
        let mut graph = Self { starts: vec![0], edges: Vec::new(), is_empty };
        for row in rows {
            graph.edges.extend(row);
            graph.starts.push(graph.edges.len());
        }
        graph
    }

    /// The subgraph of these vertices, which are renumbered in their order.
    pub(super) fn subgraph(&self, vertices: &[u32], numbers: &mut [u32]) -> Self {
        for (number, vertex) in (0..).zip(vertices) {
            numbers[*vertex as usize] = number;
        }
        let renumbered = |edge: &Edge| Edge { to: numbers[edge.to as usize], ..*edge };
        let row = |vertex: &u32| self.out(*vertex).iter().map(renumbered).filter(|edge| edge.to != NO_VERTEX);
        let subgraph = Self::of_rows(vertices.iter().map(row), self.is_empty);
        for vertex in vertices {
            numbers[*vertex as usize] = NO_VERTEX;
        }
        subgraph
    }

    /// The graph whose paths have no two adjacent anti-dependencies: vertex 2v is v reached by another edge, 2v + 1 is
    /// v reached by an anti-dependency.
    pub(super) fn without_adjacent_anti(&self, plain: impl Fn(&Edge) -> bool, anti: impl Fn(&Edge) -> bool) -> Self {
        let row = |state: u32| {
            let as_plain = |edge: &Edge| plain(edge).then_some(Edge { to: 2 * edge.to, ..*edge });
            let as_anti =
                |edge: &Edge| (state.is_multiple_of(2) && anti(edge)).then_some(Edge { to: 2 * edge.to + 1, ..*edge });
            self.out(state / 2)
                .iter()
                .flat_map(|edge| as_plain(edge).into_iter().chain(as_anti(edge)))
                .collect::<Vec<_>>()
        };
        Self::of_rows((0..2 * self.count()).map(row), self.is_empty)
    }
}

/// No vertex, such as one that is not in a subgraph.
pub(super) const NO_VERTEX: u32 = u32::MAX;

/// The strongly connected components of a graph (Tarjan 1972, without recursion). For 20,000
/// transactions petgraph takes three times as long: it needs a graph of its own type, and recursion or two passes.
#[derive(Debug)]
pub(super) struct Components {
    /// The component of each vertex; an edge between components leads to a lower number.
    pub(super) of: Vec<u32>,
    pub(super) sizes: Vec<u32>,
}

impl Components {
    /// The components of a graph, by the allowed edges only.
    pub(super) fn new(graph: &Graph, allowed: impl Fn(&Edge) -> bool) -> Self {
        let vertices = graph.len();
        // The next successor of a vertex from a position on, and the position behind it.
        let next = |vertex: u32, position: usize| {
            let out = &graph.out(vertex)[position..];
            out.iter().position(&allowed).map(|found| (out[found].to, position + found + 1))
        };
        let mut found = Self { of: vec![NO_VERTEX; vertices], sizes: Vec::new() };
        let (mut index, mut low) = (vec![0_u32; vertices], vec![0_u32; vertices]);
        let (mut stack, mut path) = (Vec::new(), Vec::new());
        let mut count = 0;
        for root in 0..graph.count() {
            if index[root as usize] != 0 {
                continue;
            }
            path.push((root, 0));
            while let Some((vertex, position)) = path.pop() {
                let v = vertex as usize;
                if index[v] == 0 {
                    count += 1;
                    (index[v], low[v]) = (count, count);
                    stack.push(vertex);
                }
                if let Some((to, position)) = next(vertex, position) {
                    path.push((vertex, position));
                    if index[to as usize] == 0 {
                        path.push((to, 0));
                    } else if found.of[to as usize] == NO_VERTEX {
                        low[v] = low[v].min(index[to as usize]);
                    }
                    continue;
                }
                if low[v] == index[v] {
                    found.pop_component(vertex, &mut stack);
                }
                if let Some((parent, _)) = path.last() {
                    let parent = *parent as usize;
                    low[parent] = low[parent].min(low[v]);
                }
            }
        }
        found
    }

    fn pop_component(&mut self, root: u32, stack: &mut Vec<u32>) {
        let number = u32::try_from(self.sizes.len()).unwrap_or(u32::MAX);
        let mut size = 0;
        while let Some(vertex) = stack.pop() {
            self.of[vertex as usize] = number;
            size += 1;
            if vertex == root {
                break;
            }
        }
        self.sizes.push(size);
    }

    /// The components with more than one vertex, each with its vertices, in the order of their first vertices.
    pub(super) fn nontrivial(&self) -> Vec<Vec<u32>> {
        let mut indices = vec![NO_VERTEX; self.sizes.len()];
        let mut nontrivial: Vec<Vec<u32>> = Vec::new();
        for (vertex, component) in (0..).zip(&self.of) {
            let component = *component as usize;
            if self.sizes[component] < 2 {
                continue;
            }
            if indices[component] == NO_VERTEX {
                indices[component] = u32::try_from(nontrivial.len()).unwrap_or(NO_VERTEX);
                nontrivial.push(Vec::new());
            }
            nontrivial[indices[component] as usize].push(vertex);
        }
        nontrivial
    }

    /// Whether two vertices are in the same component.
    pub(super) fn same_component(&self, a: u32, b: u32) -> bool {
        self.of[a as usize] == self.of[b as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFERENCE: [u8; 5] = [WW, WR, RW, PROCESS, REALTIME];

    #[test]
    fn parallel_edges_are_merged_and_report_the_preferred_label() {
        let graph = Graph::new(3, vec![(0, 1, RW), (0, 1, WW), (1, 2, WR), (0, 1, REALTIME)], &PREFERENCE);
        assert_eq!(graph.out(0), [Edge { to: 1, labels: WW | RW | REALTIME, label: WW }]);
        assert_eq!(graph.edge(1, 2).map(|edge| edge.label), Some(WR));
        assert_eq!(graph.edge(2, 0), None);
    }

    #[test]
    fn components_are_the_sets_of_vertices_that_reach_each_other() {
        let edges = [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 3), (5, 5)];
        let graph = Graph::new(6, edges.iter().map(|(a, b)| (*a, *b, WW)).collect(), &PREFERENCE);
        let components = Components::new(&graph, |edge| edge.labels & WW != 0);
        assert_eq!(components.nontrivial(), [vec![0, 1, 2], vec![3, 4]]);
        assert!(components.of[2] > components.of[3], "an edge between components leads to a lower number");
        assert!(Components::new(&graph, |edge| edge.labels & WR != 0).nontrivial().is_empty());
    }

    #[test]
    fn a_subgraph_keeps_the_edges_between_its_vertices() {
        let graph = Graph::new(4, vec![(0, 1, WW), (1, 3, WR), (3, 0, RW)], &PREFERENCE);
        let subgraph = graph.subgraph(&[1, 3], &mut [NO_VERTEX; 4]);
        assert_eq!((subgraph.len(), subgraph.out(0).len(), subgraph.out(1).len()), (2, 1, 0));
        assert_eq!(subgraph.out(0)[0].to, 1);
    }
}
