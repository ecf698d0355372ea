//! A counter that every node raises and lowers, and that all agree on in the end: the sum of the operations of the log.
//!
//! Adds and reads are answered at once, partitioned or not.

use std::convert::Infallible;

use crate::gossip::log::Origin;
use crate::gossip::{Gossip, Message, Settings, Tick, View};
use crate::node::{Node, NodeContext, ReplyTo};
use crate::outbox::Outbox;
use crate::requests;
use crate::wire::write_int;

requests! {
    /// What a counter is asked.
    #[derive(Debug)]
    pub enum Request<'a> {
        /// Raise the counter, or lower it.
        "add" => Add { delta: i64 },
        /// Name its value.
        "read" => Read {},
        /// What another replica says.
        "gossip" => Gossip(Message<'a>),
    }
}

/// The sum, modulo 2⁶⁴ so that it does not depend on the order.
#[derive(Debug, Default)]
struct Sum(i64);

impl View for Sum {
    fn apply(&mut self, _: Origin, _: u32, operation: &[u8]) {
        let delta = std::str::from_utf8(operation).ok().and_then(|text| text.parse::<i64>().ok());
        self.0 = self.0.wrapping_add(delta.unwrap_or_default());
    }
}

/// A counter node.
#[derive(Debug)]
pub struct PnCounter {
    gossip: Gossip,
    sum: Sum,
    scratch: Vec<u8>,
}

impl Node for PnCounter {
    type Request<'a> = Request<'a>;
    type Timer = Tick;
    type Call = Infallible;
    type Options = Settings;

    fn start(context: &NodeContext<'_, Settings>, out: &mut Outbox<Self>) -> Self {
        Self { gossip: Gossip::new(context, context.options, out), sum: Sum::default(), scratch: Vec::new() }
    }

    fn on_settled(&mut self, out: &mut Outbox<Self>) {
        self.gossip.on_settled(out);
    }

    fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
        match request {
            Request::Add { delta } => {
                if delta != 0 {
                    self.scratch.clear();
                    if delta < 0 {
                        self.scratch.push(b'-');
                    }
                    write_int(&mut self.scratch, delta.unsigned_abs());
                    self.sum.0 = self.sum.0.wrapping_add(delta);
                    self.gossip.append(&self.scratch, out).expect("a number is not too large");
                }
                out.reply(from, "add_ok").end();
            }
            Request::Read {} => out.reply(from, "read_ok").field("value", self.sum.0).end(),
            Request::Gossip(message) => {
                if let Some(peer) = from.peer() {
                    self.gossip.on_message(peer, &message, &mut self.sum, out);
                }
            }
        }
    }

    fn on_timer(&mut self, _: Tick, out: &mut Outbox<Self>) {
        self.gossip.on_tick(out);
    }
}
