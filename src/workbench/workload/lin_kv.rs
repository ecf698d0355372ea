//! Lin-kv: registers that are read, written and compared-and-set (protocol §10.3).
//!
//! Threads form groups of 2n for n nodes, each with a key of its own. Only threads with a number below n read, so that
//! only the first group has readers: a quirk of Maelstrom. A key is retired when more than 20 processes have used it,
//! which bounds the work of the checker.

use chacha20::ChaCha8Rng;
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;

use super::roles::Role;
use super::shape::{count, item};
use super::{ClientAction, Data, Descriptor, Invocation, SwarmRules, Workload, WorkloadOptions, field};
use crate::nodes;
use crate::time::{Duration, Time};
use crate::workbench::check::linearizable;
use crate::workbench::cluster::builtin::Builtin;
use crate::workbench::edn::Value;
use crate::workbench::generator::Threads;
use crate::workbench::history::{Op, OpKind};
use crate::workbench::workload::client::{ErrorPolicy, Request, Schema, is_anything};

/// Values are below this.
const VALUES: i64 = 5;
/// How many processes may use a key.
const MAX_PROCESSES: usize = 20;
/// The shortest time-out, ...
const TIMEOUT: Duration = Duration::from_secs(1);
/// ... or this many times the mean latency, if that is longer.
const LATENCIES: u32 = 10;

pub(super) const LIN_KV: Descriptor = Descriptor {
    name: "lin-kv",
    about: "linearizable registers with compare-and-set; needs a --concurrency of 2n, 4n, ...",
    begin: |options| Box::new(LinKv::new(options)),
    operations: ":read [key value], :write [key value] and :cas [key [from to]]",
    owns: |op| {
        let is_pair = |value: &Value| count(value) == Some(2);
        let is_cas = || op.f == "cas" && item(&op.value, 1).is_some_and(|pair| is_pair(&pair));
        is_pair(&op.value) && (op.f == "read" || op.f == "write" || is_cas())
    },
    check: |history, options| Ok(Box::new(linearizable::check(history, &options.budget)?)),
    data: Data::Registers,
    bodies: &[
        ("read", &[("key", Role::Key)]),
        ("read_ok", &[("value", Role::Values)]),
        ("write", &[("key", Role::Key), ("value", Role::Values)]),
        ("cas", &[("key", Role::Key), ("from", Role::Values), ("to", Role::Values)]),
    ],
    node: Builtin::new::<nodes::LinKv>(),
    swarm: SwarmRules { max_nodes: 5, threads: 2, duplication: false, ..SwarmRules::DEFAULT },
};

#[derive(Debug, Clone, Copy)]
struct Group {
    key: i64,
    processes: usize,
}

#[derive(Debug)]
struct LinKv {
    timeout: Duration,
    nodes: usize,
    groups: Vec<Group>,
    next_key: i64,
}

impl LinKv {
    fn new(options: &WorkloadOptions) -> Self {
        Self { timeout: TIMEOUT.max(options.latency * LATENCIES), nodes: 1, groups: Vec::new(), next_key: 0 }
    }

    fn fresh(&mut self) -> Group {
        self.next_key += 1;
        Group { key: self.next_key - 1, processes: 2 * self.nodes }
    }
}

impl Workload for LinKv {
    fn fits(&mut self, nodes: usize, threads: usize) -> Result<(), String> {
        let size = 2 * nodes;
        if size > MAX_PROCESSES {
            return Err(format!("lin-kv can be run on at most {} nodes, not on {nodes}", MAX_PROCESSES / 2));
        }
        if threads < size || !threads.is_multiple_of(size) {
            return Err(format!(
                "With {threads} worker threads, lin-kv cannot run a key with {size} threads concurrently; \
                 choose a --concurrency of 2n, 4n, 6n, ..."
            ));
        }
        self.nodes = nodes;
        self.groups = (0..threads / size).map(|_| self.fresh()).collect();
        Ok(())
    }

    fn next(&mut self, threads: &Threads, _: Time, rng: &mut ChaCha8Rng) -> Option<(usize, Invocation)> {
        let (nodes, size) = (self.nodes, 2 * self.nodes);
        let free = |thread: &usize| threads.is_free(*thread);
        let free: Vec<usize> = (0..self.groups.len())
            .filter(|group| (group * size..(group + 1) * size).any(|thread| free(&thread)))
            .collect();
        let group = *free.choose(rng)?;
        let readers = 0..if group == 0 { nodes } else { 0 };
        let writers = (group * size).max(readers.end)..(group + 1) * size;
        let reads = match (
            readers.clone().any(|thread| threads.is_free(thread)),
            writers.clone().any(|thread| threads.is_free(thread)),
        ) {
            (true, true) => rng.random(),
            (reads, _) => reads,
        };
        let chosen = if reads { readers } else { writers };
        let thread = threads.round_robin_of(|thread| chosen.contains(&thread))?;
        let mut value = || Value::Int(rng.random_range(0..VALUES));
        let (f, value) = if reads {
            ("read", Value::Nil)
        } else {
            let (first, second) = (value(), value());
            if rng.random_ratio(1, 3) { ("write", first) } else { ("cas", [first, second].into_iter().collect()) }
        };
        let key = Value::Int(self.groups[group].key);
        Some((thread, Invocation::new(f, [key, value].into_iter().collect())))
    }

    fn begin(&mut self, _: usize, invocation: &Invocation) -> ClientAction {
        let parts: Vec<_> = invocation.value.items().into_iter().flatten().collect();
        let part = |index: usize| parts.get(index).map_or_else(|| "null".into(), |part| part.to_json());
        let key = part(0);
        let (body, reply) = match invocation.f {
            "read" => {
                let body = format!("{{\"type\":\"read\",\"key\":{key}}}");
                (body, Schema { kind: "read_ok", fields: &[("value", is_anything)] })
            }
            "write" => {
                let body = format!("{{\"type\":\"write\",\"key\":{key},\"value\":{}}}", part(1));
                (body, Schema { kind: "write_ok", fields: &[] })
            }
            _ => {
                let pair: Vec<_> = parts.get(1).and_then(|pair| pair.items()).into_iter().flatten().collect();
                let side = |index: usize| pair.get(index).map_or_else(|| "null".into(), |side| side.to_json());
                let (from, to) = (side(0), side(1));
                let body = format!("{{\"type\":\"cas\",\"key\":{key},\"from\":{from},\"to\":{to}}}");
                (body, Schema { kind: "cas_ok", fields: &[] })
            }
        };
        ClientAction::Send(Request { body, reply, timeout: self.timeout })
    }

    fn on_reply(&mut self, _: usize, invocation: &Invocation, reply: Vec<(Box<str>, Value)>) -> ClientAction {
        if invocation.f != "read" {
            return ClientAction::Complete(invocation.value.clone());
        }
        let key = invocation.value.items().and_then(|mut parts| parts.next()).map(std::borrow::Cow::into_owned);
        ClientAction::Complete([key.unwrap_or_default(), field(reply, "value")].into_iter().collect())
    }

    fn error_policy(&self) -> ErrorPolicy {
        ErrorPolicy { maps_errors: true, idempotent: &["read"], reusable: true }
    }

    fn on_completion(&mut self, thread: usize, op: &Op) {
        let group = thread / (2 * self.nodes);
        if op.kind != OpKind::Info || group >= self.groups.len() {
            return;
        }
        self.groups[group].processes += 1;
        if self.groups[group].processes > MAX_PROCESSES {
            self.groups[group] = self.fresh();
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;
    use crate::workbench::history::Process;
    use crate::workbench::test::TestConfig;

    fn on(nodes: usize, threads: usize) -> LinKv {
        let mut lin_kv = LinKv::new(&TestConfig::default().workload_options());
        lin_kv.fits(nodes, threads).expect("it fits");
        lin_kv
    }

    fn generated(nodes: usize, threads: &Threads, count: usize) -> Vec<(usize, Invocation)> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut lin_kv = on(nodes, threads.count());
        (0..count).map(|_| lin_kv.next(threads, Time::ZERO, &mut rng).expect("some are free")).collect()
    }

    fn share(ops: &[(usize, Invocation)], of: impl Fn(&(usize, Invocation)) -> bool) -> usize {
        1_000 * ops.iter().filter(|op| of(op)).count() / ops.len()
    }

    #[test]
    fn half_of_the_first_groups_operations_read_a_sixth_writes_and_a_third_compares() {
        let ops = generated(3, &Threads::new(6), 30_000);
        assert!((490..510).contains(&share(&ops, |(_, op)| op.f == "read")));
        assert!((157..177).contains(&share(&ops, |(_, op)| op.f == "write")));
        assert!((323..343).contains(&share(&ops, |(_, op)| op.f == "cas")));
        assert!(ops.iter().all(|(thread, op)| (*thread < 3) == (op.f == "read")));
        let write = |value: i64| Value::ints(vec![0, value]);
        for value in 0..5 {
            let seen = share(&ops, |(_, op)| op.f == "write" && op.value == write(value));
            assert!((25..42).contains(&seen), "{value}: {seen}");
        }
    }

    #[test]
    fn other_groups_have_keys_of_their_own_and_never_read() {
        let ops = generated(3, &Threads::new(12), 30_000);
        assert!((240..260).contains(&share(&ops, |(_, op)| op.f == "read")));
        assert!((490..510).contains(&share(&ops, |(thread, _)| *thread >= 6)));
        let key = |op: &Invocation| op.value.items().and_then(|mut parts| parts.next()?.as_int());
        assert!(ops.iter().all(|(thread, op)| key(op) == Some(i64::from(*thread >= 6))));
    }

    #[test]
    fn a_half_that_is_busy_is_not_waited_for() {
        let mut threads = Threads::new(4);
        threads.begin(0);
        threads.begin(1);
        assert!(generated(2, &threads, 100).iter().all(|(thread, op)| *thread >= 2 && op.f != "read"));
        threads.begin(2);
        threads.begin(3);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert_eq!(on(2, 4).next(&threads, Time::ZERO, &mut rng), None);
    }

    #[test]
    fn a_key_is_retired_when_more_than_20_processes_have_had_to_do_with_it() {
        let mut lin_kv = on(5, 20);
        let (kind, process) = (OpKind::Info, Process::Client(0));
        let (value, error, extra) = (Value::Nil, None, Vec::new());
        let info = Op { index: 0, time: 0, kind, process, f: "cas".into(), value, error, extra };
        for crashes in 1..=11 {
            let keys: Vec<_> = lin_kv.groups.iter().map(|group| group.key).collect();
            assert_eq!(keys, [0, 1], "before crash {crashes}");
            lin_kv.on_completion(3, &info);
            lin_kv.on_completion(3, &Op { kind: OpKind::Fail, ..info.clone() });
        }
        assert_eq!((lin_kv.groups[0].key, lin_kv.groups[1].key), (2, 1));
    }

    #[test]
    fn it_takes_twice_as_many_threads_as_nodes_or_a_multiple_and_ten_nodes_at_most() {
        for (nodes, threads) in [(3, 3), (3, 7), (11, 22)] {
            assert!(
                LinKv::new(&TestConfig::default().workload_options()).fits(nodes, threads).is_err(),
                "{nodes} {threads}"
            );
        }
        on(10, 20);
    }

    #[test]
    fn requests_and_time_outs_are_those_of_maelstrom() {
        let mut lin_kv = LinKv::new(&WorkloadOptions {
            latency: Duration::from_millis(300),
            ..TestConfig::default().workload_options()
        });
        let mut asked = |f, text: &str| {
            let value = crate::workbench::edn::read(text).expect("EDN");
            let ClientAction::Send(request) = lin_kv.begin(0, &Invocation::new(f, value)) else { panic!("it asks") };
            assert_eq!(request.timeout, Duration::from_secs(3));
            request.body
        };
        assert_eq!(asked("read", "[2 nil]"), r#"{"type":"read","key":2}"#);
        assert_eq!(asked("write", "[2 4]"), r#"{"type":"write","key":2,"value":4}"#);
        assert_eq!(asked("cas", "[2 [4 1]]"), r#"{"type":"cas","key":2,"from":4,"to":1}"#);
        assert_eq!(LinKv::new(&TestConfig::default().workload_options()).timeout, Duration::from_secs(1));
        let read = Invocation::new("read", Value::Vector(vec![Value::Int(2), Value::Nil]));
        let ClientAction::Complete(value) = lin_kv.on_reply(0, &read, vec![("value".into(), Value::Int(3))]) else {
            panic!("done")
        };
        assert_eq!(value, Value::ints(vec![2, 3]));
    }
}
