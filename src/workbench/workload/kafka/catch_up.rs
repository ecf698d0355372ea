//! The final phase: each thread gets a new client, assigns all keys from offset 0, and polls until it has seen the
//! highest known offset of each key, for at most 10 s.

use chacha20::ChaCha8Rng;
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;

use super::offsets::Offsets;
use super::{FinalStep, Invocation, keys, poll};
use crate::time::Duration;
use crate::workbench::edn::Value;
use crate::workbench::generator::Threads;

const LIMIT: Duration = Duration::from_secs(10);
/// The mean time between polls of a thread.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Crash,
    Assign,
    Poll,
}

#[derive(Debug, Clone)]
struct Reader {
    stage: Stage,
    due: Duration,
    /// The offsets that it has not reached yet.
    missing: Offsets,
}

#[derive(Debug)]
pub(super) struct CatchUp {
    keys: Value,
    readers: Vec<Reader>,
}

impl CatchUp {
    /// Each of the `threads` is to read up to these offsets.
    pub(super) fn new(known: &Offsets, threads: usize) -> Self {
        let reader = Reader { stage: Stage::Crash, due: Duration::ZERO, missing: known.clone() };
        Self { keys: keys(known.keys().copied()), readers: vec![reader; threads] }
    }

    /// Records the highest offsets of a thread's poll.
    pub(super) fn saw(&mut self, thread: usize, polled: &Offsets) {
        let missing = &mut self.readers[thread].missing;
        missing.retain(|key, wanted| polled.get(key).is_none_or(|offset| offset < wanted));
    }

    pub(super) fn next(&mut self, threads: &Threads, elapsed: Duration, rng: &mut ChaCha8Rng) -> FinalStep {
        let behind = |thread: &usize| !self.readers[*thread].missing.is_empty();
        let behind: Vec<usize> = (0..self.readers.len()).filter(behind).collect();
        if behind.is_empty() || elapsed >= LIMIT {
            return FinalStep::Over;
        }
        let free: Vec<usize> = behind.into_iter().filter(|thread| threads.is_free(*thread)).collect();
        let due: Vec<usize> = free.iter().copied().filter(|thread| self.readers[*thread].due <= elapsed).collect();
        let Some(&thread) = due.choose(rng) else {
            return FinalStep::Wait(free.iter().map(|thread| self.readers[*thread].due.min(LIMIT)).min());
        };
        let reader = &mut self.readers[thread];
        let invocation = match reader.stage {
            Stage::Crash => {
                reader.stage = Stage::Assign;
                Invocation::new("crash", Value::Nil)
            }
            Stage::Assign => {
                reader.stage = Stage::Poll;
                Invocation::new("assign", self.keys.clone()).marked("seek-to-beginning?", true.into())
            }
            Stage::Poll => {
                reader.due = elapsed + POLL_INTERVAL.mul_f64(rng.random_range(0.0..2.0));
                poll().marked("poll-ms", Value::Int(1000))
            }
        };
        FinalStep::Begin(thread, invocation)
    }
}
