//! The report of transactions for its readers: Maelstrom's verdict under its keys, and ours.

use super::anomaly::{Anomalies, Anomaly};
use super::case::record;
use super::findings::{Findings, Found, MAX_TOLD, reported, verdict};
use super::models::boundary;
use super::transactions::Dialect;
use crate::workbench::check::{CheckReport, Verdict, Violation};
use crate::workbench::edn::Value;

/// What is wrong with transactions.
#[derive(Debug, Clone, PartialEq)]
pub struct TxnReport {
    pub(super) dialect: Dialect,
    /// Why nothing could be decided.
    pub(super) error: Option<String>,
    pub(super) theirs: Judgement,
    /// Every anomaly that Maelstrom's rules find, whether it counts or not.
    pub(super) found: Found,
    /// Our own judgement, and what it knows beyond `found`; nothing if it has nothing to say.
    pub(super) ours: Option<Judgement>,
    pub(super) ours_found: Found,
}

/// What a set of anomalies comes to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judgement {
    pub(super) verdict: Verdict,
    /// The anomalies that count.
    pub(super) reported: Vec<Anomaly>,
}

impl Judgement {
    pub(super) fn of(found: &Found, prohibited: &Anomalies) -> Self {
        Self { verdict: verdict(found, prohibited), reported: reported(found, prohibited) }
    }

    /// Nothing could be decided.
    pub(super) const fn none() -> Self {
        Self { verdict: Verdict::Unknown, reported: Vec::new() }
    }
}

impl TxnReport {
    /// Maelstrom's side of the report.
    pub(super) fn of(findings: Findings<'_>, dialect: Dialect, prohibited: &Anomalies) -> Self {
        let theirs = Judgement::of(&findings.found, prohibited);
        let doubt = findings.unsearched.filter(|_| theirs.verdict == Verdict::Unknown);
        let error = doubt.map(|unsearched| unsearched.to_string());
        Self { dialect, error, theirs, found: findings.found, ours: None, ours_found: Found::new() }
    }

    /// The cases that our judgement knows of an anomaly.
    fn our_cases(&self, anomaly: Anomaly) -> &[super::case::TxnCase] {
        self.ours_found.get(&anomaly).or_else(|| self.found.get(&anomaly)).map_or(&[], Vec::as_slice)
    }

    /// The cases of an anomaly in words: how many there are and what it means, and the first of them.
    fn paragraphs(&self, anomaly: Anomaly) -> Vec<Vec<String>> {
        let cases = self.our_cases(anomaly);
        let mut heading = vec![heading(anomaly, cases.len())];
        let mut paragraphs = Vec::new();
        for case in cases.iter().take(MAX_TOLD) {
            heading.extend(case.lines(anomaly, self.dialect));
            paragraphs.push(std::mem::take(&mut heading));
        }
        paragraphs
    }

    fn ours_to_edn(&self, ours: &Judgement) -> Value {
        let counts = ours
            .reported
            .iter()
            .map(|anomaly| (Value::keyword(anomaly.name()), Value::count(self.our_cases(*anomaly).len())));
        let words = ours.reported.iter().map(|anomaly| {
            let paragraphs = self.paragraphs(*anomaly).into_iter().map(Value::lines).collect();
            (Value::keyword(anomaly.name()), Value::Vector(paragraphs))
        });
        if ours.reported.is_empty() {
            return record(vec![("valid?", ours.verdict.to_value())]);
        }
        record(vec![
            ("valid?", ours.verdict.to_value()),
            ("anomaly-types", keywords(&ours.reported)),
            ("counts", Value::Map(counts.collect())),
            ("in-words", Value::Map(words.collect())),
        ])
    }
}

impl CheckReport for TxnReport {
    fn verdict(&self) -> Verdict {
        self.theirs.verdict
    }

    fn to_edn(&self) -> Value {
        let Judgement { verdict, reported } = &self.theirs;
        let mut result = vec![("valid?", verdict.to_value())];
        if !reported.is_empty() {
            let anomalies = reported.iter().map(|anomaly| {
                let cases = self.found[anomaly].iter().map(|case| case.to_edn(*anomaly, self.dialect));
                let is_bare = *anomaly == Anomaly::EmptyGraph;
                (Value::keyword(anomaly.name()), if is_bare { true.into() } else { Value::Vector(cases.collect()) })
            });
            let (not, also_not) = boundary(self.found.keys().copied());
            let names = |names: super::models::Names| Value::Set(names.into_iter().map(Value::keyword).collect());
            result.extend([
                ("anomaly-types", keywords(reported)),
                ("anomalies", Value::Map(anomalies.collect())),
                ("not", names(not)),
                ("also-not", names(also_not)),
            ]);
        } else if self.error.is_none() && self.dialect == Dialect::Register {
            result.extend([("anomaly-types", keywords(&[])), ("anomalies", Value::Nil)]);
        }
        result.extend(self.error.as_ref().map(|error| ("error", Value::str(error.as_str()))));
        result.extend(self.ours.as_ref().map(|ours| ("gloomers", self.ours_to_edn(ours))));
        record(result)
    }

    fn violations(&self) -> Vec<Violation> {
        if let Some(error) = &self.error {
            return vec![Violation { anomaly: "undecided", count: 1, sentence: error.clone() }];
        }
        let counts = self.theirs.reported.iter().map(|anomaly| (*anomaly, self.found[anomaly].len()));
        counts.map(|(anomaly, count)| violation(anomaly, count)).collect()
    }

    fn extended_verdict(&self) -> Option<Verdict> {
        self.ours.as_ref().map(|ours| ours.verdict)
    }

    fn unseen(&self) -> Vec<Violation> {
        let ours = self.ours.iter().flat_map(|ours| &ours.reported);
        let unseen = ours.filter(|anomaly| !self.theirs.reported.contains(anomaly));
        unseen.map(|anomaly| violation(*anomaly, self.our_cases(*anomaly).len())).collect()
    }

    fn explanation(&self) -> Vec<Vec<String>> {
        let ours = self.ours.iter().flat_map(|ours| &ours.reported);
        ours.flat_map(|anomaly| self.paragraphs(*anomaly)).collect()
    }
}

fn violation(anomaly: Anomaly, count: usize) -> Violation {
    Violation { anomaly: anomaly.name(), count, sentence: heading(anomaly, count) }
}

fn heading(anomaly: Anomaly, count: usize) -> String {
    format!("{count} × {}: {}", anomaly.name(), anomaly.in_plain_words())
}

fn keywords(anomalies: &[Anomaly]) -> Value {
    Value::List(anomalies.iter().map(|anomaly| Value::keyword(anomaly.name())).collect())
}
