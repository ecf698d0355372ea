//! Validates arguments: converts them to options, or lists all errors in them.

use std::ops::Range;
use std::path::Path;

use super::arguments::{JudgementArguments, TestArguments};
use super::{Options, Rejection, did_you_mean};
use crate::time::Duration;
use crate::workbench::check::{Availability, txn};
use crate::workbench::cluster::can_trace;
use crate::workbench::nemesis::Fault;
use crate::workbench::network::jitter::Jitter;
use crate::workbench::network::{Delivery, Shape};
use crate::workbench::report::finish::ReportOptions;
use crate::workbench::scenario::{self, Scenario};
use crate::workbench::test::{MAX_NODES, Problem, TestConfig, requirement};
use crate::workbench::workload::WorkloadKind;
use crate::workbench::workload::topology::Topology;

const TIMEOUTS_S: Range<f64> = 0.0..1e9;
const TIMEOUT: &str = "Must be a number of seconds from 0 to a thousand million";

/// Maelstrom's message for an invalid value.
pub(in crate::workbench::cli) fn invalid(option: &str, text: &str, must: &str) -> String {
    format!("Failed to validate \"--{option} {text}\": {must}")
}

/// Converts values of options and collects the errors.
#[derive(Default)]
struct Reader<'a> {
    /// The options that were given, with their texts.
    given: Vec<(&'static str, &'a str)>,
    errors: Vec<String>,
}

impl<'a> Reader<'a> {
    /// Sets `slot` if the option is given; `read` converts its text, or returns the requirement that it violates.
    fn set<T>(
        &mut self,
        slot: &mut T,
        option: &'static str,
        text: Option<&'a String>,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) {
        let Some(text) = text else { return };
        match read(text) {
            Ok(value) => {
                *slot = value;
                self.given.push((option, text));
            }
            Err(must) => self.errors.push(invalid(option, text, &must)),
        }
    }

    /// Sets a number, whose range is checked later.
    fn number<T>(
        &mut self,
        slot: &mut T,
        option: &'static str,
        text: Option<&'a String>,
        read: impl FnOnce(&str) -> Option<T>,
    ) {
        self.set(slot, option, text, |text| read(text).ok_or_else(|| requirement(option)));
    }

    /// Sets one of several choices.
    fn choice<T: Copy>(
        &mut self,
        slot: &mut T,
        option: &'static str,
        text: Option<&'a String>,
        choices: &[(&'static str, T)],
        must: &str,
    ) {
        self.set(slot, option, text, |text| {
            let choice = choices.iter().find(|(name, _)| *name == text);
            choice.map(|(_, choice)| *choice).ok_or_else(|| {
                let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
                format!("{must}{}", did_you_mean(text, &names))
            })
        });
    }

    /// The message for a problem of the whole configuration.
    fn in_words(&self, problem: Problem) -> String {
        match problem {
            Problem::Value(option, must) => {
                let text = self.given.iter().find(|(name, _)| *name == option).map_or("", |(_, text)| text);
                invalid(option, text, &must)
            }
            Problem::NoLatency => "--latency-dist uniform and exponential need a --latency above 0".to_owned(),
            Problem::Conflict(sentence) => sentence,
        }
    }

    /// The nodes in the order of protocol §4.3: file, then list or count, then single ones; empty if none are given.
    fn nodes(&mut self, arguments: &TestArguments) -> Vec<String> {
        let mut nodes = Vec::new();
        if let Some(file) = &arguments.nodes_file {
            match std::fs::read_to_string(Path::new(file)) {
                Ok(text) => nodes.extend(text.lines().map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned)),
                Err(error) => self.errors.push(format!("Error while parsing option \"--nodes-file {file}\": {error}")),
            }
        }
        match (&arguments.node_count, &arguments.nodes) {
            (Some(text), _) => match text.parse() {
                Ok(count) if (1..=MAX_NODES).contains(&count) => nodes.extend(TestConfig::numbered(count)),
                Ok(_) | Err(_) => self.errors.push(invalid("node-count", text, &requirement("node-count"))),
            },
            (None, Some(list)) => nodes.extend(listed(list).map(str::to_owned)),
            (None, None) => {}
        }
        nodes.extend(arguments.node.iter().cloned());
        nodes
    }
}

/// The elements of a list, split as Maelstrom does, which drops empty ones only at the end.
fn listed(list: &str) -> impl Iterator<Item = &str> {
    list.trim_end_matches([',', ' ']).split(',').map(str::trim)
}

/// Converts arguments to options, or lists all errors.
pub(in crate::workbench::cli) fn options(arguments: &TestArguments) -> Result<Options, Rejection> {
    let mut reader = Reader::default();
    let &TestArguments { durable, virtual_time, .. } = arguments;
    let mut config = TestConfig { durable, virtual_time, ..TestConfig::default() };
    let workload = arguments.workload.as_deref().map_or(Ok(config.workload), workload_named);
    let workload = workload.map_err(|error| reader.errors.push(error)).ok();
    config.workload = workload.unwrap_or(config.workload);
    config.arguments.clone_from(&arguments.arguments);
    let nodes = reader.nodes(arguments);
    if !nodes.is_empty() {
        config.nodes = nodes;
    }
    let count = config.nodes.len();
    config.concurrency = count;
    reader.number(&mut config.concurrency, "concurrency", arguments.concurrency.as_ref(), |text| {
        let (digits, each) = text.strip_suffix('n').map_or((text, 1), |digits| (digits, count));
        let threads = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<usize>().ok())??;
        threads.checked_mul(each)
    });
    reader.number(&mut config.rate, "rate", arguments.rate.as_ref(), finite);
    let seconds = |text: &str| text.parse().ok().map(Duration::from_secs);
    reader.number(&mut config.time_limit, "time-limit", arguments.time_limit.as_ref(), seconds);
    reader.number(&mut config.init_timeout, "init-timeout", arguments.init_timeout.as_ref(), duration);
    let shapes = [("constant", Shape::Constant), ("uniform", Shape::Uniform), ("exponential", Shape::Exponential)];
    let must = "Must be constant, uniform, or exponential";
    reader.choice(&mut config.latency.shape, "latency-dist", arguments.latency_dist.as_ref(), &shapes, must);
    reader.number(&mut config.latency.mean_ms, "latency", arguments.latency.as_ref(), |text| text.parse().ok());
    let must = format!("Must be one of {}", Topology::ALL.map(|(name, _)| name).join(", "));
    reader.choice(&mut config.topology, "topology", arguments.topology.as_ref(), &Topology::ALL, &must);
    reader.set(&mut config.nemesis, "nemesis", arguments.nemesis.as_ref(), faults);
    reader.number(&mut config.nemesis_interval, "nemesis-interval", arguments.nemesis_interval.as_ref(), duration);
    let (availability, models, report) = judged(&arguments.judgement, &mut reader);
    config.availability = availability;
    config.consistency_models = models;
    let positive = |text: &str| text.parse().ok();
    reader.number(&mut config.key_count, "key-count", arguments.key_count.as_ref(), positive);
    reader.number(&mut config.max_txn_length, "max-txn-length", arguments.max_txn_length.as_ref(), positive);
    let writes = &mut config.max_writes_per_key;
    reader.number(writes, "max-writes-per-key", arguments.max_writes_per_key.as_ref(), positive);
    let mut test_count = 1;
    reader.number(&mut test_count, "test-count", arguments.test_count.as_ref(), |text| {
        positive(text).filter(|count| *count > 0)
    });
    let mut seed = None;
    reader.set(&mut seed, "seed", arguments.seed.as_ref(), |text| {
        positive(text).map(Some).ok_or_else(|| format!("Must be an integer from 0 to {}", u64::MAX))
    });
    config.seed = seed.unwrap_or_default();
    let deliveries = [("held", Delivery::Held), ("free", Delivery::Free)];
    let must = "Must be held or free";
    reader.choice(&mut config.delivery, "delivery", arguments.delivery.as_ref(), &deliveries, must);
    reader.number(&mut config.loss, "loss", arguments.loss.as_ref(), number);
    reader.number(&mut config.duplication, "duplication", arguments.duplication.as_ref(), number);
    reader.set(&mut config.jitter, "jitter", arguments.jitter.as_ref(), |text| {
        let jitter = Jitter::ALL.into_iter().find(|jitter| jitter.name() == text);
        jitter.ok_or_else(|| "Must be none, quiet or busy".to_owned())
    });
    let until = stepping(arguments, &mut config, &mut reader);
    let problems: Vec<_> = config.problems().into_iter().map(|problem| reader.in_words(problem)).collect();
    reader.errors.extend(problems);
    if let Some(workload) = workload {
        reader.errors.extend(node_problem(workload, arguments));
        reader.errors.extend((durable && arguments.bin.is_none()).then(|| cannot_store(workload)).flatten());
    }
    if arguments.check_determinism && !arguments.virtual_time {
        let why = "in real time no test comes out the same twice";
        reader.errors.push(format!("--check-determinism needs --virtual-time: {why}"));
    }
    // Whether the workload fits depends on everything else.
    if reader.errors.is_empty() {
        let misfit: Vec<_> = config.misfit().into_iter().map(|problem| reader.in_words(problem)).collect();
        reader.errors.extend(misfit);
    }
    if !reader.errors.is_empty() {
        return Err(Rejection::Errors(reader.errors));
    }
    Ok(Options {
        config,
        report: ReportOptions {
            junit: arguments.junit.as_ref().map(Into::into),
            markdown: arguments.markdown.as_ref().map(Into::into),
            ..report
        },
        bin: arguments.bin.as_ref().map(Into::into),
        log_stderr: arguments.log_stderr,
        log_net_send: arguments.log_net_send,
        log_net_recv: arguments.log_net_recv,
        test_count,
        seed,
        check_determinism: arguments.check_determinism,
        until,
        interactive: arguments.interactive,
        quiet: arguments.quiet,
        notes: arguments.ignored.given().map(|name| format!("--{name} changes nothing here")).collect(),
    })
}

/// Reads the scenario, and returns where the test stops first.
fn stepping<'a>(arguments: &'a TestArguments, config: &mut TestConfig, reader: &mut Reader<'a>) -> Option<Duration> {
    let TestConfig { scenario, nodes, virtual_time, .. } = config;
    reader.set(scenario, "scenario", arguments.scenario.as_ref(), |file| {
        let text = std::fs::read_to_string(file).map_err(|error| format!("Cannot be read: {error}"))?;
        Scenario::parse(&text, nodes)
    });
    let mut until = arguments.interactive.then_some(Duration::ZERO);
    reader.set(&mut until, "until", arguments.until.as_ref(), |text| {
        scenario::duration(text).map(Some).ok_or_else(|| scenario::not_a_duration(text))
    });
    if until.is_some() && !*virtual_time {
        reader.errors.push("--until and --interactive need --virtual-time: real time does not wait".to_owned());
    }
    until
}

/// The error if there is no node, or the built-in node rejects its arguments.
fn node_problem(workload: WorkloadKind, arguments: &TestArguments) -> Option<String> {
    match (&arguments.bin, arguments.virtual_time) {
        (Some(_), true) => can_trace().err(),
        (Some(_), false) => None,
        (None, _) => workload.node().check(&arguments.arguments).err(),
    }
}

/// Converts the arguments that `check` and `test` have in common, or lists all errors.
pub(in crate::workbench::cli) fn judgement(
    arguments: &JudgementArguments,
) -> Result<(Option<Availability>, Vec<String>, ReportOptions), Vec<String>> {
    let mut reader = Reader::default();
    let judged = judged(arguments, &mut reader);
    if reader.errors.is_empty() { Ok(judged) } else { Err(reader.errors) }
}

fn judged<'a>(
    arguments: &'a JudgementArguments,
    reader: &mut Reader<'a>,
) -> (Option<Availability>, Vec<String>, ReportOptions) {
    let mut availability = None;
    reader.number(&mut availability, "availability", arguments.availability.as_ref(), |text| {
        if text == "total" {
            return Some(Some(Availability::Total));
        }
        number(text).filter(|share| (0.0..=1.0).contains(share)).map(|share| Some(Availability::AtLeast(share)))
    });
    let mut models = vec![txn::DEFAULT_MODEL.to_owned()];
    reader.set(&mut models, "consistency-models", arguments.consistency_models.as_ref(), consistency_models);
    let mut report = ReportOptions {
        strict: arguments.strict,
        json: arguments.json,
        verbose: arguments.verbose,
        ..ReportOptions::default()
    };
    reader.set(&mut report.check_timeout, "check-timeout", arguments.check_timeout.as_ref(), |text| {
        let seconds = number(text).filter(|seconds| TIMEOUTS_S.contains(seconds));
        seconds.map(Duration::from_secs_f64).ok_or_else(|| TIMEOUT.to_owned())
    });
    (availability, models, report)
}

fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// A finite number or a ratio of two integers, as Maelstrom reads them.
fn number(text: &str) -> Option<f64> {
    let Some((over, under)) = text.split_once('/') else { return finite(text) };
    let integer = |text: &str| text.parse::<i32>().ok().map(f64::from);
    let ratio = integer(over)? / integer(under)?;
    ratio.is_finite().then_some(ratio)
}

/// A number of seconds.
fn duration(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(number(text)?).ok()
}

/// The error if the built-in node of a workload is to store what it must remember, and cannot.
pub(in crate::workbench::cli) fn cannot_store(workload: WorkloadKind) -> Option<String> {
    let name = workload.name();
    let stores = |kind: &WorkloadKind| kind.node().stores();
    let others: Vec<_> = WorkloadKind::ALL.into_iter().filter(stores).map(WorkloadKind::name).collect();
    let why = format!("--durable: the built-in node of {name} stores nothing; those of {} do", others.join(", "));
    (!stores(&workload)).then_some(why)
}

/// The faults of a list, without duplicates.
pub(in crate::workbench::cli) fn faults(text: &str) -> Result<Vec<Fault>, String> {
    let mut faults = Vec::new();
    for name in listed(text) {
        match Fault::ALL.into_iter().find(|fault| fault.name() == name) {
            Some(fault) if faults.contains(&fault) => {}
            Some(fault) => faults.push(fault),
            None => {
                let names = Fault::ALL.map(Fault::name);
                return Err(format!("Must be some of {}{}", names.join(", "), did_you_mean(name, &names)));
            }
        }
    }
    Ok(faults)
}

/// A list of consistency models, split as Maelstrom does, which requires white space on both sides of a comma (protocol
/// §4.6). Unknown names are an error, since the test could have no verdict.
fn consistency_models(text: &str) -> Result<Vec<String>, String> {
    let names = split(text);
    let Err(problem) = txn::check_models(&names) else { return Ok(names) };
    let known = txn::model_names();
    let unknown = names.iter().find(|name| !known.contains(&name.as_str())).map_or(text, String::as_str);
    Err(format!("{problem}{}", did_you_mean(unknown, &known)))
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

/// The workload of this name, or an error with a suggestion.
pub(in crate::workbench::cli) fn workload_named(name: &str) -> Result<WorkloadKind, String> {
    let hint = || did_you_mean(name, &WorkloadKind::ALL.map(WorkloadKind::name));
    WorkloadKind::named(name).map_err(|error| error + &hint())
}
