//! What a test shows while it runs: a bar where stderr is a terminal, a line now and then where it is not.

use std::io::{self, IsTerminal as _, Write as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use super::cluster::LastWords;
use super::edn::Value;
use super::history::{Kind, Op, Process};
use super::network::Muted;
use super::processes::Caught;
use super::run::{Phase, Watch};
use crate::time::Duration;

/// Time of the test between two updates of the bar, and between two lines.
const BAR_STEP: Duration = Duration::from_millis(100);
const LINE_STEP: Duration = Duration::from_secs(5);
/// As many lines of a node that died are shown.
const LAST_LINES: usize = 8;
/// How often the terminal is written to, at most.
const DRAWS_PER_SECOND: u8 = 10;

/// Shows the progress of one test on stderr.
#[derive(Debug)]
pub struct Progress<'a> {
    /// Present where stderr is a terminal and nothing else writes to it.
    bar: Option<ProgressBar>,
    quiet: bool,
    phase: Phase,
    invoked: u64,
    faults: u64,
    /// The faults that are on.
    active: Vec<&'static str>,
    /// The time of the test when the display next changes.
    next_ns: i64,
    caught: Option<Caught<'a>>,
}

impl<'a> Progress<'a> {
    /// Progress of a test with this time limit. A bar is shown only if nothing else (`others_write`) is
    /// going to write to stderr meanwhile.
    #[must_use]
    pub fn new(time_limit: Duration, quiet: bool, others_write: bool) -> Self {
        let bar = (!quiet && !others_write && io::stderr().is_terminal()).then(|| {
            let target = ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND);
            let bar =
                ProgressBar::with_draw_target(Some(time_limit.as_secs()), target).with_finish(ProgressFinish::AndClear);
            ProgressStyle::with_template("{bar:30} {pos:>3}/{len} s  {msg}").map(|style| bar.set_style(style)).ok();
            bar
        });
        let phase = Phase::Starting;
        Self { bar, quiet, phase, invoked: 0, faults: 0, active: Vec::new(), next_ns: 0, caught: None }
    }

    /// Ends the test when a signal is caught, where the cluster does not.
    #[must_use]
    pub fn until(mut self, caught: Caught<'a>) -> Self {
        self.caught = Some(caught);
        self
    }

    fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| writeln!(io::stderr(), "{line}").ok()),
            None => writeln!(io::stderr(), "{line}").ok(),
        };
    }

    fn on_fault(&mut self, op: &Op) {
        let (fault, begins) = match &*op.f {
            "start-partition" => ("partition", true),
            "stop-partition" => ("partition", false),
            "kill" => ("kill", true),
            "start" => ("kill", false),
            "pause" => ("pause", true),
            "resume" => ("pause", false),
            "start-slow" => ("slow", true),
            "stop-slow" => ("slow", false),
            "start-skew" => ("skew", true),
            "stop-skew" => ("skew", false),
            _ => return,
        };
        // Each comes twice, the second time with what came of it.
        let done = matches!(op.value, Value::Vector(_) | Value::Map(_));
        self.faults += u64::from(begins && !done);
        self.active.retain(|active| *active != fault);
        if begins {
            self.active.push(fault);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn state(&self, time_ns: i64) -> String {
        let rate = self.invoked as f64 / (time_ns as f64 / 1e9).max(0.001);
        let now = if self.active.is_empty() { "none".to_owned() } else { self.active.join(", ") };
        let faults = if self.faults == 0 { String::new() } else { format!(", {} faults, now {now}", self.faults) };
        format!("{} ops, {rate:.1}/s{faults}", self.invoked)
    }
}

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "starting the nodes",
        Phase::SettingUp => "setting up",
        Phase::Main => "running operations",
        Phase::Recovering => "waiting for recovery (10 s)",
        Phase::Final => "final operations",
        Phase::Ending => "ending the nodes",
    }
}

impl Watch for Progress<'_> {
    fn on_phase(&mut self, phase: Phase) {
        self.phase = phase;
        match &self.bar {
            Some(bar) if phase == Phase::Ending => bar.finish_and_clear(),
            Some(bar) => {
                bar.set_message(name(phase));
                bar.tick();
            }
            None if self.quiet => {}
            None => self.say(name(phase)),
        }
    }

    fn on_op(&mut self, op: &Op) {
        if op.process == Process::Nemesis {
            self.on_fault(op);
        } else if op.kind == Kind::Invoke {
            self.invoked += 1;
        }
        if self.quiet || self.phase != Phase::Main || op.time < self.next_ns {
            return;
        }
        let step = if self.bar.is_some() { BAR_STEP } else { LINE_STEP };
        let first = self.next_ns == 0;
        self.next_ns = op.time + i64::try_from(step.as_nanos()).unwrap_or(i64::MAX);
        let seconds = u64::try_from(op.time / 1_000_000_000).unwrap_or_default();
        match &self.bar {
            Some(bar) => {
                bar.set_message(self.state(op.time));
                bar.set_position(seconds);
            }
            None if first => {}
            None => self.say(&format!("{seconds:>4} s  {}", self.state(op.time))),
        }
    }

    fn on_muted(&mut self, muted: &Muted) {
        self.say(&format!("{} is not listened to any more: it printed {}: {}", muted.node, muted.reason, muted.line));
    }

    fn on_death(&mut self, node: &str, status: &str, last_words: &LastWords) {
        if self.phase == Phase::Starting {
            // Then it is why the test fails, which is told with more.
            return;
        }
        let stderr = &last_words.stderr[last_words.stderr.len().saturating_sub(LAST_LINES)..];
        let wrote = if stderr.is_empty() { "it wrote nothing to stderr" } else { "the last it wrote to stderr:\n    " };
        self.say(&format!("{node} died ({status}); {wrote}{}", stderr.join("\n    ")));
    }

    fn is_interrupted(&self) -> bool {
        self.caught.as_ref().is_some_and(Caught::is_raised)
    }

    fn on_message(&mut self, line: &str) {
        self.say(line);
    }
}
