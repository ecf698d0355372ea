//! Many values, each within its bound, that together exceed a line.

use gossip_gloomers::nodes::{Broadcast, Kafka, LinKv, ListAppend, Txn};
use gossip_gloomers::wire::MAX_LINE;
use memchr::memmem::{find, find_iter};

use super::is_rejection;
use super::pair::Pair;

/// The size of a value, of which five exceed a line.
const LARGE: usize = 15_000_000;

fn large(letter: &str) -> String {
    format!("\"{}\"", letter.repeat(LARGE))
}

#[test]
fn transactions_that_exceed_one_batch_are_split_over_several() {
    let mut pair = Pair::<ListAppend>::new();
    pair.holds_responses = true;
    for key in 0..6 {
        pair.send(0, &format!(r#""type":"txn","txn":[["append",{key},{}]]"#, large("x")));
    }
    pair.release();
    let replies = pair.replies();
    assert_eq!(replies.len(), 6);
    assert!(replies.iter().all(|reply| find(reply, b"\"txn_ok\"").is_some()));
    for key in 0..6 {
        let (kind, body) = pair.ask(1, &format!(r#""type":"txn","txn":[["r",{key},null]]"#));
        assert!(kind == "txn_ok" && body.len() > LARGE, "{key}: {kind}");
    }
}

#[test]
fn reading_a_list_that_exceeds_a_line_fails_and_the_writes_beside_it_take_effect() {
    let mut pair = Pair::<ListAppend>::new();
    for _ in 0..5 {
        assert_eq!(pair.ask(0, &format!(r#""type":"txn","txn":[["append",1,{}]]"#, large("x"))).0, "txn_ok");
    }
    for node in [0, 1] {
        let (kind, body) = pair.ask(node, r#""type":"txn","txn":[["r",1,null]]"#);
        assert!(is_rejection(&kind, &body), "a rejected read has no effect: {:.300}", String::from_utf8_lossy(&body));
    }
    // The batch was created before the size of the reply was known, so the error must be indefinite.
    let (_, body) = pair.ask(1, r#""type":"txn","txn":[["append",2,7],["r",1,null]]"#);
    assert!(find(&body, b"\"code\":13,").is_some(), "{:.300}", String::from_utf8_lossy(&body));
    let (_, body) = pair.ask(0, r#""type":"txn","txn":[["r",2,null]]"#);
    assert!(find(&body, b"[7]").is_some(), "{:.300}", String::from_utf8_lossy(&body));
}

#[test]
fn a_transaction_whose_reply_would_exceed_a_line_has_no_effect() {
    let mut pair = Pair::<Txn>::new();
    assert_eq!(pair.ask(0, &format!(r#""type":"txn","txn":[["w",1,{}]]"#, large("x"))).0, "txn_ok");
    let reads = |count: usize| vec![r#"["r",1,null]"#; count].join(",");
    assert_eq!(pair.ask(0, &format!(r#""type":"txn","txn":[{}]"#, reads(4))).0, "txn_ok");
    for txn in [
        format!(r#"["w",2,7],{}"#, reads(5)),
        format!(r#"["w",2,7],["w",3,{}],{}"#, large("y"), reads(5).replace('1', "3")),
    ] {
        let (kind, body) = pair.ask(0, &format!(r#""type":"txn","txn":[{txn}]"#));
        assert!(is_rejection(&kind, &body), "{:.300}", String::from_utf8_lossy(&body));
    }
    // A value that the transaction itself overwrites counts with its new length.
    let over = format!(r#""type":"txn","txn":[["w",1,1],{}]"#, reads(5));
    assert_eq!(pair.ask(0, &over).0, "txn_ok");
    let (_, body) = pair.ask(0, r#""type":"txn","txn":[["r",2,null],["r",3,null]]"#);
    assert!(find(&body, br#"[["r",2,null],["r",3,null]]"#).is_some(), "{:.300}", String::from_utf8_lossy(&body));
}

#[test]
fn messages_that_exceed_one_poll_are_returned_by_the_next() {
    let mut pair = Pair::<Kafka>::new();
    for number in 0..6 {
        let key = ["a", "b"][number % 2];
        assert_eq!(pair.ask(0, &format!(r#""type":"send","key":"{key}","msg":{}"#, large("x"))).0, "send_ok");
    }
    pair.pass(std::time::Duration::from_secs(5));
    let (mut a, mut b, mut seen) = (0, 0, 0);
    for _ in 0..6 {
        let (kind, body) = pair.ask(1, &format!(r#""type":"poll","offsets":{{"a":{a},"b":{b},"a":{a}}}"#));
        assert_eq!(kind, "poll_ok");
        let (of_a, of_b) = body.split_at(find(&body, b"\"b\":").unwrap_or(body.len()));
        for (part, next) in [(of_a, &mut a), (of_b, &mut b)] {
            for at in find_iter(part, b",\"xx") {
                let digits = part[..at].iter().rposition(|byte| *byte == b'[').map_or(0, |start| start + 1)..at;
                let offset: u64 = std::str::from_utf8(&part[digits]).expect("digits").parse().expect("an offset");
                assert!(offset >= *next, "in order, and once");
                *next = offset + 1;
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 6);
}

#[test]
fn reading_a_set_that_exceeds_a_line_fails_and_its_node_continues() {
    let mut pair = Pair::<Broadcast>::new();
    for letter in ["a", "b", "c", "d", "e"] {
        assert_eq!(pair.ask(0, &format!(r#""type":"broadcast","message":{}"#, large(letter))).0, "broadcast_ok");
    }
    pair.pass(std::time::Duration::from_secs(5));
    for node in [0, 1] {
        let (kind, body) = pair.ask(node, r#""type":"read""#);
        assert!(is_rejection(&kind, &body) && find(&body, MAX_LINE.to_string().as_bytes()).is_some(), "{kind}");
        assert_eq!(pair.ask(node, r#""type":"topology","topology":{}"#).0, "topology_ok");
    }
}

#[test]
fn fields_that_are_too_large_together_are_rejected_without_calling_the_service() {
    let mut pair = Pair::<LinKv>::new();
    let half = format!("\"{}\"", "x".repeat(9_000_000));
    for request in [
        format!(r#""type":"write","key":{half},"value":{half}"#),
        format!(r#""type":"cas","key":1,"from":{half},"to":{half}"#),
        format!(r#""type":"read","key":[{half},{half}]"#),
        // Longer than a line once it is written.
        format!(r#""type":"write","key":1,"value":[{}1]"#, "1e15,".repeat(12_000_000)),
    ] {
        let (kind, body) = pair.ask(0, &request);
        assert!(
            is_rejection(&kind, &body) && find(&body, b"16 MiB").is_some(),
            "{:.300}",
            String::from_utf8_lossy(&body)
        );
    }
    assert_eq!(pair.ask(0, &format!(r#""type":"write","key":1,"value":{half}"#)).0, "write_ok");
    assert_eq!(pair.ask(1, r#""type":"cas","key":1,"from":7,"to":8"#).0, "error");
}
