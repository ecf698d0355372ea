//! Carries out the operations of the nemesis and records them (protocol §11).

use super::{Test, TestError};
use crate::time::Duration;
use crate::workbench::cluster::{Cluster, Skew, Status};
use crate::workbench::edn::Value;
use crate::workbench::nemesis::{Effect, Fault, NemesisAction, Turn, isolated, lag_value, skew_value};
use crate::workbench::workload::client::ClientReply;

/// Restarted nodes that have not answered `init` yet; until they have, the nemesis is busy.
#[derive(Debug, Default)]
pub(super) struct Restart {
    /// Pairs of the client that sent `init` and the node.
    awaited: Vec<(usize, usize)>,
    /// The value to record then.
    done: Value,
}

impl Restart {
    pub(super) fn is_over(&self) -> bool {
        self.awaited.is_empty()
    }

    pub(super) fn awaits(&self, client: usize) -> bool {
        self.awaited.iter().any(|(asking, _)| *asking == client)
    }
}

impl<C: Cluster> Test<'_, C> {
    /// Carries out an operation. A restart completes when [`Test::on_restarted`] has seen every reply.
    pub(super) fn inject(&mut self, action: NemesisAction) -> Result<(), TestError> {
        let NemesisAction { turn, wanted, effect } = action;
        let f = turn.name();
        self.record_nemesis(f, wanted);
        let everyone = 0..self.config.nodes.len();
        let done = match effect {
            Effect::Cut(grudges) => {
                self.router.network.cut(&grudges);
                isolated(&grudges, &self.config.nodes)
            }
            Effect::Heal => {
                self.router.network.cut(&[]);
                Value::keyword("network-healed")
            }
            Effect::Pause(victims) => self.each(victims, |test, node| Ok(test.pause(node)))?,
            Effect::Resume => self.each(everyone, |test, node| Ok(test.resume(node)))?,
            Effect::Kill(victims) => self.each(victims, |test, node| Ok(test.kill(node)))?,
            Effect::Start => self.each(everyone, Self::start_again)?,
            Effect::Slow(lags) => self.named(lags, Self::slow),
            Effect::EndSlow => self.named(everyone.map(|node| (node, Duration::ZERO)), Self::slow),
            Effect::Skew(skews) => self.named(skews, Self::skew),
            Effect::EndSkew => self.named(everyone.map(|node| (node, Skew::default())), Self::skew),
        };
        if self.restart.is_over() {
            self.record_nemesis(f, done);
        } else {
            self.restart.done = done;
        }
        Ok(())
    }

    /// Handles the result of a restarted node's `init`.
    pub(super) fn on_restarted(&mut self, client: usize, answer: ClientReply) -> Result<(), TestError> {
        self.router.close_client(client);
        let Some(place) = self.restart.awaited.iter().position(|(asking, _)| *asking == client) else { return Ok(()) };
        let (_, node) = self.restart.awaited.swap_remove(place);
        if let Some(what) = self.init_fault(node, answer) {
            return Err(self.unready(node, format!("{what}, after it was killed and started again")));
        }
        if self.restart.is_over() {
            let done = std::mem::take(&mut self.restart.done);
            self.record_nemesis(Turn::Ends(Fault::Kill).name(), done);
        }
        Ok(())
    }

    /// Applies an action to each of the nodes; returns the map of its outcomes.
    fn each(
        &mut self,
        nodes: impl IntoIterator<Item = usize>,
        mut act: impl FnMut(&mut Self, usize) -> Result<&'static str, TestError>,
    ) -> Result<Value, TestError> {
        let mut outcomes = Vec::new();
        for node in nodes {
            let outcome = Value::keyword(act(self, node)?);
            outcomes.push((Value::str(self.config.nodes[node].as_str()), outcome));
        }
        Ok(Value::Map(outcomes))
    }

    /// Applies an action with an argument to each of the nodes; returns the map of the values.
    fn named<T>(
        &mut self,
        nodes: impl IntoIterator<Item = (usize, T)>,
        act: fn(&mut Self, usize, T) -> Value,
    ) -> Value {
        let named = |(node, how): (usize, T)| (Value::str(self.config.nodes[node].as_str()), act(self, node, how));
        Value::Map(nodes.into_iter().map(named).collect())
    }

    fn slow(&mut self, node: usize, lag: Duration) -> Value {
        self.router.cluster.slow(node, lag);
        lag_value(lag)
    }

    fn skew(&mut self, node: usize, skew: Skew) -> Value {
        self.router.cluster.skew(node, skew);
        skew_value(skew)
    }

    /// Whether the nemesis can act on a node. One that died by itself is left for the report at the end.
    fn is_running(&mut self, node: usize) -> bool {
        !self.router.down[node] && self.router.cluster.status(node) == Status::Alive
    }

    fn pause(&mut self, node: usize) -> &'static str {
        if !self.is_running(node) {
            return "not-running";
        }
        self.router.cluster.pause(node);
        "paused"
    }

    fn resume(&mut self, node: usize) -> &'static str {
        if !self.is_running(node) {
            return "not-running";
        }
        self.router.cluster.resume(node);
        "resumed"
    }

    fn kill(&mut self, node: usize) -> &'static str {
        if !self.is_running(node) {
            return "not-running";
        }
        self.router.cluster.kill(node);
        self.router.down[node] = true;
        "killed"
    }

    fn start_again(&mut self, node: usize) -> Result<&'static str, TestError> {
        if !self.router.down[node] {
            return Ok("already-running");
        }
        self.router.network.restart(node, self.router.cluster.now());
        self.router.down[node] = false;
        let client = self.launch(node)?;
        self.restart.awaited.push((client, node));
        Ok("started")
    }
}
