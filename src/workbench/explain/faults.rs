//! The faults of a run, from the nemesis operations of its history: who was cut off from whom, who was dead or paused.

use serde::Serialize;

use crate::workbench::edn::Value;
use crate::workbench::explain::words::seconds;
use crate::workbench::history::{History, Process};
use crate::workbench::nemesis::{Fault, Turn};

/// A partition, or a cut in one direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cut {
    /// When it began, in microseconds of the history.
    pub from_us: i64,
    /// When it was healed.
    pub to_us: Option<i64>,
    /// Each node with the senders that it refused.
    refused: Vec<(String, Vec<String>)>,
}

impl Cut {
    /// Whether `dest` refused what `src` sent it.
    #[must_use]
    pub fn is_between(&self, src: &str, dest: &str) -> bool {
        self.refused.iter().any(|(node, senders)| node == dest && senders.iter().any(|sender| sender == src))
    }

    /// Whether it lasted at this time, its first and last instant included.
    #[must_use]
    pub fn lasts_at(&self, us: i64) -> bool {
        self.from_us <= us && self.to_us.is_none_or(|to| us <= to)
    }

    /// `the partition [n0 n3 | n1 n2 n4]`
    #[must_use]
    pub fn name(&self) -> String {
        self.sides().map_or_else(
            || {
                let struck = self.refused.iter().filter(|(_, senders)| !senders.is_empty());
                let each: Vec<_> =
                    struck.map(|(node, senders)| format!("{node} refuses {}", senders.join(" "))).collect();
                format!("the cut [{}]", each.join("; "))
            },
            |sides| {
                let sides: Vec<_> = sides.iter().map(|side| side.join(" ")).collect();
                format!("the partition [{}]", sides.join(" | "))
            },
        )
    }

    /// `the partition [n0 n3 | n1 n2 n4], which lasted from 0.90 s to 8.20 s`
    #[must_use]
    pub fn in_words(&self) -> String {
        let name = self.name();
        let from = seconds(self.from_us);
        match self.to_us {
            Some(to) => format!("{name}, which lasted from {from} to {}", seconds(to)),
            None => format!("{name}, which lasted from {from} to the end"),
        }
    }

    /// The two sides, if each node refuses exactly the other side.
    fn sides(&self) -> Option<[Vec<&str>; 2]> {
        let (_, first) = self.refused.iter().find(|(_, senders)| !senders.is_empty())?;
        let is_far = |node: &str| first.iter().any(|sender| sender == node);
        let far: Vec<&str> = self.refused.iter().map(|(node, _)| &**node).filter(|node| is_far(node)).collect();
        let near: Vec<&str> = self.refused.iter().map(|(node, _)| &**node).filter(|node| !is_far(node)).collect();
        let is_split = self.refused.iter().all(|(node, senders)| {
            let others = if is_far(node) { &near } else { &far };
            senders.len() == others.len() && senders.iter().all(|sender| others.contains(&&**sender))
        });
        let starts = |side: &[&str]| self.refused.iter().position(|(node, _)| side.contains(&&**node));
        is_split.then(|| if starts(&near) < starts(&far) { [near, far] } else { [far, near] })
    }
}

/// Why a node did nothing for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stop {
    /// It was killed, and started again without its memory.
    Killed,
    /// It was paused.
    Paused,
}

/// An interval in which a node did nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outage {
    /// The node.
    pub node: String,
    /// Why.
    pub stop: Stop,
    /// When it began, in microseconds of the history.
    pub from_us: i64,
    /// When the node went on.
    pub to_us: Option<i64>,
}

impl Outage {
    /// `n2 was killed at 3.10 s and started again at 5.00 s`
    #[must_use]
    pub fn in_words(&self) -> String {
        let Self { node, stop, from_us, to_us } = self;
        let (stopped, resumed) = match stop {
            Stop::Killed => ("killed", "started again"),
            Stop::Paused => ("paused", "resumed"),
        };
        let end = to_us.map_or("until the end".to_owned(), |to| format!("and {resumed} at {}", seconds(to)));
        format!("{node} was {stopped} at {} {end}", seconds(*from_us))
    }
}

/// The faults that explanations know.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// In the order in which they began.
    pub cuts: Vec<Cut>,
    /// In the order in which they began.
    pub outages: Vec<Outage>,
}

impl Faults {
    /// The faults of a history. A fault begins and ends at the completion of its operation.
    #[must_use]
    pub fn of(history: &History) -> Self {
        let mut faults = Self::default();
        for op in history.ops().iter().filter(|op| op.process == Process::Nemesis) {
            let us = op.time / 1_000;
            match Turn::of(&op.f) {
                Some(Turn::Begins(Fault::Partition | Fault::OneWay)) => faults.cut(&op.value, us),
                Some(Turn::Ends(Fault::Partition | Fault::OneWay))
                    if op.value.as_keyword() == Some("network-healed") =>
                {
                    faults.heal(us);
                }
                Some(Turn::Begins(Fault::Kill | Fault::Pause) | Turn::Ends(Fault::Kill | Fault::Pause)) => {
                    for (node, what) in op.value.entries().unwrap_or_default() {
                        let Some(node) = node.as_str() else { continue };
                        match what.as_keyword() {
                            Some("killed") => faults.stop(node, Stop::Killed, us),
                            Some("paused") => faults.stop(node, Stop::Paused, us),
                            Some("started") => faults.resume(node, Stop::Killed, us),
                            Some("resumed") => faults.resume(node, Stop::Paused, us),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        faults
    }

    fn cut(&mut self, value: &Value, us: i64) {
        let items: Vec<_> = value.items().into_iter().flatten().collect();
        let Some(grudges) = items.get(1).and_then(|grudges| grudges.entries()) else { return };
        self.heal(us);
        let named = |(node, senders): &(Value, Value)| {
            let senders = senders.items()?.filter_map(|sender| sender.as_str().map(str::to_owned)).collect();
            Some((node.as_str()?.to_owned(), senders))
        };
        self.cuts.push(Cut { from_us: us, to_us: None, refused: grudges.iter().filter_map(named).collect() });
    }

    fn heal(&mut self, us: i64) {
        if let Some(last) = self.cuts.last_mut().filter(|cut| cut.to_us.is_none()) {
            last.to_us = Some(us);
        }
    }

    fn stop(&mut self, node: &str, stop: Stop, us: i64) {
        if self.open(node, stop).is_none() {
            self.outages.push(Outage { node: node.to_owned(), stop, from_us: us, to_us: None });
        }
    }

    fn resume(&mut self, node: &str, stop: Stop, us: i64) {
        if let Some(outage) = self.open(node, stop) {
            outage.to_us = Some(us);
        }
    }

    fn open(&mut self, node: &str, stop: Stop) -> Option<&mut Outage> {
        let same = |outage: &&mut Outage| outage.node == node && outage.stop == stop && outage.to_us.is_none();
        self.outages.iter_mut().find(same)
    }

    /// The cut that made `dest` refuse `src` at this time.
    #[must_use]
    pub fn cut_at(&self, src: &str, dest: &str, us: i64) -> Option<&Cut> {
        self.cuts.iter().find(|cut| cut.lasts_at(us) && cut.is_between(src, dest))
    }

    /// The outages of a node that overlap a time.
    pub fn outages_of<'a>(&'a self, node: &'a str, from_us: i64, to_us: i64) -> impl Iterator<Item = &'a Outage> {
        let overlaps = move |outage: &&Outage| outage.from_us <= to_us && outage.to_us.is_none_or(|end| end >= from_us);
        self.outages.iter().filter(move |outage| outage.node == node).filter(overlaps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(ops: &[(i64, &str, &str)]) -> Faults {
        let line = |(index, (ms, f, value)): (usize, &(i64, &str, &str))| {
            format!("{{:index {index}, :time {ms}000000, :type :info, :process :nemesis, :f :{f}, :value {value}}}\n")
        };
        let history: History = ops.iter().enumerate().map(line).collect::<String>().parse().expect("a history");
        Faults::of(&history)
    }

    #[test]
    fn a_partition_is_told_by_its_sides_and_lasts_until_it_is_healed() {
        let halves = "[:isolated {\"n0\" #{\"n1\"}, \"n1\" #{\"n0\" \"n2\"}, \"n2\" #{\"n1\"}}]";
        let faults = faults(&[
            (900, "start-partition", ":majority"),
            (900, "start-partition", halves),
            (8_200, "stop-partition", "nil"),
            (8_200, "stop-partition", ":network-healed"),
        ]);
        let [cut] = &faults.cuts[..] else { panic!("{faults:?}") };
        assert_eq!(cut.in_words(), "the partition [n0 n2 | n1], which lasted from 0.90 s to 8.20 s");
        assert!(faults.cut_at("n0", "n1", 1_000_000).is_some() && faults.cut_at("n0", "n2", 1_000_000).is_none());
        assert!(faults.cut_at("n0", "n1", 8_300_000).is_none());
    }

    #[test]
    fn a_cut_without_two_sides_is_told_by_who_refuses_whom() {
        let faults = faults(&[(5, "start-one-way", "[:isolated {\"n0\" #{\"n1\"}, \"n1\" #{}}]")]);
        assert_eq!(faults.cuts[0].in_words(), "the cut [n0 refuses n1], which lasted from 0.01 s to the end");
    }

    #[test]
    fn a_node_is_dead_from_its_kill_to_its_start() {
        let faults = faults(&[
            (1, "kill", ":one"),
            (1_000, "kill", "{\"n1\" :killed}"),
            (2_000, "pause", "{\"n2\" :paused, \"n1\" :not-running}"),
            (3_000, "start", "{\"n0\" :already-running, \"n1\" :started}"),
        ]);
        let words: Vec<_> = faults.outages.iter().map(Outage::in_words).collect();
        let expected = ["n1 was killed at 1.00 s and started again at 3.00 s", "n2 was paused at 2.00 s until the end"];
        assert_eq!(words, expected);
        assert_eq!(faults.outages_of("n1", 0, 999_999).count(), 0);
        assert_eq!(faults.outages_of("n1", 3_000_000, 9_000_000).count(), 1);
    }
}
