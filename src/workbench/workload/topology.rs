//! The topologies that broadcast suggests to its nodes (protocol §10.5).

/// A shape of network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// A square, filled by rows.
    Grid,
    /// A line: each node with its predecessor and its successor.
    Line,
    /// A tree, numbered as a heap, with this many children for each node.
    Tree(usize),
    /// Each node with all others.
    Total,
}

impl Topology {
    /// All of them, by their names on the command line.
    pub const ALL: [(&'static str, Self); 7] = [
        ("line", Self::Line),
        ("grid", Self::Grid),
        ("tree", Self::Tree(2)),
        ("tree2", Self::Tree(2)),
        ("tree3", Self::Tree(3)),
        ("tree4", Self::Tree(4)),
        ("total", Self::Total),
    ];

    /// The neighbours of node `x` of `count`, by index, in Maelstrom's order.
    #[must_use]
    pub(crate) fn neighbours(self, x: usize, count: usize) -> Vec<usize> {
        match self {
            Self::Grid => {
                let side = (0..=count).find(|side| side * side >= count).unwrap_or(count).max(1);
                let (row, column) = (x / side, x % side);
                let below = Some(x + side);
                let above = (row > 0).then(|| x - side);
                let right = (column + 1 < side).then_some(x + 1);
                let left = (column > 0).then(|| x - 1);
                [below, above, right, left].into_iter().flatten().filter(|&node| node < count).collect()
            }
            Self::Line => {
                let before = x.checked_sub(1);
                let after = (x + 1 < count).then_some(x + 1);
                before.into_iter().chain(after).collect()
            }
            Self::Tree(branches) => {
                let parent = (x > 0).then(|| (x - 1) / branches);
                let children = (1..=branches).map(|child| branches * x + child).filter(|&child| child < count);
                parent.into_iter().chain(children).collect()
            }
            Self::Total => (0..count).filter(|&node| node != x).collect(),
        }
    }

    /// The map that `topology` requests carry. A line of one node is the empty map.
    #[must_use]
    pub(crate) fn to_json(self, nodes: &[String]) -> String {
        let quote = |name: &str| serde_json::Value::from(name).to_string();
        if self == Self::Line && nodes.len() == 1 {
            return "{}".into();
        }
        let entries: Vec<String> = (0..nodes.len())
            .map(|x| {
                let neighbours = self.neighbours(x, nodes.len());
                let names: Vec<String> = neighbours.into_iter().map(|node| quote(&nodes[node])).collect();
                format!("{}:[{}]", quote(&nodes[x]), names.join(","))
            })
            .collect();
        format!("{{{}}}", entries.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_lists_below_above_right_left() {
        assert_eq!(Topology::Grid.neighbours(4, 9), [7, 1, 5, 3]);
        assert!(Topology::Grid.neighbours(0, 1).is_empty());
        assert_eq!(Topology::Grid.neighbours(2, 5), [1], "the row below is not full");
        assert_eq!(Topology::Grid.neighbours(4, 5), [1, 3]);
    }

    #[test]
    fn a_tree_lists_the_parent_before_the_children() {
        assert_eq!(Topology::Tree(2).neighbours(1, 5), [0, 3, 4]);
        assert_eq!(Topology::Tree(4).neighbours(0, 25), [1, 2, 3, 4]);
        assert_eq!(Topology::Tree(4).neighbours(5, 25), [1, 21, 22, 23, 24]);
    }

    #[test]
    fn a_line_has_two_ends_and_alone_it_is_nothing() {
        let nodes = |count: usize| (0..count).map(|index| format!("n{index}")).collect::<Vec<_>>();
        assert_eq!(Topology::Line.to_json(&nodes(3)), r#"{"n0":["n1"],"n1":["n0","n2"],"n2":["n1"]}"#);
        assert_eq!(Topology::Line.to_json(&nodes(1)), "{}");
        assert_eq!(Topology::Total.to_json(&nodes(1)), r#"{"n0":[]}"#);
    }

    #[test]
    fn neighbours_are_mutual_in_every_topology() {
        for (name, topology) in Topology::ALL {
            for count in 1..30 {
                for x in 0..count {
                    for y in topology.neighbours(x, count) {
                        assert!(topology.neighbours(y, count).contains(&x), "{name} {x} {y} of {count}");
                    }
                }
            }
        }
    }
}
