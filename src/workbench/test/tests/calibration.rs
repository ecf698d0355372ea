//! Two runs of real Maelstrom with 25 nodes, 100 ms, 100 operations a second for 20 s, done again here: the
//! figures must come out alike, or the network is not Maelstrom's.

use std::collections::BTreeMap;

use super::*;

const NODES: usize = 25;
/// Runs whose figures are averaged.
const SEEDS: u64 = 2;

/// Stable latencies at 0.5 and 0.99 in ms, and messages between servers per operation (protocol §13.3, §7).
struct Metrics {
    median: f64,
    high: f64,
    messages: f64,
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand milliseconds and messages")]
fn figures(script: impl Fn(&mut Scripted)) -> Metrics {
    let mut sum = Metrics { median: 0.0, high: 0.0, messages: 0.0 };
    for seed in 0..SEEDS {
        let latency = Latency { shape: Shape::Constant, mean_ms: 100 };
        let config = TestConfig { latency, seed, time_limit: Duration::from_secs(20), ..config(NODES) };
        let mut cluster = Scripted::new(0, |_| unreachable!("added below"));
        script(&mut cluster);
        let outcome = test(&config, WorkloadKind::Broadcast, &mut cluster).expect("it runs");
        let stable = stable_latencies_ms(outcome.history.ops());
        let at = |share: usize| stable[stable.len() * share / 100] as f64 / SEEDS as f64;
        sum.median += at(50);
        sum.high += at(99);
        sum.messages += outcome.counts.servers.msg as f64 / count(&outcome, OpKind::Invoke) as f64 / SEEDS as f64;
    }
    sum
}

/// For each value, from its acknowledgement (or first sight) to the last read that began and missed it; sorted.
fn stable_latencies_ms(history: &[Op]) -> Vec<i64> {
    let mut begun: BTreeMap<Process, &Op> = BTreeMap::new();
    let mut known: BTreeMap<i64, i64> = BTreeMap::new();
    let mut absent: BTreeMap<i64, i64> = BTreeMap::new();
    let mut acknowledged = 0;
    for op in history {
        match (op.kind, &*op.f, &op.value) {
            (OpKind::Ok, "broadcast", Value::Int(value)) => drop(known.entry(*value).or_insert(op.time)),
            (OpKind::Ok, "read", Value::Ints(seen)) => {
                let mut missing = vec![true; acknowledged];
                for value in seen {
                    known.entry(value).or_insert(op.time);
                    missing[usize::try_from(value).expect("counted from 0")] = false;
                }
                let read = begun[&op.process].time;
                for (value, _) in (0..).zip(&missing).filter(|(_, missing)| **missing) {
                    let last = absent.entry(value).or_insert(read);
                    *last = read.max(*last);
                }
            }
            (OpKind::Invoke, f, _) => {
                acknowledged += usize::from(f == "broadcast");
                begun.insert(op.process, op);
            }
            _ => {}
        }
    }
    let latency =
        |(value, known): (&i64, &i64)| absent.get(value).map_or(0, |last| (last + 1 - known).max(0) / 1_000_000);
    let mut stable: Vec<i64> = known.iter().map(latency).collect();
    stable.sort_unstable();
    stable
}

/// Leaves tell the hub at once; the hub tells everyone what it has heard 350 ms after the first of it.
fn star(cluster: &mut Scripted) {
    for me in 0..NODES {
        let alarm: Rc<Cell<Option<Time>>> = Rc::default();
        cluster.alarms.push(Rc::clone(&alarm));
        let clock = Rc::clone(&cluster.clock);
        let mut seen: Vec<Json> = Vec::new();
        let mut heard: Vec<(usize, Json)> = Vec::new();
        let tell = move |peer: usize, values: &[&Json]| {
            let body = json!({"type": "news", "values": values});
            json!({"src": format!("n{me}"), "dest": format!("n{peer}"), "body": body}).to_string()
        };
        cluster.nodes.push(Box::new(move |message| {
            if message.is_null() {
                let heard = std::mem::take(&mut heard);
                let news = |peer| heard.iter().filter(move |(from, _)| *from != peer).map(|(_, value)| value);
                let peers = (1..NODES).map(|peer| (peer, news(peer).collect::<Vec<_>>()));
                return peers.filter(|(_, news)| !news.is_empty()).map(|(peer, news)| tell(peer, &news)).collect();
            }
            let mut lines = Vec::new();
            let (from, values) = match kind_of(message) {
                "init" => return vec![reply(message, json!({"type": "init_ok"}))],
                "topology" => return vec![reply(message, json!({"type": "topology_ok"}))],
                "read" => return vec![reply(message, json!({"type": "read_ok", "messages": seen}))],
                "broadcast" => {
                    lines.push(reply(message, json!({"type": "broadcast_ok"})));
                    (me, vec![message["body"]["message"].clone()])
                }
                _ => {
                    let from = message["src"].as_str().and_then(|name| name[1..].parse().ok()).expect("a node");
                    (from, message["body"]["values"].as_array().expect("values").clone())
                }
            };
            seen.extend(values.iter().cloned());
            if me == 0 {
                heard.extend(values.into_iter().map(|value| (from, value)));
                let due = clock.get() + Duration::from_millis(350);
                alarm.set(Some(alarm.get().unwrap_or(due)));
            } else if from == me {
                lines.push(tell(0, &values.iter().collect::<Vec<_>>()));
            }
            lines
        }));
    }
}

fn direct(cluster: &mut Scripted) {
    *cluster = Scripted::new(NODES, broadcast(NODES));
}

#[test]
fn sending_straight_to_everyone_costs_what_it_costs_in_maelstrom() {
    let Metrics { median, high, messages } = figures(direct);
    assert!((median - 75.0).abs() < 15.0, "{median}");
    assert!((high - 97.0).abs() < 15.0, "{high}");
    assert!((messages / 11.72 - 1.0).abs() < 0.05, "{messages}");
}

#[test]
fn a_hub_that_waits_costs_what_it_costs_in_maelstrom() {
    let Metrics { median, high, messages } = figures(star);
    assert!((median - 232.0).abs() < 15.0, "{median}");
    assert!((high - 447.0).abs() < 15.0, "{high}");
    assert!((messages / 1.138 - 1.0).abs() < 0.05, "{messages}");
}
