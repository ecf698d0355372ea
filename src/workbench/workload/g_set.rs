//! G-set: a set that only grows.

use chacha20::ChaCha8Rng;
use rand::RngExt as _;

use super::convergence_probe::Elements;
use super::{Act, ConvergenceProbe, EachOnce, Invocation, Last, Workload, field};
use crate::time::{Duration, Time};
use crate::workbench::edn::Value;
use crate::workbench::generator::Threads;
use crate::workbench::history::Op;
use crate::workbench::workload::client::{ErrorPolicy, Request, Schema, TIMEOUT, is_list};

#[derive(Debug, Default)]
pub(super) struct GSet {
    next: i64,
    last: EachOnce,
}

impl Workload for GSet {
    fn next(&mut self, threads: &Threads, _: Time, rng: &mut ChaCha8Rng) -> Option<(usize, Invocation)> {
        let thread = threads.round_robin()?;
        if rng.random() {
            return Some((thread, Invocation::new("read", Value::Nil)));
        }
        self.next += 1;
        Some((thread, Invocation::new("add", Value::Int(self.next - 1))))
    }

    fn begin(&mut self, _: usize, invocation: &Invocation) -> Act {
        let (body, reply) = if let Value::Int(element) = invocation.value {
            let body = format!("{{\"type\":\"add\",\"element\":{element}}}");
            (body, Schema { kind: "add_ok", fields: &[] })
        } else {
            ("{\"type\":\"read\"}".into(), Schema { kind: "read_ok", fields: &[("value", is_list)] })
        };
        Act::Ask(Request { body, reply, timeout: TIMEOUT })
    }

    fn proceed(&mut self, _: usize, invocation: &Invocation, reply: Vec<(Box<str>, Value)>) -> Act {
        Act::Done(if invocation.f == "read" { field(reply, "value") } else { invocation.value.clone() })
    }

    fn error_policy(&self) -> ErrorPolicy {
        ErrorPolicy { maps_errors: false, idempotent: &[], reusable: false }
    }

    fn has_last(&self) -> bool {
        true
    }

    fn convergence_probes(&self, _: &[Op]) -> Vec<Box<dyn ConvergenceProbe>> {
        vec![Box::new(Elements(&[("value", is_list)]))]
    }

    fn next_last(&mut self, threads: &Threads, _: Duration, rng: &mut ChaCha8Rng) -> Last {
        self.last.next(threads, rng, Invocation::new("read", Value::Nil))
    }
}
