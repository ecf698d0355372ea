//! Maelstrom's services: seq-kv, lin-kv, lww-kv and lin-tso (protocol §8).
//!
//! State machines: a request in, at most one reply out; random choices come from the seed. Latency and queues belong to
//! the network. The staleness of seq-kv and lww-kv is drawn exactly as Maelstrom draws it: fresher answers would hide
//! bugs of nodes, staler ones would fail correct nodes.

mod last_write;
mod request;
mod sequential;

use std::collections::BTreeMap;

use chacha20::ChaCha8Rng;

use crate::time::Time;
use last_write::LastWriteWins;
use request::{JsonText, Operation, Reply, ServiceRequest};
use sequential::Sequential;

/// A read of seq-kv that returned an overwritten value, as a sequentially consistent store may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaleRead {
    /// When the state that was read was created.
    pub state: Time,
    /// When the read happened.
    pub read: Time,
}

/// All services of one test.
#[derive(Debug)]
pub struct Services {
    rng: ChaCha8Rng,
    linearizable: BTreeMap<String, JsonText>,
    sequential: Sequential,
    last_write: LastWriteWins,
    timestamp: u64,
}

impl Services {
    /// The services' ids.
    pub const NAMES: [&'static str; 4] = ["lin-kv", "seq-kv", "lww-kv", "lin-tso"];

    /// Empty services; `rng` makes their random choices.
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

    /// The body of the reply of the service at this position in [`Services::NAMES`] to a message from `caller`; `None`
    /// for a request of an unknown type.
    pub fn handle(&mut self, service: usize, caller: &str, body: &str, now: Time) -> Option<String> {
        let request = request::parse(body)?;
        let reply = match (service, &request.operation) {
            (3, Operation::Timestamp) => {
                self.timestamp += 1;
                Reply::Timestamp(self.timestamp - 1)
            }
            (3, _) | (_, Operation::Timestamp) => return None,
            (0, _) => self.at_once(&request),
            (1, _) => self.sequential.handle(caller, &request, now, &mut self.rng),
            _ => self.last_write.handle(&request, &mut self.rng),
        };
        Some(reply.body(&request.msg_id))
    }

    /// The callers of seq-kv whose last read of some key was stale.
    pub fn stale_reads(&self) -> impl Iterator<Item = (&str, StaleRead)> {
        self.sequential.stale_reads()
    }

    fn at_once(&mut self, request: &ServiceRequest) -> Reply {
        let (written, reply) = request.operation.apply(self.linearizable.get(&request.key), true);
        if let Some(datum) = written {
            self.linearizable.insert(request.key.clone(), datum);
        }
        reply
    }
}
