//! A test bed: a plan, the nodes on it, and what came of it.

use std::time::Duration;

use gossip_gloomers::gossip::Settings;
use gossip_gloomers::nodes::{Broadcast, GSet};
use gossip_gloomers::workbench::check;
use gossip_gloomers::workbench::cluster::Cluster;
use gossip_gloomers::workbench::edn::Value;
use gossip_gloomers::workbench::engines::Engines;
use gossip_gloomers::workbench::history::History;
use gossip_gloomers::workbench::nemesis::Fault;
use gossip_gloomers::workbench::network::{Conditions, Delivery, Latency, Shape};
use gossip_gloomers::workbench::run::{Plan, Unwatched, run};
use gossip_gloomers::workbench::workload::{Kind as Workload, Terms};

use crate::ledger::Ledger;

/// How many seeds each claim is tried with: a few, or `SEEDS`.
pub(crate) fn seeds(few: u64) -> std::ops::Range<u64> {
    0..std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(few)
}

/// What to try.
#[derive(Debug, Clone)]
pub(crate) struct Bed {
    pub(crate) plan: Plan,
    pub(crate) max_staleness: Option<Duration>,
    workload: Workload,
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) history: History,
    pub(crate) workload: Value,
    /// Messages between nodes, for each operation of a client, and for each broadcast.
    pub(crate) per_op: f64,
    pub(crate) per_broadcast: f64,
    pub(crate) nodes: usize,
    told: String,
}

impl Bed {
    /// Challenge 3d with any number of nodes: four operations a second for each, 100 ms from node to node.
    pub(crate) fn new(nodes: usize) -> Self {
        let conditions = Conditions {
            latency: Latency { mean_ms: 100, shape: Shape::Constant },
            delivery: Delivery::Held,
            loss: 0.0,
            duplication: 0.0,
        };
        let plan = Plan {
            nodes: (0..nodes).map(|index| format!("n{index}")).collect(),
            threads: nodes,
            rate: 4.0 * f64::from(u32::try_from(nodes).expect("few nodes")),
            time_limit: Duration::from_secs(20),
            faults: Vec::new(),
            nemesis_interval: Duration::from_secs(10),
            conditions,
            seed: 0,
            log_send: false,
            log_recv: false,
        };
        Self { plan, max_staleness: None, workload: Workload::Broadcast }
    }

    /// The same on nodes of the g-set workload.
    pub(crate) fn g_set(mut self) -> Self {
        self.workload = Workload::GSet;
        self
    }

    pub(crate) fn latency(mut self, mean_ms: u64, shape: Shape) -> Self {
        self.plan.conditions.latency = Latency { mean_ms, shape };
        self
    }

    pub(crate) fn free(mut self) -> Self {
        self.plan.conditions.delivery = Delivery::Free;
        self
    }

    pub(crate) fn stale(mut self, ms: u64) -> Self {
        self.max_staleness = Some(Duration::from_millis(ms));
        self
    }

    pub(crate) fn faults(mut self, faults: &[Fault], interval_s: u64, time_limit_s: u64) -> Self {
        self.plan.faults = faults.to_vec();
        self.plan.nemesis_interval = Duration::from_secs(interval_s);
        self.plan.time_limit = Duration::from_secs(time_limit_s);
        self
    }

    pub(crate) fn run(&self, seed: u64) -> Outcome {
        self.run_on(&mut self.cluster(seed), seed)
    }

    /// Runs it, and keeps a ledger.
    pub(crate) fn run_watched(&self, seed: u64) -> (Outcome, Ledger) {
        let mut ledger = Ledger::of(self.cluster(seed));
        (self.run_on(&mut ledger, seed), ledger)
    }

    fn cluster(&self, seed: u64) -> Engines {
        let settings = Settings { max_staleness: self.max_staleness };
        let nodes = self.plan.nodes.len();
        if self.workload == Workload::GSet {
            Engines::of::<GSet>(nodes, seed, &settings)
        } else {
            Engines::of::<Broadcast>(nodes, seed, &settings)
        }
    }

    fn run_on(&self, cluster: &mut impl Cluster, seed: u64) -> Outcome {
        let plan = Plan { seed, ..self.plan.clone() };
        let nodes = plan.nodes.len();
        let mut workload = self.workload.begin(&Terms::default());
        let told = self.command(seed);
        let outcome = run(&plan, &mut *workload, cluster, &mut Unwatched).expect(&told);
        assert!(outcome.muted.is_empty(), "{told}: {:?}", outcome.muted);
        let history: History = outcome.history.into_iter().collect();
        let workload = check::check_workload(self.workload.name(), &history, &check::Options::default()).expect(&told);
        let broadcasts = history.ops().iter().filter(|op| op.f != "read" && op.is_invocation()).count();
        let messages = float(outcome.counts.servers.msg);
        let per_op = messages / float(history.invocation_count());
        let per_broadcast = messages / float(broadcasts);
        Outcome { history, workload, per_op, per_broadcast, nodes, told }
    }

    /// The command that runs the same test.
    fn command(&self, seed: u64) -> String {
        let Plan { nodes, rate, time_limit, faults, nemesis_interval, conditions, .. } = &self.plan;
        let mut command = format!(
            "gloomers test -w {} --virtual-time --seed {seed} --node-count {} --rate {rate} --time-limit {} \
             --latency {} --latency-dist {:?} --delivery {:?} --loss {} --duplication {}",
            self.workload.name(),
            nodes.len(),
            time_limit.as_secs(),
            conditions.latency.mean_ms,
            conditions.latency.shape,
            conditions.delivery,
            conditions.loss,
            conditions.duplication,
        )
        .to_lowercase();
        if !faults.is_empty() {
            let names: Vec<&str> = faults.iter().map(|fault| fault.name()).collect();
            let (names, interval) = (names.join(","), nemesis_interval.as_secs());
            command = format!("{command} --nemesis {names} --nemesis-interval {interval}");
        }
        if let Some(staleness) = self.max_staleness {
            command = format!("{command} -- --max-staleness {}ms", staleness.as_millis());
        }
        command
    }
}

impl Outcome {
    /// The command that replays this, for messages of failure.
    pub(crate) fn told(&self) -> &str {
        &self.told
    }

    /// A quantile of the stable latencies, ms.
    pub(crate) fn stable(&self, quantile: f64) -> i64 {
        let latencies = self.workload.get("stable-latencies").and_then(Value::entries).unwrap_or_default();
        let found = latencies.iter().find(|(key, _)| {
            key.as_float().or_else(|| key.as_int().map(|key| if key == 0 { 0.0 } else { 1.0 })) == Some(quantile)
        });
        found.and_then(|(_, latency)| latency.as_int()).expect("this quantile is reported")
    }

    pub(crate) fn count(&self, key: &str) -> i64 {
        self.workload.get(key).and_then(Value::as_int).expect("this count is reported")
    }

    /// Every value that was acknowledged is read by everyone at the end.
    pub(crate) fn assert_nothing_lost(&self) {
        assert_eq!((self.count("lost-count"), self.count("never-read-count")), (0, 0), "{}", self.told);
        assert_eq!(self.workload.get("valid?"), Some(&Value::Bool(true)), "{}", self.told);
    }
}

pub(crate) fn float(count: impl TryInto<u32>) -> f64 {
    f64::from(count.try_into().unwrap_or(u32::MAX))
}

pub(crate) fn mean(figures: impl IntoIterator<Item = f64>) -> f64 {
    let figures: Vec<f64> = figures.into_iter().collect();
    figures.iter().sum::<f64>() / float(figures.len())
}
