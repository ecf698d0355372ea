//! The workbench: what `maelstrom test` does, without a JVM.

pub mod client;
pub mod edn;
pub mod history;
pub mod json;
pub mod network;
