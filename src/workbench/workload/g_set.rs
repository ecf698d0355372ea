//! G-set: a set to which all nodes add and from which none removes.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::{Invocation, Workload, field};
use crate::workbench::client::{Conduct, PATIENCE, Request, Schema, is_list};
use crate::workbench::edn::Value;
use crate::workbench::generator::Threads;

#[derive(Debug, Default)]
pub(super) struct GSet {
    next: i64,
}

impl Workload for GSet {
    fn next(&mut self, threads: &Threads, rng: &mut ChaCha8Rng) -> Option<(usize, Invocation)> {
        let thread = threads.round_robin()?;
        if rng.random() {
            return Some((thread, Invocation::new("read", Value::Nil)));
        }
        self.next += 1;
        Some((thread, Invocation::new("add", Value::Int(self.next - 1))))
    }

    fn request(&self, invocation: &Invocation) -> Request {
        let (body, reply) = if let Value::Int(element) = invocation.value {
            let body = format!("{{\"type\":\"add\",\"element\":{element}}}");
            (body, Schema { kind: "add_ok", fields: &[] })
        } else {
            ("{\"type\":\"read\"}".into(), Schema { kind: "read_ok", fields: &[("value", is_list)] })
        };
        Request { body, reply, patience: PATIENCE }
    }

    fn completed(&self, invocation: Invocation, reply: Vec<(Box<str>, Value)>) -> Value {
        if invocation.f == "read" { field(reply, "value") } else { invocation.value }
    }

    fn conduct(&self) -> Conduct {
        Conduct { maps_errors: false, idempotent: &[], reusable: false }
    }

    fn last(&self) -> Option<Invocation> {
        Some(Invocation::new("read", Value::Nil))
    }
}
