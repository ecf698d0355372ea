//! Stops on the way, and the steps of a scenario: the one place where the time of a test passes.

use super::{Test, TestError};
use crate::time::{Duration, Time};
use crate::workbench::cluster::{Cluster, Halt, Status};
use crate::workbench::nemesis::{Fault, Turn};
use crate::workbench::scenario::{Action, Scenario, ScenarioStep};
use crate::workbench::services::Services;
use crate::workbench::workload::client::{ClientReply, Request, Schema};

/// How long a request of a scenario waits for its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The answer to a request of a scenario may be anything.
const ANYTHING: Schema = Schema { kind: "", fields: &[] };

/// A test that has stopped.
#[derive(Debug)]
pub struct Moment {
    /// The time of the history.
    pub at: Duration,
    /// The state of each node.
    pub states: Vec<String>,
    /// The messages between nodes and services that are under way, by time, and when each arrives.
    pub under_way: Vec<(Duration, String)>,
}

/// How a test goes on after a stop.
#[derive(Debug, Clone, PartialEq)]
pub enum Resume {
    /// It goes on until this time, or to its end.
    Until(Option<Duration>),
    /// It goes on until the next thing happens.
    Step,
    /// It does this, and asks again.
    Do(ScenarioStep),
    /// It ends here.
    End,
}

/// When a test stops next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Never,
    At(Duration),
    /// As soon as something has happened.
    Soon,
}

/// What is left of the scenario, and when the test stops.
#[derive(Debug)]
pub(super) struct Stepping {
    scenario: Scenario,
    /// How many of its steps are done.
    done: usize,
    stop: Stop,
    /// The clients of requests that wait for an answer.
    asking: Vec<usize>,
}

impl Stepping {
    pub(super) fn new(scenario: Scenario, first_stop: Option<Duration>) -> Self {
        Self { scenario, done: 0, stop: first_stop.map_or(Stop::Never, Stop::At), asking: Vec::new() }
    }

    /// When the next step of the scenario is due.
    pub(super) fn due(&self) -> Option<Duration> {
        self.scenario.steps().get(self.done).map(|step| step.at)
    }

    /// Whether a step has begun this fault.
    pub(super) fn began(&self, fault: Fault) -> bool {
        let begins =
            |step: &ScenarioStep| matches!(&step.action, Action::Fault(action) if action.turn == Turn::Begins(fault));
        self.scenario.steps()[..self.done].iter().any(begins)
    }

    pub(super) fn asked(&self, client: usize) -> bool {
        self.asking.contains(&client)
    }
}

impl<C: Cluster> Test<'_, C> {
    /// Goes on until `until` or until something happens. Stops and the steps of the scenario on the way are no such
    /// things: the loop that called this draws the same random numbers with and without them.
    pub(super) fn turn(&mut self, until: Option<Time>) -> Result<(), TestError> {
        loop {
            self.act()?;
            self.stop()?;
            let break_at = self.next_break();
            self.router.turn(until.into_iter().chain(break_at).min())?;
            if self.stepping.stop == Stop::Soon {
                // Between two instants, not among the events of one: what is done here is done there again in a replay.
                let micros = u64::try_from(self.age().as_micros()).unwrap_or(u64::MAX - 1);
                self.stepping.stop = Stop::At(Duration::from_micros(micros + 1));
            }
            let now = self.router.cluster.now();
            let is_break = break_at.is_some_and(|at| at <= now) && until.is_none_or(|until| now < until);
            if !is_break || self.router.has_answers() {
                return Ok(());
            }
        }
    }

    /// When the test stops or the scenario goes on.
    fn next_break(&self) -> Option<Time> {
        let stop = match self.stepping.stop {
            Stop::At(at) => Some(at),
            Stop::Soon | Stop::Never => None,
        };
        // While nodes start again, the nemesis is busy, and the scenario waits.
        let due = self.stepping.due().filter(|_| self.restart.is_over());
        stop.into_iter().chain(due).min().map(|at| self.recorder.zero + at)
    }

    fn age(&self) -> Duration {
        self.router.cluster.now().since(self.recorder.zero)
    }

    /// Does what is due of the scenario.
    fn act(&mut self) -> Result<(), TestError> {
        while self.restart.is_over() && self.stepping.due().is_some_and(|due| due <= self.age()) {
            let ScenarioStep { action, .. } = self.stepping.scenario.steps()[self.stepping.done].clone();
            self.stepping.done += 1;
            match action {
                Action::Fault(action) => self.inject(action)?,
                Action::Send { node, body } => {
                    let client = self.router.open_client(node, node);
                    self.stepping.asking.push(client);
                    self.router.ask(client, &Request { body, reply: ANYTHING, timeout: PATIENCE });
                }
            }
        }
        Ok(())
    }

    /// Asks how to go on, if this is where the test stops.
    fn stop(&mut self) -> Result<(), TestError> {
        loop {
            if !matches!(self.stepping.stop, Stop::At(at) if at <= self.age()) {
                return Ok(());
            }
            let moment = self.moment();
            match self.router.watch.on_stop(&moment) {
                Resume::Until(None) => self.stepping.stop = Stop::Never,
                Resume::Until(Some(at)) => self.stepping.stop = Stop::At(at.max(moment.at + Duration::from_nanos(1))),
                Resume::Step => self.stepping.stop = Stop::Soon,
                Resume::Do(step) => {
                    self.stepping.scenario.add(step);
                    self.act()?;
                }
                Resume::End => return Err(Halt::Stopped.into()),
            }
        }
    }

    fn moment(&mut self) -> Moment {
        let Self { router, recorder, .. } = self;
        let count = router.nodes();
        let state = |node: usize| match router.cluster.status(node) {
            Status::Dead(how) => how,
            Status::Alive => router.cluster.debug(node).unwrap_or_else(|| {
                let tail = router.cluster.output_tail(node);
                tail.stderr.last().or(tail.stdout.last()).cloned().unwrap_or_default()
            }),
        };
        let states: Vec<_> = (0..count).map(state).collect();
        let receivers = 0..count + Services::NAMES.len();
        let waiting = receivers.flat_map(|receiver| router.network.under_way(receiver));
        let mut under_way: Vec<_> =
            waiting.map(|(due, message)| (due.since(recorder.zero), message.in_words())).collect();
        under_way.sort();
        Moment { at: router.cluster.now().since(recorder.zero), states, under_way }
    }

    /// Shows the answer to a request of the scenario. The client stays: a message to one that is gone mutes its sender.
    pub(super) fn on_answer(&mut self, client: usize, node: usize, answer: ClientReply) {
        self.stepping.asking.retain(|asking| *asking != client);
        self.router.watch.on_answer(&self.config.nodes[node], &answer.in_words());
    }
}
