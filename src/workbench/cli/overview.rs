//! `gloomers` itself: its commands, its version, and what it says of a command that it does not know.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

use super::{challenges, check, swarm};
use crate::workbench::cli::options::{self, Refusal};

const EXAMPLES: &str = "\
Examples:
  gloomers test -w broadcast --node-count 25 --rate 100 --latency 100
  gloomers test -w echo --bin ./my-node
  gloomers check store/latest -w broadcast
  gloomers swarm -w broadcast --seeds 1000";

/// What to print for a command line whose first word is not the name of a command to run.
#[must_use]
pub fn overview(arguments: impl IntoIterator<Item = OsString>) -> Refusal {
    match options::matches(table(), arguments) {
        Err(refusal) => refusal,
        // Whatever it is that clap takes for a command, it is none that runs.
        Ok(_) => Refusal::Errors(vec![table().render_help().to_string()]),
    }
}

/// The help of `gloomers node`, whose arguments are the node's own.
#[must_use]
pub fn help_of_node() -> Refusal {
    Refusal::Help(node().render_help().to_string())
}

fn table() -> Command {
    let commands = [options::table(), check::table(), challenges::table(), swarm::table(), node()];
    let names = ["test", "check", "challenges", "swarm", "node"];
    let commands = names.into_iter().zip(commands);
    let commands = commands.map(|(name, command)| command.name(name).bin_name(format!("gloomers {name}")));
    Command::new("gloomers")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Tests nodes as Maelstrom does, without a JVM, and is a node itself")
        .after_help(format!("{}\n\n{EXAMPLES}", options::workloads()))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(commands)
}

fn node() -> Command {
    Command::new("gloomers node")
        .about("Is the built-in node for a workload, on stdin and stdout, until the end of input")
        .after_help(options::workloads())
        .arg(Arg::new("workload").value_name("WORKLOAD").required(true).help("Whose node to be: one of those below"))
        .arg(Arg::new("arguments").value_name("ARGUMENTS").action(ArgAction::Append).help("For the node"))
}
