//! The report of a set as results, violations and explanations.

use super::{SetReport, SetViolation, Stale};
use crate::workbench::check::{CheckReport, Quantiles, Verdict, Violation, in_words};
use crate::workbench::edn::Value;
use crate::workbench::history::Op;

impl CheckReport for SetReport {
    /// Invalid if an element was lost, unknown if none is stable.
    fn verdict(&self) -> Verdict {
        match (self.lost.len(), self.stable) {
            (0, 0) => Verdict::Unknown,
            (0, _) => Verdict::True,
            _ => Verdict::False,
        }
    }

    fn to_edn(&self) -> Value {
        let list = |values: &[Value]| Value::List(values.to_vec());
        let count = |values: &[Value]| Value::count(values.len());
        let entries = [
            ("valid?", Some(self.verdict().to_value())),
            ("attempt-count", Some(Value::count(self.attempts))),
            ("stable-count", Some(Value::count(self.stable))),
            ("lost-count", Some(count(&self.lost))),
            ("lost", Some(list(&self.lost))),
            ("never-read-count", Some(count(&self.never_read))),
            ("never-read", Some(list(&self.never_read))),
            ("stale-count", Some(count(&self.stale))),
            ("stale", Some(list(&self.stale))),
            ("worst-stale", Some(Value::List(self.worst_stale.iter().map(Stale::to_edn).collect()))),
            ("stable-latencies", self.stable_latencies.map(Quantiles::to_edn)),
            ("lost-latencies", self.lost_latencies.map(Quantiles::to_edn)),
            // Maelstrom looks for duplicates within a read with a test that never fires (protocol §13.3).
            ("duplicated-count", Some(Value::Int(0))),
            ("duplicated", Some(Value::Map(vec![]))),
            ("gloomers", Some(self.extended_to_edn())),
        ];
        Value::record(entries.into_iter().filter_map(|(key, value)| Some((key, value?))))
    }

    fn violations(&self) -> Vec<Violation> {
        let what = "values lost, acknowledged but missing in later reads";
        let lost = Violation::listed("lost", what, self.lost.len(), &self.lost);
        let none_stable = (self.stable == 0 && self.verdict() != Verdict::True).then(|| Violation {
            anomaly: "none-stable",
            count: 1,
            sentence: "no value is stable: none was seen by the last reads".to_owned(),
        });
        lost.into_iter().chain(none_stable).collect()
    }

    fn extended_verdict(&self) -> Option<Verdict> {
        Some(Verdict::from(self.extended.is_empty()))
    }

    fn extended_violations(&self) -> Vec<Violation> {
        let listed = |violation: &SetViolation| {
            let SetViolation { anomaly, cases } = violation;
            let values = cases.iter().map(|case| &case.value);
            Violation::listed(anomaly.name(), anomaly.in_words(), cases.len(), values)
        };
        self.extended.iter().filter_map(listed).collect()
    }

    fn explanation(&self) -> Vec<Vec<String>> {
        self.extended.iter().flat_map(|violation| violation.sentences().map(|sentence| vec![sentence])).collect()
    }

    fn stable_latencies(&self) -> Option<&Quantiles> {
        self.stable_latencies.as_ref()
    }
}

impl SetReport {
    fn extended_to_edn(&self) -> Value {
        let paragraphs = |of: &SetViolation| of.sentences().map(|sentence| vec![sentence]).collect();
        let words = || in_words(self.extended.iter().map(|of| (of.anomaly.name(), paragraphs(of))));
        let anomalies = self.extended.iter().map(|violation| (violation.anomaly.name(), violation.to_edn()));
        let sentences = (!self.extended.is_empty()).then(words);
        let is_valid = ("valid?", self.extended.is_empty().into());
        Value::record(std::iter::once(is_valid).chain(anomalies).chain(sentences))
    }
}

impl Stale {
    fn to_edn(&self) -> Value {
        let op = |op: &Option<Op>| op.as_ref().map_or(Value::Nil, Op::to_value);
        Value::record([
            ("element", self.element.clone()),
            ("outcome", Value::keyword("stable")),
            ("stable-latency", Value::Int(self.latency_ms)),
            ("lost-latency", Value::Nil),
            ("known", op(&self.known)),
            ("last-absent", op(&self.last_absent)),
        ])
    }
}
