//! Draws a window of calls: a line for each, time from left to right, one column or two for each event.

use super::calls::{Call, Calls, Effect};
use super::window::{Reason, Window};
use crate::workbench::edn::Value;
use crate::workbench::history::History;

/// The widest drawing of time; beyond it, events share columns.
const MAX_COLUMNS: usize = 64;

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
