//! Challenge 1: echo.

use std::convert::Infallible;

use crate::node::{Node, NodeContext, ReplyTo};
use crate::outbox::Outbox;
use crate::requests;
use crate::wire::Json;

requests! {
    /// Requests to an echo node.
    #[derive(Debug)]
    pub enum Request<'a> {
        /// Send this value back.
        "echo" => Echo { echo: Json<'a> },
    }
}

/// Replies to each `echo` with the same value.
#[derive(Debug)]
pub struct Echo;

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
