//! A cluster in virtual time within this process: the engines of the real nodes, driven with the same lines.
//!
//! Handling takes no time, except on a slow node; time advances only in [`Cluster::wait`], straight to the next event.
//! A run depends on the seed alone.

pub(super) mod clock;

use std::collections::{BTreeSet, VecDeque};
use std::io;

use chacha20::ChaCha8Rng;
use rand::RngExt as _;

use crate::engine::{Engine, EngineConfig, StateMachine};
use crate::node::Node;
use crate::storage::{MemoryLog, Stored};
use crate::time::{Duration, Time};
use crate::wire::PADDING;
use crate::workbench::cluster::{Cluster, Halt, OutputTail, Skew, Status};
use crate::workbench::network::jitter::{Delays, stream};
use clock::Clock;

/// The wall clock of all nodes at time zero, in microseconds since 1970: the same for every run.
pub(super) const EPOCH_US: u64 = 1_700_000_000_000_000;

/// The stream of the seed for [`SimulatedCluster::kills`].
const KILLS: u64 = 1 << 62;

/// The number of unread bytes at which deliveries to a node are held back, as by the pipe of a process.
const PIPE_CAPACITY: usize = 64 << 10;

/// The start of a node's process.
pub(crate) struct Start {
    /// The node's index.
    pub(crate) node: usize,
    /// The wall clock in microseconds.
    pub(crate) incarnation: u64,
    /// The seed for its random choices.
    pub(crate) seed: u64,
    /// What it had stored; `None` if nodes store nothing.
    pub(crate) stored: Option<Stored>,
}

/// Makes the state machine of a node.
type Factory = Box<dyn Fn(Start) -> Box<dyn StateMachine>>;

/// A cluster of engines.
pub struct SimulatedCluster {
    now: Time,
    factory: Factory,
    seed: u64,
    hosts: Vec<NodeHost>,
    delays: Delays,
    /// Decides in which moment of its life a node with a disk is killed.
    kills: ChaCha8Rng,
    /// The next event of each node that has one.
    wake_ups: BTreeSet<(Time, usize)>,
    /// Nodes with output that has not been passed on, in the order in which they produced it.
    with_output: Vec<usize>,
}

/// The host of a node, which outlives its processes.
struct NodeHost {
    clock: Clock,
    /// How far the wall clock has jumped forward; a process reads it at its start.
    wall_clock_offset: Duration,
    /// The lag with which lines and timers are handled.
    lag: Duration,
    /// The simulated delay of the next wake-up.
    wake_up_delay: Duration,
    /// What survives its processes; `None` if nodes store nothing.
    disk: Option<MemoryLog>,
    process: Option<NodeProcess>,
}

struct NodeProcess {
    machine: Box<dyn StateMachine>,
    /// When the process started, on the node's own clock.
    started: Time,
    /// Its entry in `wake_ups`.
    wake_up: Option<Time>,
    paused: bool,
    /// If it is killed in the middle of its next wake-up: how much of what it then stores gets to the disk.
    dying: Option<f64>,
    /// Unread lines, and when they will be read unless the process is paused.
    pipe: VecDeque<(Time, Vec<u8>)>,
}

impl NodeProcess {
    /// When it next reads a line.
    fn next_read(&self) -> Option<Time> {
        self.pipe.front().map(|(due, _)| *due)
    }

    /// When its timers next fire.
    fn next_timer(&self, clock: &Clock, late: Duration) -> Option<Time> {
        let deadline = self.machine.next_deadline()?;
        Some(clock.when(self.started + deadline.since(Time::ZERO)) + late)
    }
}

impl std::fmt::Debug for SimulatedCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimulatedCluster")
            .field("now", &self.now)
            .field("nodes", &self.hosts.len())
            .finish_non_exhaustive()
    }
}

impl SimulatedCluster {
    /// A cluster of `count` nodes of type `N`, each with these options.
    pub fn of<N>(count: usize, seed: u64, options: &N::Options) -> Self
    where
        N: Node + 'static,
        N::Options: Clone + 'static,
    {
        let options = options.clone();
        Self::with_factory(count, seed, move |_, incarnation, seed| {
            Box::new(Engine::<N>::new(EngineConfig { incarnation, seed, options: options.clone() }))
        })
    }

    /// A cluster of `count` nodes of type `N` with simulated disks, each with these options.
    pub fn durable<N>(count: usize, seed: u64, options: &N::Options) -> Self
    where
        N: Node + 'static,
        N::Options: Clone + 'static,
    {
        let options = options.clone();
        Self::with_disks(count, seed, move |Start { incarnation, seed, stored, .. }| {
            let config = EngineConfig { incarnation, seed, options: options.clone() };
            Box::new(Engine::<N>::durable(config, stored.unwrap_or_default()))
        })
    }

    /// A cluster of `count` nodes. `factory` makes the state machine at each start from the node's index, its
    /// incarnation and the seed for its random choices.
    pub(crate) fn with_factory(
        count: usize,
        seed: u64,
        factory: impl Fn(usize, u64, u64) -> Box<dyn StateMachine> + 'static,
    ) -> Self {
        Self::new(count, seed, None, Box::new(move |start| factory(start.node, start.incarnation, start.seed)))
    }

    /// A cluster of `count` nodes with simulated disks.
    pub(crate) fn with_disks(
        count: usize,
        seed: u64,
        factory: impl Fn(Start) -> Box<dyn StateMachine> + 'static,
    ) -> Self {
        Self::new(count, seed, Some(&MemoryLog::default()), Box::new(factory))
    }

    fn new(count: usize, seed: u64, disk: Option<&MemoryLog>, factory: Factory) -> Self {
        let zero = Duration::ZERO;
        let host = || NodeHost {
            clock: Clock::ACCURATE,
            wall_clock_offset: zero,
            lag: zero,
            wake_up_delay: zero,
            disk: disk.cloned(),
            process: None,
        };
        Self {
            now: Time::ZERO,
            factory,
            seed,
            kills: stream(seed, KILLS),
            hosts: (0..count).map(|_| host()).collect(),
            delays: Delays::default(),
            wake_ups: BTreeSet::new(),
            with_output: Vec::new(),
        }
    }

    /// Lets a node read what is due, fires its timers, and schedules its next event.
    fn run_due(&mut self, node: usize) {
        let NodeHost { clock, lag, wake_up_delay, disk, process: Some(process), .. } = &mut self.hosts[node] else {
            return;
        };
        if !process.paused {
            let reads = process.next_read().is_some_and(|due| due <= self.now);
            let fires = process.next_timer(clock, *lag + *wake_up_delay).map(|due| self.delays.node(node, due));
            let fires = fires.is_some_and(|due| due <= self.now);
            let age = Time::ZERO + clock.at(self.now).since(process.started);
            while process.next_read().is_some_and(|due| due <= self.now)
                && let Some((_, mut line)) = process.pipe.pop_front()
            {
                let length = line.len();
                line.resize(length + PADDING, 0);
                process.machine.on_lines(&mut line, length, age);
            }
            if fires || (reads && lag.is_zero()) {
                process.machine.on_deadline(age);
            }
            if fires || reads {
                *wake_up_delay = self.delays.waking();
            }
            if (fires || reads)
                && let Some(share) = process.dying
            {
                if let (Some(disk), Some(batch)) = (disk, process.machine.unsaved()) {
                    disk.tear(batch, share);
                }
                return self.end(node);
            }
            if let (Some(disk), Some(batch)) = (disk, process.machine.unsaved()) {
                disk.commit(batch);
            }
            if !process.machine.output().is_empty() && !self.with_output.contains(&node) {
                self.with_output.push(node);
            }
        }
        self.schedule(node);
    }

    /// Schedules the next event of a node.
    fn schedule(&mut self, node: usize) {
        let NodeHost { clock, lag, wake_up_delay, process: Some(process), .. } = &mut self.hosts[node] else { return };
        let fires = process.next_timer(clock, *lag + *wake_up_delay).map(|due| self.delays.node(node, due));
        let next = [process.next_read(), fires].into_iter().flatten().min();
        let next = next.filter(|_| !process.paused);
        if next == process.wake_up {
            return;
        }
        if let Some(old) = process.wake_up {
            self.wake_ups.remove(&(old, node));
        }
        if let Some(new) = next {
            self.wake_ups.insert((new, node));
        }
        process.wake_up = next;
    }

    /// Ends the process of a node.
    fn end(&mut self, node: usize) {
        if let Some(wake_up) = self.hosts[node].process.take().and_then(|process| process.wake_up) {
            self.wake_ups.remove(&(wake_up, node));
        }
    }

    fn pass_on_output(&mut self, on_line: &mut dyn FnMut(usize, Time, &[u8])) {
        for node in std::mem::take(&mut self.with_output) {
            let Some(process) = &mut self.hosts[node].process else { continue };
            let output = process.machine.output();
            let mut start = 0;
            for end in memchr::memchr_iter(b'\n', output) {
                on_line(node, self.now, &output[start..end]);
                start = end + 1;
            }
            output.clear();
        }
    }
}

impl Cluster for SimulatedCluster {
    fn now(&self) -> Time {
        self.now
    }

    fn start(&mut self, node: usize) -> io::Result<()> {
        self.end(node);
        let host = &mut self.hosts[node];
        let started = host.clock.at(self.now);
        let incarnation = EPOCH_US + (started + host.wall_clock_offset).as_nanos() / 1000;
        let seed = self.seed ^ (node as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.now.as_nanos();
        let stored = host.disk.as_mut().map(MemoryLog::stored);
        let machine = (self.factory)(Start { node, incarnation, seed, stored });
        let pipe = VecDeque::new();
        host.process = Some(NodeProcess { machine, started, wake_up: None, paused: false, dying: None, pipe });
        Ok(())
    }

    fn accepts(&self, node: usize) -> bool {
        let waiting = |process: &NodeProcess| process.pipe.iter().map(|(_, line)| line.len()).sum::<usize>();
        self.hosts[node]
            .process
            .as_ref()
            .is_none_or(|process| process.pipe.is_empty() || waiting(process) < PIPE_CAPACITY)
    }

    fn deliver(&mut self, node: usize, line: &[u8]) {
        let host = &mut self.hosts[node];
        let Some(process) = &mut host.process else { return };
        let mut padded = Vec::with_capacity(line.len() + PADDING);
        padded.extend_from_slice(line);
        let due = match process.pipe.back() {
            None => self.delays.node(node, self.now + host.lag + host.wake_up_delay),
            Some((last, _)) => (*last).max(self.now + host.lag),
        };
        process.pipe.push_back((due, padded));
        self.run_due(node);
    }

    fn wait(&mut self, until: Option<Time>, on_line: &mut dyn FnMut(usize, Time, &[u8])) -> Result<(), Halt> {
        while self.with_output.is_empty() {
            match self.wake_ups.first().copied() {
                Some((due, node)) if until.is_none_or(|until| due <= until) => {
                    self.now = self.now.max(due);
                    self.run_due(node);
                }
                Some(_) | None => {
                    let Some(until) = until else {
                        return Err(Halt::Io(io::Error::other("nothing will ever happen again: every node is idle")));
                    };
                    self.now = self.now.max(until);
                    break;
                }
            }
        }
        self.pass_on_output(on_line);
        Ok(())
    }

    /// A node with a disk is killed at once, or in the middle of its next wake-up: then what it stores is torn, and
    /// what it sends is not sent.
    fn kill(&mut self, node: usize) {
        let NodeHost { disk: Some(_), process: Some(process), .. } = &mut self.hosts[node] else {
            return self.end(node);
        };
        if process.paused || process.dying.is_some() || self.kills.random_bool(0.5) {
            return self.end(node);
        }
        process.dying = Some(self.kills.random());
    }

    fn pause(&mut self, node: usize) {
        if let Some(process) = &mut self.hosts[node].process {
            process.paused = true;
            self.schedule(node);
        }
    }

    fn resume(&mut self, node: usize) {
        let Some(process) = self.hosts[node].process.as_mut().filter(|process| process.paused) else { return };
        process.paused = false;
        // A resumed process reads all waiting input before its timers fire, so that it can detect the pause.
        for (due, _) in &mut process.pipe {
            *due = self.now;
        }
        self.run_due(node);
    }

    fn slow(&mut self, node: usize, lag: Duration) {
        let host = &mut self.hosts[node];
        host.lag = lag;
        // Keep the order of lines.
        for (due, _) in host.process.iter_mut().flat_map(|process| &mut process.pipe) {
            *due = (*due).min(self.now + lag);
        }
        self.schedule(node);
    }

    fn skew(&mut self, node: usize, skew: Skew) {
        let host = &mut self.hosts[node];
        host.clock.run(self.now, skew.faster_ppm);
        host.wall_clock_offset += skew.ahead;
        self.schedule(node);
    }

    fn delay(&mut self, delays: Delays) {
        self.delays = delays;
        for host in &mut self.hosts {
            host.wake_up_delay = self.delays.waking();
        }
    }

    fn status(&mut self, node: usize) -> Status {
        let is_alive = self.hosts[node].process.as_ref().is_some_and(|process| process.dying.is_none());
        if is_alive { Status::Alive } else { Status::Dead("not running".into()) }
    }

    fn debug(&self, node: usize) -> Option<String> {
        Some(self.hosts[node].process.as_ref()?.machine.debug())
    }

    fn output_tail(&self, _: usize) -> OutputTail {
        OutputTail::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::Broadcast;
    use crate::time::Duration;

    const INIT: &[u8] = concat!(
        r#"{"src":"c0","dest":"n0","body":{"type":"init","msg_id":1,"node_id":"n0","node_ids":["n0","n1"]}}"#,
        "\n"
    )
    .as_bytes();

    fn read(client: &str) -> String {
        format!("{{\"src\":\"{client}\",\"dest\":\"n0\",\"body\":{{\"type\":\"read\",\"msg_id\":1}}}}\n")
    }

    fn lines(cluster: &mut SimulatedCluster, until: Time) -> Vec<String> {
        let mut lines = Vec::new();
        while cluster.now() < until {
            cluster
                .wait(Some(until), &mut |_, _, line| lines.push(String::from_utf8_lossy(line).into_owned()))
                .expect("something happens");
        }
        lines
    }

    /// A node that has answered `init` at 1 ms.
    fn started() -> SimulatedCluster {
        let mut cluster = SimulatedCluster::of::<Broadcast>(1, 1, &<Broadcast as Node>::Options::default());
        cluster.start(0).expect("there is a node");
        cluster.deliver(0, INIT);
        assert_eq!(lines(&mut cluster, Time::from_millis(1)).len(), 1);
        cluster
    }

    #[test]
    fn a_paused_node_does_nothing_and_does_not_answer_expired_requests_when_it_is_resumed() {
        let mut cluster = started();
        // A value to gossip, so that a timer is set.
        cluster.deliver(
            0,
            b"{\"src\":\"c1\",\"dest\":\"n0\",\"body\":{\"type\":\"broadcast\",\"message\":1,\"msg_id\":1}}\n",
        );
        lines(&mut cluster, Time::from_millis(500));
        cluster.pause(0);
        cluster.deliver(0, read("c2").as_bytes());
        assert_eq!(lines(&mut cluster, Time::from_millis(20_000)), [""; 0]);
        cluster.resume(0);
        let end = cluster.now() + Duration::from_millis(1);
        assert!(lines(&mut cluster, end).iter().all(|line| !line.contains("read_ok")), "c2 has stopped waiting");
        cluster.deliver(0, read("c3").as_bytes());
        let end = cluster.now() + Duration::from_millis(1);
        assert_eq!(lines(&mut cluster, end).iter().filter(|line| line.contains("read_ok")).count(), 1);
    }

    #[test]
    fn a_slow_node_reads_late_and_in_order_until_it_is_slow_no_more() {
        let mut cluster = started();
        cluster.slow(0, Duration::from_millis(300));
        cluster.deliver(0, read("c2").as_bytes());
        let answers = |lines: &[String]| lines.iter().filter(|line| line.contains("read_ok")).count();
        assert_eq!(answers(&lines(&mut cluster, Time::from_millis(300))), 0);
        assert_eq!(answers(&lines(&mut cluster, Time::from_millis(301))), 1);
        cluster.deliver(0, read("c3").as_bytes());
        cluster.slow(0, Duration::ZERO);
        cluster.deliver(0, read("c4").as_bytes());
        let replies = lines(&mut cluster, Time::from_millis(302));
        let dests: Vec<_> = replies.iter().filter_map(|line| line.split('"').nth(7)).filter(|to| *to != "n1").collect();
        assert_eq!(dests, ["c3", "c4"]);
    }

    #[test]
    fn timers_of_a_slow_node_fire_late_and_those_of_a_fast_clock_early() {
        let chooses_topology_at = |prepare: fn(&mut SimulatedCluster)| {
            let mut cluster = started();
            prepare(&mut cluster);
            // It chooses its topology half a second after its start, and has another timer for its first message to its
            // peer.
            lines(&mut cluster, Time::from_millis(400));
            let mut at = None;
            while at.is_none() {
                let end = cluster.now() + Duration::from_millis(1);
                at = (!lines(&mut cluster, end).is_empty()).then(|| cluster.now().as_nanos() / 1_000_000);
            }
            at.expect("it chooses")
        };
        let true_time = chooses_topology_at(|_| {});
        assert!((500..=502).contains(&true_time), "{true_time}");
        assert!((900..=902).contains(&chooses_topology_at(|cluster| cluster.slow(0, Duration::from_millis(200)))));
        let fast = chooses_topology_at(|cluster| cluster.skew(0, Skew { faster_ppm: 100_000, ahead: Duration::ZERO }));
        assert!((454..=457).contains(&fast), "{fast}");
    }

    #[test]
    fn a_wall_clock_set_forward_is_found_at_the_next_start() {
        let incarnations = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let record = std::rc::Rc::clone(&incarnations);
        let mut cluster = SimulatedCluster::with_factory(1, 1, move |_, incarnation, seed| {
            record.borrow_mut().push(incarnation - EPOCH_US);
            Box::new(Engine::<Broadcast>::new(EngineConfig {
                incarnation,
                seed,
                options: crate::gossip::Settings::default(),
            }))
        });
        cluster.start(0).expect("there is a node");
        cluster.skew(0, Skew { faster_ppm: 0, ahead: Duration::from_secs(3600) });
        lines(&mut cluster, Time::from_millis(1_000));
        cluster.kill(0);
        cluster.start(0).expect("there is a node");
        assert_eq!(*incarnations.borrow(), [0, 3_601_000_000]);
    }

    #[test]
    fn a_restarted_node_has_no_state_of_its_former_incarnation() {
        let mut cluster = SimulatedCluster::of::<Broadcast>(1, 1, &<Broadcast as Node>::Options::default());
        for incarnation in 0..2 {
            cluster.start(0).expect("there is a node");
            assert_eq!(cluster.status(0), Status::Alive);
            cluster.deliver(0, INIT);
            cluster.deliver(0, read("c2").as_bytes());
            let end = cluster.now() + Duration::from_millis(1);
            let mut replies = lines(&mut cluster, end);
            // Its first message to its peer may be anywhere.
            replies.retain(|line| line.contains(r#""dest":"c"#));
            assert!(
                replies.len() == 2 && replies[1].contains(r#""messages":[]"#),
                "incarnation {incarnation}: {replies:?}"
            );
            cluster.kill(0);
            assert!(matches!(cluster.status(0), Status::Dead(_)));
        }
    }
}
