//! Demands that each key be one linearizable register (protocol §13.5): lin-kv.
//!
//! Keys are judged apart, for linearizability is local. The search and its bounds are in `search`; a key on which
//! it gives up is `:unknown`. A violation comes with the shortest window of operations that no order explains,
//! drawn as text, under `:gloomers`.

mod calls;
mod drawing;
mod search;
mod window;

use std::borrow::Cow;

use calls::{Call, Calls};
use search::{Config, Finding, Search};

use super::{Budget, Unjudgeable, Verdict};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op};

/// How many configurations and paths a violation lists, and how many keys that could not be decided.
const MAX_LISTED: usize = 10;

/// Invalid if a key is not linearizable; unknown if none is known not to be, but the search gave up on one.
///
/// # Errors
/// If an operation has a value that is no pair of a key and what to do with it.
pub fn check(history: &History, budget: &Budget) -> Result<Value, Unjudgeable> {
    let mut results = Vec::new();
    let mut undecided = Vec::new();
    let mut failures = Vec::new();
    let mut windows = Vec::new();
    let mut verdict = Verdict::True;
    for (key, calls) in calls::by_key(history)? {
        let finding = Search::new(budget).run(&calls);
        let linearizable = describe(history, &calls, &finding);
        let of_key = Verdict::of(&linearizable);
        if of_key == Verdict::False {
            failures.push(key.clone());
        }
        if let Finding::Violation(violation) = &finding {
            let window = window::shortest(&calls, violation, budget);
            windows.push((key.clone(), drawing::draw(history, &key, &calls, &window)));
        }
        if let Finding::GaveUp(end) = &finding {
            undecided.push(format!("key {key}: {end}"));
        }
        verdict = verdict.merge(of_key);
        let timeline = Value::record([("valid?", true.into())]);
        let result = [("linearizable", linearizable), ("timeline", timeline), ("valid?", of_key.to_value())];
        results.push((key, Value::record(result)));
    }
    let result_count = results.len();
    let mut result = vec![
        (Value::keyword("valid?"), verdict.to_value()),
        (Value::keyword("results"), Value::Map(results)),
        (Value::keyword("failures"), Value::Vector(failures)),
    ];
    if verdict == Verdict::Unknown {
        result.push((Value::keyword("error"), Value::str(in_doubt(&undecided, result_count))));
    }
    if !windows.is_empty() {
        let windows =
            windows.into_iter().map(|(key, lines)| (key, Value::Vector(lines.into_iter().map(Value::str).collect())));
        let ours = Value::record([("windows", Value::Map(windows.collect()))]);
        result.push((Value::keyword("gloomers"), ours));
    }
    Ok(Value::Map(result))
}

/// How far the search came.
fn in_doubt(undecided: &[String], keys: usize) -> String {
    let (told, more) = (undecided.iter().take(MAX_LISTED).cloned().collect::<Vec<_>>(), undecided.len() > MAX_LISTED);
    let more = if more { "; …" } else { "" };
    format!("{} of {keys} keys could not be decided: {}{more}", undecided.len(), told.join("; "))
}

/// What Knossos says of a key.
fn describe(history: &History, calls: &Calls, finding: &Finding) -> Value {
    let configs = |configs: &[Config]| {
        let listed = configs.iter().take(MAX_LISTED).map(|config| describe_config(history, calls, config));
        Value::List(listed.collect())
    };
    match finding {
        Finding::Linearizable(frontier) => Value::record([
            ("valid?", true.into()),
            ("configs", configs(frontier)),
            ("final-paths", Value::List(vec![])),
        ]),
        Finding::GaveUp(end) => {
            Value::record([("valid?", Verdict::Unknown.to_value()), ("error", Value::str(end.to_string()))])
        }
        Finding::Violation(violation) => {
            let call = &calls.all[violation.call];
            let before = calls.all.iter().filter_map(|call| call.completion).filter(|at| *at < call.end());
            let previous = before.max().map_or(Value::Nil, |at| bare(&history.ops()[at]));
            let op = bare(&history.ops()[call.end()]);
            let last = violation.frontier.first().and_then(|config| config.last);
            let paths = violation.frontier.iter().take(MAX_LISTED).map(|config| {
                let step = |op, model| Value::record([("op", op), ("model", model)]);
                let last = config.last.map(|last| step(of_call(history, &calls.all[last]), model(calls, config.state)));
                let complaint = Value::record([("msg", Value::str(calls.complaint(call, config.state)))]);
                let inconsistent = Value::Tagged("knossos.model.Inconsistent".into(), Box::new(complaint));
                Value::Vector(last.into_iter().chain([step(op.clone(), inconsistent)]).collect())
            });
            let paths = Value::Set(paths.collect());
            Value::record([
                ("valid?", false.into()),
                ("op", op),
                ("previous-ok", previous),
                ("last-op", last.map_or(Value::Nil, |last| of_call(history, &calls.all[last]))),
                ("final-paths", paths),
                ("configs", configs(&violation.frontier)),
            ])
        }
    }
}

fn describe_config(history: &History, calls: &Calls, config: &Config) -> Value {
    let pending = config.pending.iter().map(|call| of_call(history, &calls.all[*call]));
    Value::record([
        ("model", model(calls, config.state)),
        ("last-op", config.last.map_or(Value::Nil, |last| of_call(history, &calls.all[last]))),
        ("pending", Value::Vector(pending.collect())),
    ])
}

fn model(calls: &Calls, state: u32) -> Value {
    let register = Value::record([("value", calls.value(state).clone())]);
    Value::Tagged("knossos.model.CASRegister".into(), Box::new(register))
}

/// An operation by its completion if it was acknowledged, else by its invocation.
fn of_call(history: &History, call: &Call) -> Value {
    bare(&history.ops()[call.end()])
}

/// An operation without its key, as Knossos prints it.
fn bare(op: &Op) -> Value {
    let value = op.value.items().and_then(|mut pair| pair.nth(1)).map_or(Value::Nil, Cow::into_owned);
    Value::record([
        ("process", op.process.to_value()),
        ("type", Value::keyword(op.kind.name())),
        ("f", Value::Keyword(op.f.clone())),
        ("value", value),
        ("index", Value::Int(i64::try_from(op.index).unwrap_or(i64::MAX))),
        ("time", Value::Int(op.time)),
    ])
}

#[cfg(test)]
mod tests;
