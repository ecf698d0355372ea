//! An oracle that sees every line, and so knows what each replica must hold, may acknowledge and may send.
//!
//! A replica must hold the union of its own operations and those it received in this incarnation; that is checked at
//! every delivery, so merging is commutative, associative and idempotent.

use std::collections::{BTreeMap, BTreeSet};

use crate::decode::{GossipMessage, Operation, Origin};
use crate::recording_node::{Name, RecordingNode};

/// A version vector: the watermark of each origin.
pub(crate) type Vector = BTreeMap<Origin, u32>;

/// A replica's knowledge of another.
#[derive(Debug, Default, Clone)]
struct PeerView {
    incarnation: u64,
    /// The vector that the other has stated in this incarnation.
    acknowledged: Vector,
}

/// The expected state of one replica in its current incarnation.
#[derive(Debug, Default)]
struct Replica {
    incarnation: Option<u64>,
    made: u32,
    held: BTreeSet<Name>,
    watermark: Vector,
    others: Vec<PeerView>,
}

impl Replica {
    fn hold(&mut self, name: Name) {
        self.held.insert(name);
        let watermark = self.watermark.entry((name.0, name.1)).or_default();
        while self.held.contains(&(name.0, name.1, *watermark + 1)) {
            *watermark += 1;
        }
    }

    /// Adds an operation, and the orphan in it.
    fn insert(&mut self, name: Name, operation: &Operation) {
        self.hold(name);
        if let Operation::Forwarded(name, operation) = operation {
            self.insert(*name, operation);
        }
    }

    fn holds_without_gap(&self, name: Name) -> bool {
        self.watermark.get(&(name.0, name.1)).is_some_and(|watermark| name.2 <= *watermark)
    }
}

/// The expected state of all replicas, and statistics.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    replicas: Vec<Replica>,
    /// All operations ever appended.
    made: BTreeMap<Name, i64>,
    /// Operations that no living replica holds.
    lost: BTreeSet<Name>,
    pub(crate) messages: usize,
    /// The number of messages with all operations of their sender to a receiver that held half of them.
    pub(crate) redundant: usize,
    /// The number of operations in all messages.
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

    /// Operations that only this replica held are lost, unless a message with them is still in transit.
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

    /// Checks a message that is sent: its content is correct, and none of it has been acknowledged.
    pub(crate) fn on_send(&mut self, from: usize, message: &GossipMessage) {
        let nodes = self.replicas.len();
        let sender = &mut self.replicas[from];
        // A replica's carrier operations first become visible in its messages.
        let carrier = (small(from + nodes), message.incarnation);
        for run in message.runs.iter().filter(|run| run.origin == carrier) {
            run.numbers()
                .zip(&run.operations)
                .for_each(|(number, op)| sender.insert((carrier.0, carrier.1, number), op));
        }
        assert_eq!(Some(message.incarnation), sender.incarnation, "n{from} states its incarnation");
        for (origin, watermark) in message.have.iter().filter(|(origin, _)| *origin != carrier) {
            let held = sender.watermark.get(origin).copied().unwrap_or_default();
            assert!(*watermark <= held, "n{from} acknowledges {origin:?} to {watermark}, and holds it to {held}");
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
                        assert_eq!(made, *operation, "{name:?} is what was appended");
                    }
                    Operation::Forwarded(forwarded, _) => {
                        assert!(
                            sender.held.contains(forwarded),
                            "n{from} forwards {forwarded:?}, which it does not hold"
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

    /// Handles a message that is delivered to a running node.
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
        for (origin, watermark) in sent.chain(message.have.iter().copied()) {
            let known = other.acknowledged.entry(origin).or_default();
            *known = watermark.max(*known);
        }
        // A new incarnation invalidates the vector of the former one.
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

    /// Checks that a replica holds what it received, and that each operation is as it was appended.
    pub(crate) fn check(&self, node: usize, recording: &RecordingNode, thoroughly: bool) {
        let replica = &self.replicas[node];
        let is_made = |name: &&Name| name.0 < small(self.replicas.len());
        let held = replica.held.iter().filter(is_made);
        assert_eq!(recording.entries().len(), held.clone().count(), "n{node} holds what it received");
        if !thoroughly {
            return;
        }
        assert!(recording.entries().keys().eq(held), "n{node} holds what it received");
        let is_own = |(origin, watermark): &(Origin, u32)| origin.0 < small(self.replicas.len()) && *watermark > 0;
        let vector = replica.watermark.clone().into_iter().filter(is_own).collect();
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

    /// Whether each of these replicas holds every operation that is not lost.
    pub(crate) fn are_equal(&self, mut nodes: impl Iterator<Item = usize>) -> bool {
        let kept = self.made.len() - self.lost.len();
        let count = |held: &BTreeSet<Name>| held.iter().filter(|name| name.0 < small(self.replicas.len())).count();
        nodes.all(|node| count(&self.replicas[node].held) == kept)
    }

    /// The operations that a replica lacks.
    pub(crate) fn missing(&self, node: usize) -> Vec<Name> {
        let lacks = |name: &&Name| !self.lost.contains(*name) && !self.replicas[node].held.contains(*name);
        self.made.keys().filter(lacks).copied().collect()
    }
}

fn small(index: usize) -> u32 {
    u32::try_from(index).expect("few nodes")
}
