//! Follows every message of every log (protocol §13.6): kafka.
//!
//! The offsets in completed sends and polls determine the order of each log, against which all polls and sends are
//! checked.

mod anomaly;
mod cycles;
mod lag;
mod orders;
mod record;
mod sequences;

use std::collections::BTreeMap;

use super::{CheckError, CheckReport, Verdict, Violation, in_words};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, OpKind};
use orders::Orders;
use record::Record;
use sequences::Sequences;

pub use anomaly::{LogAnomaly, LogCase, Sequence, UnseenMessages};
pub use lag::Lag;

/// The maximum number of errors of a kind that are explained in words.
const MAX_EXPLAINED: usize = 3;

/// The anomalies of the logs.
#[derive(Debug, Clone, PartialEq)]
pub struct KafkaReport {
    /// The greatest lag of a poll; none if nobody polled.
    pub worst_lag: Option<Lag>,
    /// The errors of each kind.
    pub errors: BTreeMap<LogAnomaly, LogErrors>,
    /// The distinct errors of indeterminate operations.
    pub info_causes: Vec<Value>,
}

/// The errors of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct LogErrors {
    /// Their number.
    pub count: usize,
    /// The first or gravest of them.
    pub cases: Vec<LogCase>,
}

/// All errors, by kind.
type Errors = BTreeMap<LogAnomaly, Vec<LogCase>>;

/// Checks logs: invalid if there is any error that is not allowed.
///
/// # Errors
/// If a poll returned a message that was never sent, or an offset is not a natural number.
pub fn check(history: &History) -> Result<KafkaReport, CheckError> {
    let record = Record::of(history)?;
    let orders = Orders::of(&record);
    let mut errors = Errors::new();
    record.aborted_reads(&mut errors);
    record.precommitted_reads(&mut errors);
    cycles::find(&record, history, &mut errors);
    orders.inconsistent_offsets(&record, &mut errors)?;
    orders.duplicates(&record, &mut errors);
    orders.lost_writes(&record, &mut errors);
    let mut sequences = Sequences { record: &record, orders: &orders, errors: &mut errors };
    sequences.within_operations();
    sequences.between_operations();
    if let Some(unseen) = record.unseen()? {
        errors.insert(LogAnomaly::Unseen, vec![LogCase::Unseen(unseen)]);
    }
    Ok(KafkaReport {
        worst_lag: lag::worst(&record, history),
        errors: errors.into_iter().map(|(anomaly, cases)| (anomaly, condensed(anomaly, cases))).collect(),
        info_causes: causes(history),
    })
}

/// Counts the errors of a kind, and selects those to show.
fn condensed(anomaly: LogAnomaly, mut cases: Vec<LogCase>) -> LogErrors {
    let count = cases.iter().map(LogCase::count).sum();
    if let Some(shown) = anomaly.shown() {
        cases.sort_by_key(LogCase::rank);
        if anomaly.is_skip() {
            drop(cases.drain(..cases.len().saturating_sub(shown)));
        }
        cases.truncate(shown);
    }
    LogErrors { count, cases }
}

/// The distinct errors of indeterminate operations.
fn causes(history: &History) -> Vec<Value> {
    let mut causes: Vec<Value> = Vec::new();
    for op in history.ops().iter().filter(|op| op.kind == OpKind::Info && matches!(&*op.f, "txn" | "send" | "poll")) {
        let cause = op.error.clone().unwrap_or_default();
        if !causes.iter().any(|known| known.same(&cause)) {
            causes.push(cause);
        }
    }
    causes
}

impl KafkaReport {
    /// The kinds of errors found, in the order of their names.
    pub fn anomalies(&self) -> impl Iterator<Item = LogAnomaly> + '_ {
        self.errors.keys().copied()
    }

    fn bad(&self) -> impl Iterator<Item = LogAnomaly> + '_ {
        self.anomalies().filter(|anomaly| !anomaly.is_allowed())
    }

    /// A sentence for each of the first errors of a kind.
    fn sentences(&self, anomaly: LogAnomaly) -> Vec<String> {
        let cases = self.errors.get(&anomaly).into_iter().flat_map(|errors| &errors.cases);
        let sentences = cases.flat_map(|case| case.sentences(anomaly)).take(MAX_EXPLAINED);
        sentences.map(|sentence| format!("{}: {sentence}", anomaly.name())).collect()
    }
}

impl CheckReport for KafkaReport {
    fn verdict(&self) -> Verdict {
        Verdict::from(self.bad().next().is_none())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are alike")]
    fn to_edn(&self) -> Value {
        let names = |anomalies: &mut dyn Iterator<Item = LogAnomaly>| {
            Value::List(anomalies.map(|anomaly| Value::keyword(anomaly.name())).collect())
        };
        let lag = self.worst_lag.as_ref().map_or_else(Lag::none_to_edn, Lag::to_edn);
        let mut entries = vec![
            ("valid?", self.verdict().to_value()),
            ("worst-realtime-lag", lag),
            ("bad-error-types", names(&mut self.bad())),
            ("error-types", names(&mut self.anomalies())),
            ("info-txn-causes", Value::List(self.info_causes.clone())),
        ];
        for (anomaly, LogErrors { count, cases }) in &self.errors {
            let mut cases = cases.iter().map(|case| case.to_edn(*anomaly));
            let counted = |count, errors| Value::record([("count", Value::count(count)), ("errs", errors)]);
            let shown = match anomaly {
                LogAnomaly::EmptyGraph => Some(counted(*count, true.into())),
                LogAnomaly::Unseen => cases.next(),
                _ => Some(counted(*count, Value::List(cases.collect()))),
            };
            entries.extend(shown.map(|shown| (anomaly.name(), shown)));
        }
        if self.anomalies().next().is_some() {
            let paragraphs = |anomaly| self.sentences(anomaly).into_iter().map(|sentence| vec![sentence]).collect();
            let words = in_words(self.anomalies().map(|anomaly| (anomaly.name(), paragraphs(anomaly))));
            entries.push(("gloomers", Value::record([words])));
        }
        Value::record(entries)
    }

    fn violations(&self) -> Vec<Violation> {
        let violation = |anomaly: LogAnomaly| {
            let count = self.errors[&anomaly].count;
            let first = self.sentences(anomaly).into_iter().next().unwrap_or_else(|| anomaly.name().to_owned());
            Violation { anomaly: anomaly.name(), count, sentence: format!("{count} × {first}") }
        };
        self.bad().map(violation).collect()
    }

    fn explanation(&self) -> Vec<Vec<String>> {
        self.anomalies().flat_map(|anomaly| self.sentences(anomaly)).map(|sentence| vec![sentence]).collect()
    }
}

#[cfg(test)]
mod tests;
