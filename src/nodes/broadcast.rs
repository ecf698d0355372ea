//! Challenge 3: every value told to one node is read at all.

use super::set::{Protocol, Set, SetRequest};
use crate::gossip::Message;
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

impl<'a> From<Request<'a>> for SetRequest<'a> {
    fn from(request: Request<'a>) -> Self {
        match request {
            Request::Broadcast { message } => Self::Add(message, "broadcast_ok"),
            Request::Read {} => Self::Read("messages"),
            Request::Topology {} => Self::Nothing("topology_ok"),
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
