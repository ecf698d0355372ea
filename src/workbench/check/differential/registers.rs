//! lin-kv: every order of the operations on a key.

use super::draw::{Clients, Dice};
use super::{Said, compare, verdict};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind};

/// Clients of registers that may be stale, and of which operations of unknown outcome may have happened.
struct Sloppy {
    held: [Option<i64>; 2],
    stale: f64,
}

fn number(value: Option<i64>) -> Value {
    value.map_or(Value::Nil, Value::Int)
}

fn pair(key: i64, value: Value) -> Value {
    Value::Vector(vec![Value::Int(key), value])
}

/// The numbers in an operation's value, first its key.
fn numbers(value: &Value) -> Vec<Option<i64>> {
    let inner = |item: &Value| match item.items() {
        Some(items) => items.map(|item| item.as_int()).collect(),
        None => vec![item.as_int()],
    };
    value.items().into_iter().flatten().flat_map(|item| inner(&item)).collect()
}

impl Clients for Sloppy {
    fn ask(&mut self, _: u64, dice: &mut Dice) -> (&'static str, Value, bool) {
        let key = dice.one_of(&[0, 0, 0, 1]);
        let (a, b) = (Value::Int(dice.between(0, 2)), Value::Int(dice.between(0, 2)));
        match dice.below(3) {
            0 => ("read", pair(key, Value::Nil), false),
            1 => ("write", pair(key, a), false),
            _ => ("cas", pair(key, Value::Vector(vec![a, b])), false),
        }
    }

    fn answer(&mut self, _: u64, f: &str, asked: &Value, dice: &mut Dice) -> (OpKind, Value) {
        let asked_for = numbers(asked);
        let key = asked_for[0].expect("a key");
        let held = &mut self.held[usize::from(key == 1)];
        let unheard = dice.chance(0.15);
        let happens = !unheard || dice.chance(0.5);
        let fits = f != "cas" || *held == asked_for[1] || dice.chance(self.stale);
        if happens && fits && f != "read" && !dice.chance(self.stale) {
            *held = *asked_for.last().expect("a value");
        }
        match f {
            _ if unheard => (OpKind::Info, asked.clone()),
            "read" if dice.chance(self.stale) => (OpKind::Ok, pair(key, number(Some(dice.between(0, 3))))),
            "read" => (OpKind::Ok, pair(key, number(*held))),
            _ if fits => (OpKind::Ok, asked.clone()),
            _ => (OpKind::Fail, asked.clone()),
        }
    }
}

/// What happened to a key, up to some place in the history: what was asked and where it began and, once it succeeded,
/// what was told and where it ended.
struct Call<'a> {
    op: &'a Op,
    begun: usize,
    ended: Option<usize>,
}

fn calls(history: &History, key: i64, until: usize) -> Vec<Call<'_>> {
    let ops = history.ops();
    let begun = (0..=until).filter(|at| ops[*at].is_invocation() && numbers(&ops[*at].value)[0] == Some(key));
    let calls = begun.filter_map(|begun| {
        let end = history.partner(begun);
        match end.map(|end| (end, ops[end].kind)) {
            Some((_, OpKind::Fail)) => None,
            Some((end, OpKind::Ok)) if end <= until => Some(Call { op: &ops[end], begun, ended: Some(end) }),
            Some(_) | None => Some(Call { op: &ops[begun], begun, ended: None }),
        }
    });
    calls.collect()
}

/// Whether what is left can happen in some order to a register that holds `held`.
fn explained(left: &[&Call<'_>], held: Option<i64>) -> bool {
    left.iter().all(|call| call.ended.is_none())
        || left.iter().enumerate().any(|(index, call)| {
            let others: Vec<&Call<'_>> = [&left[..index], &left[index + 1..]].concat();
            // It cannot come before what had ended when it began.
            let too_early = others.iter().any(|other| other.ended.is_some_and(|end| end < call.begun));
            let values = numbers(&call.op.value);
            let then = match (&*call.op.f, &values[1..]) {
                ("read", [value]) if call.ended.is_none() || value.is_none() || *value == held => Some(held),
                ("write", [value]) => Some(*value),
                ("cas", [from, to]) if *from == held => Some(*to),
                _ => None,
            };
            !too_early && then.is_some_and(|then| explained(&others, then))
        })
}

/// Where the first operation on a key ends that no order explains.
fn violation(history: &History, key: i64) -> Option<usize> {
    let ops = history.ops();
    let ends = (0..ops.len()).filter(|at| ops[*at].is_client() && ops[*at].kind == OpKind::Ok);
    ends.filter(|at| numbers(&ops[*at].value)[0] == Some(key)).find(|end| {
        let calls = calls(history, key, *end);
        !explained(&calls.iter().collect::<Vec<_>>(), None)
    })
}

fn oracle(history: &History) -> Said {
    let asked = |key: &i64| history.ops().iter().any(|op| op.is_invocation() && numbers(&op.value)[0] == Some(*key));
    let keys: Vec<i64> = [0, 1].into_iter().filter(asked).collect();
    let found: Vec<(i64, Option<usize>)> = keys.into_iter().map(|key| (key, violation(history, key))).collect();
    let failures = found.iter().filter(|(_, end)| end.is_some()).map(|(key, _)| Value::Int(*key));
    let of_keys = found.iter().map(|(key, end)| {
        let of_key = [("valid?", end.is_none().into()), ("op", end.map_or(Value::Nil, Value::count))];
        (Value::Int(*key), Value::record(of_key))
    });
    Said::Result(vec![
        ("valid?", found.iter().all(|(_, end)| end.is_none()).into()),
        ("failures", Value::List(failures.collect())),
        ("keys", Value::Map(of_keys.collect())),
    ])
}

/// Of the result of the checker the verdicts, and which operation is the first that cannot be.
fn project(found: &Value) -> Value {
    let of_keys = found.get("results").and_then(Value::entries).unwrap_or_default().iter().map(|(key, result)| {
        let linearizable = result.get("linearizable").expect("every key has it");
        let op = linearizable.get("op").and_then(|op| op.get("index")).cloned().unwrap_or_default();
        let valid = result.get("valid?").cloned().unwrap_or_default();
        (key.clone(), Value::record([("valid?", valid), ("op", op)]))
    });
    let of_keys = Value::Map(of_keys.collect());
    let same = |key: &str| found.get(key).cloned().unwrap_or_default();
    Value::record([("valid?", same("valid?")), ("failures", same("failures")), ("keys", of_keys)])
}

#[test]
fn registers_are_linearizable_if_some_order_explains_them() {
    let clients = |dice: &mut Dice| Sloppy { held: [None; 2], stale: dice.one_of(&[0.0, 0.0, 0.1, 0.3]) };
    compare("lin-kv", clients, oracle, project, |said| vec![verdict(said)], &["true", "false"]);
}
