//! echo and unique-ids, and what is counted in every workload: one operation against another.

use rand::RngExt as _;

use super::draw::{Rng, Service, one_of};
use super::{CheckReport as _, Verdict, compare, try_all};
use crate::workbench::check::echo::{EchoReport, WrongEcho};
use crate::workbench::check::stats::{OutcomeCounts, StatsReport};
use crate::workbench::check::unique_ids::UniqueIdsReport;
use crate::workbench::check::{Availability, availability, echo, stats, unique_ids};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind};

/// A service whose replies may be wrong or missing.
struct Replies {
    functions: &'static [&'static str],
    wrong: f64,
    fails: f64,
    strings: f64,
    last_id: i64,
}

impl Service for Replies {
    fn request(&mut self, _: u64, rng: &mut Rng) -> (&'static str, Value) {
        let f = one_of(rng, self.functions);
        (f, if f == "echo" { Value::str(format!("Please echo {}", rng.random_range(0..9))) } else { Value::Nil })
    }

    fn perform(&mut self, _: u64, f: &str, asked: &Value, rng: &mut Rng) -> (OpKind, Value) {
        if rng.random_bool(self.fails) {
            return (one_of(rng, &[OpKind::Fail, OpKind::Info]), asked.clone());
        }
        if f == "echo" {
            let wrong = [Value::str("Please echo 1"), Value::Nil, Value::Int(3)];
            let echo = if rng.random_bool(self.wrong) { &wrong[rng.random_range(0..3)] } else { asked }.clone();
            return (OpKind::Ok, Value::record([("type", Value::str("echo_ok")), ("echo", echo)]));
        }
        self.last_id += 1;
        let id = if rng.random_bool(self.wrong) { rng.random_range(0..=self.last_id) } else { self.last_id };
        (OpKind::Ok, if rng.random_bool(self.strings) { Value::str(id.to_string()) } else { Value::Int(id) })
    }
}

fn service(functions: &'static [&'static str]) -> impl Fn(&mut Rng) -> Replies {
    move |rng| Replies {
        functions,
        wrong: one_of(rng, &[0.0, 0.1, 0.5]),
        fails: one_of(rng, &[0.0, 0.1]),
        strings: one_of(rng, &[0.0, 0.0, 0.0, 1.0, 0.2]),
        last_id: 0,
    }
}

/// The lines of clients of a kind.
fn of(history: &History, kind: OpKind) -> impl Iterator<Item = &Op> {
    history.ops().iter().filter(move |op| op.is_client() && op.kind == kind)
}

fn echoes(history: &History) -> (Verdict, EchoReport) {
    let wrong = of(history, OpKind::Invoke).filter_map(|op| {
        let end = history.ops().iter().find(|end| end.index > op.index && end.process == op.process);
        let received = end.map_or(Value::Nil, |end| end.value.clone());
        let is_echo = received.get("echo").is_some_and(|echo| echo.to_string() == op.value.to_string());
        let answered = end.is_some_and(|end| end.kind == OpKind::Ok);
        (!is_echo).then(|| WrongEcho { sent: op.value.clone(), received, answered })
    });
    let report = EchoReport(wrong.collect());
    (Verdict::from(report.0.is_empty()), report)
}

fn unique_ids(history: &History) -> Option<(Verdict, UniqueIdsReport)> {
    let ids: Vec<&Value> = of(history, OpKind::Ok).map(|op| &op.value).collect();
    let mut numbers: Vec<i64> = ids.iter().filter_map(|id| id.as_int()).collect();
    let mut texts: Vec<&str> = ids.iter().filter_map(|id| id.as_str()).collect();
    if !numbers.is_empty() && !texts.is_empty() {
        return None;
    }
    numbers.sort_unstable();
    texts.sort_unstable();
    let sorted: Vec<Value> = numbers.into_iter().map(Value::Int).chain(texts.into_iter().map(Value::str)).collect();
    let times = |id: &Value| ids.iter().filter(|other| **other == id).count();
    let mut duplicated: Vec<(Value, usize)> = sorted.iter().map(|id| (id.clone(), times(id))).collect();
    duplicated.retain(|(_, times)| *times > 1);
    duplicated.dedup();
    let report = UniqueIdsReport {
        attempted: of(history, OpKind::Invoke).count(),
        acknowledged: ids.len(),
        duplicated_count: duplicated.len(),
        duplicated,
        range: sorted.first().cloned().zip(sorted.last().cloned()),
    };
    Some((Verdict::from(report.duplicated.is_empty()), report))
}

fn statistics(history: &History) -> (Verdict, StatsReport) {
    let tally = |f: Option<&str>| {
        let count = |kind| of(history, kind).filter(|op| f.is_none_or(|f| op.f == f)).count();
        OutcomeCounts { ok: count(OpKind::Ok), fail: count(OpKind::Fail), info: count(OpKind::Info) }
    };
    let by_f = ["echo", "generate", "crash"].map(|f| (f.into(), tally(Some(f))));
    let by_f = by_f.into_iter().filter(|(_, tally)| tally.ok + tally.fail + tally.info > 0).collect();
    let report = StatsReport { total: tally(None), by_f };
    let works = report.by_f.iter().all(|(f, tally)| tally.ok > 0 || &**f == "crash");
    (Verdict::from(works), report)
}

#[test]
fn echoes_come_back_as_they_were_sent() {
    let judge = |history: &History| compare(Ok(echo::check(history)), Some(echoes(history)));
    try_all(20, service(&["echo"]), judge, &["valid", "invalid"]);
}

#[test]
fn ids_are_given_out_once() {
    let judge = |history: &History| compare(unique_ids::check(history), unique_ids(history));
    try_all(20, service(&["generate"]), judge, &["valid", "invalid", "error"]);
}

#[test]
fn every_function_needs_a_success_and_all_together_a_fraction() {
    let judge = |history: &History| {
        let kinds = compare(Ok(stats::check(history)), Some(statistics(history)))?;
        let (begun, ok) = (of(history, OpKind::Invoke).count(), of(history, OpKind::Ok).count());
        let required = |required| availability::check(history, required).verdict();
        let expected = [true, ok == begun, 2 * ok >= begun, 4 * ok >= 3 * begun].map(Verdict::from);
        let at_least = |fraction| Some(Availability::AtLeast(fraction));
        let found = [None, Some(Availability::Total), at_least(0.5), at_least(0.75)].map(required);
        let kind = if found.contains(&Verdict::False) { "unavailable" } else { "available" };
        if found == expected { Ok([kinds, vec![kind]].concat()) } else { Err(format!("{found:?}, not {expected:?}")) }
    };
    let kinds = ["valid", "invalid", "available", "unavailable"];
    try_all(20, service(&["echo", "generate", "crash"]), judge, &kinds);
}
