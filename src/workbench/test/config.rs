//! What one test is: nodes, clients, network, faults and demands.
//!
//! The command line, the test kit, the swarm and the challenges all make a [`TestConfig`]; whether a test can be run
//! with it is decided here alone.

use std::ops::Range;

use crate::time::Duration;
use crate::workbench::check::{Availability, txn};
use crate::workbench::nemesis::Fault;
use crate::workbench::network::jitter::Jitter;
use crate::workbench::network::{Conditions, Delivery, Latency, Shape};
use crate::workbench::scenario::{Scenario, in_words};
use crate::workbench::services::Services;
use crate::workbench::workload::client::INIT_TIMEOUT;
use crate::workbench::workload::topology::Topology;
use crate::workbench::workload::{WorkloadKind, WorkloadOptions};

/// Thirty years: twice as long still fits every clock.
const FOREVER: Duration = Duration::from_secs(1_000_000_000);
/// As many nodes as a test may have, and as many operations as one in virtual time may come to: both live in memory.
pub const MAX_NODES: usize = 10_000;
/// See [`MAX_NODES`].
const MAX_VIRTUAL_OPERATIONS: f64 = 2e7;
/// Client threads: each has a client and at least one id.
const MAX_THREADS: usize = 100_000;
/// Live keys: all are in memory, and hardly one beyond the last twenty is ever drawn.
const MAX_KEYS: u64 = 1_000_000;
/// Operations of one transaction: a line of a megabyte.
const MAX_TXN_LENGTH: u64 = 10_000;
/// A nemesis that acts more often than every millisecond does nothing else.
const INTERVALS: Range<Duration> = Duration::from_millis(1)..FOREVER;

/// One test, but for the node that it is run on. The default is Maelstrom's, on real processes; [`problems`] says
/// whether it can be run.
///
/// [`problems`]: Self::problems
#[derive(Debug, Clone, PartialEq)]
pub struct TestConfig {
    /// The workload.
    pub workload: WorkloadKind,
    /// The nodes' ids, in order.
    pub nodes: Vec<String>,
    /// The command line of each node.
    pub arguments: Vec<String>,
    /// How many client threads.
    pub concurrency: usize,
    /// Operations of all clients together, per second.
    pub rate: f64,
    /// The length of the main phase.
    pub time_limit: Duration,
    /// How long nodes may take to answer `init`.
    pub init_timeout: Duration,
    /// Latency between servers.
    pub latency: Latency,
    /// How messages reach nodes.
    pub delivery: Delivery,
    /// The probability that a message between servers is lost.
    pub loss: f64,
    /// The probability that a message between servers arrives twice.
    pub duplication: f64,
    /// The neighbours that broadcast's nodes are sent.
    pub topology: Topology,
    /// What goes wrong.
    pub nemesis: Vec<Fault>,
    /// The mean time between operations of the nemesis.
    pub nemesis_interval: Duration,
    /// What is done at which time, besides.
    pub scenario: Scenario,
    /// How many operations must succeed, if that matters.
    pub availability: Option<Availability>,
    /// Names of consistency models that transactions must satisfy.
    pub consistency_models: Vec<String>,
    /// Live keys of transactions and logs.
    pub key_count: u64,
    /// The longest transaction.
    pub max_txn_length: u64,
    /// Writes to a key before it is retired.
    pub max_writes_per_key: u64,
    /// Whether each node is given a folder for what it must remember, which it keeps over restarts.
    pub durable: bool,
    /// Whether nodes live in this process and time passes as they need it. Only then can clocks and speeds be changed,
    /// and the replicas be compared when all is over.
    pub virtual_time: bool,
    /// How late everything is, in virtual time.
    pub jitter: Jitter,
    /// Decides every random choice.
    pub seed: u64,
}

impl Default for TestConfig {
    fn default() -> Self {
        Self {
            workload: WorkloadKind::LinKv,
            nodes: (1..=5).map(|number| format!("n{number}")).collect(),
            arguments: Vec::new(),
            concurrency: 5,
            rate: 5.0,
            time_limit: Duration::from_secs(60),
            init_timeout: INIT_TIMEOUT,
            latency: Latency { shape: Shape::Constant, mean_ms: 0 },
            delivery: Delivery::Held,
            loss: 0.0,
            duplication: 0.0,
            topology: Topology::Grid,
            nemesis: Vec::new(),
            nemesis_interval: Duration::from_secs(10),
            scenario: Scenario::default(),
            availability: None,
            consistency_models: vec![txn::DEFAULT_MODEL.to_owned()],
            key_count: 10,
            max_txn_length: 4,
            max_writes_per_key: 16,
            durable: false,
            virtual_time: false,
            jitter: Jitter::None,
            seed: 0,
        }
    }
}

/// Why a test cannot be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// One value is wrong: the name of its option, and what it must be.
    Value(&'static str, String),
    /// A distribution that needs a positive mean has none.
    NoLatency,
    /// Values do not fit together, in a sentence with the names of options.
    Conflict(String),
}

/// What the value of an option must be, as a sentence of Maelstrom's.
pub fn requirement(option: &str) -> String {
    let positive = |most: u64| format!("Must be a positive integer, at most {most}");
    match option {
        "node-count" => positive(MAX_NODES as u64),
        "concurrency" => {
            format!("Must be a positive integer, or one followed by n, and come to at most {MAX_THREADS}")
        }
        "rate" => "Must be a number not below 0".to_owned(),
        "time-limit" => positive(FOREVER.as_secs()),
        "init-timeout" => "Must be a number of seconds above 0".to_owned(),
        "latency" => format!("Must be an integer from 0 to {}, in milliseconds", u32::MAX),
        "nemesis-interval" => "Must be a number of seconds from a thousandth to a thousand million".to_owned(),
        "availability" => "Must be total, or a number from 0 to 1".to_owned(),
        "key-count" => positive(MAX_KEYS),
        "max-txn-length" => positive(MAX_TXN_LENGTH),
        "loss" | "duplication" => "Must be a number from 0 to 1".to_owned(),
        _ => positive(u64::MAX),
    }
}

impl TestConfig {
    /// This many nodes, named n0, n1, ...
    pub fn numbered(count: usize) -> Vec<String> {
        (0..count).map(|index| format!("n{index}")).collect()
    }

    /// What matters to the workload.
    pub const fn workload_options(&self) -> WorkloadOptions {
        WorkloadOptions {
            topology: self.topology,
            latency: Duration::from_millis(self.latency.mean_ms),
            key_count: self.key_count,
            max_txn_length: self.max_txn_length,
            max_writes_per_key: self.max_writes_per_key,
        }
    }

    /// What the network is like.
    pub(super) const fn conditions(&self) -> Conditions {
        let Self { latency, delivery, loss, duplication, .. } = *self;
        Conditions { latency, delivery, loss, duplication }
    }

    /// Everything that is wrong, but for what [`TestConfig::misfit`] says.
    pub fn problems(&self) -> Vec<Problem> {
        let is_probability = |number: f64| (0.0..=1.0).contains(&number);
        let least = Duration::from_nanos(1);
        let available = match self.availability {
            Some(Availability::AtLeast(share)) => is_probability(share),
            Some(Availability::Total) | None => true,
        };
        let values = [
            ("node-count", (1..=MAX_NODES).contains(&self.nodes.len())),
            ("concurrency", (1..=MAX_THREADS).contains(&self.concurrency)),
            ("rate", self.rate.is_finite() && self.rate >= 0.0),
            ("time-limit", (least..=FOREVER).contains(&self.time_limit)),
            ("init-timeout", (least..FOREVER).contains(&self.init_timeout)),
            ("latency", u32::try_from(self.latency.mean_ms).is_ok()),
            ("nemesis-interval", INTERVALS.contains(&self.nemesis_interval)),
            ("availability", available),
            ("key-count", (1..=MAX_KEYS).contains(&self.key_count)),
            ("max-txn-length", (1..=MAX_TXN_LENGTH).contains(&self.max_txn_length)),
            ("max-writes-per-key", self.max_writes_per_key > 0),
            ("loss", is_probability(self.loss)),
            ("duplication", is_probability(self.duplication)),
        ];
        let wrong = values.into_iter().filter(|(_, good)| !good);
        let mut problems: Vec<_> = wrong.map(|(name, _)| Problem::Value(name, requirement(name))).collect();
        let models = txn::check_models(&self.consistency_models);
        problems.extend(models.err().map(|problem| Problem::Value("consistency-models", problem.to_string())));
        problems.extend(self.conflicts().into_iter().map(Problem::Conflict));
        problems
    }

    /// Where values contradict each other.
    fn conflicts(&self) -> Vec<String> {
        let mut conflicts = Vec::new();
        for (index, id) in self.nodes.iter().enumerate() {
            if let Some(problem) = name_problem(id) {
                conflicts.push(problem);
            } else if self.nodes[..index].contains(id) {
                conflicts.push(format!("There are two nodes named \"{id}\""));
            }
        }
        if !self.virtual_time {
            let why = "real processes share the speed and the clock of the machine";
            let beyond = self.nemesis.iter().filter(|fault| fault.is_virtual());
            conflicts.extend(beyond.map(|fault| format!("--nemesis {} needs --virtual-time: {why}", fault.name())));
            if self.jitter != Jitter::None {
                let why = "real processes have the jitter of the machine that they run on";
                conflicts.push(format!("--jitter {} needs --virtual-time: {why}", self.jitter.name()));
            }
        }
        for step in self.scenario.steps() {
            let virtual_only = step.action.fault().is_some_and(Fault::is_virtual) && !self.virtual_time;
            let why = if step.at >= self.time_limit {
                format!("is not before the end of the main phase, --time-limit {}", self.time_limit.as_secs_f64())
            } else if virtual_only {
                "needs --virtual-time".to_owned()
            } else {
                continue;
            };
            conflicts.push(format!("--scenario: \"{}\" at {} {why}", step.text, in_words(step.at)));
        }
        let operations = self.rate * self.time_limit.as_secs_f64();
        if self.virtual_time && operations > MAX_VIRTUAL_OPERATIONS {
            conflicts.push(format!(
                "--rate and --time-limit come to {operations:.0} operations; in virtual time, which does not wait, at \
                 most {MAX_VIRTUAL_OPERATIONS:.0} are possible"
            ));
        }
        conflicts
    }

    /// Why the workload cannot be run like this, where nothing else is wrong.
    pub fn misfit(&self) -> Vec<Problem> {
        let Latency { shape, mean_ms } = self.latency;
        let pointless = (mean_ms == 0 && shape != Shape::Constant).then_some(Problem::NoLatency);
        let fits = self.workload.begin(&self.workload_options()).fits(self.nodes.len(), self.concurrency);
        pointless.into_iter().chain(fits.err().map(Problem::Conflict)).collect()
    }
}

/// Why a test cannot have a node of this name. Any other will do, also one that begins with a `c`, though Maelstrom
/// takes such a node for a client where it counts messages and draws latencies, and so do we.
fn name_problem(id: &str) -> Option<String> {
    if id.is_empty() {
        return Some("A node has an empty name; are there two commas in a row?".to_owned());
    }
    if Services::NAMES.contains(&id) {
        return Some(format!("No node can be named \"{id}\": that is the name of a service"));
    }
    let number = id.strip_prefix('c')?;
    let is_client = number.bytes().all(|byte| byte.is_ascii_digit()) && (number == "0" || !number.starts_with('0'));
    (is_client && !number.is_empty())
        .then(|| format!("No node can be named \"{id}\": clients are named c0, c1, c2, ... as they come"))
}
