//! seq-kv: everyone sees the writes in one order, but perhaps late (protocol §8.3).
//!
//! Each change makes a new state of the whole store. A request is tried on a state drawn between the one its caller
//! last met and the newest; only if that changes nothing does the answer count, else the request is carried out on the
//! newest. Thirty-two states are kept in a ring, and an older one is taken for the one that replaced it.
//!
//! A state differs from the one before in one key at most, so per key the values of the last thirty-two are kept.

use std::collections::{BTreeMap, VecDeque};

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::StaleRead;
use super::request::{Ask, Datum, Reply, Wish};
use crate::time::Time;

/// States in the ring.
const KEPT: u64 = 32;

#[derive(Debug, Default)]
pub(super) struct Sequential {
    /// The number of the newest state; 0 is the empty store.
    last: u64,
    /// The state that each caller last met.
    met: BTreeMap<Box<str>, u64>,
    /// For each key the states in which it got its values, in order.
    keys: BTreeMap<String, Vec<(u64, Datum)>>,
    /// When the states in the ring were made, the newest last; the empty store was there from the beginning.
    made: VecDeque<Time>,
    /// For each caller the keys that it last read in a state which did not have their newest value.
    stale: BTreeMap<Box<str>, BTreeMap<String, StaleRead>>,
}

impl Sequential {
    pub(super) fn handle(&mut self, caller: &str, ask: &Ask, now: Time, rng: &mut ChaCha8Rng) -> Reply {
        let first = self.met.get(caller).copied().unwrap_or(0);
        let drawn = rng.random_range(first..=self.last);
        let state = self.last - (self.last - drawn) % KEPT;
        let current = self.at(&ask.key, state);
        let (written, reply) = ask.wish.apply(current, true);
        if written.is_none_or(|written| current.is_some_and(|current| current.same(&written))) {
            self.met.insert(caller.into(), drawn);
            if matches!(ask.wish, Wish::Read) {
                self.note_read(caller, &ask.key, state, now);
            }
            return reply;
        }
        let (written, reply) = ask.wish.apply(self.at(&ask.key, self.last), true);
        self.last += 1;
        self.made.push_back(now);
        if self.made.len() as u64 > KEPT {
            self.made.pop_front();
        }
        self.met.insert(caller.into(), self.last);
        if let Some(datum) = written {
            self.change(&ask.key, datum);
        }
        reply
    }

    /// What each caller last read that had been written again by then: of several keys the one in the oldest state.
    pub(super) fn stale_reads(&self) -> impl Iterator<Item = (&str, StaleRead)> {
        let oldest = |keys: &BTreeMap<String, StaleRead>| keys.values().copied().min_by_key(|read| read.state);
        self.stale.iter().filter_map(move |(caller, keys)| Some((&**caller, oldest(keys)?)))
    }

    fn note_read(&mut self, caller: &str, key: &str, state: u64, now: Time) {
        let newest = self.keys.get(key).and_then(|values| values.last()).map_or(0, |(since, _)| *since);
        let ring = self.last - self.made.len() as u64;
        let made = usize::try_from(state.wrapping_sub(ring + 1)).ok().and_then(|place| self.made.get(place));
        let read = StaleRead { state: made.copied().unwrap_or(Time::ZERO), read: now };
        let of_caller = self.stale.entry(caller.into()).or_default();
        if newest > state {
            of_caller.insert(key.to_owned(), read);
        } else {
            of_caller.remove(key);
        }
    }

    /// A key's value in a state.
    fn at(&self, key: &str, state: u64) -> Option<&Datum> {
        let values = self.keys.get(key)?;
        values.iter().rev().find(|(since, _)| *since <= state).map(|(_, datum)| datum)
    }

    /// Gives a key its value in the newest state, and forgets those that no kept state has.
    fn change(&mut self, key: &str, datum: Datum) {
        let values = self.keys.entry(key.to_owned()).or_default();
        values.push((self.last, datum));
        let oldest = self.last.saturating_sub(KEPT - 1);
        let gone = values.iter().rposition(|(since, _)| *since <= oldest).unwrap_or(0);
        values.drain(..gone);
    }
}
