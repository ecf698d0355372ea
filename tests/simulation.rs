//! Whole tests in virtual time: the real engines, the workbench's network and checkers, one seed.
#![cfg(feature = "workbench")]

use std::time::Duration;

use gossip_gloomers::gossip::Settings;
use gossip_gloomers::nodes::Broadcast;
use gossip_gloomers::workbench::check;
use gossip_gloomers::workbench::history::History;
use gossip_gloomers::workbench::network::{Conditions, Delivery, Latency, Shape};
use gossip_gloomers::workbench::run::{Plan, run};
use gossip_gloomers::workbench::simulation::Simulation;

struct Tracer;
impl gossip_gloomers::workbench::run::Watch for Tracer {
    fn on_message(&mut self, line: &str) {
        if line.contains("gossip") {
            println!("{line}")
        }
    }
}

fn env(k: &str, d: usize) -> usize {
    std::env::var(k).map_or(d, |s| s.parse().unwrap())
}

#[test]
fn probe() {
    for seed in 0..std::env::var("SEEDS").map_or(3, |s| s.parse().unwrap()) {
        for delivery in [Delivery::Held, Delivery::Free] {
            if env("FREE", 1) == 0 && delivery == Delivery::Free {
                continue;
            }
            let plan = Plan {
                nodes: (0..env("N", 25)).map(|n| format!("n{n}")).collect(),
                threads: env("N", 25),
                rate: env("RATE", 100) as f64,
                time_limit: Duration::from_secs(env("LIMIT", 20) as u64),
                faults: if env("PART", 0) > 0 {
                    vec![gossip_gloomers::workbench::nemesis::Fault::Partition]
                } else {
                    vec![]
                },
                nemesis_interval: Duration::from_secs(env("PART", 10) as u64),
                conditions: Conditions {
                    latency: Latency {
                        mean_ms: env("LAT", 100) as u64,
                        shape: match env("SHAPE", 0) {
                            0 => Shape::Constant,
                            1 => Shape::Uniform,
                            _ => Shape::Exponential,
                        },
                    },
                    delivery,
                    loss: env("LOSS", 0) as f64 / 100.0,
                    duplication: 0.0,
                },
                seed,
                log_send: std::env::var_os("TRACE").is_some(),
                log_recv: false,
            };
            let mut cluster = Simulation::of::<Broadcast>(
                env("N", 25),
                seed,
                &Settings {
                    max_staleness: std::env::var("STALE").ok().map(|s| Duration::from_millis(s.parse().unwrap())),
                },
            );
            let kind = gossip_gloomers::workbench::workload::Kind::Broadcast;
            let outcome = run(
                &plan,
                &mut *kind.begin(gossip_gloomers::workbench::workload::topology::Topology::Grid),
                &mut cluster,
                &mut Tracer,
            )
            .expect("runs");
            let c = outcome.counts;
            let history: History = outcome.history.into_iter().collect();
            let w = check::check_workload("broadcast", &history).expect("checks");
            println!(
                "{seed} {} {:.3} {} {:?} lost {} never {}",
                c.servers.msg,
                c.servers.msg as f64 / history.invocation_count() as f64,
                w.get("valid?").unwrap(),
                w.get("stable-latencies").map(|v| v.to_string()),
                w.get("lost-count").unwrap(),
                w.get("never-read-count").unwrap()
            );
            if std::env::var_os("KINDS").is_some() {
                for op in history
                    .ops()
                    .iter()
                    .filter(|op| op.process == gossip_gloomers::workbench::history::Process::Nemesis)
                {
                    let v = op.value.to_string();
                    if v.len() < 30 && !v.starts_with("[") {
                        print!("{:.1}{} ", op.time as f64 / 1e9, v);
                    }
                }
                println!();
            }
            if std::env::var_os("WORST").is_some() {
                for e in w.get("worst-stale").unwrap().items().unwrap() {
                    println!("  {} {}", e.get("stable-latency").unwrap(), e.get("known").unwrap());
                }
            }
            assert!(outcome.muted.is_empty(), "{:?}", outcome.muted);
        }
    }
}
