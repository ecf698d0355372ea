//! The services beside the nodes: seq-kv, lin-kv, lww-kv and lin-tso (protocol §8).
//!
//! State machines: a request in, at most one reply out, every choice from the seed. Latency and queues are the
//! network's. What seq-kv and lww-kv may answer from the past is theirs to draw, exactly as Maelstrom does: fresher
//! ones would hide bugs of nodes, staler ones would fail nodes that are right.

mod last_write;
mod request;
mod sequential;

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;

use crate::time::Time;
use last_write::LastWriteWins;
use request::{Ask, Datum, Reply, Wish};
use sequential::Sequential;

/// What somebody read of seq-kv though it had been written again by then, as a sequential store may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaleRead {
    /// When the state of the store was made that it read.
    pub state: Time,
    /// When it read it.
    pub read: Time,
}

/// All services of one test.
#[derive(Debug)]
pub struct Services {
    rng: ChaCha8Rng,
    linearizable: BTreeMap<String, Datum>,
    sequential: Sequential,
    last_write: LastWriteWins,
    timestamp: u64,
}

impl Services {
    /// The services' ids.
    pub const NAMES: [&'static str; 4] = ["lin-kv", "seq-kv", "lww-kv", "lin-tso"];

    /// Empty services, whose choices come from `rng`.
    #[must_use]
    pub fn new(rng: ChaCha8Rng) -> Self {
        Self {
            rng,
            linearizable: BTreeMap::new(),
            sequential: Sequential::default(),
            last_write: LastWriteWins::default(),
            timestamp: 0,
        }
    }

    /// What the service at this position in [`Services::NAMES`] answers to a message from `caller` with this body:
    /// the body of the reply, or nothing where it knows no such request.
    pub fn handle(&mut self, service: usize, caller: &str, body: &str, now: Time) -> Option<String> {
        let ask = request::parse(body)?;
        let reply = match (service, &ask.wish) {
            (3, Wish::Timestamp) => {
                self.timestamp += 1;
                Reply::Timestamp(self.timestamp - 1)
            }
            (3, _) | (_, Wish::Timestamp) => return None,
            (0, _) => self.at_once(&ask),
            (1, _) => self.sequential.handle(caller, &ask, now, &mut self.rng),
            _ => self.last_write.handle(&ask, &mut self.rng),
        };
        Some(reply.body(&ask.msg_id))
    }

    /// Who, of those that asked seq-kv, last read what had been written again by then.
    pub fn stale_reads(&self) -> impl Iterator<Item = (&str, StaleRead)> {
        self.sequential.stale_reads()
    }

    fn at_once(&mut self, ask: &Ask) -> Reply {
        let (written, reply) = ask.wish.apply(self.linearizable.get(&ask.key), true);
        if let Some(datum) = written {
            self.linearizable.insert(ask.key.clone(), datum);
        }
        reply
    }
}

#[cfg(test)]
mod tests;
