//! seq-kv: all callers see the writes in one order, but perhaps late (protocol §8.3).
//!
//! Each change makes a new state of the whole store. A request is tried on a state drawn between the one that its
//! caller saw last and the newest; if it changes nothing, its answer stands, otherwise it is applied to the newest
//! state. 32 states are kept in a ring, and the number of an older one stands for the state that replaced it.
//!
//! Two successive states differ in at most one key, so the ring is stored as the last values of each key.

use std::collections::{BTreeMap, VecDeque};

use chacha20::ChaCha8Rng;
use rand::RngExt as _;

use super::StaleRead;
use super::request::{JsonText, Operation, Reply, ServiceRequest};
use crate::time::Time;

/// States in the ring.
const KEPT: u64 = 32;

#[derive(Debug, Default)]
pub(super) struct Sequential {
    /// The number of the newest state; 0 is the empty store.
    last: u64,
    /// The number of the state that each caller saw last.
    seen: BTreeMap<Box<str>, u64>,
    /// The values of each key with the states that introduced them, in order.
    keys: BTreeMap<String, Vec<(u64, JsonText)>>,
    /// When the states in the ring were created, the newest last; the empty store has no entry.
    created: VecDeque<Time>,
    /// For each caller, the keys whose last read was stale.
    stale: BTreeMap<Box<str>, BTreeMap<String, StaleRead>>,
}

impl Sequential {
    pub(super) fn handle(&mut self, caller: &str, request: &ServiceRequest, now: Time, rng: &mut ChaCha8Rng) -> Reply {
        let first = self.seen.get(caller).copied().unwrap_or(0);
        let drawn = rng.random_range(first..=self.last);
        let state = self.last - (self.last - drawn) % KEPT;
        let current = self.at(&request.key, state);
        let (written, reply) = request.operation.apply(current, true);
        if written.is_none_or(|written| current.is_some_and(|current| current.same(&written))) {
            self.seen.insert(caller.into(), drawn);
            if matches!(request.operation, Operation::Read) {
                self.note_read(caller, &request.key, state, now);
            }
            return reply;
        }
        let (written, reply) = request.operation.apply(self.at(&request.key, self.last), true);
        self.last += 1;
        self.created.push_back(now);
        if self.created.len() as u64 > KEPT {
            self.created.pop_front();
        }
        self.seen.insert(caller.into(), self.last);
        if let Some(datum) = written {
            self.change(&request.key, datum);
        }
        reply
    }

    /// The stale read of each caller: of several keys, the one from the oldest state.
    pub(super) fn stale_reads(&self) -> impl Iterator<Item = (&str, StaleRead)> {
        let oldest = |keys: &BTreeMap<String, StaleRead>| keys.values().copied().min_by_key(|read| read.state);
        self.stale.iter().filter_map(move |(caller, keys)| Some((&**caller, oldest(keys)?)))
    }

    fn note_read(&mut self, caller: &str, key: &str, state: u64, now: Time) {
        let newest = self.keys.get(key).and_then(|values| values.last()).map_or(0, |(since, _)| *since);
        let ring = self.last - self.created.len() as u64;
        let created = usize::try_from(state.wrapping_sub(ring + 1)).ok().and_then(|place| self.created.get(place));
        let read = StaleRead { state: created.copied().unwrap_or(Time::ZERO), read: now };
        let of_caller = self.stale.entry(caller.into()).or_default();
        if newest > state {
            of_caller.insert(key.to_owned(), read);
        } else {
            of_caller.remove(key);
        }
    }

    /// A key's value in a state.
    fn at(&self, key: &str, state: u64) -> Option<&JsonText> {
        let values = self.keys.get(key)?;
        values.iter().rev().find(|(since, _)| *since <= state).map(|(_, datum)| datum)
    }

    /// Sets a key's value in the newest state, and drops values that are in no kept state.
    fn change(&mut self, key: &str, datum: JsonText) {
        let values = self.keys.entry(key.to_owned()).or_default();
        values.push((self.last, datum));
        let oldest = self.last.saturating_sub(KEPT - 1);
        let gone = values.iter().rposition(|(since, _)| *since <= oldest).unwrap_or(0);
        values.drain(..gone);
    }
}
