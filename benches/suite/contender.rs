//! Echo nodes of several designs as child processes, ours among them, and what they are all given to answer.
//!
//! The others are a package of their own in `benches/contenders`, built here on first use.

#![allow(dead_code, reason = "the suite and the race each use a part")]

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use memchr::{memchr_iter, memmem};
use serde_json::Value;

/// Numbers of the messages of a batch: all have four digits, so that each message has 92 bytes and a newline.
pub(crate) const NUMBERS: std::ops::Range<u64> = 1_000..9_000;

/// Messages of a batch.
pub(crate) const BATCH: u64 = NUMBERS.end - NUMBERS.start;

/// What every node is told first.
pub(crate) const INIT: &str = concat!(
    r#"{"id":1,"src":"c2","dest":"n0","body":{"type":"init","node_id":"n0","node_ids":["n0"],"msg_id":1}}"#,
    "\n"
);

/// A design, and a program that stands for it.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    /// Whether it says what it hears, instead of answering it.
    copies: bool,
}

/// Ours first, then the others, which are built if they are not.
pub(crate) fn contenders() -> Vec<Contender> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/contenders/Cargo.toml");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("contenders");
    let built = Command::new(std::env::var_os("CARGO").as_deref().unwrap_or(OsStr::new("cargo")))
        .args(["build", "--quiet", "--release", "--locked", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(&folder)
        .status()
        .expect("cargo runs");
    assert!(built.success(), "benches/contenders does not build: {built}");
    let other =
        |name: &'static str| Contender { name, program: folder.join("release").join(name), copies: name == "copier" };
    let ours = Contender { name: "ours", program: env!("CARGO_BIN_EXE_echo").into(), copies: false };
    vec![ours, other("copier"), other("tape"), other("threads"), other("maelstrom-node")]
}

/// Message `number` of a batch.
pub(crate) fn echo(number: u64) -> String {
    let body = format!(r#""type":"echo","echo":"Please {number}","msg_id":{number}"#);
    format!(r#"{{"id":{number},"src":"c2","dest":"n0","body":{{{body}}}}}"#) + "\n"
}

/// All messages of a batch.
pub(crate) fn batch() -> String {
    NUMBERS.map(echo).collect()
}

impl Contender {
    /// Fails unless `answers` are those to one batch; nodes with threads may change their order.
    pub(crate) fn check(&self, answers: &[u8]) {
        let name = self.name;
        if self.copies {
            assert!(answers == batch().as_bytes(), "{name} copies");
            return;
        }
        let number = |line: &[u8]| {
            let message: Value = serde_json::from_slice(line).expect("a message");
            let body = &message["body"];
            let number = body["in_reply_to"].as_u64().expect("a reply");
            assert_eq!(body["type"], "echo_ok", "{name}");
            assert_eq!(body["echo"], format!("Please {number}"), "{name}");
            assert_eq!((&message["src"], &message["dest"]), (&"n0".into(), &"c2".into()), "{name}");
            number
        };
        let mut numbers: Vec<_> = answers.split_inclusive(|byte| *byte == b'\n').map(number).collect();
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(NUMBERS), "{name} answers every message once");
    }

    /// Starts it.
    pub(crate) fn start(&self) -> Running {
        Running::start(Command::new(&self.program))
    }

    /// Starts it below another program, `under`.
    pub(crate) fn start_under(&self, mut under: Command) -> Running {
        under.arg(&self.program);
        Running::start(under)
    }
}

/// A node that has answered `init`.
pub(crate) struct Running {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    answer: Vec<u8>,
    /// From before the start to after the answer.
    pub(crate) start: Duration,
}

impl Running {
    #[expect(clippy::disallowed_methods, reason = "benches measure time")]
    fn start(mut command: Command) -> Self {
        let before = Instant::now();
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // One of them tells there of every message.
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let input = process.stdin.take();
        let output = BufReader::with_capacity(1 << 17, process.stdout.take().expect("it is piped"));
        let mut running = Self { process, input, output, answer: Vec::new(), start: Duration::ZERO };
        running.ask(INIT.as_bytes());
        running.start = before.elapsed();
        running
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// One message and its answer.
    pub(crate) fn ask(&mut self, message: &[u8]) -> &[u8] {
        self.input.as_mut().expect("it is open").write_all(message).expect("the node reads");
        self.answer.clear();
        self.output.read_until(b'\n', &mut self.answer).expect("the node answers");
        &self.answer
    }

    /// As many batches at once as `batches` says; appends the answers to `answers`, and says how long it took.
    #[expect(clippy::disallowed_methods, reason = "benches measure time")]
    pub(crate) fn pump(&mut self, batch: &[u8], batches: u64, answers: &mut Vec<u8>) -> Duration {
        let Self { input, output, .. } = self;
        let input = input.as_mut().expect("it is open");
        let before = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| (0..batches).for_each(|_| input.write_all(batch).expect("the node reads")));
            let mut missing = BATCH * batches;
            while missing > 0 {
                let piece = output.fill_buf().expect("the node answers");
                assert!(!piece.is_empty(), "the node has ended");
                missing -= memchr_iter(b'\n', piece).count() as u64;
                answers.extend_from_slice(piece);
                let length = piece.len();
                output.consume(length);
            }
        });
        before.elapsed()
    }

    /// Ends it, in peace.
    pub(crate) fn end(mut self) {
        self.input = None;
        self.output.read_to_end(&mut self.answer).expect("its output ends");
        assert!(self.process.wait().expect("it ends").success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Fails unless `answer` is to message `number`.
pub(crate) fn check_one(answer: &[u8], number: u64) {
    let echo = format!("\"Please {number}\"");
    assert!(memmem::find(answer, echo.as_bytes()).is_some(), "{}", String::from_utf8_lossy(answer));
}
