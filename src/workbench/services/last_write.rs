//! lww-kv: replicas that merge at random, with last-write-wins registers (protocol §8.4).

use std::collections::BTreeMap;

use chacha20::ChaCha8Rng;
use rand::RngExt as _;

use super::request::{JsonText, Reply, ServiceRequest};

/// As in Maelstrom's code; its documentation says five.
const REPLICAS: usize = 2;

#[derive(Debug, Clone, Default)]
struct Replica {
    clock: u64,
    keys: BTreeMap<String, (u64, JsonText)>,
}

#[derive(Debug, Default)]
pub(super) struct LastWriteWins {
    replicas: [Replica; REPLICAS],
}

impl LastWriteWins {
    /// Merges a random replica into a random one, then applies the request to a random one.
    pub(super) fn handle(&mut self, request: &ServiceRequest, rng: &mut ChaCha8Rng) -> Reply {
        let mut draw = || rng.random_range(0..REPLICAS);
        let (source, destination, third) = (draw(), draw(), draw());
        if source != destination {
            let source = self.replicas[source].clone();
            self.replicas[destination].merge(source);
        }
        self.replicas[third].handle(request)
    }
}

impl Replica {
    /// Takes the value with the greater timestamp of each key; on a tie, the other replica's.
    fn merge(&mut self, other: Self) {
        self.clock = self.clock.max(other.clock);
        for (key, theirs) in other.keys {
            let mine = self.keys.entry(key).or_insert_with(|| theirs.clone());
            if mine.0 <= theirs.0 {
                *mine = theirs;
            }
        }
    }

    fn handle(&mut self, request: &ServiceRequest) -> Reply {
        let current = self.keys.get(&request.key).map(|(_, datum)| datum);
        let (written, reply) = request.operation.apply(current, false);
        if let Some(datum) = written {
            self.keys.insert(request.key.clone(), (self.clock, datum));
            self.clock += 1;
        }
        reply
    }
}
