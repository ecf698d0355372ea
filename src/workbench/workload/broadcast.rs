//! Broadcast: what one node is told, all come to know.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::topology::Topology;
use super::{Invocation, Workload, field};
use crate::workbench::client::{Conduct, PATIENCE, Request, Schema, is_list};
use crate::workbench::edn::Value;
use crate::workbench::generator::Threads;

#[derive(Debug)]
pub(super) struct Broadcast {
    topology: Topology,
    next: i64,
}

impl Broadcast {
    pub(super) fn new(topology: Topology) -> Self {
        Self { topology, next: 0 }
    }
}

impl Workload for Broadcast {
    fn next(&mut self, threads: &Threads, rng: &mut ChaCha8Rng) -> Option<(usize, Invocation)> {
        let thread = threads.round_robin()?;
        if rng.random() {
            return Some((thread, Invocation::new("read", Value::Nil)));
        }
        self.next += 1;
        Some((thread, Invocation::new("broadcast", Value::Int(self.next - 1))))
    }

    fn request(&self, invocation: &Invocation) -> Request {
        let (body, reply) = if let Value::Int(message) = invocation.value {
            let body = format!("{{\"type\":\"broadcast\",\"message\":{message}}}");
            (body, Schema { kind: "broadcast_ok", fields: &[] })
        } else {
            ("{\"type\":\"read\"}".into(), Schema { kind: "read_ok", fields: &[("messages", is_list)] })
        };
        Request { body, reply, patience: PATIENCE }
    }

    fn completed(&self, invocation: Invocation, reply: Vec<(Box<str>, Value)>) -> Value {
        if invocation.f == "read" { field(reply, "messages") } else { invocation.value }
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

    fn last(&self) -> Option<Invocation> {
        Some(Invocation { f: "read", value: Value::Nil, is_final: true })
    }
}
