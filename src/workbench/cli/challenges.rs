//! `gloomers challenges`: runs every challenge and prints a table.

use std::ffi::OsString;
use std::io::{self, Write as _};

use clap::Args;

use super::{Output, create_store, in_real_time, program};
use crate::simulation::Simulation;
use crate::workbench::cli::options::Options;
use crate::workbench::cluster::Halt;
use crate::workbench::cluster::processes::Interrupts;
use crate::workbench::report::challenges::{ALL, Attempt, Challenge, Form, Table};
use crate::workbench::report::finish::{BROKEN, INTERRUPTED, INVALID, VALID, finish};
use crate::workbench::test::TestError;

/// Why a challenge has no result.
enum Obstacle {
    Interrupted,
    Failed(String),
}

/// Runs every challenge on the built-in nodes; fails if any is not met
#[derive(Debug, Args)]
pub(super) struct ChallengesArguments {
    /// Seed of every random choice
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Run processes in real time instead of virtual time: nine minutes
    #[arg(long)]
    real: bool,
    /// Print the table as in the README
    #[arg(long)]
    markdown: bool,
}

/// Runs all challenges and prints their table. If any is not met, the exit status is that of an invalid test.
pub(super) fn challenges(arguments: &ChallengesArguments, output: &mut Output<'_>) -> io::Result<u8> {
    let &ChallengesArguments { seed, real, markdown } = arguments;
    let interrupts = if real { Some(Interrupts::new()?) } else { None };
    let table = Table(if markdown { Form::Markdown } else { Form::Text });
    write!(output.page, "{}", table.head())?;
    let (mut met, mut status) = (0, VALID);
    for challenge in &ALL {
        let attempt = match &interrupts {
            Some(interrupts) => in_processes(challenge, seed, interrupts, output)?,
            None => in_virtual_time(challenge, seed),
        };
        write!(output.page, "{}", table.row(challenge, attempt.as_ref().ok()))?;
        output.page.flush()?;
        match attempt {
            Ok(attempt) if challenge.is_met(&attempt) => met += 1,
            Ok(_) => status = status.max(INVALID),
            Err(Obstacle::Interrupted) => return Ok(INTERRUPTED),
            Err(Obstacle::Failed(why)) => {
                writeln!(output.page, "{why}")?;
                status = BROKEN;
            }
        }
    }
    if table.0 == Form::Text {
        writeln!(output.page, "\n{met} of {} met", ALL.len())?;
    }
    Ok(status)
}

fn in_virtual_time(challenge: &Challenge, seed: u64) -> Result<Attempt, Obstacle> {
    let run = || {
        let simulation = Simulation::command(&challenge.command())?.seed(seed);
        simulation.run(simulation.workload())
    };
    match run() {
        Ok(report) => Ok(Attempt::of(report.typed())),
        Err(failure) => Err(Obstacle::Failed(failure.to_string())),
    }
}

/// Runs a challenge as `gloomers test` does, including its files, but prints nothing.
fn in_processes(
    challenge: &Challenge,
    seed: u64,
    interrupts: &Interrupts,
    output: &Output<'_>,
) -> io::Result<Result<Attempt, Obstacle>> {
    let mut options = match Options::parse(challenge.command().split_whitespace().map(OsString::from)) {
        Ok(options) => options,
        Err(rejection) => return Ok(Err(Obstacle::Failed(rejection.to_string()))),
    };
    options.config.seed = seed;
    let program = match program(&options) {
        Ok(program) => program,
        Err(why) => return Ok(Err(Obstacle::Failed(why))),
    };
    let mut store = create_store(output, &options.config);
    let outcome = match in_real_time(&options, program, &store, interrupts)? {
        Ok(outcome) => outcome,
        Err(TestError::Halt(Halt::Interrupted)) => return Ok(Err(Obstacle::Interrupted)),
        Err(failure) => return Ok(Err(Obstacle::Failed(failure.to_string()))),
    };
    let missing_before = store.missing().len();
    let finished = finish(outcome, &options.config, &options.report, &mut store, &mut io::sink(), false)?;
    for why in &store.missing()[missing_before..] {
        writeln!(io::stderr(), "{why}").ok();
    }
    Ok(match (finished.status, finished.results) {
        (INTERRUPTED, _) => Err(Obstacle::Interrupted),
        (BROKEN, _) | (_, None) => Err(Obstacle::Failed(format!("it broke off: see {}", store.folder().display()))),
        (_, Some(results)) => Ok(Attempt::of(&results)),
    })
}
