//! The nodes of this crate are valid, and send the expected number of messages.

use std::collections::BTreeSet;

use serde_json::json;

use crate::run::Run;

/// Asserts that no node was muted, every operation succeeded, and clients exchanged two messages for each, and for each
/// of the initial `rounds` of requests to all `nodes`.
fn assert_clean(run: &Run, nodes: u64, rounds: u64) {
    run.assert_verdict(true, 0);
    assert_eq!(run.result("/gloomers/muted"), json!([]));
    let ops = run.count("/stats/count");
    assert!(ops > 0);
    assert_eq!(run.count("/stats/ok-count"), ops);
    let expected = 2 * (nodes * rounds + ops);
    for count in ["send-count", "recv-count", "msg-count"] {
        assert_eq!(run.count(&format!("/net/clients/{count}")), expected, "{count}");
    }
}

fn assert_partitioned(run: &Run) {
    let history = run.file("history.edn").expect("a history");
    assert!(history.contains(":f :start-partition"), "the nemesis did nothing");
}

pub(crate) fn every_echo_is_answered() {
    let run = Run::of("-w echo --node-count 1 --time-limit 2 --rate 50");
    assert_clean(&run, 1, 1);
    assert_eq!(run.count("/net/servers/msg-count"), 0);
}

pub(crate) fn ids_are_unique() {
    let run = Run::of("-w unique-ids --node-count 3 --time-limit 2 --rate 300 --concurrency 2n");
    assert_clean(&run, 3, 1);
    assert_eq!(run.count("/workload/duplicated-count"), 0);
    assert_eq!(run.count("/net/servers/msg-count"), 0);
}

pub(crate) fn ids_are_unique_and_available_in_partitions() {
    let run = Run::of(
        "-w unique-ids --node-count 3 --time-limit 5 --rate 100 --availability total --nemesis partition \
         --nemesis-interval 1",
    );
    assert_clean(&run, 3, 1);
    assert_partitioned(&run);
    assert_eq!(run.count("/workload/duplicated-count"), 0);
    assert_eq!(run.result("/availability/valid"), json!(true));
}

fn assert_broadcast(run: &Run) {
    assert_clean(run, 5, 2);
    let acknowledged = run.count("/workload/attempt-count");
    assert!(acknowledged > 0);
    assert_eq!(run.count("/workload/stable-count"), acknowledged);
    assert_eq!(run.count("/workload/lost-count"), 0);
    let per_op = run.result("/net/servers/msgs-per-op").as_f64().expect("a number");
    // Half of the operations are broadcasts; flooding with acknowledgements would take four messages per operation.
    assert!(0.0 < per_op && per_op < 8.0, "{per_op}");
}

pub(crate) fn every_value_reaches_every_node() {
    assert_broadcast(&Run::of("-w broadcast --node-count 5 --time-limit 4 --rate 30"));
}

pub(crate) fn every_value_reaches_every_node_after_partitions() {
    let run = Run::of("-w broadcast --node-count 5 --time-limit 5 --rate 30 --nemesis partition --nemesis-interval 1");
    assert_broadcast(&run);
    assert_partitioned(&run);
}

/// Asserts the message count of a short challenge 3d; the first second costs more than the others, so the limits are
/// wider than for a whole run.
fn assert_frugal(node_arguments: &str, per_op: f64) {
    let options = "-w broadcast --node-count 25 --time-limit 6 --rate 100 --latency 100";
    let run = Run::of(&format!("{options} {node_arguments}"));
    assert_clean(&run, 25, 2);
    assert_eq!(run.count("/workload/stable-count"), run.count("/workload/attempt-count"));
    let measured = run.result("/net/servers/msgs-per-op").as_f64().expect("a number");
    assert!(measured <= per_op, "{node_arguments}: {measured}");
}

pub(crate) fn a_cluster_of_25_needs_little_more_than_one_message_per_operation() {
    assert_frugal("", 1.4);
}

pub(crate) fn the_allowed_staleness_determines_the_number_of_messages() {
    assert_frugal("-- --max-staleness 1700ms", 0.7);
    assert_frugal("-- --max-staleness 0", 14.0);
}

pub(crate) fn sets_are_equal_at_every_node() {
    assert_clean(&Run::of("-w g-set --node-count 5 --time-limit 4 --rate 30"), 5, 1);
}

/// The values of each final read.
fn final_reads(run: &Run) -> Vec<BTreeSet<u64>> {
    let history = run.file("history.edn").expect("a history");
    let reads = history.lines().filter(|op| op.contains(":type :ok") && op.contains(":final? true"));
    let values = |op: &str| {
        let (_, list) = op.split_once(":value [").expect("a read brings a list");
        let (list, _) = list.split_once(']').expect("a list ends");
        list.split_whitespace().map(|value| value.parse().expect("values are integers")).collect()
    };
    reads.map(values).collect()
}

pub(crate) fn killed_nodes_rejoin_after_a_restart() {
    let run =
        Run::of("-w broadcast --node-count 5 --time-limit 8 --rate 30 --nemesis kill --nemesis-interval 2 --seed 8");
    let history = run.file("history.edn").expect("a history");
    assert!(history.contains(" :killed") && history.contains(" :started"), "the nemesis did nothing");
    // A kill may lose values, so the verdict may be either, but all nodes must agree.
    let reads = final_reads(&run);
    assert_eq!(reads.len(), 5, "{}", run.stdout);
    assert!(reads.iter().all(|read| *read == reads[0] && !read.is_empty()), "{reads:?}");
    assert_eq!(run.result("/gloomers/muted"), json!([]));
}

pub(crate) fn paused_nodes_catch_up_after_resuming() {
    let run =
        Run::of("-w broadcast --node-count 5 --time-limit 8 --rate 30 --nemesis pause --nemesis-interval 2 --seed 4");
    let history = run.file("history.edn").expect("a history");
    assert!(history.contains(" :paused") && history.contains(" :resumed"), "the nemesis did nothing");
    run.assert_verdict(true, 0);
    assert_eq!(final_reads(&run).len(), 5);
}

pub(crate) fn a_test_in_virtual_time_agrees() {
    let arguments = "-w broadcast --node-count 5 --time-limit 5 --rate 30 --nemesis partition --nemesis-interval 1 \
         --virtual-time --seed 5";
    let run = Run::of(arguments);
    assert_broadcast(&run);
    assert_partitioned(&run);
    assert_eq!(run.file("history.edn"), Run::of(arguments).file("history.edn"), "one seed, one history");
}

pub(crate) fn a_counter_on_a_service_converges() {
    let run = Run::of("-w g-counter --node-count 3 --time-limit 4 --rate 50 --latency 10 --nemesis partition");
    assert_clean(&run, 3, 1);
    assert_eq!(run.result("/workload/errors"), json!(null));
    assert!(run.count("/net/servers/msg-count") > 0, "the service was asked nothing");
}

pub(crate) fn a_log_loses_nothing() {
    let run = Run::of("-w kafka --node-count 2 --concurrency 2n --time-limit 4 --rate 100");
    run.assert_verdict(true, 0);
    assert_eq!(run.result("/gloomers/muted"), json!([]));
    assert_eq!(run.result("/workload/error-types"), json!([]));
    assert!(run.count("/stats/by-f/send/ok-count") > 50);
}
