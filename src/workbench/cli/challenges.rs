//! `gloomers challenges`: every challenge in order, one table, and whether all are met.

use std::ffi::OsString;
use std::io::{self, Write as _};

use clap::{Arg, ArgAction, Command};

use super::{Output, create_store, in_real_time, program, refuse};
use crate::simulation::Simulation;
use crate::workbench::cli::options::{self, Options, Refusal};
use crate::workbench::cluster::Halt;
use crate::workbench::cluster::processes::Interrupts;
use crate::workbench::report::challenges::{ALL, Attempt, Challenge, Form, Table};
use crate::workbench::report::finish::{BROKEN, INTERRUPTED, INVALID, VALID, conclude};
use crate::workbench::test::TestError;

/// The seed unless another is given: the table of the README is made with it.
const SEED: u64 = 1;

/// Why a challenge has no result.
enum Obstacle {
    Interrupted,
    Failed(String),
}

/// Runs all challenges and prints their table; anything that is not met makes the status that of an invalid test.
///
/// # Errors
///
/// When the table or the files of a run cannot be written, or the machine refuses what every test needs.
pub fn challenges(arguments: impl IntoIterator<Item = OsString>, desk: &mut Output<'_>) -> io::Result<u8> {
    let matches = match options::matches(table(), arguments) {
        Ok(matches) => matches,
        Err(refusal) => return refuse(&refusal, desk.page),
    };
    let seed = matches.get_one::<u64>("seed").copied().unwrap_or(SEED);
    let interrupts = if matches.get_flag("real") { Some(Interrupts::new()?) } else { None };
    let table = Table(if matches.get_flag("markdown") { Form::Markdown } else { Form::Text });
    write!(desk.page, "{}", table.head())?;
    let (mut met, mut status) = (0, VALID);
    for challenge in &ALL {
        let attempt = match &interrupts {
            Some(interrupts) => in_processes(challenge, seed, interrupts, desk)?,
            None => in_virtual_time(challenge, seed),
        };
        write!(desk.page, "{}", table.row(challenge, attempt.as_ref().ok()))?;
        desk.page.flush()?;
        match attempt {
            Ok(attempt) if challenge.is_met(&attempt) => met += 1,
            Ok(_) => status = status.max(INVALID),
            Err(Obstacle::Interrupted) => return Ok(INTERRUPTED),
            Err(Obstacle::Failed(why)) => {
                writeln!(desk.page, "{why}")?;
                status = BROKEN;
            }
        }
    }
    if table.0 == Form::Text {
        writeln!(desk.page, "\n{met} of {} met", ALL.len())?;
    }
    Ok(status)
}

pub(super) fn table() -> Command {
    let flag = |name, help| Arg::new(name).long(name).help(help).action(ArgAction::SetTrue);
    let seed = Arg::new("seed").long("seed").value_name("N").value_parser(clap::value_parser!(u64));
    Command::new("gloomers challenges")
        .about("Runs every challenge on the built-in nodes; fails if any is not met")
        .arg(seed.help("Seed of every random choice [default: 1]"))
        .arg(flag("real", "Run processes in real time instead of virtual time: nine minutes"))
        .arg(flag("markdown", "Print the table as in the README"))
}

fn options_of(challenge: &Challenge) -> Result<Options, Obstacle> {
    let line = challenge.command();
    Options::parse(line.split_whitespace().map(OsString::from)).map_err(|refusal| {
        Obstacle::Failed(match refusal {
            Refusal::Help(help) => help,
            Refusal::Errors(errors) => errors.join("; "),
        })
    })
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

/// As `gloomers test` does it, files and all; only the table is printed.
fn in_processes(
    challenge: &Challenge,
    seed: u64,
    interrupts: &Interrupts,
    desk: &Output<'_>,
) -> io::Result<Result<Attempt, Obstacle>> {
    let options = match options_of(challenge) {
        Ok(options) => options,
        Err(obstacle) => return Ok(Err(obstacle)),
    };
    let program = match program(&options) {
        Ok(program) => program,
        Err(why) => return Ok(Err(Obstacle::Failed(why))),
    };
    let mut store = create_store(desk, &options);
    let outcome = match in_real_time(&options, seed, program, &store, interrupts)? {
        Ok(outcome) => outcome,
        Err(TestError::Halt(Halt::Interrupted)) => return Ok(Err(Obstacle::Interrupted)),
        Err(failure) => return Ok(Err(Obstacle::Failed(failure.to_string()))),
    };
    let missing_before = store.missing().len();
    let conclusion = conclude(outcome, &options, seed, &mut store, &mut io::sink(), false)?;
    for why in &store.missing()[missing_before..] {
        writeln!(io::stderr(), "{why}").ok();
    }
    Ok(match (conclusion.status, conclusion.results) {
        (INTERRUPTED, _) => Err(Obstacle::Interrupted),
        (BROKEN, _) | (_, None) => Err(Obstacle::Failed(format!("it broke off: see {}", store.folder().display()))),
        (_, Some(results)) => Ok(Attempt::of(&results)),
    })
}
