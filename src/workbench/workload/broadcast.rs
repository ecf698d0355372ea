//! Broadcast: a value sent to one node must reach all.

use super::add_and_read::{AddAndRead, AddRequests};
use super::roles::Role;
use super::shape::{is_list_or_nil, is_read};
use super::{Agreement, Data, Descriptor, LossOnKill, SwarmRules};
use crate::nodes::Broadcast;
use crate::workbench::check::set_full;
use crate::workbench::cluster::builtin::Builtin;
use crate::workbench::workload::client::{ErrorPolicy, is_list};

pub(super) const BROADCAST: Descriptor = Descriptor {
    name: "broadcast",
    about: "challenge 3: values that every node comes to know",
    begin: |options| Box::new(AddAndRead::new(MESSAGES, Some(options.topology))),
    operations: ":broadcast with a value and :read of a list",
    owns: |op| op.f == "broadcast" || is_read(op, is_list_or_nil),
    check: |history, _| Ok(Box::new(set_full::check(history)?)),
    data: Data::Set,
    bodies: &[
        ("topology", &[("topology", Role::Other)]),
        ("broadcast", &[("message", Role::Values)]),
        ("read_ok", &[("messages", Role::Values)]),
    ],
    node: Builtin::new::<Broadcast>(),
    swarm: SwarmRules {
        large_clusters: true,
        loss: LossOnKill::Values,
        final_reads: Agreement::Complete,
        ..SwarmRules::DEFAULT
    },
};

const MESSAGES: AddRequests = AddRequests {
    add: "broadcast",
    operand: "message",
    added: "broadcast_ok",
    contents: &[("messages", is_list)],
    draw: |added, _| Some(added),
    error_policy: ErrorPolicy { maps_errors: true, idempotent: &["read"], reusable: false },
    marks_final: true,
};
