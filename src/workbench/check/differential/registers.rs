//! lin-kv: every order of the operations on a key.

use rand::RngExt as _;

use super::draw::{Rng, Service, one_of};
use super::{CheckReport as _, Verdict, try_all};
use crate::workbench::check::Budget;
use crate::workbench::check::linearizable::{self, KeyOutcome};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind};

/// Two registers that may be stale.
pub(in super::super) struct Registers {
    held: [Option<i64>; 2],
    stale: f64,
}

/// Registers that are stale with this probability.
pub(in super::super) const fn registers(stale: f64) -> Registers {
    Registers { held: [None; 2], stale }
}

fn pair(key: i64, value: Value) -> Value {
    Value::Vector(vec![Value::Int(key), value])
}

/// The numbers in an operation's value, first its key.
pub(in super::super) fn numbers(value: &Value) -> Vec<Option<i64>> {
    let inner = |item: &Value| match item.items() {
        Some(items) => items.map(|item| item.as_int()).collect(),
        None => vec![item.as_int()],
    };
    value.items().into_iter().flatten().flat_map(|item| inner(&item)).collect()
}

impl Service for Registers {
    fn request(&mut self, _: u64, rng: &mut Rng) -> (&'static str, Value) {
        let key = one_of(rng, &[0, 0, 0, 1]);
        let [a, b] = [(); 2].map(|()| Value::Int(rng.random_range(0..3)));
        match rng.random_range(0..3) {
            0 => ("read", pair(key, Value::Nil)),
            1 => ("write", pair(key, a)),
            _ => ("cas", pair(key, Value::Vector(vec![a, b]))),
        }
    }

    fn perform(&mut self, _: u64, f: &str, asked: &Value, rng: &mut Rng) -> (OpKind, Value) {
        let numbers = numbers(asked);
        let key = numbers[0].expect("a key");
        let held = &mut self.held[usize::from(key == 1)];
        let is_unanswered = rng.random_bool(0.1);
        let happens = !is_unanswered || rng.random_bool(0.5);
        let fits = f != "cas" || *held == numbers[1] || rng.random_bool(self.stale);
        if happens && fits && f != "read" && !rng.random_bool(self.stale) {
            *held = *numbers.last().expect("a value");
        }
        let wrong = rng.random_bool(self.stale).then(|| rng.random_range(0..4));
        match f {
            _ if is_unanswered => (OpKind::Info, asked.clone()),
            "read" => (OpKind::Ok, pair(key, wrong.or(*held).map_or(Value::Nil, Value::Int))),
            _ if fits => (OpKind::Ok, asked.clone()),
            _ => (OpKind::Fail, asked.clone()),
        }
    }
}

/// A call on a key, up to some position: its completion if it succeeded by then, else its invocation.
struct Call<'a> {
    op: &'a Op,
    begin: usize,
    end: Option<usize>,
}

fn calls(history: &History, key: i64, until: usize) -> Vec<Call<'_>> {
    let ops = history.ops();
    let begins = (0..=until).filter(|at| ops[*at].is_invocation() && numbers(&ops[*at].value)[0] == Some(key));
    let calls = begins.filter_map(|begin| match history.partner(begin).map(|end| (end, ops[end].kind)) {
        Some((_, OpKind::Fail)) => None,
        Some((end, OpKind::Ok)) if end <= until => Some(Call { op: &ops[end], begin, end: Some(end) }),
        Some(_) | None => Some(Call { op: &ops[begin], begin, end: None }),
    });
    calls.collect()
}

/// Whether some order explains the remaining calls on a register that holds `held`.
fn explained(left: &[&Call<'_>], held: Option<i64>) -> bool {
    left.iter().all(|call| call.end.is_none())
        || left.iter().enumerate().any(|(index, call)| {
            let others: Vec<&Call<'_>> = [&left[..index], &left[index + 1..]].concat();
            // It cannot come before what had ended when it began.
            let too_early = others.iter().any(|other| other.end.is_some_and(|end| end < call.begin));
            let values = numbers(&call.op.value);
            let then = match (&*call.op.f, &values[1..]) {
                ("read", [value]) if call.end.is_none() || value.is_none() || *value == held => Some(held),
                ("write", [value]) => Some(*value),
                ("cas", [from, to]) if *from == held => Some(*to),
                _ => None,
            };
            !too_early && then.is_some_and(|then| explained(&others, then))
        })
}

/// The position of the first completion on a key that no order explains.
fn violation(history: &History, key: i64) -> Option<usize> {
    let ops = history.ops();
    let ends = (0..ops.len()).filter(|at| ops[*at].is_client() && ops[*at].kind == OpKind::Ok);
    ends.filter(|at| numbers(&ops[*at].value)[0] == Some(key)).find(|end| {
        let calls = calls(history, key, *end);
        !explained(&calls.iter().collect::<Vec<_>>(), None)
    })
}

/// The keys, each with the index of the first completion that cannot be linearized.
type Violations = Vec<(Value, Option<u64>)>;

fn oracle(history: &History) -> Violations {
    let is_used = |key: &i64| history.ops().iter().any(|op| op.is_invocation() && numbers(&op.value)[0] == Some(*key));
    let violation = |key| violation(history, key).map(|at| history.ops()[at].index);
    [0, 1].into_iter().filter(is_used).map(|key| (Value::Int(key), violation(key))).collect()
}

#[test]
fn registers_are_linearizable_if_some_order_explains_them() {
    let judge = |history: &History| {
        let report = linearizable::check(history, &Budget::default()).map_err(|problem| problem.to_string())?;
        let violation = |outcome: &KeyOutcome| match outcome {
            KeyOutcome::Linearizable(_) | KeyOutcome::Undecided(_) => None,
            KeyOutcome::Violation(violation) => Some(violation.op.index),
        };
        let found: Violations = report.keys.iter().map(|of| (of.key.clone(), violation(&of.outcome))).collect();
        let expected = oracle(history);
        let verdict = Verdict::from(expected.iter().all(|(_, violation)| violation.is_none()));
        if (report.verdict(), &found) == (verdict, &expected) {
            return Ok(vec![verdict.word()]);
        }
        Err(format!("found {found:?}, expected {expected:?}"))
    };
    try_all(18, |rng| registers(one_of(rng, &[0.0, 0.0, 0.1, 0.3])), judge, &["valid", "invalid"]);
}
