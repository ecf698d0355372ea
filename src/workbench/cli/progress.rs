//! Progress of a test on stderr: a bar on a terminal, else a line every few seconds. A test in virtual time, whose
//! duration is not known in advance, shows progress only after some seconds of real time.

#![expect(clippy::disallowed_methods, reason = "progress is shown in real time, also of a test in virtual time")]

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use crate::time::Duration;
use crate::workbench::cli::options::Options;
use crate::workbench::cli::prompt::Prompt;
use crate::workbench::cluster::OutputTail;
use crate::workbench::cluster::processes::Caught;
use crate::workbench::edn::Value;
use crate::workbench::history::{Op, OpKind, Process};
use crate::workbench::nemesis::Turn;
use crate::workbench::network::Muted;
use crate::workbench::scenario::Scenario;
use crate::workbench::test::{Moment, Phase, Resume, Watch};

/// The interval between updates of the bar, and between lines.
const BAR_STEP: Duration = Duration::from_millis(100);
const LINE_STEP: Duration = Duration::from_secs(5);
/// The maximum number of lines that are shown of the stderr of a crashed node.
const MAX_STDERR_LINES: usize = 8;
/// The maximum rate of writes to the terminal.
const DRAWS_PER_SECOND: u8 = 10;

/// Shows the progress of one test on stderr.
#[derive(Debug)]
pub struct Progress<'a> {
    /// Present if stderr is a terminal to which nothing else writes.
    bar: Option<ProgressBar>,
    quiet: bool,
    /// Whether sent messages, and received ones, are shown.
    messages: (bool, bool),
    phase: Phase,
    invoked: u64,
    faults: u64,
    /// The faults that are active.
    active: Vec<&'static str>,
    next_update: NextUpdate,
    caught: Option<Caught<'a>>,
    /// Where the test stops first, and who is asked then.
    stop: Option<(Duration, Prompt)>,
}

/// When the display next changes.
#[derive(Debug)]
enum NextUpdate {
    /// At this time of the test, in nanoseconds.
    AtTestTime(i64),
    /// At this instant of real time, for a test in virtual time.
    AtInstant(Instant),
}

impl<'a> Progress<'a> {
    /// Progress of a test in real time. There is no bar if anything else writes to stderr during the test.
    pub fn new(options: &Options) -> Self {
        let &Options { quiet, log_stderr, log_net_send, log_net_recv, .. } = options;
        let others_write = log_net_send || log_net_recv || log_stderr && !options.config.virtual_time;
        let bar = (!quiet && !others_write && !options.interactive && io::stderr().is_terminal()).then(|| {
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
            next_update: NextUpdate::AtTestTime(0),
            caught: None,
            stop: options.until.map(|at| (at, Prompt::new(&options.config, options.interactive))),
        }
    }

    /// Interrupts the test when a signal is caught, for clusters that do not.
    pub fn until(mut self, caught: Caught<'a>) -> Self {
        self.caught = Some(caught);
        self
    }

    /// Progress of a test in virtual time, which is silent for the first seconds.
    pub fn in_virtual_time(self) -> Self {
        Self { next_update: NextUpdate::AtInstant(Instant::now() + LINE_STEP), ..self }
    }

    /// The scenario of the test with what was done at the prompt, unless nothing was done.
    pub fn scenario(&self) -> Option<&Scenario> {
        self.stop.as_ref().map(|(_, prompt)| prompt.scenario()).filter(|scenario| !scenario.steps().is_empty())
    }

    /// Whether to show progress at this time of the test; schedules the next update.
    fn is_due(&mut self, time_ns: i64) -> bool {
        let step = if self.bar.is_some() { BAR_STEP } else { LINE_STEP };
        match &mut self.next_update {
            NextUpdate::AtTestTime(next) if time_ns < *next => false,
            NextUpdate::AtTestTime(next) => {
                let first = *next == 0;
                *next = time_ns + i64::try_from(step.as_nanos()).unwrap_or(i64::MAX);
                self.bar.is_some() || !first
            }
            NextUpdate::AtInstant(next) => {
                let now = Instant::now();
                let due = now >= *next;
                if due {
                    *next = now + step;
                }
                due
            }
        }
    }

    fn print(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| writeln!(io::stderr(), "{line}").ok()),
            None => writeln!(io::stderr(), "{line}").ok(),
        };
    }

    fn on_fault(&mut self, op: &Op) {
        let Some(turn) = Turn::of(&op.f) else { return };
        let (fault, begins) = (turn.fault().name(), matches!(turn, Turn::Begins(_)));
        // Each operation is in the history twice: its invocation and its completion, which has the outcome as value.
        let is_completion = matches!(op.value, Value::Vector(_) | Value::Map(_));
        self.faults += u64::from(begins && !is_completion);
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
            // It may finish at once.
            Some(_) | None if matches!(self.next_update, NextUpdate::AtInstant(_)) => {}
            Some(bar) => {
                bar.set_message(name(phase));
                bar.tick();
            }
            None if self.quiet => {}
            None => self.print(name(phase)),
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
            None => self.print(&format!("{seconds:>4} s  {}", self.state(op.time))),
        }
    }

    fn on_muted(&mut self, muted: &Muted) {
        self.print(&format!("{} is not listened to any more: it printed {}: {}", muted.node, muted.reason, muted.line));
    }

    fn on_death(&mut self, node: &str, status: &str, output_tail: &OutputTail) {
        if self.phase == Phase::Starting {
            // It fails the test, whose error has the details.
            return;
        }
        let stderr = &output_tail.stderr[output_tail.stderr.len().saturating_sub(MAX_STDERR_LINES)..];
        let wrote = if stderr.is_empty() { "it wrote nothing to stderr" } else { "the last it wrote to stderr:\n    " };
        self.print(&format!("{node} died ({status}); {wrote}{}", stderr.join("\n    ")));
    }

    fn first_stop(&self) -> Option<Duration> {
        self.stop.as_ref().map(|(at, _)| *at)
    }

    fn on_stop(&mut self, moment: &Moment) -> Resume {
        let Some((_, prompt)) = &mut self.stop else { return Resume::Until(None) };
        prompt.ask(moment, &mut io::stdin().lock(), &mut io::stderr())
    }

    fn on_answer(&mut self, node: &str, answer: &str) {
        self.print(&format!("send to {node}: {answer}"));
    }

    fn is_interrupted(&self) -> bool {
        self.caught.as_ref().is_some_and(Caught::is_raised)
    }

    fn follows_messages(&self) -> (bool, bool) {
        if self.stop.is_some() { (true, true) } else { self.messages }
    }

    fn on_message(&mut self, line: &str) {
        if let Some((_, prompt)) = &mut self.stop {
            prompt.on_message(line);
        } else {
            self.print(line);
        }
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
    fn progress_follows_the_time_of_the_test_or_in_virtual_time_real_time() {
        let progress = || Progress::new(&options("-w echo --log-stderr"));
        let mut real = progress();
        let seconds = [0, 1, 5, 6, 10, 11];
        let due: Vec<_> = seconds.into_iter().filter(|second| real.is_due(second * 1_000_000_000 + 1)).collect();
        assert_eq!(due, [5, 10]);
        let mut fast = progress().in_virtual_time();
        assert!((0..1_000).all(|second| !fast.is_due(second * 1_000_000_000)));
        fast.next_update = NextUpdate::AtInstant(Instant::now());
        assert!(fast.is_due(1) && !fast.is_due(1_000_000_000_000));
    }

    #[test]
    fn every_fault_is_counted_when_it_begins_and_inactive_when_it_ends() {
        let mut progress = Progress::new(&options("-w echo --quiet"));
        let mut record = |f: &'static str, value: Value| {
            let (kind, process) = (OpKind::Info, Process::Nemesis);
            let op = Op { index: 0, time: 0, kind, process, f: f.into(), value, error: None, extra: Vec::new() };
            progress.on_op(&op);
            (progress.faults, progress.active.clone())
        };
        for (count, fault) in (1_u64..).zip(Fault::ALL) {
            let (begins, ends) = fault.operations();
            assert_eq!(record(begins, Value::keyword("all")), (count, vec![fault.name()]));
            assert_eq!(record(begins, Value::Map(Vec::new())), (count, vec![fault.name()]));
            assert_eq!(record(ends, Value::keyword("all")), (count, Vec::new()));
        }
    }
}
