//! Unique ids: each node generates ids that no other request ever gets.

use chacha20::ChaCha8Rng;

use super::roles::Role;
use super::{ClientAction, Data, Descriptor, Invocation, SwarmRules, Workload, field};
use crate::nodes;
use crate::time::Time;
use crate::workbench::check::unique_ids;
use crate::workbench::cluster::builtin::Builtin;
use crate::workbench::edn::Value;
use crate::workbench::generator::Threads;
use crate::workbench::workload::client::{ErrorPolicy, Request, is_anything};

pub(super) const UNIQUE_IDS: Descriptor = Descriptor {
    name: "unique-ids",
    about: "challenge 2: ids of which no two are alike",
    begin: |_| Box::new(UniqueIds),
    operations: ":generate",
    owns: |op| op.f == "generate",
    check: |history, _| Ok(Box::new(unique_ids::check(history)?)),
    data: Data::Ids,
    bodies: &[("generate_ok", &[("id", Role::Values)])],
    node: Builtin::new::<nodes::UniqueIds>(),
    swarm: SwarmRules { large_clusters: true, ..SwarmRules::DEFAULT },
};

#[derive(Debug)]
struct UniqueIds;

impl Workload for UniqueIds {
    fn next(&mut self, threads: &Threads, _: Time, _: &mut ChaCha8Rng) -> Option<(usize, Invocation)> {
        Some((threads.round_robin()?, Invocation::new("generate", Value::Nil)))
    }

    fn begin(&mut self, _: usize, _: &Invocation) -> ClientAction {
        ClientAction::Send(Request::new("{\"type\":\"generate\"}", "generate_ok", &[("id", is_anything)]))
    }

    fn on_reply(&mut self, _: usize, _: &Invocation, reply: Vec<(Box<str>, Value)>) -> ClientAction {
        ClientAction::Complete(field(reply, "id"))
    }

    fn error_policy(&self) -> ErrorPolicy {
        ErrorPolicy { maps_errors: true, idempotent: &[], reusable: true }
    }
}
