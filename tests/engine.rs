//! The guarantees of the engine to nodes and clients, with a node written against the public API.

mod host;
mod protocol;

use std::time::Duration;

use gossip_gloomers::engine::{MAX_EARLY, MAX_NODE_ID, MAX_NODES, MAX_WAIT, SETTLE};
use gossip_gloomers::node::{Node, NodeContext, Peer, ReplyTo, Response, Service, Target};
use gossip_gloomers::outbox::{MAX_CALLS, Outbox, REPLY_WITHIN};
use gossip_gloomers::requests;
use gossip_gloomers::wire::Json;
use host::{Host, init, line};
use protocol::SentMessage;
use serde_json::json;

requests! {
    /// Requests to the node.
    #[derive(Debug)]
    enum Request<'a> {
        /// Reply at once.
        "ping" => Ping {},
        /// Reply when a timer fires.
        "wait" => Wait { ms: u64 },
        /// Call a peer or service, and reply with the outcome.
        "call" => Forward { service: bool, ms: u64 },
        /// Make many calls, and reply at once.
        "many_calls" => ManyCalls { calls: usize },
        /// Send a message to a peer.
        "send" => Send { peer: usize, text: &'a str },
        /// Arm timers.
        "arm" => Arm { delays_ms: Vec<u64> },
        /// Discard one reply, and send another.
        "discard" => Discard {},
    }
}

#[derive(Debug, Clone, Copy)]
enum Timer {
    Reply(ReplyTo),
    Note(usize),
}

#[derive(Debug, Clone, Copy)]
enum Call {
    For(ReplyTo),
    Unused,
}

#[derive(Debug)]
struct Probe {
    peers: Vec<Peer>,
    settled: u32,
    pings: u32,
    fired: Vec<usize>,
    outcomes: Vec<String>,
}

impl Node for Probe {
    type Request<'a> = Request<'a>;
    type Timer = Timer;
    type Call = Call;
    type Options = ();

    fn start(context: &NodeContext<'_, ()>, out: &mut Outbox<Self>) -> Self {
        for peer in context.others() {
            out.send(peer, "hello").end();
        }
        let peers = context.others().collect();
        Self { peers, settled: 0, pings: 0, fired: Vec::new(), outcomes: Vec::new() }
    }

    fn on_settled(&mut self, out: &mut Outbox<Self>) {
        self.settled += 1;
        for peer in &self.peers {
            out.send(*peer, "settled").end();
        }
    }

    fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
        match request {
            Request::Ping {} => {
                self.pings += 1;
                out.reply(from, "ping_ok").field("pings", self.pings).end();
            }
            Request::Wait { ms } => out.arm(Duration::from_millis(ms), Timer::Reply(from)),
            Request::Forward { service, ms } => {
                let to = if service { Target::from(Service::LinKv) } else { Peer::at(1).into() };
                out.call(to, Duration::from_millis(ms), Call::For(from), "question").field("key", "x").end();
            }
            Request::ManyCalls { calls } => {
                for _ in 0..calls {
                    out.call(Peer::at(1), Duration::from_secs(1), Call::Unused, "question").end();
                }
                out.reply(from, "many_calls_ok").end();
            }
            Request::Send { peer, text } => out.send(Peer::at(peer), "sent").field("text", text).end(),
            Request::Arm { delays_ms } => {
                for (order, ms) in delays_ms.into_iter().enumerate() {
                    out.arm(Duration::from_millis(ms), Timer::Note(order));
                }
            }
            Request::Discard {} => {
                out.reply(from, "discard_ok").field("half", 1).discard();
                out.reply(from, "discard_ok").end();
            }
        }
    }

    fn on_response(&mut self, call: Call, answer: Response<'_>, out: &mut Outbox<Self>) {
        let outcome = match answer {
            Response::Reply { kind, body } => format!("{kind} {:?}", body.get("value").and_then(Json::as_i64)),
            Response::Error { code, text } => format!("error {} {text}", code.0),
            Response::Expired => "expired".into(),
        };
        if let Call::For(from) = call {
            out.reply(from, "call_ok").field("outcome", &outcome).end();
        }
        self.outcomes.push(outcome);
    }

    fn on_timer(&mut self, timer: Timer, out: &mut Outbox<Self>) {
        match timer {
            Timer::Reply(from) => out.reply(from, "wait_ok").end(),
            Timer::Note(order) => self.fired.push(order),
        }
    }
}

fn from_client(msg_id: i64, body: &str) -> String {
    line("c9", "n0", &format!(r#"{{"msg_id":{msg_id},{body}}}"#))
}

fn kinds(sent: &[SentMessage]) -> Vec<(&str, &str)> {
    sent.iter().map(|message| (message.dest.as_str(), message.kind())).collect()
}

fn fired(host: &Host<Probe>) -> &[usize] {
    &host.engine.node().expect("started").fired
}

fn settled(host: &Host<Probe>) -> u32 {
    host.engine.node().expect("started").settled
}

fn from_peer(body: &str) -> String {
    line("n1", "n0", &format!("{{{body}}}"))
}

/// A node after `init`, not settled yet.
fn newborn() -> Host<Probe> {
    let mut host = Host::<Probe>::new();
    let sent = host.deliver(&init("c0", "n0", &["n0", "n1", "n2"]));
    assert_eq!(kinds(&sent), [("c0", "init_ok")]);
    host
}

#[test]
fn neither_init_nor_a_peer_settles_a_node() {
    let mut host = newborn();
    assert_eq!(kinds(&host.deliver(&from_peer(r#""type":"send","peer":2,"text":"more""#))), []);
    assert_eq!(kinds(&host.deliver(&from_peer(r#""type":"ping","msg_id":4"#))), []);
    assert_eq!(kinds(&host.deliver(&init("c1", "n0", &["n0", "n1", "n2"]))), [("c1", "init_ok")]);
    assert_eq!(kinds(&host.deliver(&from_peer(r#""type":"call","service":true,"ms":900,"msg_id":5"#))), []);
    assert_eq!(kinds(&host.pass(SETTLE.saturating_sub(Duration::from_nanos(1)))), []);
    assert_eq!(settled(&host), 0);
}

#[test]
fn without_a_client_a_node_settles_after_a_timeout_and_sends_held_messages_first() {
    let mut host = newborn();
    host.deliver(&from_peer(r#""type":"send","peer":2,"text":"more""#));
    host.deliver(&from_peer(r#""type":"call","service":true,"ms":900,"msg_id":5"#));
    assert_eq!(kinds(&host.pass(SETTLE.saturating_sub(Duration::from_nanos(1)))), []);
    let sent = host.pass(Duration::from_nanos(1));
    let held = [("n1", "hello"), ("n2", "hello"), ("n2", "sent"), ("lin-kv", "question")];
    assert_eq!(kinds(&sent), [held.as_slice(), &[("n1", "settled"), ("n2", "settled")]].concat());
    let sent = host.deliver(&from_client(1, r#""type":"send","peer":1,"text":"\"\n""#));
    assert_eq!((kinds(&sent), &sent[0].body["text"]), (vec![("n1", "sent")], &json!("\"\n")));
}

#[test]
fn the_first_request_of_a_client_settles_a_node_before_it_is_handled() {
    let mut host = newborn();
    host.deliver(&from_peer(r#""type":"ping","msg_id":4"#));
    let sent = host.deliver(&from_client(1, r#""type":"call","service":true,"ms":900"#));
    let held = [("n1", "hello"), ("n2", "hello"), ("n1", "ping_ok")];
    let now = [("n1", "settled"), ("n2", "settled"), ("lin-kv", "question")];
    assert_eq!(kinds(&sent), [held, now].concat());
    assert_eq!(kinds(&host.deliver(&from_client(2, r#""type":"ping""#))), [("c9", "ping_ok")]);
}

#[test]
fn a_rejected_request_settles_a_node_too() {
    let mut host = newborn();
    let sent = host.deliver(&from_client(1, r#""type":"dance""#));
    assert_eq!(kinds(&sent)[4..], [("c9", "error")]);
    assert_eq!(settled(&host), 1);
}

#[test]
fn a_node_settles_exactly_once() {
    let mut asked = newborn();
    asked.deliver(&from_client(1, r#""type":"ping""#));
    assert_eq!(settled(&asked), 1);
    assert_eq!(kinds(&asked.pass(SETTLE * 2)), [], "the settling timer of init has no effect");
    let mut alone = newborn();
    alone.pass(SETTLE);
    assert_eq!(settled(&alone), 1);
    for host in [&mut asked, &mut alone] {
        host.deliver(&from_client(2, r#""type":"ping""#));
        host.deliver(&init("c5", "n0", &["n0", "n1"]));
        host.deliver(&from_client(3, r#""type":"ping""#));
        assert_eq!(kinds(&host.pass(SETTLE * 2)), []);
        assert_eq!(settled(host), 1);
    }
}

#[test]
fn a_second_init_is_answered_and_changes_nothing() {
    let mut host = Host::<Probe>::started();
    host.deliver(&from_client(1, r#""type":"ping""#));
    let sent = host.deliver(&init("c5", "n2", &["n2", "n7"]));
    assert_eq!(kinds(&sent), [("c5", "init_ok")]);
    assert_eq!(sent[0].src, "n0");
    let sent = host.deliver(&from_client(2, r#""type":"ping""#));
    assert_eq!((sent[0].src.as_str(), sent[0].integer("pings")), ("n0", Some(2)));
    assert_eq!(kinds(&host.pass(SETTLE * 2)), [], "the node does not start again");
}

#[test]
fn an_init_without_msg_id_is_handled_without_a_reply() {
    let mut host = Host::<Probe>::new();
    let silent = r#"{"type":"init","node_id":"n0","node_ids":["n0"]}"#;
    assert_eq!(host.deliver(&line("c0", "n0", silent)), []);
    assert_eq!(host.deliver(&line("c1", "n0", silent)), []);
    assert_eq!(kinds(&host.deliver(&from_client(1, r#""type":"ping""#))), [("c9", "ping_ok")]);
}

#[test]
fn a_malformed_init_is_rejected_and_a_later_one_accepted() {
    let mut host = Host::<Probe>::new();
    for body in [
        r#"{"type":"init","msg_id":1}"#,
        r#"{"type":"init","node_id":7,"node_ids":["n0"],"msg_id":1}"#,
        r#"{"type":"init","node_id":"n0","node_ids":["n0",1],"msg_id":1}"#,
        r#"{"type":"init","node_id":"n0","node_ids":["n1","n2"],"msg_id":1}"#,
        r#"{"type":"init","node_id":"n0","node_ids":{"n0":1},"msg_id":1}"#,
    ] {
        let sent = host.deliver(&line("c0", "n0", body));
        assert_eq!(sent.iter().map(SentMessage::code).collect::<Vec<_>>(), [Some(12)], "{body}");
        assert!(host.engine.node().is_none());
    }
    assert_eq!(kinds(&host.deliver(&init("c0", "n0", &["n0"]))), [("c0", "init_ok")]);
}

#[test]
fn messages_before_init_are_handled_after_it_in_order() {
    let mut host = Host::<Probe>::new();
    assert_eq!(
        host.deliver(&(from_client(1, r#""type":"ping""#) + &line("n1", "n0", r#"{"type":"ping","msg_id":4}"#))),
        []
    );
    assert_eq!(host.deliver("nonsense\n"), []);
    assert_eq!(host.deliver(&from_client(2, r#""type":"ping""#)), []);
    let sent = host.deliver(&init("c0", "n0", &["n0", "n1"]));
    assert_eq!(kinds(&sent), [("c0", "init_ok"), ("c9", "ping_ok"), ("c9", "ping_ok")]);
    let pings: Vec<_> = sent.iter().filter_map(|message| message.integer("pings")).collect();
    assert_eq!(pings, [1, 3], "the peer's was the second");
    assert_eq!(host.engine.counters().unreadable, 1);
    assert_eq!(settled(&host), 0, "a request before init does not show that the peers are initialised");
    let sent = host.deliver(&from_client(3, r#""type":"ping""#));
    assert_eq!(kinds(&sent), [("n1", "hello"), ("n1", "ping_ok"), ("n1", "settled"), ("c9", "ping_ok")]);
    assert_eq!((sent[1].integer("pings"), sent[3].integer("pings")), (Some(2), Some(4)));
}

#[test]
fn messages_before_init_are_buffered_up_to_a_bound_and_counted_beyond_it() {
    let mut host = Host::<Probe>::new();
    let ping = from_client(1, r#""type":"ping""#);
    let room = MAX_EARLY / ping.len();
    host.deliver(&ping.repeat(room + 5));
    assert_eq!(host.engine.counters().early_dropped, 5);
    let sent = host.deliver(&init("c0", "n0", &["n0"]));
    assert_eq!(sent.len(), 1 + room);
}

#[test]
fn a_line_before_init_that_exceeds_the_bound_does_not_displace_smaller_ones() {
    let mut host = Host::<Probe>::new();
    host.deliver(&from_client(1, &format!(r#""type":"ping","pad":"{}""#, "x".repeat(MAX_EARLY))));
    host.deliver(&from_client(2, r#""type":"ping""#));
    assert_eq!(host.engine.counters().early_dropped, 1);
    assert_eq!(host.deliver(&init("c0", "n0", &["n0"])).len(), 2);
}

#[test]
fn an_unknown_type_gets_error_10_and_a_malformed_body_error_12() {
    let mut host = Host::<Probe>::started();
    for (body, code) in [
        (r#""type":"dance""#, 10),
        (r#""kind":"ping""#, 10),
        (r#""type":7"#, 10),
        (r#""type":"wait""#, 12),
        (r#""type":"wait","ms":"5""#, 12),
        (r#""type":"wait","ms":-5"#, 12),
        (r#""type":"wait","ms":5.5"#, 12),
        (r#""type":"send","peer":1,"text":["x"]"#, 12),
    ] {
        let sent = host.deliver(&from_client(3, body));
        assert_eq!((sent.len(), sent[0].code(), sent[0].integer("in_reply_to")), (1, Some(code), Some(3)), "{body}");
    }
    assert_eq!(host.engine.counters().rejected, 8);
}

#[test]
fn an_error_message_is_never_answered_with_an_error() {
    let mut host = Host::<Probe>::started();
    assert_eq!(host.deliver(&line("n1", "n0", r#"{"type":"error","code":10,"text":"?","msg_id":3}"#)), []);
    assert_eq!(host.deliver(&line("n1", "n0", r#"{"type":"error","code":10,"text":"?","in_reply_to":3}"#)), []);
    assert_eq!(host.engine.counters().late_responses, 1);
}

#[test]
fn a_message_without_msg_id_gets_no_reply() {
    let mut host = Host::<Probe>::started();
    for number in ["", r#""msg_id":"7","#, r#""msg_id":null,"#, r#""msg_id":1.5,"#, r#""msg_id":18446744073709551615,"#]
    {
        for body in [r#""type":"ping""#, r#""type":"dance""#, r#""type":"wait""#] {
            assert_eq!(host.deliver(&line("c9", "n0", &format!("{{{number}{body}}}"))), [], "{number}{body}");
        }
    }
    let sent = host.deliver(&from_client(-3, r#""type":"ping""#));
    assert_eq!((sent[0].integer("in_reply_to"), sent[0].integer("pings")), (Some(-3), Some(6)));
}

#[test]
fn a_reply_may_be_deferred_as_long_as_the_client_waits() {
    let mut host = Host::<Probe>::started();
    let within = u64::try_from(REPLY_WITHIN.as_millis()).expect("seconds");
    host.deliver(&from_client(1, &format!(r#""type":"wait","ms":{}"#, within + 1)));
    host.deliver(&from_client(2, &format!(r#""type":"wait","ms":{within}"#)));
    host.deliver(&from_client(3, r#""type":"wait","ms":5"#));
    let sent = host.pass(Duration::from_secs(10));
    assert_eq!(sent.iter().map(|reply| reply.integer("in_reply_to")).collect::<Vec<_>>(), [Some(3), Some(2)]);
    assert_eq!(host.engine.counters().late_replies, 1);
}

#[test]
fn a_request_that_arrives_as_a_timer_fires_is_not_considered_old() {
    let mut host = Host::<Probe>::started();
    host.deliver(&from_client(1, r#""type":"arm","delays_ms":[20000]"#));
    host.pass(Duration::from_secs(20));
    assert_eq!(fired(&host), [0]);
    assert_eq!(kinds(&host.deliver(&from_client(2, r#""type":"ping""#))), [("c9", "ping_ok")]);
}

#[test]
fn input_found_after_a_suspension_is_as_old_as_the_last_poll() {
    for (stop, answers) in [(REPLY_WITHIN, 1), (REPLY_WITHIN + Duration::from_nanos(1), 0)] {
        let mut host = Host::<Probe>::started();
        host.deliver(&from_client(1, r#""type":"arm","delays_ms":[20000]"#));
        host.pass(MAX_WAIT * 2);
        host.now = host.now + stop;
        assert_eq!(host.deliver(&from_client(2, r#""type":"ping""#)).len(), answers, "after {stop:?}");
        host.pass(MAX_WAIT);
        assert_eq!(kinds(&host.deliver(&from_client(3, r#""type":"ping""#))), [("c9", "ping_ok")]);
    }
}

#[test]
fn replies_to_peers_are_never_withheld() {
    let mut host = Host::<Probe>::started();
    host.deliver(&line("n2", "n0", r#"{"type":"wait","ms":60000,"msg_id":8}"#));
    assert_eq!(kinds(&host.pass(Duration::from_secs(61))), [("n2", "wait_ok")]);
    assert_eq!(host.engine.counters().late_replies, 0);
}

#[test]
fn a_discarded_line_leaves_nothing_behind() {
    let mut host = Host::<Probe>::started();
    let sent = host.deliver(&from_client(1, r#""type":"discard""#));
    assert_eq!(kinds(&sent), [("c9", "discard_ok")]);
    assert!(!sent[0].body.contains_key("half"));
}

#[test]
fn a_response_is_matched_with_its_call() {
    let mut host = Host::<Probe>::started();
    let first = host.deliver(&from_client(1, r#""type":"call","service":true,"ms":900"#));
    let second = host.deliver(&from_client(2, r#""type":"call","service":false,"ms":900"#));
    assert_eq!((kinds(&first), kinds(&second)), (vec![("lin-kv", "question")], vec![("n1", "question")]));
    let numbers = [&first, &second].map(|sent| sent[0].integer("msg_id").expect("a call has a msg_id"));
    assert_ne!(numbers[0], numbers[1]);
    let error = format!(r#"{{"type":"error","code":22,"text":"no","in_reply_to":{}}}"#, numbers[1]);
    let sent = host.deliver(&line("n1", "n0", &error));
    assert_eq!((sent[0].integer("in_reply_to"), &sent[0].body["outcome"]), (Some(2), &json!("error 22 no")));
    let reply = format!(r#"{{"in_reply_to":{},"value":4,"type":"read_ok"}}"#, numbers[0]);
    let sent = host.deliver(&line("lin-kv", "n0", &reply));
    assert_eq!((sent[0].integer("in_reply_to"), &sent[0].body["outcome"]), (Some(1), &json!("read_ok Some(4)")));
    assert_eq!(host.deliver(&line("lin-kv", "n0", &reply)), [], "a second response is dropped");
    assert_eq!(host.engine.counters().late_responses, 1);
    assert_eq!(host.pass(Duration::from_secs(2)), [], "a completed call does not expire");
}

#[test]
fn an_error_without_a_code_is_indefinite() {
    let mut host = Host::<Probe>::started();
    for code in ["", r#","code":"22","text":5"#, r#","code":-1"#] {
        let sent = host.deliver(&from_client(1, r#""type":"call","service":true,"ms":900"#));
        let number = sent[0].integer("msg_id").expect("a call has a msg_id");
        let sent = host.deliver(&line("lin-kv", "n0", &format!(r#"{{"type":"error","in_reply_to":{number}{code}}}"#)));
        assert_eq!(sent[0].body["outcome"], json!("error 13 "), "{code}");
    }
}

#[test]
fn a_call_without_a_response_expires_and_a_later_response_is_dropped() {
    let mut host = Host::<Probe>::started();
    let sent = host.deliver(&from_client(1, r#""type":"call","service":false,"ms":900"#));
    let number = sent[0].integer("msg_id").expect("a call has a msg_id");
    assert_eq!(host.pass(Duration::from_millis(899)), []);
    assert_eq!(host.pass(Duration::from_millis(1))[0].body["outcome"], json!("expired"));
    let late = line("n1", "n0", &format!(r#"{{"type":"ok","in_reply_to":{number}}}"#));
    assert_eq!(host.deliver(&late), []);
    assert_eq!(host.engine.counters().late_responses, 1);
}

#[test]
fn calls_beyond_the_bound_expire_unsent() {
    let mut host = Host::<Probe>::started();
    let sent = host.deliver(&from_client(1, &format!(r#""type":"many_calls","calls":{}"#, MAX_CALLS + 3)));
    assert_eq!(sent.len(), MAX_CALLS + 1);
    assert_eq!(host.engine.counters().rejected_calls, 3);
    assert_eq!(host.pass(Duration::ZERO), []);
    assert_eq!(host.engine.node().expect("started").outcomes, ["expired"; 3]);
    host.pass(Duration::from_secs(2));
    assert_eq!(host.engine.node().expect("started").outcomes.len(), MAX_CALLS + 3);
}

#[test]
fn timers_fire_in_the_order_of_their_deadlines_then_of_arming() {
    let mut host = Host::<Probe>::started();
    host.deliver(&from_client(1, r#""type":"arm","delays_ms":[30,10,20,10,0,30,10]"#));
    assert!(fired(&host).is_empty(), "a handler's timers wait for the end of the batch");
    host.pass(Duration::from_millis(19));
    assert_eq!(fired(&host), [4, 1, 3, 6]);
    host.pass(Duration::from_millis(11));
    assert_eq!(fired(&host), [4, 1, 3, 6, 2, 0, 5]);
}

#[test]
fn a_message_from_a_sender_with_too_long_an_id_is_dropped_and_counted() {
    let mut host = Host::<Probe>::started();
    for id in ["c".repeat(31), format!("c{}", r"\n".repeat(15)), format!("c{}", "é".repeat(15))] {
        assert_eq!(host.deliver(&line(&id, "n0", r#"{"type":"ping","msg_id":1}"#)), [], "{id}");
    }
    assert_eq!(host.engine.counters().rejected, 3);
    for (id, meant) in [("c".repeat(30), "c".repeat(30)), (r#"c\"\u00e9\n\u0000\\"#.into(), "c\"é\n\0\\".into())] {
        let sent = host.deliver(&line(&id, "n0", r#"{"type":"ping","msg_id":1}"#));
        assert_eq!((sent.len(), &sent[0].dest), (1, &meant));
    }
}

#[test]
fn an_init_beyond_the_bounds_is_rejected_and_a_later_one_accepted() {
    let mut host = Host::<Probe>::new();
    let long = "n".repeat(MAX_NODE_ID + 1);
    let many: Vec<_> = (0..=MAX_NODES).map(|node| format!("n{node}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    for bad in [init("c0", "n0", &["n0", &long]), init("c0", "n0", &many)] {
        assert_eq!(host.deliver(&bad)[0].code(), Some(12));
    }
    assert!(host.deliver(&init("c0", &long, &[&long])).is_empty(), "a reply would contain this id");
    assert_eq!(host.engine.counters().rejected, 3);
    assert_eq!(kinds(&host.deliver(&init("c0", "n0", &many[..MAX_NODES]))), [("c0", "init_ok")]);
}

#[test]
fn node_ids_may_contain_any_characters() {
    let mut host = Host::<Probe>::new();
    let sent = host.deliver(&init("c0", "c\\\"1", &["née", "c\\\"1", "b b"]));
    assert_eq!((sent[0].src.as_str(), sent[0].dest.as_str()), ("c\"1", "c0"));
    let greeted = [("née", "hello"), ("b b", "hello"), ("née", "settled"), ("b b", "settled")];
    assert_eq!(kinds(&host.pass(SETTLE)), greeted);
    assert_eq!(kinds(&host.deliver(&line("b b", "x", r#"{"type":"ping","msg_id":1}"#))), [("b b", "ping_ok")]);
}
