//! The workbench: what `maelstrom test` does, without a JVM.
//!
//! A module depends on those above it in this list.

pub mod edn;
pub mod json;
pub mod quote;

pub mod history;
pub mod network;
pub mod services;

pub mod generator;
pub mod nemesis;
pub mod workload;

pub mod cluster;
pub mod test;

pub mod check;
pub mod report;

pub mod swarm;

pub mod cli;
