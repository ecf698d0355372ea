//! The `echo` node, for Maelstrom's `--bin`.

use std::process::ExitCode;

fn main() -> ExitCode {
    gossip_gloomers::event_loop::main::<gossip_gloomers::nodes::Echo>()
}
