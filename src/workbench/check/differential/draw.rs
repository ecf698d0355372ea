//! Histories of clients that overlap, fail, crash and are never answered, at random.

use chacha20::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};

use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind, Process};

pub(in super::super) type Rng = ChaCha8Rng;

/// A service that may err, and what its clients ask of it.
pub(in super::super) trait Service {
    /// The next request of a process: its function and its value.
    fn request(&mut self, process: u64, rng: &mut Rng) -> (&'static str, Value);

    /// Performs a request, and returns its outcome.
    fn perform(&mut self, process: u64, f: &str, asked: &Value, rng: &mut Rng) -> (OpKind, Value);
}

pub(super) fn one_of<T: Copy>(rng: &mut Rng, choices: &[T]) -> T {
    choices[rng.random_range(0..choices.len())]
}

/// An operation that has begun, with its outcome once it has been performed.
struct Running {
    f: &'static str,
    asked: Value,
    is_final: bool,
    outcome: Option<(OpKind, Value)>,
}

/// The history of a seed, of fewer than `operations` operations. Each is performed at some moment between its
/// invocation and its completion. Half the reads are final ones.
pub(in super::super) fn draw<S: Service>(seed: u64, operations: usize, service: impl Fn(&mut Rng) -> S) -> History {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut service = service(&mut rng);
    let threads = rng.random_range(1..5);
    let mut processes: Vec<u64> = (0..threads).collect();
    let mut running: Vec<Option<Running>> = (0..threads).map(|_| None).collect();
    let (mut left, mut time) = (rng.random_range(0..operations), 0);
    let mut history = History::default();
    while left > 0 || running.iter().any(Option::is_some) {
        time += one_of(&mut rng, &[0, 1, 400_000, 1_000_000, 2_600_000]);
        let op = |kind, process, f: &'static str, value, is_final, error| Op {
            index: 0,
            time,
            kind,
            process,
            f: f.into(),
            value,
            error,
            extra: if is_final { vec![(Value::keyword("final?"), true.into())] } else { Vec::new() },
        };
        if rng.random_bool(0.02) {
            history.push(op(OpKind::Info, Process::Nemesis, "start-partition", Value::Nil, false, None));
        }
        let thread = rng.random_range(0..running.len());
        let (process, running) = (&mut processes[thread], &mut running[thread]);
        let client = Process::Client(*process);
        match running.take() {
            None if left > 0 => {
                left -= 1;
                let (f, asked) = service.request(*process, &mut rng);
                let is_final = f == "read" && rng.random_bool(0.5);
                history.push(op(OpKind::Invoke, client, f, asked.clone(), is_final, None));
                *running = Some(Running { f, asked, is_final, outcome: None });
            }
            None => {}
            Some(_) if left == 0 && rng.random_bool(0.05) => {} // never answered
            Some(Running { f, asked, is_final, outcome: None }) => {
                let outcome = Some(service.perform(*process, f, &asked, &mut rng));
                *running = Some(Running { f, asked, is_final, outcome });
            }
            Some(Running { f, asked, is_final, outcome: Some((OpKind::Info, _)) }) => {
                *process += threads;
                let error = one_of(&mut rng, &[Some("net-timeout"), Some("crash"), None]).map(Value::keyword);
                history.push(op(OpKind::Info, client, f, asked, is_final, error));
            }
            Some(Running { f, is_final, outcome: Some((kind, value)), .. }) => {
                history.push(op(kind, client, f, value, is_final, None));
            }
        }
    }
    history
}
