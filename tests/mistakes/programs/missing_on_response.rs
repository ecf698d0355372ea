//! A node that makes calls, and does not handle the responses.

use std::convert::Infallible;
use std::process::ExitCode;

use gossip_gloomers::node::{Node, NodeContext, ReplyTo};
use gossip_gloomers::outbox::Outbox;
use gossip_gloomers::requests;

requests! {
    #[derive(Debug)]
    enum Request<'a> {
        "read" => Read {},
    }
}

struct Forgetful;

impl Node for Forgetful {
    type Request<'a> = Request<'a>;
    type Timer = Infallible;
    type Call = ReplyTo;
    type Options = ();

    fn start(_: &NodeContext<'_, ()>, _: &mut Outbox<Self>) -> Self {
        Self
    }

    fn on_request(&mut self, from: ReplyTo, _: Request<'_>, out: &mut Outbox<Self>) {
        out.reply(from, "read_ok").end();
    }
}

fn main() -> ExitCode {
    gossip_gloomers::event_loop::main::<Forgetful>()
}
