//! Someone who sees every line, and so knows what each replica must hold, may acknowledge and may say.
//!
//! A replica holds the union of what it made and what it was told in this incarnation, whatever the order: that merging
//! is commutative, associative and idempotent is checked at every delivery.

use std::collections::{BTreeMap, BTreeSet};

use crate::decode::{GossipMessage, Operation, Origin};
use crate::recording_node::{Name, RecordingNode};

/// How far origins' operations are known without a gap.
pub(crate) type Vector = BTreeMap<Origin, u32>;

/// What one replica knows of another.
#[derive(Debug, Default, Clone)]
struct PeerView {
    incarnation: u64,
    /// How far the other one has said, in this incarnation, that it holds operations.
    acknowledged: Vector,
}

/// One node, in its present incarnation.
#[derive(Debug, Default)]
struct Replica {
    incarnation: Option<u64>,
    made: u32,
    held: BTreeSet<Name>,
    reach: Vector,
    others: Vec<PeerView>,
}

impl Replica {
    fn hold(&mut self, name: Name) {
        self.held.insert(name);
        let reach = self.reach.entry((name.0, name.1)).or_default();
        while self.held.contains(&(name.0, name.1, *reach + 1)) {
            *reach += 1;
        }
    }

    /// Holds this, and what is forwarded in it.
    fn insert(&mut self, name: Name, operation: &Operation) {
        self.hold(name);
        if let Operation::Forwarded(name, operation) = operation {
            self.insert(*name, operation);
        }
    }

    fn holds_without_gap(&self, name: Name) -> bool {
        self.reach.get(&(name.0, name.1)).is_some_and(|reach| name.2 <= *reach)
    }
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    replicas: Vec<Replica>,
    /// Every operation that was ever made.
    made: BTreeMap<Name, i64>,
    /// Operations that no living replica holds.
    lost: BTreeSet<Name>,
    pub(crate) messages: usize,
    /// Those that carried all that their sender held to one who held half of it.
    pub(crate) redundant: usize,
    /// Operations in messages, counted each time.
    pub(crate) carried: usize,
}

impl Oracle {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { replicas: (0..nodes).map(|_| Replica::default()).collect(), ..Self::default() }
    }

    pub(crate) fn made(&self) -> usize {
        self.made.len()
    }

    pub(crate) fn on_start(&mut self, node: usize, incarnation: u64) {
        let others = vec![PeerView::default(); self.replicas.len()];
        self.replicas[node] = Replica { incarnation: Some(incarnation), others, ..Replica::default() };
    }

    /// What only this one held is lost, unless a message that carries it is still under way.
    pub(crate) fn on_kill(&mut self, node: usize) {
        let dead = std::mem::take(&mut self.replicas[node]);
        let held = |name: &Name| self.replicas.iter().any(|replica| replica.held.contains(name));
        self.lost.extend(dead.held.into_iter().filter(|name| self.made.contains_key(name) && !held(name)));
    }

    pub(crate) fn on_append(&mut self, node: usize, operation: i64) {
        let replica = &mut self.replicas[node];
        replica.made += 1;
        let name = (small(node), replica.incarnation.expect("it is running"), replica.made);
        replica.hold(name);
        self.made.insert(name, operation);
    }

    /// A message leaves: all that it says is true, and nothing in it has been acknowledged.
    pub(crate) fn on_send(&mut self, from: usize, message: &GossipMessage) {
        let nodes = self.replicas.len();
        let sender = &mut self.replicas[from];
        // What a replica hands on for the dead is seen when it first says so.
        let carrier = (small(from + nodes), message.incarnation);
        for run in message.runs.iter().filter(|run| run.origin == carrier) {
            run.numbers()
                .zip(&run.operations)
                .for_each(|(number, op)| sender.insert((carrier.0, carrier.1, number), op));
        }
        assert_eq!(Some(message.incarnation), sender.incarnation, "n{from} names its incarnation");
        for (origin, reach) in message.have.iter().filter(|(origin, _)| *origin != carrier) {
            let held = sender.reach.get(origin).copied().unwrap_or_default();
            assert!(*reach <= held, "n{from} acknowledges {origin:?} to {reach}, and holds it to {held}");
        }
        let acknowledged = &sender.others[message.to].acknowledged;
        for run in &message.runs {
            let known = acknowledged.get(&run.origin).copied().unwrap_or_default();
            assert!(run.first > known, "n{from} repeats to n{} what was acknowledged to {known}: {run:?}", message.to);
            for (number, operation) in run.numbers().zip(&run.operations) {
                let name = (run.origin.0, run.origin.1, number);
                assert!(sender.holds_without_gap(name), "n{from} sends {name:?}, which it does not hold");
                match operation {
                    Operation::Plain(operation) => {
                        let made = self.made[&name];
                        assert_eq!(made, *operation, "{name:?} is what was made");
                    }
                    Operation::Forwarded(forwarded, _) => {
                        assert!(
                            sender.held.contains(forwarded),
                            "n{from} hands on {forwarded:?}, which it does not hold"
                        );
                    }
                }
            }
        }
        self.carried += message.carried();
        self.messages += 1;
        let (all, there) = (&self.replicas[from].held, &self.replicas[message.to].held);
        let is_whole = all.len() >= 10 && message.carried() >= all.len();
        self.redundant += usize::from(is_whole && all.intersection(there).count() * 2 >= all.len());
    }

    /// A message arrives at a living node.
    pub(crate) fn on_arrival(&mut self, from: usize, message: &GossipMessage) {
        let nodes = self.replicas.len();
        let receiver = &mut self.replicas[message.to];
        let other = &mut receiver.others[from];
        if message.incarnation < other.incarnation {
            return;
        }
        if message.incarnation > other.incarnation {
            *other = PeerView { incarnation: message.incarnation, ..PeerView::default() };
        }
        let sent = message.runs.iter().map(|run| (run.origin, *run.numbers().end()));
        for (origin, reach) in sent.chain(message.have.iter().copied()) {
            let known = other.acknowledged.entry(origin).or_default();
            *known = reach.max(*known);
        }
        // Who is told of a new incarnation no longer counts on what was said in the former one.
        for (origin, incarnation) in message.origins() {
            let node = origin as usize % nodes;
            if node != message.to && incarnation > receiver.others[node].incarnation {
                receiver.others[node] = PeerView { incarnation, ..PeerView::default() };
            }
        }
        for run in &message.runs {
            for (number, operation) in run.numbers().zip(&run.operations) {
                receiver.insert((run.origin.0, run.origin.1, number), operation);
            }
        }
        self.lost.retain(|name| !receiver.held.contains(name));
    }

    /// A replica holds what it was told, and each operation is what its origin made it.
    pub(crate) fn check(&self, node: usize, recording: &RecordingNode, thoroughly: bool) {
        let replica = &self.replicas[node];
        let is_made = |name: &&Name| name.0 < small(self.replicas.len());
        let held = replica.held.iter().filter(is_made);
        assert_eq!(recording.entries().len(), held.clone().count(), "n{node} holds what it was told");
        if !thoroughly {
            return;
        }
        assert!(recording.entries().keys().eq(held), "n{node} holds what it was told");
        let is_own = |(origin, reach): &(Origin, u32)| origin.0 < small(self.replicas.len()) && *reach > 0;
        let vector = replica.reach.clone().into_iter().filter(is_own).collect();
        assert_eq!(recording.vector().into_iter().filter(is_own).collect::<Vector>(), vector);
        for (name, text) in recording
            .logged()
            .into_iter()
            .filter(|(name, _)| is_made(&name))
            .chain(recording.entries().iter().map(|(name, text)| (*name, &**text)))
        {
            assert_eq!(text, self.made[&name].to_string().as_bytes(), "n{node}: {name:?}");
        }
    }

    /// Whether these replicas hold all that any living one holds, and so the same.
    pub(crate) fn are_equal(&self, mut nodes: impl Iterator<Item = usize>) -> bool {
        let kept = self.made.len() - self.lost.len();
        let count = |held: &BTreeSet<Name>| held.iter().filter(|name| name.0 < small(self.replicas.len())).count();
        nodes.all(|node| count(&self.replicas[node].held) == kept)
    }

    /// What is missing where, for messages of failure.
    pub(crate) fn missing(&self, node: usize) -> Vec<Name> {
        let lacks = |name: &&Name| !self.lost.contains(*name) && !self.replicas[node].held.contains(*name);
        self.made.keys().filter(lacks).copied().collect()
    }
}

fn small(index: usize) -> u32 {
    u32::try_from(index).expect("few nodes")
}
