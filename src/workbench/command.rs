//! `gloomers test`: from a command line to an exit status (reference §4.7).

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use super::cluster::Halt;
use super::conclude::{conclude, open_store};
use super::options::{Options, Refusal};
use super::processes::{Interrupts, Launch, Processes};
use super::progress::Progress;
use super::run::{Failure, run};

/// Every test was valid.
pub const VALID: u8 = 0;
/// The user pressed Ctrl-C.
pub const INTERRUPTED: u8 = 130;
/// The arguments make no sense.
pub const BAD_ARGUMENTS: u8 = 254;
/// A test could not be run to its end.
pub const BROKEN: u8 = 255;

/// Runs the tests that the arguments after `gloomers test` describe, and reports to `out`.
///
/// # Errors
///
/// When `out` cannot be written, or the machine refuses what every test needs.
pub fn test(arguments: impl IntoIterator<Item = OsString>, out: &mut dyn Write) -> io::Result<u8> {
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(Refusal::Help(help)) => {
            write!(out, "{help}")?;
            return Ok(VALID);
        }
        Err(Refusal::Errors(errors)) => {
            for error in errors {
                writeln!(out, "{error}")?;
            }
            return Ok(BAD_ARGUMENTS);
        }
    };
    for note in &options.notes {
        writeln!(out, "{note}")?;
    }
    let interrupts = Interrupts::new()?;
    let first = options.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    for number in 0..options.test_count {
        let status = one(&options, first.wrapping_add(number), &interrupts, out)?;
        if status != VALID {
            return Ok(status);
        }
    }
    Ok(VALID)
}

fn one(options: &Options, seed: u64, interrupts: &Interrupts, out: &mut dyn Write) -> io::Result<u8> {
    writeln!(out, "seed         {seed}")?;
    out.flush()?;
    let (program, arguments) = match node(options) {
        Ok(node) => node,
        Err(error) => {
            let bin = options.bin.as_deref().unwrap_or("the built-in node".as_ref()).display();
            writeln!(out, "{bin} cannot be executed: {error}")?;
            return Ok(BROKEN);
        }
    };
    let folder = open_store(options)?;
    let launch = Launch { program, arguments, logs: folder.join("node-logs"), log_stderr: options.log_stderr };
    let others_write = options.log_stderr || options.log_net_send || options.log_net_recv;
    let mut progress = Progress::new(options.time_limit, options.quiet, others_write);
    let mut processes = Processes::new(launch, options.nodes.clone(), interrupts)?;
    let mut workload = options.workload.begin(options.topology);
    let ran = run(&options.plan(seed), &mut *workload, &mut processes, &mut progress);
    // Whatever happened, no node outlives its test.
    drop(processes);
    match ran {
        Ok(outcome) => conclude(&outcome, options, &folder, out),
        Err(Failure::Halt(Halt::Interrupted)) => {
            writeln!(out, "Interrupted; all nodes have been ended.")?;
            Ok(INTERRUPTED)
        }
        Err(failure) => {
            writeln!(out, "The test could not be run: {failure}")?;
            if let Failure::Unready { last_words, .. } = &failure {
                for line in &last_words.stderr {
                    writeln!(out, "    {line}")?;
                }
            }
            writeln!(out, "What nodes wrote to stderr is in {}", folder.join("node-logs").display())?;
            Ok(BROKEN)
        }
    }
}

/// The executable of the node and its arguments; without `--bin`, this very program.
fn node(options: &Options) -> io::Result<(PathBuf, Vec<String>)> {
    if let Some(bin) = &options.bin {
        return Ok((bin.canonicalize()?, options.arguments.clone()));
    }
    let mut arguments = vec!["node".to_owned(), options.workload.name().to_owned()];
    arguments.extend(options.arguments.iter().cloned());
    Ok((std::env::current_exe()?, arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> (u8, String) {
        let mut out = Vec::new();
        let status = test(line.split_whitespace().map(OsString::from), &mut out).expect("memory can be written");
        (status, String::from_utf8_lossy(&out).into_owned())
    }

    #[test]
    fn bad_arguments_end_with_254_one_mistake_a_line() {
        let (status, out) = run("-w echo --rate x --latency x");
        assert_eq!((status, out.lines().count()), (BAD_ARGUMENTS, 2), "{out}");
    }

    #[test]
    fn help_ends_with_0() {
        let (status, out) = run("--help");
        assert_eq!(status, VALID);
        assert!(out.contains("--workload"), "{out}");
    }

    #[test]
    fn an_executable_that_does_not_exist_ends_with_255_after_the_seed() {
        let (status, out) = run("-w echo --seed 7 --bin /nonexistent/node");
        assert_eq!(status, BROKEN);
        assert!(out.starts_with("seed         7\n/nonexistent/node cannot be executed"), "{out}");
    }
}
