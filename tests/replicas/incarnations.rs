//! A node's lives do not mix: each numbers its operations from one.

use std::cell::RefCell;
use std::time::Duration;

use gossip_gloomers::engine::SETTLE;
use gossip_gloomers::gossip::{MAX_INCARNATIONS, Settings};
use log::{Log, Metadata, Record};

use crate::bare_node::{BareNode, EPOCH, init};
use crate::network::{Action, Cluster, Network};
use crate::recording_node::RecordingNode;
use crate::rng::{Rng, each_seed};

const NODES: usize = 4;

/// Operations in each incarnation.
const OPERATIONS: usize = 5;

/// Long enough for all to deliver.
const SETTLED: Duration = Duration::from_secs(5);

fn append_all(cluster: &mut Cluster, node: usize) {
    for _ in 0..OPERATIONS {
        cluster.plan(Duration::ZERO, Action::Append(node));
    }
    let is_equal = cluster.pass_until(SETTLED, |cluster| cluster.oracle.are_equal(cluster.living()));
    let lacking: Vec<_> = (0..NODES).map(|node| cluster.oracle.missing(node)).collect();
    assert!(is_equal, "n{node}: {lacking:?}");
    cluster.pass(SETTLED);
}

#[test]
fn a_new_incarnation_is_replicated_from_its_first_operation() {
    each_seed("a_new_incarnation_is_replicated_from_its_first_operation", 60, |seed| {
        let mut rng = Rng::new(seed);
        let network = Network {
            shortest: Duration::ZERO,
            longest: Duration::from_millis(rng.one_of(&[0, 10, 100])),
            loss: 0,
            duplication: 0,
        };
        let max_staleness = rng.one_of(&[None, Some(Duration::ZERO), Some(Duration::from_secs(1))]);
        let node = rng.index(NODES);
        let mut cluster = Cluster::new(NODES, network, Settings { max_staleness }, rng);
        cluster.pass(SETTLE * 2);
        for incarnation in 1..=3 {
            append_all(&mut cluster, node);
            assert_eq!(cluster.oracle.made(), incarnation * OPERATIONS);
            for other in cluster.living() {
                let recording = cluster.recording(other).expect("it is running");
                assert_eq!(recording.entries().len(), incarnation * OPERATIONS, "n{other}");
                cluster.oracle.check(other, recording, true);
            }
            cluster.plan(Duration::ZERO, Action::Kill(node));
            cluster.plan(Duration::from_millis(1), Action::Start(node));
            cluster.pass(Duration::from_millis(2));
        }
    });
}

thread_local! {
    /// What this thread's replicas have said of trouble.
    static COMPLAINTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps what is logged for the thread that logs it.
struct Listener;

impl Log for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        COMPLAINTS.with_borrow_mut(|complaints| complaints.push(record.args().to_string()));
    }

    fn flush(&self) {}
}

#[test]
fn an_incarnation_beyond_the_bound_is_ignored_and_logged_once() {
    // No other test of this folder listens.
    log::set_logger(&Listener).expect("nobody listens yet");
    log::set_max_level(log::LevelFilter::Error);
    let mut node = BareNode::<RecordingNode>::with(Settings::default());
    node.feed(init(0, 2).as_bytes());
    let mut append_all = |incarnation: u64, operation: u32| {
        let (at, age) = (EPOCH + incarnation + 1000 + u64::from(operation), 1000 + u64::from(operation));
        let body = format!(r#""type":"gossip","at":{at},"age":{age},"ops":[[1,0,{operation},{incarnation}]]"#);
        node.feed(format!(r#"{{"src":"n1","dest":"n0","body":{{{body}}}}}"#).as_bytes());
        node.node().entries().len()
    };
    let most = MAX_INCARNATIONS as u64;
    for incarnation in 1..=most {
        assert_eq!(append_all(incarnation, 1) as u64, incarnation);
    }
    assert_eq!(COMPLAINTS.take(), Vec::<String>::new());
    for incarnation in most + 1..=most + 2 {
        for operation in 1..=3 {
            assert_eq!(append_all(incarnation, operation), MAX_INCARNATIONS);
        }
        let complaints = COMPLAINTS.take();
        let [complaint] = &complaints[..] else { panic!("one line, not {complaints:?}") };
        assert!(complaint.contains("node 1 ") && complaint.contains(&(EPOCH + incarnation).to_string()), "{complaint}");
    }
}
