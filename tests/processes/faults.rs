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

/// Asserts that the run reports the line that muted the node. Maelstrom's verdict only reflects that it fell silent.
fn assert_muted(run: &Run) {
    let muted = run.result("/gloomers/muted");
    let quoted: Vec<_> = muted.as_array().expect("a list").iter().map(|muted| &muted["line"]).collect();
    assert_eq!(quoted, [&Value::from(GARBAGE)]);
    assert_eq!(run.result("/gloomers/muted/0/node"), json!("n0"));
    assert!(run.stdout.contains(GARBAGE), "{}", run.stdout);
    assert!(run.stdout.contains(&format!("ends with:   at line 7 / {REASON}\n")), "{}", run.stdout);
    assert_eq!(run.count("/stats/ok-count"), GOOD);
    assert!(run.count("/stats/count") > GOOD);
}

const ECHO: &str = "-w echo --node-count 1 --time-limit 2 --rate 50";
/// A workload in which unanswered requests are valid.
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
    assert!(run.stdout.contains(&format!("Node n0 crashed with exit status: {STATUS}")), "{}", run.stdout);
    let last = run.stdout.lines().last().expect("a line");
    assert!(last.starts_with("There is no verdict: n0 died after ") && last.contains("(exit status: 3)"), "{last}");
    let lines: Vec<_> = run.stderr.match_indices("n0 died (exit status: 3); the last it wrote to stderr:\n").collect();
    assert_eq!(lines.len(), 1, "{}", run.stderr);
    assert!(lines[0].0 < run.stderr.find("ending the nodes").expect("the last phase"), "{}", run.stderr);
    assert!(run.stderr.contains("\n    oh no\n"), "{}", run.stderr);
    let history = run.file("history.edn").expect("a history");
    let answered = history.lines().filter(|op| op.contains(":type :ok")).count();
    assert_eq!(u64::try_from(answered), Ok(GOOD));
}

pub(crate) fn a_node_that_does_not_initialise_ends_the_test_before_it_starts() {
    std::thread::scope(|scope| {
        for fault in ["exits-at-init", "refuses-init", "ignores-init"] {
            scope.spawn(move || {
                let run = Run::of_broken(fault, ECHO);
                run.assert_no_verdict();
                assert_eq!(run.file("history.edn"), None);
                assert!(run.stdout.contains("The test could not be run: n0 "), "{}", run.stdout);
            });
        }
    });
}

pub(crate) fn a_node_must_answer_init_within_the_given_timeout() {
    let run = Run::of_broken("ignores-init", &format!("{ECHO} --init-timeout 0.2"));
    run.assert_no_verdict();
    assert!(run.stdout.contains("n0 did not answer init within 0.2 s"), "{}", run.stdout);
}

pub(crate) fn a_node_that_never_answers_is_invalid() {
    let run = Run::of_broken("never-answers", IDS);
    run.assert_verdict(false, 1);
    assert_eq!((run.result("/stats/valid"), run.result("/workload/valid")), (json!(false), json!(true)));
    assert_eq!(run.count("/stats/ok-count"), 0);
    assert!(run.count("/stats/count") > 0);
    assert_eq!(run.result("/gloomers/muted"), json!([]));
}

/// The last line of an aborted run, which states the reason.
fn why_broken_off(fault: &str, options: &str) -> String {
    let run = Run::of_broken(fault, options);
    run.assert_no_verdict();
    run.stdout.lines().last().expect("some words").to_owned()
}

pub(crate) fn the_defect_of_an_init_reply_is_named() {
    let cases = [
        ("refuses-init", "n0 answered init with error 13 (crash): cannot start: no disk"),
        ("init-of-another-type", "n0 answered init, but the reply has the type `init_okay`, not `init_ok`: {"),
        ("init-without-in-reply-to", "instead: in_reply_to is missing"),
        ("init-in-reply-to-0", "instead: in_reply_to is 0, not 1"),
        ("pretty-init", "a message must be one line"),
        ("swapped-init", "its src is c0 and its dest n0, which should be c0"),
        ("dies-of-swapped-init", "n0 had sent init_ok with src c0 and dest n0 (swapped?)"),
        ("byte-order-mark", "a byte order mark (U+FEFF) before its message"),
        ("endless-init", "bytes without a line end; is stdout flushed? {"),
        ("ignores-init", "n0 did not answer init within 10 s; it has printed nothing: is stdout flushed?"),
    ];
    std::thread::scope(|scope| {
        for (fault, words) in cases {
            scope.spawn(move || {
                let last = why_broken_off(fault, ECHO);
                assert!(last.starts_with("The test could not be run: n0 ") && last.contains(words), "{fault}: {last}");
            });
        }
    });
}

pub(crate) fn the_defect_of_a_topology_reply_is_named() {
    let options = "-w broadcast --node-count 1 --time-limit 2";
    let last = why_broken_off("refuses-topology", options);
    assert!(last.ends_with("n0 answered topology with error 10 (not-supported): topology not supported"), "{last}");
    let last = why_broken_off("ignores-topology", options);
    assert!(last.ends_with("n0 did not answer topology within 5 s"), "{last}");
}

pub(crate) fn a_malformed_reply_is_reported_with_its_count_in_every_output() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("junit.xml");
    let options = format!("-w broadcast --node-count 1 --time-limit 2 --rate 10 --junit {}", file.display());
    let run = Run::of_broken("keeps-the-message", &options);
    run.assert_verdict(false, 1);
    let count = run.count("/stats/by-f/broadcast/count");
    let words = format!("{count} × broadcast: the reply has the key `message`, which does not belong there: {{");
    assert!(run.stdout.contains(&words), "{}", run.stdout);
    let report = run.file("report.html").expect("a page");
    let junit = std::fs::read_to_string(file).expect("JUnit");
    for text in [report, junit] {
        assert!(text.contains(&words.replace(": {", "")), "{words}");
    }
}

pub(crate) fn a_wrong_in_reply_to_is_named() {
    std::thread::scope(|scope| {
        for (fault, words) in [
            ("no-in-reply-to", "with in_reply_to missing: {"),
            ("in-reply-to-a-string", "with in_reply_to \"1\" (a string), not the integer 1: {"),
            ("in-reply-to-a-float", "with in_reply_to 1.0 (a float), not the integer 1: {"),
        ] {
            scope.spawn(move || {
                let run = Run::of_broken(fault, ECHO);
                run.assert_verdict(false, 1);
                let silent = format!(
                    "{} × echo: no reply within 5 s; n0 had sent echo_ok to c2 {words}",
                    run.count("/stats/info-count")
                );
                assert!(run.stdout.contains(&silent), "{silent}\n{}", run.stdout);
            });
        }
    });
}

pub(crate) fn the_last_value_of_a_repeated_key_counts() {
    let run = Run::of_broken("type-twice", ECHO);
    run.assert_verdict(true, 0);
    assert!(run.count("/stats/ok-count") > GOOD);
}

pub(crate) fn text_after_a_message_on_its_line_is_quoted_and_fails_a_strict_test() {
    std::thread::scope(|scope| {
        for (fault, quoted, strict, status) in [
            ("two-on-a-line", "The first: {", "", 0),
            ("two-on-a-line", "The first: {", "--strict", 1),
            ("trailing-text", "The first: and more", "--strict", 1),
        ] {
            scope.spawn(move || {
                let run = Run::of_broken(fault, &format!("{ECHO} {strict}"));
                run.assert_verdict(true, status);
                let lines = run.count("/gloomers/unread/0/lines");
                assert_eq!(lines, run.count("/stats/ok-count"));
                let words =
                    format!("Node n0 printed more after a message, on {lines} lines; nobody reads it. {quoted}");
                assert!(run.stdout.contains(&words), "{}", run.stdout);
            });
        }
    });
}
