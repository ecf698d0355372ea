//! The `g-counter` node, for Maelstrom's `--bin`.

use std::process::ExitCode;

fn main() -> ExitCode {
    gossip_gloomers::shell::main::<gossip_gloomers::nodes::GCounter>()
}
