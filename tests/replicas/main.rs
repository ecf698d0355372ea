//! The replicated log, bare: a few engines, a network that does its worst, and a witness who reads every line.
//!
//! `SEEDS=10000 cargo test --test replicas` tries each claim with that many seeds instead of the usual number;
//! `SEED=17 cargo test --test replicas a_claim` tries one again.

mod chance;
mod economy;
mod hearsay;
mod hubs;
mod incarnations;
mod late;
mod ledger;
mod logs;
mod losses;
mod memory;
mod merging;
mod survival;
mod town;
mod transactions;
mod weather;
mod wires;
mod witness;
