//! Whole tests in virtual time, on nodes that are closures.

mod calibration;

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use serde_json::{Value as Json, json};

use super::*;
use crate::time::Time;
use crate::workbench::edn::Value;
use crate::workbench::history::{OpKind, Process};
use crate::workbench::nemesis::Fault;
use crate::workbench::network::{Delivery, Latency, Shape, Traffic};
use crate::workbench::workload::WorkloadKind;

/// A node: what it prints on a message, or (given null) when its alarm goes off.
type Script = Box<dyn FnMut(&Json) -> Vec<String>>;

/// Nodes that answer within no time, on a clock that jumps.
struct Scripted {
    clock: Rc<Cell<Time>>,
    /// When each node next wants to be woken.
    alarms: Vec<Rc<Cell<Option<Time>>>>,
    nodes: Vec<Script>,
    printed: VecDeque<(usize, String)>,
    dead: Vec<usize>,
    paused: Vec<usize>,
    /// A node that dies as soon as a client asks it anything after `init`.
    frail: Option<usize>,
    /// Until when the first node takes no line.
    full_until: Time,
}

impl Scripted {
    fn new(count: usize, mut script: impl FnMut(usize) -> Script) -> Self {
        let nodes = (0..count).map(&mut script).collect();
        let alarms = (0..count).map(|_| Rc::default()).collect();
        let clock = Rc::new(Cell::new(Time::from_millis(5)));
        Self {
            clock,
            alarms,
            nodes,
            printed: VecDeque::new(),
            dead: Vec::new(),
            paused: Vec::new(),
            frail: None,
            full_until: Time::ZERO,
        }
    }
}

impl Cluster for Scripted {
    fn now(&self) -> Time {
        self.clock.get()
    }

    fn start(&mut self, node: usize) -> io::Result<()> {
        self.dead.retain(|dead| *dead != node);
        self.resume(node);
        Ok(())
    }

    fn accepts(&self, node: usize) -> bool {
        (node != 0 || self.now() >= self.full_until) && !self.paused.contains(&node)
    }

    fn deliver(&mut self, node: usize, line: &[u8]) {
        let message = serde_json::from_slice(line).expect("the network writes JSON");
        assert!(!self.dead.contains(&node) || self.frail == Some(node), "a killed node is left alone");
        if self.frail == Some(node) && kind_of(&message) != "init" {
            return self.dead.push(node);
        }
        self.printed.extend(self.nodes[node](&message).into_iter().map(|line| (node, line)));
    }

    fn wait(&mut self, until: Option<Time>, on_line: &mut dyn FnMut(usize, Time, &[u8])) -> Result<(), Halt> {
        if self.printed.is_empty() {
            let alarms = self.alarms.iter().filter_map(|alarm| alarm.get());
            let emptied = (self.full_until > self.now()).then_some(self.full_until);
            let next = alarms.chain(until).chain(emptied).min().expect("there is a next event");
            self.clock.set(next.max(self.now()));
            for node in 0..self.nodes.len() {
                if self.alarms[node].get().is_some_and(|at| at <= self.now()) {
                    self.alarms[node].set(None);
                    self.printed.extend(self.nodes[node](&Json::Null).into_iter().map(|line| (node, line)));
                }
            }
        }
        for (node, line) in self.printed.drain(..) {
            on_line(node, self.clock.get(), line.as_bytes());
        }
        Ok(())
    }

    fn kill(&mut self, node: usize) {
        self.dead.push(node);
    }

    fn pause(&mut self, node: usize) {
        self.paused.push(node);
    }

    fn resume(&mut self, node: usize) {
        self.paused.retain(|paused| *paused != node);
    }

    fn status(&mut self, node: usize) -> Status {
        if self.dead.contains(&node) { Status::Dead("exit status: 3".into()) } else { Status::Alive }
    }

    fn output_tail(&self, _: usize) -> OutputTail {
        OutputTail::default()
    }
}

fn config(count: usize) -> TestConfig {
    TestConfig {
        nodes: TestConfig::numbered(count),
        concurrency: count,
        rate: 100.0,
        time_limit: Duration::from_secs(8),
        nemesis_interval: Duration::from_secs(2),
        seed: 42,
        ..TestConfig::default()
    }
}

fn reply(request: &Json, mut body: Json) -> String {
    body["in_reply_to"] = request["body"]["msg_id"].clone();
    json!({"src": request["dest"], "dest": request["src"], "body": body}).to_string()
}

fn kind_of(message: &Json) -> &str {
    message["body"]["type"].as_str().unwrap_or("")
}

fn echo(_: usize) -> Script {
    Box::new(|message| {
        vec![match kind_of(message) {
            "init" => reply(message, json!({"type": "init_ok"})),
            _ => reply(message, json!({"type": "echo_ok", "echo": message["body"]["echo"]})),
        }]
    })
}

/// Broadcast straight to everyone, once.
fn broadcast(count: usize) -> impl FnMut(usize) -> Script {
    move |me| {
        let mut seen: Vec<Json> = Vec::new();
        Box::new(move |message| {
            let news = message["body"]["message"].clone();
            match kind_of(message) {
                "init" => vec![reply(message, json!({"type": "init_ok", "more": 1}))],
                "topology" => vec![reply(message, json!({"type": "topology_ok"}))],
                "read" => vec![reply(message, json!({"type": "read_ok", "messages": seen}))],
                "broadcast" => {
                    seen.push(news.clone());
                    let body = json!({"type": "news", "message": news});
                    let tell = |peer| json!({"src": format!("n{me}"), "dest": format!("n{peer}"), "body": body});
                    let peers = (0..count).filter(|peer| *peer != me);
                    let mut lines: Vec<String> = peers.map(|peer| tell(peer).to_string()).collect();
                    lines.push(reply(message, json!({"type": "broadcast_ok"})));
                    lines
                }
                _ => {
                    seen.push(news);
                    Vec::new()
                }
            }
        })
    }
}

fn test(config: &TestConfig, kind: WorkloadKind, cluster: &mut Scripted) -> Result<Outcome, TestError> {
    run(&TestConfig { workload: kind, ..config.clone() }, cluster, &mut Unwatched)
}

fn count(outcome: &Outcome, kind: OpKind) -> usize {
    outcome.history.ops().iter().filter(|op| op.kind == kind && op.process != Process::Nemesis).count()
}

#[test]
fn a_whole_echo_test_passes_in_virtual_time() {
    let outcome = test(&config(3), WorkloadKind::Echo, &mut Scripted::new(3, echo)).expect("it runs");
    let invoked = count(&outcome, OpKind::Invoke);
    assert!((740..870).contains(&invoked), "{invoked}");
    assert_eq!(count(&outcome, OpKind::Ok), invoked);
    let messages = 2 * invoked + 6;
    assert_eq!(outcome.counts.clients, Traffic { send: messages, recv: messages, msg: messages });
    assert_eq!(outcome.counts.servers, Traffic::default());
    assert!(outcome.history.ops().windows(2).all(|pair| pair[0].time <= pair[1].time));
    let Value::Map(body) = &outcome.history.ops()[1].value else { panic!("{:?}", outcome.history.ops()[1]) };
    assert_eq!(body[0], (Value::Keyword("type".into()), Value::Str("echo_ok".into())));
}

#[test]
fn the_same_seed_gives_the_same_history_and_another_another() {
    let history = |seed| {
        let config = TestConfig { seed, nemesis: vec![Fault::Partition], ..config(5) };
        test(&config, WorkloadKind::Broadcast, &mut Scripted::new(5, broadcast(5))).expect("it runs").history
    };
    assert!(history(1) == history(1));
    assert!(history(1) != history(2));
}

#[test]
fn broadcast_sets_up_a_topology_and_reads_once_per_thread_ten_seconds_after_the_end() {
    let mut cluster = Scripted::new(5, broadcast(5));
    let outcome = test(&config(5), WorkloadKind::Broadcast, &mut cluster).expect("it runs");
    let (before, last): (Vec<_>, Vec<_>) = outcome.history.ops().iter().partition(|op| op.extra.is_empty());
    assert_eq!(last.len(), 10);
    assert!(last[0].time - before[before.len() - 1].time >= 10_000_000_000);
    let acknowledged = outcome.history.ops().iter().filter(|op| op.f == "broadcast" && op.kind == OpKind::Ok).count();
    for op in last.iter().filter(|op| op.kind == OpKind::Ok) {
        assert!(matches!(&op.value, Value::Ints(seen) if seen.len() == acknowledged));
    }
    assert_eq!(outcome.counts.servers.msg, 4 * acknowledged);
    assert_eq!(outcome.counts.clients.msg, 20 + 2 * count(&outcome, OpKind::Invoke));
}

#[test]
fn clients_are_delayed_by_held_messages_only_under_held_delivery() {
    let slowest = |delivery| {
        let latency = Latency { shape: Shape::Constant, mean_ms: 100 };
        let config = TestConfig { latency, delivery, ..config(5) };
        let mut cluster = Scripted::new(5, broadcast(5));
        let history = test(&config, WorkloadKind::Broadcast, &mut cluster).expect("it runs").history;
        let mut begun = std::collections::BTreeMap::new();
        let mut slowest = 0;
        for op in history.ops() {
            match op.kind {
                OpKind::Invoke => drop(begun.insert(op.process, op.time)),
                OpKind::Ok | OpKind::Fail | OpKind::Info => slowest = slowest.max(op.time - begun[&op.process]),
            }
        }
        slowest / 1_000_000
    };
    assert!((90..=100).contains(&slowest(Delivery::Held)));
    assert_eq!(slowest(Delivery::Free), 0);
}

#[test]
fn partitions_cut_what_passes_between_nodes_and_end_with_a_heal() {
    let config = TestConfig { nemesis: vec![Fault::Partition], ..config(5) };
    let mut cluster = Scripted::new(5, broadcast(5));
    let outcome = test(&config, WorkloadKind::Broadcast, &mut cluster).expect("it runs");
    assert!(outcome.counts.servers.recv < outcome.counts.servers.send);
    assert_eq!(outcome.counts.clients.recv, outcome.counts.clients.send);
    let acts: Vec<_> = outcome.history.ops().iter().filter(|op| op.process == Process::Nemesis).collect();
    assert_eq!(acts.len() % 2, 0);
    assert!(acts[0].f == "start-partition" && acts[0].time < 20_000_000);
    assert_eq!(acts[acts.len() - 1].value, Value::Keyword("network-healed".into()));
}

#[test]
fn a_late_reply_to_a_replaced_client_mutes_the_node() {
    let script = |_: usize| -> Script {
        let mut asked = Vec::new();
        Box::new(move |message| {
            if kind_of(message) == "init" {
                return vec![reply(message, json!({"type": "init_ok"}))];
            }
            asked.push(message.clone());
            if asked.len() == 2 { vec![reply(&asked[0], json!({"type": "echo_ok", "echo": 1}))] } else { vec![] }
        })
    };
    let outcome = test(&config(1), WorkloadKind::Echo, &mut Scripted::new(1, script)).expect("it runs");
    assert_eq!(outcome.extended.muted.len(), 1);
    assert!(outcome.extended.muted[0].late_reply);
    let infos: Vec<_> = outcome.history.ops().iter().filter(|op| op.kind == OpKind::Info).collect();
    assert_eq!(infos.len(), count(&outcome, OpKind::Invoke));
    assert_eq!(infos[0].error, Some(Value::Keyword("net-timeout".into())));
    assert_eq!((infos[0].process, infos[1].process), (Process::Client(0), Process::Client(1)));
}

#[test]
fn a_reusable_client_goes_on_after_a_time_out() {
    let script = |_: usize| -> Script {
        let mut asked = Vec::new();
        Box::new(move |message| {
            if kind_of(message) == "init" {
                return vec![reply(message, json!({"type": "init_ok"}))];
            }
            asked.push(message["src"].clone());
            assert_eq!(asked[0], message["src"]);
            assert_eq!(message["body"]["msg_id"], json!(asked.len()));
            Vec::new()
        })
    };
    let outcome = test(&config(1), WorkloadKind::UniqueIds, &mut Scripted::new(1, script)).expect("it runs");
    assert_eq!(count(&outcome, OpKind::Info), 2, "five seconds each, and none begins after eight");
}

#[test]
fn silence_garbage_or_an_error_instead_of_init_ok_ends_the_test() {
    for body in [json!({"type": "error", "code": 13}), json!({"type": "hello"}), Json::Null] {
        let script = |_: usize| -> Script {
            let body = body.clone();
            Box::new(move |message| if body.is_null() { vec![] } else { vec![reply(message, body.clone())] })
        };
        let mut cluster = Scripted::new(2, script);
        let failure = test(&config(2), WorkloadKind::Echo, &mut cluster).expect_err("not initialised");
        assert!(matches!(failure, TestError::Unready { node, .. } if node == "n0"));
    }
}

#[test]
fn a_node_found_dead_at_the_end_is_a_crash_with_a_history() {
    let config = TestConfig { time_limit: Duration::from_secs(1), ..config(2) };
    let mut cluster = Scripted::new(2, echo);
    cluster.frail = Some(1);
    let outcome = test(&config, WorkloadKind::Echo, &mut cluster);
    assert!(outcome.is_ok_and(|outcome| outcome.crashes.len() == 1 && !outcome.history.ops().is_empty()));
}

#[test]
fn a_node_that_takes_no_line_holds_up_its_own_deliveries_and_loses_none() {
    let mut cluster = Scripted::new(2, echo);
    cluster.full_until = Time::from_millis(3_005);
    let outcome = test(&config(2), WorkloadKind::Echo, &mut cluster).expect("it runs");
    let [_, p99, max] = outcome.extended.lateness.in_ms();
    assert!(p99 <= 0.0 && max >= 3_000.0, "all but the first node's init are in time: {p99}, {max}");
    assert_eq!(count(&outcome, OpKind::Ok), count(&outcome, OpKind::Invoke));
}

#[test]
fn killed_nodes_are_given_init_again_and_all_run_in_the_final_phase() {
    let config =
        TestConfig { nemesis: vec![Fault::Kill, Fault::Pause], time_limit: Duration::from_secs(60), ..config(5) };
    let mut cluster = Scripted::new(5, broadcast(5));
    let outcome = test(&config, WorkloadKind::Broadcast, &mut cluster).expect("it runs");
    assert!(outcome.crashes.is_empty(), "{:?}", outcome.crashes);
    let acts: Vec<_> = outcome.history.ops().iter().filter(|op| op.process == Process::Nemesis).collect();
    for pair in acts.chunks(2) {
        assert_eq!(pair[0].f, pair[1].f, "the nemesis does one thing at a time");
        assert!(matches!(pair[0].value, Value::Keyword(_) | Value::Nil) && matches!(pair[1].value, Value::Map(_)));
    }
    let last: Vec<_> = acts[acts.len() - 4..].iter().map(|op| &*op.f).collect();
    assert_eq!(last, ["resume", "resume", "start", "start"]);
    let said = |f: &str, outcome: &'static str| {
        let outcomes = acts.iter().filter(|op| op.f == f).filter_map(|op| op.value.entries()).flatten();
        outcomes.filter(|(_, said)| *said == Value::keyword(outcome)).count()
    };
    assert!(said("kill", "killed") > 0);
    assert_eq!(said("kill", "killed"), said("start", "started"));
    assert!(said("pause", "paused") > 0);
    assert_eq!(outcome.history.ops().iter().filter(|op| op.is_final() && op.kind == OpKind::Ok).count(), 5);
    assert!(count(&outcome, OpKind::Info) + count(&outcome, OpKind::Fail) > 0, "some operations failed");
}

#[test]
fn a_node_that_died_by_itself_is_not_restarted_by_the_nemesis() {
    let config = TestConfig { nemesis: vec![Fault::Kill], time_limit: Duration::from_secs(30), ..config(3) };
    let mut cluster = Scripted::new(3, echo);
    cluster.frail = Some(1);
    let outcome = test(&config, WorkloadKind::Echo, &mut cluster).expect("it runs");
    assert_eq!(outcome.crashes.iter().map(|crash| &*crash.node).collect::<Vec<_>>(), ["n1"]);
}
