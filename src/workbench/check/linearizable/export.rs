//! The report of the registers as results and violations.

use std::borrow::Cow;

use super::{Configuration, KeyOutcome, KeyReport, LinearizableReport, MAX_LISTED, RegisterViolation};
use crate::workbench::check::{CheckReport, Verdict, Violation};
use crate::workbench::edn::Value;
use crate::workbench::history::Op;

impl LinearizableReport {
    fn violating(&self) -> impl Iterator<Item = (&Value, &RegisterViolation)> {
        self.keys.iter().filter_map(|KeyReport { key, outcome }| {
            if let KeyOutcome::Violation(violation) = outcome { Some((key, &**violation)) } else { None }
        })
    }

    /// The number of undecided keys, and the progress of the search on them.
    fn in_doubt(&self) -> (usize, String) {
        let undecided = self.keys.iter().filter_map(|KeyReport { key, outcome }| {
            if let KeyOutcome::Undecided(end) = outcome { Some(format!("key {}: {end}", key.to_json())) } else { None }
        });
        let mut undecided: Vec<_> = undecided.collect();
        let count = undecided.len();
        let more = if count > MAX_LISTED { "; …" } else { "" };
        undecided.truncate(MAX_LISTED);
        let keys = self.keys.len();
        (count, format!("{count} of {keys} keys could not be decided: {}{more}", undecided.join("; ")))
    }
}

impl CheckReport for LinearizableReport {
    fn verdict(&self) -> Verdict {
        self.keys.iter().map(KeyReport::verdict).fold(Verdict::True, Verdict::merge)
    }

    fn to_edn(&self) -> Value {
        let results = self.keys.iter().map(|of_key| (of_key.key.clone(), of_key.to_edn()));
        let failures = self.violating().map(|(key, _)| key.clone());
        let windows: Vec<_> =
            self.violating().map(|(key, violation)| (key.clone(), Value::lines(violation.window.clone()))).collect();
        let verdict = self.verdict();
        let mut result = vec![
            ("valid?", verdict.to_value()),
            ("results", Value::Map(results.collect())),
            ("failures", Value::Vector(failures.collect())),
        ];
        if verdict == Verdict::Unknown {
            result.push(("error", Value::str(self.in_doubt().1)));
        }
        if !windows.is_empty() {
            result.push(("gloomers", Value::record([("windows", Value::Map(windows))])));
        }
        Value::record(result)
    }

    fn violations(&self) -> Vec<Violation> {
        if self.verdict() == Verdict::Unknown {
            let (count, sentence) = self.in_doubt();
            return vec![Violation { anomaly: "undecided", count, sentence }];
        }
        let keys: Vec<_> = self.violating().map(|(key, _)| key).collect();
        let first = self.violating().next().and_then(|(_, violation)| violation.window.first());
        let mut failures =
            Violation::listed("failures", "keys that are not linearizable", keys.len(), keys.iter().copied());
        if let (Some(failures), Some(first)) = (&mut failures, first) {
            failures.sentence.extend(["; ", first]);
        }
        failures.into_iter().collect()
    }

    fn explanation(&self) -> Vec<Vec<String>> {
        self.violating().map(|(_, violation)| violation.window.clone()).collect()
    }
}

impl KeyReport {
    const fn verdict(&self) -> Verdict {
        match self.outcome {
            KeyOutcome::Linearizable(_) => Verdict::True,
            KeyOutcome::Undecided(_) => Verdict::Unknown,
            KeyOutcome::Violation(_) => Verdict::False,
        }
    }

    fn to_edn(&self) -> Value {
        let verdict = self.verdict().to_value();
        let valid = ("valid?", verdict.clone());
        let configs =
            |configs: &[Configuration]| ("configs", Value::List(configs.iter().map(Configuration::to_edn).collect()));
        let linearizable = match &self.outcome {
            KeyOutcome::Linearizable(possible) => {
                Value::record([valid, configs(possible), ("final-paths", Value::List(vec![]))])
            }
            KeyOutcome::Undecided(end) => Value::record([valid, ("error", Value::str(end.to_string()))]),
            KeyOutcome::Violation(violation) => {
                let RegisterViolation { op, previous_ok, before, .. } = &**violation;
                let last = before.first().and_then(|config| config.last.as_ref());
                Value::record([
                    valid,
                    ("op", bare(op)),
                    ("previous-ok", previous_ok.as_ref().map_or(Value::Nil, bare)),
                    ("last-op", last.map_or(Value::Nil, bare)),
                    ("final-paths", Value::Set(violation.paths().collect())),
                    configs(before),
                ])
            }
        };
        let timeline = Value::record([("valid?", true.into())]);
        Value::record([("linearizable", linearizable), ("timeline", timeline), ("valid?", verdict)])
    }
}

impl RegisterViolation {
    /// For each configuration, the operation linearized last, and why the violating operation cannot follow it.
    fn paths(&self) -> impl Iterator<Item = Value> + '_ {
        let step = |op: &Op, model| Value::record([("op", bare(op)), ("model", model)]);
        self.before.iter().zip(&self.complaints).map(move |(config, complaint)| {
            let last = config.last.as_ref().map(|last| step(last, config.model()));
            let complaint = Value::record([("msg", Value::str(complaint.as_str()))]);
            let inconsistent = Value::Tagged("knossos.model.Inconsistent".into(), Box::new(complaint));
            Value::Vector(last.into_iter().chain([step(&self.op, inconsistent)]).collect())
        })
    }
}

impl Configuration {
    fn model(&self) -> Value {
        let register = Value::record([("value", self.value.clone())]);
        Value::Tagged("knossos.model.CASRegister".into(), Box::new(register))
    }

    fn to_edn(&self) -> Value {
        Value::record([
            ("model", self.model()),
            ("last-op", self.last.as_ref().map_or(Value::Nil, bare)),
            ("pending", Value::Vector(self.pending.iter().map(bare).collect())),
        ])
    }
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
