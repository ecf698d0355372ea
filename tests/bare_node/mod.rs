//! A node without a process: an engine that is driven by hand, a line and an instant at a time.

#![allow(dead_code, reason = "each test uses a part")]

use std::fmt;
use std::time::Duration;

use gossip_gloomers::engine::{Engine, EngineConfig, StateMachine};
use gossip_gloomers::node::Node;
use gossip_gloomers::time::Time;
use gossip_gloomers::wire::PADDING;

/// Microseconds since the epoch when tests begin.
pub(crate) const EPOCH: u64 = 1_763_838_000_000_000;

/// An engine, its time, and the buffer that a host would have.
pub(crate) struct BareNode<N: Node> {
    pub(crate) engine: Engine<N>,
    pub(crate) now: Time,
    buffer: Vec<u8>,
}

impl<N: Node> fmt::Debug for BareNode<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BareNode").field("now", &self.now).finish_non_exhaustive()
    }
}

impl<N: Node> BareNode<N> {
    /// A node that has not heard of itself yet.
    pub(crate) fn with(options: N::Options) -> Self {
        Self::incarnation(EPOCH, 7, options)
    }

    /// As [`Self::with`], in a given incarnation.
    pub(crate) fn incarnation(incarnation: u64, seed: u64, options: N::Options) -> Self {
        let engine = Engine::new(EngineConfig { incarnation, seed, options });
        Self { engine, now: Time::ZERO, buffer: Vec::new() }
    }

    /// Hands over whole lines, of which the last may lack its end.
    ///
    /// # Panics
    /// The engine has changed what follows them.
    pub(crate) fn feed(&mut self, lines: &[u8]) {
        const FOLLOWS: [u8; PADDING] = [0x5a; PADDING];
        self.buffer.clear();
        self.buffer.extend_from_slice(lines);
        if !lines.ends_with(b"\n") {
            self.buffer.push(b'\n');
        }
        let len = self.buffer.len();
        self.buffer.extend_from_slice(&FOLLOWS);
        self.engine.on_lines(&mut self.buffer, len, self.now);
        assert_eq!(self.buffer[len..], FOLLOWS, "what follows the lines is not the engine's");
    }

    /// Lets time go by, with a call after everything that becomes due, which does so at its own instant.
    pub(crate) fn pass(&mut self, duration: Duration, mut then: impl FnMut(&mut Self)) {
        let end = self.now + duration;
        while let Some(due) = self.engine.next_deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.engine.on_deadline(self.now);
            then(self);
        }
        self.now = end;
    }

    /// Moves on to an instant, and does what is due by then.
    pub(crate) fn jump(&mut self, now: Time) {
        self.now = now;
        while self.engine.next_deadline().is_some_and(|due| due <= now) {
            self.engine.on_deadline(now);
        }
    }

    /// What the node has said and nobody has taken.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        self.engine.output()
    }

    /// The node itself.
    ///
    /// # Panics
    /// It was not initialised.
    pub(crate) fn node(&self) -> &N {
        self.engine.node().expect("it was initialised")
    }
}

/// The line with which an incarnation begins.
pub(crate) fn init(node: usize, nodes: usize) -> String {
    let ids: Vec<_> = (0..nodes).map(|node| format!("n{node}")).collect();
    let body = format!(r#"{{"type":"init","msg_id":1,"node_id":"n{node}","node_ids":{ids:?}}}"#);
    format!("{{\"src\":\"c0\",\"dest\":\"n{node}\",\"body\":{body}}}\n")
}
