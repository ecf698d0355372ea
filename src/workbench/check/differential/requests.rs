//! echo and unique-ids, and what is counted in every workload: one operation against another.

use std::collections::BTreeSet;

use super::super::{Availability, CheckReport as _, availability, stats};
use super::draw::{Clients, Dice, draw};
use super::{Said, compare, setting, verdict};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind};

/// Clients that are not always told what they should be.
struct Sloppy {
    f: &'static [&'static str],
    /// How likely an answer is wrong.
    wrong: f64,
    /// How likely an operation does not succeed.
    unanswered: f64,
    next: i64,
    strings: f64,
}

impl Clients for Sloppy {
    fn ask(&mut self, _: u64, dice: &mut Dice) -> (&'static str, Value, bool) {
        let f = dice.one_of(self.f);
        let value = if f == "echo" { Value::str(format!("Please echo {}", dice.below(9))) } else { Value::Nil };
        (f, value, false)
    }

    fn answer(&mut self, _: u64, f: &str, asked: &Value, dice: &mut Dice) -> (OpKind, Value) {
        if dice.chance(self.unanswered) {
            return (dice.one_of(&[OpKind::Fail, OpKind::Info]), asked.clone());
        }
        if f == "echo" {
            let wrong = [Value::str("Please echo 1"), Value::Nil, Value::Int(3)];
            let echo = if dice.chance(self.wrong) { &wrong[dice.below(3)] } else { asked }.clone();
            return (OpKind::Ok, Value::record([("type", Value::str("echo_ok")), ("echo", echo)]));
        }
        self.next += 1;
        let id = if dice.chance(self.wrong) { dice.between(0, self.next) } else { self.next };
        (OpKind::Ok, if dice.chance(self.strings) { Value::str(id.to_string()) } else { Value::Int(id) })
    }
}

fn sloppy(f: &'static [&'static str]) -> impl Fn(&mut Dice) -> Sloppy {
    move |dice| Sloppy {
        f,
        wrong: dice.one_of(&[0.0, 0.1, 0.5]),
        unanswered: dice.one_of(&[0.0, 0.1]),
        next: 0,
        strings: dice.one_of(&[0.0, 0.0, 0.0, 1.0, 0.2]),
    }
}

fn end_of<'a>(history: &'a History, begun: &Op) -> Option<&'a Op> {
    let later = history.ops().iter().filter(|op| op.index > begun.index && op.process == begun.process);
    later.take(1).find(|op| op.kind != OpKind::Invoke)
}

fn echoes(history: &History) -> Said {
    let begun = history.ops().iter().filter(|op| op.is_client() && op.kind == OpKind::Invoke);
    let errors = begun.filter_map(|op| {
        let told = end_of(history, op).map_or(Value::Nil, |end| end.value.clone());
        let same = told.get("echo").is_some_and(|echo| echo.to_string() == op.value.to_string());
        let words = ["Expected a message with :echo", "But received"].map(Value::str);
        let [sent, received] = words;
        (!same).then(|| Value::Vector(vec![sent, op.value.clone(), received, told]))
    });
    let errors: Vec<Value> = errors.collect();
    Said::Result(vec![("valid?", errors.is_empty().into()), ("errors", Value::List(errors))])
}

fn unique_ids(history: &History) -> Said {
    let of = |kind: OpKind| history.ops().iter().filter(move |op| op.is_client() && op.kind == kind);
    let ids: Vec<&Value> = of(OpKind::Ok).map(|op| &op.value).collect();
    let mut numbers: Vec<i64> = ids.iter().filter_map(|id| id.as_int()).collect();
    let mut texts: Vec<&str> = ids.iter().filter_map(|id| id.as_str()).collect();
    if !numbers.is_empty() && !texts.is_empty() {
        return Said::Unjudgeable;
    }
    numbers.sort_unstable();
    texts.sort_unstable();
    let sorted: Vec<Value> = numbers.into_iter().map(Value::Int).chain(texts.into_iter().map(Value::str)).collect();
    let times = |id: &Value| ids.iter().filter(|other| **other == id).count();
    let twice: BTreeSet<String> = ids.iter().filter(|id| times(id) > 1).map(ToString::to_string).collect();
    let mut listed: Vec<(Value, Value)> = Vec::new();
    for id in sorted.iter().filter(|id| times(id) > 1) {
        if !listed.iter().any(|(known, _)| known == id) {
            listed.push((id.clone(), Value::count(times(id))));
        }
    }
    let range = [sorted.first(), sorted.last()].map(|id| id.cloned().unwrap_or_default());
    Said::Result(vec![
        ("valid?", twice.is_empty().into()),
        ("attempted-count", Value::count(of(OpKind::Invoke).count())),
        ("acknowledged-count", Value::count(ids.len())),
        ("duplicated-count", Value::count(twice.len())),
        ("duplicated", Value::Map(listed)),
        ("range", Value::Vector(range.into())),
    ])
}

#[test]
fn echoes_come_back_as_they_were_sent() {
    let notable = |said: &Said| vec![verdict(said)];
    compare("echo", sloppy(&["echo"]), echoes, Value::clone, notable, &["true", "false"]);
}

#[test]
fn ids_are_given_out_once() {
    let notable = |said: &Said| vec![verdict(said)];
    let kinds = ["true", "false", "unjudgeable"];
    compare("unique-ids", sloppy(&["generate"]), unique_ids, Value::clone, notable, &kinds);
}

#[test]
fn every_name_of_an_operation_needs_a_success_and_all_together_a_share() {
    let (first, count) = (setting("FIRST_SEED", 0), setting("SEEDS", super::SEEDS));
    let mut met = BTreeSet::new();
    for seed in first..first + count {
        let history = draw(seed, sloppy(&["echo", "generate", "crash"]));
        let ends = |f: Option<&str>, kind: Option<OpKind>| {
            let ops = history.ops().iter().filter(|op| op.is_client() && op.kind != OpKind::Invoke);
            ops.filter(|op| f.is_none_or(|f| op.f == f) && kind.is_none_or(|kind| op.kind == kind)).count()
        };
        let entries = |f: Option<&str>, valid: bool| {
            [
                (Value::keyword("valid?"), valid.into()),
                (Value::keyword("count"), Value::count(ends(f, None))),
                (Value::keyword("ok-count"), Value::count(ends(f, Some(OpKind::Ok)))),
                (Value::keyword("fail-count"), Value::count(ends(f, Some(OpKind::Fail)))),
                (Value::keyword("info-count"), Value::count(ends(f, Some(OpKind::Info)))),
            ]
        };
        let names: Vec<&str> = ["echo", "generate", "crash"].into_iter().filter(|f| ends(Some(f), None) > 0).collect();
        let works = |f: &&str| ends(Some(f), Some(OpKind::Ok)) > 0;
        let valid = names.iter().all(|f| works(f) || *f == "crash");
        let by_f = names
            .iter()
            .map(|f| (Value::Keyword((*f).to_owned().into()), Value::Map(entries(Some(f), works(f)).into())));
        let mut expected = entries(None, valid).to_vec();
        expected.push((Value::keyword("by-f"), Value::Map(by_f.collect())));
        let found = stats::check(&history).to_edn();
        assert!(found.same(&Value::Map(expected.clone())), "seed {seed}: {found}, not {}", Value::Map(expected));

        let begun = history.ops().iter().filter(|op| op.is_client() && op.kind == OpKind::Invoke).count();
        let fine = ends(None, Some(OpKind::Ok));
        for (wanted, enough) in [
            (None, true),
            (Some(Availability::Total), fine == begun),
            (Some(Availability::AtLeast(0.5)), 2 * fine >= begun),
            (Some(Availability::AtLeast(0.75)), 4 * fine >= 3 * begun),
        ] {
            let found = availability::check(&history, wanted).to_edn();
            assert_eq!(found.get("valid?"), Some(&enough.into()), "seed {seed}, {wanted:?}: {found}");
            met.insert((enough, valid));
        }
    }
    assert!(count < super::SEEDS || met.len() == 4, "{met:?}");
}
