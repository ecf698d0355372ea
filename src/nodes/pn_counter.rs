//! A counter that can be incremented and decremented at every node: the sum of the operations of the replicated log.
//!
//! Adds and reads are always answered at once from the local replica.

use std::convert::Infallible;

use crate::gossip::log::Origin;
use crate::gossip::{Message, Replicated, Settings, Tick, View};
use crate::node::{Node, NodeContext, ReplyTo};
use crate::outbox::Outbox;
use crate::requests;

requests! {
    /// Requests to a counter.
    #[derive(Debug)]
    pub enum Request<'a> {
        /// Add this to the counter.
        "add" => Add { delta: i64 },
        /// Read the counter.
        "read" => Read {},
        /// A message from another replica.
        "gossip" => Gossip(Message<'a>),
    }
}

/// The sum, modulo 2⁶⁴ so that it does not depend on the order.
#[derive(Debug, Default)]
struct Sum(i64);

impl View for Sum {
    type Op<'a> = i64;

    fn apply(&mut self, _: Origin, _: u32, delta: i64) -> bool {
        self.0 = self.0.wrapping_add(delta);
        delta != 0
    }
}

/// A counter node.
#[derive(Debug)]
pub struct PnCounter {
    log: Replicated<Sum>,
}

impl Node for PnCounter {
    type Request<'a> = Request<'a>;
    type Timer = Tick;
    type Call = Infallible;
    type Options = Settings;

    fn start(context: &NodeContext<'_, Settings>, out: &mut Outbox<Self>) -> Self {
        Self { log: Replicated::new(context, context.options, Sum::default(), out) }
    }

    fn on_settled(&mut self, out: &mut Outbox<Self>) {
        self.log.on_settled(out);
    }

    fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
        match request {
            Request::Add { delta } => {
                self.log.append(delta, out).expect("a number is not too large");
                out.reply(from, "add_ok").end();
            }
            Request::Read {} => out.reply(from, "read_ok").field("value", self.log.view().0).end(),
            Request::Gossip(message) => self.log.on_message(from, &message, out),
        }
    }

    fn on_timer(&mut self, _: Tick, out: &mut Outbox<Self>) {
        self.log.on_tick(out);
    }
}
