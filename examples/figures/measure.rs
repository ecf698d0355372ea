//! A measurement: a command line of `gloomers test` in virtual time, repeated with several seeds.
//!
//! The metrics are those of `results.edn`; `gloomers test` with the same options, `--virtual-time` and a seed repeats a
//! run.

use std::fmt::Write as _;

use gossip_gloomers::simulation::{Simulation, Value, Watch};

/// Why a measurement failed.
pub(crate) type Error = Box<dyn std::error::Error>;

/// The metrics of one run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Metrics {
    /// Messages between servers per client operation.
    pub(crate) messages_per_op: f64,
    /// Bytes of these messages per client operation.
    pub(crate) bytes_per_op: f64,
    /// The length of the longest of these messages.
    pub(crate) longest_line_bytes: f64,
    /// The median of the stable latencies.
    pub(crate) median_ms: f64,
    /// The maximum of the stable latencies.
    pub(crate) maximum_ms: f64,
    /// The number of values that were read and later missing.
    pub(crate) lost: f64,
    /// The number of values missing in the final reads.
    pub(crate) never_read: f64,
}

/// Runs with the seeds 1, 2, 3 and so on.
pub(crate) fn measure(options: &str, seeds: u64) -> Result<Vec<Metrics>, Error> {
    (1..=seeds)
        .map(|seed| one(options, seed).map_err(|error| format!("{options} --seed {seed}: {error}").into()))
        .collect()
}

fn one(options: &str, seed: u64) -> Result<Metrics, Error> {
    let simulation = Simulation::command(options)?.seed(seed);
    let mut traffic = Traffic::default();
    let report = simulation.run_on(&mut simulation.cluster()?, simulation.workload(), &mut traffic)?;
    if !report.muted().is_empty() {
        return Err(format!("not every node took part: {:?}", report.muted()).into());
    }
    let results = report.results();
    let set = |key| figure(results, &[Value::keyword("workload"), Value::keyword(key)]);
    let latency = |at| figure(results, &[Value::keyword("workload"), Value::keyword("stable-latencies"), at]);
    Ok(Metrics {
        messages_per_op: figure(results, &["net", "servers", "msgs-per-op"].map(Value::keyword))?,
        bytes_per_op: f64::from(traffic.bytes) / f64::from(u32::try_from(report.history().invocation_count())?),
        longest_line_bytes: f64::from(traffic.longest),
        median_ms: latency(Value::Float(0.5))?,
        maximum_ms: latency(Value::Int(1))?,
        lost: set("lost-count")?,
        never_read: set("never-read-count")?,
    })
}

fn figure(results: &Value, path: &[Value]) -> Result<f64, Error> {
    let found = path.iter().try_fold(results, |map, key| map.entry(key)).and_then(Value::as_float);
    found.ok_or_else(|| {
        let mut keys = String::new();
        for key in path {
            write!(keys, " {key}").ok();
        }
        format!("the results lack{keys}").into()
    })
}

/// Counts the bytes of messages between servers.
#[derive(Debug, Default)]
struct Traffic {
    bytes: u32,
    longest: u32,
}

impl Watch for Traffic {
    fn follows_messages(&self) -> (bool, bool) {
        (true, false)
    }

    fn on_message(&mut self, line: &str) {
        let Some(line) = line.strip_prefix(":send ") else { return };
        // Ids come before the body, and only those of clients start with `c`.
        if line.split("\":\"c").next().is_some_and(|names| names.contains("\"body\":")) {
            // The newline is sent, but not reported.
            let bytes = u32::try_from(line.len() + 1).unwrap_or(u32::MAX);
            self.bytes = self.bytes.saturating_add(bytes);
            self.longest = self.longest.max(bytes);
        }
    }
}

/// The mean over all runs.
pub(crate) fn average(runs: &[Metrics], of: impl Fn(&Metrics) -> f64) -> f64 {
    total(runs, of) / f64::from(u32::try_from(runs.len()).unwrap_or(u32::MAX))
}

/// The sum over all runs.
pub(crate) fn total(runs: &[Metrics], of: impl Fn(&Metrics) -> f64) -> f64 {
    runs.iter().map(of).sum()
}

/// The maximum over all runs.
pub(crate) fn worst(runs: &[Metrics], of: impl Fn(&Metrics) -> f64) -> f64 {
    runs.iter().map(of).fold(0.0, f64::max)
}

/// The median over all runs; the upper one of an even number.
pub(crate) fn median(runs: &[Metrics], of: impl Fn(&Metrics) -> f64) -> f64 {
    let mut all: Vec<f64> = runs.iter().map(of).collect();
    all.sort_unstable_by(f64::total_cmp);
    all[all.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_between_servers_are_counted() {
        let mut traffic = Traffic::default();
        traffic.on_message(r#":send {"id":1,"src":"c7","dest":"n1","body":{"type":"read"}}"#);
        traffic.on_message(r#":send {"id":2,"src":"n1","dest":"c7","body":{"type":"read_ok"}}"#);
        assert_eq!(traffic.bytes, 0);
        let line = r#"{"id":3,"src":"n1","dest":"n2","body":{"type":"gossip","a":"c"}}"#;
        traffic.on_message(&format!(":send {line}"));
        traffic.on_message(&format!(":recv {line}"));
        let bytes = u32::try_from(line.len() + 1).expect("short");
        assert_eq!((traffic.bytes, traffic.longest), (bytes, bytes));
    }

    #[test]
    fn the_same_seeds_give_the_same_metrics() {
        let options = "-w broadcast --node-count 3 --time-limit 2 --rate 20 --latency 10";
        let runs = measure(options, 2).expect("it runs");
        assert_eq!(runs, measure(options, 2).expect("it runs"));
        assert!(average(&runs, |run| run.bytes_per_op) > average(&runs, |run| run.messages_per_op));
        assert!(worst(&runs, |run| run.lost) < 1.0 && median(&runs, |run| run.longest_line_bytes) > 0.0);
    }
}
