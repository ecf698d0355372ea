//! Maelstrom's g-set workload: a grow-only set.

use super::set::{Protocol, Set, SetRequest};
use crate::gossip::Message;
use crate::requests;
use crate::wire::Json;

requests! {
    /// Requests to a g-set node.
    #[derive(Debug)]
    pub enum Request<'a> {
        /// Add this element.
        "add" => Add { element: Json<'a> },
        /// Read all elements.
        "read" => Read {},
        /// A message from another replica.
        "gossip" => Gossip(Message<'a>),
    }
}

impl<'a> From<Request<'a>> for SetRequest<'a> {
    fn from(request: Request<'a>) -> Self {
        match request {
            Request::Add { element } => Self::Add(element, "add_ok"),
            Request::Read {} => Self::Read("value"),
            Request::Gossip(message) => Self::Gossip(message),
        }
    }
}

/// The requests and replies of the g-set workload.
#[derive(Debug)]
pub struct GSetProtocol;

impl Protocol for GSetProtocol {
    type Request<'a> = Request<'a>;
}

/// A g-set node.
pub type GSet = Set<GSetProtocol>;
