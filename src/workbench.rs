//! The workbench: what `maelstrom test` does, without a JVM.

pub mod check;
pub mod edn;
pub mod history;
pub mod store;
pub mod summary;
