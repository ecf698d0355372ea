//! `report.html`: a self-contained page, which works from a file and without a network.
//!
//! The data are embedded as JSON, in columns; text from nodes never becomes markup. The size of the page is bounded by
//! the limits on operations and messages drawn, and by [`MAX_BODY_CHARS`] and [`MAX_VALUE_CHARS`].

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Write};

use serde::Serialize;

use super::Run;
use super::faults::{FaultSpan, faults};
use super::operations::{OUTCOMES, Operations, QUANTILES, Windows};
use crate::workbench::check::{Verdict, set_full};
use crate::workbench::edn::Value;
use crate::workbench::nemesis::Fault;
use crate::workbench::network::{Delivery, End, Journal, Passage, Shape};
use crate::workbench::quote::cut;
use crate::workbench::report::challenges::Challenge;
use crate::workbench::report::metrics::Metrics;
use crate::workbench::report::summary::abridged;
use crate::workbench::services::Services;
use crate::workbench::test::Outcome;

/// The maximum number of messages of each kind, from or to clients and between servers: few enough for a page that
/// opens at once.
const MAX_MESSAGES: usize = 10_000;
/// The maximum length of a message's body.
const MAX_BODY_CHARS: usize = 400;
const MAX_BODY_BYTES: usize = 4 * MAX_BODY_CHARS;
/// The maximum length of an operation's value, and the maximum number of elements of a list of integers.
const MAX_VALUE_CHARS: usize = 80;
const MAX_ELEMENTS: usize = 12;
/// The maximum number of links in the matrix, of which the busiest are kept: those of 141 fully connected nodes.
const MAX_LINKS: usize = 20_000;
/// The maximum number of stable latencies, of which evenly spaced ones are kept.
const MAX_LATENCIES: usize = 20_000;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPTS: [&str; 7] = [
    include_str!("basics.js"),
    include_str!("plot.js"),
    include_str!("charts.js"),
    include_str!("diagram.js"),
    include_str!("timeline.js"),
    include_str!("svg.js"),
    include_str!("page.js"),
];

/// The lane of all clients.
const CLIENTS: &str = "clients";

#[derive(Serialize)]
struct Page<'a> {
    workload: &'static str,
    verdict: &'static str,
    remarks: &'a [String],
    setting: Vec<(&'static str, String)>,
    results: Option<Value>,
    challenges: Vec<(&'static str, Metrics)>,
    /// Whether the limits of the challenges apply to the run.
    challenged: bool,
    end_us: i64,
    /// The number of concurrent clients, by which the process numbers of one client differ.
    clients: usize,
    operations: OperationColumns<'a>,
    quantiles: Quantiles,
    rates: Windows<Vec<[f64; OUTCOMES.len()]>>,
    faults: Vec<(&'static str, String, i64, i64)>,
    staleness_ms: Vec<i64>,
    lanes: Vec<&'a str>,
    links: Links,
    messages: Messages<'a>,
}

/// Operations in columns.
#[derive(Serialize)]
struct OperationColumns<'a> {
    total: usize,
    names: &'a [&'a str],
    outcomes: Vec<&'static str>,
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

/// Messages in columns, in the order of sending.
#[derive(Serialize, Default)]
struct Messages<'a> {
    total: usize,
    names: Vec<&'a str>,
    /// The lane of each name.
    lane: Vec<usize>,
    types: Vec<Cow<'a, str>>,
    id: Vec<u64>,
    src: Vec<usize>,
    dest: Vec<usize>,
    kind: Vec<usize>,
    sent_us: Vec<i64>,
    arrived_us: Vec<Option<i64>>,
    /// Arrivals of duplicates, with the index of the message.
    again_us: Vec<(usize, i64)>,
    body: Vec<Cow<'a, str>>,
    /// Bodies that were cut: the index of the message, and its length in bytes.
    cut: Vec<(usize, usize)>,
}

/// Writes the page.
pub(super) fn write(run: &Run<'_>, mut file: impl Write) -> io::Result<()> {
    let Run { outcome, results, config, verdict, remarks } = *run;
    let operations = Operations::of(&outcome.history);
    let lanes = lanes(run);
    let page = Page {
        workload: config.workload.name(),
        verdict: verdict.map_or("none", Verdict::word),
        remarks,
        setting: setting(run),
        results: results.map(|results| abridged(&results.to_edn())),
        challenges: Challenge::efficiency().map(|challenge| (challenge.name, challenge.limits)).collect(),
        challenged: Challenge::measures(config),
        end_us: operations.end_us,
        clients: config.concurrency,
        operations: drawn(&operations),
        quantiles: Quantiles { levels: QUANTILES, windows: operations.quantiles() },
        rates: operations.rates(),
        faults: faults(&outcome.history).into_iter().map(FaultSpan::into_columns).collect(),
        staleness_ms: staleness(run),
        links: links(&outcome.journal, &lanes),
        messages: messages(outcome, &lanes),
        lanes: lanes.into_iter().map(|(_, name)| name).collect(),
    };
    let data = serde_json::to_string(&page)?;
    let (head, rest) = TEMPLATE.split_once("/*style*/").expect("the template has a place for the style");
    let (body, rest) = rest.split_once("/*data*/").expect("the template has a place for the data");
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

/// How late the elements of a set were; nothing for other workloads.
fn staleness(run: &Run<'_>) -> Vec<i64> {
    let latencies = set_full::stable_latencies(&run.outcome.history);
    if latencies.len() <= MAX_LATENCIES {
        return latencies;
    }
    let last = latencies.len() - 1;
    (0..MAX_LATENCIES).map(|index| latencies[index * last / (MAX_LATENCIES - 1)]).collect()
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

/// The first [`MAX_MESSAGES`] from and to clients, and the first between servers.
fn first_of_each_kind(journal: &Journal) -> impl Iterator<Item = &Passage> {
    let mut left = [MAX_MESSAGES; 2];
    journal.passages().iter().filter(move |passage| {
        let left = &mut left[usize::from(passage.src.starts_with('c') || passage.dest.starts_with('c'))];
        let is_drawn = *left > 0;
        *left = left.saturating_sub(1);
        is_drawn
    })
}

fn messages<'a>(outcome: &'a Outcome, lanes: &[(End, &'a str)]) -> Messages<'a> {
    let journal = &outcome.journal;
    let mut messages = Messages { total: outcome.counts.all.msg, ..Messages::default() };
    let lanes: HashMap<&str, usize> = lanes.iter().enumerate().skip(1).map(|(lane, (_, name))| (*name, lane)).collect();
    let (mut names, mut types) = (HashMap::new(), HashMap::new());
    for (place, passage) in first_of_each_kind(journal).enumerate() {
        let mut name = |name: &'a str| {
            *names.entry(name).or_insert_with(|| {
                messages.names.push(name);
                messages.lane.push(lanes.get(name).copied().unwrap_or_default());
                messages.names.len() - 1
            })
        };
        messages.src.push(name(&passage.src));
        messages.dest.push(name(&passage.dest));
        let kind = passage.kind().unwrap_or("?".into());
        let kind = *types.entry(kind).or_insert_with_key(|kind| {
            messages.types.push(cut(kind, MAX_VALUE_CHARS).into());
            messages.types.len() - 1
        });
        messages.kind.push(kind);
        messages.id.push(passage.id);
        messages.sent_us.push(journal.us(passage.sent));
        let mut arrivals = passage.arrivals().map(|time| journal.us(time));
        messages.arrived_us.push(arrivals.next());
        messages.again_us.extend(arrivals.next().map(|time| (place, time)));
        let (body, length) = passage.start_of_body(MAX_BODY_BYTES);
        let end = body.char_indices().nth(MAX_BODY_CHARS).map(|(end, _)| end);
        messages.body.push(match (body, end) {
            (Cow::Borrowed(body), Some(end)) => body[..end].into(),
            (Cow::Owned(body), Some(end)) => body[..end].to_owned().into(),
            (body, None) => body,
        });
        messages.cut.extend(end.map(|_| (place, length)));
    }
    messages
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
