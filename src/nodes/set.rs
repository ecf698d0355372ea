//! A set that grows at every node and is read at any, in whatever words a workload uses: a view on the replicated log.

use std::convert::Infallible;
use std::fmt::Debug;

use super::values::Values;
use crate::gossip::{Gossip, Message, Settings, Tick};
use crate::node::{Node, NodeContext, ReplyTo};
use crate::outbox::Outbox;
use crate::wire::{Decode, ErrorCode, Json, MAX_REPLY, REQUEST, UNANSWERABLE};

/// How a workload words its requests.
pub trait Vocabulary: Debug {
    /// What the node is asked.
    type Request<'a>: Decode<'a> + Into<Wish<'a>>;
}

/// What a request comes to, and the words in which to answer.
#[derive(Debug)]
pub enum Wish<'a> {
    /// Add this value; the type of the reply.
    Add(Json<'a>, &'static str),
    /// Name every value; the field of the reply that lists them.
    Read(&'static str),
    /// Nothing but a reply of this type.
    Nothing(&'static str),
    /// Hear another replica.
    Gossip(Message<'a>),
}

/// A node that keeps such a set.
#[derive(Debug)]
pub struct Set<V> {
    gossip: Gossip,
    values: Values,
    /// Where the text of a value is made.
    scratch: Vec<u8>,
    vocabulary: std::marker::PhantomData<V>,
}

impl<V> Set<V> {
    /// What it holds.
    #[must_use]
    pub const fn values(&self) -> &Values {
        &self.values
    }
}

impl<V: Vocabulary> Node for Set<V> {
    type Request<'a> = V::Request<'a>;
    type Timer = Tick;
    type Call = Infallible;
    type Options = Settings;

    fn start(context: &NodeContext<'_, Settings>, out: &mut Outbox<Self>) -> Self {
        let gossip = Gossip::new(context, context.options, out);
        Self { gossip, values: Values::default(), scratch: Vec::new(), vocabulary: std::marker::PhantomData }
    }

    fn on_settled(&mut self, out: &mut Outbox<Self>) {
        self.gossip.on_settled(out);
    }

    fn on_request(&mut self, from: ReplyTo, request: V::Request<'_>, out: &mut Outbox<Self>) {
        match request.into() {
            Wish::Add(value, done) => {
                self.scratch.clear();
                value.write(&mut self.scratch);
                if let Err(what) = REQUEST.admit(&self.scratch) {
                    return out.reply_error(from, ErrorCode::MALFORMED_REQUEST, what.why());
                }
                if self.values.insert(&self.scratch) {
                    self.gossip.append(&self.scratch, out).expect("it was admitted");
                }
                out.reply(from, done).end();
            }
            Wish::Read(_) if self.values.bytes() > MAX_REPLY => {
                out.reply_error(from, ErrorCode::ABORT, UNANSWERABLE);
            }
            Wish::Read(field) => out.reply(from, "read_ok").field_with(field, |text| self.values.write(text)).end(),
            Wish::Nothing(done) => out.reply(from, done).end(),
            Wish::Gossip(message) => {
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
