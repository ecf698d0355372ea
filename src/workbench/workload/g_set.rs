//! G-set: a set that only grows.

use super::add_and_read::{AddAndRead, AddRequests};
use super::roles::Role;
use super::shape::{is_list_or_nil, is_read};
use super::{Agreement, Data, Descriptor, LossOnKill, SwarmRules};
use crate::nodes::GSet;
use crate::workbench::check::set_full;
use crate::workbench::cluster::builtin::Builtin;
use crate::workbench::workload::client::{ErrorPolicy, is_list};

pub(super) const G_SET: Descriptor = Descriptor {
    name: "g-set",
    about: "a set that only grows",
    begin: |_| Box::new(AddAndRead::new(ELEMENTS, None)),
    operations: ":add with an element and :read of a list",
    owns: |op| op.f == "add" || is_read(op, is_list_or_nil),
    check: |history, _| Ok(Box::new(set_full::check(history)?)),
    data: Data::Set,
    bodies: &[("add", &[("element", Role::Values)]), ("read_ok", &[("value", Role::Values)])],
    node: Builtin::new::<GSet>(),
    swarm: SwarmRules {
        large_clusters: true,
        loss: LossOnKill::Values,
        final_reads: Agreement::Complete,
        ..SwarmRules::DEFAULT
    },
};

const ELEMENTS: AddRequests = AddRequests {
    add: "add",
    operand: "element",
    added: "add_ok",
    contents: &[("value", is_list)],
    draw: |added, _| Some(added),
    error_policy: ErrorPolicy { maps_errors: false, idempotent: &[], reusable: false },
    marks_final: false,
};
