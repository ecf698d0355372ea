//! The shortest window of a history that shows why a call cannot be linearized, and its drawing.
//!
//! A window shows it if no order explains its calls, whatever the value of the register at its start and whichever of
//! the calls open there are linearized already. Reads that are not needed for that are left out.

use std::collections::BTreeSet;

use super::calls::{Call, Calls, Effect};
use super::search::{Event, Search, SearchOutcome, Violation, events};
use crate::workbench::check::Budget;
use crate::workbench::edn::Value;
use crate::workbench::history::History;

/// The maximum number of open calls at the start of a window, of which each doubles the work.
const MAX_OPEN_BEFORE: usize = 8;
/// The maximum number of steps for one window; a drawing that needs more would not be readable.
const MAX_STEPS: u64 = 200_000;
/// The maximum number of events of a window.
const MAX_EVENTS: usize = 1_000;

/// The maximum width of the time axis; beyond it, events share columns.
const MAX_COLUMNS: usize = 64;

/// Why the last call of a window cannot be linearized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// No order explains its calls, whatever the value before it.
    Itself,
    /// No order explains them together with all earlier calls.
    Past,
    /// The call found a value that no call invoked by then could have set.
    Nowhere,
}

/// A window that ends with the violation.
#[derive(Debug)]
pub(super) struct Window {
    /// Its calls, including the violating one, by invocation.
    pub(super) calls: Vec<usize>,
    pub(super) culprit: usize,
    /// Its first position in the history.
    pub(super) begin: usize,
    reason: Reason,
}

/// The shortest window found; the duration of the violating call if none shows it, or if the budget is spent.
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

/// The calls that are open before an event.
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

/// Removes the reads that the violation does not need: fewer reads are never harder to explain.
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

/// A caption, and a line for each call of the window.
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
    let name =
        |call: &Call| format!("{} {}", history.ops()[call.invocation].process.to_value(), call_in_words(calls, call));
    let names: Vec<_> = window.calls.iter().map(|call| name(&calls.all[*call])).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    let mut lines = vec![caption(history, key, calls, culprit, window.reason)];
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

/// What the window shows.
fn caption(history: &History, key: &Value, calls: &Calls, culprit: &Call, reason: Reason) -> String {
    let (key, process) = (key.to_json(), history.ops()[culprit.invocation].process.to_value());
    let call = call_in_words(calls, culprit);
    let unexplained = format!("key {key}: no order of these operations explains process {process}'s {call}");
    match reason {
        Reason::Itself => format!("{unexplained}, whatever the register held before"),
        Reason::Past => format!("{unexplained}, given all that happened before"),
        Reason::Nowhere => {
            let (Effect::Read(found) | Effect::Cas(found, _) | Effect::Write(found)) = culprit.effect;
            let found = calls.value(found).to_json();
            format!(
                "key {key}: process {process} read {found}, but nothing that had begun by then could have written \
                 {found}"
            )
        }
    }
}

/// A call in words.
fn call_in_words(calls: &Calls, call: &Call) -> String {
    let doubt = if call.completion.is_none() { " ?" } else { "" };
    let value = |number: u32| calls.value(number).to_json();
    match call.effect {
        Effect::Read(read) => format!("read → {}", value(read)),
        Effect::Write(written) => format!("write {}{doubt}", value(written)),
        Effect::Cas(from, to) => format!("cas {} → {}{doubt}", value(from), value(to)),
    }
}
