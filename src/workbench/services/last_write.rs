//! lww-kv: replicas that exchange what they hold now and then, where the last write wins (protocol §8.4).

use std::collections::BTreeMap;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::request::{Ask, Datum, Reply};

/// Maelstrom's documentation says five.
const REPLICAS: usize = 2;

#[derive(Debug, Clone, Default)]
struct Replica {
    clock: u64,
    keys: BTreeMap<String, (u64, Datum)>,
}

#[derive(Debug, Default)]
pub(super) struct LastWriteWins {
    replicas: [Replica; REPLICAS],
}

impl LastWriteWins {
    /// Merges one replica into another, then carries the request out on a third; any two of them may be the same.
    pub(super) fn handle(&mut self, ask: &Ask, rng: &mut ChaCha8Rng) -> Reply {
        let mut draw = || rng.random_range(0..REPLICAS);
        let (source, destination, third) = (draw(), draw(), draw());
        if source != destination {
            let source = self.replicas[source].clone();
            self.replicas[destination].merge(source);
        }
        self.replicas[third].handle(ask)
    }
}

impl Replica {
    /// The later value of each key; where both are as late, the other's.
    fn merge(&mut self, other: Self) {
        self.clock = self.clock.max(other.clock);
        for (key, theirs) in other.keys {
            let ours = self.keys.entry(key).or_insert_with(|| theirs.clone());
            if ours.0 <= theirs.0 {
                *ours = theirs;
            }
        }
    }

    fn handle(&mut self, ask: &Ask) -> Reply {
        let current = self.keys.get(&ask.key).map(|(_, datum)| datum);
        let (written, reply) = ask.wish.apply(current, false);
        if let Some(datum) = written {
            self.keys.insert(ask.key.clone(), (self.clock, datum));
            self.clock += 1;
        }
        reply
    }
}
