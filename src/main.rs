//! `gloomers`: tests nodes as Maelstrom does, and is a node itself.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use gossip_gloomers::workbench::command;
use gossip_gloomers::{nodes, shell};

const USAGE: &str = "\
Usage: gloomers COMMAND [OPTIONS ...]
Commands: node, test

  gloomers test -w broadcast --node-count 25 --rate 100 --latency 100
  gloomers test -w echo --bin ./my-node
  gloomers test --help
  gloomers node WORKLOAD [ARGUMENTS ...]
";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let command = arguments.next().unwrap_or_default();
    match command.to_str() {
        Some("test") => match command::test(arguments, &mut io::stdout().lock()) {
            Ok(status) => ExitCode::from(status),
            Err(error) => {
                writeln!(io::stderr(), "{error}").ok();
                ExitCode::from(command::BROKEN)
            }
        },
        Some("node") => {
            let workload = arguments.next().unwrap_or_default();
            run_node(&workload.to_string_lossy(), &arguments.collect::<Vec<_>>())
        }
        Some("-h" | "--help" | "help") => {
            write!(io::stdout(), "{USAGE}").ok();
            ExitCode::SUCCESS
        }
        Some(_) | None => {
            write!(io::stdout(), "{USAGE}").ok();
            ExitCode::from(command::BAD_ARGUMENTS)
        }
    }
}

/// Is a node for the workload, on stdin and stdout, until the end of input.
fn run_node(workload: &str, arguments: &[OsString]) -> ExitCode {
    let mut arguments = arguments.iter().map(|argument| argument.to_string_lossy().into_owned());
    match workload {
        "echo" => shell::main_with::<nodes::Echo>(&mut arguments),
        "unique-ids" => shell::main_with::<nodes::UniqueIds>(&mut arguments),
        "broadcast" => shell::main_with::<nodes::Broadcast>(&mut arguments),
        _ => {
            writeln!(io::stderr(), "there is no built-in node for {workload:?}").ok();
            ExitCode::from(command::BAD_ARGUMENTS)
        }
    }
}
