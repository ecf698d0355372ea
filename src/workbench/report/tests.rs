//! Reports of small runs, some with hostile text. How the page looks and behaves is tested in a browser.

use std::ffi::OsString;
use std::io::Read as _;

use chacha20::ChaCha8Rng;
use rand::SeedableRng as _;
use serde_json::Value as Json;

use super::*;
use crate::time::{Duration, Time};
use crate::workbench::check::availability::AvailabilityReport;
use crate::workbench::check::net::{NetReport, Traffic};
use crate::workbench::check::stats::{OutcomeCounts, StatsReport};
use crate::workbench::check::{self, Availability, CheckReport, Quantiles, Violation};
use crate::workbench::cli::options::Options;
use crate::workbench::edn::Value;
use crate::workbench::network::{BadLine, Conditions, Counts, Delivery, Latency, Muted, Network, Shape, Unread};
use crate::workbench::report::results::{Check, judge};
use crate::workbench::report::store::RunFolder;
use crate::workbench::report::violations::outcomes;
use crate::workbench::test::{Convergence, Difference, Extended, StaleReader};
use crate::workbench::workload::WorkloadKind;

/// A report with fixed contents in place of a checker's.
#[derive(Debug, Clone)]
pub(super) struct FixedReport {
    pub(super) verdict: Verdict,
    pub(super) extended_verdict: Option<Verdict>,
    pub(super) violations: Vec<Violation>,
    pub(super) extended_violations: Vec<Violation>,
    pub(super) latencies: Option<Quantiles>,
}

impl Default for FixedReport {
    fn default() -> Self {
        let latencies = Some(Quantiles::from([0, 232, 429, 447, 459]));
        Self {
            verdict: Verdict::True,
            extended_verdict: None,
            violations: Vec::new(),
            extended_violations: Vec::new(),
            latencies,
        }
    }
}

impl CheckReport for FixedReport {
    fn verdict(&self) -> Verdict {
        self.verdict
    }

    fn to_edn(&self) -> Value {
        Value::record([("valid?", self.verdict.to_value())])
    }

    fn violations(&self) -> Vec<Violation> {
        self.violations.clone()
    }

    fn extended_verdict(&self) -> Option<Verdict> {
        self.extended_verdict
    }

    fn extended_violations(&self) -> Vec<Violation> {
        self.extended_violations.clone()
    }

    fn stable_latencies(&self) -> Option<&Quantiles> {
        self.latencies.as_ref()
    }
}

/// A violation with this sentence.
pub(super) fn violation(anomaly: &'static str, sentence: &str) -> Violation {
    Violation { anomaly, count: 1, sentence: sentence.to_owned() }
}

/// The results of a run whose workload has this report.
pub(super) fn results(report: FixedReport) -> Results {
    let total = OutcomeCounts { ok: 1979, fail: 0, info: 2 };
    let counts = Counts { servers: Traffic { msg: 1138, ..Traffic::default() }, ..Counts::default() };
    Results {
        stats: StatsReport { total, ..StatsReport::default() },
        net: Some(NetReport { counts, invocations: 1000 }),
        workload: Box::new(report),
        extended: Some(Extended::default()),
        ..undecided_results()
    }
}

/// The results of a history of one failed operation, which the checker of the workload cannot judge.
pub(super) fn undecided_results() -> Results {
    let lines = "{:index 0, :time 0, :type :invoke, :process 0, :f :cas, :value nil}
                 {:index 1, :time 5, :type :fail, :process 0, :f :cas, :value nil}";
    judge(WorkloadKind::LinKv, &lines.parse().expect("a history"), &check::Options::default(), &Counts::default())
}

#[test]
fn every_check_has_an_outcome_and_a_valid_one_no_reason() {
    let outcomes = outcomes(&results(FixedReport::default()), false);
    let valid = outcomes.iter().filter(|outcome| outcome.verdict == Verdict::True && outcome.why.is_empty());
    let checks: Vec<_> = valid.map(|outcome| outcome.check.name()).collect();
    assert_eq!(checks, ["perf", "timeline", "exceptions", "stats", "availability", "net", "workload"]);
}

#[test]
fn a_failure_says_why() {
    let why = |results: &Results, check: Check| {
        let outcome = outcomes(results, false).into_iter().find(|outcome| outcome.check == check).expect("a check");
        assert_ne!(outcome.verdict, Verdict::True);
        outcome.why
    };
    assert_eq!(why(&undecided_results(), Check::Stats), "not one of 1 operations cas succeeded");
    let wanted = Some(Availability::Total);
    let unavailable =
        Results { availability: AvailabilityReport { ok_fraction: 0.925, wanted }, ..undecided_results() };
    let expected = "92.5 % of the operations succeeded, less than was demanded";
    assert_eq!(why(&unavailable, Check::Availability), expected);
    let violations = vec![violation("lost", "one"), violation("failed", "two")];
    let outdated = StaleReader { node: "n1".into(), state: Duration::ZERO, read: Duration::from_secs(31) };
    let mut invalid = results(FixedReport { verdict: Verdict::False, violations, ..FixedReport::default() });
    invalid.extended.as_mut().expect("a run").outdated.push(outdated.clone());
    let why = why(&invalid, Check::Workload);
    assert!(why.starts_with("one; two; n1 read seq-kv's state of 0.0 s at 31.0 s"), "{why}");
    let mut valid = results(FixedReport::default());
    valid.extended.as_mut().expect("a run").outdated.push(outdated);
    assert!(outcomes(&valid, false).iter().all(|outcome| outcome.why.is_empty()), "a valid one needs no reason");
}

#[test]
fn a_valid_test_says_what_a_strict_one_would_count() {
    let with = |extended_verdict| results(FixedReport { extended_verdict, ..FixedReport::default() });
    let shown = |results: &Results, strict| {
        summary::summary(results, &outcomes(results, strict), &summary::Facts::default(), false)
    };
    let note = "--strict fails the test";
    assert!(shown(&with(Some(Verdict::False)), false).contains(note));
    assert!(!shown(&with(Some(Verdict::False)), true).contains(note), "it is judged");
    assert!(!shown(&with(Some(Verdict::True)), false).contains(note));
}

#[test]
fn a_strict_test_has_more_checks() {
    let extended_violations = vec![violation("invented", "values that nobody had added (1): 9")];
    let mut results =
        results(FixedReport { extended_verdict: Some(Verdict::False), extended_violations, ..FixedReport::default() });
    let extended = results.extended.as_mut().expect("a run");
    let alone = [("n0".to_owned(), vec![Value::Int(1)]), ("n1".to_owned(), Vec::new())];
    let difference = Difference::Values { key: Value::Int(3), alone };
    extended.convergence = Some(Convergence::Different(difference));
    let line = "hello".into();
    extended.muted.push(Muted { node: "n1".into(), line, reason: BadLine::NotAnObject, late_reply: false });
    extended.unread.push(Unread { node: "n2".into(), lines: 3, first: "{}".into() });
    let all = outcomes(&results, true);
    let strict: Vec<_> = all.iter().filter(|outcome| outcome.check.is_strict()).collect();
    let checks: Vec<_> = strict.iter().map(|outcome| outcome.check.name()).collect();
    assert_eq!(checks, ["gloomers", "converged", "muted", "unread"]);
    assert!(strict.iter().all(|outcome| outcome.verdict == Verdict::False));
    assert_eq!(strict[0].why, "what Maelstrom does not see: values that nobody had added (1): 9");
    assert!(strict[1].why.contains("first: key 3: n0 alone has 1, n1 alone has nothing"), "{}", strict[1].why);
    assert!(strict[2].why.contains("n1") && strict[2].why.contains("hello"), "{}", strict[2].why);
    assert_eq!(strict[2].look_at, ["node-logs/n1.log"]);
}

#[test]
fn a_violation_that_maelstrom_reports_does_not_fail_the_strict_check_too() {
    let results = results(FixedReport {
        verdict: Verdict::False,
        extended_verdict: Some(Verdict::False),
        ..FixedReport::default()
    });
    let outcomes = outcomes(&results, true);
    let extended_verdict = outcomes.iter().find(|outcome| outcome.check == Check::Gloomers).expect("a check");
    assert_eq!((extended_verdict.verdict, &*extended_verdict.why), (Verdict::True, ""));
}

/// A network of two nodes on which the first has sent these bodies to the second.
fn network(bodies: &[String]) -> Network {
    let latency = Latency { shape: Shape::Constant, mean_ms: 0 };
    let conditions = Conditions { latency, delivery: Delivery::Free, loss: 0.0, duplication: 0.0 };
    let mut network = Network::new(conditions, ChaCha8Rng::seed_from_u64(1));
    for name in ["n0", "n1", "lin-kv", "seq-kv", "lww-kv", "lin-tso"] {
        network.add_receiver(name);
    }
    for body in bodies {
        network.send("n0", "n1", body, Time::from_millis(5)).expect("both exist");
    }
    network
}

/// Writes the page of a run; the returned function reads its files.
fn written(mut network: Network, history: &str, remarks: &[String]) -> impl Fn(&str) -> String + use<> {
    let root = tempfile::tempdir().expect("a folder");
    let mut store = RunFolder::create(root.path(), "g-set");
    let line = "-w g-set --node-count 2 --seed 7 --latency-dist uniform --latency 3";
    let config = &Options::parse(line.split_whitespace().map(OsString::from)).expect("a good command line").config;
    let (counts, journal) = (network.counts(), network.take_journal(Time::from_millis(2)));
    let outcome = &Outcome { history: history.parse().expect("a history"), counts, journal, ..Outcome::default() };
    let run = Run {
        outcome,
        results: None,
        config,
        verdict: Some(Verdict::True),
        remarks,
        explanations: &[],
        unexplained: 0,
    };
    store.write_page(&run);
    assert!(store.missing().is_empty(), "{:?}", store.missing());
    move |name| {
        let _kept = &root;
        std::fs::read_to_string(store.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

/// The data embedded in a page.
fn data(page: &str) -> Json {
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"data\">").expect("data begin");
    let (data, _) = rest.split_once("</script>").expect("data end");
    serde_json::from_str(data).expect("the data are JSON")
}

/// The text that is packed in an element.
fn unpacked(page: &str, id: &str) -> String {
    let (_, rest) = page.split_once(&format!("<script type=\"text/plain\" id=\"{id}\">")).expect("it begins");
    let (packed, _) = rest.split_once("</script>").expect("it ends");
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut length) = (Vec::new(), 0_u32, 0);
    for digit in packed.bytes().filter_map(|byte| digits.iter().position(|digit| *digit == byte)) {
        (bits, length) = (bits << 6 | u32::try_from(digit).expect("small"), length + 6);
        if length >= 8 {
            length -= 8;
            bytes.push((bits >> length & 255) as u8);
        }
    }
    let mut text = String::new();
    flate2::read::DeflateDecoder::new(&*bytes).read_to_string(&mut text).expect("text");
    text
}

fn messages(page: &str) -> Json {
    serde_json::from_str(&unpacked(page, "messages")).expect("the messages are JSON")
}

const HISTORY: &str = "\
{:index 0, :time 1000000, :type :invoke, :process 0, :f :add, :value 5}
{:index 1, :time 3000000, :type :ok, :process 0, :f :add, :value 5}
{:index 2, :time 4000000, :type :invoke, :process 1, :f :read, :value nil}
{:index 3, :time 9000000, :type :ok, :process 1, :f :read, :value [5]}
";

#[test]
fn a_page_holds_operations_and_messages_in_columns() {
    let mut network = network(&["{\"type\":\"tell\"}".into()]);
    let arrival = network.take(1, Time::from_millis(12)).expect("arrived");
    drop(arrival);
    let page = written(network, HISTORY, &[])("report.html");
    let data = data(&page);
    let expected = serde_json::json!({
        "total": 2, "names": ["add", "read"], "outcomes": ["ok", "info", "fail"], "name": [0, 1], "outcome": [0, 0],
        "begun": [0, 2], "ended": [1, 3],
        "start_us": [1000, 4000], "took_us": [2000, 5000], "process": [0, 1], "value": ["5", "[5]"],
    });
    assert_eq!(data["operations"], expected);
    let expected = serde_json::json!({
        "total": 1, "names": ["n0", "n1"], "types": ["tell"],
        "fates": ["delivered", "refused", "lost", "discarded", "ignored"], "id": [0], "sent_us": [3000],
        "src": [0], "dest": [1], "kind": [0], "took_us": [7000], "fate": [1], "again": [], "cut": [],
    });
    assert_eq!(messages(&page), expected);
    assert_eq!(unpacked(&page, "bodies"), "{\"type\":\"tell\"}\n");
    assert_eq!(data["lanes"], serde_json::json!(["clients", "n0", "n1"]));
    assert_eq!(data["links"], serde_json::json!({ "total": 1, "cells": [[1, 2, 1]] }));
    assert_eq!((&data["staleness_ms"], &data["stale_values"]), (&serde_json::json!([0]), &serde_json::json!(["5"])));
}

#[test]
fn text_from_nodes_never_becomes_markup() {
    let evil = "</script><!--<script>alert(1)</script>\" onload='x' \\u0000 ]]>&";
    let body = format!("{{\"type\":\"{}\"}}", evil.replace('"', "\\\""));
    let history = HISTORY.replace("[5]", &format!("[\"{}\"]", evil.replace('"', "\\\"").replace("\\u0000", "")));
    let read = written(network(std::slice::from_ref(&body)), &history, &[evil.to_owned()]);
    let page = read("report.html");
    assert_eq!(page.matches("</script>").count(), 4, "the page's own");
    assert_eq!(page.matches("<!--").count(), 0);
    let data = data(&page);
    assert_eq!((&*unpacked(&page, "bodies"), data["remarks"][0].as_str()), (&*(body + "\n"), Some(evil)));
}

#[test]
fn a_long_body_is_cut_and_its_length_kept() {
    let body = format!("{{\"value\":\"{}\",\"type\":\"long\"}}", "é".repeat(5_000));
    let page = written(network(std::slice::from_ref(&body)), HISTORY, &[])("report.html");
    let messages = messages(&page);
    assert_eq!(unpacked(&page, "bodies").trim_end().chars().count(), 4_000);
    assert_eq!(messages["cut"], serde_json::json!([[0, body.len()]]));
    assert_eq!(messages["types"][0], "long", "the type is read before the body is cut");
}

#[test]
fn the_page_of_a_run_with_very_many_messages_has_all_of_them_and_of_long_bodies_the_beginning() {
    let bodies = vec![format!("{{\"type\":\"{}\"}}", "x".repeat(600)); 50_000];
    let read = written(network(&bodies), HISTORY, &[]);
    let page = read("report.html");
    let messages = messages(&page);
    assert_eq!(messages["total"], 50_000);
    assert_eq!(messages["id"].as_array().map(Vec::len), Some(50_000));
    let bodies = unpacked(&page, "bodies");
    assert_eq!((bodies.lines().count(), bodies.lines().next().map(str::len)), (50_000, Some(160)));
    assert!(page.len() < 6_000_000, "{}", page.len());
}

#[test]
fn a_history_without_operations_has_a_page_too() {
    let read = written(network(&[]), "", &["n1 crashed.".into()]);
    assert_eq!(data(&read("report.html"))["operations"]["total"], 0);
}
