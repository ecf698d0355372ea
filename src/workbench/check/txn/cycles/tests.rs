//! Cycles of every class, found where they are and only there.

use proptest::prelude::{any, prop, prop_assert_eq, proptest};

use super::super::graph::{PROCESS, REALTIME, WR, WW};
use super::*;

fn graph(edges: &[(u32, u32, u8)]) -> Graph {
    let last = edges.iter().map(|(from, to, _)| *from.max(to)).max().unwrap_or_default();
    Graph::new(last as usize + 1, edges.to_vec(), &[WW, WR, RW, PROCESS, REALTIME])
}

fn found(edges: &[(u32, u32, u8)]) -> Vec<(&'static str, Vec<u32>)> {
    let cycles = search(&graph(edges), &Budget::default()).cycles.into_iter();
    cycles.map(|cycle| (cycle.anomaly.name(), cycle.transactions)).collect()
}

fn names(edges: &[(u32, u32, u8)]) -> Vec<&'static str> {
    found(edges).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn each_class_of_cycles_is_found_as_itself() {
    for (edges, expected) in [
        (&[(0, 1, WW), (1, 0, WW)][..], "G0"),
        (&[(0, 1, WW), (1, 0, WR)], "G1c"),
        (&[(0, 1, RW), (1, 0, WR)], "G-single-item"),
        (&[(0, 1, RW), (1, 2, WW), (2, 3, RW), (3, 0, WR)], "G-nonadjacent-item"),
        (&[(0, 1, RW), (1, 0, RW)], "G2-item"),
        (&[(0, 1, WW), (1, 0, PROCESS)], "G0-process"),
        (&[(0, 1, WR), (1, 0, PROCESS)], "G1c-process"),
        (&[(0, 1, RW), (1, 0, PROCESS)], "G-single-item-process"),
        (&[(0, 1, RW), (1, 2, PROCESS), (2, 3, RW), (3, 0, PROCESS)], "G-nonadjacent-item-process"),
        (&[(0, 1, RW), (1, 2, RW), (2, 0, PROCESS)], "G2-item-process"),
        (&[(0, 1, WW), (1, 0, REALTIME)], "G0-realtime"),
        (&[(0, 1, WR), (1, 0, REALTIME)], "G1c-realtime"),
        (&[(0, 1, RW), (1, 0, REALTIME)], "G-single-item-realtime"),
        (&[(0, 1, RW), (1, 2, REALTIME), (2, 3, RW), (3, 0, WW)], "G-nonadjacent-item-realtime"),
        (&[(0, 1, RW), (1, 2, RW), (2, 0, REALTIME)], "G2-item-realtime"),
    ] {
        assert_eq!(names(edges), [expected], "{edges:?}");
    }
}

#[test]
fn the_shortest_cycle_is_told() {
    let edges = [(0, 1, RW), (1, 2, WW), (2, 3, WW), (3, 0, WW), (2, 4, RW), (4, 2, WR)];
    assert_eq!(found(&edges), [("G-single-item", vec![2, 4, 2])]);
}

#[test]
fn a_component_tells_its_worst_cycles_and_not_what_they_imply() {
    let edges = [(0, 1, WW), (1, 0, WW), (0, 2, RW), (2, 0, RW), (1, 2, WR)];
    assert_eq!(names(&edges), ["G0", "G-single-item"]);
    let apart = [(0, 1, WW), (1, 0, WW), (2, 3, RW), (3, 2, RW)];
    assert_eq!(names(&apart), ["G0", "G2-item"]);
}

#[test]
fn a_cycle_rules_out_a_model_even_where_it_is_told_as_another() {
    // As with registers, where whoever overwrote also read.
    let graph = Graph::new(2, vec![(0, 1, WW), (0, 1, WR), (1, 0, WW), (1, 0, WR)], &[WR, WW, RW]);
    let found = search(&graph, &Budget::default());
    assert_eq!(found.cycles.iter().map(|cycle| cycle.anomaly.name()).collect::<Vec<_>>(), ["G1c"]);
    let components = found.components.iter().map(|(rule, _)| rule.anomaly.name());
    assert_eq!(components.collect::<Vec<_>>(), ["PL-1-cycle-exists"]);
}

#[test]
fn a_search_without_time_says_how_many_components_it_left_out() {
    let graph = graph(&[(0, 1, WW), (1, 0, WW), (2, 3, RW), (3, 2, RW)]);
    for (most, done) in [(0, 0), (1_000, 2)] {
        let looks = std::cell::Cell::new(0);
        let budget = Budget::until(move || looks.replace(looks.get() + 1) >= most);
        let left = search(&graph, &budget).unsearched;
        assert_eq!(left, (done < 2).then_some(Unsearched { done, all: 2 }), "{most} looks");
    }
}

#[test]
fn twenty_thousand_transactions_in_one_component_are_searched_in_a_moment() {
    let n = 20_000;
    let mut edges: Vec<_> = (0..n - 1).map(|i| (i, i + 1, REALTIME)).collect();
    edges.extend((0..n - 50).map(|i| (i + 50, i, RW)));
    edges.extend((0..n - 3).map(|i| (i, i + 3, WW)));
    assert_eq!(names(&edges), ["G-nonadjacent-item", "G-single-item-realtime"]);
}

proptest! {
    #[test]
    fn the_search_agrees_with_trying_every_cycle(
        edges in prop::collection::vec((0_u32..6, 0_u32..6, 0_usize..4), 1..14),
        realtime in any::<bool>(),
    ) {
        let labels = [WW, WR, RW, if realtime { REALTIME } else { PROCESS }];
        // Orders go one way: processes and time have no cycles.
        let edges = edges.into_iter().filter(|(from, to, label)| if *label == 3 { from < to } else { from != to });
        let edges: Vec<_> = edges.map(|(from, to, label)| (from, to, labels[label])).chain([(5, 6, WW)]).collect();
        let graph = graph(&edges);
        let mut every: Vec<Anomaly> = Vec::new();
        for start in 0..6 {
            collect(&graph, &mut vec![start], &mut every);
        }
        let worst = |names: Vec<Anomaly>| {
            let mut worst: Vec<_> = names.iter().filter(|name| {
                !names.iter().any(|other| other != *name && implied_by([*other]).contains(*name))
            }).copied().collect();
            worst.sort_unstable();
            worst.dedup();
            worst
        };
        let ours = worst(search(&graph, &Budget::default()).cycles.into_iter().map(|cycle| cycle.anomaly).collect());
        let known = classes().map(|class| class.anomaly);
        let names: Vec<Anomaly> = known.filter(|name| every.contains(name)).collect();
        prop_assert_eq!(ours, worst(names));
    }
}

/// The classes of all simple cycles that extend a path and return to its beginning.
fn collect(graph: &Graph, path: &mut Vec<u32>, found: &mut Vec<Anomaly>) {
    for edge in graph.out(path[path.len() - 1]) {
        if edge.to == path[0] {
            let closed: Vec<_> = path.iter().copied().chain([edge.to]).collect();
            found.push(classify(&labels_of(graph, &closed)));
        } else if !path.contains(&edge.to) {
            path.push(edge.to);
            collect(graph, path, found);
            path.pop();
        }
    }
}
