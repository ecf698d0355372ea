//! Pictures of small runs, hostile ones among them. How the page looks and answers is tested in a browser.

use std::ffi::OsString;

use rand::SeedableRng as _;
use chacha20::ChaCha8Rng;
use serde_json::Value as Json;

use super::*;
use crate::time::Time;
use crate::workbench::cli::options::Options;
use crate::workbench::network::{Conditions, Delivery, Latency, Network, Shape};

/// A network of two nodes on which these bodies went from the first to the second.
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

/// Writes the pictures of a run and hands out the reader of its files.
fn pictures(mut network: Network, history: &str, remarks: &[String]) -> impl Fn(&str) -> String + use<> {
    let root = tempfile::tempdir().expect("a folder");
    let mut store = Store::create(root.path(), "g-set");
    let line = "-w g-set --node-count 2 --seed 7 --latency-dist uniform --latency 3";
    let options = Options::parse(line.split_whitespace().map(OsString::from)).expect("a good command line").config;
    let history: History = history.parse().expect("a history");
    let (counts, journal) = (network.counts(), network.take_journal(Time::from_millis(2)));
    let verdict = Some(Verdict::True);
    let (history, journal, counts, options) = (&history, &journal, &counts, &options);
    let throughput = &Throughput::default();
    let run = Run { history, journal, counts, results: None, options, throughput, verdict, remarks };
    write(&run, &mut store);
    assert!(store.missing().is_empty(), "{:?}", store.missing());
    move |name| {
        let _kept = &root;
        std::fs::read_to_string(store.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

/// What is embedded in a page.
fn data(page: &str) -> Json {
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"data\">").expect("data begin");
    let (data, _) = rest.split_once("</script>").expect("data end");
    serde_json::from_str(data).expect("the data are JSON")
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
    let data = data(&pictures(network, HISTORY, &[])("report.html"));
    let expected = serde_json::json!({
        "total": 2, "names": ["add", "read"], "outcomes": ["ok", "info", "fail"], "name": [0, 1], "outcome": [0, 0],
        "start_us": [1000, 4000], "took_us": [2000, 5000], "process": [0, 1], "value": ["5", "[5]"],
    });
    assert_eq!(data["operations"], expected);
    let expected = serde_json::json!({
        "total": 1, "names": ["n0", "n1"], "lane": [1, 2], "types": ["tell"], "id": [0], "src": [0], "dest": [1],
        "kind": [0], "sent_us": [3000], "arrived_us": [10000], "again_us": [],
        "body": ["{\"type\":\"tell\"}"], "cut": [],
    });
    assert_eq!(data["messages"], expected);
    assert_eq!(data["lanes"], serde_json::json!(["clients", "n0", "n1"]));
    assert_eq!(data["links"], serde_json::json!({ "total": 1, "cells": [[1, 2, 1]] }));
    assert_eq!(data["staleness_ms"], serde_json::json!([0]));
}

#[test]
fn nothing_that_a_node_says_becomes_markup() {
    let evil = "</script><!--<script>alert(1)</script>\" onload='x' \\u0000 ]]>&";
    let body = format!("{{\"type\":\"{}\"}}", evil.replace('"', "\\\""));
    let history = HISTORY.replace("[5]", &format!("[\"{}\"]", evil.replace('"', "\\\"").replace("\\u0000", "")));
    let read = pictures(network(std::slice::from_ref(&body)), &history, &[evil.to_owned()]);
    let page = read("report.html");
    assert_eq!(page.matches("</script>").count(), 2, "the page's own");
    assert_eq!(page.matches("<!--").count(), 0);
    let data = data(&page);
    assert_eq!((data["messages"]["body"][0].as_str(), data["remarks"][0].as_str()), (Some(&*body), Some(evil)));
}

#[test]
fn a_long_body_is_cut_and_its_length_told() {
    let body = format!("{{\"value\":\"{}\",\"type\":\"long\"}}", "é".repeat(5_000));
    let data = data(&pictures(network(std::slice::from_ref(&body)), HISTORY, &[])("report.html"));
    let messages = &data["messages"];
    assert_eq!(messages["body"][0].as_str().map(|text| text.chars().count()), Some(400));
    assert_eq!(messages["cut"], serde_json::json!([[0, body.len()]]));
    assert_eq!(messages["types"][0], "long", "the type is read before the body is cut");
}

#[test]
fn a_run_with_very_many_messages_has_a_page_of_a_few_megabytes_that_says_what_it_leaves_out() {
    let bodies = vec![format!("{{\"type\":\"{}\"}}", "x".repeat(600)); 25_000];
    let read = pictures(network(&bodies), HISTORY, &[]);
    let page = read("report.html");
    let data = data(&page);
    assert_eq!(data["messages"]["total"], 25_000);
    assert_eq!(data["messages"]["id"].as_array().map(Vec::len), Some(10_000));
    assert!(page.len() < 6_000_000, "{}", page.len());
}

#[test]
fn a_history_without_operations_has_pictures_too() {
    let read = pictures(network(&[]), "", &["n1 crashed.".into()]);
    assert_eq!(data(&read("report.html"))["operations"]["total"], 0);
}
