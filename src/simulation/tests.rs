//! Nodes of somebody else in the simulator, and simulations that make no sense.

use std::collections::BTreeMap;
use std::convert::Infallible;

use super::*;
use crate::node::{NodeContext, ReplyTo};
use crate::outbox::Outbox;
use crate::requests;
use crate::wire::Json;
use crate::workbench::test::Convergence;

requests! {
    #[derive(Debug)]
    enum Request<'a> {
        "echo" => Echo { echo: Json<'a> },
    }
}

/// Answers with what was asked, every other time with what was asked before.
#[derive(Debug)]
struct Forgetful {
    last: Vec<u8>,
    honest: bool,
}

/// `--honest`
#[derive(Debug, Clone)]
struct Manners {
    honest: bool,
}

impl crate::node::Options for Manners {
    fn parse(arguments: &mut dyn Iterator<Item = String>) -> Result<Self, String> {
        match arguments.next() {
            None => Ok(Self { honest: false }),
            Some(argument) if argument == "--honest" => Ok(Self { honest: true }),
            Some(argument) => Err(format!("{argument} is no manners")),
        }
    }
}

impl Node for Forgetful {
    type Request<'a> = Request<'a>;
    type Timer = Infallible;
    type Call = Infallible;
    type Options = Manners;

    fn start(context: &NodeContext<'_, Manners>, _: &mut Outbox<Self>) -> Self {
        Self { last: b"null".to_vec(), honest: context.options.honest }
    }

    fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
        let Request::Echo { echo } = request;
        let mut now = Vec::new();
        echo.write(&mut now);
        let said = if self.honest { &now } else { &self.last };
        out.reply(from, "echo_ok").field_with("echo", |line| line.extend_from_slice(said)).end();
        self.last = now;
    }
}

fn second(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn a_node_of_ones_own_is_judged_and_told_how_to_repeat_it() {
    let simulation = Simulation::of::<Forgetful>().nodes(2).time_limit(second(5)).seed(7);
    let report = simulation.run(Workload::Echo).expect("it makes sense");
    assert_eq!(report.verdict(), Verdict::False);
    assert!(!report.is_valid() && report.history().invocation_count() > 10);
    let told = format!("{report:?}");
    let calls = "simulation::tests::Forgetful>().nodes(2).time_limit(5s).seed(7).run(Workload::Echo)\n{:perf";
    assert!(told.contains(calls) && told.contains(":errors"), "{told}");
    let honest = simulation.arguments(["--honest"]).run(Workload::Echo).expect("it makes sense");
    assert!(honest.is_valid() && honest.muted().is_empty(), "{honest:?}");
    assert!(honest.messages_per_op() < f64::EPSILON && honest.stable_latency(0.5).is_none());
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let simulation = Simulation::of::<crate::nodes::Broadcast>().nodes(3).rate(50.0).time_limit(second(3));
    let simulation = simulation.latency(second(1) / 20).latency_shape(Shape::Exponential).partition(second(1));
    let run = |seed| simulation.clone().seed(seed).run(Workload::Broadcast).expect("it makes sense");
    let (first, again, other) = (run(1), run(1), run(2));
    assert!(first.is_valid(), "{first:?}");
    assert_eq!(first.history().ops(), again.history().ops());
    assert_ne!(first.history().ops(), other.history().ops());
    assert!(first.stable_latency(0.5) <= first.stable_latency(1.0) && first.stable_latency(0.5).is_some());
}

#[test]
fn a_machine_with_jitter_is_late_in_the_same_way_for_the_same_seed() {
    let simulation = Simulation::of::<crate::nodes::Broadcast>().nodes(3).time_limit(second(3)).seed(1);
    let run = |jitter| simulation.clone().jitter(jitter).run(Workload::Broadcast).expect("it makes sense");
    let (quiet, again, busy) = (run(Jitter::Quiet), run(Jitter::Quiet), run(Jitter::Busy));
    assert!(format!("{quiet:?}").contains(".jitter(Jitter::Quiet).seed(1)"), "{quiet:?}");
    assert!(quiet.is_valid() && busy.is_valid(), "{quiet:?}\n{busy:?}");
    assert_eq!(quiet.history().ops(), again.history().ops());
    assert_ne!(quiet.history().ops(), busy.history().ops());
    let never = simulation.run(Workload::Broadcast).expect("it makes sense");
    assert_eq!(run(Jitter::None).history().ops(), never.history().ops());
    assert_ne!(quiet.history().ops(), never.history().ops());
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let base = Simulation::of::<Forgetful>();
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
        (base.clone().arguments(["--rude"]), "--rude is no manners"),
    ] {
        let failure = simulation.run(Workload::Echo).expect_err("it makes no sense");
        assert!(failure.to_string().contains(why), "{simulation:?}: {failure}");
    }
    let failure = base.nodes(2).concurrency(3).run(Workload::LinKv).expect_err("3 is no multiple of 4");
    assert!(matches!(failure, TestError::Unfit(_)), "{failure}");
}

requests! {
    #[derive(Debug)]
    enum Steps<'a> {
        "txn" => Txn { txn: Json<'a> },
    }
}

/// Carries out transactions, and tells nobody.
#[derive(Debug, Default)]
struct Hermit(BTreeMap<Vec<u8>, Vec<u8>>);

impl Node for Hermit {
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
fn replicas_that_differ_are_found_though_maelstrom_finds_nothing() {
    let hermits = Simulation::of::<Hermit>().nodes(2).rate(100.0).time_limit(second(5));
    let report = hermits.consistency_models(["read-uncommitted"]).run(Workload::TxnRwRegister).expect("it makes sense");
    assert_eq!(report.verdict(), Verdict::True, "{report:?}");
    assert!(!report.is_valid());
    let ours = report.results().get("gloomers").expect("a part");
    assert_eq!(ours.get("converged"), Some(&Value::Bool(false)));
    let difference = ours.get("difference").expect("it is told").to_string();
    assert!(difference.contains("\"n0\" [") && difference.contains("\"n1\" ["), "{difference}");
}

#[test]
fn whoever_does_not_answer_when_all_is_over_is_told() {
    let report = Simulation::of::<Hermit>().nodes(2).time_limit(second(1)).run(Workload::GSet).expect("it makes sense");
    let ours = report.results().get("gloomers").expect("a part");
    let told = ours.get("difference").expect("it is told").to_string();
    assert!(told.starts_with("{:key nil, :node \"n0\", :error [:not-supported "), "{told}");
}

#[test]
fn comparing_changes_neither_the_history_nor_what_is_counted() {
    let config = TestConfig {
        workload: Workload::TxnRwRegister,
        nodes: TestConfig::numbered(3),
        concurrency: 3,
        rate: 100.0,
        time_limit: second(5),
        nemesis: vec![Fault::Partition, Fault::Kill],
        nemesis_interval: second(1),
        seed: 3,
        ..TestConfig::default()
    };
    let outcome = |virtual_time| {
        let config = TestConfig { virtual_time, ..config.clone() };
        let mut nodes = SimulatedCluster::of::<crate::nodes::Txn>(3, 3, &crate::gossip::Settings::default());
        run(&config, &mut *config.workload.begin(&config.terms()), &mut nodes, &mut Unwatched).expect("it runs")
    };
    let (with, without) = (outcome(true), outcome(false));
    assert_eq!((with.convergence, without.convergence), (Some(Convergence::Equal), None));
    assert_eq!((with.history, with.counts), (without.history, without.counts));
}
