//! Challenge 3: every value sent to one node is eventually read at all nodes.

use super::set::{Protocol, Set, SetRequest};
use crate::gossip::Message;
use crate::requests;
use crate::wire::Json;

requests! {
    /// Requests to a broadcast node.
    #[derive(Debug)]
    pub enum Request<'a> {
        /// Broadcast this value.
        "broadcast" => Broadcast { message: Json<'a> },
        /// Read all values.
        "read" => Read {},
        /// Suggested neighbours, which this node ignores.
        "topology" => Topology {},
        /// A message from another replica.
        "gossip" => Gossip(Message<'a>),
    }
}

impl<'a> From<Request<'a>> for SetRequest<'a> {
    fn from(request: Request<'a>) -> Self {
        match request {
            Request::Broadcast { message } => Self::Add(message, "broadcast_ok"),
            Request::Read {} => Self::Read("messages"),
            Request::Topology {} => Self::Acknowledge("topology_ok"),
            Request::Gossip(message) => Self::Gossip(message),
        }
    }
}

/// The requests and replies of the broadcast workload.
#[derive(Debug)]
pub struct BroadcastProtocol;

impl Protocol for BroadcastProtocol {
    type Request<'a> = Request<'a>;
}

/// A broadcast node.
pub type Broadcast = Set<BroadcastProtocol>;
