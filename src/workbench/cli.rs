//! The commands of `gloomers`: from a command line to an exit status (reference §4.7).

mod challenges;
mod check;
pub mod options;
pub mod output;
mod overview;
pub mod progress;
mod swarm;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::workbench::cli::options::{Options, Refusal};
use crate::workbench::cli::progress::Progress;
use crate::workbench::cluster::Halt;
use crate::workbench::cluster::builtin::Builtin;
use crate::workbench::cluster::processes::{Interrupts, Launch, Processes, executable};
use crate::workbench::report::finish::{BROKEN, INTERRUPTED, VALID, broken, conclude};
use crate::workbench::report::store::Store;
use crate::workbench::test::{Outcome, TestError, run_as_far_as_possible};

pub use challenges::challenges;
pub use check::check;
pub use overview::{help_of_node, overview};
pub use swarm::swarm;

/// The arguments make no sense.
pub const BAD_ARGUMENTS: u8 = 254;

/// Where a command leaves what it has to say.
pub struct Output<'a> {
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
pub fn test(arguments: impl IntoIterator<Item = OsString>, desk: &mut Output<'_>) -> io::Result<u8> {
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(refusal) => return refuse(&refusal, desk.page),
    };
    for note in options.notes.iter().filter(|_| !options.json) {
        writeln!(desk.page, "{note}")?;
    }
    let interrupts = Interrupts::new()?;
    let first = options.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    for number in 0..options.test_count {
        let status = one(&options, first.wrapping_add(number), &interrupts, desk)?;
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

fn one(options: &Options, seed: u64, interrupts: &Interrupts, desk: &mut Output<'_>) -> io::Result<u8> {
    if !options.json {
        writeln!(desk.page, "{:<16}{seed}", "seed")?;
        desk.page.flush()?;
    }
    let program = match program(options) {
        Ok(program) => program,
        Err(why) => {
            broken(options, seed, &why, desk.page)?;
            if !options.json {
                writeln!(desk.page, "{why}")?;
            }
            return Ok(BROKEN);
        }
    };
    let mut store = create_store(desk, options);
    let ran = if options.virtual_time {
        in_virtual_time(options, seed, program, &store, interrupts)?
    } else {
        in_real_time(options, seed, program, &store, interrupts)?
    };
    match ran {
        Ok(outcome) => Ok(conclude(outcome, options, seed, &mut store, desk.page, desk.colours)?.status),
        Err(TestError::Halt(Halt::Interrupted)) => {
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
            if let TestError::Unready { node, output_tail, .. } = &failure
                && !output_tail.stderr.is_empty()
            {
                writeln!(desk.page, "{node} wrote to stderr last:")?;
                for line in &output_tail.stderr {
                    writeln!(desk.page, "    {line}")?;
                }
            }
            writeln!(desk.page, "What nodes wrote to stderr is in {}", store.node_logs().display())?;
            writeln!(desk.page, "The test could not be run: {failure}")?;
            Ok(BROKEN)
        }
    }
}

/// The folder of a run that is about to begin; the user should know at once if there is none.
fn create_store(desk: &Output<'_>, options: &Options) -> Store {
    let store = Store::create(desk.store, options.workload.name());
    for why in store.missing() {
        writeln!(io::stderr(), "{why}").ok();
    }
    store
}

fn in_real_time(
    options: &Options,
    seed: u64,
    program: PathBuf,
    store: &Store,
    interrupts: &Interrupts,
) -> io::Result<Result<Outcome, TestError>> {
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
    Ok(run_as_far_as_possible(&options.plan(seed), &mut *workload, &mut processes, &mut progress))
}

fn in_virtual_time(
    options: &Options,
    seed: u64,
    program: PathBuf,
    store: &Store,
    interrupts: &Interrupts,
) -> io::Result<Result<Outcome, TestError>> {
    let others_write = options.log_net_send || options.log_net_recv || (options.log_stderr && options.bin.is_some());
    let progress = Progress::new(options.time_limit, options.quiet, others_write).in_virtual_time();
    let mut progress = progress.until(interrupts.catch());
    let mut workload = options.workload.begin(&options.terms());
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    if options.bin.is_some() {
        use crate::workbench::cluster::traced::TracedCluster;
        let arguments = options.arguments.clone();
        let launch = Launch { program, arguments, logs: store.node_logs(), log_stderr: options.log_stderr };
        let mut programs = TracedCluster::new(launch, options.nodes.clone(), seed)?;
        return Ok(run_as_far_as_possible(&options.plan(seed), &mut *workload, &mut programs, &mut progress));
    }
    let nodes = Builtin::of(options.workload.name())
        .and_then(|node| node.engines(options.nodes.len(), seed, &options.arguments));
    let mut simulation = nodes.map_err(io::Error::other)?;
    Ok(run_as_far_as_possible(&options.plan(seed), &mut *workload, &mut simulation, &mut progress))
}

/// The executable of the nodes; without `--bin`, this very program.
///
/// # Errors
/// Why it cannot be executed and what to do, in a sentence.
fn program(options: &Options) -> Result<PathBuf, String> {
    match &options.bin {
        Some(bin) => executable(bin).map_err(|why| format!("{} cannot be executed: {why}", bin.display())),
        None => std::env::current_exe().map_err(|why| format!("the built-in node cannot be executed: {why}")),
    }
}

#[cfg(test)]
mod tests;
