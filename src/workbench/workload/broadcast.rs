//! Broadcast: what one node is told, all come to know.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::topology::Topology;
use super::{Act, EachOnce, Invocation, Last, Question, Workload, field};
use crate::time::{Duration, Time};
use crate::workbench::workload::client::{Conduct, PATIENCE, Request, Schema, is_list};
use crate::workbench::edn::Value;
use crate::workbench::generator::Threads;
use crate::workbench::history::Op;

#[derive(Debug)]
pub(super) struct Broadcast {
    topology: Topology,
    next: i64,
    last: EachOnce,
}

impl Broadcast {
    pub(super) fn new(topology: Topology) -> Self {
        Self { topology, next: 0, last: EachOnce::default() }
    }
}

impl Workload for Broadcast {
    fn next(&mut self, threads: &Threads, _: Time, rng: &mut ChaCha8Rng) -> Option<(usize, Invocation)> {
        let thread = threads.round_robin()?;
        if rng.random() {
            return Some((thread, Invocation::new("read", Value::Nil)));
        }
        self.next += 1;
        Some((thread, Invocation::new("broadcast", Value::Int(self.next - 1))))
    }

    fn begin(&mut self, _: usize, invocation: &Invocation) -> Act {
        let (body, reply) = if let Value::Int(message) = invocation.value {
            let body = format!("{{\"type\":\"broadcast\",\"message\":{message}}}");
            (body, Schema { kind: "broadcast_ok", fields: &[] })
        } else {
            ("{\"type\":\"read\"}".into(), Schema { kind: "read_ok", fields: &[("messages", is_list)] })
        };
        Act::Ask(Request { body, reply, patience: PATIENCE })
    }

    fn proceed(&mut self, _: usize, invocation: &Invocation, reply: Vec<(Box<str>, Value)>) -> Act {
        Act::Done(if invocation.f == "read" { field(reply, "messages") } else { invocation.value.clone() })
    }

    fn conduct(&self) -> Conduct {
        Conduct { maps_errors: true, idempotent: &["read"], reusable: false }
    }

    fn set_up(&self, nodes: &[String]) -> Option<Request> {
        Some(Request {
            body: format!("{{\"type\":\"topology\",\"topology\":{}}}", self.topology.to_json(nodes)),
            reply: Schema { kind: "topology_ok", fields: &[] },
            patience: PATIENCE,
        })
    }

    fn has_last(&self) -> bool {
        true
    }

    fn questions(&self, _: &[Op]) -> Vec<Question> {
        vec![Question::Messages]
    }

    fn next_last(&mut self, threads: &Threads, _: Duration, rng: &mut ChaCha8Rng) -> Last {
        self.last.next(threads, rng, Invocation::new("read", Value::Nil).marked("final?", true.into()))
    }
}
