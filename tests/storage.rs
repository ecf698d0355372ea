//! `--data-dir`: a node remembers over `kill -9`, refuses a directory in use or damaged, and syncs before it answers.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const UNIQUE_IDS: &str = env!("CARGO_BIN_EXE_unique-ids");

/// A node with a directory.
struct Process {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    fn start(program: &str, directory: &Path) -> Self {
        let mut command = Command::new(program);
        command.arg("--data-dir").arg(directory).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, stdin, stdout }
    }

    /// Sends a request; returns the reply.
    fn ask(&mut self, body: &str) -> String {
        writeln!(self.stdin, r#"{{"src":"c1","dest":"n1","body":{{"msg_id":1,{body}}}}}"#).expect("it reads");
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a line");
        line
    }

    /// The next id.
    fn generate(&mut self) -> String {
        let reply = self.ask(r#""type":"generate""#);
        reply.split("\"id\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id").to_owned()
    }

    fn initialised(program: &str, directory: &Path) -> Self {
        let mut process = Self::start(program, directory);
        let reply = process.ask(r#""type":"init","node_id":"n1","node_ids":["n1"]"#);
        assert!(reply.contains("init_ok"), "{reply}");
        process
    }

    fn kill(mut self) {
        self.child.kill().and_then(|()| self.child.wait()).expect("it was running");
    }

    /// What it wrote to stderr, once it has ended by itself with a failure.
    fn failure(mut self) -> String {
        drop(self.stdin);
        assert!(!self.child.wait().expect("it ends").success());
        let mut text = String::new();
        self.child.stderr.take().expect("a pipe").read_to_string(&mut text).expect("text");
        text
    }
}

fn only_file(directory: &Path, kind: &str) -> PathBuf {
    let files = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let mut files = files.filter(|path| path.extension().is_some_and(|extension| extension == kind));
    let file = files.next().expect("a file");
    assert!(files.next().is_none(), "one file");
    file
}

#[test]
fn ids_of_a_killed_node_do_not_repeat() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("n1");
    for start in 1..=3 {
        let mut process = Process::initialised(UNIQUE_IDS, &directory);
        assert_eq!([process.generate(), process.generate()], [format!("n1-s{start}-0"), format!("n1-s{start}-1")]);
        process.kill();
    }
}

#[test]
fn a_directory_in_use_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = Process::initialised(UNIQUE_IDS, folder.path());
    let why = Process::start(UNIQUE_IDS, folder.path()).failure();
    assert!(why.contains("another process uses "), "{why}");
    first.kill();
}

#[test]
fn a_damaged_file_is_named_and_nothing_is_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    Process::initialised(UNIQUE_IDS, folder.path()).kill();
    let snapshot = only_file(folder.path(), "snapshot");
    let mut bytes = fs::read(&snapshot).expect("a snapshot");
    *bytes.last_mut().expect("bytes") ^= 1;
    fs::write(&snapshot, bytes).expect("ours");
    let why = Process::start(UNIQUE_IDS, folder.path()).failure();
    assert!(why.contains(&format!("{} is damaged at byte 12", snapshot.display())), "{why}");
}

#[test]
fn a_directory_that_cannot_be_written_ends_the_node_before_it_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file");
    let why = Process::start(UNIQUE_IDS, &file.join("below")).failure();
    assert!(why.contains("cannot create"), "{why}");
}

#[test]
fn a_node_that_stores_nothing_says_so() {
    let why = Process::start(env!("CARGO_BIN_EXE_echo"), "unused".as_ref()).failure();
    assert!(why.contains("--data-dir has no effect: this node stores nothing"), "{why}");
}

/// Runs a test of unique ids under kills in a folder; returns what it printed.
#[cfg(feature = "workbench")]
fn unique_ids(folder: &Path, options: &str) -> String {
    let options = format!("test -w unique-ids --durable --node-count 2 --rate 50 --nemesis kill {options}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_gloomers"));
    let output = command.args(options.split_whitespace()).current_dir(folder).output().expect("it runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[cfg(feature = "workbench")]
#[test]
fn nodes_keep_their_disks_when_they_are_killed_in_virtual_time() {
    let folder = tempfile::tempdir().expect("a folder");
    for bin in [String::new(), format!("--bin {UNIQUE_IDS}")] {
        let options = format!("--virtual-time --seed 1 --time-limit 10 --nemesis-interval 1 {bin}");
        let page = unique_ids(folder.path(), &options);
        if page.contains("does not let one process control another") {
            eprintln!("skipped: a durable program in virtual time: the system forbids tracing");
            continue;
        }
        assert!(page.contains("Everything looks good"), "{bin}: {page}");
        let history = fs::read_to_string(folder.path().join("store/latest/history.edn")).expect("a history");
        assert!(history.contains("-s2-"), "{bin}: a second start");
    }
}

#[cfg(feature = "workbench")]
#[test]
fn processes_have_a_folder_each_in_that_of_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = unique_ids(folder.path(), "--time-limit 1 --nemesis-interval 0.5 --quiet");
    assert!(!page.contains("more than once"), "{page}");
    for node in ["n0", "n1"] {
        let data = folder.path().join("store/latest/data").join(node);
        assert!(data.join("lock").exists(), "{}", data.display());
    }
}

#[cfg(feature = "workbench")]
#[test]
fn a_built_in_node_that_stores_nothing_is_named_before_the_test() {
    for command in ["test", "swarm"] {
        let output = Command::new(env!("CARGO_BIN_EXE_gloomers")).args([command, "-w", "echo", "--durable"]).output();
        let output = output.expect("it runs");
        assert_eq!(output.status.code(), Some(254));
        assert!(String::from_utf8_lossy(&output.stdout).contains("the built-in node of echo stores nothing"));
    }
}
