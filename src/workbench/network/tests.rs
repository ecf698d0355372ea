//! The network as a state machine: time is whatever the test says.

use rand::SeedableRng as _;

use super::*;

fn network(delivery: Delivery, mean_ms: u64) -> Network {
    let latency = Latency { shape: Shape::Constant, mean_ms };
    network_of(&["n0", "n1", "n2"], Conditions { latency, delivery, loss: 0.0, duplication: 0.0 })
}

/// A network of these nodes and one client.
fn network_of(nodes: &[&str], conditions: Conditions) -> Network {
    let mut network = Network::new(conditions, ChaCha8Rng::seed_from_u64(1));
    for name in nodes {
        network.add_receiver(name);
    }
    network.open_client();
    network
}

fn ms(ms: u64) -> Time {
    Time::from_millis(ms)
}

fn send(network: &mut Network, src: &str, dest: &str, body: &str, at: Time) {
    network.send(src, dest, body, at).expect("both ends exist");
}

fn ids(network: &mut Network, receiver: usize, at: Time) -> Vec<u64> {
    std::iter::from_fn(|| network.take(receiver, at)).map(|(_, message)| message.id).collect()
}

#[test]
fn a_stack_trace_is_quoted_by_its_last_lines() {
    let mut network = network(Delivery::Held, 0);
    for line in ["Traceback:", "  a", "  b", "  c", "KeyError: 'x'\r", r#"{"src":"n0"}"#, "later"] {
        network.accept(0, line.as_bytes(), Time::ZERO).ok();
    }
    let traces: Vec<_> = network.traces().collect();
    assert_eq!(traces, ["what n0 printed when it was muted ends with:   b /   c / KeyError: 'x'"]);
}

#[test]
fn a_held_latency_is_slept_in_whole_milliseconds() {
    let mut network = network(Delivery::Held, 100);
    send(&mut network, "n0", "n1", "{}", Time::ZERO);
    assert_eq!(network.due(1), Some(ms(99)));
    assert!(network.take(1, ms(98)).is_none());
    assert_eq!(network.take(1, ms(99)).map(|(due, _)| due), Some(ms(99)));
}

#[test]
fn a_held_message_keeps_clients_waiting_and_a_free_one_does_not() {
    for (delivery, seen) in [(Delivery::Held, vec![]), (Delivery::Free, vec![1])] {
        let mut network = network(delivery, 100);
        send(&mut network, "n0", "n1", "{}", Time::ZERO);
        send(&mut network, "c0", "n1", "{}", ms(10));
        assert_eq!(ids(&mut network, 1, ms(10)), seen);
    }
}

#[test]
fn after_a_held_message_the_overdue_ones_follow_by_deadline() {
    let mut network = network(Delivery::Held, 100);
    send(&mut network, "n0", "n1", "{}", Time::ZERO);
    send(&mut network, "n2", "n1", "{}", ms(1));
    send(&mut network, "c0", "n1", "{}", ms(10));
    assert_eq!(ids(&mut network, 1, ms(99)), [0, 2]);
    assert_eq!(network.due(1), Some(ms(100)));
}

#[test]
fn a_partition_is_looked_at_when_the_thread_takes_the_message() {
    let mut network = network(Delivery::Held, 100);
    send(&mut network, "n0", "n1", "{}", Time::ZERO);
    send(&mut network, "n0", "n1", "{}", ms(1));
    network.cut(&[vec![], vec![0]]);
    assert_eq!(ids(&mut network, 1, ms(99)), [0], "the one in hand is delivered, the next is refused");
    send(&mut network, "n0", "n1", "{}", ms(99));
    assert_eq!(network.due(1), None, "refused at once, delaying no other");
    send(&mut network, "n1", "n0", "{}", ms(99));
    assert_eq!(ids(&mut network, 0, ms(199)), [3], "the other direction is open");
}

#[test]
fn a_message_queued_while_cut_passes_if_the_heal_comes_first() {
    let mut network = network(Delivery::Held, 100);
    send(&mut network, "n2", "n1", "{}", Time::ZERO);
    network.cut(&[vec![], vec![0]]);
    send(&mut network, "n0", "n1", "{}", ms(1));
    network.cut(&[]);
    assert_eq!(ids(&mut network, 1, ms(200)), [0, 1]);
}

#[test]
fn a_free_network_looks_at_partitions_at_the_deadline() {
    let mut network = network(Delivery::Free, 100);
    send(&mut network, "n0", "n1", "{}", Time::ZERO);
    network.cut(&[vec![], vec![0]]);
    assert_eq!(network.due(1), Some(ms(100)));
    assert!(network.take(1, ms(100)).is_none());
    assert_eq!(network.counts().servers, Traffic { send: 1, recv: 0, msg: 1 });
}

#[test]
fn partitions_never_cut_clients_or_oneself() {
    let mut network = network(Delivery::Held, 0);
    network.cut(&[vec![1, 2], vec![0, 2], vec![0, 1]]);
    send(&mut network, "c0", "n1", "{}", Time::ZERO);
    send(&mut network, "n1", "n1", "{}", Time::ZERO);
    assert_eq!(ids(&mut network, 1, Time::ZERO), [0, 1]);
}

#[test]
fn clients_are_told_apart_by_their_first_letter_and_counted_when_they_read() {
    let mut network = network(Delivery::Held, 10);
    send(&mut network, "n0", "c0", "{\"a\":1}", Time::ZERO);
    assert_eq!(network.counts().clients, Traffic { send: 1, recv: 0, msg: 1 });
    assert_eq!(network.take_mail(0, ms(1)).map(|message| message.body), Some("{\"a\":1}".into()));
    assert_eq!(network.counts().clients, Traffic { send: 1, recv: 1, msg: 1 });
    assert_eq!(network.counts().all, network.counts().clients);
    assert_eq!(network.counts().servers, Traffic::default());
}

#[test]
fn a_node_reads_id_src_dest_body_in_that_order_and_the_body_as_it_was_written() {
    let mut network = network(Delivery::Held, 0);
    network.accept(0, br#"{"body":{"b" : 1.50,"a":[ ]},"dest":"n1","id":99,"src":"n0"}"#, ms(0)).expect("valid");
    let (_, message) = network.take(1, ms(0)).expect("no latency");
    let mut line = Vec::new();
    message.write(&mut line);
    let expected = "{\"id\":0,\"src\":\"n0\",\"dest\":\"n1\",\"body\":{\"b\" : 1.50,\"a\":[ ]}}\n";
    assert_eq!(String::from_utf8_lossy(&line), expected);
}

#[test]
fn one_bad_line_mutes_its_node_alone_and_for_good() {
    let mut network = network(Delivery::Held, 0);
    let good = br#"{"src":"n0","dest":"n1","body":{}}"#;
    let muted = network.accept(0, b"oops", ms(0)).expect_err("not JSON").clone();
    assert_eq!((&*muted.node, muted.line.as_str(), muted.late_reply), ("n0", "oops", false));
    assert!(network.accept(0, good, ms(0)).is_ok());
    assert_eq!(network.counts().all.send, 0);
    assert!(network.accept(2, good, ms(0)).is_ok(), "src need only exist");
    assert_eq!(network.counts().all.send, 1);
    assert_eq!(network.muted().len(), 1);
}

#[test]
fn addresses_must_exist_and_a_closed_client_does_not() {
    for (line, reason, late) in [
        (r#"{"src":"n0","dest":"n9"}"#, BadLine::UnknownDest("n9".into()), false),
        (r#"{"src":"n7","dest":"n1"}"#, BadLine::UnknownSrc("n7".into()), false),
        (r#"{"src":"n0","dest":"c5"}"#, BadLine::UnknownDest("c5".into()), false),
        (r#"{"src":"n0","dest":"c0"}"#, BadLine::UnknownDest("c0".into()), true),
    ] {
        let mut network = network(Delivery::Held, 0);
        network.close_client(0);
        let muted = network.accept(0, line.as_bytes(), ms(0)).expect_err("unknown").clone();
        assert_eq!((muted.reason, muted.late_reply), (reason, late));
    }
}

#[test]
fn loss_and_duplication_touch_servers_only() {
    let latency = Latency { shape: Shape::Constant, mean_ms: 0 };
    let conditions = Conditions { latency, delivery: Delivery::Held, loss: 0.25, duplication: 0.5 };
    let mut network = network_of(&["n0", "n1"], conditions);
    for _ in 0..4_000 {
        send(&mut network, "n0", "n1", "{}", ms(0));
        send(&mut network, "c0", "n0", "{}", ms(0));
    }
    assert_eq!(ids(&mut network, 0, ms(0)).len(), 4_000);
    let arrived = ids(&mut network, 1, ms(0)).len();
    assert!((4_300..4_700).contains(&arrived), "{arrived} of about 4500");
    assert_eq!(network.counts().servers.msg, 4_000);
}

#[test]
fn a_node_that_begins_anew_is_listened_to_again_and_finds_nothing_waiting() {
    for delivery in [Delivery::Held, Delivery::Free] {
        let mut network = network(delivery, 10);
        send(&mut network, "n0", "n1", "{}", ms(0));
        send(&mut network, "c0", "n1", "{}", ms(0));
        network.accept(1, b"oops", ms(0)).expect_err("not JSON");
        network.restart(1, ms(15));
        assert_eq!(network.due(1), None);
        network.accept(1, br#"{"src":"n1","dest":"n1"}"#, ms(20)).expect("valid");
        assert_eq!(ids(&mut network, 1, ms(40)), [2]);
        assert_eq!(network.muted().len(), 1, "what happened stays on record");
    }
}

#[test]
fn the_journal_tells_when_each_message_arrived_how_often_and_over_which_link() {
    let latency = Latency { shape: Shape::Constant, mean_ms: 10 };
    let conditions = Conditions { latency, delivery: Delivery::Free, loss: 0.0, duplication: 1.0 };
    let mut network = network_of(&["n0", "n1"], conditions);
    send(&mut network, "n0", "n1", "{}", ms(3));
    send(&mut network, "n0", "c0", "{}", ms(4));
    send(&mut network, "n1", "n0", "{}", ms(5));
    assert_eq!(ids(&mut network, 1, ms(13)), [0, 0]);
    network.take_mail(0, ms(6)).expect("there is mail");
    let journal = network.take_journal(ms(4));
    let arrived: Vec<Vec<i64>> =
        journal.passages().iter().map(|passage| passage.arrivals().map(|at| journal.us(at)).collect()).collect();
    assert_eq!(arrived, [vec![9_000, 9_000], vec![2_000], vec![]]);
    let (here, there) = (End::Receiver(0), End::Receiver(1));
    let links: Vec<_> = journal.links().collect();
    assert_eq!(links, [(here, End::Clients, 1), (here, there, 1), (there, here, 1)]);
    assert_eq!(ids(&mut network, 0, ms(15)), [2, 2], "messages in flight arrive, but are not recorded");
}

#[test]
fn a_node_whose_name_begins_with_c_has_no_latency_counts_as_a_client_and_is_cut_off_like_a_node() {
    let conditions = Conditions {
        latency: Latency { shape: Shape::Constant, mean_ms: 100 },
        delivery: Delivery::Held,
        loss: 1.0,
        duplication: 1.0,
    };
    let mut network = network_of(&["n0", "cat", "seq-kv"], conditions);
    for (src, dest) in [("n0", "cat"), ("cat", "seq-kv"), ("cat", "n0")] {
        send(&mut network, src, dest, "{}", Time::ZERO);
    }
    let arrived = [1, 2, 0].map(|receiver| ids(&mut network, receiver, Time::ZERO).len());
    assert_eq!(arrived, [1, 1, 1], "at once, none lost, none twice");
    assert_eq!((network.counts().clients.msg, network.counts().servers), (3, Traffic::default()));
    network.cut(&[vec![1], vec![]]);
    send(&mut network, "cat", "n0", "{}", ms(1));
    assert_eq!(network.due(0), None, "a partition knows no clients but those of the test");
}

#[test]
fn only_a_client_that_there_was_is_answered_late() {
    let mut network = network(Delivery::Held, 0);
    network.open_client();
    network.close_client(1);
    for (dest, late) in [("c1", true), ("c01", false), ("c+1", false), ("c7", false)] {
        network.restart(0, Time::ZERO);
        let line = format!(r#"{{"src":"n0","dest":"{dest}","body":{{}}}}"#);
        let muted = network.accept(0, line.as_bytes(), Time::ZERO).expect_err("an unknown receiver");
        assert_eq!(muted.late_reply, late, "{dest}");
    }
}
