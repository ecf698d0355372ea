//! `gloomers swarm`: many tests in virtual time, each drawn from its seed.

use std::ffi::OsString;
use std::io;
use std::thread;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, Command, value_parser};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::options::{self, Options, Refusal};
use super::{Output, refuse};
use crate::workbench::cluster::builtin::Builtin;
use crate::workbench::report::finish::{INVALID, UNKNOWN, VALID};
use crate::workbench::swarm::{Swarm, tell_of_panics};

const ABOUT: &str = "Runs a workload in virtual time from many seeds, with faults, and looks for failures";

const AFTER: &str = "Each seed draws the cluster, the rate, the network, the faults and the jitter. Each test must be \
    valid, and all nodes must agree after the heal. What a node answered that was killed later is not held against the \
    others: it may have been in its memory alone. Of failures, the first three are shrunk to smaller ones of the same \
    kind, in at most 300 tries each.\n\
    Exit status: 0 if every test was valid, 1 if one was not, 2 if none could be decided, 254 for bad arguments.";

/// The command line of `gloomers swarm`.
pub(in crate::workbench) fn table() -> Command {
    let number = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let workload = Arg::new("workload").long("workload").short('w').value_name("NAME").help("What to test");
    let arguments = Arg::new("arguments").value_name("ARGUMENTS").help("For the nodes");
    let positive = value_parser!(u64).range(1..);
    Command::new("gloomers swarm")
        .about(ABOUT)
        .after_help(AFTER)
        .args_override_self(true)
        .arg(workload.required(true))
        .arg(number("seeds", "N", "How many seeds").value_parser(positive).default_value("1000"))
        .arg(number("first-seed", "S", "The first of them").value_parser(value_parser!(u64)).default_value("1"))
        .arg(number("jobs", "N", "Threads [default: all cores]").value_parser(value_parser!(u16).range(1..)))
        .arg(
            number("time-limit", "S", "Seconds of each test's main phase [default: drawn, 5 to 25]")
                .value_parser(value_parser!(u32).range(1..)),
        )
        .arg(Arg::new("quiet").long("quiet").help("Show no progress").action(ArgAction::SetTrue))
        .arg(arguments.num_args(0..).last(true).action(ArgAction::Append).value_parser(ValueParser::string()))
}

/// What to try, and whether to be quiet about its progress.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<(Swarm, bool), Refusal> {
    let matches = options::matches(table(), arguments)?;
    let number = |name: &str| matches.get_one::<u64>(name).copied().unwrap_or_default();
    let workload = matches.get_one::<String>("workload").cloned().unwrap_or_default();
    let arguments: Vec<String> = matches.get_many("arguments").into_iter().flatten().cloned().collect();
    // The workload and the nodes' arguments are what every test is given; two clients for each node suit any workload.
    let words = ["-w", &workload, "--concurrency", "2n", "--virtual-time", "--"].map(str::to_owned);
    let words = words.into_iter().chain(arguments.clone());
    let options = Options::parse(words.map(OsString::from))?;
    let jobs = matches.get_one::<u16>("jobs").copied().map(usize::from);
    let swarm = Swarm {
        workload: options.workload,
        seeds: number("seeds"),
        first_seed: number("first-seed"),
        jobs: jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)),
        time_limit: matches.get_one::<u32>("time-limit").copied().map(u64::from),
        arguments,
    };
    Ok((swarm, matches.get_flag("quiet")))
}

/// Runs the swarm that the arguments after `gloomers swarm` describe; ends with the status of protocol §4.7.
///
/// # Errors
///
/// When the report cannot be written.
pub fn swarm(arguments: impl IntoIterator<Item = OsString>, desk: &mut Output<'_>) -> io::Result<u8> {
    let (swarm, quiet) = match parse(arguments) {
        Ok(parsed) => parsed,
        Err(refusal) => return refuse(&refusal, desk.page),
    };
    let builtin = Builtin::of(swarm.workload.name()).map_err(io::Error::other)?;
    let nodes = |count, seed, arguments: &[String]| builtin.engines(count, seed, arguments);
    tell_of_panics();
    let bar = bar(swarm.seeds, quiet);
    let findings = swarm.run(&nodes, &|trial| {
        if trial.fault.is_some() {
            bar.set_message(", some fail");
        }
        bar.inc(1);
    });
    bar.finish_and_clear();
    writeln!(desk.page, "{findings}{:<16}{:.1} s", "took", bar.elapsed().as_secs_f64())?;
    Ok(match findings.failures.len() {
        0 if findings.undecided as u64 == swarm.seeds => UNKNOWN,
        0 => VALID,
        _ => INVALID,
    })
}

/// Shown only where stderr is a terminal.
fn bar(seeds: u64, quiet: bool) -> ProgressBar {
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(seeds), target);
    ProgressStyle::with_template("{bar:30} {pos}/{len} seeds{msg}, {eta} left").map(|style| bar.set_style(style)).ok();
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::workload::Kind;

    fn swarm(line: &str) -> Result<Swarm, Refusal> {
        parse(line.split_whitespace().map(OsString::from)).map(|(swarm, _)| swarm)
    }

    #[test]
    fn a_thousand_seeds_from_the_first_on_all_cores_are_the_default() {
        let swarm = swarm("-w broadcast").expect("good");
        assert_eq!((swarm.workload, swarm.seeds, swarm.first_seed), (Kind::Broadcast, 1000, 1));
        assert!(swarm.jobs > 0 && swarm.time_limit.is_none() && swarm.arguments.is_empty());
    }

    #[test]
    fn every_number_can_be_given_and_nodes_have_arguments() {
        let line = "-w g-set --seeds 5 --first-seed 70 --jobs 3 --time-limit 4 -- --max-staleness 1s";
        let swarm = swarm(line).expect("good");
        assert_eq!((swarm.seeds, swarm.first_seed, swarm.jobs, swarm.time_limit), (5, 70, 3, Some(4)));
        assert_eq!(swarm.scenario(70).arguments, ["--max-staleness", "1s"]);
        assert_eq!(swarm.scenario(71).time_limit_s, 4);
    }

    #[test]
    fn bad_arguments_are_refused() {
        for line in [
            "",
            "-w ecko",
            "-w echo --seeds 0",
            "-w echo --jobs none",
            "-w echo --time-limit 0",
            "-w echo --rate 5",
            "-w echo -- --fast",
        ] {
            assert!(matches!(swarm(line), Err(Refusal::Errors(errors)) if errors.len() == 1), "{line}");
        }
        assert!(matches!(swarm("--help"), Err(Refusal::Help(text)) if text.contains("--first-seed")));
    }
}
