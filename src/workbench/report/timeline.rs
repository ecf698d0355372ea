//! `timeline.html`: a column for each client process, a box for each operation, time from top to bottom.
//!
//! Like Jepsen's: the first [`MOST`] operations, with a notice; a box is as high as its operation took long, and says
//! more when the pointer is on it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::page::brief;
use crate::workbench::history::{History, Kind, Process};
use crate::workbench::report::escape::Escaped;

/// As many operations are drawn.
const MOST: usize = 10_000;

const COLUMN_PX: usize = 108;
/// The height of the shortest box, and of a second.
const LEAST_PX: i64 = 15;
const SECOND_PX: i64 = 1_000;

const HEAD: &str = "\
<!DOCTYPE html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><title>timeline</title><style>
:root{color-scheme:light dark;--paper:#fff;--ink:#222;--ok:#cfe3fb;--info:#ffe3ad;--fail:#fbcadf}
@media(prefers-color-scheme:dark){:root{--paper:#12161c;--ink:#e4e9f0;--ok:#20456f;--info:#69480e;--fail:#6d2347}}
body{background:var(--paper);color:var(--ink);font:12px sans-serif;position:relative;margin:8px}
b{position:sticky;top:0;z-index:1;display:inline-block;width:108px;padding:6px 0;background:var(--paper)}
div{position:absolute;width:100px;padding:0 4px;border-radius:3px;overflow:hidden;white-space:nowrap;line-height:15px}
.ok{background:var(--ok)}.info{background:var(--info)}.fail{background:var(--fail)}
header{white-space:nowrap;position:sticky;top:0;z-index:1}
</style></head><body>
";

/// Writes the page.
pub(super) fn write(history: &History, mut file: impl Write) -> io::Result<()> {
    let all = history.invocation_count();
    let end = history.ops().last().map_or(0, |op| op.time);
    let pairs: Vec<_> = history.pairs().take(MOST).collect();
    let mut columns: BTreeMap<Process, usize> = pairs.iter().map(|(op, _)| (op.process, 0)).collect();
    for (column, place) in columns.values_mut().enumerate() {
        *place = column;
    }
    file.write_all(HEAD.as_bytes())?;
    if pairs.len() < all {
        writeln!(file, "<p>Showing {} of {all} operations</p>", pairs.len())?;
    }
    write!(file, "<header>")?;
    for process in columns.keys() {
        write!(file, "<b>{}</b>", process.to_value())?;
    }
    writeln!(file, "</header><main style=\"position:relative\">")?;
    // A box may not cover the one below it, however short the time between them.
    let mut free = vec![0; columns.len()];
    for (begun, ended) in pairs {
        let column = columns[&begun.process];
        let until = ended.map_or(end, |op| op.time);
        let px = |ns: i64| ns / (1_000_000_000 / SECOND_PX);
        let top = px(begun.time).max(free[column]);
        let height = px(until - begun.time).max(LEAST_PX);
        free[column] = top + height + 1;
        let kind = ended.map_or(Kind::Info, |op| op.kind).name();
        let value = brief(&ended.unwrap_or(begun).value);
        let error =
            ended.and_then(|op| op.error.as_ref()).map(|error| format!("\n{}", brief(error))).unwrap_or_default();
        let (ms, took) = (begun.time / 1_000_000, (until - begun.time) / 1_000);
        let title = format!("{} {kind} {value}\nat {ms} ms, {took} µs{error}", begun.f);
        writeln!(
            file,
            "<div class=\"{kind}\" style=\"left:{}px;top:{}px;height:{height}px\" title=\"{}\">{} {}</div>",
            column * COLUMN_PX,
            top,
            Escaped(&title),
            Escaped(&begun.f),
            Escaped(&value)
        )?;
    }
    writeln!(file, "</main></body></html>")
}
