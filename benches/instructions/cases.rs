//! The cases: pairs of inputs that differ by a number of similar messages.

use std::fmt::Display;
use std::ops::Range;

/// One row of the table.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) program: &'static str,
    /// The two inputs: the additional cost of `long` is that of `messages`.
    pub(crate) short: String,
    pub(crate) long: String,
    pub(crate) messages: u64,
    /// The number of output lines for `long`, if it does not depend on time.
    pub(crate) replies: Option<usize>,
    /// The maximum number of instructions per message.
    pub(crate) limit: Option<u64>,
}

const ECHO: &str = env!("CARGO_BIN_EXE_echo");
const UNIQUE_IDS: &str = env!("CARGO_BIN_EXE_unique-ids");
const BROADCAST: &str = env!("CARGO_BIN_EXE_broadcast");

/// The first message number: all have four digits, so that an echo message has 92 bytes and a newline.
const FIRST: usize = 1_000;

/// The number of messages in most cases; twice as many still have four digits.
const MANY: usize = 4_000;

impl Case {
    /// Measures `count` lines, after the lines of `past` and `count` similar ones.
    fn steady(
        name: &'static str,
        program: &'static str,
        past: &[String],
        count: usize,
        line: impl Fn(usize) -> String,
    ) -> Self {
        let lines = |range: Range<usize>| range.map(&line).collect::<String>();
        let short = past.concat() + &lines(FIRST..FIRST + count);
        let long = short.clone() + &lines(FIRST + count..FIRST + 2 * count);
        let replies = Some(past.len() + 2 * count);
        Self { name, program, short, long, messages: count as u64, replies, limit: None }
    }

    fn at_most(self, limit: u64) -> Self {
        Self { limit: Some(limit), ..self }
    }
}

fn from_client(number: usize, body: impl Display) -> String {
    format!(r#"{{"id":{number},"src":"c2","dest":"n0","body":{{{body},"msg_id":{number}}}}}"#) + "\n"
}

fn init(nodes: usize) -> String {
    let ids: Vec<_> = (0..nodes).map(|node| format!("n{node}")).collect();
    from_client(1, format_args!(r#""type":"init","node_id":"n0","node_ids":{ids:?}"#))
}

fn broadcast(number: usize, value: usize) -> String {
    from_client(number, format_args!(r#""type":"broadcast","message":{value}"#))
}

/// A gossip message with fifty new operations of `n1`.
fn gossip(number: usize) -> String {
    const STARTED: usize = 1_763_838_000_000_000;
    const OPERATIONS: usize = 50;
    let age = 1_000 * number;
    let first = OPERATIONS * (number - FIRST) + 1;
    let operations: Vec<_> = (first..first + OPERATIONS).map(|value| value + 1_000_000).collect();
    let stamp = STARTED + age;
    let list = format!("{operations:?}").replace(['[', ']', ' '], "");
    let body = format!(r#""type":"gossip","at":{stamp},"age":{age},"follows":0,"ops":[[1,0,{first},{list}]]"#);
    format!(r#"{{"id":{number},"src":"n1","dest":"n0","body":{{{body}}}}}"#) + "\n"
}

/// The input of a node of a cluster of one that holds `count` values.
fn filled(count: usize) -> Vec<String> {
    let mut past = vec![init(1)];
    past.extend((0..count).map(|value| broadcast(value, value)));
    past
}

/// All rows.
pub(crate) fn all() -> Vec<Case> {
    let topology = r#""type":"topology","topology":{"n0":["n1","n2"],"n1":["n0"],"n2":["n0"]}"#;
    let start = Case {
        name: "init with 25 nodes",
        program: BROADCAST,
        short: String::new(),
        long: init(25),
        messages: 1,
        replies: Some(1),
        limit: None,
    };
    let receiving = Case {
        // Replies to gossip depend on timers.
        replies: None,
        ..Case::steady("gossip of 50 new integers", BROADCAST, &[init(2)], MANY, gossip)
    };
    let (past, coming) = (FIRST..FIRST + MANY, FIRST + MANY..FIRST + 2 * MANY);
    let lines = |numbers: Range<usize>| numbers.map(gossip).collect::<String>();
    let begun = init(2) + &lines(past);
    // A node parses and drops a message that names itself as the sender.
    let dropped = lines(coming.clone()).replace(r#""src":"n1""#, r#""src":"n0""#);
    let merging = Case {
        name: "of which merging",
        program: BROADCAST,
        short: begun.clone() + &dropped,
        long: begun + &lines(coming),
        messages: MANY as u64,
        replies: None,
        limit: Some(9_000),
    };
    vec![
        Case::steady("echo", ECHO, &[init(1)], MANY, |number| {
            from_client(number, format_args!(r#""type":"echo","echo":"Please {number}""#))
        })
        .at_most(3_300),
        Case::steady("generate", UNIQUE_IDS, &[init(3)], MANY, |number| from_client(number, r#""type":"generate""#)),
        Case::steady("broadcast of a known value", BROADCAST, &filled(1_000), MANY, |number| {
            broadcast(number, number % 1_000)
        })
        .at_most(3_300),
        Case::steady("broadcast of a new value", BROADCAST, &[init(1)], MANY, |number| broadcast(number, number)),
        Case::steady("topology of 3 nodes", BROADCAST, &[init(1)], MANY, |number| from_client(number, topology)),
        Case::steady("read of 1,000 integers", BROADCAST, &filled(1_000), 500, |number| {
            from_client(number, r#""type":"read""#)
        }),
        Case::steady("read of 10,000 integers", BROADCAST, &filled(10_000), 500, |number| {
            from_client(number, r#""type":"read""#)
        }),
        receiving,
        merging,
        start,
    ]
}
