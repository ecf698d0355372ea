//! A test kit that runs any [`Node`], or any program, in virtual time, with the workloads, network, faults and checkers
//! of `gloomers test`.
//!
//! A simulation is reproducible from its seed, and fast: a simulated minute of five nodes takes a fraction of a second.
//! The report's `Debug` output contains the builder calls that reproduce it.
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
use std::path::{Path, PathBuf};

use crate::node::Node;
use crate::time::Duration;
use crate::workbench::cluster::builtin::{Factory, factory};
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use crate::workbench::cluster::{
    program::{Launch, executable},
    traced::TracedCluster,
};
use crate::workbench::test::{Problem, TestConfig, run};

pub use crate::workbench::check::{Availability, Verdict};
pub use crate::workbench::cluster::simulated::SimulatedCluster;
pub use crate::workbench::cluster::{Cluster, Halt, OutputTail, Skew, Status};
pub use crate::workbench::edn::Value;
pub use crate::workbench::history::{History, Op, OpKind, Process};
pub use crate::workbench::nemesis::Fault;
pub use crate::workbench::network::jitter::Jitter;
pub use crate::workbench::network::{Counts, Delivery, Muted, Shape, Traffic};
pub use crate::workbench::services::Services;
pub use crate::workbench::test::{Phase, TestError, Unwatched, Watch};
pub use crate::workbench::workload::WorkloadKind as Workload;
pub use crate::workbench::workload::topology::Topology;
pub use report::Report;

/// A builder for simulated tests; [`Simulation::run`] runs one.
///
/// The defaults are those of `gloomers test`: five nodes and a client for each, five operations per second for a
/// minute, no latency and no faults; the seed is 0.
#[derive(Clone)]
pub struct Simulation {
    nodes: Nodes,
    config: TestConfig,
    threads: Option<usize>,
    latency: Duration,
    /// The builder calls so far, as Rust source text.
    calls: String,
}

/// What a simulation runs.
#[derive(Clone)]
enum Nodes {
    Engines(Factory),
    Program(PathBuf),
}

impl Simulation {
    /// A cluster of nodes of this type.
    #[must_use]
    pub fn of<N>() -> Self
    where
        N: Node + 'static,
        N::Options: Clone,
    {
        let name = std::any::type_name::<N>();
        Self::new(Nodes::Engines(factory::<N>), Self::defaults(), format!("Simulation::of::<{name}>()"))
    }

    /// A cluster of processes of this executable, in any language, on Linux and x86-64: `gloomers test --bin PROGRAM
    /// --virtual-time`. The program is not modified; `docs/programs-in-virtual-time.md` describes how this works and
    /// what is not exact. Where it is not possible, [`Simulation::run`] fails with the reason.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use gossip_gloomers::simulation::{Simulation, TestError, Workload};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::os::unix::fs::PermissionsExt as _;
    /// # let folder = tempfile::tempdir()?;
    /// # let program = folder.path().join("echo");
    /// // Any program that reads and writes lines is a node.
    /// let swap = r#"s/"src":"(.*)","dest":"(.*)","body"/"src":"\2","dest":"\1","body"/"#;
    /// let reply = r#"s/"type":"(init|echo)"/"type":"\1_ok"/; s/"msg_id"/"in_reply_to"/"#;
    /// std::fs::write(&program, format!("#!/bin/sh\nexec sed -u -E '{swap}; {reply}'\n"))?;
    /// # std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    ///
    /// let simulation = Simulation::of_program(&program).nodes(2).rate(20.0).time_limit(Duration::from_secs(10));
    /// match simulation.seed(7).run(Workload::Echo) {
    ///     Ok(report) => assert!(report.is_valid(), "{report:?}"),
    ///     // Another system, or one that forbids tracing, as some containers do.
    ///     Err(error) => println!("skipped: {error}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn of_program(program: impl AsRef<Path>) -> Self {
        let program = program.as_ref().to_owned();
        let calls = format!("Simulation::of_program({:?})", program.display().to_string());
        Self::new(Nodes::Program(program), Self::defaults(), calls)
    }

    fn defaults() -> TestConfig {
        TestConfig { nodes: TestConfig::numbered(5), virtual_time: true, ..TestConfig::default() }
    }

    /// A test of this crate's node for the configured workload.
    #[cfg(feature = "workbench")]
    pub(crate) fn configured(config: TestConfig, calls: String) -> Self {
        let threads = Some(config.concurrency).filter(|threads| *threads != config.nodes.len());
        let simulation = Self::new(Nodes::Engines(config.workload.node().factory), config, calls);
        Self { threads, ..simulation }
    }

    fn new(nodes: Nodes, config: TestConfig, calls: String) -> Self {
        let latency = Duration::from_millis(config.latency.mean_ms);
        Self { nodes, config, threads: None, latency, calls }
    }

    /// The workload of a simulation made from a command line.
    #[cfg(feature = "workbench")]
    #[must_use]
    pub const fn workload(&self) -> Workload {
        self.config.workload
    }

    fn with_call(mut self, call: fmt::Arguments<'_>) -> Self {
        self.calls = format!("{}.{call}", self.calls);
        self
    }

    /// The number of nodes; their ids are `n0`, `n1`, ...
    #[must_use]
    pub fn nodes(mut self, count: usize) -> Self {
        self.config.nodes = TestConfig::numbered(count);
        self.with_call(format_args!("nodes({count})"))
    }

    /// The command line of each node, which its [`Options::parse`](crate::node::Options::parse) parses.
    #[must_use]
    pub fn arguments<S: Into<String>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.config.arguments = arguments.into_iter().map(Into::into).collect();
        let arguments = self.config.arguments.clone();
        self.with_call(format_args!("arguments({arguments:?})"))
    }

    /// Operations per second, of all clients together.
    #[must_use]
    pub fn rate(mut self, per_second: f64) -> Self {
        self.config.rate = per_second;
        self.with_call(format_args!("rate({per_second:?})"))
    }

    /// The duration of the main phase, before recovery and the final reads.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.config.time_limit = limit;
        self.with_call(format_args!("time_limit({limit:?})"))
    }

    /// The number of clients; the default is one for each node.
    #[must_use]
    pub fn concurrency(mut self, clients: usize) -> Self {
        self.threads = Some(clients);
        self.with_call(format_args!("concurrency({clients})"))
    }

    /// The mean latency between servers, in whole milliseconds.
    #[must_use]
    pub fn latency(mut self, mean: Duration) -> Self {
        self.latency = mean;
        self.with_call(format_args!("latency({mean:?})"))
    }

    /// The distribution of latencies; the default is constant.
    #[must_use]
    pub fn latency_shape(mut self, shape: Shape) -> Self {
        self.config.latency.shape = shape;
        self.with_call(format_args!("latency_shape(Shape::{shape:?})"))
    }

    /// Whether messages of a link are delivered in order, as in Maelstrom, or each after its own latency.
    #[must_use]
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.config.delivery = delivery;
        self.with_call(format_args!("delivery(Delivery::{delivery:?})"))
    }

    /// Scheduling delays of messages and nodes, as on a quiet or busy machine; none by default.
    #[must_use]
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.config.jitter = jitter;
        self.with_call(format_args!("jitter(Jitter::{jitter:?})"))
    }

    /// The probability that a message between servers is lost.
    #[must_use]
    pub fn loss(mut self, probability: f64) -> Self {
        self.config.loss = probability;
        self.with_call(format_args!("loss({probability:?})"))
    }

    /// The probability that a message between servers arrives twice.
    #[must_use]
    pub fn duplication(mut self, probability: f64) -> Self {
        self.config.duplication = probability;
        self.with_call(format_args!("duplication({probability:?})"))
    }

    /// The faults of the nemesis, and the mean time between its events.
    #[must_use]
    pub fn faults(mut self, faults: &[Fault], interval: Duration) -> Self {
        self.config.nemesis = faults.to_vec();
        self.config.nemesis_interval = interval;
        self.with_call(format_args!("faults(&{faults:?}, {interval:?})"))
    }

    /// Partitions the network and heals it again, at this mean interval.
    #[must_use]
    pub fn partition(self, interval: Duration) -> Self {
        self.faults(&[Fault::Partition], interval)
    }

    /// The required availability.
    #[must_use]
    pub fn availability(mut self, availability: Availability) -> Self {
        self.config.availability = Some(availability);
        self.with_call(format_args!("availability(Availability::{availability:?})"))
    }

    /// The consistency models that transactions must satisfy; the default is strict serializability.
    #[must_use]
    pub fn consistency_models<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.config.consistency_models = names.into_iter().map(Into::into).collect();
        let names = self.config.consistency_models.clone();
        self.with_call(format_args!("consistency_models({names:?})"))
    }

    /// The topology that broadcast nodes are given.
    #[must_use]
    pub fn topology(mut self, topology: Topology) -> Self {
        self.config.topology = topology;
        self.with_call(format_args!("topology(Topology::{topology:?})"))
    }

    /// The number of keys in use at a time, and of writes after which a key is replaced, in transactions and kafka
    /// logs.
    #[must_use]
    pub fn keys(mut self, live: u64, max_writes: u64) -> Self {
        (self.config.key_count, self.config.max_writes_per_key) = (live, max_writes);
        self.with_call(format_args!("keys({live}, {max_writes})"))
    }

    /// The maximum number of micro-operations of a transaction.
    #[must_use]
    pub fn max_txn_length(mut self, operations: u64) -> Self {
        self.config.max_txn_length = operations;
        self.with_call(format_args!("max_txn_length({operations})"))
    }

    /// The seed of all random choices.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.seed = seed;
        self
    }

    /// Runs the test, from the start of the nodes to the verdict.
    ///
    /// # Errors
    /// The configuration is invalid ([`TestError::InvalidConfig`]), or a node failed to start.
    pub fn run(&self, workload: Workload) -> Result<Report, TestError> {
        match &self.nodes {
            Nodes::Engines(_) => self.run_on(&mut self.cluster()?, workload, &mut Unwatched),
            Nodes::Program(program) => self.run_program(program, workload),
        }
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn run_program(&self, program: &Path, workload: Workload) -> Result<Report, TestError> {
        let refused = |why| TestError::InvalidConfig(format!("{} cannot be executed: {why}", program.display()));
        let arguments = self.config.arguments.clone();
        let launch = Launch {
            program: executable(program).map_err(refused)?,
            arguments,
            logs: None,
            log_stderr: false,
            data: None,
        };
        let cluster = TracedCluster::new(launch, self.config.nodes.clone(), self.config.seed);
        self.run_on(&mut cluster.map_err(Halt::Io)?, workload, &mut Unwatched)
    }

    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    fn run_program(&self, program: &Path, _: Workload) -> Result<Report, TestError> {
        Err(TestError::InvalidConfig(format!(
            "{} needs Linux on an x86-64 processor for virtual time",
            program.display()
        )))
    }

    /// The cluster that [`Simulation::run`] uses for nodes of a type, for callers that wrap it before
    /// [`Simulation::run_on`].
    ///
    /// # Errors
    /// The nodes reject their command line, or are programs.
    pub fn cluster(&self) -> Result<SimulatedCluster, TestError> {
        let Nodes::Engines(factory) = &self.nodes else {
            return Err(TestError::InvalidConfig(
                "a program does not run in this process; use Simulation::run".to_owned(),
            ));
        };
        factory(self.config.nodes.len(), self.config.seed, &self.config.arguments).map_err(TestError::InvalidConfig)
    }

    /// Runs the test on the given cluster, with an observer.
    ///
    /// # Errors
    /// As [`Simulation::run`].
    pub fn run_on<C: Cluster>(
        &self,
        cluster: &mut C,
        workload: Workload,
        watch: &mut dyn Watch,
    ) -> Result<Report, TestError> {
        let config = self.config(workload)?;
        let outcome = run(&config, cluster, watch)?;
        Ok(Report::new(format!("{self:?}.run(Workload::{workload:?})"), &config, outcome))
    }

    /// The validated configuration.
    fn config(&self, workload: Workload) -> Result<TestConfig, TestError> {
        let mut config = TestConfig { workload, ..self.config.clone() };
        config.concurrency = self.threads.unwrap_or(config.nodes.len());
        config.latency.mean_ms = u64::try_from(self.latency.as_millis()).unwrap_or(u64::MAX);
        let whole = self.latency.subsec_nanos().is_multiple_of(1_000_000);
        let mut refused: Vec<_> = config.problems().into_iter().map(describe).collect();
        refused.extend((!whole).then(|| "latency: it must be in whole milliseconds".to_owned()));
        if refused.is_empty() {
            refused.extend(config.misfit().into_iter().map(describe));
        }
        if refused.is_empty() { Ok(config) } else { Err(TestError::InvalidConfig(refused.join("; "))) }
    }
}

/// The message for an invalid configuration, which names the builder method.
fn describe(problem: Problem) -> String {
    match problem {
        Problem::Value(option, must) => {
            let call = match option {
                "node-count" => "nodes",
                "nemesis-interval" => "faults",
                "key-count" | "max-writes-per-key" => "keys",
                option => option,
            };
            format!("{}: {}", call.replace('-', "_"), must.replacen("Must", "it must", 1))
        }
        Problem::NoLatency => "latency_shape: random latencies need a mean above 0".to_owned(),
        Problem::Conflict(sentence) => sentence,
    }
}

/// The builder calls that make the same simulation.
impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.seed({})", self.calls, self.config.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::test::Convergence;

    #[test]
    fn the_convergence_probe_changes_neither_history_nor_counts() {
        let config = TestConfig {
            workload: Workload::TxnRwRegister,
            nodes: TestConfig::numbered(3),
            concurrency: 3,
            rate: 100.0,
            time_limit: Duration::from_secs(5),
            nemesis: vec![Fault::Partition, Fault::Kill],
            nemesis_interval: Duration::from_secs(1),
            seed: 3,
            ..TestConfig::default()
        };
        let outcome = |virtual_time| {
            let config = TestConfig { virtual_time, ..config.clone() };
            let mut nodes = SimulatedCluster::of::<crate::nodes::Txn>(3, 3, &crate::gossip::Settings::default());
            run(&config, &mut nodes, &mut Unwatched).expect("it runs")
        };
        let (with, without) = (outcome(true), outcome(false));
        assert_eq!((with.extended.convergence, without.extended.convergence), (Some(Convergence::Equal), None));
        assert_eq!((with.history, with.counts), (without.history, without.counts));
    }
}
