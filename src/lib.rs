//! Nodes for [Maelstrom](https://github.com/jepsen-io/maelstrom), the runtime they stand on, and a
//! workbench that judges them.

pub mod time;
pub mod wire;

pub mod node;
pub mod outbox;
pub mod wheel;

pub mod engine;
pub mod shell;

pub mod gossip;
pub mod nodes;

#[cfg(feature = "workbench")]
pub mod workbench;

#[cfg(feature = "workbench")]
pub mod simulation;
