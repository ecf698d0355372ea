//! A test kit: any [`Node`] in virtual time, under the workloads, the network, the faults and the judge of
//! `gloomers test`.
//!
//! A simulation is decided by its seed alone and takes no time: a minute of five nodes is a fraction of a second. The
//! report's `Debug` text names the calls that repeat it.
//!
//! ```
//! use std::time::Duration;
//!
//! use gossip_gloomers::nodes::Broadcast;
//! use gossip_gloomers::simulation::{Simulation, Workload};
//!
//! let second = Duration::from_secs(1);
//! let simulation = Simulation::of::<Broadcast>().nodes(5).rate(20.0).time_limit(10 * second);
//! let simulation = simulation.latency(second / 10).partition(3 * second);
//! for seed in 0..3 {
//!     let report = simulation.clone().seed(seed).run(Workload::Broadcast)?;
//!     assert!(report.is_valid() && report.messages_per_op() < 4.0, "{report:?}");
//! }
//! # Ok::<(), gossip_gloomers::simulation::TestError>(())
//! ```

mod report;

use std::fmt;

use crate::node::Node;
use crate::time::Duration;
use crate::workbench::check::txn::check_models;
use crate::workbench::cli::options::{Options, Refusal};
use crate::workbench::cluster::Cluster;
use crate::workbench::cluster::builtin::{Builtin, ClusterFactory, simulated};
use crate::workbench::cluster::simulated::SimulatedCluster;
use crate::workbench::test::{Unwatched, Watch, run};

pub use crate::workbench::check::{Availability, Verdict};
pub use crate::workbench::nemesis::Fault;
pub use crate::workbench::network::jitter::Jitter;
pub use crate::workbench::network::{Delivery, Shape};
pub use crate::workbench::test::TestError;
pub use crate::workbench::workload::Kind as Workload;
pub use crate::workbench::workload::topology::Topology;
pub use report::Report;

/// An interval beyond this overflows the clock.
const LONGEST_S: u64 = 1_000_000_000;

/// A cluster of nodes and what happens to it; every call changes one thing, [`Simulation::run`] does it.
///
/// Without any, it is what `gloomers test` does: five nodes and a client for each, five operations a second for a
/// minute, no latency and no faults; the seed is 0.
#[derive(Clone)]
pub struct Simulation {
    factory: ClusterFactory,
    options: Options,
    threads: Option<usize>,
    latency: Duration,
    seed: u64,
    /// How it was made, as its user wrote it.
    story: String,
}

impl Simulation {
    /// A cluster of nodes of this type.
    ///
    /// # Panics
    /// Never: the options that nobody has touched are good.
    #[must_use]
    pub fn of<N>() -> Self
    where
        N: Node + 'static,
        N::Options: Clone,
    {
        let five = ["-w", "echo", "--virtual-time", "--node-count", "5"].map(Into::into);
        let options = Options::parse(five).expect("these options make sense");
        let name = std::any::type_name::<N>();
        Self::new(simulated::<N>, options, format!("Simulation::of::<{name}>()"))
    }

    /// What `gloomers test --virtual-time` does with these options, on the node of this crate for their workload, which
    /// is [`Simulation::workload`].
    ///
    /// # Errors
    /// [`TestError::Unfit`] says everything that is wrong with them.
    pub fn command(line: &str) -> Result<Self, TestError> {
        let words = std::iter::once("--virtual-time").chain(line.split_whitespace());
        let options = Options::parse(words.map(Into::into)).map_err(|refusal| match refusal {
            Refusal::Help(help) => TestError::Unfit(help),
            Refusal::Errors(errors) => TestError::Unfit(errors.join("; ")),
        })?;
        let builtin = Builtin::of(options.workload.name()).map_err(TestError::Unfit)?;
        Ok(Self::new(builtin.factory, options, format!("Simulation::command({line:?})?")))
    }

    fn new(factory: ClusterFactory, options: Options, story: String) -> Self {
        let latency = Duration::from_millis(options.latency.mean_ms);
        let (threads, seed) = (Some(options.concurrency), options.seed.unwrap_or_default());
        let threads = threads.filter(|threads| *threads != options.nodes.len());
        Self { factory, options, threads, latency, seed, story }
    }

    /// The workload of [`Simulation::command`].
    #[must_use]
    pub const fn workload(&self) -> Workload {
        self.options.workload
    }

    fn told(mut self, call: fmt::Arguments<'_>) -> Self {
        self.story = format!("{}.{call}", self.story);
        self
    }

    /// How many nodes; they are called `n0`, `n1`, ...
    #[must_use]
    pub fn nodes(mut self, count: usize) -> Self {
        self.options.nodes = (0..count).map(|index| format!("n{index}")).collect();
        self.told(format_args!("nodes({count})"))
    }

    /// The command line of each node, as [`Options::parse`](crate::node::Options::parse) of its type reads it.
    #[must_use]
    pub fn arguments<S: Into<String>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.options.arguments = arguments.into_iter().map(Into::into).collect();
        let arguments = self.options.arguments.clone();
        self.told(format_args!("arguments({arguments:?})"))
    }

    /// Operations a second, of all clients together.
    #[must_use]
    pub fn rate(mut self, per_second: f64) -> Self {
        self.options.rate = per_second;
        self.told(format_args!("rate({per_second:?})"))
    }

    /// How long clients go on, before the recovery and the last reads.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.options.time_limit = limit;
        self.told(format_args!("time_limit({limit:?})"))
    }

    /// How many clients; the default is one for each node.
    #[must_use]
    pub fn concurrency(mut self, clients: usize) -> Self {
        self.threads = Some(clients);
        self.told(format_args!("concurrency({clients})"))
    }

    /// The mean latency from server to server, in whole milliseconds.
    #[must_use]
    pub fn latency(mut self, mean: Duration) -> Self {
        self.latency = mean;
        self.told(format_args!("latency({mean:?})"))
    }

    /// How latencies are distributed around their mean; the default is that each is the mean.
    #[must_use]
    pub fn latency_shape(mut self, shape: Shape) -> Self {
        self.options.latency.shape = shape;
        self.told(format_args!("latency_shape(Shape::{shape:?})"))
    }

    /// Whether a message waits behind the one before, as in Maelstrom, or arrives at its own time.
    #[must_use]
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.options.delivery = delivery;
        self.told(format_args!("delivery(Delivery::{delivery:?})"))
    }

    /// How late messages and nodes are, as on a machine that is quiet or busy; by default, never.
    #[must_use]
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.options.jitter = jitter;
        self.told(format_args!("jitter(Jitter::{jitter:?})"))
    }

    /// The probability that a message between servers is lost.
    #[must_use]
    pub fn loss(mut self, probability: f64) -> Self {
        self.options.loss = probability;
        self.told(format_args!("loss({probability:?})"))
    }

    /// The probability that a message between servers arrives twice.
    #[must_use]
    pub fn duplication(mut self, probability: f64) -> Self {
        self.options.duplication = probability;
        self.told(format_args!("duplication({probability:?})"))
    }

    /// What goes wrong, and the mean time until the next fault begins or the last one ends.
    #[must_use]
    pub fn faults(mut self, faults: &[Fault], interval: Duration) -> Self {
        self.options.nemesis = faults.to_vec();
        self.options.nemesis_interval = interval;
        self.told(format_args!("faults(&{faults:?}, {interval:?})"))
    }

    /// Cuts the network in parts and heals it again, at this mean interval.
    #[must_use]
    pub fn partition(self, interval: Duration) -> Self {
        self.faults(&[Fault::Partition], interval)
    }

    /// How many operations must succeed.
    #[must_use]
    pub fn availability(mut self, availability: Availability) -> Self {
        self.options.availability = Some(availability);
        self.told(format_args!("availability(Availability::{availability:?})"))
    }

    /// The consistency models that transactions must satisfy, instead of strict serializability.
    #[must_use]
    pub fn consistency_models<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.options.consistency_models = names.into_iter().map(Into::into).collect();
        let names = self.options.consistency_models.clone();
        self.told(format_args!("consistency_models({names:?})"))
    }

    /// Whom the nodes of broadcast are told to be neighbours of.
    #[must_use]
    pub fn topology(mut self, topology: Topology) -> Self {
        self.options.topology = topology;
        self.told(format_args!("topology(Topology::{topology:?})"))
    }

    /// The live keys of transactions and logs, and the writes after which one is retired.
    #[must_use]
    pub fn keys(mut self, live: u64, max_writes: u64) -> Self {
        (self.options.key_count, self.options.max_writes_per_key) = (live, max_writes);
        self.told(format_args!("keys({live}, {max_writes})"))
    }

    /// The operations of the longest transaction.
    #[must_use]
    pub fn max_txn_length(mut self, operations: u64) -> Self {
        self.options.max_txn_length = operations;
        self.told(format_args!("max_txn_length({operations})"))
    }

    /// Decides every random choice.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs the test, from the start of the nodes to the verdict.
    ///
    /// # Errors
    /// The simulation makes no sense, which [`TestError::Unfit`] explains, or a node did not take part.
    pub fn run(&self, workload: Workload) -> Result<Report, TestError> {
        self.run_on(&mut self.engines()?, workload, &mut Unwatched)
    }

    /// The cluster that [`Simulation::run`] starts, for those who want to step between it and the test.
    ///
    /// # Errors
    /// The nodes do not understand their command line.
    pub fn engines(&self) -> Result<SimulatedCluster, TestError> {
        (self.factory)(self.options.nodes.len(), self.seed, &self.options.arguments).map_err(TestError::Unfit)
    }

    /// Runs the test on a cluster made by somebody else, while somebody looks on.
    ///
    /// # Errors
    /// As [`Simulation::run`].
    pub fn run_on<C: Cluster>(
        &self,
        cluster: &mut C,
        workload: Workload,
        watch: &mut dyn Watch,
    ) -> Result<Report, TestError> {
        let options = self.options(workload)?;
        let outcome = run(&options.plan(self.seed), &mut *workload.begin(&options.terms()), cluster, watch)?;
        Ok(Report::new(format!("{self:?}.run(Workload::{workload:?})"), &options, self.seed, outcome))
    }

    /// The options of the command line, if they are ones that it would take.
    fn options(&self, workload: Workload) -> Result<Options, TestError> {
        let mut options = self.options.clone();
        options.workload = workload;
        options.concurrency = self.threads.unwrap_or(options.nodes.len());
        options.latency.mean_ms = u64::try_from(self.latency.as_millis()).unwrap_or(u64::MAX);
        let random = options.latency.shape != Shape::Constant;
        let is_probability = |number: f64| (0.0..=1.0).contains(&number);
        let interval = options.nemesis_interval;
        let terms = [options.key_count, options.max_writes_per_key, options.max_txn_length];
        let demands = [
            (!options.nodes.is_empty(), "nodes: there must be one at least"),
            (options.concurrency > 0, "concurrency: there must be one client at least"),
            (options.rate.is_finite() && options.rate >= 0.0, "rate: it must be a finite number, not below 0"),
            (!options.time_limit.is_zero(), "time_limit: it must be longer than nothing"),
            (options.time_limit.as_secs() < LONGEST_S, "time_limit: it must be below a thousand million seconds"),
            (self.latency.subsec_nanos().is_multiple_of(1_000_000), "latency: it must be in whole milliseconds"),
            (self.latency.as_secs() < LONGEST_S, "latency: it must be below a thousand million seconds"),
            (!random || !self.latency.is_zero(), "latency_shape: random latencies need a mean above 0"),
            (is_probability(options.loss), "loss: a probability is a number from 0 to 1"),
            (is_probability(options.duplication), "duplication: a probability is a number from 0 to 1"),
            (!interval.is_zero(), "faults: their interval must be longer than nothing"),
            (interval.as_secs() < LONGEST_S, "faults: their interval must be below a thousand million seconds"),
            (!terms.contains(&0), "keys, max_txn_length: none of them may be 0"),
        ];
        let mut refused: Vec<_> =
            demands.iter().filter(|(met, _)| !met).map(|(_, demand)| (*demand).to_owned()).collect();
        let models = check_models(&options.consistency_models);
        refused.extend(models.err().map(|problem| format!("consistency_models: {problem}")));
        if refused.is_empty() { Ok(options) } else { Err(TestError::Unfit(refused.join("; "))) }
    }
}

/// The calls that make the same simulation.
impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.seed({})", self.story, self.seed)
    }
}

#[cfg(test)]
mod tests;
