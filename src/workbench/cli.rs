//! The commands of `gloomers`, and their exit statuses (protocol §4.7).

mod challenges;
mod check;
mod determinism;
mod explain;
mod manual;
pub mod options;
mod output;
mod progress;
mod prompt;
mod swarm;

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{Args, Parser, Subcommand};

use crate::workbench::cli::options::{Options, Rejection, TestArguments, did_you_mean, parse, workloads};
use crate::workbench::cli::output::ReportWriter;
use crate::workbench::cli::progress::Progress;
use crate::workbench::cluster::Halt;
use crate::workbench::cluster::processes::{Interrupts, Processes};
use crate::workbench::cluster::program::{Launch, executable};
use crate::workbench::report::finish::{BROKEN, INTERRUPTED, VALID, finish, report_broken, write_indented};
use crate::workbench::report::store::{ROOT, RunFolder};
use crate::workbench::test::{Outcome, TestConfig, TestError, run_as_far_as_possible};
use crate::workbench::workload::WorkloadKind;

/// The exit status of bad arguments.
pub const BAD_ARGUMENTS: u8 = 254;

/// The exit status if a test comes out otherwise the second time.
pub const DIFFERENT: u8 = 3;

const EXAMPLES: &str = "\
Examples:
  gloomers test -w broadcast --node-count 25 --rate 100 --latency 100
  gloomers test -w echo --bin ./my-node
  gloomers check store/latest -w broadcast
  gloomers explain store/latest
  gloomers swarm -w broadcast --seeds 1000";

/// Tests nodes as Maelstrom does, without a JVM, and is a node itself
#[derive(Debug, Parser)]
#[command(name = "gloomers", version, subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = format!("{}\n\n{EXAMPLES}", workloads()))]
struct Gloomers {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Reporting(Reporting),
    Node(NodeArguments),
}

/// The commands other than `node`, which print a report and return an exit status.
#[derive(Debug, Subcommand)]
enum Reporting {
    Test(Box<TestArguments>),
    #[command(alias = "analyze")]
    Check(check::CheckArguments),
    Explain(explain::ExplainArguments),
    Challenges(challenges::ChallengesArguments),
    Swarm(Box<swarm::SwarmArguments>),
    Completions(manual::CompletionsArguments),
    Man(manual::ManArguments),
}

/// Is the built-in node for a workload, on stdin and stdout, until the end of input
#[derive(Debug, Args)]
#[command(after_help = workloads())]
struct NodeArguments {
    /// Whose node to be: one of those below
    #[arg(value_name = "WORKLOAD")]
    workload: String,
    /// For the node
    #[arg(value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

/// The outputs of a command.
pub struct Output<'a> {
    /// The report for people: stdout.
    pub page: &'a mut dyn Write,
    /// Whether the page supports colours.
    pub colours: bool,
    /// The folder of all runs.
    pub store: &'a Path,
}

/// Runs `gloomers` with the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    let mut arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let is_node = arguments.first().is_some_and(|first| first == "node");
    if is_node && arguments.len() > 2 {
        // All arguments after the workload are for the node, even --help.
        arguments.insert(2, "--".into());
    }
    match parse(arguments).map(|Gloomers { command }| command) {
        Ok(Command::Node(arguments)) => node(arguments),
        // A node must print nothing but protocol messages to stdout.
        Err(Rejection::Errors(errors)) if is_node => {
            writeln!(io::stderr(), "{}", errors.join("\n")).ok();
            ExitCode::from(BAD_ARGUMENTS)
        }
        Ok(Command::Reporting(command)) => reporting(|output| run(command, output)),
        Err(rejection) => reporting(|output| reject(&rejection, output.page)),
    }
}

/// Runs a command with its report on stdout, or on stderr once stdout fails.
fn reporting(command: impl FnOnce(&mut Output<'_>) -> io::Result<u8>) -> ExitCode {
    // A file beyond the size limit shall be a write error, as on a full disk, instead of ending this process.
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false))).ok();
    let colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut page = ReportWriter::new(io::stdout().lock(), io::stderr());
    let mut output = Output { page: &mut page, colours, store: ROOT.as_ref() };
    let status = command(&mut output).unwrap_or_else(|error| {
        writeln!(io::stderr(), "{error}").ok();
        BROKEN
    });
    page.flush().ok();
    ExitCode::from(status)
}

fn node(NodeArguments { workload, arguments }: NodeArguments) -> ExitCode {
    if let Ok(kind) = WorkloadKind::named(&workload) {
        return kind.node().main(&mut arguments.into_iter());
    }
    let known = WorkloadKind::ALL.map(WorkloadKind::name);
    let (names, hint) = (known.join(", "), did_you_mean(&workload, &known));
    writeln!(io::stderr(), "There is no built-in node for {workload:?}, only for {names}{hint}").ok();
    ExitCode::from(BAD_ARGUMENTS)
}

/// Runs a command and returns its exit status.
fn run(command: Reporting, output: &mut Output<'_>) -> io::Result<u8> {
    match command {
        Reporting::Test(arguments) => test(&arguments, output),
        Reporting::Check(arguments) => check::check(&arguments, output),
        Reporting::Explain(arguments) => explain::explain(&arguments, output),
        Reporting::Challenges(arguments) => challenges::challenges(&arguments, output),
        Reporting::Swarm(arguments) => swarm::swarm(*arguments, output),
        Reporting::Completions(arguments) => manual::completions(&arguments, output),
        Reporting::Man(arguments) => manual::man(&arguments, output),
    }
}

/// Prints the errors of a command line, or the help, and returns the exit status.
fn reject(rejection: &Rejection, page: &mut dyn Write) -> io::Result<u8> {
    match rejection {
        Rejection::Help(help) => {
            write!(page, "{help}")?;
            Ok(VALID)
        }
        Rejection::Errors(errors) => {
            for error in errors {
                writeln!(page, "{}", error.trim_end())?;
            }
            Ok(BAD_ARGUMENTS)
        }
    }
}

fn test(arguments: &TestArguments, output: &mut Output<'_>) -> io::Result<u8> {
    let mut options = match options::read(arguments) {
        Ok(options) => options,
        Err(rejection) => return reject(&rejection, output.page),
    };
    for note in options.notes.iter().filter(|_| !options.report.json) {
        writeln!(output.page, "{note}")?;
    }
    let interrupts = Interrupts::new()?;
    let first = options.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    for number in 0..options.test_count {
        options.config.seed = first.wrapping_add(number);
        let (status, store) = run_test(&options, &interrupts, output)?;
        let repeated = store.filter(|_| options.check_determinism && status != INTERRUPTED);
        let status = match repeated {
            Some(first) => repeat(&options, &interrupts, &first, status, output)?,
            None => status,
        };
        if status != VALID {
            return Ok(status);
        }
    }
    Ok(VALID)
}

/// Runs a test again and compares the two; returns the exit status of the first, unless they differ.
fn repeat(
    options: &Options,
    interrupts: &Interrupts,
    first: &RunFolder,
    status: u8,
    output: &mut Output<'_>,
) -> io::Result<u8> {
    let mut again = Output { page: &mut io::sink(), colours: false, store: output.store };
    let (status_again, second) = run_test(options, interrupts, &mut again)?;
    let Some(second) = second.filter(|_| status_again != INTERRUPTED) else { return Ok(status_again) };
    let difference = determinism::compare([first.folder(), second.folder()])?;
    let message = match &difference {
        None => "a second run is the same, byte for byte".to_owned(),
        Some(difference) => {
            format!("a second run, in {}, differs in {difference}", second.folder().display())
        }
    };
    // With --json, the page has nothing but results.
    let page: &mut dyn Write = if options.report.json { &mut io::stderr() } else { output.page };
    writeln!(page, "{:<16}{message}", "determinism")?;
    Ok(if difference.is_some() { DIFFERENT } else { status })
}

/// Runs a test and reports on it; returns its exit status, and its files if it began.
fn run_test(
    options: &Options,
    interrupts: &Interrupts,
    output: &mut Output<'_>,
) -> io::Result<(u8, Option<RunFolder>)> {
    let Options { config, report, .. } = options;
    if !report.json {
        writeln!(output.page, "{:<16}{}", "seed", config.seed)?;
        output.page.flush()?;
    }
    let program = match program(options) {
        Ok(program) => program,
        Err(why) => {
            stop(options, &why, output.page)?;
            return Ok((BROKEN, None));
        }
    };
    let mut store = create_store(output, config);
    let ran = if config.virtual_time {
        in_virtual_time(options, program, &store, interrupts)?
    } else {
        in_real_time(options, program, &store, interrupts)?
    };
    let status = match ran {
        Ok(outcome) => finish(outcome, config, report, &mut store, output.page, output.colours)?.status,
        Err(TestError::Halt(Halt::Interrupted)) => {
            stop(options, "Interrupted; all nodes have been ended.", output.page)?;
            INTERRUPTED
        }
        Err(failure) => {
            report_broken(config, report, &failure.to_string(), output.page)?;
            if !report.json {
                print_failure(&failure, &store, output.page)?;
            }
            BROKEN
        }
    };
    Ok((status, Some(store)))
}

/// Reports, to people or programs, that a test has no verdict and why.
fn stop(Options { config, report, .. }: &Options, why: &str, page: &mut dyn Write) -> io::Result<()> {
    report_broken(config, report, why, page)?;
    if report.json { Ok(()) } else { writeln!(page, "{why}") }
}

/// Prints why a test could not be run, after what the node to blame wrote last.
fn print_failure(failure: &TestError, store: &RunFolder, page: &mut dyn Write) -> io::Result<()> {
    if let TestError::Unready { node, output_tail, .. } = failure
        && !output_tail.stderr.is_empty()
    {
        writeln!(page, "{node} wrote to stderr last:")?;
        write_indented(&output_tail.stderr, page)?;
    }
    writeln!(page, "What nodes wrote to stderr is in {}", store.node_logs().display())?;
    writeln!(page, "The test could not be run: {failure}")
}

/// Creates the folder of a run; warns at once if that fails.
fn create_store(output: &Output<'_>, config: &TestConfig) -> RunFolder {
    let store = RunFolder::create(output.store, config.workload.name());
    for why in store.missing() {
        writeln!(io::stderr(), "{why}").ok();
    }
    store
}

/// How nodes are started whose logs and data are in the folder of the run.
fn launch(options: &Options, program: PathBuf, arguments: Vec<String>, store: &RunFolder) -> Launch {
    // Nodes run in another folder.
    let data = options.config.durable.then(|| store.folder().join("data"));
    let data = data.map(|data| std::path::absolute(&data).unwrap_or(data));
    Launch { program, arguments, logs: Some(store.node_logs()), log_stderr: options.log_stderr, data }
}

fn in_real_time(
    options: &Options,
    program: PathBuf,
    store: &RunFolder,
    interrupts: &Interrupts,
) -> io::Result<Result<Outcome, TestError>> {
    let Options { config, bin, .. } = options;
    let builtin = ["node", config.workload.name()].into_iter().filter(|_| bin.is_none()).map(str::to_owned);
    let arguments = builtin.chain(config.arguments.iter().cloned()).collect();
    let launch = launch(options, program, arguments, store);
    let mut progress = Progress::new(options);
    // Its drop ends all nodes, however the test ends.
    let mut processes = Processes::new(launch, config.nodes.clone(), interrupts)?;
    Ok(run_as_far_as_possible(config, &mut processes, &mut progress))
}

#[cfg_attr(
    not(all(target_os = "linux", target_arch = "x86_64")),
    expect(unused_variables, reason = "programs are traced on Linux and x86-64 only")
)]
fn in_virtual_time(
    options: &Options,
    program: PathBuf,
    store: &RunFolder,
    interrupts: &Interrupts,
) -> io::Result<Result<Outcome, TestError>> {
    let config = &options.config;
    let mut progress = Progress::new(options).in_virtual_time().until(interrupts.catch());
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    if options.bin.is_some() {
        use crate::workbench::cluster::traced::TracedCluster;
        let arguments = config.arguments.clone();
        let launch = launch(options, program, arguments, store);
        let mut programs = TracedCluster::new(launch, config.nodes.clone(), config.seed)?;
        let ran = run_as_far_as_possible(config, &mut programs, &mut progress);
        keep(&progress, store);
        return Ok(ran);
    }
    let nodes = config.workload.node().engines(config.nodes.len(), config.seed, &config.arguments, config.durable);
    let mut simulation = nodes.map_err(io::Error::other)?;
    let ran = run_as_far_as_possible(config, &mut simulation, &mut progress);
    keep(&progress, store);
    Ok(ran)
}

/// Writes what was done at the prompt as a scenario, next to the results.
fn keep(progress: &Progress<'_>, store: &RunFolder) {
    let Some(scenario) = progress.scenario() else { return };
    let path = store.folder().join("scenario.toml");
    let kept = std::fs::write(&path, scenario.to_toml());
    let how = kept.map_or_else(|why| format!("cannot be kept: {why}"), |()| format!("is in {}", path.display()));
    writeln!(io::stderr(), "What was done {how}; --scenario FILE does it again").ok();
}

/// The executable of the nodes (without `--bin`, this program), or why it cannot be executed.
fn program(options: &Options) -> Result<PathBuf, String> {
    match &options.bin {
        Some(bin) => executable(bin).map_err(|why| format!("{} cannot be executed: {why}", bin.display())),
        None => std::env::current_exe().map_err(|why| format!("the built-in node cannot be executed: {why}")),
    }
}

#[cfg(test)]
pub(in crate::workbench) mod tests;
