//! `gloomers swarm`: many tests in virtual time, each generated from its seed.

use std::io;
use std::thread;

use clap::{Args, value_parser};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::options::{Rejection, faults, invalid, workload_named};
use super::{Output, reject};
use crate::workbench::cluster::processes::Interrupts;
use crate::workbench::cluster::{Cluster, can_trace};
use crate::workbench::report::finish::{BROKEN, INTERRUPTED, INVALID, UNKNOWN, VALID};
use crate::workbench::swarm::{CaseOutcome, NodeFactory, Swarm, print_command_on_panic};
use crate::workbench::test::MAX_NODES;

const AFTER: &str = "Each seed determines the cluster, the rate, the network, the faults and the jitter. Each test \
    must be valid, and all nodes must agree after the heal. Replies of a node that is killed later are treated as \
    indeterminate, since it may have lost what it acknowledged. The first three failures are shrunk to smaller ones of \
    the same kind, in at most 300 tries each, or 100 of programs. A program that replies to \
    a client after the client has stopped waiting, as after a pause, is silenced as by Maelstrom; that test is \
    undecided.\n\
    Exit status: 0 if every test was valid, 1 if one was not, 2 if none could be decided, 254 for bad arguments, \
    130 for Ctrl-C, after which the report covers the tests so far.";

/// Runs a workload in virtual time from many seeds, with faults, and looks for failures
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct SwarmArguments {
    /// What to test
    #[arg(short, long, value_name = "NAME")]
    workload: String,
    /// How many seeds
    #[arg(long, value_name = "N", default_value = "1000", value_parser = value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first of them
    #[arg(long, value_name = "S", default_value = "1")]
    first_seed: u64,
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
    /// Show no progress
    #[arg(long)]
    quiet: bool,
    /// For the nodes
    #[arg(value_name = "ARGUMENTS", last = true)]
    arguments: Vec<String>,
}

/// Validates the arguments.
fn read(arguments: SwarmArguments) -> Result<Swarm, Rejection> {
    let SwarmArguments { workload, seeds, first_seed, jobs, time_limit, bin, node_count, nemesis, arguments, .. } =
        arguments;
    let rejected = |error| Rejection::Errors(vec![error]);
    let workload = workload_named(&workload).map_err(rejected)?;
    let checked = if bin.is_some() { can_trace() } else { workload.node().check(&arguments) };
    checked.map_err(rejected)?;
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
    Ok(Swarm { workload, seeds, first_seed, jobs, time_limit, nodes, faults, bin, arguments })
}

/// Runs a swarm and prints its report; returns an exit status as a test does.
pub(super) fn swarm(arguments: SwarmArguments, output: &mut Output<'_>) -> io::Result<u8> {
    let quiet = arguments.quiet;
    let swarm = match read(arguments) {
        Ok(swarm) => swarm,
        Err(rejection) => return reject(&rejection, output.page),
    };
    if let Some(bin) = &swarm.bin {
        return programs(&swarm, bin, quiet, output);
    }
    let builtin = swarm.workload.node();
    let nodes = |count, seed, arguments: &[String]| builtin.engines(count, seed, arguments);
    print_command_on_panic();
    run(&swarm, &nodes, quiet, output)
}

/// Runs a swarm of programs.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn programs(swarm: &Swarm, bin: &str, quiet: bool, output: &mut Output<'_>) -> io::Result<u8> {
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
    let nodes = |count, seed, arguments: &[String]| {
        let launch = Launch { program: program.clone(), arguments: arguments.to_vec(), logs: None, log_stderr: false };
        TracedCluster::new(launch, TestConfig::numbered(count), seed).map_err(|error| error.to_string())
    };
    // What keeps a program from being started would fail every test.
    let started = nodes(1, swarm.first_seed, &swarm.arguments)
        .and_then(|mut cluster| cluster.start(0).map_err(|why| why.to_string()));
    if let Err(why) = started {
        writeln!(output.page, "{bin} cannot be started: {why}")?;
        return Ok(BROKEN);
    }
    block_stops();
    run(swarm, &nodes, quiet, output)
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn programs(_: &Swarm, _: &str, _: bool, _: &mut Output<'_>) -> io::Result<u8> {
    can_trace().map_or_else(|why| Err(io::Error::other(why)), |()| Ok(BROKEN))
}

fn run<C: Cluster>(swarm: &Swarm, nodes: &NodeFactory<'_, C>, quiet: bool, output: &mut Output<'_>) -> io::Result<u8> {
    let bar = bar(swarm.seeds, quiet);
    let interrupts = Interrupts::new()?;
    let caught = interrupts.catch();
    let on_outcome = |outcome: &CaseOutcome| {
        if outcome.failure.is_some() {
            bar.set_message(", some fail");
        }
        bar.inc(1);
        if bar.position() == swarm.seeds {
            bar.set_message(", shrinking what fails");
        }
    };
    let report = swarm.run(nodes, &on_outcome, &|| caught.is_raised());
    bar.finish_and_clear();
    writeln!(output.page, "{report}{:<16}{:.1} s", "took", bar.elapsed().as_secs_f64())?;
    let (_, done) = report.seeds;
    if done < swarm.seeds || caught.is_raised() {
        writeln!(output.page, "Interrupted after {done} of {} seeds.", swarm.seeds)?;
        return Ok(INTERRUPTED);
    }
    Ok(match report.failures.len() {
        0 if report.undecided as u64 == swarm.seeds => UNKNOWN,
        0 => VALID,
        _ => INVALID,
    })
}

/// A progress bar, which is shown only if stderr is a terminal.
fn bar(seeds: u64, quiet: bool) -> ProgressBar {
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(seeds), target);
    ProgressStyle::with_template("{bar:30} {pos}/{len} seeds{msg}, {eta} left").map(|style| bar.set_style(style)).ok();
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
        read(line.arguments)
    }

    #[test]
    fn the_default_is_a_thousand_seeds_from_1_on_all_cores() {
        let swarm = swarm("-w broadcast").expect("good");
        assert_eq!((swarm.workload, swarm.seeds, swarm.first_seed), (WorkloadKind::Broadcast, 1000, 1));
        assert!(swarm.jobs > 0 && swarm.time_limit.is_none() && swarm.arguments.is_empty());
    }

    #[test]
    fn options_set_every_number_and_the_arguments_of_the_nodes() {
        let line = "-w g-set --seeds 5 --first-seed 70 --jobs 3 --time-limit 4 -- --max-staleness 1s";
        let swarm = swarm(line).expect("good");
        assert_eq!((swarm.seeds, swarm.first_seed, swarm.jobs, swarm.time_limit), (5, 70, 3, Some(4)));
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
            "-w echo -- --fast",
        ] {
            assert!(matches!(swarm(line), Err(Rejection::Errors(errors)) if errors.len() == 1), "{line}");
        }
        assert!(matches!(swarm("--help"), Err(Rejection::Help(text)) if text.contains("--first-seed")));
    }
}
