//! Clients continue until the time limit.

use std::thread;

use crate::run::Run;

const WORKLOADS: [&str; 10] = [
    "-w echo --node-count 1",
    "-w unique-ids --node-count 1",
    "-w broadcast --node-count 2",
    "-w g-set --node-count 2",
    "-w g-counter --node-count 3",
    "-w pn-counter --node-count 3",
    "-w kafka --node-count 2 --concurrency 2n",
    "-w lin-kv --node-count 1 --concurrency 2n",
    "-w txn-list-append --node-count 2 --concurrency 2n",
    "-w txn-rw-register --node-count 2 --concurrency 2n",
];

/// When the last operation of a client began within the limit, in seconds.
fn last_s(history: &str, limit_s: f64) -> f64 {
    let invocations = history.lines().filter(|line| line.contains(":type :invoke"));
    let times = invocations.filter_map(|line| {
        let (_, rest) = line.split_once(":time ")?;
        Some(rest.split([',', ' ', '}']).next()?.parse::<f64>().ok()? / 1e9)
    });
    times.filter(|time| *time < limit_s).fold(0.0, f64::max)
}

pub(crate) fn clients_continue_until_the_time_limit_under_any_nemesis() {
    let limit_s = 4.0;
    thread::scope(|scope| {
        for workload in WORKLOADS {
            // The nemesis acts only once within the limit.
            scope.spawn(move || {
                let options = format!("{workload} --time-limit {limit_s} --rate 50 --nemesis partition --seed 1");
                let run = Run::of(&format!("{options} --nemesis-interval 1000"));
                let last = last_s(&run.file("history.edn").expect("a history"), limit_s);
                // A second is far more than the longest gap between operations.
                assert!(last > limit_s - 1.0, "the last operation began at {last} s: {options}");
            });
        }
    });
}

pub(crate) fn a_test_whose_clients_could_not_keep_up_reports_it() {
    let run = Run::of_broken("slow", "-w echo --node-count 1 --time-limit 3 --rate 100");
    let line = run.page.lines().find(|line| line.starts_with("main phase")).expect("a line");
    assert!(line.contains("of about 300 operations") && line.contains("the only client thread was busy"), "{line}");
    assert!(run.count("/gloomers/main-phase/begun") < 100);
}
