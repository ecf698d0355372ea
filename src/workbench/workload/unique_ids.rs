//! Unique ids: each node generates ids that no other request ever gets.

use chacha20::ChaCha8Rng;

use super::{Act, Invocation, Workload, field};
use crate::time::Time;
use crate::workbench::edn::Value;
use crate::workbench::generator::Threads;
use crate::workbench::workload::client::{ErrorPolicy, Request, Schema, TIMEOUT, is_anything};

#[derive(Debug)]
pub(super) struct UniqueIds;

impl Workload for UniqueIds {
    fn next(&mut self, threads: &Threads, _: Time, _: &mut ChaCha8Rng) -> Option<(usize, Invocation)> {
        Some((threads.round_robin()?, Invocation::new("generate", Value::Nil)))
    }

    fn begin(&mut self, _: usize, _: &Invocation) -> Act {
        Act::Ask(Request {
            body: "{\"type\":\"generate\"}".into(),
            reply: Schema { kind: "generate_ok", fields: &[("id", is_anything)] },
            timeout: TIMEOUT,
        })
    }

    fn proceed(&mut self, _: usize, _: &Invocation, reply: Vec<(Box<str>, Value)>) -> Act {
        Act::Done(field(reply, "id"))
    }

    fn error_policy(&self) -> ErrorPolicy {
        ErrorPolicy { maps_errors: true, idempotent: &[], reusable: true }
    }
}
