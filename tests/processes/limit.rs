//! Clients continue until the time limit.

use std::thread;

use crate::main_phase::{WORKLOADS, begun_s};
use crate::run::Run;

pub(crate) fn clients_continue_until_the_time_limit_under_any_nemesis() {
    let limit_s = 4.0;
    thread::scope(|scope| {
        for workload in WORKLOADS {
            // The nemesis acts only once within the limit.
            scope.spawn(move || {
                let options = format!("{workload} --time-limit {limit_s} --rate 50 --nemesis partition --seed 1");
                let run = Run::of(&format!("{options} --nemesis-interval 1000"));
                let begun = begun_s(&run.file("history.edn").expect("a history"), limit_s);
                let last = begun.into_iter().fold(0.0, f64::max);
                // A second is far more than the longest gap between operations.
                assert!(last > limit_s - 1.0, "the last operation began at {last} s: {options}");
            });
        }
    });
}

pub(crate) fn a_test_whose_clients_could_not_keep_up_reports_it() {
    let run = Run::of_broken("slow", "-w echo --node-count 1 --time-limit 3 --rate 100");
    let line = run.stdout.lines().find(|line| line.starts_with("main phase")).expect("a line");
    assert!(line.contains("of about 300 operations") && line.contains("the only client thread was busy"), "{line}");
    assert!(run.count("/gloomers/main-phase/begun") < 100);
}
