//! Nodes for [Maelstrom](https://github.com/jepsen-io/maelstrom), the runtime they stand on, and a workbench that
//! judges them.
//!
//! A [`Node`](node::Node) is a state machine: requests, answers and timers come in, and whatever is to be sent goes
//! into an [`Outbox`](outbox::Outbox). It has no clock, no thread and no descriptor; time is an argument. An
//! [`Engine`](engine::Engine) puts lines of JSON on one side and handlers on the other, and a host drives the engine:
//! the [`event_loop`] as a process on stdin and stdout, or a `Simulation` in virtual time. So the node that is tested
//! is the node that runs, byte for byte.
//!
//! `ARCHITECTURE.md` is the map of the repository. Where comments cite `protocol §8.3`, they mean that section of
//! `docs/protocol.md`, which has the facts about Maelstrom.
//!
//! # A whole node
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
//!     /// What an echo node is asked.
//!     #[derive(Debug)]
//!     pub enum Request<'a> {
//!         /// Say this again.
//!         "echo" => Echo { echo: Json<'a> },
//!     }
//! }
//!
//! /// Answers each `echo` with the same value.
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
//! # Requests, later replies and timers
//!
//! [`requests!`] declares what a node can be asked: each variant under its `type`, each field of any type that serde
//! reads, borrowed from the line where it can be. What has another shape never reaches the node; whoever sent it is
//! told why. A [`ReplyTo`](node::ReplyTo) is the ticket for one reply: copy it, keep it, reply when the time has come.
//! A timer is a value of the node's own, handed back when it fires.
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
//!     /// What a gate is asked.
//!     pub enum Request<'a> {
//!         /// Let me through.
//!         "enter" => Enter { name: &'a str, luggage: Option<u32> },
//!     }
//! }
//!
//! /// The gate opens.
//! #[derive(Debug, Clone, Copy)]
//! pub struct Open;
//!
//! /// Opens a second after the first has come, for all who have come by then.
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
//!         for (from, who) in self.0.drain(..) {
//!             out.reply(from, "enter_ok").field("welcome", who).end();
//!         }
//!     }
//! }
//! ```
//!
//! # Calls and services
//!
//! [`Outbox::call`](outbox::Outbox::call) asks a [`Peer`](node::Peer) or one of Maelstrom's services
//! ([`Service`](node::Service)), with a deadline and a value of the node's own that says what the answer will mean.
//! Exactly one [`Response`](node::Response) comes for each call: a reply, an error, or that the deadline has passed.
//! Nothing blocks, and there are no callbacks. For the services, [`kv`] has the calls and reads the answers: it sends
//! again what may be sent again, and keeps apart what failed and what may yet happen.
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
//!     /// What a librarian is asked.
//!     pub enum Request<'a> {
//!         /// The value of this key in lin-kv.
//!         "look_up" => LookUp { key: &'a str },
//!     }
//! }
//!
//! /// Who asked for what lin-kv is asked.
//! #[derive(Debug, Clone, Copy)]
//! pub struct For(ReplyTo);
//!
//! /// Asks the service lin-kv on behalf of others.
//! #[derive(Debug)]
//! pub struct Librarian;
//!
//! impl Node for Librarian {
//!     type Request<'a> = Request<'a>;
//!     type Timer = Infallible;
//!     type Call = For;
//!     type Options = ();
//!
//!     fn start(_: &NodeContext<'_, ()>, _: &mut Outbox<Self>) -> Self {
//!         Self
//!     }
//!
//!     fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
//!         let Request::LookUp { key } = request;
//!         LIN_KV.read(key, For(from), out);
//!     }
//!
//!     fn on_response(&mut self, For(from): For, answer: Response<'_>, out: &mut Outbox<Self>) {
//!         match kv::found::<Json<'_>>(answer) {
//!             Ok(Some(value)) => out.reply(from, "look_up_ok").field("value", value).end(),
//!             Ok(None) => out.reply_error(from, ErrorCode::KEY_DOES_NOT_EXIST, "nothing is known of it"),
//!             Err(CallError::Refused(code)) => out.reply_error(from, code, "lin-kv refuses"),
//!             Err(_) => out.reply_error(from, ErrorCode::TIMEOUT, "lin-kv has not answered"),
//!         }
//!     }
//! }
//! ```
//!
//! # The replicated log
//!
//! Most nodes need one thing of each other: that all of them come to hold what any of them was told. [`gossip`] does
//! that, through partitions, losses and restarts, at about one message an operation for 25 nodes and far less at higher
//! rates. A node says what an [operation](gossip::Operation) is and what it does to the node's [`View`](gossip::View);
//! [`Replicated`](gossip::Replicated) applies the operations of all nodes to it, each once, in any order.
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
//!     /// What a counter is asked.
//!     pub enum Request<'a> {
//!         /// Count this much more.
//!         "add" => Add { delta: i64 },
//!         /// What is the total?
//!         "read" => Read {},
//!         /// What another replica says.
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
//! /// A counter that every node moves, partitioned or not.
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
//! workloads, networks, faults and checkers of `gloomers test`. A minute of it takes a fraction of a second, a seed
//! repeats it to the byte, and the report names the calls that do.
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
//! The folder `examples` has whole programs with their tests: `echo`, `counter_on_seq_kv`, and `my_gossip`, a broadcast
//! that does its own gossip with timers and calls. The [`nodes`] of this crate are the next thing to read.

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
