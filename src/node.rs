//! The contract of a node: a state machine that answers requests, and nothing else.
//!
//! A node computes; its host acts. Time and randomness come in as arguments, everything it says goes into the
//! [`Outbox`], and no handler blocks, reads a clock or touches a descriptor.

use std::fmt;

use crate::outbox::Outbox;
use crate::time::Time;
use crate::wire::{Decode, ErrorCode, Json, Quote};

/// A Maelstrom node.
pub trait Node: Sized {
    /// What it can be asked, by clients and by peers; see [`requests!`](crate::requests).
    type Request<'a>: Decode<'a>;
    /// What a timer means when it fires.
    type Timer: Copy + fmt::Debug;
    /// What an answer means when it comes.
    type Call: Copy + fmt::Debug;
    /// What its command line says; `()` takes no arguments.
    type Options: Options;

    /// Makes the node, when `init` arrives.
    fn start(context: &NodeContext<'_, Self::Options>, out: &mut Outbox<Self>) -> Self;

    /// Called once, when all peers and services surely exist: the time to speak to them. What is sent to them before is
    /// held back until then ([`SETTLE`](crate::engine::SETTLE)).
    fn on_settled(&mut self, out: &mut Outbox<Self>) {
        let _ = out;
    }

    /// Handles a request; whoever sent it waits for [`Outbox::reply`] or [`Outbox::reply_error`], now or later.
    fn on_request(&mut self, from: ReplyTo, request: Self::Request<'_>, out: &mut Outbox<Self>);

    /// Handles what came of an [`Outbox::call`]: exactly one answer for each.
    fn on_response(&mut self, call: Self::Call, answer: Response<'_>, out: &mut Outbox<Self>) {
        let _ = (call, answer, out);
    }

    /// Handles a timer that [`Outbox::arm`] set.
    fn on_timer(&mut self, timer: Self::Timer, out: &mut Outbox<Self>) {
        let _ = (timer, out);
    }
}

/// A node's command line.
pub trait Options: Sized {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    /// An argument is unknown or has a bad value; the text says which, and what is allowed.
    fn parse(arguments: &mut dyn Iterator<Item = String>) -> Result<Self, String>;
}

impl Options for () {
    fn parse(arguments: &mut dyn Iterator<Item = String>) -> Result<Self, String> {
        match arguments.next() {
            None => Ok(()),
            Some(argument) => Err(format!("unexpected argument {}: this node takes none", Quote::of(&argument))),
        }
    }
}

/// Who a node is, this time.
#[derive(Debug)]
#[non_exhaustive]
pub struct NodeContext<'a, O> {
    /// The node itself.
    pub me: Peer,
    /// The ids of all nodes, itself included, in the order every node is given them; [`Peer`] is an index here.
    pub nodes: &'a [Box<str>],
    /// Grows from one incarnation of this node to its next: the host's wall clock at the start, in microseconds.
    pub incarnation: u64,
    /// For the node's own random choices.
    pub seed: u64,
    /// The command line.
    pub options: &'a O,
}

impl<O> NodeContext<'_, O> {
    /// All other nodes.
    pub fn others(&self) -> impl Iterator<Item = Peer> + use<O> {
        let me = self.me;
        (0..self.nodes.len()).map(Peer::at).filter(move |peer| *peer != me)
    }
}

/// A node of the cluster, by its position in `node_ids`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(u32);

impl Peer {
    /// The peer at a position.
    ///
    /// # Panics
    /// The position does not fit in 32 bits.
    #[must_use]
    pub fn at(index: usize) -> Self {
        Self(u32::try_from(index).expect("a cluster has fewer than four billion nodes"))
    }

    /// Its position.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One of Maelstrom's services (protocol §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Sequentially consistent keys and values.
    SeqKv,
    /// Linearizable keys and values.
    LinKv,
    /// Keys and values where the last write wins, eventually.
    LwwKv,
    /// Linearizable timestamps.
    LinTso,
}

/// Where a message can be sent without having been asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// A node.
    Peer(Peer),
    /// A service.
    Service(Service),
}

impl From<Peer> for Target {
    fn from(peer: Peer) -> Self {
        Self::Peer(peer)
    }
}

impl From<Service> for Target {
    fn from(service: Service) -> Self {
        Self::Service(service)
    }
}

/// Client ids are kept inside a [`ReplyTo`] when their JSON text has at most this many bytes (Maelstrom's are `c0`,
/// `c1`, ...); a request from a longer one is refused on stderr.
pub const MAX_CLIENT_ID: usize = 30;

/// The ticket for one reply: who asked, and under which number. Copy it, keep it, reply later.
#[derive(Debug, Clone, Copy)]
pub struct ReplyTo {
    pub(crate) who: Who,
    pub(crate) msg_id: Option<i64>,
    pub(crate) received: Time,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Who {
    Peer(Peer),
    /// Not a node: the id as JSON text without the quotes.
    Client {
        len: u8,
        id: [u8; MAX_CLIENT_ID],
    },
}

impl ReplyTo {
    /// The peer that sent this, if it was one.
    #[must_use]
    pub const fn peer(&self) -> Option<Peer> {
        match self.who {
            Who::Peer(peer) => Some(peer),
            Who::Client { .. } => None,
        }
    }

    /// When the host received the request, at the earliest: when it last looked for input, if the node has timers.
    #[must_use]
    pub const fn received(&self) -> Time {
        self.received
    }

    /// Whether a reply is expected: the request had a number to quote.
    #[must_use]
    pub const fn expects_reply(&self) -> bool {
        self.msg_id.is_some()
    }
}

/// What came of a call.
#[derive(Debug, Clone, Copy)]
pub enum Response<'a> {
    /// A reply.
    Reply {
        /// Its `type`.
        kind: &'a str,
        /// Its body.
        body: Json<'a>,
    },
    /// A reply of type `error`.
    Error {
        /// Why.
        code: ErrorCode,
        /// In words; often empty.
        text: &'a str,
    },
    /// No reply before the call's deadline: the request may or may not take effect. A later reply is dropped.
    Expired,
}
