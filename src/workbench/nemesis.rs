//! Faults and their ends (protocol §11).
//!
//! A fault is a stream of alternating starts and stops; kill and pause share one stream, which picks one of them at
//! random each time. The nemesis decides; `test` carries out the [`Effect`] and records the result.

mod partition;
mod target;
mod timing_faults;

use chacha20::ChaCha8Rng;
use rand::RngExt as _;

use crate::time::Duration;
use crate::workbench::cluster::Skew;
use crate::workbench::edn::Value;

pub use partition::{Grudges, Partition};
pub use target::Target;
pub(super) use timing_faults::{lag_value, skew_value};

/// The effect of an operation of the nemesis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Each node refuses the senders at its index.
    Cut(Grudges),
    /// No node refuses any sender.
    Heal,
    /// These nodes are paused.
    Pause(Vec<usize>),
    /// All paused nodes continue.
    Resume,
    /// These nodes are killed.
    Kill(Vec<usize>),
    /// All killed nodes are restarted.
    Start,
    /// These nodes handle input and timers with this lag.
    Slow(Vec<(usize, Duration)>),
    /// No node lags.
    EndSlow,
    /// These nodes' clocks are changed.
    Skew(Vec<(usize, Skew)>),
    /// All clocks run at their true rate again; none is set back.
    EndSkew,
}

/// One operation of the nemesis.
#[derive(Debug, Clone, PartialEq)]
pub struct NemesisAction {
    /// What it begins or ends; the history names it so.
    pub turn: Turn,
    /// The value with which the history records its beginning.
    pub wanted: Value,
    /// What it does.
    pub effect: Effect,
}

/// The kinds of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The network is partitioned.
    Partition,
    /// Messages from some nodes to others are dropped, but not those in the other direction.
    OneWay,
    /// Nodes are paused and resumed.
    Pause,
    /// Nodes are killed and restarted.
    Kill,
    /// Nodes handle input and timers late.
    Slow,
    /// Clocks run at a wrong rate, or wall clocks jump forward.
    Skew,
}

impl Fault {
    /// All of them, in the order in which they are healed at the end.
    pub const ALL: [Self; 6] = [Self::Partition, Self::OneWay, Self::Pause, Self::Kill, Self::Slow, Self::Skew];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Partition => "partition",
            Self::OneWay => "one-way",
            Self::Pause => "pause",
            Self::Kill => "kill",
            Self::Slow => "slow",
            Self::Skew => "skew",
        }
    }

    /// The names in the history of the operations that begin and end it.
    #[must_use]
    pub const fn operations(self) -> (&'static str, &'static str) {
        match self {
            Self::Partition => ("start-partition", "stop-partition"),
            Self::OneWay => ("start-one-way", "stop-one-way"),
            Self::Pause => ("pause", "resume"),
            Self::Kill => ("kill", "start"),
            Self::Slow => ("start-slow", "stop-slow"),
            Self::Skew => ("start-skew", "stop-skew"),
        }
    }

    /// Whether it exists in virtual time only.
    #[must_use]
    pub const fn is_virtual(self) -> bool {
        matches!(self, Self::Slow | Self::Skew)
    }

    /// Whether it cuts the network. There is one cut at a time, since the next would replace it.
    const fn cuts(self) -> bool {
        matches!(self, Self::Partition | Self::OneWay)
    }
}

/// The beginning or the end of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The fault begins.
    Begins(Fault),
    /// The fault ends.
    Ends(Fault),
}

impl Turn {
    /// What the operation of this name in the history does.
    pub fn of(f: &str) -> Option<Self> {
        let turns = Fault::ALL.into_iter().flat_map(|fault| [Self::Begins(fault), Self::Ends(fault)]);
        turns.into_iter().find(|turn| turn.name() == f)
    }

    /// The operation of the nemesis, as the history names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Begins(fault) => fault.operations().0,
            Self::Ends(fault) => fault.operations().1,
        }
    }

    /// The fault that begins or ends.
    pub const fn fault(self) -> Fault {
        let (Self::Begins(fault) | Self::Ends(fault)) = self;
        fault
    }
}

/// The nemesis of one test.
#[derive(Debug)]
pub struct Nemesis {
    streams: Vec<Vec<FaultState>>,
}

/// A fault, and whether it is active.
#[derive(Debug, Clone)]
struct FaultState {
    fault: Fault,
    active: bool,
}

impl Nemesis {
    /// A nemesis with these faults; without any it does nothing.
    pub fn new(faults: &[Fault]) -> Self {
        let stream = |shared: &[Fault]| -> Vec<FaultState> {
            let wanted = shared.iter().filter(|fault| faults.contains(fault));
            wanted.map(|fault| FaultState { fault: *fault, active: false }).collect()
        };
        let shared: [&[Fault]; 4] =
            [&[Fault::Partition, Fault::OneWay], &[Fault::Pause, Fault::Kill], &[Fault::Slow], &[Fault::Skew]];
        let mut streams = shared.map(stream).to_vec();
        streams.retain(|states| !states.is_empty());
        Self { streams }
    }

    /// The number of its streams of operations, each with gaps of its own.
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// The next operation of a stream: the beginning of a fault, or the end of the active one.
    pub fn next_action(&mut self, stream: usize, count: usize, rng: &mut ChaCha8Rng) -> NemesisAction {
        let states = &mut self.streams[stream];
        let chosen = rng.random_range(0..states.len());
        let chosen = states.iter().position(|state| state.active && state.fault.cuts()).unwrap_or(chosen);
        let FaultState { fault, active } = &mut states[chosen];
        *active = !*active;
        if *active { fault.begin(count, rng) } else { fault.end() }
    }

    /// Whether this is one of its faults.
    pub fn has(&self, fault: Fault) -> bool {
        self.streams.iter().flatten().any(|state| state.fault == fault)
    }
}

impl Fault {
    fn begin(self, count: usize, rng: &mut ChaCha8Rng) -> NemesisAction {
        let turn = Turn::Begins(self);
        if self.cuts() {
            let partition = if self == Self::OneWay { Partition::draw_one_way(rng) } else { Partition::draw(rng) };
            let wanted = Value::keyword(partition.name());
            return NemesisAction { turn, wanted, effect: Effect::Cut(partition.grudges(count, rng)) };
        }
        let target = Target::draw(rng);
        let victims = target.victims(count, rng);
        let effect = match self {
            Self::Slow => Effect::Slow(timing_faults::lags(victims, rng)),
            Self::Skew => Effect::Skew(timing_faults::skews(victims, rng)),
            Self::Kill => Effect::Kill(victims),
            Self::Pause | Self::Partition | Self::OneWay => Effect::Pause(victims),
        };
        NemesisAction { turn, wanted: target.to_value(), effect }
    }

    /// The operation that ends it everywhere.
    #[must_use]
    pub fn end(self) -> NemesisAction {
        let turn = Turn::Ends(self);
        let effect = match self {
            Self::Partition | Self::OneWay => Effect::Heal,
            Self::Pause => Effect::Resume,
            Self::Kill => Effect::Start,
            Self::Slow => Effect::EndSlow,
            Self::Skew => Effect::EndSkew,
        };
        NemesisAction { turn, wanted: if self.cuts() { Value::Nil } else { Value::keyword("all") }, effect }
    }
}

/// The value of a partition in the history: each node with the senders that it refuses.
pub fn isolated(grudges: &[Vec<usize>], nodes: &[String]) -> Value {
    let name = |index: usize| Value::Str(nodes[index].as_str().into());
    let refused = |senders: &Vec<usize>| Value::Set(senders.iter().map(|&sender| name(sender)).collect());
    let refusals = grudges.iter().enumerate().map(|(node, senders)| (name(node), refused(senders)));
    Value::Vector(vec![Value::keyword("isolated"), Value::Map(refusals.collect())])
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn actions(faults: &[Fault], stream: usize) -> Vec<NemesisAction> {
        let mut nemesis = Nemesis::new(faults);
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        (0..40).map(|_| nemesis.next_action(stream, 5, &mut rng)).collect()
    }

    fn names(actions: &[NemesisAction]) -> Vec<&str> {
        actions.iter().map(|action| action.turn.name()).collect()
    }

    #[test]
    fn every_operation_is_known_by_what_it_begins_or_ends() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for fault in Fault::ALL {
            assert_eq!(Turn::of(fault.begin(5, &mut rng).turn.name()), Some(Turn::Begins(fault)));
            assert_eq!(Turn::of(fault.end().turn.name()), Some(Turn::Ends(fault)));
        }
        assert_eq!(Turn::of("start-nothing"), None);
    }

    #[test]
    fn starts_and_stops_alternate() {
        for action in actions(&[Fault::Partition], 0).chunks(2) {
            assert_eq!(names(action), ["start-partition", "stop-partition"]);
            assert!(matches!((&action[0].wanted, &action[0].effect), (Value::Keyword(_), Effect::Cut(_))));
            assert_eq!((&action[1].wanted, &action[1].effect), (&Value::Nil, &Effect::Heal));
        }
        for action in actions(&[Fault::Kill], 0).chunks(2) {
            assert_eq!(names(action), ["kill", "start"]);
            assert_eq!((&action[1].wanted, &action[1].effect), (&Value::keyword("all"), &Effect::Start));
        }
    }

    #[test]
    fn kill_and_pause_share_a_stream_in_which_each_alternates() {
        let actions = actions(&[Fault::Kill, Fault::Partition, Fault::Pause], 1);
        for pair in [["pause", "resume"], ["kill", "start"]] {
            let ours: Vec<_> = names(&actions).into_iter().filter(|f| pair.contains(f)).collect();
            assert!(ours.len() > 10 && ours.iter().zip(pair.iter().cycle()).all(|(f, wanted)| f == wanted), "{ours:?}");
        }
    }

    #[test]
    fn there_is_one_cut_at_a_time() {
        let actions = actions(&[Fault::OneWay, Fault::Partition], 0);
        for action in actions.chunks(2) {
            assert!(matches!((&action[0].effect, &action[1].effect), (Effect::Cut(_), Effect::Heal)), "{action:?}");
            assert_eq!(action[0].turn.name().strip_prefix("start-"), action[1].turn.name().strip_prefix("stop-"));
        }
        assert!(["start-partition", "start-one-way"].iter().all(|f| names(&actions).contains(f)));
    }

    #[test]
    fn slow_nodes_and_skewed_clocks_have_streams_of_their_own() {
        for action in actions(&[Fault::Slow, Fault::Pause], 1).chunks(2) {
            assert_eq!(names(action), ["start-slow", "stop-slow"]);
            assert!(matches!((&action[0].effect, &action[1].effect), (Effect::Slow(_), Effect::EndSlow)));
        }
        for action in actions(&Fault::ALL, 3).chunks(2) {
            assert_eq!(names(action), ["start-skew", "stop-skew"]);
            assert!(matches!((&action[0].effect, &action[1].effect), (Effect::Skew(_), Effect::EndSkew)));
        }
    }

    #[test]
    fn the_history_lists_every_node_with_those_it_refuses() {
        let nodes = ["n0", "n1"].map(str::to_owned);
        assert_eq!(isolated(&[vec![1], vec![]], &nodes).to_string(), "[:isolated {\"n0\" #{\"n1\"}, \"n1\" #{}}]");
    }

    #[test]
    fn faults_that_exclude_each_other_share_a_stream() {
        let streams = |faults: &[Fault]| Nemesis::new(faults).streams();
        assert_eq!((streams(&[]), streams(&[Fault::Partition]), streams(&Fault::ALL)), (0, 1, 4));
        assert_eq!(streams(&[Fault::Kill, Fault::Partition, Fault::Pause]), 2);
        let nemesis = Nemesis::new(&[Fault::Kill]);
        assert!(nemesis.has(Fault::Kill) && !nemesis.has(Fault::Pause));
    }
}
