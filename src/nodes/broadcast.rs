//! Challenge 3: every value told to one node is read at all.
//!
//! A view on the replicated log: the set of values, kept also as the bytes of the reply, so that a read is a copy.

use std::collections::HashSet;

use crate::gossip::log::Origin;
use crate::gossip::{Gossip, Message, Settings, Tick, View};
use crate::node::{Life, Node, Sender};
use crate::outbox::Outbox;
use crate::requests;
use crate::wire::Json;

requests! {
    /// What a broadcast node is asked.
    #[derive(Debug)]
    pub enum Request<'a> {
        /// Tell everyone.
        "broadcast" => Broadcast { message: Json<'a> },
        /// Name every value heard of.
        "read" => Read {},
        /// Advice on whom to talk to, which this node does not need.
        "topology" => Topology {},
        /// What another replica says.
        "gossip" => Gossip(Message<'a>),
    }
}

/// A set of JSON values in the order in which they came.
#[derive(Debug, Default)]
pub struct Values {
    /// The text of each value.
    known: HashSet<Box<[u8]>>,
    /// `[1,2,"three"` without the closing bracket.
    listed: Vec<u8>,
}

impl Values {
    /// Whether the value was new.
    pub fn insert(&mut self, value: &[u8]) -> bool {
        if self.known.contains(value) {
            return false;
        }
        self.known.insert(value.into());
        self.listed.push(if self.listed.is_empty() { b'[' } else { b',' });
        self.listed.extend_from_slice(value);
        true
    }

    /// Appends all values as a JSON array.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.listed.is_empty() { b"[" } else { &self.listed });
        out.push(b']');
    }
}

impl View for Values {
    fn apply(&mut self, _: Origin, _: u32, operation: &[u8]) {
        self.insert(operation);
    }
}

/// A broadcast node.
#[derive(Debug)]
pub struct Broadcast {
    gossip: Gossip,
    values: Values,
    /// Where the text of a value is made.
    scratch: Vec<u8>,
}

impl Node for Broadcast {
    type Request<'a> = Request<'a>;
    type Timer = Tick;
    type Call = std::convert::Infallible;
    type Options = Settings;

    fn start(life: &Life<'_, Settings>, out: &mut Outbox<Self>) -> Self {
        let gossip = Gossip::new(life, life.options, out);
        Self { gossip, values: Values::default(), scratch: Vec::new() }
    }

    fn on_settled(&mut self, out: &mut Outbox<Self>) {
        self.gossip.on_settled(out);
    }

    fn on_request(&mut self, from: Sender, request: Request<'_>, out: &mut Outbox<Self>) {
        match request {
            Request::Broadcast { message } => {
                self.scratch.clear();
                message.write(&mut self.scratch);
                if self.values.insert(&self.scratch) {
                    self.gossip.append(&self.scratch, out);
                }
                out.reply(from, "broadcast_ok").end();
            }
            Request::Read {} => out.reply(from, "read_ok").field_with("messages", |text| self.values.write(text)).end(),
            Request::Topology {} => out.reply(from, "topology_ok").end(),
            Request::Gossip(message) => {
                if let Some(peer) = from.peer() {
                    self.gossip.on_message(peer, &message, &mut self.values, out);
                }
            }
        }
    }

    fn on_timer(&mut self, _: Tick, out: &mut Outbox<Self>) {
        self.gossip.on_tick(out);
    }
}
