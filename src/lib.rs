//! Nodes for [Maelstrom](https://github.com/jepsen-io/maelstrom), the runtime they stand on, and a
//! workbench that judges them.

pub mod time;
pub mod wire;

pub mod node;
pub mod outbox;

pub mod engine;
pub mod nodes;
pub mod shell;
pub mod wheel;

#[cfg(feature = "workbench")]
pub mod workbench;
