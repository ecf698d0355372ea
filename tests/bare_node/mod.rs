//! A node without a process: an engine that a test drives directly.

#![allow(dead_code, reason = "each test uses a part")]

use std::fmt;
use std::time::Duration;

use gossip_gloomers::engine::{Engine, EngineConfig, StateMachine};
use gossip_gloomers::node::Node;
use gossip_gloomers::time::Time;
use gossip_gloomers::wire::PADDING;

/// The wall clock at the start of tests, in microseconds since the Unix epoch.
pub(crate) const EPOCH: u64 = 1_763_838_000_000_000;

/// An engine, its time, and the input buffer of its host.
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
    /// A node before `init`.
    pub(crate) fn with(options: N::Options) -> Self {
        Self::incarnation(EPOCH, 7, options)
    }

    /// As [`Self::with`], in a given incarnation.
    pub(crate) fn incarnation(incarnation: u64, seed: u64, options: N::Options) -> Self {
        let engine = Engine::new(EngineConfig { incarnation, seed, options });
        Self { engine, now: Time::ZERO, buffer: Vec::new() }
    }

    /// Passes lines to the engine; the last may lack its newline.
    ///
    /// # Panics
    /// The engine has changed the padding.
    pub(crate) fn feed(&mut self, lines: &[u8]) {
        const FILL: [u8; PADDING] = [0x5a; PADDING];
        self.buffer.clear();
        self.buffer.extend_from_slice(lines);
        if !lines.ends_with(b"\n") {
            self.buffer.push(b'\n');
        }
        let len = self.buffer.len();
        self.buffer.extend_from_slice(&FILL);
        self.engine.on_lines(&mut self.buffer, len, self.now);
        assert_eq!(self.buffer[len..], FILL, "the padding must not change");
    }

    /// Advances the time from deadline to deadline, and calls `then` after each.
    pub(crate) fn pass(&mut self, duration: Duration, mut then: impl FnMut(&mut Self)) {
        let end = self.now + duration;
        while let Some(due) = self.engine.next_deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.engine.on_deadline(self.now);
            then(self);
        }
        self.now = end;
    }

    /// Advances the time in one step, and handles the deadlines up to then.
    pub(crate) fn jump(&mut self, now: Time) {
        self.now = now;
        while self.engine.next_deadline().is_some_and(|due| due <= now) {
            self.engine.on_deadline(now);
        }
    }

    /// The output that has not been taken yet.
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

/// The `init` line of a node of a cluster.
pub(crate) fn init(node: usize, nodes: usize) -> String {
    let ids: Vec<_> = (0..nodes).map(|node| format!("n{node}")).collect();
    let body = format!(r#"{{"type":"init","msg_id":1,"node_id":"n{node}","node_ids":{ids:?}}}"#);
    format!("{{\"src\":\"c0\",\"dest\":\"n{node}\",\"body\":{body}}}\n")
}
