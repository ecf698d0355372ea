//! Nodes for [Maelstrom](https://github.com/jepsen-io/maelstrom), the runtime they are built on, and a workbench that
//! tests them.
//!
//! A [`Node`](node::Node) is a state machine: requests, responses and timers come in, and everything to be sent goes
//! into an [`Outbox`](outbox::Outbox). It has no clock, no thread and no file descriptor; time is an argument. An
//! [`Engine`](engine::Engine) translates between lines of JSON and a node's handlers, and a host drives the engine:
//! the [`event_loop`] as a process on stdin and stdout, or a `Simulation` in virtual time. The code that is tested is
//! therefore exactly the code that runs.
//!
//! `ARCHITECTURE.md` is the map of the repository. Where comments cite `protocol §8.3`, they mean that section of
//! `docs/protocol.md`, which has the facts about Maelstrom.
//!
//! # A complete node
//!
//! ```
//! use std::convert::Infallible;
//!
//! use gossip_gloomers::node::{Node, NodeContext, ReplyTo};
//! use gossip_gloomers::outbox::Outbox;
//! use gossip_gloomers::requests;
//! use gossip_gloomers::wire::Json;
//!
//! requests! {
//!     /// Requests to an echo node.
//!     #[derive(Debug)]
//!     pub enum Request<'a> {
//!         /// Send this value back.
//!         "echo" => Echo { echo: Json<'a> },
//!     }
//! }
//!
//! /// Replies to each `echo` with the same value.
//! #[derive(Debug)]
//! pub struct Echo;
//!
//! impl Node for Echo {
//!     type Request<'a> = Request<'a>;
//!     type Timer = Infallible;
//!     type Call = Infallible;
//!     type Options = ();
//!
//!     fn start(_: &NodeContext<'_, ()>, _: &mut Outbox<Self>) -> Self {
//!         Self
//!     }
//!
//!     fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
//!         let Request::Echo { echo } = request;
//!         out.reply(from, "echo_ok").field("echo", echo).end();
//!     }
//! }
//!
//! # fn program() -> std::process::ExitCode {
//! gossip_gloomers::event_loop::main::<Echo>() // the whole program
//! # }
//! ```
//!
//! # Requests, deferred replies and timers
//!
//! [`requests!`] declares the requests that a node handles: each variant under its `type`, each field of any type that
//! serde can deserialize, borrowed from the line where possible. A request of any other shape is answered with an
//! error and never reaches the node. A [`ReplyTo`](node::ReplyTo) is the address of one reply: copy it, store it,
//! reply whenever you are ready. A timer is a value of the node's own type, passed back to it when the timer fires.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use gossip_gloomers::node::{Node, NodeContext, ReplyTo};
//! use gossip_gloomers::outbox::Outbox;
//! use gossip_gloomers::requests;
//! use gossip_gloomers::time::Duration;
//!
//! requests! {
//!     /// Requests to a gate.
//!     pub enum Request<'a> {
//!         /// Wait until the gate opens.
//!         "enter" => Enter { name: &'a str, luggage: Option<u32> },
//!     }
//! }
//!
//! /// The timer that opens the gate.
//! #[derive(Debug, Clone, Copy)]
//! pub struct Open;
//!
//! /// Opens one second after the first request, and then replies to every request received so far.
//! #[derive(Debug, Default)]
//! pub struct Gate(Vec<(ReplyTo, String)>);
//!
//! impl Node for Gate {
//!     type Request<'a> = Request<'a>;
//!     type Timer = Open;
//!     type Call = Infallible;
//!     type Options = ();
//!
//!     fn start(_: &NodeContext<'_, ()>, _: &mut Outbox<Self>) -> Self {
//!         Self::default()
//!     }
//!
//!     fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
//!         let Request::Enter { name, luggage } = request;
//!         if self.0.is_empty() {
//!             out.arm(Duration::from_secs(1), Open);
//!         }
//!         self.0.push((from, format!("{name} and {} bags", luggage.unwrap_or_default())));
//!     }
//!
//!     fn on_timer(&mut self, _: Open, out: &mut Outbox<Self>) {
//!         for (from, guest) in self.0.drain(..) {
//!             out.reply(from, "enter_ok").field("welcome", guest).end();
//!         }
//!     }
//! }
//! ```
//!
//! # Calls and services
//!
//! [`Outbox::call`](outbox::Outbox::call) sends a request to a [`Peer`](node::Peer) or to one of Maelstrom's services
//! ([`Service`](node::Service)), with a deadline and a value of the node's own type that identifies the call. Each
//! call gets exactly one [`Response`](node::Response): a reply, an error, or the notice that the deadline has passed.
//! Nothing blocks, and there are no callbacks. [`kv`] is a typed client of the services: it retries what may safely be
//! retried, and distinguishes definite failures from indefinite ones.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use gossip_gloomers::kv::{self, CallError, LIN_KV};
//! use gossip_gloomers::node::{Node, NodeContext, ReplyTo, Response};
//! use gossip_gloomers::outbox::Outbox;
//! use gossip_gloomers::requests;
//! use gossip_gloomers::wire::{ErrorCode, Json};
//!
//! requests! {
//!     /// Requests to a proxy.
//!     pub enum Request<'a> {
//!         /// Read the value of this key in lin-kv.
//!         "look_up" => LookUp { key: &'a str },
//!     }
//! }
//!
//! /// Forwards reads to the service lin-kv.
//! #[derive(Debug)]
//! pub struct Proxy;
//!
//! impl Node for Proxy {
//!     type Request<'a> = Request<'a>;
//!     type Timer = Infallible;
//!     /// The request that the call was made for.
//!     type Call = ReplyTo;
//!     type Options = ();
//!
//!     fn start(_: &NodeContext<'_, ()>, _: &mut Outbox<Self>) -> Self {
//!         Self
//!     }
//!
//!     fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
//!         let Request::LookUp { key } = request;
//!         LIN_KV.read(key, from, out);
//!     }
//!
//!     fn on_response(&mut self, from: ReplyTo, response: Response<'_>, out: &mut Outbox<Self>) {
//!         match kv::found::<Json<'_>>(response) {
//!             Ok(Some(value)) => out.reply(from, "look_up_ok").field("value", value).end(),
//!             Ok(None) => out.reply_error(from, ErrorCode::KEY_DOES_NOT_EXIST, "no such key"),
//!             Err(CallError::Definite(code)) => out.reply_error(from, code, "lin-kv failed"),
//!             Err(_) => out.reply_error(from, ErrorCode::TIMEOUT, "lin-kv did not respond"),
//!         }
//!     }
//! }
//! ```
//!
//! # The replicated log
//!
//! Most nodes need one service of their peers: that every operation made at one node eventually reaches all of them.
//! [`gossip`] provides it across partitions, message loss and restarts, for about one message per operation with 25
//! nodes, and far less at higher rates. A node defines an [operation](gossip::Operation) and its effect on the node's
//! [`View`](gossip::View); [`Replicated`](gossip::Replicated) applies the operations of all nodes to the view, each
//! exactly once, in any order.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use gossip_gloomers::gossip::{Message, Replicated, Settings, Tick, View, log::Origin};
//! use gossip_gloomers::node::{Node, NodeContext, ReplyTo};
//! use gossip_gloomers::outbox::Outbox;
//! use gossip_gloomers::requests;
//!
//! requests! {
//!     /// Requests to a counter.
//!     pub enum Request<'a> {
//!         /// Add this to the counter.
//!         "add" => Add { delta: i64 },
//!         /// Read the counter.
//!         "read" => Read {},
//!         /// A message from another replica.
//!         "gossip" => Gossip(Message<'a>),
//!     }
//! }
//!
//! /// The sum of all operations.
//! #[derive(Debug)]
//! pub struct Total(i64);
//!
//! impl View for Total {
//!     type Op<'a> = i64;
//!
//!     fn apply(&mut self, _: Origin, _: u32, delta: i64) -> bool {
//!         self.0 += delta;
//!         delta != 0
//!     }
//! }
//!
//! /// A counter that is available at every node, partitioned or not.
//! #[derive(Debug)]
//! pub struct Counter(Replicated<Total>);
//!
//! impl Node for Counter {
//!     type Request<'a> = Request<'a>;
//!     type Timer = Tick;
//!     type Call = Infallible;
//!     type Options = Settings;
//!
//!     fn start(context: &NodeContext<'_, Settings>, out: &mut Outbox<Self>) -> Self {
//!         Self(Replicated::new(context, context.options, Total(0), out))
//!     }
//!
//!     fn on_settled(&mut self, out: &mut Outbox<Self>) {
//!         self.0.on_settled(out);
//!     }
//!
//!     fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
//!         match request {
//!             Request::Add { delta } => {
//!                 self.0.append(delta, out).expect("a number is not too large");
//!                 out.reply(from, "add_ok").end();
//!             }
//!             Request::Read {} => out.reply(from, "read_ok").field("value", self.0.view().0).end(),
//!             Request::Gossip(message) => self.0.on_message(from, &message, out),
//!         }
//!     }
//!
//!     fn on_timer(&mut self, _: Tick, out: &mut Outbox<Self>) {
//!         self.0.on_tick(out);
//!     }
//! }
//! ```
//!
//! # Testing a node
//!
//! With the feature `simulation`, on by default, `simulation::Simulation` runs any node in virtual time, under the
//! workloads, networks, faults and checkers of `gloomers test`. A simulated minute takes a fraction of a second, a run
//! is reproducible from its seed, and the report prints the builder calls that reproduce it.
//!
#![cfg_attr(feature = "simulation", doc = "```")]
#![cfg_attr(not(feature = "simulation"), doc = "```ignore")]
//! # use gossip_gloomers::nodes::PnCounter as Counter;
//! use std::time::Duration;
//!
//! use gossip_gloomers::simulation::{Simulation, Workload};
//!
//! let counters = Simulation::of::<Counter>().nodes(5).rate(100.0).time_limit(Duration::from_secs(20));
//! let counters = counters.latency(Duration::from_millis(100)).partition(Duration::from_secs(5));
//! for seed in 0..3 {
//!     let report = counters.clone().seed(seed).run(Workload::PnCounter).expect("these options make sense");
//!     assert!(report.is_valid() && report.messages_per_op() < 1.5, "{report:?}");
//! }
//! ```
//!
//! The folder `examples` has complete programs with their tests: `echo`, `counter_on_seq_kv`, and `my_gossip`, a
//! broadcast node that implements its own gossip with timers and calls. Read the [`nodes`] of this crate next.

pub mod storage;
pub mod time;
pub mod wire;

pub mod node;
pub mod outbox;
pub mod wheel;

pub mod engine;
pub mod event_loop;

pub mod gossip;
pub mod kv;
pub mod nodes;

#[cfg(feature = "simulation")]
pub mod simulation;

#[cfg(feature = "simulation")]
mod workbench;

#[cfg(feature = "workbench")]
pub mod cli {
    //! The command `gloomers`.

    pub use crate::workbench::cli::main;
}
