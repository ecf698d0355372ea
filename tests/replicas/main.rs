//! The replicated log on bare engines: a network with faults, and an oracle that reads every line.
//!
//! `SEEDS=10000 cargo test --test replicas` tries each claim with that many seeds instead of the default;
//! `SEED=17 cargo test --test replicas a_claim` repeats one.

#[path = "../allocations/mod.rs"]
mod allocations;
#[path = "../bare_node/mod.rs"]
mod bare_node;
mod cluster;
mod convergence;
mod decode;
mod fault_plan;
mod hubs;
mod incarnations;
mod late;
mod logs;
mod losses;
mod memory;
mod merging;
mod network;
mod oracle;
mod recording_node;
mod redundancy;
mod rng;
mod transactions;
