//! One test of a swarm, and the command line that repeats it.

use std::fmt;

use crate::time::Duration;
use crate::workbench::nemesis::Fault;
use crate::workbench::network::jitter::Jitter;
use crate::workbench::network::{Delivery, Latency, Shape};
use crate::workbench::quote::shell_word;
use crate::workbench::test::TestConfig;
use crate::workbench::workload::WorkloadKind;

/// A test in virtual time, with parameters that a command line can express exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// The workload.
    pub workload: WorkloadKind,
    /// The seed of every random choice of the test.
    pub seed: u64,
    /// The number of nodes.
    pub nodes: usize,
    /// Client threads per node.
    pub threads: usize,
    /// Operations per second of all clients together.
    pub rate: u32,
    /// The length of the main phase.
    pub time_limit_s: u64,
    /// The mean one-way latency between servers.
    pub latency_ms: u64,
    /// The shape of its distribution; constant if the mean is zero.
    pub shape: Shape,
    /// How messages reach nodes.
    pub delivery: Delivery,
    /// The percentage of messages between servers that are lost.
    pub loss_percent: u32,
    /// The percentage of messages between servers that arrive twice.
    pub duplication_percent: u32,
    /// The faults that the nemesis causes.
    pub faults: Vec<Fault>,
    /// The mean interval between operations of the nemesis.
    pub interval_ms: u64,
    /// Delays of messages and nodes as on a real machine.
    pub jitter: Jitter,
    /// The consistency model to check, if not the default.
    pub model: Option<&'static str>,
    /// Whether nodes keep what they store when they are killed.
    pub durable: bool,
    /// The nodes' executable; `None` for the built-in node.
    pub bin: Option<String>,
    /// Arguments for the nodes.
    pub arguments: Vec<String>,
}

impl Scenario {
    /// The arguments for `gloomers test`, without those that are defaults.
    #[must_use]
    pub fn to_arguments(&self) -> Vec<String> {
        let mut words = vec!["-w".to_owned(), self.workload.name().to_owned(), "--virtual-time".to_owned()];
        let mut option = |name: &str, value: String| words.extend([format!("--{name}"), value]);
        option("seed", self.seed.to_string());
        option("node-count", self.nodes.to_string());
        if self.threads > 1 {
            option("concurrency", format!("{}n", self.threads));
        }
        option("rate", self.rate.to_string());
        option("time-limit", self.time_limit_s.to_string());
        if self.latency_ms > 0 {
            option("latency", self.latency_ms.to_string());
        }
        match self.shape {
            Shape::Constant => {}
            Shape::Uniform => option("latency-dist", "uniform".to_owned()),
            Shape::Exponential => option("latency-dist", "exponential".to_owned()),
        }
        if self.delivery == Delivery::Free {
            option("delivery", "free".to_owned());
        }
        for (name, percent) in [("loss", self.loss_percent), ("duplication", self.duplication_percent)] {
            if percent > 0 {
                option(name, (f64::from(percent) / 100.0).to_string());
            }
        }
        if !self.faults.is_empty() {
            let names: Vec<_> = self.faults.iter().map(|fault| fault.name()).collect();
            option("nemesis", names.join(","));
            option("nemesis-interval", Duration::from_millis(self.interval_ms).as_secs_f64().to_string());
        }
        if self.jitter != Jitter::None {
            option("jitter", self.jitter.name().to_owned());
        }
        if let Some(model) = self.model {
            option("consistency-models", model.to_owned());
        }
        if let Some(bin) = &self.bin {
            option("bin", bin.clone());
        }
        if self.durable {
            words.push("--durable".to_owned());
        }
        if !self.arguments.is_empty() {
            words.push("--".to_owned());
            words.extend_from_slice(&self.arguments);
        }
        words
    }

    /// The configuration that the command line stands for.
    #[must_use]
    pub fn config(&self) -> TestConfig {
        let default = TestConfig::default();
        let share = |percent: u32| f64::from(percent) / 100.0;
        let interval = (!self.faults.is_empty()).then(|| Duration::from_millis(self.interval_ms));
        TestConfig {
            workload: self.workload,
            nodes: TestConfig::numbered(self.nodes),
            arguments: self.arguments.clone(),
            concurrency: self.threads * self.nodes,
            rate: f64::from(self.rate),
            time_limit: Duration::from_secs(self.time_limit_s),
            latency: Latency { shape: self.shape, mean_ms: self.latency_ms },
            delivery: self.delivery,
            loss: share(self.loss_percent),
            duplication: share(self.duplication_percent),
            nemesis: self.faults.clone(),
            nemesis_interval: interval.unwrap_or(default.nemesis_interval),
            consistency_models: self.model.map_or(default.consistency_models, |model| vec![model.to_owned()]),
            durable: self.durable,
            virtual_time: true,
            jitter: self.jitter,
            seed: self.seed,
            ..default
        }
    }
}

/// The command line that runs it, for a shell.
impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("gloomers test")?;
        self.to_arguments().iter().try_for_each(|word| write!(f, " {}", shell_word(word)))
    }
}
