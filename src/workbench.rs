//! The workbench: what `maelstrom test` does, without a JVM.

pub mod client;
pub mod cluster;
pub mod command;
pub mod conclude;
pub mod edn;
pub mod generator;
pub mod history;
pub mod json;
pub mod nemesis;
pub mod network;
pub mod options;
pub mod processes;
pub mod progress;
pub mod run;
pub mod workload;
