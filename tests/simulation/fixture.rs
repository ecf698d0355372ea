//! The fixture of these tests: a simulation, and its outcome.

use std::time::Duration;

use gossip_gloomers::nodes::{Broadcast, GSet};
use gossip_gloomers::simulation::{Delivery, Fault, History, Report, Shape, Simulation, Unwatched, Value, Workload};

use crate::recording_cluster::RecordingCluster;

/// The seeds of a claim: `few` of them, or `SEEDS`.
pub(crate) fn seeds(few: u64) -> std::ops::Range<u64> {
    0..std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(few)
}

/// A simulation to run.
#[derive(Debug, Clone)]
pub(crate) struct Fixture {
    simulation: Simulation,
    workload: Workload,
    nodes: usize,
}

/// The outcome of a run.
pub(crate) struct Outcome {
    pub(crate) report: Report,
    /// Messages between nodes per client operation, and per broadcast.
    pub(crate) per_op: f64,
    pub(crate) per_broadcast: f64,
    pub(crate) nodes: usize,
}

impl Fixture {
    /// Challenge 3d with any number of nodes: four operations a second for each, 100 ms from node to node.
    pub(crate) fn new(nodes: usize) -> Self {
        Self::of(Simulation::of::<Broadcast>(), Workload::Broadcast, nodes)
    }

    /// The same with the g-set workload.
    pub(crate) fn g_set(nodes: usize) -> Self {
        Self::of(Simulation::of::<GSet>(), Workload::GSet, nodes)
    }

    fn of(simulation: Simulation, workload: Workload, nodes: usize) -> Self {
        let simulation = simulation.nodes(nodes).rate(4.0 * float(nodes)).time_limit(Duration::from_secs(20));
        Self { simulation: simulation.latency(Duration::from_millis(100)), workload, nodes }
    }

    /// Changes the simulation.
    pub(crate) fn with(self, change: impl FnOnce(Simulation) -> Simulation) -> Self {
        Self { simulation: change(self.simulation), ..self }
    }

    pub(crate) fn latency(self, mean_ms: u64, shape: Shape) -> Self {
        self.with(|simulation| simulation.latency(Duration::from_millis(mean_ms)).latency_shape(shape))
    }

    pub(crate) fn free(self) -> Self {
        self.with(|simulation| simulation.delivery(Delivery::Free))
    }

    pub(crate) fn stale(self, ms: u64) -> Self {
        self.with(|simulation| simulation.arguments(["--max-staleness".to_owned(), format!("{ms}ms")]))
    }

    pub(crate) fn faults(self, faults: &[Fault], interval_s: u64, time_limit_s: u64) -> Self {
        let [interval, limit] = [interval_s, time_limit_s].map(Duration::from_secs);
        self.with(|simulation| simulation.faults(faults, interval).time_limit(limit))
    }

    pub(crate) fn run(&self, seed: u64) -> Outcome {
        let simulation = self.simulation.clone().seed(seed);
        self.outcome(simulation.run(self.workload).unwrap_or_else(|failure| panic!("{simulation:?}: {failure}")))
    }

    /// Runs it, and records which node holds which values.
    pub(crate) fn run_recorded(&self, seed: u64) -> (Outcome, RecordingCluster) {
        let simulation = self.simulation.clone().seed(seed);
        let mut recording = RecordingCluster::of(simulation.cluster().expect("the arguments are good"));
        let report = simulation.run_on(&mut recording, self.workload, &mut Unwatched);
        (self.outcome(report.unwrap_or_else(|failure| panic!("{simulation:?}: {failure}"))), recording)
    }

    fn outcome(&self, report: Report) -> Outcome {
        assert!(report.muted().is_empty(), "{report:?}");
        let broadcasts = report.history().ops().iter().filter(|op| op.f != "read" && op.is_invocation()).count();
        let messages = float(report.counts().servers.msg);
        let per_op = messages / float(report.history().invocation_count());
        Outcome { per_op, per_broadcast: messages / float(broadcasts), nodes: self.nodes, report }
    }
}

impl Outcome {
    pub(crate) fn history(&self) -> &History {
        self.report.history()
    }

    /// The calls that reproduce it.
    pub(crate) fn replay(&self) -> &str {
        self.report.replay()
    }

    /// A quantile of the stable latencies, ms.
    pub(crate) fn stable(&self, quantile: f64) -> u128 {
        self.report.stable_latency(quantile).expect("this quantile is reported").as_millis()
    }

    pub(crate) fn count(&self, key: &str) -> i64 {
        self.report.workload().get(key).and_then(Value::as_int).expect("this count is reported")
    }

    /// Asserts that all nodes read every acknowledged value at the end.
    pub(crate) fn assert_nothing_lost(&self) {
        assert_eq!((self.count("lost-count"), self.count("never-read-count")), (0, 0), "{}", self.replay());
        assert_eq!(self.report.workload().get("valid?"), Some(&Value::Bool(true)), "{}", self.replay());
    }
}

pub(crate) fn float(count: impl TryInto<u32>) -> f64 {
    f64::from(count.try_into().unwrap_or(u32::MAX))
}

pub(crate) fn mean(figures: impl IntoIterator<Item = f64>) -> f64 {
    let figures: Vec<f64> = figures.into_iter().collect();
    figures.iter().sum::<f64>() / float(figures.len())
}
