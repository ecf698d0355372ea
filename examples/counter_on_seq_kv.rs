//! A g-counter on the service seq-kv: each node stores the total of its own adds under its own key, and sums all keys.
//!
//! With a single writer per key there is no need for compare-and-set: waiting adds are stored in one write. Reads are
//! answered at once from the known totals. Twice a second a node reads the keys of the others; it writes a new value
//! first, since seq-kv may not return a state from before that write. Kills are not supported: a restarted node would
//! first have to read its own key.
//!
//! ```console
//! $ cargo build --release --example counter_on_seq_kv
//! $ cargo run --release -- test -w g-counter --bin target/release/examples/counter_on_seq_kv --nemesis partition
//! ```

use std::process::ExitCode;

use gossip_gloomers::kv::{self, SEQ_KV};
use gossip_gloomers::node::{Node, NodeContext, ReplyTo, Response};
use gossip_gloomers::outbox::Outbox;
use gossip_gloomers::requests;
use gossip_gloomers::time::Duration;
use gossip_gloomers::wire::ErrorCode;

/// The time between refreshes of the other nodes' totals.
const PERIOD: Duration = Duration::from_millis(500);

requests! {
    /// Requests to a counter.
    #[derive(Debug)]
    enum Request<'a> {
        /// Add this to the counter.
        "add" => Add { delta: i64 },
        /// Read the total.
        "read" => Read {},
    }
}

/// The timer that refreshes the totals of the others.
#[derive(Debug, Clone, Copy)]
struct Refresh;

/// A call to seq-kv.
#[derive(Debug, Clone, Copy)]
enum Call {
    /// Store this node's total.
    Store,
    /// Write a new value, so that the reads that follow are not stale.
    Freshen,
    /// Read the total of the node at this index.
    Read(usize),
}

/// A counter.
#[derive(Debug)]
struct Counter {
    names: Vec<Box<str>>,
    me: usize,
    /// The known total of each node; this node's own is exact.
    totals: Vec<i64>,
    /// The adds that wait for the pending write, and for the next.
    storing: Vec<ReplyTo>,
    waiting: Vec<ReplyTo>,
    refreshes: u64,
}

impl Counter {
    /// Stores this node's total, unless a write is pending.
    fn store(&mut self, out: &mut Outbox<Self>) {
        if self.storing.is_empty() && !self.waiting.is_empty() {
            std::mem::swap(&mut self.storing, &mut self.waiting);
            SEQ_KV.write(&self.names[self.me], self.totals[self.me], Call::Store, out);
        }
    }
}

impl Node for Counter {
    type Request<'a> = Request<'a>;
    type Timer = Refresh;
    type Call = Call;
    type Options = ();

    fn start(context: &NodeContext<'_, ()>, _: &mut Outbox<Self>) -> Self {
        Self {
            names: context.nodes.to_vec(),
            me: context.me.index(),
            totals: vec![0; context.nodes.len()],
            storing: Vec::new(),
            waiting: Vec::new(),
            refreshes: 0,
        }
    }

    fn on_settled(&mut self, out: &mut Outbox<Self>) {
        out.arm(PERIOD, Refresh);
    }

    fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
        match request {
            Request::Add { delta } => {
                self.totals[self.me] += delta;
                self.waiting.push(from);
                self.store(out);
            }
            Request::Read {} => out.reply(from, "read_ok").field("value", self.totals.iter().sum::<i64>()).end(),
        }
    }

    fn on_timer(&mut self, _: Refresh, out: &mut Outbox<Self>) {
        self.refreshes += 1;
        let key = format!("refreshes of {}", self.names[self.me]);
        SEQ_KV.write(key, self.refreshes, Call::Freshen, out);
        out.arm(PERIOD, Refresh);
    }

    fn on_response(&mut self, call: Call, response: Response<'_>, out: &mut Outbox<Self>) {
        match call {
            Call::Store => {
                let stored = kv::written(response);
                for from in self.storing.drain(..) {
                    match stored {
                        Ok(()) => out.reply(from, "add_ok").end(),
                        // The next write contains the add, so the error must be indefinite.
                        Err(_) => out.reply_error(from, ErrorCode::TIMEOUT, "seq-kv did not respond"),
                    }
                }
                self.store(out);
            }
            Call::Freshen if kv::written(response).is_ok() => {
                for other in (0..self.names.len()).filter(|other| *other != self.me) {
                    SEQ_KV.read(&self.names[other], Call::Read(other), out);
                }
            }
            Call::Read(other) => {
                if let Ok(Some(total)) = kv::found::<i64>(response) {
                    self.totals[other] = self.totals[other].max(total);
                }
            }
            // The next refresh may succeed.
            Call::Freshen => {}
        }
    }
}

fn main() -> ExitCode {
    gossip_gloomers::event_loop::main::<Counter>()
}

#[cfg(all(test, feature = "workbench"))]
mod tests {
    use gossip_gloomers::simulation::{Simulation, Workload};

    use super::*;

    #[test]
    fn the_sum_of_all_adds_is_read_everywhere_in_the_end() {
        let base = Simulation::of::<Counter>().nodes(3).rate(100.0).time_limit(Duration::from_secs(20));
        for seed in 0..5 {
            let cut = base.clone().partition(Duration::from_secs(4)).seed(seed);
            let report = cut.run(Workload::GCounter).expect("the options are valid");
            assert!(report.is_valid() && report.messages_per_op() < 2.0, "{report:?}");
        }
    }
}
