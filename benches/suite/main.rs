//! Every benchmark, in one binary: `cargo bench --bench suite -- codec` runs one subject.
//!
//! Ids are `subject/case/contender`. Ours is compared with a naive contender; both do the whole job, and their results
//! are compared before they are timed.

#[path = "../../tests/bare_node/mod.rs"]
mod bare_node;
mod codec;
mod contender;
mod engine;
mod gossip;
mod pipe;
mod wheel;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    codec::bench(&mut criterion);
    engine::bench(&mut criterion);
    gossip::bench(&mut criterion);
    pipe::bench(&mut criterion);
    wheel::bench(&mut criterion);
    criterion.final_summary();
}
