//! The incarnations of a node are distinct origins: each numbers its operations from one.

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

/// Long enough for all nodes to receive and acknowledge them.
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
    /// The error messages logged by this thread.
    static ERRORS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// A logger that records messages by thread.
struct Recorder;

impl Log for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        ERRORS.with_borrow_mut(|errors| errors.push(record.args().to_string()));
    }

    fn flush(&self) {}
}

#[test]
fn an_incarnation_beyond_the_bound_is_ignored_and_logged_once() {
    // No other test of this program sets a logger.
    log::set_logger(&Recorder).expect("there is no logger yet");
    log::set_max_level(log::LevelFilter::Error);
    let mut node = BareNode::<RecordingNode>::with(Settings::default());
    node.feed(init(0, 2).as_bytes());
    let mut deliver = |incarnation: u64, operation: u32| {
        let (at, age) = (EPOCH + incarnation + 1000 + u64::from(operation), 1000 + u64::from(operation));
        let body = format!(r#""type":"gossip","at":{at},"age":{age},"ops":[[1,0,{operation},{incarnation}]]"#);
        node.feed(format!(r#"{{"src":"n1","dest":"n0","body":{{{body}}}}}"#).as_bytes());
        node.node().entries().len()
    };
    let most = MAX_INCARNATIONS as u64;
    for incarnation in 1..=most {
        assert_eq!(deliver(incarnation, 1) as u64, incarnation);
    }
    assert_eq!(ERRORS.take(), Vec::<String>::new());
    for incarnation in most + 1..=most + 2 {
        for operation in 1..=3 {
            assert_eq!(deliver(incarnation, operation), MAX_INCARNATIONS);
        }
        let errors = ERRORS.take();
        let [error] = &errors[..] else { panic!("one line, not {errors:?}") };
        assert!(error.contains("node 1 ") && error.contains(&(EPOCH + incarnation).to_string()), "{error}");
    }
}
