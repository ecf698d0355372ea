//! The report of transactions: Maelstrom's results, and the extended ones under `:gloomers`.

use super::anomaly::{Anomalies, Anomaly, EXTENDED, UNDECIDED};
use super::case::TxnCase;
use super::collector::{Collector, Found, MAX_EXPLAINED};
use super::models::{ModelNames, boundary, ruled_out};
use super::transactions::Dialect;
use crate::workbench::check::{CheckReport, Verdict, Violation, in_words};
use crate::workbench::edn::Value;

/// The anomalies of a history of transactions.
#[derive(Debug, Clone, PartialEq)]
pub struct TxnReport {
    pub(super) dialect: Dialect,
    /// Why Maelstrom's rules cannot decide.
    pub(super) error: Option<String>,
    pub(super) maelstrom: AnomalyVerdict,
    /// All anomalies that Maelstrom's rules detect, prohibited or not.
    pub(super) found: Found,
    /// The extended judgement, and the anomalies that it adds to `found` or replaces; `None` if there is nothing to
    /// add.
    pub(super) extended: Option<AnomalyVerdict>,
    pub(super) extended_found: Found,
}

/// The verdict on a set of anomalies.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AnomalyVerdict {
    pub(super) verdict: Verdict,
    pub(super) reported: Vec<Anomaly>,
}

impl AnomalyVerdict {
    /// Invalid if a prohibited anomaly was found, unknown if another one is to be reported. Reported are those that are
    /// prohibited or leave the verdict undecided, without a `-cycle-exists` whose model another anomaly rules out.
    pub(super) fn of(found: &Found, prohibited: &Anomalies) -> Self {
        let is_violation = |anomaly: &Anomaly| prohibited.contains(anomaly) || EXTENDED.contains(anomaly);
        let all = || found.keys().copied().filter(|anomaly| is_violation(anomaly) || UNDECIDED.contains(anomaly));
        let impossible = ruled_out(all().filter(|anomaly| anomaly.cycle_rule().is_none()));
        let is_new = |anomaly: &Anomaly| anomaly.cycle_rule().is_none_or(|of| !impossible.contains(of.model));
        let reported: Vec<_> = all().filter(is_new).collect();
        let verdict = match (found.keys().any(is_violation), reported.is_empty()) {
            (true, _) => Verdict::False,
            (false, true) => Verdict::True,
            (false, false) => Verdict::Unknown,
        };
        Self { verdict, reported }
    }
    pub(super) const fn none() -> Self {
        Self { verdict: Verdict::Unknown, reported: Vec::new() }
    }
}

impl TxnReport {
    /// The report without extended results.
    pub(super) fn of(collector: Collector<'_>, dialect: Dialect, prohibited: &Anomalies) -> Self {
        let maelstrom = AnomalyVerdict::of(&collector.found, prohibited);
        let unsearched = collector.unsearched.filter(|_| maelstrom.verdict == Verdict::Unknown);
        let error = unsearched.map(|unsearched| unsearched.to_string());
        Self { dialect, error, maelstrom, found: collector.found, extended: None, extended_found: Found::new() }
    }

    /// The cases of an anomaly by the extended rules.
    fn cases(&self, anomaly: Anomaly) -> &[TxnCase] {
        self.extended_found.get(&anomaly).or_else(|| self.found.get(&anomaly)).map_or(&[], Vec::as_slice)
    }

    /// The cases of the anomalies that are reported, each in words.
    pub fn reported_cases(&self) -> impl Iterator<Item = (Anomaly, &TxnCase, Vec<String>)> {
        let extended = self.extended.iter().flat_map(|extended| &extended.reported);
        let only = self.maelstrom.reported.iter().filter(|_| self.extended.is_none());
        let anomalies = extended.chain(only).copied();
        anomalies.flat_map(move |anomaly| {
            let cases = self.cases(anomaly).iter().take(MAX_EXPLAINED);
            cases.map(move |case| (anomaly, case, case.lines(anomaly, self.dialect)))
        })
    }

    /// An anomaly in words: how many cases there are and what it means, followed by the first cases.
    fn paragraphs(&self, anomaly: Anomaly) -> Vec<Vec<String>> {
        let cases = self.cases(anomaly);
        let mut heading = vec![heading(anomaly, cases.len())];
        let mut paragraphs = Vec::new();
        for case in cases.iter().take(MAX_EXPLAINED) {
            heading.extend(case.lines(anomaly, self.dialect));
            paragraphs.push(std::mem::take(&mut heading));
        }
        paragraphs
    }

    fn extended_to_edn(&self, extended: &AnomalyVerdict) -> Value {
        let AnomalyVerdict { verdict, reported } = extended;
        let counts = reported.iter().map(|anomaly| (anomaly.name(), Value::count(self.cases(*anomaly).len())));
        let words = reported.iter().map(|anomaly| (anomaly.name(), self.paragraphs(*anomaly)));
        let mut entries = vec![("valid?", verdict.to_value())];
        if !reported.is_empty() {
            let counts = ("counts", Value::record(counts));
            entries.extend([("anomaly-types", keywords(reported)), counts, in_words(words)]);
        }
        Value::record(entries)
    }
}

impl CheckReport for TxnReport {
    fn verdict(&self) -> Verdict {
        self.maelstrom.verdict
    }

    fn to_edn(&self) -> Value {
        let AnomalyVerdict { verdict, reported } = &self.maelstrom;
        let mut result = vec![("valid?", verdict.to_value())];
        if !reported.is_empty() {
            let anomalies = reported.iter().map(|anomaly| {
                let cases = self.found[anomaly].iter().map(|case| case.to_edn(*anomaly, self.dialect));
                let is_bare = *anomaly == Anomaly::EmptyGraph;
                (anomaly.name(), if is_bare { true.into() } else { Value::Vector(cases.collect()) })
            });
            let (not, also_not) = boundary(self.found.keys().copied());
            let names = |names: ModelNames| Value::Set(names.into_iter().map(Value::keyword).collect());
            result.extend([
                ("anomaly-types", keywords(reported)),
                ("anomalies", Value::record(anomalies)),
                ("not", names(not)),
                ("also-not", names(also_not)),
            ]);
        } else if self.error.is_none() && self.dialect == Dialect::Register {
            result.extend([("anomaly-types", keywords(&[])), ("anomalies", Value::Nil)]);
        }
        result.extend(self.error.as_ref().map(|error| ("error", Value::str(error.as_str()))));
        result.extend(self.extended.as_ref().map(|extended| ("gloomers", self.extended_to_edn(extended))));
        Value::record(result)
    }

    fn violations(&self) -> Vec<Violation> {
        if let Some(error) = &self.error {
            return vec![Violation { anomaly: "undecided", count: 1, sentence: error.clone() }];
        }
        let counts = self.maelstrom.reported.iter().map(|anomaly| (*anomaly, self.found[anomaly].len()));
        counts.map(|(anomaly, count)| violation(anomaly, count)).collect()
    }

    fn extended_verdict(&self) -> Option<Verdict> {
        self.extended.as_ref().map(|extended| extended.verdict)
    }

    fn extended_violations(&self) -> Vec<Violation> {
        let extended = self.extended.iter().flat_map(|extended| &extended.reported);
        let undetected = extended.filter(|anomaly| !self.maelstrom.reported.contains(anomaly));
        undetected.map(|anomaly| violation(*anomaly, self.cases(*anomaly).len())).collect()
    }

    fn explanation(&self) -> Vec<Vec<String>> {
        let extended = self.extended.iter().flat_map(|extended| &extended.reported);
        extended.flat_map(|anomaly| self.paragraphs(*anomaly)).collect()
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
