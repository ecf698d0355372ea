//! What the values of options must be.

use std::path::Path;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::table::WITHOUT_EFFECT;
use super::{Options, Refusal};
use crate::time::Duration;
use crate::workbench::builtin::Builtin;
use crate::workbench::check::{Availability, txn};
use crate::workbench::client::INIT_PATIENCE;
use crate::workbench::jitter::Jitter;
use crate::workbench::nemesis::Fault;
use crate::workbench::network::{Delivery, Latency, Shape};
use crate::workbench::services::Services;
use crate::workbench::workload;
use crate::workbench::workload::topology::Topology;

/// Thirty years: twice as long still fits every clock.
const FOREVER_S: f64 = 1e9;
/// As many nodes as a test may have, and as many operations as one in virtual time may come to: both live in memory.
const MAX_NODES: usize = 10_000;
/// See [`MAX_NODES`].
const MAX_VIRTUAL_OPERATIONS: f64 = 2e7;
/// A nemesis that acts more often than every millisecond does nothing else.
const SHORTEST_INTERVAL_S: f64 = 1e-3;
const DEFAULT_NODES: [&str; 5] = ["n1", "n2", "n3", "n4", "n5"];

struct Checks<'a> {
    matches: &'a ArgMatches,
    errors: Vec<String>,
}

impl Checks<'_> {
    fn text(&self, name: &str) -> Option<String> {
        self.matches.get_one::<String>(name).cloned()
    }

    /// The value of an option, or `default` when it is absent or (which is remembered) wrong.
    fn value<T>(&mut self, name: &str, default: T, must: &str, read: impl Fn(&str) -> Option<T>) -> T {
        let Some(text) = self.text(name) else { return default };
        read(&text).unwrap_or_else(|| {
            self.errors.push(format!("Failed to validate \"--{name} {text}\": {must}"));
            default
        })
    }

    fn positive(&mut self, name: &str, default: u64) -> u64 {
        self.value(name, default, "Must be a positive integer", |text| text.parse().ok().filter(|n| *n > 0))
    }

    fn probability(&mut self, name: &str) -> f64 {
        self.value(name, 0.0, "Must be a number from 0 to 1", |text| number(text).filter(|n| (0.0..=1.0).contains(n)))
    }

    /// The consistency models, which must all be known: a test is not run for a verdict that it cannot have.
    fn models(&mut self) -> Vec<String> {
        let text = self.text("consistency-models").unwrap_or(txn::DEFAULT_MODEL.into());
        models(&text).unwrap_or_else(|problem| {
            self.errors.push(problem);
            Vec::new()
        })
    }

    /// Whether everything can be done that is to go wrong.
    fn faults(&mut self, options: &Options) {
        let beyond = options.nemesis.iter().filter(|fault| fault.is_virtual() && !options.virtual_time);
        self.errors.extend(beyond.map(|fault| {
            let name = fault.name();
            format!(
                "--nemesis {name} needs --virtual-time: real processes share the speed and the clock of the machine"
            )
        }));
    }

    /// Whether the machine can be made as late as it is to be.
    fn jitter(&mut self, options: &Options) {
        if options.jitter != Jitter::None && !options.virtual_time {
            let name = options.jitter.name();
            self.errors.push(format!(
                "--jitter {name} needs --virtual-time: real processes have the jitter of the machine that they run on"
            ));
        }
    }

    /// Whether a test that does not wait ends within the memory of the machine.
    fn size(&mut self, options: &Options) {
        let operations = options.rate * options.time_limit.as_secs_f64();
        if options.virtual_time && operations > MAX_VIRTUAL_OPERATIONS {
            self.errors.push(format!(
                "--rate and --time-limit come to {operations:.0} operations; in virtual time, which does not wait, at \
                 most {MAX_VIRTUAL_OPERATIONS:.0} are possible"
            ));
        }
    }

    /// Whether there is a node, and it takes its arguments, as far as that can be told before it starts.
    fn node(&mut self, options: &Options) {
        let builtin = Builtin::of(options.workload.name());
        let fault = match (&options.bin, options.virtual_time) {
            (Some(_), true) => Err("--virtual-time is for the built-in nodes; leave out --bin".to_owned()),
            (Some(_), false) => Ok(()),
            (None, true) => builtin.and_then(|node| node.check(&options.arguments)),
            (None, false) => builtin
                .map_err(|error| format!("{error}; name an executable with --bin"))
                .and_then(|node| node.check(&options.arguments)),
        };
        self.errors.extend(fault.err());
    }
}

/// Options out of arguments, or everything that is wrong with them.
pub(super) fn options(matches: &ArgMatches) -> Result<Options, Refusal> {
    let mut checks = Checks { matches, errors: Vec::new() };
    let workload = workload(&mut checks);
    let nodes = nodes(&mut checks);
    let flag = |name: &str| matches.get_flag(name);
    let options = Options {
        workload: workload.unwrap_or(workload::Kind::Echo),
        bin: checks.text("bin").map(Into::into),
        arguments: matches.get_many::<String>("arguments").into_iter().flatten().cloned().collect(),
        concurrency: checks.value(
            "concurrency",
            nodes.len(),
            "Must be a positive integer, or one followed by n",
            |text| {
                let (count, each) = text.strip_suffix('n').map_or((text, 1), |count| (count, nodes.len()));
                let digits = count.bytes().all(|byte| byte.is_ascii_digit());
                count.parse().ok().filter(|count: &usize| digits && *count > 0)?.checked_mul(each)
            },
        ),
        rate: checks.value("rate", 5.0, "Must be a number not below 0", |text| number(text).filter(|n| *n >= 0.0)),
        time_limit: Duration::from_secs(checks.positive("time-limit", 60)),
        init_timeout: checks.value("init-timeout", INIT_PATIENCE, "Must be a number of seconds above 0", |text| {
            number(text).filter(|n| *n > 0.0 && *n < FOREVER_S).map(Duration::from_secs_f64).filter(|d| !d.is_zero())
        }),
        latency: Latency {
            shape: checks.value("latency-dist", Shape::Constant, "Must be constant, uniform, or exponential", |text| {
                match text {
                    "constant" => Some(Shape::Constant),
                    "uniform" => Some(Shape::Uniform),
                    "exponential" => Some(Shape::Exponential),
                    _ => None,
                }
            }),
            mean_ms: checks.value("latency", 0, "Must be an integer not below 0, in milliseconds", |text| {
                text.parse::<u32>().ok().map(u64::from)
            }),
        },
        topology: checks.value(
            "topology",
            Topology::Grid,
            &format!("Must be one of {}", Topology::NAMES.join(", ")),
            Topology::named,
        ),
        nemesis: checks.value(
            "nemesis",
            Vec::new(),
            "Faults must be partition, one-way, kill, pause, slow or skew",
            faults,
        ),
        nemesis_interval: checks.value(
            "nemesis-interval",
            Duration::from_secs(10),
            "Must be a number of seconds from a thousandth to a thousand million",
            |text| number(text).filter(|n| (SHORTEST_INTERVAL_S..FOREVER_S).contains(n)).map(Duration::from_secs_f64),
        ),
        availability: checks
            .value("availability", None, "Must be total, or a number from 0 to 1", |text| availability(text).map(Some)),
        consistency_models: checks.models(),
        key_count: checks.positive("key-count", 10),
        max_txn_length: checks.positive("max-txn-length", 4),
        max_writes_per_key: checks.positive("max-writes-per-key", 16),
        log_stderr: flag("log-stderr"),
        log_net_send: flag("log-net-send"),
        log_net_recv: flag("log-net-recv"),
        test_count: checks.positive("test-count", 1),
        seed: checks.value("seed", None, "Must be an integer from 0 to 18446744073709551615", |text| {
            text.parse().ok().map(Some)
        }),
        delivery: checks.value("delivery", Delivery::Held, "Must be held or free", |text| match text {
            "held" => Some(Delivery::Held),
            "free" => Some(Delivery::Free),
            _ => None,
        }),
        loss: checks.probability("loss"),
        duplication: checks.probability("duplication"),
        jitter: checks.value("jitter", Jitter::None, "Must be none, quiet or busy", |text| {
            Jitter::ALL.into_iter().find(|jitter| jitter.name() == text)
        }),
        virtual_time: flag("virtual-time"),
        strict: flag("strict"),
        quiet: flag("quiet"),
        verbose: flag("verbose"),
        json: flag("json"),
        junit: checks.text("junit").map(Into::into),
        notes: notes(matches),
        nodes,
    };
    checks.faults(&options);
    checks.jitter(&options);
    checks.size(&options);
    if workload.is_some() {
        checks.node(&options);
    }
    if checks.errors.is_empty() { Ok(options) } else { Err(Refusal::Errors(checks.errors)) }
}

/// A finite number, or a ratio of two: Maelstrom reads both.
fn number(text: &str) -> Option<f64> {
    let number = match text.split_once('/') {
        Some((over, under)) => over.parse::<f64>().ok()? / under.parse::<f64>().ok()?,
        None => text.parse().ok()?,
    };
    number.is_finite().then_some(number)
}

/// The availability that a text demands.
pub(in crate::workbench) fn availability(text: &str) -> Option<Availability> {
    if text == "total" {
        return Some(Availability::Total);
    }
    number(text).filter(|n| (0.0..=1.0).contains(n)).map(Availability::AtLeast)
}

fn faults(text: &str) -> Option<Vec<Fault>> {
    let mut faults = Vec::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let fault = Fault::ALL.into_iter().find(|fault| fault.name() == name)?;
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }
    Some(faults)
}

/// The consistency models that a text names, split as Maelstrom does: it wants white space on both sides of a comma
/// (reference §4.6).
pub(in crate::workbench) fn models(text: &str) -> Result<Vec<String>, String> {
    let names = split(text);
    txn::check_models(&names)
        .map_err(|problem| format!("Failed to validate \"--consistency-models {text}\": {problem}"))?;
    Ok(names)
}

fn split(text: &str) -> Vec<String> {
    let (mut names, mut rest) = (Vec::new(), text);
    let between = |rest: &str, at: usize| {
        rest[..at].ends_with(char::is_whitespace) && rest[at + 1..].starts_with(char::is_whitespace)
    };
    while let Some((at, _)) = rest.match_indices(',').find(|(at, _)| between(rest, *at)) {
        names.push(rest[..at].trim_end().to_owned());
        rest = rest[at + 1..].trim_start();
    }
    names.push(rest.to_owned());
    names
}

fn workload(checks: &mut Checks) -> Option<workload::Kind> {
    let name = checks.text("workload").unwrap_or("lin-kv".into());
    workload::Kind::named(&name).map_err(|error| checks.errors.push(error)).ok()
}

/// The nodes of reference §4.3: file, then list or count, then single ones; the usual five when none is given.
fn nodes(checks: &mut Checks) -> Vec<String> {
    let mut nodes = Vec::new();
    if let Some(file) = checks.text("nodes-file") {
        match std::fs::read_to_string(Path::new(&file)) {
            Ok(text) => nodes.extend(text.lines().map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned)),
            Err(error) => {
                checks.errors.push(format!("Error while parsing option \"--nodes-file {file}\": {error}"));
            }
        }
    }
    let must = format!("Must be a positive integer, at most {MAX_NODES}");
    let count = checks.value("node-count", None, &must, |text| {
        text.parse().ok().filter(|count| (1..=MAX_NODES).contains(count)).map(Some)
    });
    match (count, checks.text("nodes")) {
        (Some(count), _) => nodes.extend((0..count).map(|index| format!("n{index}"))),
        (None, Some(list)) => nodes.extend(list.split(',').map(|id| id.trim().to_owned())),
        (None, None) => {}
    }
    nodes.extend(checks.matches.get_many::<String>("node").into_iter().flatten().cloned());
    if nodes.is_empty() {
        return DEFAULT_NODES.map(str::to_owned).to_vec();
    }
    for (index, id) in nodes.iter().enumerate() {
        let of_client = id.strip_prefix('c').is_some_and(|rest| rest.parse::<u64>().is_ok());
        if id.is_empty() || of_client || Services::NAMES.contains(&id.as_str()) {
            checks
                .errors
                .push(format!("No node can be named \"{id}\": that is no name, or a client's, or a service's"));
        } else if nodes[..index].contains(id) {
            checks.errors.push(format!("There are two nodes named \"{id}\""));
        }
    }
    nodes
}

fn notes(matches: &ArgMatches) -> Vec<String> {
    let given = |name: &&str| matches.value_source(name) == Some(ValueSource::CommandLine);
    WITHOUT_EFFECT.iter().filter(|name| given(name)).map(|name| format!("--{name} changes nothing here")).collect()
}
