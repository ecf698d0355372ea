//! Whole tests in virtual time: the real engines, the workbench's network, faults and checkers, one seed each.
//!
//! `SEEDS=40 cargo test --release --test simulation` runs each claim over that many seeds instead of a few.

mod budgets;
mod client_history;
mod faults;
mod fixture;
mod incarnations;
mod kit;
mod propagation;
mod recording_cluster;
