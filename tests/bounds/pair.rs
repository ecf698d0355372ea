//! Two nodes and lin-kv, between which every line is parsed within the bounds on its length and depth.

use std::collections::BTreeMap;
use std::time::Duration;

use gossip_gloomers::engine::StateMachine as _;
use gossip_gloomers::node::Node;
use gossip_gloomers::time::Time;
use gossip_gloomers::wire::{Json, MAX_LINE, Message, PADDING, Reader};

use crate::bare_node::BareNode;

/// A line in transit: its destination and its text.
type Sent = (String, Vec<u8>);

/// The nodes `n0` and `n1`, lin-kv, and a client.
pub(crate) struct Pair<N: Node> {
    nodes: [BareNode<N>; 2],
    now: Time,
    lin_kv: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Whether the responses of lin-kv are held back.
    pub(crate) holds_responses: bool,
    held: Vec<Sent>,
    replies: Vec<Vec<u8>>,
    asked: u64,
}

/// A value as a node writes it.
pub(crate) fn text(value: Json<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    value.write(&mut text);
    text
}

/// Parses a line as a node does.
///
/// # Panics
/// It exceeds a bound, or is not a message.
pub(crate) fn read<R>(line: &[u8], handle: impl FnOnce(&Message<'_>) -> R) -> R {
    assert!(line.len() <= MAX_LINE, "a line of {} bytes", line.len());
    let mut buffer = [line, &[0; PADDING]].concat();
    Reader::default().read(&mut buffer, line.len(), |message| handle(message.expect("a valid message")))
}

/// The text of a value after it was parsed and written once.
pub(crate) fn normal(value: &str) -> Vec<u8> {
    let line = format!(r#"{{"src":"a","dest":"b","body":{{"v":{value}}}}}"#);
    read(line.as_bytes(), |message| text(message.body.get("v").expect("a value")))
}

impl<N: Node<Options: Default>> Pair<N> {
    pub(crate) fn new() -> Self {
        let nodes = [(); 2].map(|()| BareNode::with(N::Options::default()));
        let mut pair = Self {
            nodes,
            now: Time::from_millis(1000),
            lin_kv: BTreeMap::new(),
            holds_responses: false,
            held: Vec::new(),
            replies: Vec::new(),
            asked: 0,
        };
        for me in 0..2 {
            pair.ask(me, &format!(r#""type":"init","node_id":"n{me}","node_ids":["n0","n1"]"#));
        }
        pair.pass(Duration::from_secs(3));
        pair
    }

    /// Sends a request; the reply will be in [`Self::replies`].
    pub(crate) fn send(&mut self, node: usize, fields: &str) {
        self.asked += 1;
        let body = format!(r#"{{{fields},"msg_id":{}}}"#, self.asked);
        let line = format!(r#"{{"id":1,"src":"c1","dest":"n{node}","body":{body}}}"#);
        self.deliver(vec![(format!("n{node}"), line.into_bytes())]);
    }

    /// Sends a request; returns the type and the body of its reply, of which there is exactly one within 3 s.
    pub(crate) fn ask(&mut self, node: usize, fields: &str) -> (String, Vec<u8>) {
        self.send(node, fields);
        for _ in 0..300 {
            if !self.replies.is_empty() {
                break;
            }
            self.pass(Duration::from_millis(10));
        }
        let replies = self.replies();
        assert_eq!(replies.len(), 1, "{fields:.300}");
        read(&replies[0], |message| (message.kind.to_owned(), text(message.body)))
    }

    /// The replies to the client since the last call.
    pub(crate) fn replies(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.replies)
    }

    /// Advances the time.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        let next = |node: &BareNode<N>| node.engine.next_deadline();
        while let Some(due) = self.nodes.iter().filter_map(next).min().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            for node in 0..2 {
                self.nodes[node].engine.on_deadline(self.now);
                let sent = self.sent(node);
                self.deliver(sent);
            }
        }
        self.now = end;
    }

    /// Delivers the responses that were held back.
    pub(crate) fn release(&mut self) {
        self.holds_responses = false;
        let held = std::mem::take(&mut self.held);
        self.deliver(held);
    }

    /// The new output of a node.
    fn sent(&mut self, node: usize) -> Vec<Sent> {
        let output = std::mem::take(self.nodes[node].output());
        let mut start = 0;
        let lines = memchr::memchr_iter(b'\n', &output).map(|end| &output[std::mem::replace(&mut start, end + 1)..end]);
        lines.map(|line| (read(line, |message| message.dest.to_owned()), line.to_vec())).collect()
    }

    fn deliver(&mut self, mut sent: Vec<Sent>) {
        while let Some((dest, line)) = sent.pop() {
            match dest.as_str() {
                "n0" | "n1" => {
                    let node = usize::from(dest == "n1");
                    assert!(line.len() <= MAX_LINE, "the request itself is too long");
                    self.nodes[node].now = self.now;
                    self.nodes[node].feed(&line);
                    assert_eq!(self.nodes[node].engine.counters().unreadable, 0, "a node could not read another");
                    sent.extend(self.sent(node));
                }
                "lin-kv" => {
                    let response = self.serve(&line);
                    let to = if self.holds_responses { &mut self.held } else { &mut sent };
                    to.push(response);
                }
                _ => self.replies.push(line),
            }
        }
    }

    /// The response of lin-kv to a call.
    fn serve(&mut self, line: &[u8]) -> Sent {
        let table = &mut self.lin_kv;
        read(line, |message| {
            let get = |name| message.body.get(name).map(text);
            let key = get("key").expect("a key");
            let before = table.get(&key);
            let answer = match message.kind {
                "read" => match before {
                    Some(value) => [br#""type":"read_ok","value":"#, value.as_slice()].concat(),
                    None => br#""type":"error","code":20"#.to_vec(),
                },
                "cas" if before.is_some() && before != get("from").as_ref() => br#""type":"error","code":22"#.to_vec(),
                "cas" if before.is_none() && get("create_if_not_exists").is_none() => {
                    br#""type":"error","code":20"#.to_vec()
                }
                kind => {
                    table.insert(key, get(if kind == "cas" { "to" } else { "value" }).expect("a value"));
                    format!(r#""type":"{kind}_ok""#).into_bytes()
                }
            };
            let head = format!(r#"{{"src":"lin-kv","dest":"{}","body":{{"#, message.src);
            let tail = format!(r#","in_reply_to":{}}}}}"#, message.msg_id.expect("a number"));
            (message.src.to_owned(), [head.as_bytes(), answer.as_slice(), tail.as_bytes()].concat())
        })
    }
}
