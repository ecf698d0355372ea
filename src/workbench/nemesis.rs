//! What goes wrong, and when it is put right (reference §11).
//!
//! A fault is a stream of alternating starts and stops. The nemesis decides and says what the history is to
//! record; the run carries the [`Effect`] out.

mod partition;

use rand_chacha::ChaCha8Rng;

use super::edn::Value;

pub use partition::{Grudges, Partition};

/// What an operation of the nemesis does to the test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Each node refuses the senders at its index.
    Cut(Grudges),
    /// Nobody refuses anybody.
    Heal,
}

/// One operation of the nemesis: its two lines in the history, and its effect between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    /// `start-partition`, `stop-partition`.
    pub f: &'static str,
    /// The value when it is invoked.
    pub wanted: Value,
    /// The value when it is done.
    pub done: Value,
    /// What to do.
    pub effect: Effect,
}

/// Faults that a test may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The network is cut in parts.
    Partition,
    /// Nodes are stopped, and go on where they were.
    Pause,
    /// Nodes are ended, and begin anew.
    Kill,
}

impl Fault {
    /// All of them, in the order in which they are put right at the end.
    pub const ALL: [Self; 3] = [Self::Partition, Self::Pause, Self::Kill];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Partition => "partition",
            Self::Pause => "pause",
            Self::Kill => "kill",
        }
    }
}

/// The nemesis of one test.
#[derive(Debug)]
pub struct Nemesis {
    faults: Vec<Fault>,
    cut: bool,
}

impl Nemesis {
    /// A nemesis with these faults; with none it does nothing.
    #[must_use]
    pub fn new(faults: Vec<Fault>) -> Self {
        Self { faults, cut: false }
    }

    /// Whether it does anything at all.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        !self.faults.is_empty()
    }

    /// The next operation: a fault where there is none, its end where there is one.
    pub fn act(&mut self, nodes: &[String], rng: &mut ChaCha8Rng) -> Act {
        if self.cut {
            return self.heal();
        }
        self.cut = true;
        let partition = Partition::draw(rng);
        let grudges = partition.grudges(nodes.len(), rng);
        let isolated = Value::Vector(vec![Value::Keyword("isolated".into()), named(&grudges, nodes)]);
        Act {
            f: "start-partition",
            wanted: Value::Keyword(partition.name().into()),
            done: isolated,
            effect: Effect::Cut(grudges),
        }
    }

    /// The operations that put everything right before the final phase.
    pub fn last_acts(&mut self) -> Vec<Act> {
        self.faults.clone().into_iter().map(|_| self.heal()).collect()
    }

    fn heal(&mut self) -> Act {
        self.cut = false;
        Act {
            f: "stop-partition",
            wanted: Value::Nil,
            done: Value::Keyword("network-healed".into()),
            effect: Effect::Heal,
        }
    }
}

fn named(grudges: &[Vec<usize>], nodes: &[String]) -> Value {
    let name = |index: usize| Value::Str(nodes[index].as_str().into());
    let refused = |senders: &Vec<usize>| Value::Set(senders.iter().map(|&sender| name(sender)).collect());
    Value::Map(grudges.iter().enumerate().map(|(node, senders)| (name(node), refused(senders))).collect())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn nodes(count: usize) -> Vec<String> {
        (0..count).map(|index| format!("n{index}")).collect()
    }

    #[test]
    fn starts_and_stops_alternate_and_the_history_names_both() {
        let mut nemesis = Nemesis::new(vec![Fault::Partition]);
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for _ in 0..20 {
            let start = nemesis.act(&nodes(5), &mut rng);
            assert_eq!(start.f, "start-partition");
            assert!(matches!(start.wanted, Value::Keyword(_)));
            assert!(matches!(start.effect, Effect::Cut(_)));
            let stop = nemesis.act(&nodes(5), &mut rng);
            assert_eq!((stop.f, stop.wanted, stop.effect), ("stop-partition", Value::Nil, Effect::Heal));
            assert_eq!(stop.done, Value::Keyword("network-healed".into()));
        }
    }

    #[test]
    fn the_history_lists_every_node_with_those_it_refuses() {
        let text = |text: &str| Value::Str(text.into());
        assert_eq!(
            named(&[vec![1], vec![]], &nodes(2)),
            Value::Map(vec![(text("n0"), Value::Set(vec![text("n1")])), (text("n1"), Value::Set(vec![])),])
        );
    }

    #[test]
    fn the_last_act_is_a_heal_even_when_nothing_is_cut() {
        assert_eq!(Nemesis::new(vec![Fault::Partition]).last_acts().len(), 1);
        assert!(Nemesis::new(vec![]).last_acts().is_empty());
    }
}
