//! Transactions of reads with appends to lists, or with writes to registers (protocol §10.4).

use chacha20::ChaCha8Rng;
use rand::RngExt as _;

use super::convergence_probe::{items, written};
use super::micro_ops::MicroOps;
use super::roles::{Body, Role};
use super::shape::{self, is_list_or_nil};
use super::{
    ClientAction, ConvergenceProbe, Data, Descriptor, Invocation, LossOnKill, SwarmRules, Workload, WorkloadOptions,
    field,
};
use crate::nodes;
use crate::time::Time;
use crate::workbench::check::txn;
use crate::workbench::cluster::builtin::Builtin;
use crate::workbench::edn::Value;
use crate::workbench::generator::Threads;
use crate::workbench::history::Op;
use crate::workbench::workload::client::{ErrorPolicy, Field, Request, is_anything};

pub(super) const TXN_LIST_APPEND: Descriptor = Descriptor {
    name: "txn-list-append",
    about: "transactions that append to lists and read them",
    begin: |options| Box::new(Txn::new(Write::Append, options)),
    operations: ":txn with a list of [:r key elements] and [:append key element]",
    owns: |op| shape::is_txn(op, "append", is_list_or_nil),
    check: |history, options| Ok(Box::new(txn::check_append(history, &options.consistency_models, &options.budget)?)),
    data: Data::Lists,
    bodies: BODIES,
    node: Builtin::new::<nodes::ListAppend>(),
    swarm: SwarmRules { max_nodes: 5, duplication: false, ..SwarmRules::DEFAULT },
};

pub(super) const TXN_RW_REGISTER: Descriptor = Descriptor {
    name: "txn-rw-register",
    about: "challenge 6: transactions that write registers and read them",
    begin: |options| Box::new(Txn::new(Write::Register, options)),
    operations: ":txn with a list of [:r key value] and [:w key value]",
    owns: |op| shape::is_txn(op, "w", is_anything),
    check: |history, options| Ok(Box::new(txn::check_register(history, &options.consistency_models, &options.budget)?)),
    data: Data::Versions,
    bodies: BODIES,
    node: Builtin::new::<nodes::Txn>(),
    swarm: SwarmRules { max_nodes: 5, model: Some("read-committed"), loss: LossOnKill::Order, ..SwarmRules::DEFAULT },
};

/// Name, key and value of each micro-operation.
const STEPS: Role = Role::Each(&Role::Tuple(&[Role::Other, Role::Key, Role::Values]));
const BODIES: &[Body] = &[("txn", &[("txn", STEPS)]), ("txn_ok", &[("txn", STEPS)])];

/// What transactions do besides reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Write {
    Append,
    Register,
}

impl Write {
    fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Register => "w",
        }
    }

    fn reply(self) -> &'static [Field] {
        match self {
            Self::Append => &[("txn", is_append_txn)],
            Self::Register => &[("txn", is_register_txn)],
        }
    }
}

#[derive(Debug)]
struct Txn {
    write: Write,
    micro_ops: MicroOps,
    longest: u64,
}

impl Txn {
    fn new(write: Write, options: &WorkloadOptions) -> Self {
        Self { write, micro_ops: MicroOps::new(options), longest: options.max_txn_length }
    }
}

impl Workload for Txn {
    fn next(&mut self, threads: &Threads, _: Time, rng: &mut ChaCha8Rng) -> Option<(usize, Invocation)> {
        let thread = threads.round_robin()?;
        let length = rng.random_range(1..=self.longest);
        let txn = (0..length).map(|_| {
            let drawn = self.micro_ops.draw(rng);
            let f = if drawn.value.is_some() { self.write.name() } else { "r" };
            let value = drawn.value.map_or(Value::Nil, Value::Int);
            Value::Vector(vec![Value::keyword(f), Value::Int(drawn.key), value])
        });
        Some((thread, Invocation::new("txn", Value::Vector(txn.collect()))))
    }

    fn begin(&mut self, _: usize, invocation: &Invocation) -> ClientAction {
        let body = format!("{{\"type\":\"txn\",\"txn\":{}}}", invocation.value.to_json());
        ClientAction::Send(Request::new(body, "txn_ok", self.write.reply()))
    }

    /// The transaction in the reply is the operation's value, whatever was requested.
    fn on_reply(&mut self, _: usize, _: &Invocation, reply: Vec<(Box<str>, Value)>) -> ClientAction {
        let Value::Vector(ops) = field(reply, "txn") else { return ClientAction::Complete(Value::Vector(Vec::new())) };
        ClientAction::Complete(Value::Vector(ops.into_iter().map(named).collect()))
    }

    fn convergence_probes(&self, history: &[Op]) -> Vec<Box<dyn ConvergenceProbe>> {
        match self.write {
            // The checker compares every list that was read anyway.
            Write::Append => Vec::new(),
            Write::Register => {
                let keys = written(history);
                let keys = keys.iter().filter_map(|key| key.parse().ok());
                keys.map(|key| -> Box<dyn ConvergenceProbe> { Box::new(Register(key)) }).collect()
            }
        }
    }

    fn error_policy(&self) -> ErrorPolicy {
        ErrorPolicy { maps_errors: true, idempotent: &[], reusable: true }
    }
}

/// A micro-operation as in the history, with its name as a keyword.
fn named(op: Value) -> Value {
    let Value::Vector(mut parts) = op else { return op };
    if let Some(Value::Str(name)) = parts.first() {
        let name = name.to_string();
        parts[0] = Value::Keyword(name.into());
    }
    Value::Vector(parts)
}

fn is_append_txn(value: &Value) -> bool {
    is_txn(value, |f, result| match f {
        "r" => result.is_nil() || result.items().is_some(),
        _ => f == "append",
    })
}

/// What a replica is asked when all is over: the value of the register of a key.
#[derive(Debug)]
struct Register(i64);

impl ConvergenceProbe for Register {
    fn key(&self) -> Value {
        Value::Int(self.0)
    }

    fn request(&self, _: &[Value]) -> Request {
        let body = format!("{{\"type\":\"txn\",\"txn\":[[\"r\",{},null]]}}", self.0);
        Request::new(body, "txn_ok", Write::Register.reply())
    }

    fn receive(&self, reply: Vec<(Box<str>, Value)>, received: &mut Vec<Value>) -> bool {
        received.extend(items(&field(reply, "txn")).iter().flat_map(items).nth(2));
        false
    }
}

fn is_register_txn(value: &Value) -> bool {
    is_txn(value, |f, _| f == "r" || f == "w")
}

/// A list of triples of a name, a key and a value.
fn is_txn(value: &Value, is_op: impl Fn(&str, &Value) -> bool) -> bool {
    let is_triple = |op: &Value| {
        let parts = if let Value::Vector(parts) = op { parts.as_slice() } else { &[] };
        matches!(parts, [Value::Str(f), _, result] if is_op(f, result))
    };
    value.is_nil() || value.items().is_some_and(|mut ops| ops.all(|op| is_triple(&op)))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;
    use crate::workbench::json;
    use crate::workbench::test::TestConfig;

    #[test]
    fn a_register_is_asked_for_its_one_value() {
        let mut received = Vec::new();
        assert_eq!(Register(5).request(&received).body, r#"{"type":"txn","txn":[["r",5,null]]}"#);
        assert!(
            !Register(5).receive(vec![("txn".into(), json::value(r#"[["r",5,8]]"#).expect("JSON"))], &mut received)
        );
        assert_eq!(received, [Value::Int(8)]);
    }

    #[test]
    fn lengths_are_uniform_and_so_are_reads_and_writes() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut txn = Txn::new(Write::Append, &TestConfig::default().workload_options());
        let threads = Threads::new(1);
        let (mut lengths, mut appends, mut all) = ([0; 5], 0, 0);
        for _ in 0..20_000 {
            let (_, invocation) = txn.next(&threads, Time::ZERO, &mut rng).expect("the thread is free");
            let ops: Vec<_> = invocation.value.items().expect("a list").map(|op| op.to_string()).collect();
            lengths[ops.len()] += 1;
            appends += ops.iter().filter(|op| op.starts_with("[:append ")).count();
            all += ops.len();
        }
        assert_eq!(lengths[0], 0);
        assert!(lengths[1..].iter().all(|count| (4_800..5_200).contains(count)), "{lengths:?}");
        let share = 1_000 * appends / all;
        // Of 33 draws 17 are writes, of which one finds its key retired and is drawn again.
        assert!((475..495).contains(&share), "{share}");
    }

    #[test]
    fn a_transaction_is_sent_and_comes_back_as_in_maelstrom() {
        let mut txn = Txn::new(
            Write::Register,
            &WorkloadOptions { max_txn_length: 1, ..TestConfig::default().workload_options() },
        );
        let value = crate::workbench::edn::read("[[:r 5 nil] [:w 8 1]]").expect("EDN");
        let invocation = Invocation::new("txn", value);
        let ClientAction::Send(request) = txn.begin(0, &invocation) else { panic!("it asks") };
        assert_eq!(request.body, r#"{"type":"txn","txn":[["r",5,null],["w",8,1]]}"#);
        let reply = json::value(r#"[["r",5,[2]],["w",8,1]]"#).expect("JSON");
        let ClientAction::Complete(value) = txn.on_reply(0, &invocation, vec![("txn".into(), reply)]) else {
            panic!("it is done")
        };
        assert_eq!(value.to_string(), "[[:r 5 [2]] [:w 8 1]]");
    }

    #[test]
    fn replies_are_lists_of_three_each_with_a_name_of_the_workload() {
        let json = |text: &str| json::value(text).expect("JSON");
        for good in ["[]", "null", r#"[["r",1,null],["r",1,[2,3]],["append","a",7]]"#] {
            assert!(is_append_txn(&json(good)), "{good}");
        }
        for bad in [r#"[["r",1]]"#, r#"[["r",1,2]]"#, r#"[["w",1,2]]"#, r#"[["r",1,null,0]]"#, "[1]", "{}", r#""r""#] {
            assert!(!is_append_txn(&json(bad)), "{bad}");
        }
        assert!(
            is_register_txn(&json(r#"[["r",1,2],["w",1,null]]"#)) && !is_register_txn(&json(r#"[["append",1,2]]"#))
        );
    }
}
