//! Compares the checkers with naive oracles on random histories, valid and broken.
//!
//! An oracle states the definitions of protocol §12 and §13 as directly as possible, however slowly, and shares no code
//! with its checker. A few thousand histories of each workload are tried; `SEEDS=100000 cargo test --lib differential`
//! sets the number. A failure prints the seed and the history; `FIRST_SEED=N SEEDS=1` repeats it.

mod counters;
mod draw;
mod logs;
pub(super) mod registers;
mod requests;
mod sets;
mod txn;

use std::collections::BTreeSet;

use super::{CheckError, CheckReport, Verdict};
use crate::workbench::history::History;
pub(super) use draw::draw;
use draw::{Rng, Service};

/// The number of histories of each workload.
const SEEDS: u64 = 5_000;

/// Generates histories, each of fewer than `operations` operations. On each, `judge` compares the checker with the
/// oracle and returns what kinds of history it is, or a difference; each of `kinds` must occur.
fn try_all<S: Service>(
    operations: usize,
    service: impl Fn(&mut Rng) -> S,
    judge: impl Fn(&History) -> Result<Vec<&'static str>, String>,
    kinds: &[&str],
) {
    let number = |name, default| std::env::var(name).map_or(default, |text| text.parse().expect("a number"));
    let (first, count) = (number("FIRST_SEED", 0), number("SEEDS", SEEDS));
    let mut found = BTreeSet::new();
    for seed in first..first + count {
        let history = draw(seed, operations, &service);
        match judge(&history) {
            Ok(kinds) => found.extend(kinds),
            Err(difference) => {
                let mut text = Vec::new();
                history.write_edn(&mut text).expect("writing to memory cannot fail");
                panic!("seed {seed}: {difference}\n{}", String::from_utf8_lossy(&text));
            }
        }
    }
    // Fewer seeds may miss the rare kinds.
    if count >= SEEDS {
        let missing: Vec<_> = kinds.iter().filter(|kind| !found.contains(*kind)).collect();
        assert!(missing.is_empty(), "no history was {missing:?}; there were {found:?}");
    }
}

/// Compares a report and its verdict with those of an oracle: `None` if the history has no verdict.
fn compare<R: CheckReport + PartialEq>(
    found: Result<R, CheckError>,
    expected: Option<(Verdict, R)>,
) -> Result<Vec<&'static str>, String> {
    let found = found.ok().map(|report| (report.verdict(), report));
    if found != expected {
        return Err(format!("found {found:#?}, expected {expected:#?}"));
    }
    Ok(vec![expected.map_or("error", |(verdict, _)| verdict.word())])
}

/// Between which vertices there is a path of at least one edge.
fn transitive_closure(count: usize, edge: impl Fn(usize, usize) -> bool) -> Vec<Vec<bool>> {
    let mut paths: Vec<Vec<bool>> = (0..count).map(|from| (0..count).map(|to| edge(from, to)).collect()).collect();
    for via in 0..count {
        for from in 0..count {
            for to in 0..count {
                paths[from][to] |= paths[from][via] && paths[via][to];
            }
        }
    }
    paths
}
