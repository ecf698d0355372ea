//! Explains what is wrong with a growing set: broadcast and g-set.

use crate::workbench::check::set_full::{self, SetAnomaly, SetCase};
use crate::workbench::edn::Value;
use crate::workbench::explain::bodies::Item;
use crate::workbench::explain::evidence::Evidence;
use crate::workbench::explain::faults::Stop;
use crate::workbench::explain::journey::Subject;
use crate::workbench::explain::words::{counted, duration, list, seconds};
use crate::workbench::explain::{Claim, Explanation, Hint, Step, acknowledged};
use crate::workbench::history::{Op, OpKind};
use crate::workbench::network::{Fate, Passage};

/// A value, and what is wrong with it.
#[derive(Debug)]
enum Wrong {
    Lost(Value),
    Extended(SetAnomaly, SetCase),
}

/// All values with which something is wrong.
#[derive(Debug, Default)]
pub(super) struct SetCases(Vec<Wrong>);

impl SetCases {
    pub(super) fn of(evidence: &Evidence<'_>) -> Self {
        let Ok(report) = set_full::check(evidence.history) else { return Self::default() };
        let lost = report.lost.into_iter().map(Wrong::Lost);
        let mut extended = report.extended;
        extended.sort_by_key(|violation| violation.anomaly != SetAnomaly::Missing);
        let extended = extended.into_iter().flat_map(|violation| {
            violation.cases.into_iter().map(move |case| Wrong::Extended(violation.anomaly, case))
        });
        Self(lost.chain(extended).collect())
    }

    pub(super) const fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn explain<'s>(&'s self, evidence: &Evidence<'_>, most: usize) -> Vec<Explanation> {
        let wrong = &self.0[..self.0.len().min(most)];
        let values: Vec<_> = wrong.iter().map(|wrong| wrong.value().clone()).collect();
        let subjects = subjects(evidence, &values);
        let element =
            |(wrong, subject): (&'s Wrong, _)| wrong.explain(&Element { evidence, value: wrong.value(), subject });
        wrong.iter().zip(&subjects).map(element).collect()
    }
}

impl Wrong {
    const fn value(&self) -> &Value {
        match self {
            Self::Lost(value) => value,
            Self::Extended(_, case) => &case.value,
        }
    }

    fn explain(&self, subject: &Element<'_, '_>) -> Explanation {
        match self {
            Self::Lost(_) => subject.missing("lost"),
            Self::Extended(SetAnomaly::Missing, _) => subject.missing(SetAnomaly::Missing.name()),
            Self::Extended(anomaly, case) => subject.unwanted(*anomaly, case),
        }
    }
}

/// The items that an operation sends.
fn items(op: &Op) -> Vec<Item> {
    if matches!(&*op.f, "add" | "broadcast") { vec![Item::of(&op.value)] } else { Vec::new() }
}

fn subjects<'e>(evidence: &'e Evidence<'_>, values: &[Value]) -> Vec<Subject<'e>> {
    let wanted: Vec<_> = values.iter().map(Item::of).collect();
    let adds = |value: &Value| {
        evidence.history.pairs().filter(|(add, _)| !items(add).is_empty() && add.value == *value).collect()
    };
    let adds: Vec<Vec<_>> = values.iter().map(adds).collect();
    Subject::of(evidence, items, &wanted, &adds)
}

/// How a value travelled, from its first request to the reads that have it, or why some lack it; `None` if nobody added
/// it.
pub(super) fn journey(evidence: &Evidence<'_>, value: &Value) -> Option<Explanation> {
    let subjects = subjects(evidence, std::slice::from_ref(value));
    let subject = Element { evidence, value, subject: subjects.first().filter(|subject| !subject.adds.is_empty())? };
    let is_missing = evidence.last_reads().into_iter().any(|(_, read)| subject.lacks(read));
    let is_acknowledged = subject.subject.acknowledgement().is_some();
    Some(if is_missing && is_acknowledged { subject.missing("missing") } else { subject.travelled() })
}

fn has(read: &Op, value: &Value) -> bool {
    match (&read.value, value) {
        (Value::Ints(ints), Value::Int(wanted)) => ints.iter().any(|int| int == *wanted),
        (list, _) => list.items().is_some_and(|mut items| items.any(|item| *item == *value)),
    }
}

/// A value, and all that is known of it.
struct Element<'e, 'a> {
    evidence: &'e Evidence<'a>,
    value: &'e Value,
    subject: &'e Subject<'e>,
}

impl Element<'_, '_> {
    fn name(&self) -> String {
        self.value.to_json()
    }

    fn lacks(&self, read: &Op) -> bool {
        let is_later = self.subject.adds.iter().any(|(add, _)| add.time < read.time);
        is_later && !has(read, self.value)
    }

    /// Why the last reads of some nodes lack it.
    fn missing(&self, anomaly: &'static str) -> Explanation {
        let evidence = self.evidence;
        let name = self.name();
        let lacking: Vec<_> = evidence.last_reads().into_iter().filter(|(_, read)| self.lacks(read)).collect();
        let nodes = list(lacking.iter().map(|(node, _)| *node));
        let mut steps = Vec::new();
        let title = match (self.subject.acknowledgement(), self.subject.adds.first()) {
            (Some(end), _) => {
                let node = evidence.node_of(end);
                let at = seconds(end.time / 1_000);
                let sentence = format!("Value {name} was acknowledged by {node} at {at} (operation {}).", end.index);
                steps.push(Step::operation(end, node, sentence));
                format!("{name} was acknowledged, but the last reads of {nodes} lack it")
            }
            (None, Some((add, _))) => {
                steps.push(acknowledged(evidence.node_of(add), add, &name));
                format!("{name} was read, but the last reads of {nodes} lack it")
            }
            (None, None) => format!("{name} is missing from the last reads of {nodes}"),
        };
        let Some((node, read)) = lacking.first().copied() else {
            return Explanation { anomaly, title, key: None, value: Some(name), steps, hints: Vec::new() };
        };
        let until = read.time / 1_000;
        let mut hints = Vec::new();
        let has_traffic = evidence.server_messages().next().is_some();
        if self.subject.journey.had(node).is_some_and(|(at, _)| evidence.us(at) <= until) {
            steps.extend(self.subject.journey.why_forgotten(evidence, node, "it", until));
        } else if !self.subject.is_shown && has_traffic {
            steps.extend(self.unseen(node, until));
        } else {
            let why = self.subject.journey.why_without(evidence, node, "it", until);
            hints.extend(no_retry(node, &why));
            steps.extend(why);
            steps.extend(self.subject.journey.hidden_ways(evidence));
        }
        let which = if read.is_final() { "final read" } else { "last read" };
        let sentence = format!("{node}'s {which} at {} lacks it (operation {}).", seconds(until), read.index);
        steps.push(Step::of(Claim::Lacks, sentence).at(until).on(node).by(read));
        for (node, read) in lacking.iter().skip(1).take(2) {
            let at = seconds(read.time / 1_000);
            let sentence = format!("{node}'s {which} at {at} lacks it, too (operation {}).", read.index);
            steps.push(Step::of(Claim::Lacks, sentence).at(read.time / 1_000).on(node).by(read));
        }
        hints.extend(self.early_reply());
        Explanation { anomaly, title, key: None, value: Some(name), steps, hints }
    }

    /// What can be said of messages that do not show values.
    fn unseen(&self, node: &str, until: i64) -> Vec<Step> {
        let evidence = self.evidence;
        let from = self.subject.acknowledgement().map_or(0, |end| end.time / 1_000);
        let mut steps = vec![Step::remark(
            "No message between nodes shows the values in its body (the program may send differences, or encode its \
             state).",
        )];
        let to_node = evidence.server_messages().filter(|passage| &*passage.dest == node);
        let later: Vec<_> = to_node.filter(|passage| (from..=until).contains(&evidence.us(passage.sent))).collect();
        let delivered = later.iter().filter(|passage| passage.arrivals().next().is_some()).count();
        let refused =
            later.iter().filter(|passage| passage.fates.iter().any(|(_, fate)| *fate == Fate::Refused)).count();
        steps.push(Step::remark(format!(
            "From {} on, {node} was sent {}: {delivered} arrived, {refused} were dropped by partitions.",
            seconds(from),
            counted(later.len(), "message")
        )));
        steps
    }

    /// The node that acknowledged it had not sent it to anyone by then, and was killed.
    fn early_reply(&self) -> Option<Hint> {
        let evidence = self.evidence;
        let end = self.subject.acknowledgement()?;
        let (node, at) = (evidence.node_of(end), end.time / 1_000);
        let death = evidence.faults.outages_of(node, at, i64::MAX).find(|outage| outage.stop == Stop::Killed)?;
        let is_out = |passage: &&Passage| {
            &*passage.src == node && passage.arrivals().any(|arrived| evidence.us(arrived) <= death.from_us)
        };
        if self.subject.journey.carriers.iter().any(is_out) || !self.subject.is_shown {
            return None;
        }
        let sentence = format!(
            "{node} replied at {}, before anyone else had the value, and was killed at {}.",
            seconds(at),
            seconds(death.from_us)
        );
        Some(Hint { pattern: "reply before replication", sentence })
    }

    /// A value that a read should not have, or not so often.
    fn unwanted(&self, anomaly: SetAnomaly, case: &SetCase) -> Explanation {
        let evidence = self.evidence;
        let (name, (_, index)) = (self.name(), case.read);
        let read = evidence.history.ops().iter().find(|op| op.index == index);
        let node = read.map_or("?", |read| evidence.node_of(read));
        let title = match anomaly {
            SetAnomaly::Duplicated => format!("a read of {node} returned {name} {} times", case.times),
            SetAnomaly::Failed => format!("a read of {node} returned {name}, whose add had failed"),
            SetAnomaly::Invented | SetAnomaly::Missing => {
                format!("a read of {node} returned {name}, which nobody had begun to add")
            }
        };
        let mut steps = Vec::new();
        for (add, end) in self.subject.adds.iter().take(3) {
            let op = end.unwrap_or(add);
            steps.push(acknowledged(evidence.node_of(op), op, &name));
        }
        let brought = self.subject.journey.carriers.iter().filter(|passage| &*passage.dest == node);
        let brought: Vec<_> = brought.filter(|passage| passage.arrivals().next().is_some()).collect();
        if anomaly == SetAnomaly::Duplicated && !brought.is_empty() {
            let senders = list(brought.iter().map(|passage| format!("{} (message {})", passage.src, passage.id)));
            let sentence = format!("{node} was given it by {senders}.");
            steps.push(Step::remark(sentence).on(node).with(brought.iter().map(|passage| passage.id)));
        }
        if let Some(read) = read {
            let at = seconds(read.time / 1_000);
            let sentence = format!("{node}'s read at {at} has it (operation {index}).");
            steps.push(Step::of(Claim::Has, sentence).at(read.time / 1_000).on(node).by(read));
        }
        Explanation { anomaly: anomaly.name(), title, key: None, value: Some(name), steps, hints: Vec::new() }
    }

    /// How the value reached every node, and which read was the last to lack it.
    fn travelled(&self) -> Explanation {
        let evidence = self.evidence;
        let mut explanation = self.subject.travelled(evidence, &self.name());
        let known = self.subject.acknowledgement().map_or(i64::MAX, |end| end.time);
        let reads = evidence.history.pairs().filter_map(|(begin, end)| Some((begin, end?)));
        let reads = reads.filter(|(begin, end)| end.f == "read" && end.kind == OpKind::Ok && begin.time > known);
        let last = reads.filter(|(_, end)| !has(end, self.value)).last();
        explanation.steps.push(match last {
            Some((begin, end)) => {
                let (node, us) = (evidence.node_of(end), begin.time / 1_000);
                let sentence = format!(
                    "The last read that lacks it began at {} on {node}, {} after it was acknowledged (operation {}).",
                    seconds(us),
                    duration(us - known / 1_000),
                    end.index
                );
                Step::of(Claim::Lacks, sentence).at(end.time / 1_000).on(node).by(end)
            }
            None => Step::remark("Every read that began after it was acknowledged has it."),
        });
        explanation
    }
}

/// A message was dropped, and nobody sent the value again.
fn no_retry(node: &str, steps: &[Step]) -> Option<Hint> {
    let failed = steps.iter().filter(|step| matches!(&step.claim, Claim::Sent { fate: Some(_), .. }));
    let count: usize = failed.map(|step| step.messages.len()).sum();
    let sentence = format!(
        "{} with it failed, and no message carried it to {node} later: send until the receiver acknowledges.",
        counted(count, "message")
    );
    (count > 0).then_some(Hint { pattern: "no retry after a drop", sentence })
}
