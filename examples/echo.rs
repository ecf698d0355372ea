//! The smallest node, as a program and with its test.
//!
//! ```console
//! $ cargo build --release --example echo
//! $ cargo run --release -- test -w echo --bin target/release/examples/echo --node-count 1 --time-limit 10
//! ```

use std::convert::Infallible;
use std::process::ExitCode;

use gossip_gloomers::node::{Node, NodeContext, ReplyTo};
use gossip_gloomers::outbox::Outbox;
use gossip_gloomers::requests;
use gossip_gloomers::wire::Json;

requests! {
    /// Requests to an echo node.
    #[derive(Debug)]
    enum Request<'a> {
        /// Send this value back.
        "echo" => Echo { echo: Json<'a> },
    }
}

/// Replies to each `echo` with the same value.
#[derive(Debug)]
struct Echo;

impl Node for Echo {
    type Request<'a> = Request<'a>;
    type Timer = Infallible;
    type Call = Infallible;
    type Options = ();

    fn start(_: &NodeContext<'_, ()>, _: &mut Outbox<Self>) -> Self {
        Self
    }

    fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
        let Request::Echo { echo } = request;
        out.reply(from, "echo_ok").field("echo", echo).end();
    }
}

fn main() -> ExitCode {
    gossip_gloomers::event_loop::main::<Echo>()
}

#[cfg(all(test, feature = "workbench"))]
mod tests {
    use gossip_gloomers::simulation::{Simulation, Workload};

    use super::Echo;

    #[test]
    fn every_value_is_echoed() {
        let report = Simulation::of::<Echo>().nodes(1).run(Workload::Echo).expect("the options are valid");
        assert!(report.is_valid(), "{report:?}");
    }
}
