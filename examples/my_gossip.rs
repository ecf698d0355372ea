//! A simple gossip protocol for broadcast: ten times a second a node sends each peer the values that it is not known to
//! hold, until they are acknowledged.
//!
//! Timers start the rounds, and calls show which values have arrived, so those lost in a partition are sent again. It
//! needs many times the messages of [`gossip_gloomers::gossip`], but the whole protocol is in this file.
//!
//! ```console
//! $ cargo build --release --example my_gossip
//! $ cargo run --release -- test -w broadcast --bin target/release/examples/my_gossip --nemesis partition
//! ```

use std::collections::BTreeSet;
use std::process::ExitCode;

use gossip_gloomers::node::{Node, NodeContext, Peer, ReplyTo, Response};
use gossip_gloomers::outbox::Outbox;
use gossip_gloomers::requests;
use gossip_gloomers::time::Duration;
use gossip_gloomers::wire::Json;

/// The time between rounds.
const PERIOD: Duration = Duration::from_millis(100);

/// The time-out of a call to a peer.
const TIMEOUT: Duration = Duration::from_secs(1);

requests! {
    /// Requests of clients and peers.
    #[derive(Debug)]
    enum Request<'a> {
        /// Broadcast this value.
        "broadcast" => Broadcast { message: i64 },
        /// Read all values.
        "read" => Read {},
        /// Suggested neighbours, which are ignored: every node gossips with every other.
        "topology" => Topology { topology: Json<'a> },
        /// Values that a peer holds.
        "share" => Share { messages: Vec<i64> },
    }
}

/// The timer of the rounds.
#[derive(Debug, Clone, Copy)]
struct Tick;

/// A call that sends values to the peer at this index of `links`.
#[derive(Debug, Clone, Copy)]
struct Share(usize);

/// A peer, and the values it is known to hold.
#[derive(Debug)]
struct Link {
    peer: Peer,
    holds: BTreeSet<i64>,
    /// Sent, and not acknowledged yet.
    in_flight: Vec<i64>,
}

/// A node that gossips.
#[derive(Debug)]
struct MyGossip {
    values: BTreeSet<i64>,
    links: Vec<Link>,
}

impl Node for MyGossip {
    type Request<'a> = Request<'a>;
    type Timer = Tick;
    type Call = Share;
    type Options = ();

    fn start(context: &NodeContext<'_, ()>, _: &mut Outbox<Self>) -> Self {
        let link = |peer| Link { peer, holds: BTreeSet::new(), in_flight: Vec::new() };
        Self { values: BTreeSet::new(), links: context.others().map(link).collect() }
    }

    fn on_settled(&mut self, out: &mut Outbox<Self>) {
        out.arm(PERIOD, Tick);
    }

    fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
        match request {
            Request::Broadcast { message } => {
                self.values.insert(message);
                out.reply(from, "broadcast_ok").end();
            }
            Request::Read {} => out.reply(from, "read_ok").field("messages", &self.values).end(),
            Request::Topology { .. } => out.reply(from, "topology_ok").end(),
            Request::Share { messages } => {
                if let Some(link) = self.links.iter_mut().find(|link| Some(link.peer) == from.peer()) {
                    link.holds.extend(&messages);
                }
                self.values.extend(messages);
                out.reply(from, "share_ok").end();
            }
        }
    }

    fn on_timer(&mut self, _: Tick, out: &mut Outbox<Self>) {
        for (index, Link { peer, holds, in_flight }) in self.links.iter_mut().enumerate() {
            if in_flight.is_empty() {
                in_flight.extend(self.values.difference(holds));
                if !in_flight.is_empty() {
                    out.call(*peer, TIMEOUT, Share(index), "share").field("messages", &*in_flight).end();
                }
            }
        }
        out.arm(PERIOD, Tick);
    }

    fn on_response(&mut self, Share(index): Share, response: Response<'_>, _: &mut Outbox<Self>) {
        let Link { holds, in_flight, .. } = &mut self.links[index];
        match response {
            Response::Reply { .. } => holds.extend(in_flight.drain(..)),
            Response::Error { .. } | Response::Expired => in_flight.clear(),
        }
    }
}

fn main() -> ExitCode {
    gossip_gloomers::event_loop::main::<MyGossip>()
}

#[cfg(all(test, feature = "workbench"))]
mod tests {
    use gossip_gloomers::simulation::{Shape, Simulation, Workload};

    use super::*;

    #[test]
    fn all_values_reach_all_nodes_despite_partitions_and_losses() {
        let base = Simulation::of::<MyGossip>().rate(20.0).time_limit(Duration::from_secs(20)).loss(0.1);
        let base = base.latency(PERIOD).latency_shape(Shape::Exponential).partition(Duration::from_secs(4));
        for seed in 0..5 {
            let report = base.clone().seed(seed).run(Workload::Broadcast).expect("the options are valid");
            assert!(report.is_valid(), "{report:?}");
        }
    }

    #[test]
    fn without_faults_propagation_takes_at_most_a_period_and_a_hop() {
        let report =
            Simulation::of::<MyGossip>().latency(PERIOD).run(Workload::Broadcast).expect("the options are valid");
        let slowest = report.stable_latency(1.0).expect("there are values");
        assert!(slowest <= 2 * PERIOD + Duration::from_millis(5), "{report:?}");
    }
}
