//! Counters: an addition at one node counts at all; a g-counter has no negative ones.

use rand::RngExt as _;

use super::add_and_read::{AddAndRead, AddRequests};
use super::roles::{Body, Role};
use super::shape::is_read;
use super::{Agreement, Data, Descriptor, LossOnKill, SwarmRules};
use crate::nodes::{GCounter, PnCounter};
use crate::workbench::check::counter;
use crate::workbench::cluster::builtin::Builtin;
use crate::workbench::workload::client::{ErrorPolicy, is_integer};

pub(super) const G_COUNTER: Descriptor = Descriptor {
    name: "g-counter",
    about: "challenge 4: a counter that only grows",
    begin: |_| Box::new(AddAndRead::new(INCREMENTS, None)),
    operations: ":add with an integer not below 0 and :read of an integer",
    owns: |op| {
        let is_increment = is_integer(&op.value) && op.value.as_int().is_none_or(|delta| delta >= 0);
        op.f == "add" && is_increment || is_read(op, is_integer)
    },
    check: |history, _| Ok(Box::new(counter::check(history)?)),
    data: Data::Counter,
    bodies: BODIES,
    node: Builtin::new::<GCounter>(),
    swarm: SwarmRules { max_nodes: 5, duplication: false, ..SwarmRules::DEFAULT },
};

pub(super) const PN_COUNTER: Descriptor = Descriptor {
    name: "pn-counter",
    about: "a counter that grows and shrinks",
    begin: |_| Box::new(AddAndRead::new(DELTAS, None)),
    operations: ":add with an integer and :read of an integer",
    owns: |op| op.f == "add" && is_integer(&op.value) || is_read(op, is_integer),
    check: |history, _| Ok(Box::new(counter::check(history)?)),
    data: Data::Counter,
    bodies: BODIES,
    node: Builtin::new::<PnCounter>(),
    swarm: SwarmRules { loss: LossOnKill::Values, final_reads: Agreement::Equal, ..SwarmRules::DEFAULT },
};

const BODIES: &[Body] = &[("add", &[("delta", Role::Values)]), ("read_ok", &[("value", Role::Values)])];

const DELTAS: AddRequests = AddRequests {
    add: "add",
    operand: "delta",
    added: "add_ok",
    contents: &[("value", is_integer)],
    draw: |_, rng| Some(rng.random_range(-5..5)),
    error_policy: ErrorPolicy { maps_errors: false, idempotent: &[], reusable: false },
    marks_final: true,
};

/// Without the negative ones, for which others are drawn, so that a third of the operations add.
const INCREMENTS: AddRequests =
    AddRequests { draw: |_, rng| Some(rng.random_range(-5..5)).filter(|delta| *delta >= 0), ..DELTAS };
