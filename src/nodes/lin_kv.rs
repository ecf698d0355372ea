//! A proxy of the service lin-kv: each request is forwarded, and the response passed back.
//!
//! Costs two messages per request.

use std::convert::Infallible;

use crate::kv::{IfMissing, LIN_KV};
use crate::node::{Node, NodeContext, ReplyTo, Response};
use crate::outbox::Outbox;
use crate::requests;
use crate::wire::{ErrorCode, Json};

requests! {
    /// Requests to the node.
    #[derive(Debug)]
    pub enum Request<'a> {
        /// Read a key.
        "read" => Read { key: Json<'a> },
        /// Write a key.
        "write" => Write { key: Json<'a>, value: Json<'a> },
        /// Compare and set a key.
        "cas" => Cas { key: Json<'a>, from: Json<'a>, to: Json<'a> },
    }
}

/// A stateless node.
#[derive(Debug)]
pub struct LinKv;

impl Node for LinKv {
    type Request<'a> = Request<'a>;
    type Timer = Infallible;
    /// The request that is forwarded.
    type Call = ReplyTo;
    type Options = ();

    fn start(_: &NodeContext<'_, ()>, _: &mut Outbox<Self>) -> Self {
        Self
    }

    fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
        match request {
            Request::Read { key } => LIN_KV.read(key, from, out),
            Request::Write { key, value } => LIN_KV.write(key, value, from, out),
            Request::Cas { key, from: old, to: new } => LIN_KV.cas(key, (old, new), IfMissing::Fail, from, out),
        }
    }

    fn on_response(&mut self, from: ReplyTo, response: Response<'_>, out: &mut Outbox<Self>) {
        match response {
            Response::Reply { kind: "write_ok", .. } => out.reply(from, "write_ok").end(),
            Response::Reply { kind: "cas_ok", .. } => out.reply(from, "cas_ok").end(),
            Response::Reply { body, .. } => match body.get("value") {
                Some(value) => out.reply(from, "read_ok").field("value", value).end(),
                None => out.reply_error(from, ErrorCode::CRASH, "lin-kv sent an invalid reply"),
            },
            Response::Error { code, text } => out.reply_error(from, code, text),
            Response::Expired => out.reply_error(from, ErrorCode::TIMEOUT, "lin-kv did not answer"),
        }
    }
}
