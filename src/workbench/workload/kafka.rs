//! Kafka: logs to which clients send, and which they poll from where they left off (protocol §10.2).
//!
//! A client requests the committed offsets of newly assigned keys but starts at 0: Maelstrom's client looks for them in
//! the wrong place in the reply.

mod catch_up;
mod offsets;
mod probes;

use chacha20::ChaCha8Rng;
use rand::RngExt as _;

use super::convergence_probe::written;
use super::micro_ops::{MicroOp, MicroOps};
use super::roles::Role;
use super::shape::{each, verb};
use super::{
    ClientAction, ConvergenceProbe, Data, Descriptor, FinalStep, Invocation, LossOnKill, SwarmRules, Workload,
    WorkloadOptions, field,
};
use crate::nodes;
use crate::time::{Duration, Time};
use crate::workbench::check::kafka;
use crate::workbench::cluster::builtin::Builtin;
use crate::workbench::edn::Value;
use crate::workbench::generator::{Stagger, Threads};
use crate::workbench::history::{Op, OpKind};
use crate::workbench::workload::client::{ErrorPolicy, Request, is_integer};
use catch_up::CatchUp;
use offsets::{Offsets, Unseen, highest_polled, highest_sent, merge_max};
use probes::{Committed, Log};

pub(super) const KAFKA: Descriptor = Descriptor {
    name: "kafka",
    about: "challenge 5: logs that are appended to and polled",
    begin: |options| Box::new(Kafka::new(options)),
    operations: ":send, :poll and :txn with lists of [:send key message] and [:poll messages], :assign and :crash",
    owns: |op| match &*op.f {
        "send" | "poll" | "txn" => each(&op.value, |step| matches!(verb(step), Some("send" | "poll"))),
        f => matches!(f, "assign" | "subscribe" | "crash" | "debug-topic-partitions"),
    },
    check: |history, _| Ok(Box::new(kafka::check(history)?)),
    data: Data::Logs,
    bodies: &[
        ("send", &[("key", Role::Key), ("msg", Role::Values)]),
        ("send_ok", &[("offset", Role::Other)]),
        ("poll", &[("offsets", OFFSETS)]),
        ("poll_ok", &[("msgs", Role::ByKey(&Role::Each(&Role::Tuple(&[Role::Other, Role::Values]))))]),
        ("commit_offsets", &[("offsets", OFFSETS)]),
        ("list_committed_offsets", &[("keys", Role::Key)]),
        ("list_committed_offsets_ok", &[("offsets", OFFSETS)]),
    ],
    node: Builtin::new::<nodes::Kafka>(),
    swarm: SwarmRules { max_nodes: 5, threads: 2, loss: LossOnKill::Values, ..SwarmRules::DEFAULT },
};

const OFFSETS: Role = Role::ByKey(&Role::Other);

/// One in this many operations is an assignment of its key instead, ...
const ASSIGN_ONE_IN: u32 = 64;
/// ... and one in this many assignments includes all keys with messages that nobody has polled.
const WIDEN_ONE_IN: u32 = 3;
/// The mean time between crashes of one client.
const CRASH_INTERVAL: Duration = Duration::from_secs(30);

/// Positions by key, in the order of their first assignment or poll.
type Positions = Vec<(Box<str>, i64)>;

/// The state of a thread's client.
#[derive(Debug, Default)]
struct Consumer {
    /// Its assigned keys, and the next offset to read of each.
    positions: Positions,
    /// The result of the poll whose offsets are being committed.
    polled: Option<Value>,
}

#[derive(Debug)]
struct Kafka {
    micro_ops: MicroOps,
    /// An operation that was drawn and then postponed for an assignment.
    pending: Option<MicroOp>,
    crashes: Option<Stagger>,
    unseen: Unseen,
    /// The highest offset known of each key.
    known: Offsets,
    consumers: Vec<Consumer>,
    catch_up: Option<CatchUp>,
}

impl Kafka {
    fn new(options: &WorkloadOptions) -> Self {
        Self {
            micro_ops: MicroOps::new(options),
            pending: None,
            crashes: None,
            unseen: Unseen::default(),
            known: Offsets::new(),
            consumers: Vec::new(),
            catch_up: None,
        }
    }

    fn consumer(&mut self, thread: usize) -> &mut Consumer {
        if self.consumers.len() <= thread {
            self.consumers.resize_with(thread + 1, Consumer::default);
        }
        &mut self.consumers[thread]
    }

    fn assign(&self, key: i64, rng: &mut ChaCha8Rng) -> Invocation {
        if self.unseen.is_empty() || !rng.random_ratio(1, WIDEN_ONE_IN) {
            return Invocation::new("assign", keys([key]));
        }
        let sent = self.unseen.keys();
        let more = (!sent.contains(&key)).then_some(key);
        Invocation::new("assign", keys(sent.into_iter().chain(more))).marked("unseen", self.unseen.to_value())
    }

    /// Handles the result of a poll: the position advances at once, even if the commit fails later.
    fn polled(&mut self, thread: usize, msgs: Value) -> ClientAction {
        let consumer = self.consumer(thread);
        let mut commits = Vec::new();
        for (key, highest) in highest_offsets(&msgs) {
            let next = highest.map_or(0, |offset| offset.saturating_add(1).max(0));
            match consumer.positions.iter_mut().find(|(other, _)| **other == *key) {
                Some((_, position)) => *position = next.max(*position),
                None => consumer.positions.push((key.clone(), next)),
            }
            commits.extend(highest.map(|offset| (key, offset.max(0))));
        }
        if commits.is_empty() {
            return ClientAction::Complete(poll_of(msgs));
        }
        consumer.polled = Some(msgs);
        let body = format!("{{\"type\":\"commit_offsets\",\"offsets\":{}}}", offsets_json(&commits));
        ClientAction::Send(Request::new(body, "commit_offsets_ok", &[]))
    }
}

impl Workload for Kafka {
    fn next(&mut self, threads: &Threads, now: Time, rng: &mut ChaCha8Rng) -> Option<(usize, Invocation)> {
        let thread = threads.round_robin()?;
        let clients = u32::try_from(threads.count()).unwrap_or(u32::MAX).max(1);
        let crashes = self.crashes.get_or_insert_with(|| Stagger::new(CRASH_INTERVAL / clients));
        if crashes.due() <= now && rng.random() {
            crashes.dispatched(now, rng);
            return Some((thread, Invocation::new("crash", Value::Nil)));
        }
        let drawn = self.pending.take().unwrap_or_else(|| self.micro_ops.draw(rng));
        let invocation = if rng.random_ratio(1, ASSIGN_ONE_IN) {
            self.pending = Some(drawn);
            self.assign(drawn.key, rng)
        } else if let Some(message) = drawn.value {
            let send = vec![Value::keyword("send"), Value::str(drawn.key.to_string()), Value::Int(message)];
            Invocation::new("send", Value::Vector(vec![Value::Vector(send)]))
        } else {
            poll()
        };
        Some((thread, invocation))
    }

    fn begin(&mut self, thread: usize, invocation: &Invocation) -> ClientAction {
        let consumer = self.consumer(thread);
        consumer.polled = None;
        match invocation.f {
            "crash" => ClientAction::Crash,
            "poll" => {
                let body = format!("{{\"type\":\"poll\",\"offsets\":{}}}", offsets_json(&consumer.positions));
                ClientAction::Send(Request::new(body, "poll_ok", &[("msgs", is_log)]))
            }
            "send" => {
                let (key, message) = sent(&invocation.value);
                let body = format!("{{\"type\":\"send\",\"key\":\"{key}\",\"msg\":{message}}}");
                ClientAction::Send(Request::new(body, "send_ok", &[("offset", is_integer)]))
            }
            _ if invocation.marks.iter().any(|(mark, _)| mark.as_keyword() == Some("seek-to-beginning?")) => {
                consumer.positions = texts(&invocation.value).map(|key| (key.into(), 0)).collect();
                ClientAction::Complete(invocation.value.clone())
            }
            _ => {
                let keys: Vec<_> = texts(&invocation.value).map(|key| format!("\"{key}\"")).collect();
                let body = format!("{{\"type\":\"list_committed_offsets\",\"keys\":[{}]}}", keys.join(","));
                ClientAction::Send(Request::new(body, "list_committed_offsets_ok", &[("offsets", is_offsets)]))
            }
        }
    }

    fn on_reply(&mut self, thread: usize, invocation: &Invocation, reply: Vec<(Box<str>, Value)>) -> ClientAction {
        let consumer = self.consumer(thread);
        match invocation.f {
            "send" => {
                let (key, message) = sent(&invocation.value);
                let pair = [field(reply, "offset"), Value::Int(message)].into_iter().collect();
                let send = vec![Value::keyword("send"), Value::str(key), pair];
                ClientAction::Complete(Value::Vector(vec![Value::Vector(send)]))
            }
            "poll" => match consumer.polled.take() {
                Some(msgs) => ClientAction::Complete(poll_of(msgs)),
                None => self.polled(thread, field(reply, "msgs")),
            },
            _ => {
                let before = std::mem::take(&mut consumer.positions);
                let position = |key: &str| before.iter().find(|(other, _)| **other == *key).map_or(0, |(_, at)| *at);
                consumer.positions = texts(&invocation.value).map(|key| (key.into(), position(key))).collect();
                ClientAction::Complete(invocation.value.clone())
            }
        }
    }

    fn error_policy(&self) -> ErrorPolicy {
        ErrorPolicy { maps_errors: true, idempotent: &["assign"], reusable: false }
    }

    fn on_client(&mut self, thread: usize) {
        *self.consumer(thread) = Consumer::default();
    }

    fn on_completion(&mut self, thread: usize, op: &Op) {
        if op.kind != OpKind::Ok {
            return;
        }
        let (sent, polled) = (highest_sent(op), highest_polled(op));
        if let Some(catch_up) = &mut self.catch_up {
            if op.f == "poll" {
                catch_up.saw(thread, &polled);
            }
            return;
        }
        merge_max(&mut self.known, &sent);
        merge_max(&mut self.known, &polled);
        self.unseen.update(&sent, &polled);
    }

    fn has_final_phase(&self) -> bool {
        true
    }

    fn convergence_probes(&self, history: &[Op]) -> Vec<Box<dyn ConvergenceProbe>> {
        let both = |key: String| -> [Box<dyn ConvergenceProbe>; 2] {
            [Box::new(Log(key.as_str().into())), Box::new(Committed(key.into()))]
        };
        written(history).into_iter().flat_map(both).collect()
    }

    fn next_final(&mut self, threads: &Threads, elapsed: Duration, rng: &mut ChaCha8Rng) -> FinalStep {
        let catch_up = self.catch_up.get_or_insert_with(|| CatchUp::new(&self.known, threads.count()));
        catch_up.next(threads, elapsed, rng)
    }
}

fn poll() -> Invocation {
    Invocation::new("poll", Value::Vector(vec![Value::Vector(vec![Value::keyword("poll")])]))
}

fn poll_of(msgs: Value) -> Value {
    Value::Vector(vec![Value::Vector(vec![Value::keyword("poll"), msgs])])
}

fn keys(keys: impl IntoIterator<Item = i64>) -> Value {
    Value::Vector(keys.into_iter().map(|key| Value::str(key.to_string())).collect())
}

/// The strings of a vector.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let values = if let Value::Vector(values) = value { values.as_slice() } else { &[] };
    values.iter().filter_map(Value::as_str)
}

/// The key and the message of a `send` invocation.
fn sent(value: &Value) -> (&str, i64) {
    if let Value::Vector(ops) = value
        && let Some(Value::Vector(parts)) = ops.first()
        && let [_, Value::Str(key), Value::Int(message)] = &parts[..]
    {
        return (key, *message);
    }
    ("", 0)
}

/// For each key in the result of a poll, the highest offset, if any.
fn highest_offsets(msgs: &Value) -> Vec<(Box<str>, Option<i64>)> {
    let highest = |pairs: &Value| {
        let offsets = pairs.items().into_iter().flatten();
        offsets.filter_map(|pair| pair.items()?.next()?.as_int()).max()
    };
    let entries = msgs.entries().unwrap_or_default();
    entries.iter().filter_map(|(key, pairs)| Some((key.as_str()?.into(), highest(pairs)))).collect()
}

fn offsets_json(offsets: &[(Box<str>, i64)]) -> String {
    let quote = |key: &str| serde_json::Value::from(key).to_string();
    let entries: Vec<_> = offsets.iter().map(|(key, offset)| format!("{}:{offset}", quote(key))).collect();
    format!("{{{}}}", entries.join(","))
}

/// A map from keys to offsets.
fn is_offsets(value: &Value) -> bool {
    value.entries().is_some_and(|entries| entries.iter().all(|(_, offset)| is_integer(offset)))
}

/// A map from keys to lists of an offset and a message each.
fn is_log(value: &Value) -> bool {
    let is_pair = |pair: &Value| {
        pair.items().is_some_and(|mut items| items.len() == 2 && items.next().is_some_and(|offset| is_integer(&offset)))
    };
    let is_list = |pairs: &Value| {
        pairs.is_nil() || pairs.items().is_some_and(|mut pairs| pairs.all(|pair| pair.is_nil() || is_pair(&pair)))
    };
    value.entries().is_some_and(|entries| entries.iter().all(|(_, pairs)| is_list(pairs)))
}

#[cfg(test)]
mod tests;
