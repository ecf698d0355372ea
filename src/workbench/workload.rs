//! Workloads: the operations of clients, and what they send for them, a module each (protocol §2.4, §2.6, §10).

mod add_and_read;
mod broadcast;
pub mod client;
mod convergence_probe;
mod counter;
mod descriptor;
mod echo;
mod g_set;
mod kafka;
mod lin_kv;
mod micro_ops;
pub mod roles;
pub mod shape;
pub mod topology;
mod txn;
mod unique_ids;

use chacha20::ChaCha8Rng;

use crate::time::{Duration, Time};
use crate::workbench::edn::Value;
use crate::workbench::generator::Threads;
use crate::workbench::history::Op;
use crate::workbench::workload::client::{ErrorPolicy, Request};
use topology::Topology;

pub use convergence_probe::ConvergenceProbe;
pub use descriptor::{Agreement, Data, Descriptor, LossOnKill, SwarmRules, WorkloadKind};

/// An operation for a client thread to perform.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    /// Its name: `broadcast`, `read`, ...
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

/// The next action of a client that performs an operation.
#[derive(Debug, Clone)]
pub enum ClientAction {
    /// It sends a request to its node.
    Send(Request),
    /// The operation has succeeded with this value.
    Complete(Value),
    /// The client crashes; its thread gets a new one.
    Crash,
}

/// The next step of the final phase.
#[derive(Debug, Clone, PartialEq)]
pub enum FinalStep {
    /// A free thread begins an operation.
    Begin(usize, Invocation),
    /// Wait until this long after the beginning of the phase, or until an operation completes.
    Wait(Option<Duration>),
    /// The phase is over.
    Over,
}

/// A workload: its operations, their requests, and the meaning of replies.
pub trait Workload {
    /// The next operation of the main phase and the free thread that performs it; `None` while no free thread may
    /// perform any. The caller begins it at once.
    fn next(&mut self, threads: &Threads, now: Time, rng: &mut ChaCha8Rng) -> Option<(usize, Invocation)>;

    /// The first action of a thread's client for an operation.
    fn begin(&mut self, thread: usize, invocation: &Invocation) -> ClientAction;

    /// The action after a reply that satisfies its schema; `reply` has its members.
    fn on_reply(&mut self, thread: usize, invocation: &Invocation, reply: Vec<(Box<str>, Value)>) -> ClientAction;

    /// How its clients treat errors.
    fn error_policy(&self) -> ErrorPolicy;

    /// Called first, with the numbers of nodes and of client threads.
    ///
    /// # Errors
    /// The workload cannot run with these numbers; the text says why.
    fn fits(&mut self, _nodes: usize, _threads: usize) -> Result<(), String> {
        Ok(())
    }

    /// A request to every node before the first operation, which all must answer.
    fn set_up(&self, _nodes: &[String]) -> Option<Request> {
        None
    }

    /// A thread has a new client, without the state of the old one.
    fn on_client(&mut self, _thread: usize) {}

    /// A thread's operation has completed; `op` is its completion in the history.
    fn on_completion(&mut self, _thread: usize, _op: &Op) {}

    /// Whether there is a final phase, 10 s after all faults are healed.
    fn has_final_phase(&self) -> bool {
        false
    }

    /// Requests to every node after the test, to which all replicas must give equal answers.
    fn convergence_probes(&self, _history: &[Op]) -> Vec<Box<dyn ConvergenceProbe>> {
        Vec::new()
    }

    /// The next step when the final phase has lasted for `elapsed`.
    fn next_final(&mut self, _threads: &Threads, _elapsed: Duration, _rng: &mut ChaCha8Rng) -> FinalStep {
        FinalStep::Over
    }
}

/// The options that matter to workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkloadOptions {
    /// The neighbours that broadcast suggests to its nodes.
    pub topology: Topology,
    /// The mean latency between servers.
    pub latency: Duration,
    /// The number of active keys of transactions and logs.
    pub key_count: u64,
    /// The maximum number of operations in a transaction.
    pub max_txn_length: u64,
    /// The number of writes after which a key is retired.
    pub max_writes_per_key: u64,
}

/// The value of a field of a reply that satisfies its schema; nil stands for `null`.
fn field(reply: Vec<(Box<str>, Value)>, name: &str) -> Value {
    reply.into_iter().find(|(key, _)| &**key == name).map_or(Value::Nil, |(_, value)| value)
}
