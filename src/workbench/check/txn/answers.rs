//! What transactions were asked for against what their answers say they did.
//!
//! Maelstrom takes the answer for the transaction and never looks at the question: a node that leaves writes out, or
//! does other steps, is judged by what it claims.

use super::findings::Findings;
use super::steps::quoted;
use super::transactions::{Action, Dialect, Step, Transaction};
use super::{CHANGED, Subject};
use crate::workbench::edn::Value;

/// So many steps of an answer that are not those asked for are told one by one.
const MAX_TOLD: usize = 4;

/// Adds every acknowledged transaction whose answer is not of the steps asked for.
pub(super) fn find(subject: Subject<'_>, findings: &mut Findings<'_>) {
    let begun = |transaction: &Transaction| transaction.begin != transaction.end;
    for (number, transaction) in subject.transactions.acknowledged().filter(|(_, transaction)| begun(transaction)) {
        let wrong: Vec<usize> = transaction
            .asked
            .iter()
            .zip(&transaction.steps)
            .enumerate()
            .filter_map(|(place, (asked, answered))| (!is_answer(asked, answered)).then_some(place))
            .collect();
        let (asked, answered) = (transaction.asked.len(), transaction.steps.len());
        if wrong.is_empty() && asked == answered {
            continue;
        }
        let question = subject.history.ops()[transaction.begin].value.clone();
        let case = Value::record([("op", subject.op(number)), ("asked", question.clone())]);
        findings.add(CHANGED, case, || {
            let mut lines = vec![format!("{} was asked for {}", subject.name(number), quoted(&question))];
            if asked != answered {
                lines.push(format!("answered {} where {asked} were asked", count(answered)));
            }
            // Once a step is missing, all that follow are at other places.
            let told = if asked == answered { MAX_TOLD } else { 1 };
            lines.extend(wrong.iter().take(told).map(|place| subject.wrong_step(number, *place)));
            if asked == answered && wrong.len() > told {
                lines.push(format!("and {} more steps", wrong.len() - told));
            }
            lines
        });
    }
}

/// Whether a step says what became of another: reads may see anything.
fn is_answer(asked: &Step, answered: &Step) -> bool {
    asked.key == answered.key
        && match (&asked.action, &answered.action) {
            (Action::Read(_), Action::Read(_)) => true,
            (Action::Write(asked), Action::Write(answered)) => asked == answered,
            (Action::Read(_), Action::Write(_)) | (Action::Write(_), Action::Read(_)) => false,
        }
}

fn count(steps: usize) -> String {
    if steps == 1 { "1 step".to_owned() } else { format!("{steps} steps") }
}

impl Subject<'_> {
    /// How a step of an answer differs from the one asked for.
    fn wrong_step(self, number: u32, place: usize) -> String {
        let (transaction, transactions) = (self.transactions.of(number), self.transactions);
        let (asked, answered) = (&transaction.asked[place], &transaction.steps[place]);
        let (verb, noun) = match self.dialect {
            Dialect::Append => ("append", "an append"),
            Dialect::Register => ("write", "a write"),
        };
        let key = |step: &Step| quoted(transactions.key(step.key));
        let question = match asked.action {
            Action::Read(_) => format!("read key {}", key(asked)),
            Action::Write(value) => format!("{verb} {} to key {}", quoted(transactions.value(value)), key(asked)),
        };
        let whose = if asked.key == answered.key { "it".to_owned() } else { format!("key {}", key(answered)) };
        let answer = match answered.action {
            Action::Read(_) => format!("a read of {whose}"),
            Action::Write(value) => format!("{noun} of {} to {whose}", quoted(transactions.value(value))),
        };
        format!("step {}: asked to {question}, answered {answer}", place + 1)
    }
}
