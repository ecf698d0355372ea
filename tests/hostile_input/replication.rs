//! A value is replicated or rejected, whatever it is and whatever invalid gossip a third node has sent.

use std::time::Duration;

use gossip_gloomers::engine::SETTLE;
use gossip_gloomers::nodes::Broadcast;
use gossip_gloomers::wire::{MAX_DEPTH, REQUEST};

use crate::host::{Host, init, line};
use crate::protocol::SentMessage;

/// Nodes `n0` and `n1` of a cluster of three.
struct Pair([Host<Broadcast>; 2]);

impl Pair {
    fn new() -> Self {
        let mut pair = Self([Host::new(), Host::new()]);
        for (host, me) in pair.0.iter_mut().zip(["n0", "n1"]) {
            host.deliver(&init("c0", me, &["n0", "n1", "n2"]));
        }
        pair.pass(SETTLE);
        pair
    }

    /// Advances the time and delivers messages between the two; returns their number.
    fn pass(&mut self, duration: Duration) -> usize {
        let mut count = 0;
        for _ in 0..duration.as_millis() {
            let step = Duration::from_millis(1);
            for at in 0..2 {
                let other = ["n1", "n0"][at];
                for message in self.0[at].pass(step).iter().filter(|message| message.dest == other) {
                    count += 1;
                    self.deliver(1 - at, message);
                }
            }
        }
        count
    }

    fn deliver(&mut self, to: usize, message: &SentMessage) {
        let (src, dest) = (["n1", "n0"][to], ["n0", "n1"][to]);
        // Replicas respond to gossip only when a timer fires.
        assert!(
            self.0[to]
                .deliver(&line(src, dest, &serde_json::to_string(&message.body).expect("it was JSON")))
                .is_empty()
        );
    }

    fn broadcast(&mut self, value: &str) -> String {
        let body = format!(r#"{{"type":"broadcast","message":{value},"msg_id":1}}"#);
        self.0[0].deliver(&line("c1", "n0", &body))[0].kind().to_owned()
    }

    fn read(&mut self) -> String {
        let sent = self.0[1].deliver(&line("c2", "n1", r#"{"type":"read","msg_id":1}"#));
        sent[0].body["messages"].to_string()
    }
}

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

#[test]
fn a_nested_value_is_replicated_up_to_the_bound_and_rejected_beyond_it() {
    let mut pair = Pair::new();
    let (deep, deeper) = (nested(REQUEST.depth), nested(REQUEST.depth + 1));
    assert_eq!(pair.broadcast(&deep), "broadcast_ok");
    assert_eq!(pair.broadcast(&deeper), "error");
    pair.pass(Duration::from_secs(2));
    assert_eq!(pair.read(), format!("[{deep}]"));
}

#[test]
fn an_absurd_period_in_a_message_does_not_silence_a_follower() {
    let mut pair = Pair::new();
    pair.pass(Duration::from_secs(1));
    let for_ever = "\"next\":[18446744073709551615,18446744073709551615]";
    let from_hub = format!(r#"{{"type":"gossip","at":1763838009000000,"age":9000000,"follows":0,{for_ever}}}"#);
    pair.0[1].deliver(&line("n0", "n1", &from_hub));
    let sent = pair.0[1].deliver(&line("c1", "n1", r#"{"type":"broadcast","message":7,"msg_id":1}"#));
    assert_eq!(sent[0].kind(), "broadcast_ok");
    pair.pass(Duration::from_secs(5));
    let sent = pair.0[0].deliver(&line("c2", "n0", r#"{"type":"read","msg_id":1}"#));
    assert_eq!(sent[0].body["messages"].to_string(), "[7]");
}

#[test]
fn an_invalid_incarnation_is_not_gossiped_about_for_ever() {
    let mut pair = Pair::new();
    let ops =
        r#"{"type":"gossip","at":1763838009000000,"age":9000000,"follows":0,"ops":[[2,9223372036854775807,1,777]]}"#;
    pair.0[0].deliver(&line("n2", "n0", ops));
    pair.pass(Duration::from_secs(10));
    assert_eq!(pair.pass(Duration::from_secs(10)), 0, "they are idle again");
}

#[test]
fn an_orphan_nested_too_deep_to_be_wrapped_is_not_forwarded() {
    let mut pair = Pair::new();
    // As deep as a line can nest, and above a gap that is never filled.
    let deepest = nested(MAX_DEPTH - 4);
    let ops = format!(
        r#"{{"type":"gossip","at":1763838009000000,"age":9000000,"follows":0,"ops":[[2,0,2,{deepest}],[2,0,4,7]]}}"#
    );
    pair.0[0].deliver(&line("n2", "n0", &ops));
    pair.pass(Duration::from_secs(20));
    assert_eq!(pair.0[1].engine.counters().unreadable, 0);
    assert_eq!(pair.read(), "[7]");
}
