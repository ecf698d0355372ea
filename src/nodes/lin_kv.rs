//! Registers, by asking the lin-kv service: each request is passed on, and its answer passed back.
//!
//! Two messages a request.

use std::convert::Infallible;

use crate::kv::{Absent, LIN_KV};
use crate::node::{Node, NodeContext, ReplyTo, Response};
use crate::outbox::Outbox;
use crate::requests;
use crate::wire::{ErrorCode, Json};

requests! {
    /// What a node is asked.
    #[derive(Debug)]
    pub enum Request<'a> {
        /// Name the value of a key.
        "read" => Read { key: Json<'a> },
        /// Give a key a value.
        "write" => Write { key: Json<'a>, value: Json<'a> },
        /// Give a key a value if it has this one.
        "cas" => Cas { key: Json<'a>, from: Json<'a>, to: Json<'a> },
    }
}

/// A node that keeps nothing.
#[derive(Debug)]
pub struct LinKv;

impl Node for LinKv {
    type Request<'a> = Request<'a>;
    type Timer = Infallible;
    /// Who waits for the answer.
    type Call = ReplyTo;
    type Options = ();

    fn start(_: &NodeContext<'_, ()>, _: &mut Outbox<Self>) -> Self {
        Self
    }

    fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
        match request {
            Request::Read { key } => LIN_KV.read(key, from, out),
            Request::Write { key, value } => LIN_KV.write(key, value, from, out),
            Request::Cas { key, from: old, to: new } => LIN_KV.cas(key, (old, new), Absent::Refuse, from, out),
        }
    }

    fn on_response(&mut self, from: ReplyTo, answer: Response<'_>, out: &mut Outbox<Self>) {
        match answer {
            Response::Reply { kind: "write_ok", .. } => out.reply(from, "write_ok").end(),
            Response::Reply { kind: "cas_ok", .. } => out.reply(from, "cas_ok").end(),
            Response::Reply { body, .. } => match body.get("value") {
                Some(value) => out.reply(from, "read_ok").field("value", value).end(),
                None => out.reply_error(from, ErrorCode::CRASH, "lin-kv gave no answer that makes sense"),
            },
            Response::Error { code, text } => out.reply_error(from, code, text),
            Response::Expired => out.reply_error(from, ErrorCode::TIMEOUT, "lin-kv did not answer"),
        }
    }
}
