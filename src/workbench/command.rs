//! The commands of `gloomers`: from a command line to an exit status (reference §4.7).

mod challenges;
mod check;
mod overview;
mod serve;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::builtin::Builtin;
use super::cluster::Halt;
use super::conclude::{BROKEN, VALID, broken, conclude};
use super::options::{Options, Refusal};
use super::processes::{Interrupts, Launch, Processes};
use super::progress::Progress;
use super::run::{Failure, Outcome, run};
use super::store::Store;

pub use challenges::challenges;
pub use check::check;
pub use overview::{help_of_node, overview};
pub use serve::serve;

/// The user pressed Ctrl-C.
pub const INTERRUPTED: u8 = 130;
/// The arguments make no sense.
pub const BAD_ARGUMENTS: u8 = 254;

/// Where a command leaves what it has to say.
pub struct Desk<'a> {
    /// What people read: stdout.
    pub page: &'a mut dyn Write,
    /// Whether the page takes colours.
    pub colours: bool,
    /// The folder of all runs.
    pub store: &'a Path,
}

/// Runs the tests that the arguments after `gloomers test` describe.
///
/// # Errors
///
/// When the report or the files of a run cannot be written, or the machine refuses what every test needs.
pub fn test(arguments: impl IntoIterator<Item = OsString>, desk: &mut Desk<'_>) -> io::Result<u8> {
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(refusal) => return refuse(&refusal, desk.page),
    };
    for note in options.notes.iter().filter(|_| !options.json) {
        writeln!(desk.page, "{note}")?;
    }
    // In virtual time there is nothing to tidy up after Ctrl-C.
    let interrupts = if options.virtual_time { None } else { Some(Interrupts::new()?) };
    let first = options.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    for number in 0..options.test_count {
        let status = one(&options, first.wrapping_add(number), interrupts.as_ref(), desk)?;
        if status != VALID {
            return Ok(status);
        }
    }
    Ok(VALID)
}

/// Says why a command is not run, or what help was asked for, and returns the status to end with.
///
/// # Errors
///
/// When the page cannot be written.
pub fn refuse(refusal: &Refusal, page: &mut dyn Write) -> io::Result<u8> {
    match refusal {
        Refusal::Help(help) => {
            write!(page, "{help}")?;
            Ok(VALID)
        }
        Refusal::Errors(errors) => {
            for error in errors {
                writeln!(page, "{}", error.trim_end())?;
            }
            Ok(BAD_ARGUMENTS)
        }
    }
}

fn one(options: &Options, seed: u64, interrupts: Option<&Interrupts>, desk: &mut Desk<'_>) -> io::Result<u8> {
    if !options.json {
        writeln!(desk.page, "{:<16}{seed}", "seed")?;
        desk.page.flush()?;
    }
    let program = match program(options) {
        Ok(program) => program,
        Err(error) => {
            let bin = options.bin.as_deref().unwrap_or("the built-in node".as_ref()).display();
            let why = format!("{bin} cannot be executed: {error}");
            broken(options, seed, &why, desk.page)?;
            if !options.json {
                writeln!(desk.page, "{why}")?;
            }
            return Ok(BROKEN);
        }
    };
    let store = Store::create(desk.store, options.workload.name()).map_err(io::Error::other)?;
    let ran = match interrupts {
        Some(interrupts) => in_real_time(options, seed, program, &store, interrupts)?,
        None => in_virtual_time(options, seed)?,
    };
    match ran {
        Ok(outcome) => conclude(outcome, options, seed, &store, desk.page, desk.colours),
        Err(Failure::Halt(Halt::Interrupted)) => {
            let why = "Interrupted; all nodes have been ended.";
            broken(options, seed, why, desk.page)?;
            if !options.json {
                writeln!(desk.page, "{why}")?;
            }
            Ok(INTERRUPTED)
        }
        Err(failure) if options.json => {
            broken(options, seed, &failure.to_string(), desk.page)?;
            Ok(BROKEN)
        }
        Err(failure) => {
            broken(options, seed, &failure.to_string(), desk.page)?;
            writeln!(desk.page, "The test could not be run: {failure}")?;
            if let Failure::Unready { last_words, .. } = &failure {
                for line in &last_words.stderr {
                    writeln!(desk.page, "    {line}")?;
                }
            }
            writeln!(desk.page, "What nodes wrote to stderr is in {}", store.node_logs().display())?;
            Ok(BROKEN)
        }
    }
}

fn in_real_time(
    options: &Options,
    seed: u64,
    program: PathBuf,
    store: &Store,
    interrupts: &Interrupts,
) -> io::Result<Result<Outcome, Failure>> {
    let arguments = if options.bin.is_some() {
        options.arguments.clone()
    } else {
        let ourselves = ["node", options.workload.name()].map(str::to_owned);
        ourselves.into_iter().chain(options.arguments.iter().cloned()).collect()
    };
    let launch = Launch { program, arguments, logs: store.node_logs(), log_stderr: options.log_stderr };
    let others_write = options.log_stderr || options.log_net_send || options.log_net_recv;
    let mut progress = Progress::new(options.time_limit, options.quiet, others_write);
    // Whatever happens, no node outlives its test.
    let mut processes = Processes::new(launch, options.nodes.clone(), interrupts)?;
    let mut workload = options.workload.begin(&options.terms());
    Ok(run(&options.plan(seed), &mut *workload, &mut processes, &mut progress))
}

fn in_virtual_time(options: &Options, seed: u64) -> io::Result<Result<Outcome, Failure>> {
    let nodes = Builtin::of(options.workload.name())
        .and_then(|node| node.engines(options.nodes.len(), seed, &options.arguments));
    let mut simulation = nodes.map_err(io::Error::other)?;
    let mut quiet = Progress::new(options.time_limit, true, true);
    let mut workload = options.workload.begin(&options.terms());
    Ok(run(&options.plan(seed), &mut *workload, &mut simulation, &mut quiet))
}

/// The executable of the nodes; without `--bin`, this very program.
fn program(options: &Options) -> io::Result<PathBuf> {
    if let Some(bin) = &options.bin { bin.canonicalize() } else { std::env::current_exe() }
}

#[cfg(test)]
mod tests;
