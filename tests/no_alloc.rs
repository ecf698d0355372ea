//! Warm nodes allocate nothing.

mod allocations;
mod bare_node;

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter, Write as _, pipe};
use std::iter;
use std::os::fd::AsFd as _;
use std::thread;
use std::time::Duration;

use gossip_gloomers::engine::{Engine, EngineConfig, SETTLE, StateMachine};
use gossip_gloomers::event_loop;
use gossip_gloomers::node::Node;
use gossip_gloomers::nodes::{Broadcast, Echo, GCounter, GSet, Kafka, LinKv, PnCounter, Txn, UniqueIds};
use gossip_gloomers::time::Time;

use allocations::allocations;
use bare_node::{BareNode, EPOCH};

/// A node in a cluster of three.
struct Warm<N: Node> {
    node: BareNode<N>,
    /// The number of bytes sent so far.
    sent: usize,
    /// The output since the last request.
    last: Vec<u8>,
}

impl<N: Node<Options: Default>> Warm<N> {
    fn new() -> Self {
        Self::among(r#""n0","n1","n2""#)
    }

    fn among(nodes: &str) -> Self {
        let node = BareNode::with(N::Options::default());
        let mut warm = Self { node, sent: 0, last: Vec::with_capacity(1 << 20) };
        let body = format!(r#"{{"type":"init","msg_id":1,"node_id":"n0","node_ids":[{nodes}]}}"#);
        warm.feed(&format!(r#"{{"id":0,"src":"c0","dest":"n0","body":{body}}}"#));
        // Long enough to find that the peers do not respond.
        warm.pass(SETTLE);
        warm.pass(SETTLE * 4);
        warm
    }

    fn feed(&mut self, line: &str) {
        self.last.clear();
        self.feed_more(line);
    }

    fn feed_more(&mut self, line: &str) {
        self.node.feed(line.as_bytes());
        self.take();
    }

    fn pass(&mut self, duration: Duration) {
        self.node.jump(self.node.now + duration);
        self.take();
    }

    fn take(&mut self) {
        self.sent += self.node.output().len();
        self.last.append(self.node.output());
    }

    /// Feeds a request, of whose body `body` writes all but the `msg_id`.
    fn ask(&mut self, line: &mut String, body: impl FnOnce(&mut String) -> std::fmt::Result) {
        line.clear();
        line.push_str(r#"{"src":"c1","dest":"n0","body":{"#);
        body(line).expect("writing to a String cannot fail");
        line.push_str(r#","msg_id":1}}"#);
        self.feed(line);
    }

    /// Serves calls of services until there are none: writes succeed, and no key exists.
    fn serve(&mut self, line: &mut String) {
        let mut served = 0;
        while let Some(length) = self.last[served..].iter().position(|byte| *byte == b'\n') {
            let call = std::str::from_utf8(&self.last[served..served + length]).expect("JSON is UTF-8");
            served += length + 1;
            if !call.contains(r#"-kv","body""#) {
                continue;
            }
            let number = call.split(r#""msg_id":"#).nth(1).expect("a call has a msg_id");
            let number = number.split([',', '}']).next().expect("there is a first part");
            let response = match call.split(r#""type":""#).nth(1).expect("a body has a type") {
                kind if kind.starts_with("cas") => r#""type":"cas_ok""#,
                kind if kind.starts_with("write") => r#""type":"write_ok""#,
                _ => r#""type":"error","code":20"#,
            };
            line.clear();
            write!(line, r#"{{"src":"seq-kv","dest":"n0","body":{{{response},"in_reply_to":{number}}}}}"#)
                .expect("writing to a String cannot fail");
            self.feed_more(line);
        }
    }

    /// The number of allocations of 10,000 requests after 1,000.
    fn cost_of(&mut self, bodies: &[&str]) -> u64 {
        let mut line = String::with_capacity(1 << 12);
        let mut request = |warm: &mut Self, number: usize| {
            line.clear();
            let (client, body) = (number % 50, bodies[number % bodies.len()]);
            write!(line, r#"{{"id":{number},"src":"c{client}","dest":"n0","body":{{{body},"msg_id":{number}}}}}"#)
                .expect("writing to a String cannot fail");
            let before = warm.sent;
            warm.feed(&line);
            assert!(warm.sent > before, "every request is answered");
        };
        for number in 0..1000 {
            request(self, number);
        }
        allocations(|| {
            for number in 1000..11_000 {
                request(self, number);
            }
        })
    }
}

#[test]
fn ten_thousand_echoes_allocate_nothing() {
    let mut node = Warm::<Echo>::new();
    let bodies = [
        r#""type":"echo","echo":"Please echo 17""#,
        r#""type":"echo","echo":{"a":[1,-2.5e3,true,null,"\u00e9\n\"\\"],"b":{"c":"d"}}"#,
        r#""type":"echo","echo":[[],{},[[[18446744073709551615]]]]"#,
    ];
    assert_eq!(node.cost_of(&bodies), 0);
}

#[test]
fn ten_thousand_ids_allocate_nothing() {
    assert_eq!(Warm::<UniqueIds>::new().cost_of(&[r#""type":"generate""#]), 0);
}

/// A node that has received 1,000 requests.
fn filled<N: Node<Options: Default>>(body: impl Fn(u32) -> String) -> Warm<N> {
    let mut node = Warm::new();
    for number in 0..1000 {
        node.feed(&format!(r#"{{"src":"c1","dest":"n0","body":{{{},"msg_id":{number}}}}}"#, body(number)));
    }
    node
}

#[test]
fn ten_thousand_reads_and_duplicate_broadcasts_allocate_nothing() {
    let mut node = filled::<Broadcast>(|number| format!(r#""type":"broadcast","message":{number}"#));
    let bodies = [
        r#""type":"read""#,
        r#""type":"broadcast","message":7"#,
        r#""type":"broadcast","message":999"#,
        r#""type":"topology","topology":{"n0":["n1","n2"],"n1":["n0"],"n2":["n0"]}"#,
    ];
    assert_eq!(node.cost_of(&bodies), 0);
}

#[test]
fn ten_thousand_reads_and_duplicate_adds_allocate_nothing() {
    let mut node = filled::<GSet>(|number| format!(r#""type":"add","element":{number}"#));
    let bodies = [r#""type":"read""#, r#""type":"add","element":7"#, r#""type":"add","element":999"#];
    assert_eq!(node.cost_of(&bodies), 0);
}

#[test]
fn ten_thousand_reads_of_registers_allocate_nothing() {
    let mut node = filled::<Txn>(|number| format!(r#""type":"txn","txn":[["w",{},{number}]]"#, number % 10));
    let bodies = [r#""type":"txn","txn":[["r",1,null],["r",7,null],["r",99,null]]"#];
    assert_eq!(node.cost_of(&bodies), 0);
}

#[test]
fn ten_thousand_reads_of_counters_allocate_nothing() {
    let mut node = filled::<PnCounter>(|number| format!(r#""type":"add","delta":-{number}"#));
    assert_eq!(node.cost_of(&[r#""type":"read""#]), 0);
    let mut node = Warm::<GCounter>::new();
    let mut line = String::with_capacity(1 << 12);
    node.serve(&mut line);
    assert_eq!(node.cost_of(&[r#""type":"read""#]), 0);
}

#[test]
fn ten_thousand_polls_and_repeated_commits_allocate_nothing() {
    let mut node = Warm::<Kafka>::among(r#""n0""#);
    for number in 0..1000 {
        let body = format!(r#""type":"send","key":"{}","msg":{number},"msg_id":1"#, number % 5);
        node.feed(&format!(r#"{{"src":"c1","dest":"n0","body":{{{body}}}}}"#));
    }
    node.pass(SETTLE);
    let bodies = [
        r#""type":"poll","offsets":{"1":0,"3":150,"none":0}"#,
        r#""type":"commit_offsets","offsets":{"1":20,"3":7}"#,
        r#""type":"list_committed_offsets","keys":["1","2","none"]"#,
    ];
    assert_eq!(node.cost_of(&bodies), 0);
    node.feed(&format!(r#"{{"src":"c1","dest":"n0","body":{{{},"msg_id":1}}}}"#, bodies[2]));
    assert!(String::from_utf8_lossy(&node.last).contains(r#""1":20"#));
}

/// Feeds a gossip message from `n1` with operations from number `first` on.
fn gossip<N: Node<Options: Default>>(
    node: &mut Warm<N>,
    line: &mut String,
    number: u64,
    first: u64,
    ops: std::fmt::Arguments<'_>,
) {
    let age = 1_000_000 + number * 1000;
    let at = 1_763_838_000_000_500 + age;
    line.clear();
    line.push_str(r#"{"src":"n1","dest":"n0","body":{"type":"gossip""#);
    write!(line, r#","at":{at},"age":{age},"follows":0,"have":[0,-500,0],"ops":[[1,0,{first},{ops}]]}}}}"#)
        .expect("writing to a String cannot fail");
    node.feed(line);
    node.pass(Duration::from_millis(1));
}

fn cost_of_merging_known_operations<N: Node<Options: Default>>() -> u64 {
    let mut node = Warm::<N>::new();
    let mut line = String::with_capacity(1 << 12);
    let mut feed = |numbers: std::ops::Range<u64>| {
        for number in numbers {
            gossip(&mut node, &mut line, number, 1, format_args!(r#"10,11,"twelve",{{"x":13}}"#));
        }
    };
    // Long enough to suspect the peers, which never respond, and to have probed all of them.
    feed(0..16_000);
    allocations(|| feed(16_000..26_000))
}

#[test]
fn merging_known_operations_allocates_nothing() {
    assert_eq!(cost_of_merging_known_operations::<Broadcast>(), 0);
    assert_eq!(cost_of_merging_known_operations::<GSet>(), 0);
}

/// The number of allocations of 10,000 requests with new values, after 1,000.
fn cost_of_new_values<N: Node<Options: Default>>(body: fn(&mut String, usize) -> std::fmt::Result) -> u64 {
    let mut node = Warm::<N>::new();
    let mut line = String::with_capacity(1 << 12);
    node.serve(&mut line);
    let mut request = |numbers: std::ops::Range<usize>| {
        for number in numbers {
            node.ask(&mut line, |line| body(line, number));
            assert!(!node.last.is_empty(), "every request is answered");
        }
    };
    request(0..1000);
    allocations(|| request(1000..11_000))
}

#[test]
fn new_values_allocate_only_as_the_log_doubles() {
    // The log, its payloads, the reply and the hash table: four doublings each.
    let broadcast = |line: &mut String, number| write!(line, r#""type":"broadcast","message":{number}"#);
    let cost = cost_of_new_values::<Broadcast>(broadcast);
    assert!(cost <= 20, "{cost}");
    let add = |line: &mut String, number| write!(line, r#""type":"add","element":"element {number}""#);
    // Long values have a list of their own.
    let cost = cost_of_new_values::<GSet>(add);
    assert!(cost <= 24, "{cost}");
    let txn =
        |line: &mut String, number| write!(line, r#""type":"txn","txn":[["w",{},{number}],["r",3,null]]"#, number % 10);
    let cost = cost_of_new_values::<Txn>(txn);
    assert!(cost <= 12, "{cost}");
    let delta = |line: &mut String, number| write!(line, r#""type":"add","delta":-{number}"#);
    let cost = cost_of_new_values::<PnCounter>(delta);
    assert!(cost <= 12, "{cost}");
    let send = |line: &mut String, number| write!(line, r#""type":"send","key":"{}","msg":{number}"#, number % 5);
    // The log, and the heap of each of five keys.
    let cost = cost_of_new_values::<Kafka>(send);
    assert!(cost <= 28, "{cost}");
}

/// The number of allocations of 10,000 requests that call services, after 1,000.
fn cost_of_asking<N: Node<Options: Default>>(body: fn(&mut String, usize) -> std::fmt::Result) -> u64 {
    let mut node = Warm::<N>::new();
    let (mut line, mut response) = (String::with_capacity(1 << 12), String::with_capacity(1 << 12));
    node.serve(&mut response);
    let mut request = |numbers: std::ops::Range<usize>| {
        for number in numbers {
            node.ask(&mut line, |line| body(line, number));
            node.serve(&mut response);
            assert!(String::from_utf8_lossy(&node.last).contains(r#""dest":"c1""#), "every request is answered");
            node.last.clear();
            node.pass(Duration::from_millis(10));
            node.serve(&mut response);
        }
    };
    request(0..1000);
    allocations(|| request(1000..11_000))
}

#[test]
fn ten_thousand_calls_of_services_allocate_nothing_but_a_larger_wheel() {
    let delta = |line: &mut String, number| write!(line, r#""type":"add","delta":{number}"#);
    // About 500 timers run at any time; when there are 513 for the first time, the wheel doubles its memory.
    let cost = cost_of_asking::<GCounter>(delta);
    assert!(cost <= 1, "{cost}");
    let key = |line: &mut String, number| write!(line, r#""type":"write","key":{number},"value":"{number}""#);
    let cost = cost_of_asking::<LinKv>(key);
    assert!(cost <= 1, "{cost}");
}

#[test]
fn merging_new_operations_allocates_only_as_the_log_doubles() {
    let mut node = Warm::<Broadcast>::new();
    let mut line = String::with_capacity(1 << 12);
    let mut feed = |numbers: std::ops::Range<u64>| {
        for number in numbers {
            let first = 5 * number;
            let ops = format_args!(
                r#"{},{},"text {}",{{"key":[{}]}},-{}"#,
                first + 1,
                first + 2,
                first + 3,
                first + 4,
                first + 5
            );
            gossip(&mut node, &mut line, number, first + 1, ops);
        }
    };
    feed(0..1000);
    let cost = allocations(|| feed(1000..11_000));
    // Payloads, their spans, the reply and the hash table grow elevenfold: four doublings each. So do the lines to
    // peers that acknowledge nothing.
    assert!(cost <= 32, "{cost}");
    assert_eq!(node.node.node().len(), 55_000);
}

/// A node in the event loop, and the number of allocations of its thread when lines arrive.
struct Metered<N: Node> {
    engine: Engine<N>,
    lines: usize,
    warm: Option<u64>,
    last: u64,
}

/// The number of requests that are sent one at a time, and then at once: more than pipes hold.
const ROUND_TRIPS: usize = 300;
const FLOOD: usize = 2_000;
/// The first flood is larger, so that its pending output exceeds that of the later ones.
const FIRST_FLOOD: usize = 3 * FLOOD;
/// The number of floods after the first.
const FLOODS: usize = 8;
/// The number of lines until the event loop is warm, and in all.
const WARM: usize = ROUND_TRIPS + FIRST_FLOOD;
const ALL: usize = WARM + FLOODS * (ROUND_TRIPS + FLOOD);

impl<N: Node> StateMachine for Metered<N> {
    fn on_lines(&mut self, buffer: &mut [u8], lines: usize, now: Time) {
        self.last = allocations::so_far();
        if self.lines > WARM {
            self.warm.get_or_insert(self.last);
        }
        self.lines += memchr::memchr_iter(b'\n', &buffer[..lines]).count();
        self.engine.on_lines(buffer, lines, now);
    }

    fn on_deadline(&mut self, now: Time) {
        self.engine.on_deadline(now);
    }

    fn next_deadline(&self) -> Option<Time> {
        self.engine.next_deadline()
    }

    fn output(&mut self) -> &mut Vec<u8> {
        self.engine.output()
    }
}

/// A client that sends requests alternately one at a time and all at once, reading no reply before all are sent.
fn send_requests(mut requests: PipeWriter, replies: PipeReader, body: &str) {
    let mut replies = BufReader::new(replies);
    let mut reply = String::new();
    let line = format!("{{\"src\":\"c1\",\"dest\":\"n0\",\"body\":{{{body},\"msg_id\":7}}}}\n");
    let flood = line.repeat(FIRST_FLOOD);
    let init = r#"{"type":"init","msg_id":1,"node_id":"n0","node_ids":["n0"]}"#;
    requests.write_all(format!("{{\"src\":\"c0\",\"dest\":\"n0\",\"body\":{init}}}\n").as_bytes()).expect("it reads");
    let mut read = |count: usize| {
        for _ in 0..count {
            reply.clear();
            replies.read_line(&mut reply).expect("it replies");
            assert!(reply.contains("_ok"), "{reply}");
        }
    };
    read(1);
    for count in iter::once(FIRST_FLOOD).chain(iter::repeat_n(FLOOD, FLOODS)) {
        for _ in 0..ROUND_TRIPS {
            requests.write_all(line.as_bytes()).expect("it reads");
            read(1);
        }
        requests.write_all(&flood.as_bytes()[..count * line.len()]).expect("it reads");
        read(count);
    }
}

/// The number of allocations of the event loop's thread once it is warm.
#[expect(clippy::disallowed_methods, reason = "the client is a thread, as only this one is counted")]
fn cost_of_serving<N: Node<Options: Default>>(body: &'static str) -> u64 {
    let (input, requests) = pipe().expect("a pipe");
    let (replies, output) = pipe().expect("a pipe");
    let client = thread::spawn(move || send_requests(requests, replies, body));
    let config = EngineConfig { incarnation: EPOCH, seed: 7, options: N::Options::default() };
    let mut machine = Metered { engine: Engine::<N>::new(config), lines: 0, warm: None, last: 0 };
    event_loop::serve(input.as_fd(), output.as_fd(), &mut machine).expect("pipes work");
    client.join().expect("every request is answered");
    assert_eq!(machine.lines, ALL + 1);
    machine.last - machine.warm.expect("it became warm")
}

#[test]
fn a_warm_event_loop_allocates_nothing_under_any_load() {
    assert_eq!(cost_of_serving::<Echo>(r#""type":"echo","echo":"Please echo 17""#), 0);
    assert_eq!(cost_of_serving::<UniqueIds>(r#""type":"generate""#), 0);
    assert_eq!(cost_of_serving::<Broadcast>(r#""type":"broadcast","message":7"#), 0);
    assert_eq!(cost_of_serving::<Broadcast>(r#""type":"read""#), 0);
    assert_eq!(cost_of_serving::<GSet>(r#""type":"add","element":7"#), 0);
}
