//! Follows every message of every log (protocol §13.6): kafka.
//!
//! What completed sends and polls say of offsets gives each log its order; against it every poll and every send is
//! held.

mod cycles;
mod lag;
mod orders;
mod record;
mod sequences;
mod words;

use std::collections::BTreeMap;

use super::{Unjudgeable, Verdict};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Kind};
use orders::Orders;
use record::Record;
pub(crate) use words::count;

/// Errors that do not make a run invalid; Jepsen lists cycles of writes as well, which are not looked for here.
const ALLOWED: &[&str] = &["int-send-skip"];

/// One error, and by what the errors of its kind are sorted.
#[derive(Debug)]
struct Case {
    rank: i64,
    shown: Value,
}

/// Errors by kind.
type Errors = BTreeMap<&'static str, Vec<Case>>;

/// Invalid if there is any error that is not allowed.
///
/// # Errors
/// If a poll brought what nobody sent, or an offset is no natural number.
pub fn check(history: &History) -> Result<Value, Unjudgeable> {
    let record = Record::of(history)?;
    let orders = Orders::of(&record);
    let mut errors = Errors::new();
    record.aborted_reads(&mut errors);
    record.precommitted_reads(&mut errors);
    cycles::find(&record, history, &mut errors);
    orders.inconsistent_offsets(&record, &mut errors)?;
    orders.duplicates(&record, &mut errors);
    orders.lost_writes(&record, &mut errors);
    sequences::within_operations(&record, &orders, &mut errors);
    sequences::between_polls(&record, &orders, &mut errors);
    sequences::between_sends(&record, &orders, &mut errors);

    let mut shown: BTreeMap<&str, Value> =
        errors.into_iter().map(|(name, cases)| (name, condensed(name, cases))).collect();
    shown.extend(record.unseen()?.map(|unseen| ("unseen", unseen)));
    let names = |names: &mut dyn Iterator<Item = &&'static str>| {
        Value::List(names.map(|name| Value::Keyword((*name).into())).collect())
    };
    let bad = || shown.keys().filter(|name| !ALLOWED.contains(name));
    let valid = bad().next().is_none();
    let mut entries = vec![
        (Value::keyword("valid?"), Verdict::from(valid).to_value()),
        (Value::keyword("worst-realtime-lag"), lag::worst(&record, history)),
        (Value::keyword("bad-error-types"), names(&mut bad())),
        (Value::keyword("error-types"), names(&mut shown.keys())),
        (Value::keyword("info-txn-causes"), causes(history)),
    ];
    let told: Vec<_> = shown.iter().map(|(name, shown)| (Value::keyword(name), words::told(name, shown))).collect();
    entries.extend(shown.into_iter().map(|(name, value)| (Value::keyword(name), value)));
    if !told.is_empty() {
        entries.push((Value::keyword("gloomers"), Value::record([("in-words", Value::Map(told))])));
    }
    Ok(Value::Map(entries))
}

/// How many errors of a kind there are, and the most telling of them.
fn condensed(name: &str, mut cases: Vec<Case>) -> Value {
    let count = cases.len();
    let unsorted = ["G1a", "precommitted-read", "lost-write", "empty-transaction-graph", cycles::EXISTS];
    let sorted = !unsorted.contains(&name);
    if sorted {
        cases.sort_by_key(|case| case.rank);
    }
    match name {
        "empty-transaction-graph" => {
            return Value::record([("count", Value::Int(1)), ("errs", Value::Bool(true))]);
        }
        "duplicate" | "inconsistent-offsets" => cases.truncate(32),
        "int-poll-skip" | "int-send-skip" | "poll-skip" => drop(cases.drain(..count.saturating_sub(8))),
        _ if sorted => cases.truncate(8),
        _ => {}
    }
    let cases = cases.into_iter().map(|case| case.shown).collect();
    Value::record([("count", Value::count(count)), ("errs", Value::List(cases))])
}

/// Why operations have no certain outcome, each reason once.
fn causes(history: &History) -> Value {
    let mut causes: Vec<Value> = Vec::new();
    for op in history.ops().iter().filter(|op| op.kind == Kind::Info && matches!(&*op.f, "txn" | "send" | "poll")) {
        let cause = op.error.clone().unwrap_or_default();
        if !causes.iter().any(|known| known.same(&cause)) {
            causes.push(cause);
        }
    }
    Value::List(causes)
}

#[cfg(test)]
mod tests;
