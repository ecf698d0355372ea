//! Maelstrom's g-set workload: a set to which every node adds and from which none removes.

use super::set::{Set, Vocabulary, Wish};
use crate::gossip::Message;
use crate::requests;
use crate::wire::Json;

requests! {
    /// What a g-set node is asked.
    #[derive(Debug)]
    pub enum Request<'a> {
        /// Put this into the set.
        "add" => Add { element: Json<'a> },
        /// Name every element.
        "read" => Read {},
        /// What another replica says.
        "gossip" => Gossip(Message<'a>),
    }
}

impl<'a> From<Request<'a>> for Wish<'a> {
    fn from(request: Request<'a>) -> Self {
        match request {
            Request::Add { element } => Self::Add(element, "add_ok"),
            Request::Read {} => Self::Read("value"),
            Request::Gossip(message) => Self::Gossip(message),
        }
    }
}

/// The words of the g-set workload.
#[derive(Debug)]
pub struct Words;

impl Vocabulary for Words {
    type Request<'a> = Request<'a>;
}

/// A g-set node.
pub type GSet = Set<Words>;
