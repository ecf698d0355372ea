//! Histories drawn at random, valid and broken, get from the checkers what they get from naive oracles.
//!
//! An oracle states the definitions of protocol §12 and §13 as directly as possible, however slowly, and shares no
//! code with its checker. A few thousand histories a workload are tried; `SEEDS=100000 cargo test --lib differential`
//! tries as many as it says. A failure prints the seed and the history; `FIRST_SEED=N SEEDS=1` repeats it.

mod counters;
mod draw;
mod logs;
mod registers;
mod requests;
mod sets;

use std::collections::BTreeMap;

use super::{Options, Unjudgeable, check_workload};
use crate::workbench::edn::Value;
use crate::workbench::history::{Format, History};
use draw::{Clients, draw};

/// How many histories of each workload are tried.
const SEEDS: u64 = 5_000;

/// What an oracle says: the entries of a result that must be the same, or that it cannot be judged.
#[derive(Debug)]
enum Said {
    Result(Vec<(&'static str, Value)>),
    Unjudgeable,
}

/// A number from the environment.
fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

/// Lines of a history, for people.
fn shown(history: &History) -> String {
    let mut text = Vec::new();
    history.write(Format::Edn, &mut text).expect("memory takes everything");
    String::from_utf8_lossy(&text).into_owned()
}

/// Draws histories and compares what the checker finds, as far as `project` keeps it, with what the oracle says. Each
/// of the `kinds` must come up: they are what `notable` names in a result.
fn compare<C: Clients>(
    workload: &str,
    clients: impl Fn(&mut draw::Dice) -> C,
    oracle: impl Fn(&History) -> Said,
    project: impl Fn(&Value) -> Value,
    notable: impl Fn(&Said) -> Vec<String>,
    kinds: &[&str],
) {
    let (first, count) = (setting("FIRST_SEED", 0), setting("SEEDS", SEEDS));
    let mut met: BTreeMap<String, u64> = BTreeMap::new();
    for seed in first..first + count {
        let history = draw(seed, &clients);
        let said = oracle(&history);
        let found = check_workload(workload, &history, &Options::default()).map(|report| report.to_edn());
        if let Err(difference) = same(&found, &said, &project) {
            panic!("{workload}, seed {seed}: {difference}\n{}", shown(&history));
        }
        for kind in notable(&said) {
            *met.entry(kind).or_default() += 1;
        }
    }
    // Fewer may miss what is rare.
    if count >= SEEDS {
        for kind in kinds {
            assert!(met.contains_key(*kind), "{workload}: no history was {kind}; there were {met:?}");
        }
    }
}

fn same(found: &Result<Value, Unjudgeable>, said: &Said, project: impl Fn(&Value) -> Value) -> Result<(), String> {
    match (found, said) {
        (Err(_), Said::Unjudgeable) => Ok(()),
        (Err(problem), Said::Result(_)) => Err(format!("the checker cannot judge it: {problem}")),
        (Ok(found), Said::Unjudgeable) => Err(format!("the oracle cannot judge it, the checker found {found}")),
        (Ok(found), Said::Result(expected)) => {
            let found = project(found);
            for (key, value) in expected {
                let ours = found.get(key).ok_or_else(|| format!("{key} is missing in {found}"))?;
                if !ours.same(value) {
                    return Err(format!("{key}: found {ours}, expected {value}"));
                }
            }
            let entries = found.entries().unwrap_or_default().iter();
            let more = entries
                .filter_map(|(key, _)| key.as_keyword())
                .find(|key| *key != "gloomers" && !expected.iter().any(|(known, _)| known == key));
            more.map_or(Ok(()), |key| Err(format!("{key} is found, but not expected, in {found}")))
        }
    }
}

/// What a verdict is called among the kinds.
fn verdict(said: &Said) -> String {
    let Said::Result(entries) = said else { return "unjudgeable".to_owned() };
    entries.iter().find(|(key, _)| *key == "valid?").map_or_else(String::new, |(_, value)| value.to_string())
}

fn ints(values: impl IntoIterator<Item = i64>) -> Value {
    Value::List(values.into_iter().map(Value::Int).collect())
}
