//! Clients that overlap, fail, crash and never hear back, at random.

use chacha20::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};

use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind, Process};

/// A source of chance.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// Whether something of this probability happens.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.0.random_bool(probability)
    }

    /// A number from 0 on, below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end)
    }

    /// A number of a range, both ends included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0.random_range(low..=high)
    }

    pub(super) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// What clients of a workload ask, and what happens to them.
pub(super) trait Clients {
    /// The next operation of a process: its name, its value and whether it is a final one.
    fn ask(&mut self, process: u64, dice: &mut Dice) -> (&'static str, Value, bool);
    /// How it ends.
    fn answer(&mut self, process: u64, f: &str, asked: &Value, dice: &mut Dice) -> (OpKind, Value);
}

/// No history has so many operations: an oracle may try every order, or every subset, of them.
const MOST: usize = 20;

/// An operation that has begun.
struct Open {
    f: &'static str,
    value: Value,
    is_final: bool,
}

/// The history of a seed.
pub(super) fn draw<C: Clients>(seed: u64, clients: impl Fn(&mut Dice) -> C) -> History {
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
    let mut clients = clients(&mut dice);
    let threads = 1 + dice.below(4);
    let mut names: Vec<u64> = (0..threads as u64).collect();
    let mut open: Vec<Option<Open>> = (0..threads).map(|_| None).collect();
    let (mut left, mut time) = (dice.below(MOST), 0);
    let mut history = History::default();
    while left > 0 || open.iter().any(Option::is_some) {
        let thread = dice.below(threads);
        time += dice.one_of(&[0, 1, 400_000, 1_000_000, 2_600_000]);
        let op = |kind, process, f: &'static str, value, is_final| Op {
            index: 0,
            time,
            kind,
            process,
            f: f.into(),
            value,
            error: None,
            extra: if is_final { vec![(Value::keyword("final?"), true.into())] } else { Vec::new() },
        };
        if dice.chance(0.02) {
            history.push(op(OpKind::Info, Process::Nemesis, "start-partition", Value::Nil, false));
        }
        let process = names[thread];
        match open[thread].take() {
            Some(Open { .. }) if left == 0 && dice.chance(0.1) => {} // the run ends before it does
            Some(Open { f, value, is_final }) => {
                let (kind, mut told) = clients.answer(process, f, &value, &mut dice);
                if kind == OpKind::Info {
                    names[thread] += threads as u64;
                    told = value;
                }
                let mut op = op(kind, Process::Client(process), f, told, is_final);
                if kind == OpKind::Info {
                    op.error = Some(Value::keyword(dice.one_of(&["net-timeout", "crash"])));
                }
                history.push(op);
            }
            None if left > 0 => {
                left -= 1;
                let (f, value, is_final) = clients.ask(process, &mut dice);
                history.push(op(OpKind::Invoke, Process::Client(process), f, value.clone(), is_final));
                open[thread] = Some(Open { f, value, is_final });
            }
            None => {}
        }
    }
    history
}
