//! A node that is broken gets Maelstrom's verdict and exit code.

use serde_json::{Value, json};

use crate::broken::{GARBAGE, GOOD, REASON, STATUS};
use crate::run::Run;

pub(crate) fn a_node_that_forgets_values_is_invalid() {
    let run = Run::of_broken("forgets", "-w broadcast --node-count 1 --time-limit 3 --rate 50 --seed 1");
    run.assert_verdict(false, 1);
    assert_eq!(run.result("/workload/valid"), json!(false));
    let (lost, stable) = (run.count("/workload/lost-count"), run.count("/workload/stable-count"));
    assert!(lost > 0 && stable > 0, "{lost} {stable}");
    let lost = run.result("/workload/lost");
    assert!(lost.as_array().expect("a list").iter().all(|value| value.as_u64().is_some_and(|odd| odd % 2 == 1)));
}

pub(crate) fn a_node_that_repeats_ids_is_invalid() {
    let run = Run::of_broken("repeats-ids", IDS);
    run.assert_verdict(false, 1);
    assert_eq!(run.result("/workload/valid"), json!(false));
    assert_eq!(run.count("/workload/duplicated-count"), 10);
}

/// The verdict is Maelstrom's, which sees a node that falls silent; ours is to say why.
fn assert_muted(run: &Run) {
    let muted = run.result("/gloomers/muted");
    let quoted: Vec<_> = muted.as_array().expect("a list").iter().map(|muted| &muted["line"]).collect();
    assert_eq!(quoted, [&Value::from(GARBAGE)]);
    assert_eq!(run.result("/gloomers/muted/0/node"), json!("n0"));
    assert!(run.page.contains(GARBAGE), "{}", run.page);
    assert!(run.page.contains(&format!("ends with:   at line 7 / {REASON}\n")), "{}", run.page);
    assert_eq!(run.count("/stats/ok-count"), GOOD);
    assert!(run.count("/stats/count") > GOOD);
}

const ECHO: &str = "-w echo --node-count 1 --time-limit 2 --rate 50";
/// Where a request without an answer is no offence.
const IDS: &str = "-w unique-ids --node-count 1 --time-limit 2 --rate 50";

pub(crate) fn a_node_that_prints_garbage_is_muted_and_quoted() {
    let run = Run::of_broken("prints-garbage", IDS);
    run.assert_verdict(true, 0);
    assert_muted(&run);
}

pub(crate) fn a_muted_node_fails_a_strict_test() {
    let run = Run::of_broken("prints-garbage", &format!("{IDS} --strict"));
    run.assert_verdict(true, 1);
    assert_muted(&run);
}

pub(crate) fn an_echo_that_never_comes_is_invalid() {
    let run = Run::of_broken("prints-garbage", ECHO);
    run.assert_verdict(false, 1);
    assert_eq!((run.result("/stats/valid"), run.result("/workload/valid")), (json!(true), json!(false)));
    assert_muted(&run);
}

pub(crate) fn a_node_that_exits_leaves_a_history_without_a_verdict() {
    let run = Run::of_broken("exits", ECHO);
    run.assert_no_verdict();
    assert!(run.page.contains(&format!("Node n0 crashed with exit status: {STATUS}")), "{}", run.page);
    let last = run.page.lines().last().expect("a line");
    assert!(last.starts_with("There is no verdict: n0 died after ") && last.contains("(exit status: 3)"), "{last}");
    let told: Vec<_> = run.stderr.match_indices("n0 died (exit status: 3); the last it wrote to stderr:\n").collect();
    assert_eq!(told.len(), 1, "{}", run.stderr);
    assert!(told[0].0 < run.stderr.find("ending the nodes").expect("the last phase"), "{}", run.stderr);
    assert!(run.stderr.contains("\n    oh no\n"), "{}", run.stderr);
    let history = run.file("history.edn").expect("a history");
    let answered = history.lines().filter(|op| op.contains(":type :ok")).count();
    assert_eq!(u64::try_from(answered), Ok(GOOD));
}

pub(crate) fn a_node_that_does_not_take_part_ends_the_test_before_it_begins() {
    std::thread::scope(|scope| {
        for fault in ["exits-at-init", "refuses-init", "ignores-init"] {
            scope.spawn(move || {
                let run = Run::of_broken(fault, ECHO);
                run.assert_no_verdict();
                assert_eq!(run.file("history.edn"), None);
                assert!(run.page.contains("The test could not be run: n0 "), "{}", run.page);
            });
        }
    });
}

pub(crate) fn a_node_has_as_long_to_answer_init_as_it_is_given() {
    let run = Run::of_broken("ignores-init", &format!("{ECHO} --init-timeout 0.2"));
    run.assert_no_verdict();
    assert!(run.page.contains("n0 did not answer init within 0.2 s"), "{}", run.page);
}

pub(crate) fn a_node_that_never_answers_is_invalid() {
    let run = Run::of_broken("never-answers", IDS);
    run.assert_verdict(false, 1);
    assert_eq!((run.result("/stats/valid"), run.result("/workload/valid")), (json!(false), json!(true)));
    assert_eq!(run.count("/stats/ok-count"), 0);
    assert!(run.count("/stats/count") > 0);
    assert_eq!(run.result("/gloomers/muted"), json!([]));
}
