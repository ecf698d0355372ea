//! `report.html`: a self-contained page, which works from a file and without a network.
//!
//! The data are embedded as JSON, in columns; text from nodes never becomes markup. What is long, the messages, is
//! compressed.

mod messages;
mod pack;

use std::collections::HashMap;
use std::io::{self, Write};

use serde::Serialize;

use super::Run;
use super::faults::{FaultSpan, faults};
use super::operations::{OUTCOMES, Operations, QUANTILES, Windows};
use crate::workbench::check::{Verdict, set_full};
use crate::workbench::edn::Value;
use crate::workbench::explain::{Cut, Explanation, Faults, Outage};
use crate::workbench::nemesis::Fault;
use crate::workbench::network::{Delivery, End, Journal, Shape};
use crate::workbench::quote::cut;
use crate::workbench::report::challenges::Challenge;
use crate::workbench::report::metrics::Metrics;
use crate::workbench::report::summary::abridged;
use crate::workbench::services::Services;
use messages::Messages;

/// The maximum length of an operation's value, and the maximum number of elements of a list of integers.
const MAX_VALUE_CHARS: usize = 80;
const MAX_ELEMENTS: usize = 12;
/// The maximum number of links in the matrix, of which the busiest are kept: those of 141 fully connected nodes.
const MAX_LINKS: usize = 20_000;
/// The maximum number of stable latencies, of which evenly spaced ones are kept.
const MAX_LATENCIES: usize = 20_000;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPTS: [&str; 21] = [
    include_str!("basics.js"),
    include_str!("unpack.js"),
    include_str!("plot.js"),
    include_str!("pick.js"),
    include_str!("charts.js"),
    include_str!("staleness.js"),
    include_str!("matrix.js"),
    include_str!("messages.js"),
    include_str!("lanes.js"),
    include_str!("faults.js"),
    include_str!("lines.js"),
    include_str!("diagram.js"),
    include_str!("details.js"),
    include_str!("overview.js"),
    include_str!("navigate.js"),
    include_str!("journey.js"),
    include_str!("search.js"),
    include_str!("timeline.js"),
    include_str!("svg.js"),
    include_str!("print.js"),
    include_str!("page.js"),
];

/// The lane of all clients.
const CLIENTS: &str = "clients";

#[derive(Serialize)]
struct Page<'a> {
    workload: &'static str,
    verdict: &'static str,
    remarks: &'a [String],
    explanations: &'a [Explanation],
    unexplained: usize,
    /// The files beside the page.
    files: &'a [String],
    setting: Vec<(&'static str, String)>,
    results: Option<Value>,
    challenges: Vec<(&'static str, Metrics)>,
    /// Whether the limits of the challenges apply to the run.
    challenged: bool,
    end_us: i64,
    /// The end of the main phase, if it is known.
    main_us: Option<i64>,
    /// The number of concurrent clients, by which the process numbers of one client differ.
    clients: usize,
    operations: OperationColumns<'a>,
    quantiles: Quantiles,
    rates: Windows<Vec<[f64; OUTCOMES.len()]>>,
    faults: Vec<(&'static str, String, i64, i64)>,
    cuts: Vec<NamedCut<'a>>,
    outages: &'a [Outage],
    /// How late each element of a set was, and the element.
    staleness_ms: Vec<i64>,
    stale_values: Vec<String>,
    /// The number of nodes, whose lanes follow that of the clients.
    nodes: usize,
    lanes: Vec<&'a str>,
    links: Links,
    /// The clients that perform operations, each with its thread.
    threads: &'a [(usize, usize)],
}

/// A cut with its name in words.
#[derive(Serialize)]
struct NamedCut<'a> {
    name: String,
    #[serde(flatten)]
    cut: &'a Cut,
}

/// Operations in columns.
#[derive(Serialize)]
struct OperationColumns<'a> {
    total: usize,
    names: &'a [&'a str],
    outcomes: Vec<&'static str>,
    /// The index of each invocation in the history, and that of its completion.
    begun: Vec<u64>,
    ended: Vec<Option<u64>>,
    name: Vec<usize>,
    outcome: Vec<usize>,
    start_us: Vec<i64>,
    took_us: Vec<i64>,
    process: Vec<u64>,
    value: Vec<String>,
}

#[derive(Serialize)]
struct Quantiles {
    levels: [f64; QUANTILES.len()],
    #[serde(flatten)]
    windows: Windows<Option<[i64; QUANTILES.len()]>>,
}

/// Messages from lane to lane.
#[derive(Serialize)]
struct Links {
    total: usize,
    cells: Vec<(usize, usize, u32)>,
}

/// Writes the page.
pub(super) fn write(run: &Run<'_>, files: &[String], mut file: impl Write) -> io::Result<()> {
    let Run { outcome, results, config, verdict, remarks, explanations, unexplained } = *run;
    let operations = Operations::of(&outcome.history);
    let lanes = lanes(run);
    let faults_by_node = Faults::of(&outcome.history);
    let (staleness_ms, stale_values) = staleness(run);
    let page = Page {
        workload: config.workload.name(),
        verdict: verdict.map_or("none", Verdict::word),
        remarks,
        explanations,
        unexplained,
        files,
        setting: setting(run),
        results: results.map(|results| abridged(&results.to_edn())),
        challenges: Challenge::efficiency().map(|challenge| (challenge.name, challenge.limits)).collect(),
        challenged: Challenge::measures(config),
        end_us: operations.end_us,
        main_us: main_us(run),
        clients: config.concurrency,
        nodes: config.nodes.len(),
        operations: drawn(&operations),
        quantiles: Quantiles { levels: QUANTILES, windows: operations.quantiles() },
        rates: operations.rates(),
        faults: faults(&outcome.history).into_iter().map(FaultSpan::into_columns).collect(),
        cuts: faults_by_node.cuts.iter().map(|cut| NamedCut { name: cut.name(), cut }).collect(),
        outages: &faults_by_node.outages,
        staleness_ms,
        stale_values,
        links: links(&outcome.journal, &lanes),
        threads: outcome.journal.threads(),
        lanes: lanes.into_iter().map(|(_, name)| name).collect(),
    };
    let data = serde_json::to_string(&page)?;
    let (head, rest) = TEMPLATE.split_once("/*style*/").expect("the template has a place for the style");
    let (body, rest) = rest.split_once("/*data*/").expect("the template has a place for the data");
    let (between, rest) = rest.split_once("/*messages*/").expect("the template has a place for the messages");
    let (before_bodies, rest) = rest.split_once("/*bodies*/").expect("the template has a place for the bodies");
    let (end, tail) = rest.split_once("/*script*/").expect("the template has a place for the script");
    for part in [head, STYLE, body] {
        file.write_all(part.as_bytes())?;
    }
    // Inside a script only `<` can be taken for markup; in JSON it occurs in strings only.
    for (index, part) in data.split('<').enumerate() {
        if index > 0 {
            file.write_all(b"\\u003c")?;
        }
        file.write_all(part.as_bytes())?;
    }
    let (messages, bodies) = Messages::of(outcome);
    file.write_all(between.as_bytes())?;
    pack::write(&serde_json::to_vec(&messages)?, &mut file)?;
    file.write_all(before_bodies.as_bytes())?;
    pack::write(bodies.as_bytes(), &mut file)?;
    file.write_all(end.as_bytes())?;
    for script in SCRIPTS {
        file.write_all(script.as_bytes())?;
    }
    file.write_all(tail.as_bytes())
}

fn drawn<'a>(operations: &'a Operations<'a>) -> OperationColumns<'a> {
    let points = operations.drawn();
    OperationColumns {
        total: operations.points.len(),
        names: &operations.names,
        outcomes: OUTCOMES.iter().map(|outcome| outcome.name()).collect(),
        begun: points.iter().map(|point| point.begun).collect(),
        ended: points.iter().map(|point| point.ended).collect(),
        name: points.iter().map(|point| point.name).collect(),
        outcome: points.iter().map(|point| point.outcome).collect(),
        start_us: points.iter().map(|point| point.start_us).collect(),
        took_us: points.iter().map(|point| point.took_us).collect(),
        process: points.iter().map(|point| point.process).collect(),
        value: points
            .iter()
            .map(|point| match point.error {
                Some(error) => format!("{} {}", brief(point.value), brief(error)),
                None => brief(point.value),
            })
            .collect(),
    }
}

/// A value, cut to [`MAX_ELEMENTS`] or [`MAX_VALUE_CHARS`].
pub(super) fn brief(value: &Value) -> String {
    if let Value::Ints(ints) = value
        && ints.len() > MAX_ELEMENTS
    {
        let shown = ints.iter().take(MAX_ELEMENTS).map(Value::Int).collect::<Value>().to_string();
        return format!("{} …] ({} elements)", shown.trim_end_matches(']'), ints.len());
    }
    cut(&value.to_string(), MAX_VALUE_CHARS)
}

/// How late the elements of a set were, and the elements; nothing for other workloads.
fn staleness(run: &Run<'_>) -> (Vec<i64>, Vec<String>) {
    let all = set_full::stable_elements(&run.outcome.history);
    let shown = all.len().min(MAX_LATENCIES);
    let evenly = (0..shown).map(|index| &all[index * (all.len() - 1) / (shown - 1).max(1)]);
    evenly.map(|(latency, value)| (*latency, value.to_json())).unzip()
}

/// When the main phase ended, after which faults are healed and values read for the last time.
fn main_us(run: &Run<'_>) -> Option<i64> {
    let lasted = run.outcome.extended.throughput.lasted.as_nanos() / 1_000;
    i64::try_from(lasted).ok().filter(|us| *us > 0)
}

/// The lanes and their names: clients, nodes, and the services that were used.
fn lanes<'a>(run: &Run<'a>) -> Vec<(End, &'a str)> {
    let nodes = &run.config.nodes;
    let is_used = |lane: End| run.outcome.journal.links().any(|(from, to, _)| from == lane || to == lane);
    let receivers = nodes.iter().map(String::as_str).chain(Services::NAMES).enumerate();
    let receivers = receivers.filter(|(index, _)| *index < nodes.len() || is_used(End::Receiver(*index)));
    std::iter::once((End::Clients, CLIENTS))
        .chain(receivers.map(|(index, name)| (End::Receiver(index), name)))
        .collect()
}

fn links(journal: &Journal, lanes: &[(End, &str)]) -> Links {
    let lanes: HashMap<End, usize> = lanes.iter().enumerate().map(|(lane, (end, _))| (*end, lane)).collect();
    let mut cells: Vec<_> = journal.links().map(|(from, to, count)| (lanes[&from], lanes[&to], count)).collect();
    let total = cells.len();
    if total > MAX_LINKS {
        cells.sort_unstable_by_key(|(from, to, count)| (std::cmp::Reverse(*count), *from, *to));
        cells.truncate(MAX_LINKS);
    }
    Links { total, cells }
}

/// The configuration as names and values; rarely used options appear only if they are not at their defaults.
fn setting(run: &Run<'_>) -> Vec<(&'static str, String)> {
    let config = run.config;
    let latency = match (config.latency.mean_ms, config.latency.shape) {
        (0, _) => "none".to_owned(),
        (mean, Shape::Constant) => format!("{mean} ms"),
        (mean, Shape::Uniform) => format!("{mean} ms, uniform"),
        (mean, Shape::Exponential) => format!("{mean} ms, exponential"),
    };
    let mut setting = vec![
        ("nodes", config.nodes.len().to_string()),
        ("clients", config.concurrency.to_string()),
        ("rate", format!("{} operations a second", config.rate)),
        ("time limit", format!("{} s", config.time_limit.as_secs())),
        ("main phase", run.outcome.extended.throughput.in_words()),
        ("latency", latency),
    ];
    if !config.nemesis.is_empty() {
        let faults: Vec<_> = config.nemesis.iter().copied().map(Fault::name).collect();
        let every = config.nemesis_interval.as_secs_f64();
        setting.push(("faults", format!("{}, every {every} s", faults.join(", "))));
    }
    for (name, probability) in [("loss", config.loss), ("duplication", config.duplication)] {
        if probability > 0.0 {
            setting.push((name, probability.to_string()));
        }
    }
    if config.delivery == Delivery::Free {
        setting.push(("delivery", "free".to_owned()));
    }
    if !config.arguments.is_empty() {
        setting.push(("node arguments", config.arguments.join(" ")));
    }
    let clock = if config.virtual_time { "virtual" } else { "real" };
    setting.extend([("time", clock.to_owned()), ("seed", config.seed.to_string())]);
    setting
}
