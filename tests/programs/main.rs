//! Programs in other languages in virtual time: verdicts, exact times, the same bytes from the same seed.
//!
//! A language that is not installed is skipped, and so is everything where the system forbids tracing, as some
//! containers do; the tests say so on stderr.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod challenges;
mod scenario;
mod swarm;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use gossip_gloomers::simulation::{Fault, Simulation, Workload};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs");

/// What a run printed and left.
struct Run {
    status: i32,
    printed: String,
    history: String,
    /// What the first node wrote to stderr.
    log: String,
}

/// Runs a test in a folder of its own. Its options follow `gloomers test`.
fn run(program: &Path, seed: u64, options: &str, arguments: &[&Path]) -> Run {
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_gloomers"))
        .current_dir(folder.path())
        .args(["test", "--quiet", "--virtual-time", "--bin"])
        .arg(program)
        .args(["--seed", &seed.to_string()])
        .args(options.split_whitespace())
        .arg("--")
        .args(arguments)
        .output()
        .expect("gloomers runs");
    let workload = options.split_whitespace().nth(1).expect("a workload comes first");
    let files = folder.path().join("store").join(workload).join("latest");
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    Run {
        status: output.status.code().expect("it ends by itself"),
        printed: String::from_utf8_lossy(&output.stdout).into_owned(),
        history: read(files.join("history.edn")),
        log: read(files.join("node-logs/n0.log")),
    }
}

/// Whether the system lets programs be traced.
static IS_PERMITTED: LazyLock<bool> = LazyLock::new(|| {
    let gloomers = Path::new(env!("CARGO_BIN_EXE_gloomers"));
    let first = run(gloomers, 1, "-w echo --node-count 1 --time-limit 1", &["node".as_ref(), "echo".as_ref()]);
    first.status != 255 || !first.printed.contains("does not let one process control another")
});

/// Whether the system lets programs be traced; a line says so if it does not.
fn is_permitted() -> bool {
    if !*IS_PERMITTED {
        eprintln!("skipped: programs in virtual time: the system forbids tracing");
    }
    *IS_PERMITTED
}

/// A program of the folder, built if it has to be; `None`, and a line that says so, where the language is missing.
fn program(name: &str) -> Option<(tempfile::TempDir, PathBuf)> {
    if !is_permitted() {
        return None;
    }
    let source = Path::new(SOURCES).join(name);
    let folder = tempfile::tempdir().expect("a folder");
    let mut built = folder.path().join("node");
    let (language, builds): (&str, Option<Vec<&str>>) = match name.rsplit_once('.').expect("an extension").1 {
        "c" => ("cc", Some(vec!["-O1", "-pthread", "-o"])),
        "go" => ("go", Some(vec!["build", "-o"])),
        "java" => ("javac", Some(vec!["-d"])),
        "py" => ("python3", None),
        "rb" => ("ruby", None),
        "js" => ("node", None),
        "ts" => (ESBUILD, Some(vec!["--format=esm", "--banner:js=#!/usr/bin/env node", "--log-level=error"])),
        other => panic!("no language for .{other}"),
    };
    let there = ["--version", "version"].iter().any(|argument| {
        let output = Command::new(language).arg(argument).output();
        output.is_ok_and(|output| output.status.success())
    });
    if !there {
        eprintln!("skipped: {name} in virtual time: {language} is not installed");
        return None;
    }
    let Some(arguments) = builds else { return Some((folder, source)) };
    let mut compiler = Command::new(language);
    compiler.args(arguments);
    if language == ESBUILD {
        let output = compiler.arg(&source).output().expect("a compiler");
        assert!(output.status.success(), "{language} builds {name}");
        let built = executable(folder.path(), &output.stdout);
        std::fs::rename(&built, built.with_extension("mjs")).expect("it is ours");
        return Some((folder, built.with_extension("mjs")));
    }
    let status = compiler.arg(&built).arg(&source).status().expect("a compiler");
    assert!(status.success(), "{language} builds {name}");
    if language == "javac" {
        let class = source.file_stem().expect("a class").display();
        built = script(folder.path(), &format!("exec java -cp {} {class}", built.display()));
    }
    Some((folder, built))
}

/// A shell script.
fn script(folder: &Path, lines: &str) -> PathBuf {
    executable(folder, format!("#!/bin/sh\n{lines}\n").as_bytes())
}

/// An executable file.
fn executable(folder: &Path, bytes: &[u8]) -> PathBuf {
    let file = folder.join("node.sh");
    std::fs::write(&file, bytes).expect("written");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("it is ours");
    file
}

/// Compiles TypeScript; `.ci/run` installs it here.
const ESBUILD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/npm/node_modules/.bin/esbuild");

const SAME: &str = "the real clock decided nothing";

fn is_repeatable(name: &str) {
    let Some((_folder, program)) = program(name) else { return };
    let options = "-w broadcast --node-count 3 --rate 20 --time-limit 8 --latency 20 --nemesis partition \
                   --nemesis-interval 2";
    let first = run(&program, 7, options, &[]);
    assert!(first.status == 0 && first.printed.contains(SAME), "{name}: {}", first.printed);
    for _ in 0..2 {
        assert_eq!(run(&program, 7, options, &[]).history, first.history, "{name}");
    }
    assert_ne!(run(&program, 8, options, &[]).history, first.history, "{name}: another seed");
}

#[test]
fn the_first_nodes_of_the_book_are_valid() {
    let book = include_str!("../../docs/getting-started.md");
    for name in ["echo.py", "echo.go", "echo.ts", "Echo.java"] {
        let source = format!("../../examples/first_node/{name}");
        let text = std::fs::read_to_string(Path::new(SOURCES).join(&source)).expect("a file");
        assert!(book.contains(&format!("\n{text}```\n")), "docs/getting-started.md must show {name}");
        let Some((_folder, program)) = program(&source) else { continue };
        let run = run(&program, 1, "-w echo --node-count 2 --time-limit 10", &[]);
        assert!(run.status == 0 && run.printed.contains(SAME), "{name}: {}", run.printed);
    }
}

#[test]
fn threads_of_python_give_the_same_history_from_the_same_seed() {
    is_repeatable("node_threads.py");
}

#[test]
fn asyncio_gives_the_same_history_from_the_same_seed() {
    is_repeatable("node_asyncio.py");
}

#[test]
fn ruby_gives_the_same_history_from_the_same_seed() {
    is_repeatable("node.rb");
}

#[test]
fn node_js_gives_the_same_history_from_the_same_seed() {
    is_repeatable("node.js");
}

#[test]
fn go_gives_the_same_history_from_the_same_seed() {
    is_repeatable("node.go");
}

#[test]
fn java_gives_the_same_history_from_the_same_seed() {
    is_repeatable("Node.java");
}

#[test]
fn a_hub_in_go_sends_two_messages_per_operation() {
    is_repeatable("hub.go");
}

#[test]
fn our_own_binary_behaves_as_its_engine_does() {
    if !is_permitted() {
        return;
    }
    let options = "-w broadcast --node-count 5 --rate 50 --time-limit 10 --latency 100 --json";
    let gloomers = Path::new(env!("CARGO_BIN_EXE_gloomers"));
    let program = run(gloomers, 3, options, &["node".as_ref(), "broadcast".as_ref()]);
    let folder = tempfile::tempdir().expect("a folder");
    let engines = Command::new(gloomers)
        .current_dir(folder.path())
        .args(["test", "--quiet", "--virtual-time", "--seed", "3"])
        .args(options.split_whitespace())
        .output()
        .expect("gloomers runs");
    let messages = |json: &str| {
        let results: serde_json::Value = serde_json::from_str(json).expect("JSON");
        let count = results.pointer("/net/servers/msgs-per-op").and_then(serde_json::Value::as_f64);
        count.unwrap_or_else(|| panic!("no count of messages in {json}"))
    };
    let (ours, theirs) = (messages(&program.printed), messages(&String::from_utf8_lossy(&engines.stdout)));
    assert!((ours / theirs - 1.0).abs() < 0.02, "{ours} instead of {theirs} messages per operation");
}

#[test]
fn every_call_that_waits_takes_its_time_to_the_nanosecond() {
    let Some((_folder, calls)) = program("calls.c") else { return };
    let Some((_other, echo)) = program("node_echo.c") else { return };
    let options = "-w echo --node-count 1 --time-limit 2 --init-timeout 60";
    let first = run(&calls, 1, options, &[&echo]);
    let failed: Vec<_> = first.log.lines().filter(|line| line.starts_with("FAILED")).collect();
    assert!(failed.is_empty() && first.log.contains("all claims made"), "{failed:#?}\n{}", first.printed);
    assert_eq!(first.status, 0, "{}", first.printed);
    // Only the write into a full pipe is not seen.
    assert!(first.printed.contains("1 times a thread waited where it is not seen"), "{}", first.printed);
    assert_eq!(run(&calls, 1, options, &[&echo]).log, first.log, "also what was drawn by chance");
}

const ECHO: &str = "-w echo --node-count 1 --time-limit 2";

/// Builds a program in C from the folder with these options; `None` if there is no compiler, or not for these.
fn compiled(folder: &Path, name: &str, options: &[&str]) -> Option<PathBuf> {
    let program = folder.join(name.trim_end_matches(".c"));
    let mut command = Command::new("cc");
    command.args(["-O1", "-pthread"]).args(options).arg("-o").arg(&program).arg(Path::new(SOURCES).join(name));
    let output = command.output();
    if !output.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: {name} in virtual time: cc {} does not build it here", options.join(" "));
        return None;
    }
    Some(program)
}

#[test]
fn static_programs_and_those_that_scripts_start_run_too() {
    if !is_permitted() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let Some(fixed) = compiled(folder.path(), "node_echo.c", &["-static"]) else { return };
    let Some(own) = compiled(folder.path(), "calls.c", &["-static"]) else { return };
    let node = fixed.display();
    for lines in
        [format!("exec {node}"), node.to_string(), format!("cat | {node} | cat"), format!("(exec {node}); true")]
    {
        let run = run(&script(folder.path(), &lines), 1, ECHO, &[]);
        assert!(run.status == 0 && run.printed.contains(SAME), "{lines}: {}", run.printed);
    }
    let run = run(&own, 1, &format!("{ECHO} --init-timeout 60"), &[&fixed]);
    assert!(!run.log.contains("FAILED") && run.log.contains("all claims made"), "{}", run.log);
}

#[test]
fn tokio_gives_the_same_history_from_the_same_seed() {
    if !is_permitted() {
        return;
    }
    // A program of its own, whose libraries are there if its own tests have been built.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = root.join("target/contenders");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--offline", "--locked", "--bin", "maelstrom-node", "--manifest-path"]);
    build.arg(root.join("benches/contenders/Cargo.toml")).arg("--target-dir").arg(&target);
    if !build.output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: tokio in virtual time: its sources are not here");
        return;
    }
    let options = "-w echo --node-count 3 --rate 50 --time-limit 5 --latency 20";
    let first = run(&target.join("debug/maelstrom-node"), 7, options, &[]);
    assert!(first.status == 0 && first.printed.contains(SAME), "{}", first.printed);
    assert_eq!(run(&target.join("debug/maelstrom-node"), 7, options, &[]).history, first.history);
}

/// Runs the node that does something unusual before it echoes.
fn trouble(what: &str, more: &[&Path]) -> Option<Run> {
    trouble_in(ECHO, what, more)
}

/// The same with other options of the test.
fn trouble_in(options: &str, what: &str, more: &[&Path]) -> Option<Run> {
    let (_folder, program) = program("trouble.c")?;
    let (_other, echo) = self::program("node_echo.c")?;
    let arguments: Vec<_> = [Path::new(what), &echo].into_iter().chain(more.iter().copied()).collect();
    Some(run(&program, 1, options, &arguments))
}

#[test]
fn who_waits_for_a_time_of_day_wakes_when_it_is_set_forward() {
    let skewed = "-w echo --node-count 1 --time-limit 20 --nemesis skew --nemesis-interval 2";
    for (options, wakes) in [(skewed, true), ("-w echo --node-count 1 --time-limit 20", false)] {
        let Some(run) = trouble_in(options, "waits for a time of day", &[]) else { return };
        assert!(run.status == 0 && run.printed.contains(SAME), "{}", run.printed);
        assert_eq!(run.log, if wakes { "woken\n" } else { "" }, "{}", run.history);
    }
}

#[test]
fn a_loop_of_questions_is_given_time_and_ended_if_it_never_ends() {
    let Some(run) = trouble("asks until a time", &[]) else { return };
    assert!(run.status == 0 && run.printed.contains(SAME), "{}", run.printed);
    for (what, last) in [("asks for ever", "getpid"), ("plays for ever", "futex")] {
        let Some(run) = trouble(what, &[]) else { return };
        assert_eq!(run.status, 255, "{}", run.printed);
        assert!(run.printed.contains("(node): it has computed without a pause for 10 s"), "{}", run.printed);
        assert!(run.printed.contains(&format!("the last that it asked of the system was {last}")), "{}", run.printed);
    }
}

#[test]
fn what_waits_unseen_holds_up_its_node_only_and_is_named() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    file.as_file().lock().expect("it is ours");
    let Some(run) = trouble("locks", &[file.path()]) else { return };
    assert_eq!(run.status, 255);
    let told = "waits in flock, which takes real time: leave out --virtual-time";
    assert!(run.printed.contains(told), "{}", run.printed);
}

#[test]
fn sockets_and_tracers_are_named_with_the_advice_to_run_in_real_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port().to_string();
    for (what, told) in [
        ("connects", "n0 talks to somebody who does not live in virtual time (connect); run it in real time"),
        ("listens", "n0 listens at an address (bind), where nobody lives in virtual time; run it in real time"),
        ("traces", "n0 wanted to trace a process (ptrace), which only one can; run it in real time"),
    ] {
        let more = if what == "connects" { vec![Path::new(&port)] } else { Vec::new() };
        let Some(run) = trouble(what, &more) else { return };
        assert!(run.status == 0 && run.printed.contains(told), "{what}: {}", run.printed);
        assert_eq!(run.printed.contains(SAME), what == "traces", "{what}: {}", run.printed);
    }
}

#[test]
fn time_stands_still_while_a_node_writes_10_mib_at_once() {
    for what in ["writes", "writes little"] {
        let Some(run) = trouble(what, &[]) else { return };
        assert!(run.status == 0 && run.printed.contains(SAME), "{what}: {}", run.printed);
        assert_eq!(run.log.len(), 10 << 20, "{what}");
    }
}

#[test]
fn nodes_that_do_not_read_hold_up_nobody() {
    for what in ["never reads", "closes stdin"] {
        let Some(run) = trouble(what, &[]) else { return };
        assert!(run.status == 255 && run.printed.contains("n0 did not answer init within 10 s"), "{}", run.printed);
    }
}

#[test]
fn a_system_that_forbids_tracing_is_named() {
    let Some((_folder, forbidden)) = program("forbidden.c") else { return };
    let Some((_other, echo)) = program("node_echo.c") else { return };
    let under = |call: libc::c_long| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(&forbidden);
        command.arg(call.to_string()).arg(env!("CARGO_BIN_EXE_gloomers")).args(["test", "--quiet", "--virtual-time"]);
        command.args(ECHO.split(' ')).arg("--bin").arg(&echo).current_dir(folder.path());
        let output = command.output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for call in [libc::SYS_ptrace, libc::SYS_seccomp, libc::SYS_pidfd_getfd, libc::SYS_pidfd_open] {
        let (status, printed) = under(call);
        assert_eq!(status, Some(255), "{call}: {printed}");
        assert!(printed.contains("does not let one process control another"), "{call}: {printed}");
        assert!(printed.contains("leave out --virtual-time"), "{call}: {printed}");
    }
    let (status, printed) = under(libc::SYS_personality);
    assert_eq!(status, Some(0), "{printed}");
    assert!(printed.contains("this system does not let addresses be fixed"), "{printed}");
}

#[test]
fn a_program_of_32_bits_is_named() {
    if !is_permitted() {
        return;
    }
    // The header of a program for the i386 and of its one segment, and `exit(0)`.
    let mut file = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x03\0\x01\0\0\0".to_vec();
    for word in [0x0804_8054_u32, 52, 0, 0] {
        file.extend(word.to_le_bytes());
    }
    for half in [52_u16, 32, 1, 0, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    for word in [1_u32, 0, 0x0804_8000, 0x0804_8000, 96, 96, 5, 0x1000] {
        file.extend(word.to_le_bytes());
    }
    file.extend(b"\x31\xdb\x8d\x43\x01\xcd\x80\x90\x90\x90\x90\x90");
    let folder = tempfile::tempdir().expect("a folder");
    let run = run(&executable(folder.path(), &file), 1, ECHO, &[]);
    // Where the system cannot execute it either, it says so itself.
    let told = ["is a program of 32 bits", "it is a program for another system or processor"];
    assert!(run.status == 255 && told.iter().any(|told| run.printed.contains(told)), "{}", run.printed);
}

#[test]
fn nodes_that_are_killed_paused_slowed_and_skewed_are_so_in_virtual_time() {
    let Some((_folder, program)) = program("node.go") else { return };
    let options =
        "-w echo --node-count 3 --rate 20 --time-limit 30 --nemesis kill,pause,slow,skew --nemesis-interval 3";
    let first = run(&program, 5, options, &[]);
    // Echoes that are lost with a node make the test invalid.
    assert!(first.status == 1 && first.printed.contains(SAME), "{}", first.printed);
    for event in [":f :kill", ":f :pause", ":start-slow", ":start-skew", ":info"] {
        assert!(first.history.contains(event), "{event}");
    }
    assert_eq!(run(&program, 5, options, &[]).history, first.history);
}

#[test]
fn a_simulation_runs_programs_and_two_at_once_come_out_as_alone() {
    let Some((_folder, node)) = program("node_asyncio.py") else { return };
    let simulation = Simulation::of_program(&node).nodes(3).rate(20.0).time_limit(Duration::from_secs(5));
    let simulation = simulation.faults(&[Fault::Partition, Fault::Pause], Duration::from_secs(2)).seed(4);
    let run = || {
        let report = simulation.run(Workload::Broadcast).expect("it is permitted");
        let mut history = Vec::new();
        report.history().write_edn(&mut history).expect("memory takes it");
        (report.is_valid(), history)
    };
    let alone = run();
    assert!(alone.0, "{simulation:?}");
    let together = std::thread::scope(|scope| {
        let runs = [scope.spawn(run), scope.spawn(run)];
        runs.map(|run| run.join().expect("no panic"))
    });
    assert!(together.iter().all(|run| *run == alone), "{simulation:?}");
    let missing = Simulation::of_program("/nonexistent/node").run(Workload::Echo);
    assert!(missing.is_err_and(|error| error.to_string().starts_with("/nonexistent/node cannot be executed: no such")));
}

#[test]
fn a_node_that_computes_for_ever_is_ended_and_named() {
    if !is_permitted() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let script = script(folder.path(), "while :; do :; done");
    let run = run(&script, 1, "-w echo --node-count 1 --time-limit 2 --init-timeout 3600", &[]);
    assert_eq!(run.status, 255);
    assert!(run.printed.contains(" (node.sh): it has computed without a pause for 10 s"), "{}", run.printed);
}

#[test]
fn a_program_for_another_system_or_processor_is_named() {
    if !is_permitted() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let arm = [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 9], b"\x02\0\xb7\0", &[0; 200]].concat();
    for foreign in [&arm[..], b"MZ\x90\0\x03\0\0\0", b"\xcf\xfa\xed\xfe\x07\0\0\x01"] {
        let run = run(&executable(folder.path(), foreign), 1, ECHO, &[]);
        assert_eq!(run.status, 255, "{}", run.printed);
        assert!(run.printed.contains("it is a program for another system or processor; build it"), "{}", run.printed);
    }
}

#[test]
fn a_script_without_a_first_line_is_run_by_the_shell_which_its_death_says() {
    if !is_permitted() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let run = run(&executable(folder.path(), b"read line\nexit 3\n"), 1, ECHO, &[]);
    assert!(run.printed.contains("it has no #! line, so /bin/sh ran it"), "{}", run.printed);
}

#[test]
fn a_node_that_dies_is_told_as_in_real_time() {
    if !is_permitted() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for (last, told) in [("exit 3", "exit status: 3"), ("kill -SEGV $$", "SIGSEGV")] {
        let script = script(folder.path(), &format!("read line\nsleep 1\necho so long >&2\n{last}"));
        let run = run(&script, 1, "-w echo --node-count 1 --time-limit 2", &[]);
        assert!(run.status == 255 && run.printed.contains(told), "{}", run.printed);
        assert!(run.printed.contains("so long"), "{}", run.printed);
    }
}

#[test]
fn a_second_run_is_the_same_to_the_byte_or_the_first_difference_is_told() {
    let Some((folder, same)) = program("broken_broadcast.py") else { return };
    let options = "-w broadcast --node-count 3 --time-limit 3 --check-determinism";
    let repeated = run(&same, 1, options, &[]);
    assert_eq!(repeated.status, 0, "{}", repeated.printed);
    assert!(repeated.printed.contains("a second run is the same, byte for byte"), "{}", repeated.printed);
    let script = folder.path().join("node.sh");
    let reply = r#"{"src":"n0","dest":"c0","body":{"type":"init_ok","in_reply_to":1,"x":"'$uuid'"}}"#;
    let node = format!("#!/bin/sh\nread line\nread uuid < /proc/sys/kernel/random/uuid\necho '{reply}'\nread line\n");
    std::fs::write(&script, node).expect("written");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("it is ours");
    let other = run(&script, 1, "-w echo --node-count 1 --time-limit 1 --check-determinism", &[]);
    assert_eq!(other.status, 3, "{}", other.printed);
    assert!(other.printed.contains(", differs in messages.jsonl.zst, line 3\n    first   "), "{}", other.printed);
    let shown = other.printed.lines().filter(|line| line.contains(r#""body":{"type":"init_ok""#)).count();
    assert!(shown >= 2 && other.printed.contains("\n    again   "), "{}", other.printed);
}
