//! Scenarios and the prompt with programs: what was typed happens again, and is explained.

use std::path::Path;

use super::is_permitted;
use super::swarm::{shell, text};

const TEST: &str = "gloomers test --quiet -w broadcast --virtual-time --seed 1 --node-count 5 --rate 10 --time-limit 5 \
                    --latency 100";

fn history(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("store/latest/history.edn")).expect("a history")
}

#[test]
fn a_session_with_a_program_is_repeated_by_its_scenario_and_explained() {
    if !is_permitted() {
        return;
    }
    let programs = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/explain/programs");
    let folder = tempfile::tempdir().expect("a folder");
    let test = format!("{TEST} --bin {programs}/broadcast_once.py");
    let typed = r#"run 1.2s\ncut n0 n3 | n1 n2 n4\nstep\nsend n0 {"type": "broadcast", "message": 1000}\nstep\n"#;
    let typed = format!("{typed}state n0\\nmessages\\nkill n4\\nrun 500ms\\nheal\\nstart\\ncontinue\\n");
    let session = shell(folder.path(), &format!("printf '{typed}' | {test} --interactive"));
    let shown = text(&session);
    for wanted in [
        "send to n0: {\"type\":\"broadcast_ok\"",
        "\"broadcast_ok\", \"in_reply_to\": 1}}\n", // the last line of n0
        "n0 -> n3 {\"type\": \"news\", \"batch\": {\"values\": [1000]}}",
        "was dropped by the partition [n0 n3 | n1 n2 n4], which lasted",
    ] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
    let first = history(folder.path());
    let again = shell(folder.path(), &format!("cp store/latest/scenario.toml . && {test} --scenario scenario.toml"));
    assert_eq!(again.status.code(), session.status.code(), "{}", text(&again));
    assert!(history(folder.path()) == first, "another history");
}

#[test]
fn until_shows_the_last_line_of_each_program() {
    if !is_permitted() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let node = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/explain/programs/broadcast_once.py");
    let stopped = shell(folder.path(), &format!("{TEST} --bin {node} --until 1s"));
    assert_eq!(stopped.status.code(), Some(2));
    let shown = text(&stopped);
    for node in 0..5 {
        assert!(shown.contains(&format!("\nn{node}  {{\"src\": \"n{node}\"")), "n{node}: {shown}");
    }
}
