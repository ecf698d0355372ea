//! Engines and the network between them: a queue of events, each at its time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gossip_gloomers::engine::StateMachine as _;
use gossip_gloomers::gossip::Settings;
use gossip_gloomers::time::Time;

use crate::bare_node::{BareNode, EPOCH, init};
use crate::decode::{self, GossipMessage, Output};
use crate::oracle::Oracle;
use crate::recording_node::{Name, RecordingNode};
use crate::rng::Rng;

/// The maximum difference between the wall clocks of nodes.
const SKEW: Duration = Duration::from_secs(3600);

/// An event of the simulation.
#[derive(Debug)]
enum Event {
    /// A message arrives.
    Arrival(Packet),
    /// The test acts.
    Action(Action),
}

/// An action of a test.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// A client appends an operation at a node, if it is running.
    Append(usize),
    Kill(usize),
    /// Starts a node's next incarnation, with an empty log.
    Start(usize),
    Pause(usize),
    Resume(usize),
    /// From now on these links, from and to, lose all messages.
    Cut(BTreeSet<(usize, usize)>),
    /// Ends all cuts, losses and duplicates, and restarts and resumes all nodes.
    Heal,
}

/// A message in transit.
#[derive(Debug, Clone)]
pub(crate) struct Packet {
    pub(crate) from: usize,
    pub(crate) line: Vec<u8>,
    pub(crate) message: GossipMessage,
}

/// Input of a node.
#[derive(Debug)]
enum Input {
    Packet(Packet),
    Request(i64),
}

/// The request that appends an operation.
pub(crate) fn append(node: usize, operation: i64) -> String {
    let body = format!(r#"{{"type":"append","msg_id":7,"operation":{operation}}}"#);
    format!("{{\"src\":\"c1\",\"dest\":\"n{node}\",\"body\":{body}}}\n")
}

/// One process.
#[derive(Debug)]
struct Process {
    node: BareNode<RecordingNode>,
    started: Time,
    /// The input since it was paused, if it is.
    paused: Option<Vec<Input>>,
}

impl Process {
    fn local(&self, now: Time) -> Time {
        Time::ZERO + now.since(self.started)
    }

    fn due(&self) -> Option<Time> {
        let deadline = self.node.engine.next_deadline().filter(|_| self.paused.is_none())?;
        Some(self.started + deadline.since(Time::ZERO))
    }

    fn recording(&self) -> &RecordingNode {
        self.node.node()
    }
}

/// The properties of the network.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    /// Minimum and maximum latency.
    pub(crate) shortest: Duration,
    pub(crate) longest: Duration,
    /// Probabilities in percent.
    pub(crate) loss: u64,
    pub(crate) duplication: u64,
}

/// A cluster and its network.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) now: Time,
    pub(crate) network: Network,
    pub(crate) oracle: Oracle,
    pub(crate) settings: Settings,
    rng: Rng,
    processes: Vec<Option<Process>>,
    skew: Vec<Duration>,
    events: BTreeMap<(Time, u64), Event>,
    sequence: u64,
    cut: BTreeSet<(usize, usize)>,
    /// The node that each node follows, according to its messages.
    follows: Vec<Option<usize>>,
    buffer: Vec<u8>,
    /// All messages delivered, if they are to be kept.
    pub(crate) arrived: Option<Vec<Packet>>,
}

impl Cluster {
    /// A cluster that starts now.
    pub(crate) fn new(nodes: usize, network: Network, settings: Settings, mut rng: Rng) -> Self {
        let skew = (0..nodes).map(|_| rng.up_to(SKEW)).collect();
        let mut cluster = Self {
            now: Time::from_millis(1),
            network,
            oracle: Oracle::new(nodes),
            settings,
            rng,
            processes: (0..nodes).map(|_| None).collect(),
            skew,
            events: BTreeMap::new(),
            sequence: 0,
            cut: BTreeSet::new(),
            follows: vec![None; nodes],
            buffer: Vec::new(),
            arrived: None,
        };
        for node in 0..nodes {
            cluster.start(node);
        }
        cluster
    }

    pub(crate) fn recording(&self, node: usize) -> Option<&RecordingNode> {
        self.processes[node].as_ref().map(Process::recording)
    }

    /// The node that a node follows, according to its last message; itself if it is a hub.
    pub(crate) fn follows(&self, node: usize) -> Option<usize> {
        self.follows[node]
    }

    pub(crate) fn living(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.processes.len()).filter(|node| self.processes[*node].is_some())
    }

    /// Appends an operation at a node, which must be running; returns its name.
    pub(crate) fn append(&mut self, node: usize) -> Name {
        self.plan(Duration::ZERO, Action::Append(node));
        self.pass(Duration::from_micros(1));
        let entries = self.recording(node).expect("it is running").entries();
        *entries.keys().rfind(|name| name.0 as usize == node).expect("it was appended")
    }

    /// Whether a node is running and holds an operation.
    pub(crate) fn holds(&self, node: usize, name: Name) -> bool {
        self.recording(node).is_some_and(|recording| recording.entries().contains_key(&name))
    }

    /// Plans an action, some time from now.
    pub(crate) fn plan(&mut self, after: Duration, action: Action) {
        self.push(self.now + after, Event::Action(action));
    }

    fn push(&mut self, at: Time, event: Event) {
        self.sequence += 1;
        self.events.insert((at, self.sequence), event);
    }

    /// Advances the time.
    pub(crate) fn pass(&mut self, duration: Duration) {
        self.pass_until(duration, |_| false);
    }

    /// Advances the time until the condition holds, at most by `duration`; returns whether it holds.
    pub(crate) fn pass_until(&mut self, duration: Duration, condition: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + duration;
        loop {
            if condition(self) {
                return true;
            }
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let due = |(node, process): (usize, &Option<Process>)| Some((process.as_ref()?.due()?, node));
            let timer = self.processes.iter().enumerate().filter_map(due).min();
            let next = [event, timer.map(|(at, _)| at)].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.now = end;
                return condition(self);
            };
            self.now = self.now.max(next);
            if event == Some(next) {
                let (_, event) = self.events.pop_first().expect("there is one");
                self.on_event(event);
            } else if let Some((_, node)) = timer {
                let now = self.now;
                let process = self.processes[node].as_mut().expect("it has a timer");
                process.node.engine.on_deadline(process.local(now));
                self.collect(node);
            }
        }
    }

    /// Whether a message with operations is in transit to a running node.
    pub(crate) fn has_operations_in_transit(&self) -> bool {
        self.events.values().any(|event| match event {
            Event::Arrival(packet) => packet.message.carried() > 0 && self.processes[packet.message.to].is_some(),
            Event::Action(_) => false,
        })
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Arrival(packet) => self.on_input(packet.message.to, Input::Packet(packet)),
            Event::Action(action) => self.on_action(action),
        }
    }

    fn on_action(&mut self, action: Action) {
        match action {
            Action::Append(node) => {
                let operation = i64::try_from(self.sequence).expect("few events");
                self.sequence += 1;
                self.on_input(node, Input::Request(operation));
            }
            Action::Kill(node) => {
                if self.processes[node].take().is_some() {
                    self.oracle.on_kill(node);
                }
            }
            Action::Start(node) => self.start(node),
            Action::Pause(node) => {
                if let Some(process) = &mut self.processes[node] {
                    process.paused.get_or_insert_default();
                }
            }
            Action::Resume(node) => self.resume(node),
            Action::Cut(links) => self.cut = links,
            Action::Heal => {
                self.cut.clear();
                (self.network.loss, self.network.duplication) = (0, 0);
                for node in 0..self.processes.len() {
                    self.start(node);
                    self.resume(node);
                }
            }
        }
    }

    fn resume(&mut self, node: usize) {
        let Some(process) = &mut self.processes[node] else { return };
        if let Some(inputs) = process.paused.take()
            && !inputs.is_empty()
        {
            self.deliver(node, &inputs);
        }
    }

    /// Starts the node's next incarnation, unless it is running.
    fn start(&mut self, node: usize) {
        if self.processes[node].is_some() {
            return;
        }
        let wall = Time::ZERO + self.skew[node];
        let incarnation = EPOCH + (wall.as_nanos() + self.now.as_nanos()) / 1000;
        let bare_node = BareNode::incarnation(incarnation, self.rng.below(u64::MAX), self.settings);
        self.processes[node] = Some(Process { node: bare_node, started: self.now, paused: None });
        self.oracle.on_start(node, incarnation);
        self.buffer.clear();
        self.buffer.extend_from_slice(init(node, self.processes.len()).as_bytes());
        self.feed(node);
    }

    fn on_input(&mut self, node: usize, input: Input) {
        let Some(process) = &mut self.processes[node] else { return };
        match &mut process.paused {
            Some(waiting) => waiting.push(input),
            None => self.deliver(node, &[input]),
        }
    }

    /// Delivers all inputs as one batch.
    fn deliver(&mut self, node: usize, inputs: &[Input]) {
        self.buffer.clear();
        for input in inputs {
            match input {
                Input::Packet(packet) => {
                    self.buffer.extend_from_slice(&packet.line);
                    self.oracle.on_arrival(packet.from, &packet.message);
                    if let Some(arrived) = &mut self.arrived {
                        arrived.push(packet.clone());
                    }
                }
                Input::Request(operation) => {
                    self.buffer.extend_from_slice(append(node, *operation).as_bytes());
                    self.oracle.on_append(node, *operation);
                }
            }
        }
        self.feed(node);
        let recording = self.processes[node].as_ref().expect("it is running").recording();
        self.oracle.check(node, recording, false);
    }

    fn feed(&mut self, node: usize) {
        let process = self.processes[node].as_mut().expect("it is running");
        process.node.now = process.local(self.now);
        process.node.feed(&self.buffer);
        self.collect(node);
    }

    /// Sends the output of a node over the network.
    fn collect(&mut self, node: usize) {
        let process = self.processes[node].as_mut().expect("it is running");
        let output = std::mem::take(process.node.output());
        let counters = process.node.engine.counters();
        assert_eq!((counters.unreadable, counters.rejected), (0, 0), "n{node} accepts every message");
        for line in output.split_inclusive(|byte| *byte == b'\n') {
            match decode::read(&line[..line.len() - 1]) {
                Output::ToClient { kind } => assert!(["init_ok", "append_ok"].contains(&kind.as_str()), "{kind}"),
                Output::ToReplica(message) => {
                    self.oracle.on_send(node, &message);
                    self.follows[node] = message.follows.or(self.follows[node]);
                    self.carry(&Packet { from: node, line: line.to_vec(), message });
                }
            }
        }
    }

    fn carry(&mut self, packet: &Packet) {
        let Network { shortest, longest, loss, duplication } = self.network;
        if self.cut.contains(&(packet.from, packet.message.to)) || self.rng.percent(loss) {
            return;
        }
        let copies = 1 + usize::from(self.rng.percent(duplication));
        for _ in 0..copies {
            let at = self.now + shortest + self.rng.up_to(longest.saturating_sub(shortest));
            self.push(at, Event::Arrival(packet.clone()));
        }
    }
}
