//! The workbench: what `maelstrom test` does, without a JVM.

pub mod cluster;
pub mod engines;
pub mod processes;

pub mod builtin;

pub mod jitter;
pub mod network;
pub mod services;

pub mod client;
pub mod generator;
pub mod nemesis;
pub mod workload;

pub mod history;
pub mod run;

pub mod check;

pub mod edn;
pub mod json;
pub mod quote;

pub mod challenges;
pub mod command;
pub mod options;
pub mod page;
pub mod progress;

pub mod conclude;
pub mod figures;
pub mod findings;
pub mod junit;
pub mod markup;
pub mod report;
pub mod serve;
pub mod store;
pub mod summary;

pub mod swarm;
