//! Which values a kill may lose, and how soon restarted and paused nodes have caught up.

use std::collections::BTreeSet;
use std::ops::Range;

use gossip_gloomers::simulation::{Fault, Shape, Value};
use gossip_gloomers::time::{Duration, Time};

use crate::client_history::{Read, acknowledged, reads};
use crate::fixture::{Fixture, Outcome, seeds};
use crate::recording_cluster::RecordingCluster;

/// A simulated node answers `init` at once, so the history starts at the zero of the cluster.
fn time(ns: i64) -> Time {
    Time::from_nanos(u64::try_from(ns).expect("times are not negative"))
}

fn values(outcome: &Outcome, key: &str) -> BTreeSet<i64> {
    outcome
        .report
        .workload()
        .get(key)
        .and_then(Value::items)
        .into_iter()
        .flatten()
        .filter_map(|value| value.as_int())
        .collect()
}

/// Asserts that the final reads return exactly the values held by a living process, and that the checker reports
/// exactly the other known values as lost. Returns their number.
fn assert_only_orphaned_values_lost(outcome: &Outcome, recording: &RecordingCluster) -> usize {
    let reads = reads(outcome);
    let last = (0..outcome.nodes).map(|node| reads.iter().rev().find(|read| read.node == node).expect("all read"));
    let last: Vec<&Read> = last.collect();
    let end = last.iter().map(|read| time(read.invoked)).max().expect("there are nodes");
    let survivors = recording.survivors(end);
    for read in last {
        if let Some(value) = survivors.symmetric_difference(&read.seen).next() {
            panic!(
                "n{} has it: {}, {}\n{}",
                read.node,
                read.seen.contains(value),
                recording.trail(*value),
                outcome.replay()
            );
        }
    }
    let mut known: BTreeSet<i64> = reads.iter().flat_map(|read| read.seen.iter().copied()).collect();
    known.extend(acknowledged(outcome).iter().map(|(value, ..)| *value));
    let gone: BTreeSet<i64> = known.difference(&survivors).copied().collect();
    assert_eq!(values(outcome, "lost"), gone, "{}", outcome.replay());
    gone.len()
}

/// The time from a restart, after which all nodes are running, to the next kill.
struct AfterRestart {
    from: Time,
    to: Time,
    /// The nodes that restarted.
    returned: BTreeSet<usize>,
    /// The values held by the processes that kept running.
    held: BTreeSet<i64>,
}

fn after_restarts(recording: &RecordingCluster) -> Vec<AfterRestart> {
    let starts: BTreeSet<Time> =
        recording.incarnations.iter().map(|incarnation| incarnation.started).filter(|at| *at > Time::ZERO).collect();
    let ends = || recording.incarnations.iter().filter_map(|incarnation| incarnation.ended);
    let after = |from| AfterRestart {
        from,
        to: ends().filter(|end| *end > from).min().expect("all nodes are killed at the end"),
        returned: recording
            .incarnations
            .iter()
            .filter(|incarnation| incarnation.started == from)
            .map(|incarnation| incarnation.node)
            .collect(),
        held: recording.survivors(from),
    };
    starts.into_iter().map(after).collect()
}

impl AfterRestart {
    /// The reads within it that start at least `bound` after its start and after `since`.
    fn reads<'a>(&self, reads: &'a [Read], since: Time, bound: Duration) -> impl Iterator<Item = &'a Read> + use<'a> {
        let (from, to) = (self.from.max(since) + bound, self.to);
        reads.iter().filter(move |read| from <= time(read.invoked) && time(read.invoked) <= to)
    }
}

/// The default period of a hub's rounds, for a latency of 0 or 100 ms.
fn period_ms(latency_ms: u64) -> u64 {
    if latency_ms == 0 { 50 } else { 370 }
}

fn fixtures(fault: Fault) -> impl Iterator<Item = (Fixture, u64, Range<u64>)> {
    let sizes = [(3, 4), (5, 4), (25, 1)];
    sizes.into_iter().flat_map(move |(nodes, few)| {
        [(0, 5), (0, 10), (100, 5), (100, 10)].map(|(latency, interval)| {
            let fixture = Fixture::new(nodes).latency(latency, Shape::Constant).faults(&[fault], interval, 60);
            (fixture, latency, seeds(few))
        })
    })
}

/// The runs of all fixtures, each with its latency.
fn runs(fault: Fault) -> impl Iterator<Item = (u64, Outcome, RecordingCluster)> {
    fixtures(fault).flat_map(|(fixture, latency, seeds)| {
        seeds.map(move |seed| {
            let (outcome, recording) = fixture.run_recorded(seed);
            (latency, outcome, recording)
        })
    })
}

#[test]
fn a_kill_loses_exactly_the_values_that_no_living_node_holds() {
    let mut lost = 0;
    for (_, outcome, recording) in runs(Fault::Kill) {
        lost += assert_only_orphaned_values_lost(&outcome, &recording);
    }
    assert!(lost > 0, "some values are lost");
}

/// By then a restarted node has caught up: it settles after 500 ms, a hub may have to probe one node after another, 700
/// ms apart, and then there are a round trip and, with a relay in between, a period.
fn catch_up_time(latency_ms: u64) -> Duration {
    Duration::from_millis(500 + 2 * 700 + 3 * latency_ms + period_ms(latency_ms))
}

/// By then a value has reached all nodes, also before the rounds are regular again.
fn propagation_time(latency_ms: u64) -> Duration {
    Duration::from_millis(1000 + 4 * latency_ms + 2 * period_ms(latency_ms))
}

fn assert_sees(read: &Read, value: i64, outcome: &Outcome, recording: &RecordingCluster) {
    let seen = read.seen.contains(&value);
    assert!(seen, "n{} by {}: {}\n{}", read.node, read.label, recording.trail(value), outcome.replay());
}

#[test]
fn a_restarted_node_soon_holds_everything_that_the_others_hold() {
    let mut seen = 0;
    for (latency, outcome, recording) in runs(Fault::Kill) {
        let reads = reads(&outcome);
        for after in after_restarts(&recording) {
            let late = after.reads(&reads, after.from, catch_up_time(latency));
            for read in late.filter(|read| after.returned.contains(&read.node)) {
                for value in &after.held {
                    assert_sees(read, *value, &outcome, &recording);
                }
                seen += after.held.len();
            }
        }
    }
    assert!(seen > 0, "some values were missed");
}

#[test]
fn values_written_to_a_restarted_node_are_soon_read_everywhere() {
    let mut seen = 0;
    for (latency, outcome, recording) in runs(Fault::Kill) {
        let reads = reads(&outcome);
        for after in after_restarts(&recording) {
            let within = after.from..after.to;
            for (value, node, known) in acknowledged(&outcome) {
                if !within.contains(&time(known)) || !after.returned.contains(&node) {
                    continue;
                }
                let settled = time(known).max(after.from + catch_up_time(latency));
                for read in after.reads(&reads, settled, propagation_time(latency)) {
                    assert_sees(read, value, &outcome, &recording);
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 0, "some values were written");
}

#[test]
fn a_node_paused_for_ten_seconds_catches_up() {
    let mut longest = Duration::ZERO;
    for (latency, outcome, recording) in runs(Fault::Pause) {
        outcome.assert_nothing_lost();
        let reads = reads(&outcome);
        for pause in &recording.pauses {
            let held = recording.survivors(pause.to);
            let next = recording.pauses.iter().map(|pause| pause.from).filter(|from| *from >= pause.to).min();
            let bound = pause.to + catch_up_time(latency);
            let late = reads.iter().filter(|read| bound <= time(read.invoked));
            for read in late.filter(|read| next.is_none_or(|next| time(read.invoked) < next)) {
                for value in &held {
                    assert_sees(read, *value, &outcome, &recording);
                }
                longest = longest.max(pause.to.since(pause.from));
            }
        }
    }
    assert!(longest > Duration::from_secs(10), "no pause was longer than {longest:?}");
}

#[test]
fn a_g_set_gives_the_same_guarantees() {
    for latency in [0, 100] {
        let fixture = Fixture::g_set(5).latency(latency, Shape::Constant);
        for seed in seeds(3) {
            fixture.clone().faults(&[Fault::Partition], 5, 30).run(seed).assert_nothing_lost();
            let (outcome, recording) = fixture.clone().faults(&[Fault::Kill], 5, 30).run_recorded(seed);
            assert_only_orphaned_values_lost(&outcome, &recording);
            fixture.clone().with(|simulation| simulation.loss(0.1)).run(seed).assert_nothing_lost();
        }
    }
}
