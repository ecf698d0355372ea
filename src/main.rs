//! `gloomers`: tests nodes as Maelstrom does, and is a node itself.

use std::process::ExitCode;

fn main() -> ExitCode {
    gossip_gloomers::cli::main()
}
