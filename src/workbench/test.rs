//! One test from start to end (protocol §5), over any [`Cluster`].
//!
//! Single-threaded, without a clock of its own: the seed and the behaviour of the nodes decide everything.

mod config;
mod convergence;
mod faults;
mod lateness;
mod operation_errors;
mod router;
mod staleness;
mod stepping;
mod throughput;
mod workers;

use chacha20::ChaCha8Rng;

use crate::time::Duration;
use crate::workbench::cluster::{Cluster, Halt, OutputTail, Status};
use crate::workbench::generator::{MainPhase, Step};
use crate::workbench::history::{History, Op};
use crate::workbench::nemesis::{Fault, Nemesis};
use crate::workbench::network::jitter::{Delays, stream};
use crate::workbench::network::{Counts, Delivery, Journal, Muted, Network, Unread};
use crate::workbench::services::Services;
use crate::workbench::workload::client::{ClientReply, Request, Schema, TimeoutHints};
use crate::workbench::workload::{FinalStep, Workload};
use faults::Restart;
use router::Router;
use stepping::Stepping;
use workers::{Recorder, Workers};

pub use config::{MAX_NODES, Problem, TestConfig, requirement};
pub use convergence::{Convergence, Difference};
pub use lateness::Lateness;
pub use operation_errors::{OperationError, OperationErrors};
pub use staleness::StaleReader;
pub use stepping::{Moment, Resume};
pub use throughput::Throughput;

/// The pause between the last heal and the final operations.
const RECOVERY: Duration = Duration::from_secs(10);
/// How often to look for nodes that have died before they answered `init`.
const STATUS_INTERVAL: Duration = Duration::from_millis(100);
/// How soon to ask the workload again when no free thread may perform any operation.
const ASK_AGAIN: Duration = Duration::from_millis(1);

/// The answer to `init`.
const INIT_OK: Schema = Schema { kind: "init_ok", fields: &[] };

/// A phase of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Nodes start and answer `init`.
    Starting,
    /// Clients send what the workload needs first.
    SettingUp,
    /// Operations until the time limit, and the completion of outstanding ones.
    Main,
    /// Faults are healed, and clients are idle.
    Recovering,
    /// Final operations.
    Final,
    /// Nodes are killed.
    Ending,
}

/// An observer of a test.
pub trait Watch {
    /// The test enters a phase.
    fn on_phase(&mut self, _phase: Phase) {}
    /// A line was added to the history.
    fn on_op(&mut self, _op: &Op) {}
    /// A node printed a line that mutes it.
    fn on_muted(&mut self, _muted: &Muted) {}
    /// A node ended by itself.
    fn on_death(&mut self, _node: &str, _status: &str, _last_words: &OutputTail) {}
    /// When the test stops first, to ask how to go on.
    fn first_stop(&self) -> Option<Duration> {
        None
    }
    /// The test has stopped; it asks until it may go on.
    fn on_stop(&mut self, _moment: &Moment) -> Resume {
        Resume::Until(None)
    }
    /// A request of the scenario or of the prompt has been answered.
    fn on_answer(&mut self, _node: &str, _answer: &str) {}
    /// Whether the test is to end now.
    fn is_interrupted(&self) -> bool {
        false
    }
    /// Whether [`Watch::on_message`] is called for messages when they are sent, and when they are received.
    fn follows_messages(&self) -> (bool, bool) {
        (false, false)
    }
    /// A message was sent or received.
    fn on_message(&mut self, _line: &str) {}
}

/// An observer that does nothing.
#[derive(Debug, Default)]
pub struct Unwatched;

impl Watch for Unwatched {}

/// A node that died before the test was over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crash {
    /// Its id.
    pub node: String,
    /// How it ended.
    pub status: String,
    /// When that was noticed, in the time of the history.
    pub after: Duration,
    /// What it wrote last.
    pub output_tail: OutputTail,
}

/// A test that ran, to its end or until it was cut short.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Outcome {
    /// What cut it short after its first operation; faults may be active and the final operations missing.
    pub cut_short: Option<TestError>,
    /// The operations of clients and nemesis.
    pub history: History,
    /// Message counts.
    pub counts: Counts,
    /// Nodes found dead at the end: if any, there is a history but no verdict, and the status is 255.
    pub crashes: Vec<Crash>,
    /// The messages, up to the journal's bounds.
    pub journal: Journal,
    /// What else was recorded.
    pub extended: Extended,
}

/// What a test records beyond Maelstrom's results; `:gloomers` in the results.
#[derive(Debug, Clone, Default)]
pub struct Extended {
    /// The seed of every random choice.
    pub seed: u64,
    /// Whether time was virtual.
    pub virtual_time: bool,
    /// How messages reached nodes.
    pub delivery: Delivery,
    /// How many of the requested operations the main phase began.
    pub throughput: Throughput,
    /// How late the workbench delivered messages, which is due to the machine and not to the nodes.
    pub lateness: Lateness,
    /// Nodes whose output was ignored from a malformed line on.
    pub muted: Vec<Muted>,
    /// Nodes that printed more after a message on the same line, which was ignored.
    pub unread: Vec<Unread>,
    /// Errors of operations, by operation and reason.
    pub errors: OperationErrors,
    /// Nodes whose last read of seq-kv returned an old state.
    pub outdated: Vec<StaleReader>,
    /// Whether all replicas were equal at the end; `None` if they were not compared.
    pub convergence: Option<Convergence>,
    /// Why the test ended early.
    pub cut_short: Option<String>,
    /// Further notes for people, a line each.
    pub remarks: Vec<String>,
}

/// Why a test did not run to its end; the status is 255.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestError {
    /// A node could not be started.
    #[error("{node} cannot be started: {source}")]
    Start {
        /// Its id.
        node: String,
        /// Why.
        source: std::io::Error,
    },
    /// A node did not answer `init` or the set-up request.
    #[error("{node} {what}")]
    Unready {
        /// Its id.
        node: String,
        /// What it did instead.
        what: String,
        /// What it wrote last.
        output_tail: OutputTail,
    },
    /// It cannot be run like this.
    #[error("{0}")]
    InvalidConfig(String),
    /// The test was stopped.
    #[error(transparent)]
    Halt(#[from] Halt),
}

/// Runs one test to its end. Starts the nodes; after a failure, the owner of the cluster ends those that still run.
pub fn run<C: Cluster>(config: &TestConfig, cluster: &mut C, watch: &mut dyn Watch) -> Result<Outcome, TestError> {
    let mut outcome = run_as_far_as_possible(config, cluster, watch)?;
    outcome.cut_short.take().map_or(Ok(outcome), Err)
}

/// As [`run`], but a test that is cut short after its first operation has an outcome, too.
pub fn run_as_far_as_possible<C: Cluster>(
    config: &TestConfig,
    cluster: &mut C,
    watch: &mut dyn Watch,
) -> Result<Outcome, TestError> {
    let mut workload = config.workload.begin(&config.workload_options());
    workload.fits(config.nodes.len(), config.concurrency).map_err(TestError::InvalidConfig)?;
    let mut network = Network::new(config.conditions(), stream(config.seed, 0));
    let delays = |number| Delays::new(config.jitter, config.seed, number);
    network.delay(delays(4));
    cluster.delay(delays(5));
    let (sent, received) = watch.follows_messages();
    network.log(sent, received);
    let services = Services::new(stream(config.seed, 3));
    let router = Router::new(network, services, &config.nodes, cluster, watch);
    let workers = Workers::new(config.concurrency);
    let nemesis = Nemesis::new(&config.nemesis);
    let (rng, nemesis_rng) = (stream(config.seed, 1), stream(config.seed, 2));
    let recorder = Recorder::default();
    let throughput = Throughput::asked(config.rate, config.time_limit, config.concurrency);
    let restart = Restart::default();
    let stepping = Stepping::new(config.scenario.clone(), router.watch.first_stop());
    let mut test =
        Test { config, workload, router, recorder, workers, nemesis, restart, stepping, throughput, rng, nemesis_rng };
    test.start()?;
    test.set_up()?;
    let mut cut_short = test.main().and_then(|()| test.finish()).err();
    if let Some(failure) = cut_short.take_if(|_| test.recorder.history.ops().is_empty()) {
        return Err(failure);
    }
    let mut outcome = test.close(cut_short);
    if config.virtual_time && outcome.crashes.is_empty() && outcome.cut_short.is_none() {
        outcome.extended.convergence = test.compare(outcome.history.ops());
    }
    for node in 0..config.nodes.len() {
        cluster.kill(node);
    }
    Ok(outcome)
}

struct Test<'a, C: Cluster> {
    config: &'a TestConfig,
    workload: Box<dyn Workload>,
    router: Router<'a, C>,
    recorder: Recorder,
    workers: Workers,
    nemesis: Nemesis,
    restart: Restart,
    stepping: Stepping,
    throughput: Throughput,
    rng: ChaCha8Rng,
    nemesis_rng: ChaCha8Rng,
}

impl<C: Cluster> Test<'_, C> {
    /// Starts all nodes and waits until each has answered `init`; then the clock of the history starts.
    fn start(&mut self) -> Result<(), TestError> {
        self.router.watch.on_phase(Phase::Starting);
        for node in 0..self.config.nodes.len() {
            self.launch(node)?;
            self.router.deliver_due();
        }
        let mut ready = vec![false; self.config.nodes.len()];
        while ready.contains(&false) {
            let next_look = self.router.cluster.now() + STATUS_INTERVAL;
            self.router.turn(Some(next_look))?;
            while let Some((node, client, answer)) = self.router.next_answer() {
                self.router.close_client(client);
                if let Some(what) = self.init_fault(node, answer) {
                    return Err(self.unready(node, what));
                }
                ready[node] = true;
            }
            self.refuse_muted("init", &ready)?;
            let missing = ready.iter().enumerate().filter(|(_, ready)| !**ready).map(|(node, _)| node);
            for node in missing {
                if let Status::Dead(status) = self.router.cluster.status(node) {
                    let stray = self.router.stray(node).map(|stray| format!("; {stray}")).unwrap_or_default();
                    return Err(self.unready(node, format!("ended ({status}) before it answered init{stray}")));
                }
            }
        }
        self.recorder.zero = self.router.cluster.now();
        Ok(())
    }

    /// Starts a node and sends `init` from a new client; returns the client.
    fn launch(&mut self, node: usize) -> Result<usize, TestError> {
        let quote = |name: &String| serde_json::Value::from(name.as_str()).to_string();
        let name = &self.config.nodes[node];
        self.router.cluster.start(node).map_err(|source| TestError::Start { node: name.clone(), source })?;
        let (id, ids) = (quote(name), self.config.nodes.iter().map(quote).collect::<Vec<_>>().join(","));
        let body = format!("{{\"type\":\"init\",\"node_id\":{id},\"node_ids\":[{ids}]}}");
        let client = self.router.open_client(node, node);
        self.router.ask(client, &Request { body, reply: INIT_OK, timeout: self.config.init_timeout });
        Ok(client)
    }

    /// Opens one more client for each node, which sends the workload's set-up request.
    fn set_up(&mut self) -> Result<(), TestError> {
        self.router.watch.on_phase(Phase::SettingUp);
        let clients: Vec<usize> =
            (0..self.config.nodes.len()).map(|node| self.router.open_client(node, node)).collect();
        let Some(request) = self.workload.set_up(&self.config.nodes) else { return Ok(()) };
        for &client in &clients {
            self.router.ask(client, &request);
        }
        let asked = request.reply.kind.trim_end_matches("_ok");
        let mut ready = vec![false; clients.len()];
        while ready.contains(&false) {
            self.router.turn(None)?;
            while let Some((node, _, answer)) = self.router.next_answer() {
                if let Err(reason) = answer.in_shape(|members| request.reply.fault(members)) {
                    return Err(self.unready(node, reason.of_request(asked)));
                }
                ready[node] = true;
            }
            self.refuse_muted(asked, &ready)?;
        }
        Ok(())
    }

    /// Fails if a node that has not answered is muted, since it never will.
    fn refuse_muted(&mut self, asked: &str, ready: &[bool]) -> Result<(), TestError> {
        let mut missing = ready.iter().enumerate().filter(|(_, ready)| !**ready).map(|(node, _)| node);
        let muted = missing.find_map(|node| Some((node, self.router.network.muted_now(node)?.in_words())));
        let Some((node, why)) = muted else { return Ok(()) };
        Err(self.unready(node, format!("can never answer {asked}: {why}")))
    }

    /// What is wrong with the reply to `init`, as a predicate that follows the node's name; only its type matters
    /// (protocol §1.6).
    fn init_fault(&self, node: usize, answer: ClientReply) -> Option<String> {
        let says_nothing = |silence: &TimeoutHints| silence.stray.is_none() && silence.unfinished.is_none();
        let is_silent = matches!(&answer, ClientReply::TimedOut(silence) if says_nothing(silence));
        let reason = answer.in_shape(|members| INIT_OK.wrong_type(members)).err()?;
        let printed = !self.router.cluster.output_tail(node).stdout.is_empty();
        let hint = match (is_silent, printed) {
            (true, false) => {
                "; it has printed nothing: is stdout flushed? If it only needs longer, say --init-timeout SECONDS"
            }
            (true, true) => "; if it only needs longer, say --init-timeout SECONDS",
            (false, _) => "",
        };
        let held_up = self.router.cluster.held_up(node).map(|what| format!("; {what}"));
        Some(reason.of_request("init") + held_up.as_deref().unwrap_or(hint))
    }

    fn main(&mut self) -> Result<(), TestError> {
        self.router.watch.on_phase(Phase::Main);
        let nemesis = (self.nemesis.streams(), self.config.nemesis_interval);
        let mut phase = MainPhase::new(self.config.rate, nemesis, self.config.time_limit, self.router.cluster.now());
        loop {
            self.handle_replies()?;
            let now = self.router.cluster.now();
            self.throughput.lasted = phase.began().map_or(Duration::ZERO, |began| now.since(began));
            let step = phase.next(now, &self.workers.threads, self.restart.is_over(), &mut self.rng);
            match step {
                Step::Client => {
                    let next = self.workload.next(&self.workers.threads, now, &mut self.rng);
                    if let Some((thread, invocation)) = next {
                        self.throughput.on_begin(phase.client_due(), phase.began(), now);
                        phase.dispatched(step, now, &mut self.rng);
                        self.begin(thread, invocation);
                    } else {
                        self.turn(Some(now + ASK_AGAIN))?;
                        self.throughput.on_busy(now, self.router.cluster.now());
                    }
                }
                Step::Nemesis(stream) => {
                    phase.dispatched(step, now, &mut self.nemesis_rng);
                    let action = self.nemesis.next_action(stream, self.config.nodes.len(), &mut self.nemesis_rng);
                    self.inject(action)?;
                    self.workers.threads.advance();
                }
                Step::Wait(until) => {
                    let due = phase.client_due().filter(|_| !self.workers.threads.any_free());
                    self.turn(until)?;
                    if let Some(due) = due {
                        self.throughput.on_busy(due.max(now), self.router.cluster.now());
                    }
                }
                Step::Over => match self.stepping.due() {
                    Some(due) => self.turn(Some(self.recorder.zero + due))?,
                    None => return Ok(()),
                },
            }
        }
    }

    /// Heals all faults, pauses, and performs the final operations.
    fn finish(&mut self) -> Result<(), TestError> {
        if !self.workload.has_final_phase() {
            return Ok(());
        }
        self.router.watch.on_phase(Phase::Recovering);
        self.recover()?;
        self.router.watch.on_phase(Phase::Final);
        let began = self.router.cluster.now();
        loop {
            self.handle_replies()?;
            let elapsed = self.router.cluster.now().since(began);
            match self.workload.next_final(&self.workers.threads, elapsed, &mut self.rng) {
                FinalStep::Begin(thread, invocation) => self.begin(thread, invocation),
                FinalStep::Wait(until) => self.turn(until.map(|until| began + until))?,
                FinalStep::Over => break,
            }
        }
        self.drain()
    }

    /// Heals all faults, and pauses.
    fn recover(&mut self) -> Result<(), TestError> {
        let happened = |fault: &Fault| self.nemesis.has(*fault) || self.stepping.began(*fault);
        let faults: Vec<_> = Fault::ALL.into_iter().filter(happened).collect();
        for fault in faults {
            self.inject(fault.end())?;
            self.drain()?;
        }
        self.router.network.end_random_faults();
        self.rest(RECOVERY)
    }

    /// Runs the network without operations for this long.
    fn rest(&mut self, pause: Duration) -> Result<(), TestError> {
        let rested = self.router.cluster.now() + pause;
        while self.router.cluster.now() < rested {
            self.turn(Some(rested))?;
            // A scenario's request may be answered, or time out, only now.
            self.handle_replies()?;
        }
        Ok(())
    }

    /// Finds dead nodes and closes the history. Nothing that happens afterwards is recorded or counted.
    fn close(&mut self, cut_short: Option<TestError>) -> Outcome {
        self.router.watch.on_phase(Phase::Ending);
        let mut crashes = Vec::new();
        for (node, name) in self.config.nodes.iter().enumerate() {
            if let Status::Dead(status) = self.router.cluster.status(node)
                && !self.router.down[node]
            {
                let output_tail = self.router.cluster.output_tail(node);
                let noticed = self.router.died[node].unwrap_or(self.router.cluster.now());
                let after = noticed.since(self.recorder.zero);
                crashes.push(Crash { node: name.clone(), status, after, output_tail });
            }
        }
        let mut remarks = self.router.cluster.remarks();
        remarks.extend(self.router.network.traces());
        self.router.network.log(false, false);
        self.recorder.closed = true;
        let stale = self.router.services.stale_reads();
        let outdated = stale.map(|(node, read)| StaleReader::of(node, read, self.recorder.zero)).collect();
        let extended = Extended {
            seed: self.config.seed,
            virtual_time: self.config.virtual_time,
            delivery: self.config.delivery,
            throughput: self.throughput.clone(),
            lateness: self.router.lateness.clone(),
            muted: self.router.network.muted().to_vec(),
            unread: self.router.network.unread().to_vec(),
            errors: std::mem::take(&mut self.recorder.errors),
            outdated,
            convergence: None,
            cut_short: cut_short.as_ref().map(ToString::to_string),
            remarks,
        };
        Outcome {
            cut_short,
            history: std::mem::take(&mut self.recorder.history),
            counts: self.router.network.counts(),
            crashes,
            journal: self.router.network.take_journal(self.recorder.zero),
            extended,
        }
    }

    /// Waits for the outstanding operations of clients and nemesis.
    fn drain(&mut self) -> Result<(), TestError> {
        loop {
            self.handle_replies()?;
            if self.workers.threads.all_free() && self.restart.is_over() {
                return Ok(());
            }
            self.turn(None)?;
        }
    }

    fn handle_replies(&mut self) -> Result<(), TestError> {
        while let Some((thread, client, answer)) = self.router.next_answer() {
            if self.stepping.asked(client) {
                self.on_answer(client, thread, answer);
            } else if self.restart.awaits(client) {
                self.on_restarted(client, answer)?;
            } else {
                self.on_reply(thread, answer);
            }
        }
        Ok(())
    }

    fn unready(&mut self, node: usize, mut what: String) -> TestError {
        if let Status::Dead(status) = self.router.cluster.status(node)
            && !what.contains(&status)
        {
            what = format!("{what}; it has died ({status})");
        }
        let output_tail = self.router.cluster.output_tail(node);
        TestError::Unready { node: self.config.nodes[node].clone(), what, output_tail }
    }
}

#[cfg(test)]
mod tests;
