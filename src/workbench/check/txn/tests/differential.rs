//! The checkers against a naive judge, on small histories drawn at random, right and wrong.
//!
//! `SEEDS=100000 cargo test --lib differential` tries that many histories of each workload instead of a few thousand;
//! a failure names the seed, and `SEED=17 cargo test --lib differential` tries that one alone.

mod drawn;
mod naive;

use std::collections::BTreeSet;
use std::ops::Range;

use super::*;
use drawn::Drawn;
use naive::{MODELS, Naive};

/// So many histories of each workload by default.
const FEW: u64 = 3_000;

fn seeds() -> Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|number: String| number.parse::<u64>().ok());
    match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(FEW),
    }
}

/// What a checker said, in the words of the naive judge.
struct Said {
    /// None if it could not tell.
    valid: Option<bool>,
    types: BTreeSet<String>,
    ours: BTreeSet<String>,
}

fn said(judge: Checker, drawn: &Drawn, model: &str) -> Said {
    let Ok(result) = judged(judge, &drawn.lines(), model).map(|report| report.to_edn()) else {
        return Said { valid: None, types: BTreeSet::new(), ours: BTreeSet::new() };
    };
    let valid = match Verdict::of(&result) {
        Verdict::True => Some(true),
        Verdict::False => Some(false),
        Verdict::Unknown => None,
    };
    let ours = result.get("gloomers").map(types).unwrap_or_default().into_iter().collect();
    Said { valid, types: types(&result).into_iter().collect(), ours }
}

/// The cycles that are no case of another one that is there.
fn worst(names: &BTreeSet<String>) -> BTreeSet<String> {
    names.iter().filter(|name| !names.iter().any(|other| naive::implies(other, name))).cloned().collect()
}

/// The verdict that both come to, or how they differ.
fn compare(judge: Checker, drawn: &Drawn, model: &naive::Model) -> Result<Option<bool>, String> {
    let Some(naive) = Naive::new(drawn, model) else { return Ok(None) };
    let said = said(judge, drawn, model.name);
    let verdict = naive.verdict;
    if said.valid != verdict {
        return Err(format!("valid {:?}, but naively {verdict:?}", said.valid));
    }
    if naive.is_undecidable {
        return Ok(None);
    }
    let is_cycle = |name: &String| ["G0", "G1c", "G-", "G2"].iter().any(|kind| name.starts_with(kind));
    let types = said.types.into_iter().filter(|name| !name.ends_with("-cycle-exists"));
    let (cycles, others): (BTreeSet<_>, BTreeSet<_>) = types.partition(is_cycle);
    if others != naive.reported {
        return Err(format!("{others:?}, but naively {:?}", naive.reported));
    }
    if model.forbids_every_cycle() && worst(&cycles) != worst(&naive.cycles) {
        return Err(format!("{cycles:?}, but naively {:?}", naive.cycles));
    }
    let only_ours = |name: &&String| anomaly::EXTENDED.iter().any(|ours| ours.name() == name.as_str());
    let ours: BTreeSet<_> = said.ours.iter().filter(only_ours).cloned().collect();
    if ours != naive.ours {
        return Err(format!("{ours:?}, but naively {:?}", naive.ours));
    }
    Ok(verdict)
}

fn agree(judge: Checker, dialect: Dialect) {
    let (mut valid, mut invalid) = (0_u64, 0_u64);
    for seed in seeds() {
        let drawn = Drawn::new(dialect.is_list(), seed);
        for model in &MODELS {
            match compare(judge, &drawn, model) {
                Ok(Some(true)) => valid += 1,
                Ok(Some(false)) => invalid += 1,
                Ok(None) => {}
                Err(difference) => {
                    let lines = drawn.lines().join("\n");
                    panic!("{difference}\nmodel {}\n{lines}\nSEED={seed} cargo test --lib differential", model.name);
                }
            }
        }
    }
    let judged = (seeds().end - seeds().start) * u64::try_from(MODELS.len()).expect("few");
    let both = valid > judged / 10 && invalid > judged / 10;
    assert!(judged < 1_000 || both, "of {judged} only {valid} were valid and {invalid} invalid");
}

#[test]
fn lists_are_judged_as_by_trying_everything() {
    agree(check_append, Dialect::Append);
}

#[test]
fn registers_are_judged_as_by_trying_everything() {
    agree(check_register, Dialect::Register);
}
