//! Cycles among sends and polls.
//!
//! Sends depend only on time, and polls on sends and time, so each cycle contains a send and a poll of its message that
//! completed before the send was invoked. Overlapping spans between such polls and sends belong to one strongly
//! connected component, of which Elle shows one cycle; no search of a graph is needed.

use super::record::{MessageId, Record, Step};
use super::{Errors, LogAnomaly, LogCase};
use crate::workbench::history::{History, OpKind};

/// From the completion of a poll to the invocation of the send of its message, as positions in the history; of
/// overlapping ones, from the first completion to the last invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    start: usize,
    end: usize,
    /// The message with which it starts, and the steps that polled and sent it.
    id: MessageId,
    reader: usize,
    writer: usize,
}

/// The cycles; and whether the dependency graph is empty.
pub(super) fn find(record: &Record<'_>, history: &History, errors: &mut Errors) {
    for span in spans(record) {
        errors.entry(LogAnomaly::RealtimeCycle).or_default().push(LogCase::RealtimeCycle {
            key: record.keys[span.id.0].clone(),
            value: record.messages[span.id.1].clone(),
            sent: record.steps[span.writer].op.clone(),
            polled: record.steps[span.reader].op.clone(),
        });
        let indices = component(record, span).iter().map(|step| step.op.index).collect();
        errors.entry(LogAnomaly::CycleExists).or_default().push(LogCase::CycleExists { indices });
    }
    let txns = || record.steps.iter().filter(|step| step.is_txn);
    let first_end = txns().filter(|step| step.is(OpKind::Ok)).map(|step| step.span.1).min();
    let last_begin = txns().map(|step| step.span.0).max();
    let has_realtime_edge = matches!((first_end, last_begin), (Some(end), Some(begin)) if end < begin);
    if !has_realtime_edge && record.readers.is_empty() && history.invocation_count() > 0 {
        errors.entry(LogAnomaly::EmptyGraph).or_default().push(LogCase::EmptyGraph);
    }
}

/// The spans that contradict real time, merged where they overlap, in order. A failed send counts as well, since Elle
/// orders it after the operations that completed before it.
fn spans(record: &Record<'_>) -> Vec<Span> {
    let mut spans = Vec::new();
    for (id, readers) in &record.readers {
        let Some(writer) = record.writers.get(id) else { continue };
        for reader in readers.iter().filter(|reader| record.steps[**reader].is(OpKind::Ok)) {
            let (start, end) = (record.steps[*reader].span.1, record.steps[*writer].span.0);
            if start < end {
                spans.push(Span { start, end, id: *id, reader: *reader, writer: *writer });
            }
        }
    }
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::new();
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            Some(_) | None => merged.push(span),
        }
    }
    merged
}

/// The strongly connected component of a span: the steps after its start that, by the contradiction, are also before
/// its end.
fn component<'r, 'a>(record: &'r Record<'a>, span: Span) -> Vec<&'r Step<'a>> {
    let is_before = |step: &Step<'_>| step.is_txn && step.is(OpKind::Ok) && step.span.1 < span.end;
    let is_after = |step: &Step<'_>| step.is_txn && step.span.0 > span.start;
    let is_polled_before = |step: &Step<'_>| {
        let mut readers = step.writes().filter_map(|id| record.readers.get(&id)).flatten();
        readers.any(|reader| is_before(&record.steps[*reader]))
    };
    let polls_after = |step: &Step<'_>| step.reads().filter_map(|id| record.writer(id)).any(is_after);
    let belongs =
        |step: &&Step<'_>| (is_after(step) || polls_after(step)) && (is_before(step) || is_polled_before(step));
    record.steps.iter().filter(belongs).collect()
}
