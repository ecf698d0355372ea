//! Explanations of small runs that are made by hand: each message, cut and operation at a time that is given.

use std::fmt::Write as _;

use chacha20::ChaCha8Rng;
use rand::SeedableRng as _;

use super::*;
use crate::time::Time;
use crate::workbench::history::History;
use crate::workbench::network::{Conditions, Delivery, Latency, Network, Shape};
use crate::workbench::workload::WorkloadKind;

const NODES: [&str; 5] = ["n0", "n1", "n2", "n3", "n4"];

/// A run of five nodes, whose threads 0 to 4 talk to n0 to n4 as the clients c0 to c4.
struct Run {
    network: Network,
    history: String,
    ops: usize,
}

impl Run {
    fn new(loss: f64) -> Self {
        let latency = Latency { shape: Shape::Constant, mean_ms: 10 };
        let conditions = Conditions { latency, delivery: Delivery::Free, loss, duplication: 0.0 };
        let mut network = Network::new(conditions, ChaCha8Rng::seed_from_u64(1));
        for name in NODES {
            network.add_receiver(name);
        }
        for thread in 0..NODES.len() {
            let client = network.open_client();
            network.assign(client, thread);
        }
        Self { network, history: String::new(), ops: 0 }
    }

    fn send(&mut self, src: &str, dest: &str, body: &str, ms: u64) {
        self.network.send(src, dest, body, Time::from_millis(ms)).expect("both exist");
    }

    /// Delivers what is due to all nodes and clients.
    fn deliver(&mut self, ms: u64) {
        for place in 0..NODES.len() {
            while self.network.take(place, Time::from_millis(ms)).is_some() {}
            while self.network.take_mail(place, Time::from_millis(ms)).is_some() {}
        }
    }

    fn op(&mut self, ms: u64, kind: &str, process: &str, f: &str, value: &str) {
        let index = self.ops;
        self.ops += 1;
        writeln!(
            self.history,
            "{{:index {index}, :time {ms}000000, :type :{kind}, :process {process}, :f :{f}, :value {value}}}"
        )
        .expect("a string takes everything");
    }

    /// A client adds a value to the node of its thread, which acknowledges it at once.
    fn broadcast(&mut self, thread: usize, value: u32, ms: u64) {
        let (client, node) = (format!("c{thread}"), NODES[thread]);
        self.op(ms, "invoke", &thread.to_string(), "broadcast", &value.to_string());
        let number = self.ops;
        let body = format!("{{\"type\":\"broadcast\",\"message\":{value},\"msg_id\":{number}}}");
        self.send(&client, node, &body, ms);
        self.deliver(ms);
        self.send(node, &client, &format!("{{\"type\":\"broadcast_ok\",\"in_reply_to\":{number}}}"), ms);
        self.deliver(ms);
        self.op(ms, "ok", &thread.to_string(), "broadcast", &value.to_string());
    }

    /// A final read of the node of a thread.
    fn read(&mut self, thread: usize, values: &str, ms: u64) {
        self.op(ms, "invoke", &thread.to_string(), "read", "nil");
        self.op(ms, "ok", &thread.to_string(), "read", values);
    }

    fn explained(mut self, question: Option<&Question>) -> Vec<Explanation> {
        let journal = self.network.take_journal(Time::ZERO);
        let history: History = self.history.parse().expect("a history");
        let nodes = NODES.map(str::to_owned).to_vec();
        let setting =
            Setting { workload: WorkloadKind::Broadcast, nodes, concurrency: NODES.len(), models: Vec::new() };
        let evidence = Evidence::new(&setting, &history, &journal);
        question.map_or_else(
            || Cases::of(&evidence, &Budget::default()).explain(&evidence, 10),
            |question| question.answer(&evidence).expect("there is such a thing"),
        )
    }
}

fn sentences(explanation: &Explanation) -> Vec<&str> {
    explanation.steps.iter().map(|step| &*step.sentence).collect()
}

const HALVES: &str = "[:isolated {\"n0\" #{\"n1\" \"n2\" \"n4\"}, \"n3\" #{\"n1\" \"n2\" \"n4\"}, \"n1\" #{\"n0\" \
    \"n3\"}, \"n2\" #{\"n0\" \"n3\"}, \"n4\" #{\"n0\" \"n3\"}}]";

#[test]
fn a_value_that_was_dropped_twice_is_told_with_both_messages_and_the_partition() {
    let mut run = Run::new(0.0);
    run.network.cut(&[vec![1, 2, 4], vec![0, 3], vec![0, 3], vec![1, 2, 4], vec![0, 3]]);
    run.op(900, "info", ":nemesis", "start-partition", ":majority");
    run.op(900, "info", ":nemesis", "start-partition", HALVES);
    run.broadcast(2, 4, 1_310);
    for (dest, ms) in [("n0", 1_310), ("n1", 1_310), ("n0", 1_620)] {
        run.send("n2", dest, r#"{"type":"gossip","new":{"values":[4]}}"#, ms);
    }
    run.deliver(2_000);
    run.network.cut(&[]);
    run.op(8_200, "info", ":nemesis", "stop-partition", "nil");
    run.op(8_200, "info", ":nemesis", "stop-partition", ":network-healed");
    run.read(1, "[4]", 21_300);
    run.read(0, "[]", 21_400);
    let explanations = run.explained(None);
    assert_eq!(
        sentences(&explanations[0]),
        [
            "Value 4 was acknowledged by n2 at 1.31 s (operation 3).",
            "n2 sent it to n0 twice (1.31 s and 1.62 s; messages 2 and 4); both were dropped by the partition [n0 n3 \
             | n1 n2 n4], which lasted from 0.90 s to 8.20 s.",
            "Nobody sent it to n0 again after the heal.",
            "n0's last read at 21.40 s lacks it (operation 9).",
        ]
    );
    let hints: Vec<_> = explanations[0].hints.iter().map(|hint| hint.pattern).collect();
    assert_eq!(hints, ["no retry after a drop"]);
}

#[test]
fn a_value_that_nobody_passed_on_is_told_by_who_had_it() {
    let mut run = Run::new(0.0);
    for (value, ms) in [(3, 1_000), (4, 1_005)] {
        run.broadcast(2, value, ms);
    }
    run.send("n2", "n1", r#"{"type":"gossip","values":[4]}"#, 1_100);
    run.send("n2", "n0", r#"{"type":"gossip","values":[3]}"#, 1_100);
    run.deliver(1_110);
    run.read(0, "[3]", 21_000);
    let explanations = run.explained(None);
    let expected = ["n1 had it from 1.11 s on, from n2 (message 4).", "Nobody ever sent it to n0; n1 and n2 had it."];
    let four = explanations.iter().find(|explanation| explanation.value.as_deref() == Some("4")).expect("it is lost");
    assert_eq!(sentences(four)[1..3], expected);
}

#[test]
fn a_value_that_died_with_its_node_is_told_so() {
    let mut run = Run::new(0.0);
    run.broadcast(2, 4, 1_000);
    run.send("n2", "n0", r#"{"type":"gossip","values":[4]}"#, 1_100);
    run.deliver(1_110);
    run.op(2_000, "info", ":nemesis", "kill", ":one");
    run.op(2_000, "info", ":nemesis", "kill", "{\"n0\" :killed}");
    run.send("n2", "n0", r#"{"type":"gossip","values":[4]}"#, 2_500);
    run.network.restart(0, Time::from_millis(3_000));
    run.op(3_000, "info", ":nemesis", "start", "{\"n0\" :started}");
    run.read(0, "[]", 21_000);
    let explanations = run.explained(None);
    assert_eq!(
        sentences(&explanations[0])[1..4],
        [
            "n0 was given it at 1.11 s by n2 (message 2).",
            "n0 was killed at 2.00 s and started again at 3.00 s; a killed node keeps nothing in memory.",
            "After that nobody sent it to n0 again, or no such message arrived.",
        ]
    );
}

#[test]
fn what_was_lost_at_random_or_thrown_away_or_not_heard_is_told_apart() {
    for (loss, is_muted, expected) in [
        (1.0, false, "n2 sent it to n0 once (1.10 s; message 2); it was lost at random."),
        (0.0, true, "n2 sent it to n0 once (1.10 s; message 2); it was not heard, because n2 was muted."),
        (0.0, false, "n2 sent it to n0 once (1.10 s; message 2); it was still under way at the end."),
    ] {
        let mut run = Run::new(loss);
        run.broadcast(2, 4, 1_000);
        if is_muted {
            run.network.accept(2, b"debug", Time::from_millis(1_050)).expect_err("no message");
        }
        let line = br#"{"src":"n2","dest":"n0","body":{"type":"gossip","values":[4]}}"#;
        run.network.accept(2, line, Time::from_millis(1_100)).expect("an envelope");
        run.read(0, "[]", 21_000);
        let explanations = run.explained(None);
        let told = explanations.iter().find(|explanation| explanation.anomaly == "lost").expect("it is lost");
        assert_eq!(sentences(told)[1], expected);
    }
}

#[test]
fn where_no_message_shows_values_it_is_said() {
    let mut run = Run::new(0.0);
    run.broadcast(2, 4, 1_000);
    for ms in [1_100, 1_200] {
        run.send("n2", "n0", r#"{"type":"gossip","state":"H4sIAAAA"}"#, ms);
    }
    run.deliver(1_115);
    run.read(0, "[]", 21_000);
    let explanations = run.explained(None);
    let words = sentences(&explanations[0]);
    assert!(words[1].starts_with("No message between nodes shows the values in its body"), "{words:?}");
    assert_eq!(words[2], "From 1.00 s on, n0 was sent 2 messages: 1 arrived, 0 were dropped by partitions.");
}

#[test]
fn the_journey_of_a_value_is_told_hop_by_hop_with_the_waits() {
    let mut run = Run::new(0.0);
    run.broadcast(2, 4, 1_000);
    run.send("n2", "n1", r#"{"type":"gossip","values":[4]}"#, 1_100);
    run.deliver(1_110);
    run.send("n1", "n0", r#"{"type":"gossip","values":[4]}"#, 1_420);
    run.deliver(1_430);
    run.read(0, "[]", 1_300);
    run.read(0, "[4]", 21_000);
    let question = Question::Value { key: None, value: Value::Int(4) };
    let explanations = run.explained(Some(&question));
    assert_eq!(
        sentences(&explanations[0])[2..],
        [
            "n1 had it from 1.11 s on, 110 ms after its beginning: n2, which had held it for 100 ms, sent gossip \
             (message 2), which took 10 ms.",
            "n0 had it from 1.43 s on, 430 ms after its beginning: n1, which had held it for 310 ms, sent gossip \
             (message 3), which took 10 ms.",
            "n2 acknowledged broadcast 4 at 1.00 s (operation 1). That took 0.0 ms.",
            "The last read that lacks it began at 1.30 s on n0, 300 ms after it was acknowledged (operation 3).",
        ]
    );
}

#[test]
fn what_is_asked_for_in_vain_is_said() {
    let mut run = Run::new(0.0);
    run.broadcast(2, 4, 1_000);
    let journal = run.network.take_journal(Time::ZERO);
    let history: History = run.history.parse().expect("a history");
    let nodes = NODES.map(str::to_owned).to_vec();
    let setting = Setting { workload: WorkloadKind::Broadcast, nodes, concurrency: 5, models: Vec::new() };
    let evidence = Evidence::new(&setting, &history, &journal);
    for (question, why) in [
        (Question::Value { key: None, value: Value::Int(7) }, "no client sent 7"),
        (Question::Operation(99), "no operation of a client has the index 99"),
        (Question::Node("n9".to_owned()), "no node is called n9"),
    ] {
        assert_eq!(question.answer(&evidence), Err(why.to_owned()));
    }
}
