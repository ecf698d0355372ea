//! A host made of nothing: one engine, driven by hand, whose every line is checked.

#![allow(dead_code, reason = "every test uses its part")]

use std::time::Duration;

use gossip_gloomers::engine::{Engine, EngineConfig, SETTLE, StateMachine};
use gossip_gloomers::node::Node;
use gossip_gloomers::time::Time;
use gossip_gloomers::wire::PADDING;

use crate::protocol::{self, Spoken};

/// An engine and its time.
pub(crate) struct Host<N: Node> {
    pub(crate) engine: Engine<N>,
    pub(crate) now: Time,
    buffer: Vec<u8>,
}

impl<N: Node> Host<N>
where
    N::Options: Default,
{
    /// A node that has not heard of itself yet.
    pub(crate) fn new() -> Self {
        let config = EngineConfig { incarnation: 1_763_838_000_000_000, seed: 7, options: N::Options::default() };
        Self { engine: Engine::new(config), now: Time::from_millis(1000), buffer: Vec::new() }
    }

    /// The first node of `n0`, `n1` and `n2`, after `init`, when its peers surely exist.
    pub(crate) fn started() -> Self {
        let mut host = Self::new();
        let said = host.tell(&init("c0", "n0", &["n0", "n1", "n2"]));
        assert_eq!(said.len(), 1, "{said:?}");
        host.pass(SETTLE);
        host
    }
}

impl<N: Node> Host<N> {
    /// Hands over whole lines, and reads what they make the node say.
    pub(crate) fn tell_bytes(&mut self, lines: &[u8]) -> Vec<Spoken> {
        self.buffer.clear();
        self.buffer.extend_from_slice(lines);
        if !lines.ends_with(b"\n") {
            self.buffer.push(b'\n');
        }
        let len = self.buffer.len();
        let padding = [0x5a; PADDING];
        self.buffer.extend_from_slice(&padding);
        self.engine.on_lines(&mut self.buffer, len, self.now);
        assert_eq!(self.buffer[len..], padding, "what follows the lines is not the engine's");
        self.said()
    }

    /// As [`Self::tell_bytes`], for text.
    pub(crate) fn tell(&mut self, lines: &str) -> Vec<Spoken> {
        self.tell_bytes(lines.as_bytes())
    }

    /// Lets time pass, firing what becomes due at its own instant.
    pub(crate) fn pass(&mut self, duration: Duration) -> Vec<Spoken> {
        let end = self.now + duration;
        let mut said = Vec::new();
        while let Some(due) = self.engine.next_deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.engine.on_deadline(self.now);
            said.extend(self.said());
        }
        self.now = end;
        said
    }

    /// Takes what was said since.
    pub(crate) fn said(&mut self) -> Vec<Spoken> {
        protocol::messages(&std::mem::take(self.engine.output()))
    }
}

/// The line with which an incarnation begins; ids are JSON text without the quotes.
pub(crate) fn init(client: &str, me: &str, nodes: &[&str]) -> String {
    let nodes = nodes.join(r#"",""#);
    line(client, me, &format!(r#"{{"type":"init","node_id":"{me}","node_ids":["{nodes}"],"msg_id":1}}"#))
}

/// A line as Maelstrom writes it; ids are JSON text without the quotes.
pub(crate) fn line(src: &str, dest: &str, body: &str) -> String {
    format!("{{\"id\":41,\"src\":\"{src}\",\"dest\":\"{dest}\",\"body\":{body}}}\n")
}
