//! Challenge 2: ids that no two requests ever share.
//!
//! An id is the node's name, the tag of this incarnation of it, and a count: unique across nodes, restarts and
//! partitions without a message. The tag is the wall clock at the start and sixteen random bits, should the clock be
//! set back.

use std::convert::Infallible;
use std::fmt::Write as _;

use crate::node::{Node, NodeContext, ReplyTo};
use crate::outbox::Outbox;
use crate::requests;

requests! {
    /// What a unique-ids node is asked.
    #[derive(Debug)]
    pub enum Request<'a> {
        /// Make an id.
        "generate" => Generate {},
    }
}

/// Makes ids like `n1-63f8a1b2c3d4e5f6-42`: strings, all of them.
#[derive(Debug)]
pub struct UniqueIds {
    /// The latest id; its count is rewritten in place.
    id: String,
    prefix: usize,
    count: u64,
}

impl Node for UniqueIds {
    type Request<'a> = Request<'a>;
    type Timer = Infallible;
    type Call = Infallible;
    type Options = ();

    fn start(context: &NodeContext<'_, ()>, _: &mut Outbox<Self>) -> Self {
        let id =
            format!("{}-{:x}{:04x}-", context.nodes[context.me.index()], context.incarnation, context.seed & 0xffff);
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
