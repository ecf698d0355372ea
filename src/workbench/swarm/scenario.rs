//! One test of a swarm, and the command line that repeats it.

use std::fmt;

use crate::time::Duration;
use crate::workbench::nemesis::Fault;
use crate::workbench::network::jitter::Jitter;
use crate::workbench::network::{Delivery, Latency, Shape};
use crate::workbench::test::TestConfig;
use crate::workbench::workload::WorkloadKind;

/// A test in virtual time, in numbers that a command line can say exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// The workload.
    pub workload: WorkloadKind,
    /// Decides every random choice of the test.
    pub seed: u64,
    /// How many nodes.
    pub nodes: usize,
    /// Client threads of each node.
    pub threads: usize,
    /// Operations of all clients together, per second.
    pub rate: u32,
    /// The length of the main phase.
    pub time_limit_s: u64,
    /// The mean one-way latency between servers.
    pub latency_ms: u64,
    /// The shape of its distribution; constant where it is zero.
    pub shape: Shape,
    /// How messages reach nodes.
    pub delivery: Delivery,
    /// How many of a hundred messages between servers are lost.
    pub loss_percent: u32,
    /// How many of a hundred arrive twice.
    pub duplication_percent: u32,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// The mean time between operations of the nemesis.
    pub interval_ms: u64,
    /// How late messages and nodes are.
    pub jitter: Jitter,
    /// The consistency model to check, where the workload's usual one promises too much.
    pub model: Option<&'static str>,
    /// Arguments for the nodes.
    pub arguments: Vec<String>,
}

impl Scenario {
    /// The arguments for `gloomers test`; what is usual is left out.
    #[must_use]
    pub fn to_arguments(&self) -> Vec<String> {
        let mut words = vec!["-w".to_owned(), self.workload.name().to_owned(), "--virtual-time".to_owned()];
        let mut say = |name: &str, value: String| words.extend([format!("--{name}"), value]);
        say("seed", self.seed.to_string());
        say("node-count", self.nodes.to_string());
        if self.threads > 1 {
            say("concurrency", format!("{}n", self.threads));
        }
        say("rate", self.rate.to_string());
        say("time-limit", self.time_limit_s.to_string());
        if self.latency_ms > 0 {
            say("latency", self.latency_ms.to_string());
        }
        match self.shape {
            Shape::Constant => {}
            Shape::Uniform => say("latency-dist", "uniform".to_owned()),
            Shape::Exponential => say("latency-dist", "exponential".to_owned()),
        }
        if self.delivery == Delivery::Free {
            say("delivery", "free".to_owned());
        }
        for (name, percent) in [("loss", self.loss_percent), ("duplication", self.duplication_percent)] {
            if percent > 0 {
                say(name, (f64::from(percent) / 100.0).to_string());
            }
        }
        if !self.faults.is_empty() {
            let names: Vec<_> = self.faults.iter().map(|fault| fault.name()).collect();
            say("nemesis", names.join(","));
            say("nemesis-interval", Duration::from_millis(self.interval_ms).as_secs_f64().to_string());
        }
        if self.jitter != Jitter::None {
            say("jitter", self.jitter.name().to_owned());
        }
        if let Some(model) = self.model {
            say("consistency-models", model.to_owned());
        }
        if !self.arguments.is_empty() {
            words.push("--".to_owned());
            words.extend_from_slice(&self.arguments);
        }
        words
    }

    /// The test that the command line comes to.
    #[must_use]
    pub fn config(&self) -> TestConfig {
        let usual = TestConfig::default();
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
            nemesis_interval: interval.unwrap_or(usual.nemesis_interval),
            consistency_models: self.model.map_or(usual.consistency_models, |model| vec![model.to_owned()]),
            virtual_time: true,
            jitter: self.jitter,
            seed: self.seed,
            ..usual
        }
    }
}

/// The command that runs it.
impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gloomers test {}", self.to_arguments().join(" "))
    }
}
