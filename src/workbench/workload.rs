//! What clients ask of nodes, one module a workload (reference §2.4, §2.6, §10).

mod broadcast;
mod echo;
mod g_set;
pub mod topology;
mod unique_ids;

use rand_chacha::ChaCha8Rng;

use super::client::{Conduct, Request};
use super::edn::Value;
use super::generator::Threads;
use topology::Topology;

/// An operation that a client thread is to perform.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    /// What: `broadcast`, `read`, ...
    pub f: &'static str,
    /// Its value as the history records it.
    pub value: Value,
    /// Whether it belongs to the final phase and says so.
    pub is_final: bool,
}

impl Invocation {
    fn new(f: &'static str, value: Value) -> Self {
        Self { f, value, is_final: false }
    }
}

/// A workload: which operations there are, what they send, and what an answer is worth.
pub trait Workload {
    /// The next operation of the main phase and the free thread that is to perform it; `None` while no free
    /// thread may perform any. What it returns is dispatched at once.
    fn next(&mut self, threads: &Threads, rng: &mut ChaCha8Rng) -> Option<(usize, Invocation)>;

    /// The request that performs an operation.
    fn request(&self, invocation: &Invocation) -> Request;

    /// The value of an operation that the reply with these members completes.
    fn completed(&self, invocation: Invocation, reply: Vec<(Box<str>, Value)>) -> Value;

    /// How its clients take trouble.
    fn conduct(&self) -> Conduct;

    /// A request to every node before anything else, which all must answer.
    fn set_up(&self, _nodes: &[String]) -> Option<Request> {
        None
    }

    /// The operation that every thread performs once, ten seconds after all faults are healed.
    fn last(&self) -> Option<Invocation> {
        None
    }
}

/// The workloads that exist here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Challenge 1.
    Echo,
    /// Challenge 2.
    UniqueIds,
    /// Challenge 3.
    Broadcast,
    /// A set that only grows.
    GSet,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Broadcast, Self::Echo, Self::GSet, Self::UniqueIds];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::UniqueIds => "unique-ids",
            Self::Broadcast => "broadcast",
            Self::GSet => "g-set",
        }
    }

    /// A fresh workload of this kind.
    #[must_use]
    pub fn begin(self, topology: Topology) -> Box<dyn Workload> {
        match self {
            Self::Echo => Box::new(echo::Echo),
            Self::UniqueIds => Box::new(unique_ids::UniqueIds),
            Self::Broadcast => Box::new(broadcast::Broadcast::new(topology)),
            Self::GSet => Box::new(g_set::GSet::default()),
        }
    }
}

/// The value of one field of a reply that is known to be in shape; nil stands for `null`.
fn field(reply: Vec<(Box<str>, Value)>, name: &str) -> Value {
    reply.into_iter().find(|(key, _)| &**key == name).map_or(Value::Nil, |(_, value)| value)
}
