//! Counters: an addition at one node counts at all; a g-counter has no negative ones.

use chacha20::ChaCha8Rng;
use rand::RngExt as _;

use super::{Act, ConvergenceProbe, EachOnce, Invocation, Last, Workload, field};
use crate::time::{Duration, Time};
use crate::workbench::edn::Value;
use crate::workbench::generator::Threads;
use crate::workbench::history::Op;
use crate::workbench::workload::client::{ErrorPolicy, Request, Schema, TIMEOUT, is_integer};

#[derive(Debug, Default)]
pub(super) struct Counter {
    grows: bool,
    last: EachOnce,
}

impl Counter {
    pub(super) fn growing() -> Self {
        Self { grows: true, ..Self::default() }
    }
}

impl Workload for Counter {
    /// Half of the operations add. A g-counter's negative ones are discarded and drawn again, which leaves a third.
    fn next(&mut self, threads: &Threads, _: Time, rng: &mut ChaCha8Rng) -> Option<(usize, Invocation)> {
        let thread = threads.round_robin()?;
        while !rng.random::<bool>() {
            let delta = rng.random_range(-5..5);
            if delta >= 0 || !self.grows {
                return Some((thread, Invocation::new("add", Value::Int(delta))));
            }
        }
        Some((thread, Invocation::new("read", Value::Nil)))
    }

    fn begin(&mut self, _: usize, invocation: &Invocation) -> Act {
        let (body, reply) = if let Value::Int(delta) = invocation.value {
            (format!("{{\"type\":\"add\",\"delta\":{delta}}}"), Schema { kind: "add_ok", fields: &[] })
        } else {
            ("{\"type\":\"read\"}".into(), Schema { kind: "read_ok", fields: &[("value", is_integer)] })
        };
        Act::Ask(Request { body, reply, timeout: TIMEOUT })
    }

    fn proceed(&mut self, _: usize, invocation: &Invocation, reply: Vec<(Box<str>, Value)>) -> Act {
        Act::Done(if invocation.f == "read" { field(reply, "value") } else { invocation.value.clone() })
    }

    fn error_policy(&self) -> ErrorPolicy {
        ErrorPolicy { maps_errors: false, idempotent: &[], reusable: false }
    }

    fn has_last(&self) -> bool {
        true
    }

    fn convergence_probes(&self, _: &[Op]) -> Vec<Box<dyn ConvergenceProbe>> {
        vec![Box::new(Total)]
    }

    fn next_last(&mut self, threads: &Threads, _: Duration, rng: &mut ChaCha8Rng) -> Last {
        self.last.next(threads, rng, Invocation::new("read", Value::Nil).marked("final?", true.into()))
    }
}

/// What a replica is asked when all is over: the total of the counter.
#[derive(Debug)]
struct Total;

impl ConvergenceProbe for Total {
    fn reply(&self) -> Schema {
        Schema { kind: "read_ok", fields: &[("value", is_integer)] }
    }

    fn receive(&self, reply: Vec<(Box<str>, Value)>, received: &mut Vec<Value>) -> bool {
        received.push(field(reply, "value"));
        false
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    /// The operations of 30,000 that add, by how much.
    fn adds(mut counter: Counter) -> Vec<i64> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let threads = Threads::new(1);
        let ops = (0..30_000).filter_map(|_| counter.next(&threads, Time::ZERO, &mut rng));
        ops.filter_map(|(_, invocation)| invocation.value.as_int()).collect()
    }

    #[test]
    fn half_of_the_operations_add_from_minus_5_to_4() {
        let adds = adds(Counter::default());
        assert!((14_600..15_400).contains(&adds.len()), "{}", adds.len());
        for delta in -5..5 {
            let count = adds.iter().filter(|add| **add == delta).count();
            assert!((1_350..1_650).contains(&count), "{delta}: {count}");
        }
    }

    #[test]
    fn a_third_of_a_g_counters_operations_add_from_0_to_4() {
        let adds = adds(Counter::growing());
        assert!((9_600..10_400).contains(&adds.len()), "{}", adds.len());
        for delta in 0..5 {
            let count = adds.iter().filter(|add| **add == delta).count();
            assert!((1_850..2_150).contains(&count), "{delta}: {count}");
        }
    }

    #[test]
    fn every_thread_reads_once_in_the_end() {
        let mut counter = Counter::default();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut next = || counter.next_last(&Threads::new(3), Duration::ZERO, &mut rng);
        let mut seen: Vec<usize> = (0..3)
            .map(|_| {
                let Last::Begin(thread, read) = next() else { panic!("three threads read") };
                assert_eq!(read.marks, [(Value::keyword("final?"), Value::Bool(true))]);
                thread
            })
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2]);
        assert_eq!(next(), Last::Over);
    }
}
