//! Scenarios, stops and the prompt from end to end.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

const TEST: &str = "test --quiet -w broadcast --seed 3 --node-count 3 --rate 20 --time-limit 3 --latency 50";

/// What a run printed and left.
struct Ran {
    status: i32,
    /// To stdout.
    page: String,
    /// To stderr.
    shown: String,
}

/// Runs the test in a folder with more options, and types these lines.
fn run(folder: &Path, options: &str, typed: &str) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gloomers"));
    command.args(TEST.split(' ')).args(options.split_whitespace()).current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    // It may end without reading everything.
    child.stdin.take().expect("piped").write_all(typed.as_bytes()).ok();
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { status: output.status.code().expect("no signal"), page: text(output.stdout), shown: text(output.stderr) }
}

fn file(folder: &Path, name: &str) -> String {
    let path = folder.join("store/latest").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// When each fault of the history took effect, in seconds, and its name.
fn faults(history: &str) -> Vec<(f64, String)> {
    let member = |line: &str, key: &str| {
        let rest = line.split_once(key).expect("every operation has it").1;
        rest.trim_start().split([',', ' ', '}']).next().expect("a value").to_owned()
    };
    let infos = history.lines().filter(|line| line.contains(":process :nemesis"));
    let ends = infos.skip(1).step_by(2);
    let fault = |line| (member(line, ":time").parse::<f64>().expect("a number") / 1e9, member(line, ":f"));
    ends.map(fault).collect()
}

#[test]
fn a_session_at_the_prompt_is_kept_and_its_scenario_gives_the_same_history() {
    let folder = tempfile::tempdir().expect("a folder");
    let typed = "run 500ms\ncut n0 | n1 n2\nstep\nstep\nsend n1 {\"type\":\"read\"}\nkill n2\nrun 300ms\nstart\nheal\n\
                 slow n0 20ms\nstep\npause n1\nrun 100ms\nresume\nend-slow\nskew n2 1.1\ncontinue\n";
    let session = run(folder.path(), "--virtual-time --interactive", typed);
    assert!(session.shown.contains("send to n1: {\"type\":\"read_ok\""), "{}", session.shown);
    assert!(session.page.contains("\nverdict "), "{}", session.page);
    let history = file(folder.path(), "history.edn");
    let kept = file(folder.path(), "scenario.toml");
    assert_eq!(kept.matches("[[step]]").count(), 10, "{kept}");
    let names: Vec<_> = faults(&history).into_iter().map(|(_, name)| name).collect();
    assert_eq!(
        names[..9],
        [
            ":start-partition",
            ":kill",
            ":start",
            ":stop-partition",
            ":start-slow",
            ":pause",
            ":resume",
            ":stop-slow",
            ":start-skew"
        ]
    );
    std::fs::write(folder.path().join("again.toml"), &kept).expect("written");
    let again = run(folder.path(), "--virtual-time --scenario again.toml", "");
    assert_eq!(again.status, session.status);
    assert!(file(folder.path(), "history.edn") == history, "another history by {kept}");
}

#[test]
fn stopping_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    run(folder.path(), "--virtual-time --nemesis partition,kill --nemesis-interval 1", "");
    let plain = file(folder.path(), "history.edn");
    let typed = format!("run 700ms\n{}nodes\nmessages\nrun 10ms\nstate n1\ncontinue\n", "step\n".repeat(200));
    run(folder.path(), "--virtual-time --nemesis partition,kill --nemesis-interval 1 --interactive", &typed);
    assert!(file(folder.path(), "history.edn") == plain, "another history");
    assert!(!folder.path().join("store/latest/scenario.toml").exists(), "nothing was done");
}

#[test]
fn until_shows_the_nodes_and_the_messages_under_way_and_ends_undecided() {
    let folder = tempfile::tempdir().expect("a folder");
    let stopped = run(folder.path(), "--virtual-time --until 520ms", "");
    assert_eq!(stopped.status, 2, "{}", stopped.page);
    assert!(stopped.shown.contains("at 0.52s\nn0  "), "{}", stopped.shown);
    for node in ["n0", "n1", "n2"] {
        let line = stopped.shown.lines().find(|line| line.starts_with(&format!("{node}  ")));
        assert!(line.is_some_and(|line| line.contains(" { ")), "{node}: {}", stopped.shown);
    }
    assert!(stopped.shown.contains(" -> "), "a message is under way: {}", stopped.shown);
    assert_eq!(stopped.page.lines().last(), Some("Stopped where it was to; all nodes have been ended."));
    let last = file(folder.path(), "history.edn").lines().count();
    assert!(last > 5, "what happened until then is kept");
}

#[test]
fn the_end_of_input_and_quit_end_the_test() {
    for typed in ["", "quit\n", "run 100ms\nquit\n"] {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(run(folder.path(), "--virtual-time --interactive", typed).status, 2, "{typed:?}");
    }
}

#[test]
fn a_mistake_at_the_prompt_is_explained_and_costs_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let typed = "kill n9\nrun\nrun fast\nstate n9\nexplode\nhelp\n\ncontinue\n";
    let session = run(folder.path(), "--virtual-time --interactive", typed);
    assert_eq!(session.status, 0, "{}{}", session.page, session.shown);
    for said in [
        "there is no node \"n9\"",
        "a time is missing",
        "\"fast\" is not a time",
        "unknown command \"explode\"",
        "run 100ms ",
    ] {
        assert!(session.shown.contains(said), "{said}: {}", session.shown);
    }
}

#[test]
fn a_scenario_is_carried_out_at_its_times_in_both_clocks() {
    let scenario = "[[step]]\nat = \"1.2s\"\ndo = \"heal\"\n\n[[step]]\nat = \"400ms\"\ndo = \"cut n0 > n1 n2\"\n\n\
                    [[step]]\nat = \"1.5s\"\ndo = \"kill n1\"\n\n[[step]]\nat = \"1.8s\"\ndo = \"start\"\n\n\
                    [[step]]\nat = \"2.5s\"\ndo = 'send n1 {\"type\":\"read\"}'\n";
    for (clock, late) in [("--virtual-time", 1e-6), ("", 0.5)] {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("cut.toml"), scenario).expect("written");
        let ran = run(folder.path(), &format!("{clock} --scenario cut.toml"), "");
        let history = file(folder.path(), "history.edn");
        let faults = faults(&history);
        let wanted = [(0.4, ":start-one-way"), (1.2, ":stop-partition"), (1.5, ":kill"), (1.8, ":start")];
        for (wanted, fault) in wanted.into_iter().zip(&faults) {
            let is_late = fault.0 - wanted.0;
            assert!(wanted.1 == fault.1 && (0.0..late).contains(&is_late), "{clock}: {wanted:?} {faults:?}");
        }
        assert!(faults.len() >= wanted.len(), "{faults:?}");
        assert!(ran.shown.contains("send to n1: {\"type\":\"read_ok\""), "{clock}: {}{}", ran.page, ran.shown);
    }
}

#[test]
fn requests_to_nodes_that_never_answer_do_not_hold_up_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let sends =
        ["1.5s", "2.4s", "2.9s"].map(|at| format!("\n[[step]]\nat = \"{at}\"\ndo = 'send n0 {{\"type\":\"read\"}}'\n"));
    let scenario = format!("[[step]]\nat = \"1s\"\ndo = \"kill n0\"\n{}", sends.concat());
    std::fs::write(folder.path().join("dead.toml"), scenario).expect("written");
    let ran = run(folder.path(), "--virtual-time --scenario dead.toml", "");
    assert_eq!(ran.status, 0, "{}{}", ran.page, ran.shown);
    assert_eq!(ran.shown.matches("send to n0: ").count(), 3, "{}", ran.shown);
}

#[test]
fn a_scenario_that_cannot_be_carried_out_is_an_error_before_anything_starts() {
    let folder = tempfile::tempdir().expect("a folder");
    for (text, clock, why) in [
        ("[[step]]\nat = \"9s\"\ndo = \"heal\"", "", "\"heal\" at 9s is not before the end of the main phase"),
        ("[[step]]\nat = \"1s\"\ndo = \"slow n1 20ms\"", "", "\"slow n1 20ms\" at 1s needs --virtual-time"),
        ("[[step]]\nat = \"1s\"\ndo = \"kill n7\"", "--virtual-time", "step 1: there is no node \"n7\""),
        ("at = 3", "--virtual-time", "unknown field `at`"),
    ] {
        std::fs::write(folder.path().join("bad.toml"), text).expect("written");
        let ran = run(folder.path(), &format!("{clock} --scenario bad.toml"), "");
        assert_eq!(ran.status, 254, "{}{}", ran.page, ran.shown);
        assert!(ran.page.contains(why), "{why}: {}", ran.page);
    }
    for (options, why) in [
        ("--virtual-time --scenario none.toml", "Cannot be read"),
        ("--interactive", "need --virtual-time"),
        ("--until 1s", "need --virtual-time"),
        ("--virtual-time --until soon", "\"soon\" is not a time"),
    ] {
        let ran = run(folder.path(), options, "");
        assert_eq!(ran.status, 254, "{options}: {}{}", ran.page, ran.shown);
        assert!(ran.page.contains(why), "{options}: {}", ran.page);
    }
    assert!(!folder.path().join("store").exists());
}

#[test]
fn the_scenarios_of_the_examples_are_passed_by_the_nodes_of_this_crate() {
    let scenarios = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/scenarios")).expect("a folder");
    let mut count = 0;
    for scenario in scenarios.map(|entry| entry.expect("a file").path()) {
        let folder = tempfile::tempdir().expect("a folder");
        let options = format!("--virtual-time --node-count 5 --time-limit 10 --scenario {}", scenario.display());
        let passed = run(folder.path(), &options, "");
        assert_eq!(passed.status, 0, "{}: {}{}", scenario.display(), passed.page, passed.shown);
        count += 1;
    }
    assert!(count > 0);
}
