//! Clients that add integers and read all there is: the workloads of sets and counters.
//!
//! Half of the operations read, and in the end every client reads once more.

use chacha20::ChaCha8Rng;
use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use super::topology::Topology;
use super::{ClientAction, ConvergenceProbe, FinalStep, Invocation, Workload, field};
use crate::time::{Duration, Time};
use crate::workbench::edn::Value;
use crate::workbench::generator::Threads;
use crate::workbench::history::Op;
use crate::workbench::workload::client::{ErrorPolicy, Field, Request};

const READ: &str = "{\"type\":\"read\"}";

/// The requests of a workload, and what is added.
#[derive(Debug, Clone, Copy)]
pub(super) struct AddRequests {
    /// The operation that adds, which is also the type of its request.
    pub(super) add: &'static str,
    /// The field of that request with the value.
    pub(super) operand: &'static str,
    /// The type of its reply.
    pub(super) added: &'static str,
    /// The field of the reply to a read.
    pub(super) contents: &'static [Field; 1],
    /// The value to add after this many others; `None` to draw the operation again.
    pub(super) draw: fn(i64, &mut ChaCha8Rng) -> Option<i64>,
    /// How clients treat errors.
    pub(super) error_policy: ErrorPolicy,
    /// Whether the reads of the end are marked.
    pub(super) marks_final: bool,
}

#[derive(Debug)]
pub(super) struct AddAndRead {
    additions: AddRequests,
    /// The topology that the nodes are sent first.
    topology: Option<Topology>,
    added: i64,
    /// The threads whose read of the end is to come, in the reverse order.
    to_read: Option<Vec<usize>>,
}

impl AddAndRead {
    pub(super) fn new(additions: AddRequests, topology: Option<Topology>) -> Self {
        Self { additions, topology, added: 0, to_read: None }
    }
}

impl Workload for AddAndRead {
    fn next(&mut self, threads: &Threads, _: Time, rng: &mut ChaCha8Rng) -> Option<(usize, Invocation)> {
        let thread = threads.round_robin()?;
        while !rng.random::<bool>() {
            if let Some(value) = (self.additions.draw)(self.added, rng) {
                self.added += 1;
                return Some((thread, Invocation::new(self.additions.add, Value::Int(value))));
            }
        }
        Some((thread, Invocation::new("read", Value::Nil)))
    }

    fn begin(&mut self, _: usize, invocation: &Invocation) -> ClientAction {
        let AddRequests { add, operand, added, contents, .. } = self.additions;
        ClientAction::Send(if let Value::Int(value) = invocation.value {
            Request::new(format!("{{\"type\":\"{add}\",\"{operand}\":{value}}}"), added, &[])
        } else {
            Request::new(READ, "read_ok", contents)
        })
    }

    fn on_reply(&mut self, _: usize, invocation: &Invocation, reply: Vec<(Box<str>, Value)>) -> ClientAction {
        let [(contents, _)] = self.additions.contents;
        ClientAction::Complete(if invocation.f == "read" { field(reply, contents) } else { invocation.value.clone() })
    }

    fn error_policy(&self) -> ErrorPolicy {
        self.additions.error_policy
    }

    fn set_up(&self, nodes: &[String]) -> Option<Request> {
        let topology = self.topology?.to_json(nodes);
        Some(Request::new(format!("{{\"type\":\"topology\",\"topology\":{topology}}}"), "topology_ok", &[]))
    }

    fn has_final_phase(&self) -> bool {
        true
    }

    fn convergence_probes(&self, _: &[Op]) -> Vec<Box<dyn ConvergenceProbe>> {
        vec![Box::new(Contents(self.additions.contents))]
    }

    fn next_final(&mut self, threads: &Threads, _: Duration, rng: &mut ChaCha8Rng) -> FinalStep {
        let left = self.to_read.get_or_insert_with(|| {
            let mut all: Vec<usize> = (0..threads.count()).collect();
            all.shuffle(rng);
            all
        });
        let Some(thread) = left.pop() else { return FinalStep::Over };
        let read = Invocation::new("read", Value::Nil);
        FinalStep::Begin(thread, if self.additions.marks_final { read.marked("final?", true.into()) } else { read })
    }
}

/// What a replica is asked when all is over: the elements of its set, or the one value of its counter.
#[derive(Debug)]
struct Contents(&'static [Field; 1]);

impl ConvergenceProbe for Contents {
    fn request(&self, _: &[Value]) -> Request {
        Request::new(READ, "read_ok", self.0)
    }

    fn receive(&self, reply: Vec<(Box<str>, Value)>, received: &mut Vec<Value>) -> bool {
        let [(name, _)] = self.0;
        let value = field(reply, name);
        *received = match value.items() {
            Some(items) => items.map(std::borrow::Cow::into_owned).collect(),
            None => Vec::from_iter(Some(value).filter(|value| !value.is_nil())),
        };
        received.sort_by_cached_key(|value| (value.as_int(), value.as_int().is_none().then(|| value.to_string())));
        received.dedup();
        false
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;
    use crate::workbench::json;
    use crate::workbench::test::TestConfig;
    use crate::workbench::workload::WorkloadKind;

    /// Values that 30,000 operations add.
    fn added(workload: WorkloadKind) -> Vec<i64> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut workload, threads) = (workload.begin(&TestConfig::default().workload_options()), Threads::new(1));
        let ops = (0..30_000).filter_map(|_| workload.next(&threads, Time::ZERO, &mut rng));
        ops.filter_map(|(_, invocation)| invocation.value.as_int()).collect()
    }

    /// The mean number of times that each value of a range is added.
    fn assert_uniform(added: &[i64], range: std::ops::Range<i64>, about: usize) {
        for value in range {
            let count = added.iter().filter(|other| **other == value).count();
            assert!(count.abs_diff(about) < 150, "{value}: {count}");
        }
    }

    #[test]
    fn half_of_the_operations_add() {
        for workload in [WorkloadKind::Broadcast, WorkloadKind::GSet, WorkloadKind::PnCounter] {
            let added = added(workload);
            assert!((14_600..15_400).contains(&added.len()), "{}", added.len());
            if workload == WorkloadKind::PnCounter {
                assert_uniform(&added, -5..5, 1_500);
            } else {
                assert!((0..).zip(&added).all(|(index, value)| index == *value), "no element is added twice");
            }
        }
    }

    #[test]
    fn a_third_of_a_g_counters_operations_add_from_0_to_4() {
        let added = added(WorkloadKind::GCounter);
        assert!((9_600..10_400).contains(&added.len()), "{}", added.len());
        assert_uniform(&added, 0..5, 2_000);
    }

    #[test]
    fn every_thread_reads_once_in_the_end() {
        let mut counter = WorkloadKind::PnCounter.begin(&TestConfig::default().workload_options());
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut next = || counter.next_final(&Threads::new(3), Duration::ZERO, &mut rng);
        let mut seen: Vec<usize> = (0..3)
            .map(|_| {
                let FinalStep::Begin(thread, read) = next() else { panic!("three threads read") };
                assert_eq!(read.marks, [(Value::keyword("final?"), Value::Bool(true))]);
                thread
            })
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2]);
        assert_eq!(next(), FinalStep::Over);
    }

    #[test]
    fn sets_are_equal_in_any_order_and_counters_if_their_values_are() {
        let receive = |text: &str| {
            let mut received = Vec::new();
            let reply = vec![("value".into(), json::value(text).expect("JSON"))];
            assert!(!Contents(&[("value", |_| true)]).receive(reply, &mut received));
            received
        };
        assert_eq!(receive(r#"[3,"b",1,2]"#), receive(r#"[1,2,2,3,"b"]"#));
        assert_eq!(receive("null"), receive("[]"));
        assert_eq!(receive("-7"), [Value::Int(-7)]);
    }
}
