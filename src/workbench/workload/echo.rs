//! Echo: a node returns what it is sent.

use chacha20::ChaCha8Rng;
use rand::RngExt as _;

use super::roles::Role;
use super::{ClientAction, Data, Descriptor, Invocation, SwarmRules, Workload};
use crate::nodes;
use crate::time::Time;
use crate::workbench::check::echo;
use crate::workbench::cluster::builtin::Builtin;
use crate::workbench::edn::Value;
use crate::workbench::generator::Threads;
use crate::workbench::nemesis::Fault;
use crate::workbench::workload::client::{ErrorPolicy, Request, is_anything};

pub(super) const ECHO: Descriptor = Descriptor {
    name: "echo",
    about: "challenge 1: says everything again",
    begin: |_| Box::new(Echo),
    operations: ":echo",
    owns: |op| op.f == "echo",
    check: |history, _| Ok(Box::new(echo::check(history))),
    data: Data::Nothing,
    bodies: &[("echo", &[("echo", Role::Values)]), ("echo_ok", &[("echo", Role::Values)])],
    node: Builtin::new::<nodes::Echo>(),
    // The checker requires a reply to every request, which a killed or paused node cannot give.
    swarm: SwarmRules { faults: &[Fault::Partition, Fault::Slow, Fault::Skew], ..SwarmRules::DEFAULT },
};

#[derive(Debug)]
struct Echo;

impl Workload for Echo {
    /// Each thread has a generator of its own, so a free one is drawn uniformly.
    fn next(&mut self, threads: &Threads, _: Time, rng: &mut ChaCha8Rng) -> Option<(usize, Invocation)> {
        let thread = threads.uniform(rng)?;
        let payload = format!("Please echo {}", rng.random_range(0..128));
        Some((thread, Invocation::new("echo", Value::Str(payload.into()))))
    }

    fn begin(&mut self, _: usize, invocation: &Invocation) -> ClientAction {
        let payload = if let Value::Str(payload) = &invocation.value { payload } else { "" };
        let body = format!("{{\"type\":\"echo\",\"echo\":\"{payload}\"}}");
        ClientAction::Send(Request::new(body, "echo_ok", &[("echo", is_anything)]))
    }

    /// The whole body of the reply.
    fn on_reply(&mut self, _: usize, _: &Invocation, reply: Vec<(Box<str>, Value)>) -> ClientAction {
        ClientAction::Complete(Value::Map(
            reply.into_iter().map(|(key, value)| (Value::Keyword(key.into_string().into()), value)).collect(),
        ))
    }

    fn error_policy(&self) -> ErrorPolicy {
        ErrorPolicy { maps_errors: true, idempotent: &[], reusable: false }
    }
}
