//! `gloomers swarm`: many tests in virtual time, each generated from its seed.

mod corpus;
mod merge;

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use clap::{Args, Subcommand, value_parser};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::options::{Rejection, cannot_store, faults, invalid, workload_named};
use super::{Output, reject};
use crate::time::Duration;
use crate::workbench::check::Verdict;
use crate::workbench::cluster::processes::Interrupts;
use crate::workbench::cluster::{Cluster, can_trace};
use crate::workbench::report::finish::{BROKEN, INTERRUPTED, INVALID, UNKNOWN, VALID};
use crate::workbench::report::markdown;
use crate::workbench::swarm::{CaseOutcome, NodeFactory, Seeds, Shard, Swarm, SwarmReport, print_command_on_panic};
use crate::workbench::test::MAX_NODES;

const AFTER: &str = "Each seed determines the cluster, the rate, the network, the faults and the jitter. Each test \
    must be valid, and all nodes must agree after the heal. Replies of a node that is killed later are treated as \
    indeterminate, since it may have lost what it acknowledged. The first three failures are shrunk to smaller ones of \
    the same kind, in at most 300 tries each, or 100 of programs. A program that replies to a client after the client \
    has stopped waiting, as after a pause, is silenced as by Maelstrom; that test is undecided.\n\
    A swarm can be divided over many machines: each runs one shard, --shard 3/16 --json 3.json, and `gloomers swarm \
    merge *.json` prints the report of all. In an indexed job of Kubernetes, or an array of Slurm jobs that counts \
    from 0 or 1, --shard auto/16 takes the number of the task.\n\
    Exit status: 0 if every test was valid, 1 if one was not, 2 if none could be decided or a shard is missing, 254 \
    for bad arguments, 130 for Ctrl-C, after which the report covers the tests so far.";

/// Seeds that a swarm runs if neither their number nor a time budget is given.
const DEFAULT_SEEDS: u64 = 1000;

/// Runs a workload in virtual time from many seeds, with faults, and looks for failures
#[derive(Debug, Args)]
#[command(after_help = AFTER, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct SwarmArguments {
    #[command(subcommand)]
    command: Option<SwarmCommand>,
    /// What to test
    #[arg(short, long, value_name = "NAME", required = true)]
    workload: Option<String>,
    /// How many seeds [default: 1000; with --time-budget, as many as it allows]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// The first of them
    #[arg(long, value_name = "S", default_value = "1")]
    first_seed: u64,
    /// Begin no further test after this time, such as 90s, 10m or 2h
    #[arg(long, value_name = "TIME")]
    time_budget: Option<String>,
    /// Begin no further test after one has failed
    #[arg(long)]
    until_failure: bool,
    /// Run only this part of the seeds, such as 3/16
    #[arg(long, value_name = "K/N")]
    shard: Option<String>,
    /// Run the seeds in this file first, and add those that fail to it
    #[arg(long, value_name = "FILE")]
    corpus: Option<PathBuf>,
    #[command(flatten)]
    report: ReportFiles,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Seconds of each test's main phase [default: drawn, 5 to 25]
    #[arg(long, value_name = "S", value_parser = value_parser!(u32).range(1..))]
    time_limit: Option<u32>,
    /// The nodes' executable, on Linux and x86-64 only [default: the built-in node]
    #[arg(long, value_name = "FILE")]
    bin: Option<String>,
    /// Nodes of each test: a number, or two such as 3-5 [default: drawn, 2 to 10 and sometimes 25]
    #[arg(long, value_name = "N")]
    node_count: Option<String>,
    /// Faults that may be drawn, as in `gloomers test`; none for none [default: all that suit the workload]
    #[arg(long, value_name = "F,...")]
    nemesis: Option<String>,
    /// Give each node a folder that it keeps when it is killed, and demand that nothing acknowledged is lost
    #[arg(long)]
    durable: bool,
    /// Show no progress
    #[arg(long)]
    quiet: bool,
    /// For the nodes
    #[arg(value_name = "ARGUMENTS", last = true)]
    arguments: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum SwarmCommand {
    Merge(merge::MergeArguments),
}

/// The files that a report is written to, beside the page.
#[derive(Debug, Default, Args)]
struct ReportFiles {
    /// Write the report as JSON, for `gloomers swarm merge`
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Append the report to a file as Markdown, such as a job summary
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// A validated command line.
#[derive(Debug)]
struct Plan {
    swarm: Swarm,
    ends: Ends,
    quiet: bool,
    corpus: Option<PathBuf>,
    report: ReportFiles,
}

/// When a swarm begins no further test, although there are seeds left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ends {
    budget: Option<Duration>,
    at_failure: bool,
}

/// Validates the arguments.
fn read(arguments: SwarmArguments) -> Result<Plan, Rejection> {
    let SwarmArguments { workload, seeds, first_seed, time_budget, until_failure, shard, corpus, report, .. } =
        arguments;
    let SwarmArguments { jobs, time_limit, bin, node_count, nemesis, durable, quiet, arguments, .. } = arguments;
    let rejected = |error| Rejection::Errors(vec![error]);
    let workload = workload_named(&workload.unwrap_or_default()).map_err(rejected)?;
    let checked = if bin.is_some() { can_trace() } else { workload.node().check(&arguments) };
    checked.map_err(rejected)?;
    if let Some(why) = cannot_store(workload).filter(|_| durable && bin.is_none()) {
        return Err(rejected(why));
    }
    let jobs = jobs.map_or_else(|| thread::available_parallelism().map_or(1, usize::from), usize::from);
    let time_limit = time_limit.map(u64::from);
    let nodes = node_count.map(|text| {
        let (least, most) = text.split_once('-').unwrap_or((&text, &text));
        let range = least.parse().ok().zip(most.parse().ok()).map(|(least, most)| least..=most);
        let range = range.filter(|range| *range.start() > 0 && !range.is_empty() && *range.end() <= MAX_NODES);
        range.ok_or_else(|| invalid("node-count", &text, "Must be a positive integer, or two such as 3-5"))
    });
    let nodes = nodes.transpose().map_err(rejected)?;
    let faults = nemesis.map(|text| {
        if text == "none" { Ok(Vec::new()) } else { faults(&text) }.map_err(|must| invalid("nemesis", &text, &must))
    });
    let faults = faults.transpose().map_err(rejected)?;
    let budget = time_budget.as_deref().map(read_budget).transpose().map_err(rejected)?;
    let shard = shard.map_or(Ok(Shard::WHOLE), |text| read_shard(&text)).map_err(rejected)?;
    let known = corpus.as_deref().map_or(Ok(Vec::new()), |path| corpus::read(path, workload)).map_err(rejected)?;
    let count = seeds.unwrap_or(if budget.is_some() { u64::MAX } else { DEFAULT_SEEDS });
    let seeds = Seeds { first: first_seed, count, corpus: known, shard };
    let swarm = Swarm { workload, seeds, jobs, time_limit, nodes, faults, durable, bin, arguments };
    Ok(Plan { swarm, ends: Ends { budget, at_failure: until_failure }, quiet, corpus, report })
}

fn read_budget(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let seconds =
        units.iter().find_map(|(unit, seconds)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * seconds));
    let budget = seconds.filter(|seconds| *seconds > 0.0).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    budget.ok_or_else(|| invalid("time-budget", text, "Must be a time such as 90s, 10m or 2h"))
}

fn read_shard(text: &str) -> Result<Shard, String> {
    let shard = match text.strip_prefix("auto/").map(str::parse) {
        Some(Ok(of)) => Shard::of_task(of, |name| std::env::var(name).ok()),
        _ => text.parse(),
    };
    shard.map_err(|why| invalid("shard", text, &why))
}

/// Runs a swarm and prints its report; returns an exit status as a test does.
pub(super) fn swarm(arguments: SwarmArguments, output: &mut Output<'_>) -> io::Result<u8> {
    if let Some(SwarmCommand::Merge(arguments)) = &arguments.command {
        return merge::merge(arguments, output);
    }
    let plan = match read(arguments) {
        Ok(plan) => plan,
        Err(rejection) => return reject(&rejection, output.page),
    };
    if let Some(bin) = &plan.swarm.bin {
        return programs(&plan, bin, output);
    }
    let builtin = plan.swarm.workload.node();
    let durable = plan.swarm.durable;
    let nodes = |count, seed, arguments: &[String]| builtin.engines(count, seed, arguments, durable);
    print_command_on_panic();
    run(&plan, &nodes, output)
}

/// Runs a swarm of programs.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn programs(plan: &Plan, bin: &str, output: &mut Output<'_>) -> io::Result<u8> {
    use crate::workbench::cluster::program::{Launch, executable};
    use crate::workbench::cluster::traced::{TracedCluster, block_stops};
    use crate::workbench::test::TestConfig;

    let program = match executable(bin.as_ref()) {
        Ok(program) => program,
        Err(why) => {
            writeln!(output.page, "{bin} cannot be executed: {why}")?;
            return Ok(BROKEN);
        }
    };
    let folder = std::env::temp_dir().join(format!("gloomers-swarm-{}", std::process::id()));
    let tests = AtomicU64::new(0);
    let nodes = |count, seed, arguments: &[String]| {
        let data = || folder.join(tests.fetch_add(1, Ordering::Relaxed).to_string());
        let data = plan.swarm.durable.then(data);
        let launch =
            Launch { program: program.clone(), arguments: arguments.to_vec(), logs: None, log_stderr: false, data };
        TracedCluster::new(launch, TestConfig::numbered(count), seed).map_err(|error| error.to_string())
    };
    // What keeps a program from being started would fail every test.
    let started = nodes(1, plan.swarm.seeds.first, &plan.swarm.arguments)
        .and_then(|mut cluster| cluster.start(0).map_err(|why| why.to_string()));
    if let Err(why) = started {
        writeln!(output.page, "{bin} cannot be started: {why}")?;
        return Ok(BROKEN);
    }
    block_stops();
    let status = run(plan, &nodes, output);
    fs::remove_dir_all(&folder).ok();
    status
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn programs(_: &Plan, _: &str, _: &mut Output<'_>) -> io::Result<u8> {
    can_trace().map_or_else(|why| Err(io::Error::other(why)), |()| Ok(BROKEN))
}

#[expect(clippy::disallowed_methods, reason = "a time budget is real time; the tests read no clock")]
fn run<C: Cluster>(plan: &Plan, nodes: &NodeFactory<'_, C>, output: &mut Output<'_>) -> io::Result<u8> {
    let Plan { swarm, ends, .. } = plan;
    let begun = Instant::now();
    let seeds = swarm.seeds.len();
    let bar = bar(seeds, plan.quiet);
    let interrupts = Interrupts::new()?;
    let caught = interrupts.catch();
    let some_fail = AtomicBool::new(false);
    let on_outcome = |outcome: &CaseOutcome| {
        if outcome.failure.is_some() {
            some_fail.store(true, Ordering::Relaxed);
            bar.set_message(", some fail");
        }
        bar.inc(1);
        if Some(bar.position()) == seeds {
            bar.set_message(", shrinking what fails");
        }
    };
    let ends = || {
        ends.at_failure && some_fail.load(Ordering::Relaxed)
            || ends.budget.is_some_and(|budget| begun.elapsed() >= budget)
    };
    let report = swarm.run(nodes, &on_outcome, &ends, &|| caught.is_raised());
    bar.finish_and_clear();
    if let Some(path) = &plan.corpus
        && let Err(error) = corpus::add(path, &swarm.seeds.corpus, &report)
    {
        writeln!(io::stderr(), "{} cannot be written: {error}", path.display()).ok();
    }
    let status = finish(&report, &plan.report, output)?;
    writeln!(output.page, "{:<16}{:.1} s", "took", begun.elapsed().as_secs_f64())?;
    if caught.is_raised() {
        let of = seeds.map(|seeds| format!(" of {seeds}")).unwrap_or_default();
        writeln!(output.page, "Interrupted after {}{of} seeds.", report.tests)?;
        return Ok(INTERRUPTED);
    }
    Ok(status)
}

/// Prints a report, writes it to its files, and returns the exit status.
fn finish(report: &SwarmReport, files: &ReportFiles, output: &mut Output<'_>) -> io::Result<u8> {
    write!(output.page, "{report}")?;
    let mut is_written = true;
    if let Some(path) = &files.json
        && let Err(error) = fs::write(path, serde_json::to_vec_pretty(report)?)
    {
        writeln!(output.page, "{} cannot be written: {error}", path.display())?;
        is_written = false;
    }
    if let Some(path) = &files.markdown
        && let Err(error) = markdown::append(path, &report.to_markdown())
    {
        writeln!(output.page, "{} cannot be written: {error}", path.display())?;
        is_written = false;
    }
    let is_whole = report.done_shards.len() == 1 || report.missing_shards().next().is_none();
    Ok(match report.verdict() {
        _ if !is_written => BROKEN,
        Verdict::False => INVALID,
        Verdict::True if is_whole => VALID,
        Verdict::True | Verdict::Unknown => UNKNOWN,
    })
}

/// A progress bar, which is shown only if stderr is a terminal.
fn bar(seeds: Option<u64>, quiet: bool) -> ProgressBar {
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(seeds, target);
    let template =
        if seeds.is_some() { "{bar:30} {pos}/{len} seeds{msg}, {eta} left" } else { "{pos} seeds{msg}, {elapsed}" };
    ProgressStyle::with_template(template).map(|style| bar.set_style(style)).ok();
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::cli::options::parse;
    use crate::workbench::nemesis::Fault;
    use crate::workbench::workload::WorkloadKind;

    /// The arguments as a command of their own.
    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        arguments: SwarmArguments,
    }

    fn swarm(line: &str) -> Result<Swarm, Rejection> {
        let line: Line = parse(line.split_whitespace().map(Into::into))?;
        read(line.arguments).map(|plan| plan.swarm)
    }

    fn seeds(swarm: &Swarm) -> (u64, u64) {
        (swarm.seeds.first, swarm.seeds.count)
    }

    #[test]
    fn a_budget_lifts_the_limit_of_seeds_unless_one_is_given() {
        let plan = |line: &str| {
            let line: Line = parse(line.split_whitespace().map(Into::into)).expect("good");
            read(line.arguments).expect("good")
        };
        for (text, seconds) in [("90s", 90), ("10m", 600), ("1.5h", 5400), ("2000ms", 2)] {
            let plan = plan(&format!("-w echo --time-budget {text}"));
            assert_eq!((plan.ends.budget, plan.swarm.seeds.count), (Some(Duration::from_secs(seconds)), u64::MAX));
        }
        let plan = plan("-w echo --time-budget 5s --seeds 7 --until-failure --shard 2/3");
        assert_eq!((plan.ends.at_failure, plan.swarm.seeds.count), (true, 7));
        assert_eq!(plan.swarm.seeds.shard, Shard { number: 2, of: 3 });
    }

    #[test]
    fn the_default_is_a_thousand_seeds_from_1_on_all_cores() {
        let swarm = swarm("-w broadcast").expect("good");
        assert_eq!((swarm.workload, seeds(&swarm)), (WorkloadKind::Broadcast, (1, 1000)));
        assert!(swarm.jobs > 0 && swarm.time_limit.is_none() && swarm.arguments.is_empty());
    }

    #[test]
    fn options_set_every_number_and_the_arguments_of_the_nodes() {
        let line = "-w g-set --seeds 5 --first-seed 70 --jobs 3 --time-limit 4 -- --max-staleness 1s";
        let swarm = swarm(line).expect("good");
        assert_eq!((seeds(&swarm), swarm.jobs, swarm.time_limit), ((70, 5), 3, Some(4)));
        assert_eq!(swarm.scenario(70).arguments, ["--max-staleness", "1s"]);
        assert_eq!(swarm.scenario(71).time_limit_s, 4);
    }

    #[test]
    fn nodes_and_faults_can_be_limited() {
        let swarm = swarm("-w broadcast --node-count 3-5 --nemesis kill,skew").expect("good");
        let drawn: Vec<_> = (0..200).map(|seed| swarm.scenario(seed)).collect();
        for nodes in 3..=5 {
            assert!(drawn.iter().any(|scenario| scenario.nodes == nodes));
        }
        let is_allowed = |fault: &Fault| matches!(fault, Fault::Kill | Fault::Skew);
        assert!(drawn.iter().all(|scenario| (3..=5).contains(&scenario.nodes)));
        assert!(drawn.iter().all(|scenario| scenario.faults.iter().all(is_allowed)));
        assert!(drawn.iter().any(|scenario| scenario.faults.len() == 2));
        let swarm = super::tests::swarm("-w broadcast --node-count 1 --nemesis none").expect("good");
        assert_eq!((swarm.scenario(7).nodes, &*swarm.scenario(7).faults), (1, &[][..]));
    }

    #[test]
    fn bad_arguments_are_rejected() {
        for line in [
            "",
            "-w ecko",
            "-w echo --seeds 0",
            "-w echo --jobs none",
            "-w echo --time-limit 0",
            "-w echo --rate 5",
            "-w echo --node-count 0",
            "-w echo --node-count 5-3",
            "-w echo --nemesis kil",
            "-w echo --time-budget 5",
            "-w echo --time-budget 0s",
            "-w echo --shard 4/3",
            "-w echo --shard auto/x",
            "merge",
            "-w echo -- --fast",
        ] {
            assert!(matches!(swarm(line), Err(Rejection::Errors(errors)) if errors.len() == 1), "{line}");
        }
        assert!(matches!(swarm("--help"), Err(Rejection::Help(text)) if text.contains("--first-seed")));
    }
}
