//! Programs with a fault each, which the swarm finds and shrinks, and which the printed command shows again; without
//! the fault they pass the same seeds.

use std::path::Path;
use std::process::{Command, Output};

use super::{is_permitted, program};

/// Runs a command of `gloomers` as a shell reads it, in a folder.
pub(super) fn shell(folder: &Path, line: &str) -> Output {
    let gloomers = Path::new(env!("CARGO_BIN_EXE_gloomers")).parent().expect("a folder");
    let others = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{others}", gloomers.display());
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", line]).env("PATH", path).current_dir(folder).output().expect("a shell")
}

pub(super) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Asserts that the swarm finds `fault` in a program within these options, and not if the program is told to do it
/// `right`.
fn is_found(name: &str, options: &str, fault: &str, right: &str) {
    let Some((folder, source)) = program(name) else { return };
    // What is printed has to be quoted.
    std::fs::copy(source, folder.path().join("it's my node")).expect("copied");
    let swarm = format!("gloomers swarm {options} --quiet --bin \"./it's my node\"");
    let found = shell(folder.path(), &swarm);
    let report = text(&found);
    assert_eq!(found.status.code(), Some(1), "{report}");
    let mut lines = report.lines().skip_while(|line| !line.starts_with("  shrunk in "));
    let (failure, command) = lines.next().zip(lines.next()).unwrap_or_else(|| panic!("nothing is shrunk: {report}"));
    assert!(failure.contains(fault), "{report}");
    let replayed = shell(folder.path(), &format!("{command} --quiet"));
    let (_, what) = failure.split_once(": invalid: ").expect("Maelstrom's checks fail");
    let what: String = what.chars().take_while(|letter| *letter != ';' && *letter != '…').collect();
    let what = what.trim_end_matches("...");
    assert!(replayed.status.code() == Some(1) && text(&replayed).contains(what), "{report}\n{}", text(&replayed));
    let passed = shell(folder.path(), &format!("{swarm} -- {right}"));
    assert_eq!(passed.status.code(), Some(0), "{}", text(&passed));
}

#[test]
fn a_broadcast_that_sends_nothing_twice_is_found_shrunk_and_replayed() {
    let options = "-w broadcast --seeds 4 --time-limit 5 --node-count 3-5 --nemesis partition,one-way,slow,skew";
    is_found("broken_broadcast.py", options, "values lost", "repeat");
}

#[test]
fn ids_from_the_clock_are_found_shrunk_and_replayed() {
    let options = "-w unique-ids --seeds 2 --time-limit 5 --node-count 2 --nemesis partition,one-way,slow,skew";
    is_found("broken_unique_ids.py", options, "values given more than once", "random");
}

#[test]
fn a_log_that_two_threads_append_to_at_once_is_found_shrunk_and_replayed() {
    let options = "-w kafka --seeds 7 --time-limit 5 --node-count 2 --nemesis partition,one-way,slow,skew";
    is_found("broken_kafka.py", options, "lost-write", "lock");
}

#[test]
fn reads_that_ask_no_leader_are_found_shrunk_and_replayed() {
    let options = "-w lin-kv --seeds 4 --time-limit 5 --node-count 3 --nemesis partition,one-way,slow,skew";
    is_found("broken_lin_kv.py", options, "not linearizable", "ask");
}

#[test]
fn a_program_that_dies_is_a_failure_with_its_last_words() {
    if !is_permitted() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let script = "#!/bin/sh\nread line\necho 'no such table' >&2\nexit 3\n";
    std::fs::write(folder.path().join("node.sh"), script).expect("written");
    let swarm = "chmod +x node.sh; gloomers swarm -w echo --bin ./node.sh --seeds 1 --node-count 1 --quiet";
    let report = text(&shell(folder.path(), swarm));
    let failure = "n0 ended (exit status: 3) before it answered init; the last that it wrote to stderr: no such table";
    assert!(report.contains(failure), "{report}");
}

#[test]
fn a_program_that_cannot_be_executed_ends_the_swarm_with_a_sentence() {
    if !is_permitted() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let missing = shell(folder.path(), "gloomers swarm -w echo --bin ./other");
    let why = "./other cannot be executed: no such file";
    assert!(missing.status.code() == Some(255) && text(&missing).starts_with(why), "{}", text(&missing));
}

#[test]
fn ctrl_c_ends_a_swarm_of_programs_and_their_processes() {
    let Some((folder, source)) = program("broken_broadcast.py") else { return };
    std::fs::copy(source, folder.path().join("a_node_to_be_interrupted")).expect("copied");
    // The brackets keep the shell from finding itself.
    let swarm = "gloomers swarm -w broadcast --bin ./a_node_to_be_interrupted --quiet & \
                 while ! pgrep -f 'python3 .*interrupte[d]' >/dev/null; do sleep 0.05; done; \
                 kill -INT $!; wait $!; echo status $?; pgrep -f 'python3 .*interrupte[d]'";
    let report = text(&shell(folder.path(), swarm));
    assert!(report.contains("Interrupted after ") && report.trim_end().ends_with("\nstatus 130"), "{report}");
}
