//! What is left of a test when it is over: a folder, a report, and an exit status.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::history::{Kind, Process};
use super::network::Tally;
use super::options::Options;
use super::run::{Crash, Outcome};

/// Creates the folder that a test leaves behind, under `store/` (reference §14.1), with its `node-logs/`.
///
/// # Errors
///
/// When the folder cannot be created.
pub fn open_store(options: &Options) -> io::Result<PathBuf> {
    let begun = jiff::Zoned::now().strftime("%Y%m%dT%H%M%S%.3f%z").to_string();
    let folder = Path::new("store").join(options.workload.name()).join(begun);
    std::fs::create_dir_all(folder.join("node-logs"))?;
    Ok(folder)
}

/// Reports the outcome and returns the exit status of reference §4.7.
///
/// # Errors
///
/// When the report cannot be written.
pub fn conclude(outcome: &Outcome, options: &Options, folder: &Path, out: &mut dyn Write) -> io::Result<u8> {
    let clients = || outcome.history.iter().filter(|op| op.process != Process::Nemesis);
    let count = |kind: Kind| clients().filter(|op| op.kind == kind).count();
    let invoked = count(Kind::Invoke);
    let (ok, fail, info) = (count(Kind::Ok), count(Kind::Fail), count(Kind::Info));
    writeln!(out, "operations   {invoked}: {ok} ok, {fail} fail, {info} info")?;
    let counts = outcome.counts;
    for (name, tally) in [("all", counts.all), ("clients", counts.clients), ("servers", counts.servers)] {
        let Tally { send, recv, msg } = tally;
        writeln!(out, "{name:<12} {msg} messages, {send} sent, {recv} received")?;
    }
    let late = outcome.lateness;
    let (mean, max) = (late.mean().as_micros(), late.max.as_micros());
    writeln!(out, "hand-over    {mean} us late on average, {max} us at most, {} over 1 ms", late.over_one_ms)?;
    for muted in &outcome.muted {
        writeln!(out, "MUTED        {} printed {}: {}", muted.node, muted.reason, muted.line)?;
    }
    writeln!(out, "folder       {}", folder.display())?;
    for crash in &outcome.crashes {
        report_crash(crash, out)?;
    }
    Ok(match (outcome.crashes.is_empty(), outcome.muted.is_empty() || !options.strict) {
        (false, _) => 255,
        (true, false) => 1,
        (true, true) => 0,
    })
}

/// Tells how a node died, as Maelstrom does (reference §1.9).
fn report_crash(crash: &Crash, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Node {} crashed with {}. Before crashing, it wrote to STDOUT:", crash.node, crash.status)?;
    for line in &crash.last_words.stdout {
        writeln!(out, "    {line}")?;
    }
    writeln!(out, "And to STDERR:")?;
    for line in &crash.last_words.stderr {
        writeln!(out, "    {line}")?;
    }
    Ok(())
}
