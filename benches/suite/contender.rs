//! Echo nodes of several designs as child processes, ours among them, and their input.
//!
//! The others are the separate package `benches/contenders`, built here on first use.

#![allow(dead_code, reason = "the suite and the race each use a part")]

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use memchr::{memchr_iter, memmem};
use serde_json::Value;

/// The numbers of the messages of a batch: all have four digits, so that each message has 92 bytes and a newline.
pub(crate) const NUMBERS: std::ops::Range<u64> = 1_000..9_000;

/// The number of messages in a batch.
pub(crate) const BATCH: u64 = NUMBERS.end - NUMBERS.start;

/// The first message to every node.
pub(crate) const INIT: &str = concat!(
    r#"{"id":1,"src":"c2","dest":"n0","body":{"type":"init","node_id":"n0","node_ids":["n0"],"msg_id":1}}"#,
    "\n"
);

/// A node of one design: its name and its executable.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    /// Whether it copies its input instead of replying.
    copies: bool,
}

/// All contenders, ours first; the others are built if necessary.
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
    /// Asserts that `replies` are the replies to one batch; nodes with threads may change their order.
    pub(crate) fn check(&self, replies: &[u8]) {
        let name = self.name;
        if self.copies {
            assert!(replies == batch().as_bytes(), "{name} copies");
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
        let mut numbers: Vec<_> = replies.split_inclusive(|byte| *byte == b'\n').map(number).collect();
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(NUMBERS), "{name} replies every message once");
    }

    /// Starts it.
    pub(crate) fn start(&self) -> Running {
        Running::start(Command::new(&self.program))
    }

    /// Starts it as an argument of another program, `under`.
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
    reply: Vec<u8>,
    /// The time from its start to the reply to `init`.
    pub(crate) start: Duration,
}

impl Running {
    #[expect(clippy::disallowed_methods, reason = "benches measure time")]
    fn start(mut command: Command) -> Self {
        let before = Instant::now();
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // One of them logs every message there.
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let input = process.stdin.take();
        let output = BufReader::with_capacity(1 << 17, process.stdout.take().expect("it is piped"));
        let mut running = Self { process, input, output, reply: Vec::new(), start: Duration::ZERO };
        running.request(INIT.as_bytes());
        running.start = before.elapsed();
        running
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends a message; returns its reply.
    pub(crate) fn request(&mut self, message: &[u8]) -> &[u8] {
        self.input.as_mut().expect("it is open").write_all(message).expect("the node reads");
        self.reply.clear();
        self.output.read_until(b'\n', &mut self.reply).expect("the node replies");
        &self.reply
    }

    /// Sends this many batches at full speed; appends the replies to `replies`, and returns the time taken.
    #[expect(clippy::disallowed_methods, reason = "benches measure time")]
    pub(crate) fn exchange(&mut self, batch: &[u8], batches: u64, replies: &mut Vec<u8>) -> Duration {
        let Self { input, output, .. } = self;
        let input = input.as_mut().expect("it is open");
        let before = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| (0..batches).for_each(|_| input.write_all(batch).expect("the node reads")));
            let mut missing = BATCH * batches;
            while missing > 0 {
                let read = output.fill_buf().expect("the node replies");
                assert!(!read.is_empty(), "the node has exited");
                missing -= memchr_iter(b'\n', read).count() as u64;
                replies.extend_from_slice(read);
                let length = read.len();
                output.consume(length);
            }
        });
        before.elapsed()
    }

    /// Closes its input, and waits for it to exit.
    pub(crate) fn end(mut self) {
        self.input = None;
        self.output.read_to_end(&mut self.reply).expect("its output ends");
        assert!(self.process.wait().expect("it ends").success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Asserts that `reply` is the reply to message `number`.
pub(crate) fn check_one(reply: &[u8], number: u64) {
    let echo = format!("\"Please {number}\"");
    assert!(memmem::find(reply, echo.as_bytes()).is_some(), "{}", String::from_utf8_lossy(reply));
}
