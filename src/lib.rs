//! Nodes for [Maelstrom](https://github.com/jepsen-io/maelstrom), the runtime they stand on, and a
//! workbench that judges them.

pub mod shell;
pub mod time;
pub mod wheel;

#[cfg(feature = "workbench")]
pub mod workbench;
