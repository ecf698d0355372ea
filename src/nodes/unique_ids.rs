//! Challenge 2: unique ids.
//!
//! An id consists of the node's id, a tag of its incarnation, and a counter: unique across nodes, restarts and
//! partitions without any messages. The tag is the wall clock at the start, and sixteen random bits in case the clock
//! is set back. With a storage it is the number of the start, which no clock can repeat.

use std::convert::Infallible;
use std::fmt::Write as _;

use crate::node::{Node, NodeContext, ReplyTo};
use crate::outbox::Outbox;
use crate::requests;

requests! {
    /// Requests to a unique-ids node.
    #[derive(Debug)]
    pub enum Request<'a> {
        /// Generate an id.
        "generate" => Generate {},
    }
}

/// Generates strings like `n1-63f8a1b2c3d4e5f6-42`, or with a storage `n1-s7-42`.
#[derive(Debug)]
pub struct UniqueIds {
    /// The latest id; its counter is overwritten in place.
    id: String,
    prefix: usize,
    count: u64,
}

impl Node for UniqueIds {
    type Request<'a> = Request<'a>;
    type Timer = Infallible;
    type Call = Infallible;
    type Options = ();

    const STORES: bool = true;

    fn start(context: &NodeContext<'_, ()>, out: &mut Outbox<Self>) -> Self {
        let tag = if out.is_durable() {
            let earlier =
                context.stored.snapshot.as_deref().and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
            let start = earlier.unwrap_or(0_u64) + 1;
            out.persist_snapshot(start.to_string().into());
            format!("s{start}")
        } else {
            format!("{:x}{:04x}", context.incarnation, context.seed & 0xffff)
        };
        let id = format!("{}-{tag}-", context.nodes[context.me.index()]);
        Self { prefix: id.len(), id, count: 0 }
    }

    fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
        let Request::Generate {} = request;
        self.id.truncate(self.prefix);
        write!(self.id, "{}", self.count).expect("writing to a String cannot fail");
        self.count += 1;
        out.reply(from, "generate_ok").field("id", self.id.as_str()).end();
    }
}
