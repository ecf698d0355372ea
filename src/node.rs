//! The interface of a node: a state machine that handles requests.
//!
//! A node does no I/O; its host does. Time and randomness come in as arguments, every message it sends goes into the
//! [`Outbox`], and no handler blocks, reads a clock or touches a file descriptor.

use std::fmt;

use crate::outbox::Outbox;
use crate::storage::Stored;
use crate::time::Time;
use crate::wire::{Decode, ErrorCode, Json, Quote};

/// A Maelstrom node.
pub trait Node: Sized + fmt::Debug {
    /// Its requests, from clients and from peers; see [`requests!`](crate::requests).
    type Request<'a>: Decode<'a>;
    /// Identifies a timer when it fires; [`Infallible`](std::convert::Infallible) if the node sets none.
    type Timer: Copy + fmt::Debug;
    /// Identifies a call when its response arrives; [`Infallible`](std::convert::Infallible) if the node makes none.
    type Call: Copy + fmt::Debug;
    /// Its parsed command line; `()` takes no arguments.
    type Options: Options;

    /// Whether it supports `--data-dir`: it stores what must survive a restart ([`Outbox::persist`]), and continues
    /// from that ([`NodeContext::stored`]).
    const STORES: bool = false;

    /// Creates the node when `init` arrives.
    fn start(context: &NodeContext<'_, Self::Options>, out: &mut Outbox<Self>) -> Self;

    /// Called once, when all peers and services are certain to be registered. Messages sent to them earlier are held
    /// back until then ([`SETTLE`](crate::engine::SETTLE)).
    fn on_settled(&mut self, out: &mut Outbox<Self>) {
        let _ = out;
    }

    /// Handles a request. Its sender waits for an [`Outbox::reply`] or [`Outbox::reply_error`], now or later.
    fn on_request(&mut self, from: ReplyTo, request: Self::Request<'_>, out: &mut Outbox<Self>);

    /// Handles the response to an [`Outbox::call`]: exactly one for each call. A node that has a
    /// [`Call`](Self::Call) does not compile without it.
    fn on_response(&mut self, call: Self::Call, response: Response<'_>, out: &mut Outbox<Self>) {
        const { assert!(is_empty::<Self::Call>(), "a node that makes calls needs `fn on_response`") }
        let _ = (call, response, out);
    }

    /// Handles a timer set by [`Outbox::arm`]. A node that has a [`Timer`](Self::Timer) does not compile without it.
    fn on_timer(&mut self, timer: Self::Timer, out: &mut Outbox<Self>) {
        const { assert!(is_empty::<Self::Timer>(), "a node that sets timers needs `fn on_timer`") }
        let _ = (timer, out);
    }
}

/// Whether a type has no values, as `Infallible`: then its `Option` has only one, which takes no memory.
const fn is_empty<T>() -> bool {
    size_of::<Option<T>>() == 0
}

/// A node's command line.
pub trait Options: Sized {
    /// Parses the arguments after the program's name.
    ///
    /// # Errors
    /// An argument is unknown or has an invalid value; the message names it, and what is allowed.
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

/// The context of a node at its start.
#[derive(Debug)]
#[non_exhaustive]
pub struct NodeContext<'a, O> {
    /// The node itself.
    pub me: Peer,
    /// The ids of all nodes, itself included, in the same order at every node; a [`Peer`] is an index into it.
    pub nodes: &'a [Box<str>],
    /// Increases with each restart of the node: the host's wall clock at the start, in microseconds.
    pub incarnation: u64,
    /// A seed for the node's random choices.
    pub seed: u64,
    /// The parsed command line.
    pub options: &'a O,
    /// What the node had stored before its last end.
    pub stored: &'a Stored,
}

impl<O> NodeContext<'_, O> {
    /// All other nodes.
    pub fn others(&self) -> impl Iterator<Item = Peer> + use<O> {
        let me = self.me;
        (0..self.nodes.len()).map(Peer::at).filter(move |peer| *peer != me)
    }
}

/// A node of the cluster, as its index in `node_ids`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(u32);

impl Peer {
    /// The peer at an index.
    ///
    /// # Panics
    /// The index does not fit in 32 bits.
    #[must_use]
    pub fn at(index: usize) -> Self {
        Self(u32::try_from(index).expect("a cluster has fewer than four billion nodes"))
    }

    /// Its index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One of Maelstrom's services (protocol §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// A sequentially consistent key-value store.
    SeqKv,
    /// A linearizable key-value store.
    LinKv,
    /// An eventually consistent key-value store; the last write wins.
    LwwKv,
    /// A linearizable timestamp oracle.
    LinTso,
}

/// The destination of a call.
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

/// The longest client id, in bytes of JSON text, that a [`ReplyTo`] can hold (Maelstrom's are `c0`, `c1`, ...). A
/// request from a longer id is dropped, with a message on stderr.
pub const MAX_CLIENT_ID: usize = 30;

/// The address of one reply: the sender of the request and its `msg_id`. Copy it, store it, reply later.
#[derive(Debug, Clone, Copy)]
pub struct ReplyTo {
    pub(crate) sender: Sender,
    pub(crate) msg_id: Option<i64>,
    pub(crate) received: Time,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Sender {
    Peer(Peer),
    /// Not a node: its id as JSON text without the quotes.
    Client {
        len: u8,
        id: [u8; MAX_CLIENT_ID],
    },
}

impl ReplyTo {
    /// The peer that sent the request, if it was one.
    #[must_use]
    pub const fn peer(&self) -> Option<Peer> {
        match self.sender {
            Sender::Peer(peer) => Some(peer),
            Sender::Client { .. } => None,
        }
    }

    /// The earliest time at which the request may have arrived: when the host last polled its input, if the node has
    /// timers, else when it read the request.
    #[must_use]
    pub const fn received(&self) -> Time {
        self.received
    }

    /// Whether a reply is expected: the request had a `msg_id`.
    #[must_use]
    pub const fn expects_reply(&self) -> bool {
        self.msg_id.is_some()
    }
}

/// The outcome of a call.
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
        /// Its code.
        code: ErrorCode,
        /// Its message; often empty.
        text: &'a str,
    },
    /// No reply before the call's deadline: the request may or may not take effect. A later reply is ignored.
    Expired,
}
