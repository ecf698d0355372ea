//! Simulations of user-defined nodes, and rejected configurations.

use std::collections::BTreeMap;
use std::convert::Infallible;

use gossip_gloomers::node::{Node, NodeContext, Options, ReplyTo};
use gossip_gloomers::nodes::Broadcast;
use gossip_gloomers::outbox::Outbox;
use gossip_gloomers::requests;
use gossip_gloomers::simulation::{Jitter, Shape, Simulation, TestError, Value, Verdict, Workload};
use gossip_gloomers::time::Duration;
use gossip_gloomers::wire::Json;

requests! {
    #[derive(Debug)]
    enum Request<'a> {
        "echo" => Echo { echo: Json<'a> },
    }
}

/// Echoes the previous value, or with `--correct` the current one.
#[derive(Debug)]
struct OffByOne {
    last: Vec<u8>,
    correct: bool,
}

/// `--correct`
#[derive(Debug, Clone)]
struct Arguments {
    correct: bool,
}

impl Options for Arguments {
    fn parse(arguments: &mut dyn Iterator<Item = String>) -> Result<Self, String> {
        match arguments.next() {
            None => Ok(Self { correct: false }),
            Some(argument) if argument == "--correct" => Ok(Self { correct: true }),
            Some(argument) => Err(format!("unknown argument {argument}")),
        }
    }
}

impl Node for OffByOne {
    type Request<'a> = Request<'a>;
    type Timer = Infallible;
    type Call = Infallible;
    type Options = Arguments;

    fn start(context: &NodeContext<'_, Arguments>, _: &mut Outbox<Self>) -> Self {
        Self { last: b"null".to_vec(), correct: context.options.correct }
    }

    fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
        let Request::Echo { echo } = request;
        let mut now = Vec::new();
        echo.write(&mut now);
        let value = if self.correct { &now } else { &self.last };
        out.reply(from, "echo_ok").field_with("echo", |line| line.extend_from_slice(value)).end();
        self.last = now;
    }
}

fn second(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn a_user_defined_node_is_checked_and_its_report_reproduces_the_run() {
    let simulation = Simulation::of::<OffByOne>().nodes(2).time_limit(second(5)).seed(7);
    let report = simulation.run(Workload::Echo).expect("a valid configuration");
    assert_eq!(report.verdict(), Verdict::False);
    assert!(!report.is_valid() && report.history().invocation_count() > 10);
    let text = format!("{report:?}");
    let calls = "kit::OffByOne>().nodes(2).time_limit(5s).seed(7).run(Workload::Echo)\n{:perf";
    assert!(text.contains(calls) && text.contains(":errors"), "{text}");
    let correct = simulation.arguments(["--correct"]).run(Workload::Echo).expect("a valid configuration");
    assert!(correct.is_valid() && correct.muted().is_empty(), "{correct:?}");
    assert!(correct.messages_per_op() < f64::EPSILON && correct.stable_latency(0.5).is_none());
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let simulation = Simulation::of::<Broadcast>().nodes(3).rate(50.0).time_limit(second(3));
    let simulation = simulation.latency(second(1) / 20).latency_shape(Shape::Exponential).partition(second(1));
    let run = |seed| simulation.clone().seed(seed).run(Workload::Broadcast).expect("a valid configuration");
    let (first, again, other) = (run(1), run(1), run(2));
    assert!(first.is_valid(), "{first:?}");
    assert_eq!(first.history().ops(), again.history().ops());
    assert_ne!(first.history().ops(), other.history().ops());
    assert!(first.stable_latency(0.5) <= first.stable_latency(1.0) && first.stable_latency(0.5).is_some());
}

#[test]
fn a_machine_with_jitter_is_late_in_the_same_way_for_the_same_seed() {
    let simulation = Simulation::of::<Broadcast>().nodes(3).time_limit(second(3)).seed(1);
    let run = |jitter| simulation.clone().jitter(jitter).run(Workload::Broadcast).expect("a valid configuration");
    let (quiet, again, busy) = (run(Jitter::Quiet), run(Jitter::Quiet), run(Jitter::Busy));
    assert!(format!("{quiet:?}").contains(".jitter(Jitter::Quiet).seed(1)"), "{quiet:?}");
    assert!(quiet.is_valid() && busy.is_valid(), "{quiet:?}\n{busy:?}");
    assert_eq!(quiet.history().ops(), again.history().ops());
    assert_ne!(quiet.history().ops(), busy.history().ops());
    let never = simulation.run(Workload::Broadcast).expect("a valid configuration");
    assert_eq!(run(Jitter::None).history().ops(), never.history().ops());
    assert_ne!(quiet.history().ops(), never.history().ops());
}

#[test]
fn invalid_configurations_are_rejected_with_a_reason() {
    let base = Simulation::of::<OffByOne>();
    for (simulation, why) in [
        (base.clone().nodes(0), "nodes: it must be a positive integer"),
        (base.clone().concurrency(0), "concurrency: "),
        (base.clone().rate(f64::NAN), "rate: it must be a number not below 0"),
        (base.clone().rate(-1.0), "rate: "),
        (base.clone().time_limit(Duration::ZERO), "time_limit: "),
        (base.clone().latency(Duration::from_micros(1500)), "latency: it must be in whole milliseconds"),
        (base.clone().latency(Duration::MAX), "latency: "),
        (base.clone().latency_shape(Shape::Uniform), "latency_shape: random latencies need"),
        (base.clone().loss(1.5), "loss: "),
        (base.clone().duplication(-0.5), "duplication: "),
        (base.clone().partition(Duration::ZERO), "faults: "),
        (base.clone().partition(Duration::MAX), "faults: "),
        (base.clone().keys(0, 16), "keys: "),
        (base.clone().consistency_models(["serialisable"]), "consistency_models: no consistency model is called"),
        (base.clone().arguments(["--rude"]), "unknown argument --rude"),
    ] {
        let failure = simulation.run(Workload::Echo).expect_err("an invalid configuration");
        assert!(failure.to_string().contains(why), "{simulation:?}: {failure}");
    }
    let failure = base.nodes(2).concurrency(3).run(Workload::LinKv).expect_err("3 is no multiple of 4");
    assert!(matches!(failure, TestError::InvalidConfig(_)), "{failure}");
}

requests! {
    #[derive(Debug)]
    enum Steps<'a> {
        "txn" => Txn { txn: Json<'a> },
    }
}

/// Executes transactions locally, without replication.
#[derive(Debug, Default)]
struct Unreplicated(BTreeMap<Vec<u8>, Vec<u8>>);

impl Node for Unreplicated {
    type Request<'a> = Steps<'a>;
    type Timer = Infallible;
    type Call = Infallible;
    type Options = ();

    fn start(_: &NodeContext<'_, ()>, _: &mut Outbox<Self>) -> Self {
        Self::default()
    }

    fn on_request(&mut self, from: ReplyTo, request: Steps<'_>, out: &mut Outbox<Self>) {
        let Steps::Txn { txn } = request;
        let mut done = Vec::new();
        for step in txn.items().into_iter().flatten() {
            let [mut verb, mut key, mut value] = [const { Vec::new() }; 3];
            for (part, text) in step.items().into_iter().flatten().zip([&mut verb, &mut key, &mut value]) {
                part.write(text);
            }
            if verb == b"\"w\"" {
                self.0.insert(key.clone(), value.clone());
            }
            let null = b"null".to_vec();
            let value = self.0.get(&key).unwrap_or(&null).clone();
            done.push([verb, key, value].join(&b","[..]));
        }
        let text = format!("[[{}]]", String::from_utf8_lossy(&done.join(&b"],["[..])));
        out.reply(from, "txn_ok").field_with("txn", |line| line.extend_from_slice(text.as_bytes())).end();
    }
}

#[test]
fn divergent_replicas_are_detected_by_the_extended_checks() {
    let simulation = Simulation::of::<Unreplicated>().nodes(2).rate(100.0).time_limit(second(5));
    let report = simulation
        .consistency_models(["read-uncommitted"])
        .run(Workload::TxnRwRegister)
        .expect("a valid configuration");
    assert_eq!(report.verdict(), Verdict::True, "{report:?}");
    assert!(!report.is_valid());
    let extended = report.results().get("gloomers").expect("a part");
    assert_eq!(extended.get("converged"), Some(&Value::Bool(false)));
    let difference = extended.get("difference").expect("it is reported").to_string();
    assert!(difference.contains("\"n0\" [") && difference.contains("\"n1\" ["), "{difference}");
}

#[test]
fn a_node_that_rejects_the_convergence_probe_is_reported() {
    let report = Simulation::of::<Unreplicated>()
        .nodes(2)
        .time_limit(second(1))
        .run(Workload::GSet)
        .expect("a valid configuration");
    let extended = report.results().get("gloomers").expect("a part");
    let difference = extended.get("difference").expect("it is reported").to_string();
    assert!(difference.starts_with("{:key nil, :node \"n0\", :error [:not-supported "), "{difference}");
}
