//! A bare node whose output is parsed as strictly as Maelstrom does.

#![allow(dead_code, reason = "each test uses a part")]

#[path = "../bare_node/mod.rs"]
mod bare_node;

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use gossip_gloomers::engine::SETTLE;
use gossip_gloomers::node::Node;
use gossip_gloomers::time::Time;

use crate::protocol::{self, SentMessage};
use bare_node::BareNode;

/// A bare node and its strictly parsed output.
pub(crate) struct Host<N: Node>(BareNode<N>);

impl<N: Node> Deref for Host<N> {
    type Target = BareNode<N>;

    fn deref(&self) -> &BareNode<N> {
        &self.0
    }
}

impl<N: Node> DerefMut for Host<N> {
    fn deref_mut(&mut self) -> &mut BareNode<N> {
        &mut self.0
    }
}

impl<N: Node<Options: Default>> Host<N> {
    /// A node before `init`.
    pub(crate) fn new() -> Self {
        let mut node = BareNode::with(N::Options::default());
        node.now = Time::from_millis(1000);
        Self(node)
    }

    /// Node `n0` of `n0`, `n1` and `n2`, initialised and settled.
    pub(crate) fn started() -> Self {
        let mut host = Self::new();
        let sent = host.deliver(&init("c0", "n0", &["n0", "n1", "n2"]));
        assert_eq!(sent.len(), 1, "{sent:?}");
        host.pass(SETTLE);
        host
    }
}

impl<N: Node> Host<N> {
    /// Delivers lines; returns the messages that the node sends in response.
    pub(crate) fn deliver_bytes(&mut self, lines: &[u8]) -> Vec<SentMessage> {
        self.feed(lines);
        self.take_sent()
    }

    /// Like [`Self::deliver_bytes`], for text.
    pub(crate) fn deliver(&mut self, lines: &str) -> Vec<SentMessage> {
        self.deliver_bytes(lines.as_bytes())
    }

    /// Advances the time from deadline to deadline; returns the messages sent.
    pub(crate) fn pass(&mut self, duration: Duration) -> Vec<SentMessage> {
        let mut sent = Vec::new();
        self.0.pass(duration, |node| sent.extend(protocol::messages(&std::mem::take(node.output()))));
        sent
    }

    /// The messages sent since the last call.
    pub(crate) fn take_sent(&mut self) -> Vec<SentMessage> {
        protocol::messages(&std::mem::take(self.output()))
    }
}

/// An `init` line; ids are JSON text without the quotes.
pub(crate) fn init(client: &str, me: &str, nodes: &[&str]) -> String {
    let nodes = nodes.join(r#"",""#);
    line(client, me, &format!(r#"{{"type":"init","node_id":"{me}","node_ids":["{nodes}"],"msg_id":1}}"#))
}

/// A line as Maelstrom writes it; ids are JSON text without the quotes.
pub(crate) fn line(src: &str, dest: &str, body: &str) -> String {
    format!("{{\"id\":41,\"src\":\"{src}\",\"dest\":\"{dest}\",\"body\":{body}}}\n")
}
