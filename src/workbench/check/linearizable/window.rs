//! The shortest stretch of a history that shows by itself why a call could not have happened, and its drawing.
//!
//! A stretch shows it if no order explains its calls even when the register may hold anything at its beginning and
//! each call open there may have happened already. Reads that are not needed for that are left out.

use std::collections::BTreeSet;

use super::calls::{Call, Calls, Effect};
use super::search::{Event, Search, SearchOutcome, Violation, events};
use crate::workbench::check::Budget;
use crate::workbench::edn::Value;
use crate::workbench::history::History;

/// Calls open at the beginning of a window: each doubles the work.
const MAX_OPEN_BEFORE: usize = 8;
/// Steps of the search for one window; a longer one does not show anything to people.
const MAX_STEPS: u64 = 200_000;
/// Events that a window may have.
const MAX_EVENTS: usize = 1_000;

/// The widest drawing of time; beyond it, events share columns.
const MAX_COLUMNS: usize = 64;

/// Why a window ends with a call that could not have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// No order explains its calls, whatever the register held before.
    Itself,
    /// No order explains it and all that happened before.
    Past,
    /// The call met a value that none begun by then could have left.
    Nowhere,
}

/// A window that ends with the violation.
#[derive(Debug)]
pub(super) struct Window {
    /// The calls in it, by their invocations; the one that could not have happened too.
    pub(super) calls: Vec<usize>,
    /// The call that could not have happened.
    pub(super) culprit: usize,
    /// Where it begins in the history.
    pub(super) begin: usize,
    reason: Reason,
}

/// The shortest window found, or the culprit's own time if none shows the violation by itself, or the budget is spent.
pub(super) fn shortest(calls: &Calls, violation: &Violation, budget: &Budget) -> Window {
    let all = events(&calls.all);
    let culprit = violation.call;
    if violation.from_nowhere {
        return window(calls, culprit, &[culprit], &[Event::Begin(culprit)], Reason::Nowhere);
    }
    let end = all.iter().position(|event| *event == Event::End(culprit)).map_or(all.len(), |at| at + 1);
    for begin in (end.saturating_sub(MAX_EVENTS)..end).rev().take_while(|_| !budget.is_over()) {
        let (open, within) = (open_at(&all, begin), &all[begin..end]);
        if fails(calls, within, &open, budget) {
            return narrowed(calls, culprit, open, within.to_vec(), budget);
        }
    }
    let own = all.iter().position(|event| *event == Event::Begin(culprit)).unwrap_or_default();
    let own = own.min(end);
    window(calls, culprit, &open_at(&all, own), &all[own..end], Reason::Past)
}

fn fails(calls: &Calls, within: &[Event], open: &[usize], budget: &Budget) -> bool {
    let undecided = open.iter().filter(|call| calls.all[**call].completion.is_some());
    if undecided.filter(|call| !calls.all[**call].effect.is_read()).count() > MAX_OPEN_BEFORE {
        return false;
    }
    let search = Search::within(MAX_STEPS, budget);
    let outcome = search.run_from_anywhere(&calls.all, within, calls.value_count(), open);
    matches!(outcome, SearchOutcome::Violation(_))
}

/// The calls that have begun but not ended before an event.
fn open_at(all: &[Event], begin: usize) -> Vec<usize> {
    let mut open = BTreeSet::new();
    for event in &all[..begin] {
        match *event {
            Event::Begin(call) => open.insert(call),
            Event::End(call) => open.remove(&call),
        };
    }
    open.into_iter().collect()
}

/// Leaves out the reads without which the window still fails: fewer reads are never harder to explain.
fn narrowed(calls: &Calls, culprit: usize, mut open: Vec<usize>, mut within: Vec<Event>, budget: &Budget) -> Window {
    let mut reads: Vec<usize> = within.iter().map(|event| event.call()).chain(open.iter().copied()).collect();
    reads.sort_unstable();
    reads.dedup();
    reads.retain(|call| *call != culprit && calls.all[*call].effect.is_read());
    for read in reads {
        let fewer: Vec<_> = within.iter().copied().filter(|event| event.call() != read).collect();
        let fewer_open: Vec<_> = open.iter().copied().filter(|call| *call != read).collect();
        if fails(calls, &fewer, &fewer_open, budget) {
            (within, open) = (fewer, fewer_open);
        }
    }
    window(calls, culprit, &open, &within, Reason::Itself)
}

fn window(calls: &Calls, culprit: usize, open: &[usize], within: &[Event], reason: Reason) -> Window {
    let shown: BTreeSet<_> = within.iter().map(|event| event.call()).chain(open.iter().copied()).collect();
    let begins = within.iter().map(|event| match *event {
        Event::Begin(call) => calls.all[call].invocation,
        Event::End(call) => calls.all[call].end(),
    });
    Window { culprit, reason, begin: begins.min().unwrap_or_default(), calls: shown.into_iter().collect() }
}

/// A caption, and a line for each call of the window by its invocation.
pub(super) fn draw(history: &History, key: &Value, calls: &Calls, window: &Window) -> Vec<String> {
    let culprit = &calls.all[window.culprit];
    let end = culprit.end();
    let mut moments: Vec<usize> = vec![window.begin, end];
    for call in window.calls.iter().map(|call| &calls.all[*call]) {
        let within = |at: &usize| (window.begin..=end).contains(at);
        moments.extend([Some(call.invocation), call.completion].into_iter().flatten().filter(within));
    }
    moments.sort_unstable();
    moments.dedup();
    let columns = (2 * moments.len() - 1).min(MAX_COLUMNS);
    let column = |at: usize| {
        let rank = moments.partition_point(|moment| *moment < at);
        rank * (columns - 1) / (moments.len() - 1).max(1)
    };
    let name = |call: &Call| format!("{} {}", history.ops()[call.invocation].process.to_value(), told(calls, call));
    let names: Vec<_> = window.calls.iter().map(|call| name(&calls.all[*call])).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    let process = history.ops()[culprit.invocation].process.to_value();
    let mut lines = vec![caption(key, &process, &told(calls, culprit), met(calls, culprit), window.reason)];
    for (call, name) in window.calls.iter().zip(names) {
        let shown = &calls.all[*call];
        let first = if shown.invocation < window.begin { None } else { Some(column(shown.invocation)) };
        let last = shown.completion.filter(|at| *at <= end).map(&column);
        let bar = (0..columns).map(|at| match (first, last) {
            (Some(first), _) if at < first => ' ',
            (_, Some(last)) if at > last => ' ',
            (Some(first), _) if at == first => '├',
            (_, Some(last)) if at == last => '┤',
            (None, _) if at == 0 => '┄',
            (_, None) if at + 1 == columns => '┄',
            _ => '─',
        });
        let bar: String = bar.collect();
        let mark = if *call == window.culprit { "  ✗" } else { "" };
        let pad = " ".repeat(width - name.chars().count());
        lines.push(format!("{name}{pad}  {}{mark}", bar.trim_end()));
    }
    lines
}

fn caption(key: &Value, process: &Value, told: &str, met: Option<&Value>, reason: Reason) -> String {
    let key = key.to_json();
    let unexplained = format!("key {key}: no order of these operations explains process {process}'s {told}");
    match reason {
        Reason::Itself => format!("{unexplained}, whatever the register held before"),
        Reason::Past => format!("{unexplained}, given all that happened before"),
        Reason::Nowhere => {
            let met = met.unwrap_or(&Value::Nil).to_json();
            format!(
                "key {key}: process {process} read {met}, but nothing that had begun by then could have written {met}"
            )
        }
    }
}

/// The value that a call found in the register, if it tells.
fn met<'a>(calls: &'a Calls, call: &Call) -> Option<&'a Value> {
    match call.effect {
        Effect::Read(value) | Effect::Cas(value, _) => Some(calls.value(value)),
        Effect::Write(_) => None,
    }
}

/// A call as people write it.
fn told(calls: &Calls, call: &Call) -> String {
    let doubt = if call.completion.is_none() { " ?" } else { "" };
    let value = |number: u32| calls.value(number).to_json();
    match call.effect {
        Effect::Read(read) => format!("read → {}", value(read)),
        Effect::Write(written) => format!("write {}{doubt}", value(written)),
        Effect::Cas(from, to) => format!("cas {} → {}{doubt}", value(from), value(to)),
    }
}
