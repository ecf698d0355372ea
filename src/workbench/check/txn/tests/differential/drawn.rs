//! Small histories of a database that is right, or errs in what it reads, undoes and answers.

use std::collections::BTreeMap;

use chacha20::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};

/// A step: a read with what it saw, or a write with what it wrote. None is nil; a register has at most one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mop {
    pub(super) write: bool,
    pub(super) key: i64,
    pub(super) value: Option<Vec<i64>>,
}

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Ok,
    Fail,
    Info,
}

/// A transaction, with the places in the history where it began and ended.
#[derive(Debug, Clone)]
pub(super) struct Txn {
    pub(super) process: usize,
    pub(super) end: End,
    pub(super) asked: Vec<Mop>,
    pub(super) ended: Vec<Mop>,
    pub(super) began_at: usize,
    pub(super) ended_at: usize,
}

/// A history: transactions in the order of their ends.
#[derive(Debug)]
pub(super) struct Drawn {
    pub(super) is_list: bool,
    pub(super) txns: Vec<Txn>,
}

const CLIENTS: usize = 3;

struct Draw {
    rng: ChaCha8Rng,
    is_list: bool,
    errs: bool,
    state: BTreeMap<i64, Vec<i64>>,
    /// Of each key the last value that anybody was asked to write.
    last: BTreeMap<i64, i64>,
}

impl Drawn {
    pub(super) fn new(is_list: bool, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let errs = rng.random_bool(0.7);
        let mut draw = Draw { rng, is_list, errs, state: BTreeMap::new(), last: BTreeMap::new() };
        let count = draw.rng.random_range(1..=6);
        let clients = draw.rng.random_range(1..=CLIENTS);
        let mut busy: Vec<Option<Txn>> = vec![None; clients];
        let mut processes: Vec<usize> = (0..clients).collect();
        let (mut txns, mut begun, mut place) = (Vec::new(), 0, 0);
        while txns.len() < count {
            let client = draw.rng.random_range(0..clients);
            match busy[client].take() {
                None if begun < count => {
                    let asked = draw.question();
                    let (process, end) = (processes[client], draw.outcome());
                    busy[client] = Some(Txn { process, end, asked, ended: vec![], began_at: place, ended_at: 0 });
                    begun += 1;
                    place += 1;
                }
                None => {}
                Some(txn) if txn.ended.is_empty() && !txn.asked.is_empty() => {
                    busy[client] = Some(Txn { ended: draw.perform(&txn), ..txn });
                }
                Some(txn) => {
                    let ended = if txn.end == End::Ok { draw.answer(txn.ended) } else { txn.asked.clone() };
                    if txn.end == End::Info {
                        processes[client] += CLIENTS;
                    }
                    txns.push(Txn { ended, ended_at: place, ..txn });
                    place += 1;
                }
            }
        }
        Self { is_list, txns }
    }

    /// The lines of the history.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<(usize, String)> = Vec::new();
        for txn in &self.txns {
            let end = match txn.end {
                End::Ok => "ok",
                End::Fail => "fail",
                End::Info => "info",
            };
            lines.push((txn.began_at, format!("{} invoke txn {}", txn.process, self.text(&txn.asked))));
            lines.push((txn.ended_at, format!("{} {end} txn {}", txn.process, self.text(&txn.ended))));
        }
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }

    fn text(&self, mops: &[Mop]) -> String {
        let mop = |mop: &Mop| {
            let f = match (mop.write, self.is_list) {
                (false, _) => "r",
                (true, true) => "append",
                (true, false) => "w",
            };
            let values = mop.value.as_ref().map(|values| values.iter().map(ToString::to_string).collect::<Vec<_>>());
            let value = match values {
                None => "nil".to_owned(),
                Some(values) if self.is_list && !mop.write => format!("[{}]", values.join(" ")),
                Some(values) => values.join(" "),
            };
            format!("[:{f} {} {value}]", mop.key)
        };
        format!("[{}]", mops.iter().map(mop).collect::<Vec<_>>().join(" "))
    }
}

impl Draw {
    fn question(&mut self) -> Vec<Mop> {
        let count = self.rng.random_range(1..=4);
        let mop = |_| {
            let (write, key) = (self.rng.random_bool(0.5), self.rng.random_range(1..=3));
            let value = write.then(|| {
                let last = self.last.entry(key).or_default();
                *last += 1;
                vec![*last]
            });
            Mop { write, key, value }
        };
        (0..count).map(mop).collect()
    }

    fn outcome(&mut self) -> End {
        match self.rng.random_range(0..10) {
            0 => End::Fail,
            1 => End::Info,
            _ => End::Ok,
        }
    }

    fn perform(&mut self, txn: &Txn) -> Vec<Mop> {
        let before = self.state.clone();
        let mut done = Vec::new();
        for mop in &txn.asked {
            let value = if let Some(value) = mop.value.clone() {
                let values = self.state.entry(mop.key).or_default();
                if !self.is_list {
                    values.clear();
                }
                values.extend(&value);
                Some(value)
            } else if self.errs && self.rng.random_bool(0.2) {
                self.wrong(mop.key)
            } else {
                self.state.get(&mop.key).cloned()
            };
            done.push(Mop { value, ..mop.clone() });
        }
        let undone = txn.end == End::Fail || (txn.end == End::Info && self.rng.random());
        if undone && !(self.errs && self.rng.random_bool(0.5)) {
            self.state = before;
        }
        done
    }

    /// What a read should not have seen, most of the time.
    fn wrong(&mut self, key: i64) -> Option<Vec<i64>> {
        let highest = self.last.get(&key).copied().unwrap_or_default();
        if self.rng.random_bool(0.2) {
            return None;
        }
        if !self.is_list {
            return Some(vec![self.rng.random_range(1..=highest + 1)]);
        }
        let mut list = self.state.get(&key).cloned().unwrap_or_default();
        match self.rng.random_range(0..4) {
            0 => list.truncate(self.rng.random_range(0..=list.len())),
            1 if !list.is_empty() => drop(list.remove(self.rng.random_range(0..list.len()))),
            2 if list.len() > 1 => list.swap(0, 1),
            _ => list.push(self.rng.random_range(1..=highest + 1)),
        }
        Some(list)
    }

    /// The answer to what was done, perhaps with other steps.
    fn answer(&mut self, mut done: Vec<Mop>) -> Vec<Mop> {
        if !self.errs || self.rng.random_bool(0.8) || done.is_empty() {
            return done;
        }
        let place = self.rng.random_range(0..done.len());
        match self.rng.random_range(0..4) {
            0 => drop(done.remove(place)),
            1 if done[place].write && !self.is_list => done[place].value = None,
            2 if done[place].write => done[place].value = Some(vec![self.rng.random_range(1..=3)]),
            _ => done[place].key = self.rng.random_range(1..=3),
        }
        done
    }
}
