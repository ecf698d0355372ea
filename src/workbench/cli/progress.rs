//! What a test shows while it runs: a bar where stderr is a terminal, a line now and then where it is not. In virtual
//! time, which may pass faster or slower than it seems, it shows something only when the test takes a while.

#![expect(clippy::disallowed_methods, reason = "people wait in real time, whatever time the test has")]

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use crate::time::Duration;
use crate::workbench::cli::options::Options;
use crate::workbench::cluster::OutputTail;
use crate::workbench::cluster::processes::Caught;
use crate::workbench::edn::Value;
use crate::workbench::history::{Op, OpKind, Process};
use crate::workbench::nemesis::Turn;
use crate::workbench::network::Muted;
use crate::workbench::test::{Phase, Watch};

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
    /// Whether messages sent, and messages received, are shown.
    messages: (bool, bool),
    phase: Phase,
    invoked: u64,
    faults: u64,
    /// The faults that are on.
    active: Vec<&'static str>,
    pace: Pace,
    caught: Option<Caught<'a>>,
}

/// When the display next changes.
#[derive(Debug)]
enum Pace {
    /// At this time of a test in real time.
    At(i64),
    /// At this instant, whatever the time of the test.
    When(Instant),
}

impl<'a> Progress<'a> {
    /// Progress of a test. A bar is shown only if nothing else is going to write to stderr meanwhile.
    pub fn new(options: &Options) -> Self {
        let &Options { quiet, log_stderr, log_net_send, log_net_recv, .. } = options;
        let others_write = log_net_send || log_net_recv || log_stderr && !options.config.virtual_time;
        let bar = (!quiet && !others_write && io::stderr().is_terminal()).then(|| {
            let target = ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND);
            let bar = ProgressBar::with_draw_target(Some(options.config.time_limit.as_secs()), target)
                .with_finish(ProgressFinish::AndClear);
            ProgressStyle::with_template("{bar:30} {pos:>3}/{len} s  {msg}").map(|style| bar.set_style(style)).ok();
            bar
        });
        let phase = Phase::Starting;
        Self {
            bar,
            quiet,
            messages: (log_net_send, log_net_recv),
            phase,
            invoked: 0,
            faults: 0,
            active: Vec::new(),
            pace: Pace::At(0),
            caught: None,
        }
    }

    /// Ends the test when a signal is caught, where the cluster does not.
    #[must_use]
    pub fn until(mut self, caught: Caught<'a>) -> Self {
        self.caught = Some(caught);
        self
    }

    /// The same for a test in virtual time: silent, until it has taken some seconds.
    #[must_use]
    pub fn in_virtual_time(self) -> Self {
        Self { pace: Pace::When(Instant::now() + LINE_STEP), ..self }
    }

    /// Whether the display changes at this time of the test, and shows something then.
    fn is_due(&mut self, time_ns: i64) -> bool {
        let step = if self.bar.is_some() { BAR_STEP } else { LINE_STEP };
        match &mut self.pace {
            Pace::At(next) if time_ns < *next => false,
            Pace::At(next) => {
                let first = *next == 0;
                *next = time_ns + i64::try_from(step.as_nanos()).unwrap_or(i64::MAX);
                self.bar.is_some() || !first
            }
            Pace::When(next) => {
                let now = Instant::now();
                let due = now >= *next;
                if due {
                    *next = now + step;
                }
                due
            }
        }
    }

    fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| writeln!(io::stderr(), "{line}").ok()),
            None => writeln!(io::stderr(), "{line}").ok(),
        };
    }

    fn on_fault(&mut self, op: &Op) {
        let Some(turn) = Turn::of(&op.f) else { return };
        let (fault, begins) = (turn.fault().name(), matches!(turn, Turn::Begins(_)));
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
            // It may be over at once.
            Some(_) | None if matches!(self.pace, Pace::When(_)) => {}
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
        } else if op.kind == OpKind::Invoke {
            self.invoked += 1;
        }
        if self.quiet || self.phase != Phase::Main || !self.is_due(op.time) {
            return;
        }
        let seconds = u64::try_from(op.time / 1_000_000_000).unwrap_or_default();
        match &self.bar {
            Some(bar) => {
                bar.set_message(self.state(op.time));
                bar.set_position(seconds);
            }
            None => self.say(&format!("{seconds:>4} s  {}", self.state(op.time))),
        }
    }

    fn on_muted(&mut self, muted: &Muted) {
        self.say(&format!("{} is not listened to any more: it printed {}: {}", muted.node, muted.reason, muted.line));
    }

    fn on_death(&mut self, node: &str, status: &str, output_tail: &OutputTail) {
        if self.phase == Phase::Starting {
            // Then it is why the test fails, which is told with more.
            return;
        }
        let stderr = &output_tail.stderr[output_tail.stderr.len().saturating_sub(LAST_LINES)..];
        let wrote = if stderr.is_empty() { "it wrote nothing to stderr" } else { "the last it wrote to stderr:\n    " };
        self.say(&format!("{node} died ({status}); {wrote}{}", stderr.join("\n    ")));
    }

    fn is_interrupted(&self) -> bool {
        self.caught.as_ref().is_some_and(Caught::is_raised)
    }

    fn follows_messages(&self) -> (bool, bool) {
        self.messages
    }

    fn on_message(&mut self, line: &str) {
        self.say(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::nemesis::Fault;

    fn options(line: &str) -> Options {
        Options::parse(line.split(' ').map(Into::into)).expect("a good command line")
    }

    #[test]
    fn real_tests_show_progress_by_their_time_and_virtual_ones_by_that_of_people() {
        let progress = || Progress::new(&options("-w echo --log-stderr"));
        let mut real = progress();
        let seconds = [0, 1, 5, 6, 10, 11];
        let due: Vec<_> = seconds.into_iter().filter(|second| real.is_due(second * 1_000_000_000 + 1)).collect();
        assert_eq!(due, [5, 10]);
        let mut fast = progress().in_virtual_time();
        assert!((0..1_000).all(|second| !fast.is_due(second * 1_000_000_000)));
        fast.pace = Pace::When(Instant::now());
        assert!(fast.is_due(1) && !fast.is_due(1_000_000_000_000));
    }

    #[test]
    fn every_fault_is_counted_when_it_begins_and_forgotten_when_it_ends() {
        let mut progress = Progress::new(&options("-w echo --quiet"));
        let mut tell = |f: &'static str, value: Value| {
            let (kind, process) = (OpKind::Info, Process::Nemesis);
            let op = Op { index: 0, time: 0, kind, process, f: f.into(), value, error: None, extra: Vec::new() };
            progress.on_op(&op);
            (progress.faults, progress.active.clone())
        };
        for (count, fault) in (1_u64..).zip(Fault::ALL) {
            let (begins, ends) = fault.operations();
            assert_eq!(tell(begins, Value::keyword("all")), (count, vec![fault.name()]));
            assert_eq!(tell(begins, Value::Map(Vec::new())), (count, vec![fault.name()]));
            assert_eq!(tell(ends, Value::keyword("all")), (count, Vec::new()));
        }
    }
}
