//! What stands where in the bodies of messages that a protocol defines: those of a workload's requests and replies
//! (protocol §2.6) and those of the services (§8). All other bodies are the program's own, and nothing is known of
//! them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::WorkloadKind;

/// Members that every body may have, and that never hold a value.
pub const ENVELOPE: [&str; 3] = ["type", "msg_id", "in_reply_to"];

/// What a place in a body holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Neither a key nor a value: an offset, a time, the code of an error.
    Other,
    /// A key, such as the name of a log.
    Key,
    /// Values, perhaps in lists and objects.
    Values,
    /// An object whose names are keys.
    ByKey(&'static Self),
    /// A list whose elements are alike.
    Each(&'static Self),
    /// A list whose elements differ.
    Tuple(&'static [Self]),
}

impl Role {
    /// The role of the names of an object that has this role itself; `None` if nothing is known of them.
    #[must_use]
    pub const fn of_names(self) -> Option<Self> {
        match self {
            Self::ByKey(_) => Some(Self::Key),
            Self::Other | Self::Key | Self::Values => Some(self),
            Self::Each(_) | Self::Tuple(_) => None,
        }
    }

    /// The role of the members of such an object.
    #[must_use]
    pub const fn of_members(self) -> Option<Self> {
        match self {
            Self::ByKey(member) => Some(*member),
            Self::Other | Self::Key | Self::Values => Some(self),
            Self::Each(_) | Self::Tuple(_) => None,
        }
    }

    /// The role of an element of a list that has this role itself.
    #[must_use]
    pub fn of_element(self, index: usize) -> Option<Self> {
        match self {
            Self::Each(element) => Some(*element),
            Self::Tuple(elements) => elements.get(index).copied(),
            Self::Other | Self::Key | Self::Values => Some(self),
            Self::ByKey(_) => None,
        }
    }
}

/// A type of message with the roles of its members.
pub type Body = (&'static str, &'static [(&'static str, Role)]);

/// The bodies that the protocol itself defines.
const COMMON: [Body; 2] = [
    ("init", &[("node_id", Role::Other), ("node_ids", Role::Other)]),
    ("error", &[("code", Role::Other), ("text", Role::Other)]),
];

/// The requests to services and their replies. What a node stores there is its own, so nothing is known of `value`,
/// `from` and `to`.
const SERVICES: [Body; 4] = [
    ("read", &[("key", Role::Key)]),
    ("write", &[("key", Role::Key)]),
    ("cas", &[("key", Role::Key), ("create_if_not_exists", Role::Other)]),
    ("ts_ok", &[("ts", Role::Other)]),
];

/// The roles in the messages of one workload, by type and name of the member.
#[derive(Debug, Clone, Serialize)]
pub struct Roles {
    /// In messages of clients, and of nodes that use the same types among each other.
    nodes: BTreeMap<&'static str, BTreeMap<&'static str, Role>>,
    /// In messages from and to services.
    services: BTreeMap<&'static str, BTreeMap<&'static str, Role>>,
}

impl Roles {
    /// Those of a workload.
    #[must_use]
    pub fn of(workload: WorkloadKind) -> Self {
        let table = |bodies: &[Body]| {
            let bodies = COMMON.iter().chain(bodies);
            bodies.map(|(kind, members)| (*kind, members.iter().copied().collect())).collect()
        };
        Self { nodes: table(workload.descriptor().bodies), services: table(&SERVICES) }
    }

    /// The role of a member of the body of a message of this type; `None` if it is the program's own.
    #[must_use]
    pub fn get(&self, is_of_service: bool, kind: &str, member: &str) -> Option<Role> {
        if ENVELOPE.contains(&member) {
            return Some(Role::Other);
        }
        if is_of_service { &self.services } else { &self.nodes }.get(kind)?.get(member).copied()
    }
}
