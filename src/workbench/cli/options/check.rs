//! What the values of options must be.

use std::ops::Range;
use std::path::Path;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::table::WITHOUT_EFFECT;
use super::{Options, Refusal, did_you_mean};
use crate::time::Duration;
use crate::workbench::check::{Availability, txn};
use crate::workbench::cluster::builtin::Builtin;
use crate::workbench::cluster::can_trace;
use crate::workbench::nemesis::Fault;
use crate::workbench::network::jitter::Jitter;
use crate::workbench::network::{Delivery, Latency, Shape};
use crate::workbench::services::Services;
use crate::workbench::test::TestError;
use crate::workbench::workload;
use crate::workbench::workload::client::INIT_TIMEOUT;
use crate::workbench::workload::topology::Topology;

/// Thirty years: twice as long still fits every clock.
const FOREVER_S: u64 = 1_000_000_000;
/// As many nodes as a test may have, and as many operations as one in virtual time may come to: both live in memory.
const MAX_NODES: usize = 10_000;
/// See [`MAX_NODES`].
const MAX_VIRTUAL_OPERATIONS: f64 = 2e7;
/// Client threads: each has a client and at least one id.
const MAX_THREADS: usize = 100_000;
/// Live keys: all are in memory, and hardly one beyond the last twenty is ever drawn.
const MAX_KEYS: u64 = 1_000_000;
/// Operations of one transaction: a line of a megabyte.
const MAX_TXN_LENGTH: u64 = 10_000;
/// A nemesis that acts more often than every millisecond does nothing else.
const INTERVALS_S: Range<f64> = 1e-3..1e9;
/// How long checkers search unless told otherwise.
const CHECK_TIMEOUT: Duration = Duration::from_secs(60);
const TIMEOUTS_S: Range<f64> = 0.0..1e9;
const AVAILABILITY: &str = "Must be total, or a number from 0 to 1";
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

    fn positive(&mut self, name: &str, default: u64, most: u64) -> u64 {
        let kind = format!("Must be a positive integer, at most {most}");
        self.value(name, default, &kind, |text| text.parse().ok().filter(|n| (1..=most).contains(n)))
    }

    /// The value of an option that is one of a few.
    fn choice<T: Copy>(&mut self, name: &str, choices: &[(&'static str, T)], default: T, must: &str) -> T {
        let Some(text) = self.text(name) else { return default };
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        let hint = did_you_mean(&text, &names);
        let read = |text: &str| choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
        self.value(name, default, &format!("{must}{hint}"), read)
    }

    fn probability(&mut self, name: &str) -> f64 {
        self.value(name, 0.0, "Must be a number from 0 to 1", |text| number(text).filter(|n| (0.0..=1.0).contains(n)))
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

    /// Whether the workload can be run at all: what a run would refuse before it starts a node.
    fn fits(&mut self, options: &Options) {
        let latency = options.latency;
        if latency.mean_ms == 0 && latency.shape != Shape::Constant {
            self.errors.push(TestError::NoLatency.to_string());
        }
        let mut workload = options.workload.begin(&options.terms());
        self.errors.extend(workload.fits(options.nodes.len(), options.concurrency).err());
    }

    /// Whether there is a node, and it takes its arguments, as far as that can be told before it starts.
    fn node(&mut self, options: &Options) {
        let builtin = Builtin::of(options.workload.name());
        let fault = match (&options.bin, options.virtual_time) {
            (Some(_), true) => can_trace(),
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
            &format!("Must be a positive integer, or one followed by n, and come to at most {MAX_THREADS}"),
            |text| {
                let (count, each) = text.strip_suffix('n').map_or((text, 1), |count| (count, nodes.len()));
                let digits = count.bytes().all(|byte| byte.is_ascii_digit());
                let threads = count.parse::<usize>().ok().filter(|_| digits)?.checked_mul(each)?;
                (1..=MAX_THREADS).contains(&threads).then_some(threads)
            },
        ),
        rate: checks.value("rate", 5.0, "Must be a number not below 0", |text| finite(text).filter(|n| *n >= 0.0)),
        time_limit: Duration::from_secs(checks.positive("time-limit", 60, FOREVER_S)),
        init_timeout: checks.value("init-timeout", INIT_TIMEOUT, "Must be a number of seconds above 0", |text| {
            number(text)
                .filter(|n| *n > 0.0 && *n < INTERVALS_S.end)
                .map(Duration::from_secs_f64)
                .filter(|d| !d.is_zero())
        }),
        latency: Latency {
            shape: checks.choice(
                "latency-dist",
                &[("constant", Shape::Constant), ("uniform", Shape::Uniform), ("exponential", Shape::Exponential)],
                Shape::Constant,
                "Must be constant, uniform, or exponential",
            ),
            mean_ms: checks.value("latency", 0, "Must be an integer from 0 to 4294967295, in milliseconds", |text| {
                text.parse::<u32>().ok().map(u64::from)
            }),
        },
        topology: checks.choice(
            "topology",
            &Topology::ALL,
            Topology::Grid,
            &format!("Must be one of {}", Topology::ALL.map(|(name, _)| name).join(", ")),
        ),
        nemesis: faults(&mut checks),
        nemesis_interval: checks.value(
            "nemesis-interval",
            Duration::from_secs(10),
            "Must be a number of seconds from a thousandth to a thousand million",
            |text| number(text).filter(|n| INTERVALS_S.contains(n)).map(Duration::from_secs_f64),
        ),
        availability: checks.value("availability", None, AVAILABILITY, |text| availability(text).map(Some)),
        consistency_models: consistency_models(&mut checks),
        check_timeout: check_timeout(checks.text("check-timeout")).unwrap_or_else(|error| {
            checks.errors.push(error);
            Duration::ZERO
        }),
        key_count: checks.positive("key-count", 10, MAX_KEYS),
        max_txn_length: checks.positive("max-txn-length", 4, MAX_TXN_LENGTH),
        max_writes_per_key: checks.positive("max-writes-per-key", 16, u64::MAX),
        log_stderr: flag("log-stderr"),
        log_net_send: flag("log-net-send"),
        log_net_recv: flag("log-net-recv"),
        test_count: checks.positive("test-count", 1, u64::MAX),
        seed: checks.value("seed", None, "Must be an integer from 0 to 18446744073709551615", |text| {
            text.parse().ok().map(Some)
        }),
        delivery: checks.choice(
            "delivery",
            &[("held", Delivery::Held), ("free", Delivery::Free)],
            Delivery::Held,
            "Must be held or free",
        ),
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
    // Whether it fits depends on all the others.
    if workload.is_some() && checks.errors.is_empty() {
        checks.fits(&options);
    }
    if checks.errors.is_empty() { Ok(options) } else { Err(Refusal::Errors(checks.errors)) }
}

fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// A finite number, or a ratio of two integers: what Maelstrom's reader makes a number of.
fn number(text: &str) -> Option<f64> {
    let Some((over, under)) = text.split_once('/') else { return finite(text) };
    let integer = |text: &str| text.parse::<i32>().ok().map(f64::from);
    let ratio = integer(over)? / integer(under)?;
    ratio.is_finite().then_some(ratio)
}

/// How long checkers may search, if a text says so.
pub(in crate::workbench) fn check_timeout(text: Option<String>) -> Result<Duration, String> {
    let Some(text) = text else { return Ok(CHECK_TIMEOUT) };
    let seconds = number(&text).filter(|seconds| TIMEOUTS_S.contains(seconds)).map(Duration::from_secs_f64);
    seconds.ok_or_else(|| {
        format!(
            "Failed to validate \"--check-timeout {text}\": Must be a number of seconds from 0 to a thousand million"
        )
    })
}

/// The availability that a text demands.
fn availability(text: &str) -> Option<Availability> {
    if text == "total" {
        return Some(Availability::Total);
    }
    number(text).filter(|n| (0.0..=1.0).contains(n)).map(Availability::AtLeast)
}

/// The same, or what is wrong with the text.
pub(in crate::workbench) fn demanded_availability(text: &str) -> Result<Availability, String> {
    availability(text).ok_or_else(|| format!("Failed to validate \"--availability {text}\": {AVAILABILITY}"))
}

/// The faults of a list, each once; what is none is remembered.
fn faults(checks: &mut Checks) -> Vec<Fault> {
    let Some(text) = checks.text("nemesis") else { return Vec::new() };
    let mut faults = Vec::new();
    // As Maelstrom's splitter, which drops what is empty at the end only.
    for name in text.trim_end_matches([',', ' ']).split(',').map(str::trim) {
        match Fault::ALL.into_iter().find(|fault| fault.name() == name) {
            Some(fault) if faults.contains(&fault) => {}
            Some(fault) => faults.push(fault),
            None => {
                let names = Fault::ALL.map(Fault::name);
                let (known, hint) = (names.join(", "), did_you_mean(name, &names));
                checks.errors.push(format!("Failed to validate \"--nemesis {text}\": Must be some of {known}{hint}"));
                break;
            }
        }
    }
    faults
}

/// The consistency models, which must all be known: a test is not run for a verdict that it cannot have.
fn consistency_models(checks: &mut Checks) -> Vec<String> {
    let text = checks.text("consistency-models").unwrap_or(txn::DEFAULT_MODEL.into());
    models(&text).unwrap_or_else(|problem| {
        checks.errors.push(problem);
        Vec::new()
    })
}

/// The consistency models that a text names, split as Maelstrom does: it wants white space on both sides of a comma
/// (reference §4.6).
pub(in crate::workbench) fn models(text: &str) -> Result<Vec<String>, String> {
    let names = split(text);
    let Err(problem) = txn::check_models(&names) else { return Ok(names) };
    let known = txn::model_names();
    let unknown = names.iter().find(|name| !known.contains(&name.as_str())).map_or(text, String::as_str);
    let hint = did_you_mean(unknown, &known);
    Err(format!("Failed to validate \"--consistency-models {text}\": {problem}{hint}"))
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
    workload_named(&name).map_err(|error| checks.errors.push(error)).ok()
}

/// The workload of this name, or that there is none.
pub(in crate::workbench) fn workload_named(name: &str) -> Result<workload::Kind, String> {
    let hint = || did_you_mean(name, &workload::Kind::ALL.map(workload::Kind::name));
    workload::Kind::named(name).map_err(|error| error + &hint())
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
        // What is empty at the end is none, to Maelstrom's splitter too.
        (None, Some(list)) => nodes.extend(list.trim_end_matches([',', ' ']).split(',').map(|id| id.trim().to_owned())),
        (None, None) => {}
    }
    nodes.extend(checks.matches.get_many::<String>("node").into_iter().flatten().cloned());
    if nodes.is_empty() {
        return DEFAULT_NODES.map(str::to_owned).to_vec();
    }
    for (index, id) in nodes.iter().enumerate() {
        if let Some(problem) = name_problem(id) {
            checks.errors.push(problem);
        } else if nodes[..index].contains(id) {
            checks.errors.push(format!("There are two nodes named \"{id}\""));
        }
    }
    nodes
}

/// Why a test cannot have a node of this name. Any other will do, also one that begins with a `c`, though Maelstrom
/// takes such a node for a client where it counts messages and draws latencies, and so do we.
fn name_problem(id: &str) -> Option<String> {
    if id.is_empty() {
        return Some("A node has an empty name; are there two commas in a row?".to_owned());
    }
    if Services::NAMES.contains(&id) {
        return Some(format!("No node can be named \"{id}\": that is the name of a service"));
    }
    let number = id.strip_prefix('c')?;
    let is_client = number.bytes().all(|byte| byte.is_ascii_digit()) && (number == "0" || !number.starts_with('0'));
    (is_client && !number.is_empty())
        .then(|| format!("No node can be named \"{id}\": clients are named c0, c1, c2, ... as they come"))
}

fn notes(matches: &ArgMatches) -> Vec<String> {
    let given = |name: &&str| matches.value_source(name) == Some(ValueSource::CommandLine);
    WITHOUT_EFFECT.iter().filter(|name| given(name)).map(|name| format!("--{name} changes nothing here")).collect()
}
