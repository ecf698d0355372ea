//! Broadcast: a value sent to one node must reach all.

use chacha20::ChaCha8Rng;
use rand::RngExt as _;

use super::convergence_probe::Elements;
use super::topology::Topology;
use super::{Act, ConvergenceProbe, EachOnce, Invocation, Last, Workload, field};
use crate::time::{Duration, Time};
use crate::workbench::edn::Value;
use crate::workbench::generator::Threads;
use crate::workbench::history::Op;
use crate::workbench::workload::client::{ErrorPolicy, Request, Schema, TIMEOUT, is_list};

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
        Act::Ask(Request { body, reply, timeout: TIMEOUT })
    }

    fn proceed(&mut self, _: usize, invocation: &Invocation, reply: Vec<(Box<str>, Value)>) -> Act {
        Act::Done(if invocation.f == "read" { field(reply, "messages") } else { invocation.value.clone() })
    }

    fn error_policy(&self) -> ErrorPolicy {
        ErrorPolicy { maps_errors: true, idempotent: &["read"], reusable: false }
    }

    fn set_up(&self, nodes: &[String]) -> Option<Request> {
        Some(Request {
            body: format!("{{\"type\":\"topology\",\"topology\":{}}}", self.topology.to_json(nodes)),
            reply: Schema { kind: "topology_ok", fields: &[] },
            timeout: TIMEOUT,
        })
    }

    fn has_last(&self) -> bool {
        true
    }

    fn convergence_probes(&self, _: &[Op]) -> Vec<Box<dyn ConvergenceProbe>> {
        vec![Box::new(Elements(&[("messages", is_list)]))]
    }

    fn next_last(&mut self, threads: &Threads, _: Duration, rng: &mut ChaCha8Rng) -> Last {
        self.last.next(threads, rng, Invocation::new("read", Value::Nil).marked("final?", true.into()))
    }
}
