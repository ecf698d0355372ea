//! txn-list-append and txn-rw-register: the oracle tries every pair of transactions and every cycle.

mod database;
mod lists;
mod naive;
mod registers;

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt as _;

use super::draw::{Rng, draw};
use super::{CheckReport as _, Verdict, try_all};
use crate::workbench::check::txn::{TxnReport, check_append, check_register};
use crate::workbench::check::{Budget, CheckError};
use crate::workbench::history::{History, Op, OpKind};
use database::{Database, mops, transactions};
use naive::{MODELS, Model, Naive};

fn database(is_list: bool, errs: bool) -> Database {
    Database { is_list, errs, state: BTreeMap::new(), last: BTreeMap::new() }
}

fn check(history: &History, is_list: bool, model: &str) -> Result<TxnReport, CheckError> {
    let check = if is_list { check_append } else { check_register };
    check(history, &[model.to_owned()], &Budget::default())
}

/// The most specific kinds of cycle: those that no other one implies.
fn most_specific(names: &BTreeSet<&'static str>) -> BTreeSet<&'static str> {
    names.iter().filter(|name| !names.iter().any(|other| naive::implies(other, name))).copied().collect()
}

/// Compares the anomalies of a checker with those of the oracle, as far as both name them.
fn judge(history: &History, is_list: bool, model: &Model) -> Result<Option<Verdict>, String> {
    let Some(naive) = Naive::new(&transactions(history), is_list, model) else { return Ok(None) };
    let report = check(history, is_list, model.name).ok();
    let verdict = report.as_ref().map_or(Verdict::Unknown, TxnReport::verdict);
    if verdict != naive.verdict {
        return Err(format!("{verdict:?}, but naively {:?}", naive.verdict));
    }
    let extended = report.iter().flat_map(TxnReport::extended_violations).map(|violation| violation.anomaly);
    let extended: BTreeSet<_> = extended.filter(|name| ["changed-answer", "invented-value"].contains(name)).collect();
    if extended != naive.extended {
        return Err(format!("{extended:?}, but naively {:?}", naive.extended));
    }
    let is_invalid = verdict == Verdict::False && !naive.reported.contains("empty-transaction-graph");
    let is_proven = is_invalid || !extended.is_empty();
    if is_proven && report.as_ref().and_then(TxnReport::extended_verdict) != Some(Verdict::False) {
        return Err("invalid, but not by the extended rules".to_owned());
    }
    let Some(report) = report.filter(|_| !naive.is_undecidable) else { return Ok(None) };
    let names = report.violations().into_iter().map(|violation| violation.anomaly);
    let is_cycle = |name: &&str| ["G0", "G1c", "G-", "G2"].iter().any(|kind| name.starts_with(kind));
    let (cycles, others): (BTreeSet<_>, BTreeSet<_>) =
        names.filter(|name| !name.ends_with("-cycle-exists")).partition(is_cycle);
    if others != naive.reported {
        return Err(format!("{others:?}, but naively {:?}", naive.reported));
    }
    if model.forbids_every_cycle() && most_specific(&cycles) != most_specific(&naive.cycles) {
        return Err(format!("{cycles:?}, but naively {:?}", naive.cycles));
    }
    Ok(Some(verdict))
}

#[test]
fn transactions_are_judged_as_by_trying_everything() {
    for is_list in [true, false] {
        let of_models = |history: &History| {
            let mut kinds = Vec::new();
            for model in &MODELS {
                let verdict = judge(history, is_list, model).map_err(|why| format!("{}: {why}", model.name))?;
                kinds.extend(verdict.map(Verdict::word));
            }
            Ok(kinds)
        };
        try_all(7, |rng: &mut Rng| database(is_list, rng.random_bool(0.7)), of_models, &["valid", "invalid"]);
    }
}

/// The history in which a read of a transaction misses the last element, whose append had ended before; `None` if there
/// is no such read.
fn with_stale_read(history: &History) -> Option<History> {
    let txns = transactions(history);
    let is_late = |key: i64, element: i64, began_at: usize| {
        let wrote = |mop: &database::Mop| mop.write && mop.key == key && mop.value == Some(vec![element]);
        txns.iter().any(|txn| txn.kind == OpKind::Ok && txn.ended_at < began_at && txn.ended.iter().any(wrote))
    };
    let stale = txns.iter().filter(|txn| txn.kind == OpKind::Ok).find_map(|txn| {
        let place = txn.ended.iter().position(|read| {
            let is_alone = txn.ended.iter().filter(|mop| mop.key == read.key).count() == 1;
            let last = read.value.as_ref().and_then(|list| list.last()).filter(|_| is_alone && !read.write);
            last.is_some_and(|last| is_late(read.key, *last, txn.began_at))
        })?;
        let mut mops = mops(&history.ops()[txn.ended_at].value);
        mops[place].value.as_mut()?.pop();
        Some((txn.ended_at, database(true, false).value(&mops)))
    });
    let (position, value) = stale?;
    let mut ops: Vec<Op> = history.ops().to_vec();
    ops[position].value = value;
    Some(ops.into_iter().collect())
}

#[test]
fn a_correct_database_is_valid_under_every_model_until_one_read_is_stale() {
    let mut stale = 0;
    for (seed, is_list) in (0..200).flat_map(|seed| [(seed, true), (seed, false)]) {
        let history = draw(seed, 80, |_: &mut Rng| database(is_list, false));
        let report = |history| check(history, is_list, "strict-serializable").expect("it can be judged");
        let found = report(&history);
        let is_valid = found.verdict() == Verdict::True && found.extended_verdict() != Some(Verdict::False);
        assert!(is_valid || history.invocation_count() < 20, "seed {seed}: {found:?}");
        // The order of a register's values is not always known.
        if let Some(history) = with_stale_read(&history).filter(|_| is_list) {
            assert_eq!(report(&history).verdict(), Verdict::False, "seed {seed}");
            stale += 1;
        }
    }
    assert!(stale > 100, "only {stale} histories had a read to make stale");
}

#[test]
fn two_thousand_transactions_take_no_time() {
    let history = draw(11, 2_000, |_: &mut Rng| database(true, false));
    assert!(history.invocation_count() > 1_000);
    assert_eq!(check(&history, true, "strict-serializable").expect("judged").verdict(), Verdict::True);
}
