//! What clients ask of nodes, one module a workload (reference §2.4, §2.6, §10).

mod broadcast;
pub mod client;
mod convergence_probe;
mod counter;
mod echo;
mod g_set;
mod kafka;
mod lin_kv;
mod micro_ops;
pub mod topology;
mod txn;
mod unique_ids;

use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use crate::time::{Duration, Time};
use crate::workbench::edn::Value;
use crate::workbench::generator::Threads;
use crate::workbench::history::Op;
use crate::workbench::workload::client::{ErrorPolicy, Request};
use topology::Topology;

pub use convergence_probe::ConvergenceProbe;

/// An operation that a client thread is to perform.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    /// What: `broadcast`, `read`, ...
    pub f: &'static str,
    /// Its value as the history records it.
    pub value: Value,
    /// Further entries of its lines in the history, such as `:final? true`.
    pub marks: Vec<(Value, Value)>,
}

impl Invocation {
    fn new(f: &'static str, value: Value) -> Self {
        Self { f, value, marks: Vec::new() }
    }

    fn marked(mut self, key: &'static str, value: Value) -> Self {
        self.marks.push((Value::keyword(key), value));
        self
    }
}

/// What a client does next to perform an operation.
#[derive(Debug, Clone)]
pub enum Act {
    /// It asks its node.
    Ask(Request),
    /// It has succeeded, and the history records this value.
    Done(Value),
    /// It breaks down, and its thread gets a new one.
    Crash,
}

/// What there is to do in the final phase.
#[derive(Debug, Clone, PartialEq)]
pub enum Last {
    /// A free thread begins an operation.
    Begin(usize, Invocation),
    /// Nothing until so long after the beginning of the phase, or until an operation completes.
    Wait(Option<Duration>),
    /// Nothing more.
    Over,
}

/// A workload: which operations there are, what they send, and what an answer is worth.
pub trait Workload {
    /// The next operation of the main phase and the free thread that is to perform it; `None` while no free
    /// thread may perform any. What it returns is dispatched at once.
    fn next(&mut self, threads: &Threads, now: Time, rng: &mut ChaCha8Rng) -> Option<(usize, Invocation)>;

    /// The first thing that a thread's client does to perform an operation.
    fn begin(&mut self, thread: usize, invocation: &Invocation) -> Act;

    /// What the client does when the answer has come, with these members and in shape.
    fn proceed(&mut self, thread: usize, invocation: &Invocation, reply: Vec<(Box<str>, Value)>) -> Act;

    /// How its clients take trouble.
    fn conduct(&self) -> ErrorPolicy;

    /// Is told, before anything else, on how many nodes and by how many threads it is to be run.
    ///
    /// # Errors
    /// Why it cannot be.
    fn fits(&mut self, _nodes: usize, _threads: usize) -> Result<(), String> {
        Ok(())
    }

    /// A request to every node before anything else, which all must answer.
    fn set_up(&self, _nodes: &[String]) -> Option<Request> {
        None
    }

    /// A thread's client is a new one: what the old one knew is lost.
    fn on_client(&mut self, _thread: usize) {}

    /// A thread's operation is over, in the way that the history records.
    fn on_completion(&mut self, _thread: usize, _op: &Op) {}

    /// Whether there is a final phase, ten seconds after all faults are healed.
    fn has_last(&self) -> bool {
        false
    }

    /// What to ask every node when all is over, where all are meant to answer alike.
    fn questions(&self, _history: &[Op]) -> Vec<Box<dyn ConvergenceProbe>> {
        Vec::new()
    }

    /// What to do when the final phase has lasted so long.
    fn next_last(&mut self, _threads: &Threads, _elapsed: Duration, _rng: &mut ChaCha8Rng) -> Last {
        Last::Over
    }
}

/// Every thread once, in random order, all without waiting: the final phase of most workloads.
#[derive(Debug, Default)]
struct EachOnce(Option<Vec<usize>>);

impl EachOnce {
    fn next(&mut self, threads: &Threads, rng: &mut ChaCha8Rng, invocation: Invocation) -> Last {
        let left = self.0.get_or_insert_with(|| {
            let mut all: Vec<usize> = (0..threads.count()).collect();
            all.shuffle(rng);
            all
        });
        left.pop().map_or(Last::Over, |thread| Last::Begin(thread, invocation))
    }
}

/// The options that matter to workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Whom broadcast's nodes are told to be neighbours of.
    pub topology: Topology,
    /// The mean latency between servers.
    pub latency: Duration,
    /// Live keys of transactions and logs.
    pub key_count: u64,
    /// The longest transaction.
    pub max_txn_length: u64,
    /// Writes to a key before it is retired.
    pub max_writes_per_key: u64,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            topology: Topology::Grid,
            latency: Duration::ZERO,
            key_count: 10,
            max_txn_length: 4,
            max_writes_per_key: 16,
        }
    }
}

/// The workloads that exist here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Challenge 1.
    Echo,
    /// Challenge 2.
    UniqueIds,
    /// Challenge 3.
    Broadcast,
    /// A set that only grows.
    GSet,
    /// Challenge 4: a counter that only grows.
    GCounter,
    /// A counter.
    PnCounter,
    /// Challenge 5: logs.
    Kafka,
    /// Registers with compare-and-set.
    LinKv,
    /// Transactions on lists.
    TxnListAppend,
    /// Challenge 6: transactions on registers.
    TxnRwRegister,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Broadcast,
        Self::Echo,
        Self::GCounter,
        Self::GSet,
        Self::Kafka,
        Self::LinKv,
        Self::PnCounter,
        Self::TxnListAppend,
        Self::TxnRwRegister,
        Self::UniqueIds,
    ];

    /// The one of this name.
    ///
    /// # Errors
    /// There is none; the text, in Maelstrom's words, names those that exist.
    pub fn named(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            format!("Failed to validate \"--workload {name}\": Must be one of {known}")
        })
    }

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::UniqueIds => "unique-ids",
            Self::Broadcast => "broadcast",
            Self::GSet => "g-set",
            Self::GCounter => "g-counter",
            Self::PnCounter => "pn-counter",
            Self::Kafka => "kafka",
            Self::LinKv => "lin-kv",
            Self::TxnListAppend => "txn-list-append",
            Self::TxnRwRegister => "txn-rw-register",
        }
    }

    /// What its nodes do, in a few words.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::Echo => "challenge 1: says everything again",
            Self::UniqueIds => "challenge 2: ids of which no two are alike",
            Self::Broadcast => "challenge 3: values that every node comes to know",
            Self::GSet => "a set that only grows",
            Self::GCounter => "challenge 4: a counter that only grows",
            Self::PnCounter => "a counter that grows and shrinks",
            Self::Kafka => "challenge 5: logs that are appended to and polled",
            Self::LinKv => "linearizable registers with compare-and-set; needs a --concurrency of 2n, 4n, ...",
            Self::TxnListAppend => "transactions that append to lists and read them",
            Self::TxnRwRegister => "challenge 6: transactions that write registers and read them",
        }
    }

    /// A fresh workload of this kind.
    #[must_use]
    pub fn begin(self, terms: &Terms) -> Box<dyn Workload> {
        match self {
            Self::Echo => Box::new(echo::Echo),
            Self::UniqueIds => Box::new(unique_ids::UniqueIds),
            Self::Broadcast => Box::new(broadcast::Broadcast::new(terms.topology)),
            Self::GSet => Box::new(g_set::GSet::default()),
            Self::GCounter => Box::new(counter::Counter::growing()),
            Self::PnCounter => Box::new(counter::Counter::default()),
            Self::Kafka => Box::new(kafka::Kafka::new(terms)),
            Self::LinKv => Box::new(lin_kv::LinKv::new(terms)),
            Self::TxnListAppend => Box::new(txn::Txn::new(txn::Write::Append, terms)),
            Self::TxnRwRegister => Box::new(txn::Txn::new(txn::Write::Register, terms)),
        }
    }
}

/// The value of one field of a reply that is known to be in shape; nil stands for `null`.
fn field(reply: Vec<(Box<str>, Value)>, name: &str) -> Value {
    reply.into_iter().find(|(key, _)| &**key == name).map_or(Value::Nil, |(_, value)| value)
}
