//! The workbench: what `maelstrom test` does, without a JVM.
//!
//! A module depends on those above it in this list.

#![expect(unreachable_pub, reason = "public among the modules of the workbench")]
#![cfg_attr(not(feature = "workbench"), allow(dead_code, unused_imports, reason = "the test kit needs a part of it"))]

pub mod edn;
pub mod json;
pub mod quote;

pub mod history;
pub mod network;
pub mod services;

pub mod cluster;
pub mod nemesis;

pub mod check;

pub mod generator;
pub mod scenario;
pub mod workload;

pub mod test;

#[cfg(feature = "workbench")]
pub mod explain;

pub mod report;

#[cfg(feature = "workbench")]
pub mod swarm;

#[cfg(feature = "workbench")]
pub mod cli;
