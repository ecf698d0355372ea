//! A grow-only set, a view on the replicated log, generic over the workload's requests and replies.

use std::convert::Infallible;
use std::fmt::Debug;
use std::marker::PhantomData;

use super::values::Values;
use crate::gossip::{Message, Replicated, Settings, Tick};
use crate::node::{Node, NodeContext, ReplyTo};
use crate::outbox::Outbox;
use crate::wire::{Decode, ErrorCode, Json, MAX_REPLY, REPLY_TOO_LARGE, Raw};

/// The messages of a workload.
pub trait Protocol: Debug {
    /// Its requests.
    type Request<'a>: Decode<'a> + Into<SetRequest<'a>>;
}

/// A request, independent of the workload, with the part of its reply that depends on it.
#[derive(Debug)]
pub enum SetRequest<'a> {
    /// Add this value; the `type` of the reply.
    Add(Json<'a>, &'static str),
    /// Read all values; the field of the reply that lists them.
    Read(&'static str),
    /// Only acknowledge, with this `type` of reply.
    Acknowledge(&'static str),
    /// A message from another replica.
    Gossip(Message<'a>),
}

/// A node with a replica of the set.
#[derive(Debug)]
pub struct Set<P> {
    log: Replicated<Values>,
    /// The JSON text of a value that is added.
    text: Vec<u8>,
    protocol: PhantomData<P>,
}

impl<P> Set<P> {
    /// The number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.log.view().len()
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<P: Protocol> Node for Set<P> {
    type Request<'a> = P::Request<'a>;
    type Timer = Tick;
    type Call = Infallible;
    type Options = Settings;

    fn start(context: &NodeContext<'_, Settings>, out: &mut Outbox<Self>) -> Self {
        let log = Replicated::new(context, context.options, Values::default(), out);
        Self { log, text: Vec::new(), protocol: PhantomData }
    }

    fn on_settled(&mut self, out: &mut Outbox<Self>) {
        self.log.on_settled(out);
    }

    fn on_request(&mut self, from: ReplyTo, request: P::Request<'_>, out: &mut Outbox<Self>) {
        let values = self.log.view();
        match request.into() {
            SetRequest::Add(value, reply_type) => {
                self.text.clear();
                value.write(&mut self.text);
                match self.log.append(Raw(&self.text), out) {
                    Ok(_) => out.reply(from, reply_type).end(),
                    Err(what) => out.reply_error(from, ErrorCode::MALFORMED_REQUEST, what.message()),
                }
            }
            SetRequest::Read(_) if values.bytes() > MAX_REPLY => {
                out.reply_error(from, ErrorCode::ABORT, REPLY_TOO_LARGE);
            }
            SetRequest::Read(field) => out.reply(from, "read_ok").field_with(field, |text| values.write(text)).end(),
            SetRequest::Acknowledge(reply_type) => out.reply(from, reply_type).end(),
            SetRequest::Gossip(message) => self.log.on_message(from, &message, out),
        }
    }

    fn on_timer(&mut self, _: Tick, out: &mut Outbox<Self>) {
        self.log.on_tick(out);
    }
}
