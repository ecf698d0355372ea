//! `gloomers challenges`: runs every challenge and prints a table.

mod programs;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;

use super::{BAD_ARGUMENTS, Output, create_store, in_real_time, program};
use crate::simulation::Simulation;
use crate::workbench::cli::options::Options;
use crate::workbench::cluster::processes::Interrupts;
use crate::workbench::cluster::{Halt, can_trace};
use crate::workbench::quote::shell_word;
use crate::workbench::report::challenges::{ALL, Challenge, ChallengeResult, Table, TableFormat};
use crate::workbench::report::finish::{BROKEN, INTERRUPTED, INVALID, VALID, finish};
use crate::workbench::test::TestError;
use programs::{Program, Programs};

/// Why a challenge has no result.
enum NotRun {
    Interrupted,
    Failed(String),
}

const AFTER: &str = "A program in the folder is named after a challenge (3d), all of a number (3) or a workload \
    (broadcast), with any extension, also with maelstrom- before it; the most specific name counts. In the file, each \
    line is NAME = COMMAND LINE, and a file named in it may lie beside it. Such programs run in virtual time where \
    that is possible, must be valid, and must be within the published limits. A challenge without a program is no \
    failure.\n\
    Exit status: 0 if every challenge is met, 1 if one is not, 254 for bad arguments, 255 if one could not be run, \
    130 for Ctrl-C.";

/// Runs every challenge on the built-in nodes, or on programs; fails if any is not met
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct ChallengesArguments {
    /// Seed of every random choice
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Run processes in real time instead of virtual time: nine minutes
    #[arg(long)]
    real: bool,
    /// Print the table as Markdown
    #[arg(long)]
    markdown: bool,
    /// Run programs of this folder, by their names
    #[arg(long, value_name = "DIR")]
    bin_dir: Option<PathBuf>,
    /// Run the programs that this file lists
    #[arg(long, value_name = "FILE", conflicts_with = "bin_dir")]
    manifest: Option<PathBuf>,
}

/// Runs all challenges and prints their table. If any is not met, the exit status is that of an invalid test.
pub(super) fn challenges(arguments: &ChallengesArguments, output: &mut Output<'_>) -> io::Result<u8> {
    let ChallengesArguments { seed, real, markdown, bin_dir, manifest } = arguments;
    let found = match (bin_dir, manifest) {
        (Some(folder), _) => Programs::in_folder(folder).map(Some),
        (None, Some(file)) => Programs::listed(file).map(Some),
        (None, None) => Ok(None),
    };
    let programs = match found {
        Ok(programs) => programs,
        Err(why) => {
            writeln!(output.page, "{why}")?;
            return Ok(BAD_ARGUMENTS);
        }
    };
    let mut real = *real;
    if let (Some(_), false, Err(why)) = (&programs, real, can_trace()) {
        writeln!(io::stderr(), "In real time: {why}").ok();
        real = true;
    }
    let interrupts = if real || programs.is_some() { Some(Interrupts::new()?) } else { None };
    let table = Table(if *markdown { TableFormat::Markdown } else { TableFormat::Text });
    write!(output.page, "{}", table.head())?;
    let (mut met, mut missing, mut status) = (0, 0, VALID);
    for challenge in &ALL {
        let published;
        let (challenge, program) = match &programs {
            None => (challenge, None),
            Some(programs) => {
                published = challenge.published();
                let Some(program) = programs.of(challenge) else {
                    write!(output.page, "{}", table.row(&published, published.options, Err("no program")))?;
                    missing += 1;
                    continue;
                };
                (&published, Some(program))
            }
        };
        let words = words(challenge, program, real);
        let command = words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ");
        let attempt = match &interrupts {
            Some(interrupts) => run_as_test(challenge, words, *seed, interrupts, output)?,
            None => in_virtual_time(challenge, *seed),
        };
        write!(output.page, "{}", table.row(challenge, &command, attempt.as_ref().map_err(|_| "not run")))?;
        output.page.flush()?;
        match attempt {
            Ok(attempt) if challenge.is_met(&attempt) => met += 1,
            Ok(_) => status = status.max(INVALID),
            Err(NotRun::Interrupted) => return Ok(INTERRUPTED),
            Err(NotRun::Failed(why)) => {
                writeln!(output.page, "{why}")?;
                status = BROKEN;
            }
        }
    }
    if table.0 == TableFormat::Text {
        let without = if missing > 0 { format!(", {missing} without a program") } else { String::new() };
        writeln!(output.page, "\n{met} of {} met{without}", ALL.len())?;
    }
    Ok(status)
}

fn in_virtual_time(challenge: &Challenge, seed: u64) -> Result<ChallengeResult, NotRun> {
    let run = || {
        let simulation = Simulation::command(&challenge.command())?.seed(seed);
        simulation.run(simulation.workload())
    };
    match run() {
        Ok(report) => Ok(ChallengeResult::of(challenge, report.typed())),
        Err(failure) => Err(NotRun::Failed(failure.to_string())),
    }
}

/// The arguments of `gloomers test` that run a challenge, on a program if there is one.
fn words(challenge: &Challenge, program: Option<&Program>, real: bool) -> Vec<String> {
    let mut words: Vec<_> = challenge.command().split_whitespace().map(str::to_owned).collect();
    if let Some(Program { bin, arguments }) = program {
        words.extend(["--bin".to_owned(), bin.to_string_lossy().into_owned()]);
        words.extend((!real).then(|| "--virtual-time".to_owned()));
        words.extend((!arguments.is_empty()).then(|| "--".to_owned()));
        words.extend_from_slice(arguments);
    }
    words
}

/// Runs a challenge as `gloomers test` does with this command line, including its files, but prints nothing.
fn run_as_test(
    challenge: &Challenge,
    words: Vec<String>,
    seed: u64,
    interrupts: &Interrupts,
    output: &Output<'_>,
) -> io::Result<Result<ChallengeResult, NotRun>> {
    let mut options = match Options::parse(words.into_iter().map(OsString::from)) {
        Ok(options) => options,
        Err(rejection) => return Ok(Err(NotRun::Failed(rejection.to_string()))),
    };
    options.config.seed = seed;
    let program = match program(&options) {
        Ok(program) => program,
        Err(why) => return Ok(Err(NotRun::Failed(why))),
    };
    let mut store = create_store(output, &options.config);
    let run = if options.config.virtual_time { super::in_virtual_time } else { in_real_time };
    let outcome = match run(&options, program, &store, interrupts)? {
        Ok(outcome) => outcome,
        Err(TestError::Halt(Halt::Interrupted)) => return Ok(Err(NotRun::Interrupted)),
        Err(failure) => return Ok(Err(NotRun::Failed(failure.to_string()))),
    };
    let missing_before = store.missing().len();
    let finished = finish(outcome, &options.config, &options.report, &mut store, &mut io::sink(), false)?;
    for why in &store.missing()[missing_before..] {
        writeln!(io::stderr(), "{why}").ok();
    }
    Ok(match (finished.status, finished.results) {
        (INTERRUPTED, _) => Err(NotRun::Interrupted),
        (BROKEN, _) | (_, None) => Err(NotRun::Failed(format!("it broke off: see {}", store.folder().display()))),
        (_, Some(results)) => Ok(ChallengeResult::of(challenge, &results)),
    })
}
