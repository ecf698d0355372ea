//! A node with one deliberate fault.

use std::fs::File;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::FlockOperation;
use serde_json::{Value, json};

/// The flag that makes this program a node; the fault follows.
pub(crate) const FLAG: &str = "--as-node";

/// The number of requests answered correctly before a fault that appears only later.
pub(crate) const GOOD: u64 = 5;

/// A line that is not a message.
pub(crate) const GARBAGE: &str = "Segmentation fault (not really)";

/// The last of the lines that a node prints from [`GARBAGE`] on.
pub(crate) const REASON: &str = "no such page";

/// The exit status of a node that exits.
pub(crate) const STATUS: i32 = 3;

/// The environment variable with the path of a file on which all processes of a node hold a lock.
pub(crate) const LOCK: &str = "GLOOMERS_TEST_LOCK";

/// Upper bound on the life of a process that does not end by itself, so that a failed test does not leave it for long.
const LIFETIME: Duration = Duration::from_secs(90);

/// Holds the lock until this process ends.
fn lock() {
    if let Some(path) = std::env::var_os(LOCK) {
        let file = File::open(path).expect("the test made it");
        rustix::fs::flock(&file, FlockOperation::LockShared).expect("no process holds an exclusive lock");
        std::mem::forget(file);
    }
}

/// Starts a child process that outlives this one, and waits until it runs.
fn start_child() {
    let ourselves = std::env::current_exe().expect("a program");
    let child = Command::new(ourselves).args([FLAG, "lives-on"]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut line = [0];
    child.expect("it can be executed").stdout.expect("a pipe").read_exact(&mut line).expect("it prints a line");
}

#[expect(clippy::disallowed_methods, reason = "a fault of the node")]
fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}

/// Runs a node with the given fault, until the end of input.
pub(crate) fn serve(fault: &str) {
    lock();
    match fault {
        "lives-on" => {
            print_line("");
            return sleep(LIFETIME);
        }
        "leaves-a-child" | "ignores-the-end" => start_child(),
        _ => {}
    }
    writeln!(io::stderr(), "{}", std::process::id()).expect("the workbench keeps a log");
    let (mut requests, mut values) = (0, Vec::new());
    for line in io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line.expect("UTF-8")).expect("the workbench writes JSON");
        let body = &request["body"];
        let kind = body["type"].as_str().expect("a type");
        if kind == "init" {
            match fault {
                "exits-at-init" => std::process::exit(STATUS),
                "ignores-init" => {}
                _ => answer_init(fault, &request),
            }
            continue;
        }
        // A node that swaps addresses gets its own replies back.
        if kind.ends_with("_ok") {
            assert_ne!(fault, "dies-of-swapped-init");
            continue;
        }
        requests += 1;
        match fault {
            "exits" | "leaves-a-child" if requests > GOOD => {
                writeln!(io::stderr(), "oh no").expect("the workbench keeps a log");
                std::process::exit(STATUS);
            }
            "prints-garbage" if requests == GOOD + 1 => print_line(&format!("{GARBAGE}\n  at line 7\n{REASON}")),
            "never-answers" => continue,
            "slow" => sleep(Duration::from_millis(100)),
            _ => {}
        }
        if fault == "ignores-topology" && kind == "topology" {
            continue;
        }
        if fault == "refuses-topology" && kind == "topology" {
            reply(&request, json!({"type": "error", "code": 10, "text": "topology not supported"}));
            continue;
        }
        if kind == "echo" && answer_echo(fault, &request) {
            continue;
        }
        match kind {
            "broadcast" if fault == "keeps-the-message" => {
                reply(&request, json!({"type": "broadcast_ok", "message": body["message"]}));
            }
            "echo" => reply(&request, json!({"type": "echo_ok", "echo": body["echo"]})),
            "generate" => reply(&request, json!({"type": "generate_ok", "id": requests % 10})),
            "topology" => reply(&request, json!({"type": "topology_ok"})),
            "broadcast" => {
                values.push(body["message"].as_u64().expect("Maelstrom's values are integers"));
                reply(&request, json!({"type": "broadcast_ok"}));
            }
            "read" => {
                reply(&request, json!({"type": "read_ok", "messages": values}));
                values.retain(|value| value % 2 == 0);
            }
            _ => panic!("a {fault} node does not handle {kind}"),
        }
    }
    if fault == "ignores-the-end" {
        sleep(LIFETIME);
    }
}

fn reply(request: &Value, mut body: Value) {
    body["in_reply_to"] = request["body"]["msg_id"].clone();
    print_line(&message(request, &body));
}

/// A message with this body to the sender of the request.
fn message(request: &Value, body: &Value) -> String {
    json!({"src": request["dest"], "dest": request["src"], "body": body}).to_string()
}

/// Answers `init`, with the given fault.
fn answer_init(fault: &str, request: &Value) {
    let good = message(request, &json!({"type": "init_ok", "in_reply_to": 1}));
    match fault {
        "refuses-init" => reply(request, json!({"type": "error", "code": 13, "text": "cannot start: no disk"})),
        "init-without-in-reply-to" => print_line(&message(request, &json!({"type": "init_ok"}))),
        "init-in-reply-to-0" => print_line(&message(request, &json!({"type": "init_ok", "in_reply_to": 0}))),
        "init-of-another-type" => reply(request, json!({"type": "init_okay"})),
        "pretty-init" => print_line(&good.replace(',', ",\n  ")),
        "swapped-init" | "dies-of-swapped-init" => {
            let body = json!({"type": "init_ok", "in_reply_to": 1});
            print_line(&json!({"src": request["src"], "dest": request["dest"], "body": body}).to_string());
        }
        "byte-order-mark" => print_line(&format!("\u{feff}{good}")),
        "endless-init" => {
            let mut stdout = io::stdout().lock();
            write!(stdout, "{good}").and_then(|()| stdout.flush()).expect("the workbench reads");
        }
        _ => print_line(&good),
    }
}

/// Answers `echo` with the given fault; returns `false` if the fault is another.
fn answer_echo(fault: &str, request: &Value) -> bool {
    let (echo, id) = (&request["body"]["echo"], &request["body"]["msg_id"]);
    let with = |in_reply_to: Value| json!({"type": "echo_ok", "echo": echo, "in_reply_to": in_reply_to});
    let good = message(request, &with(id.clone()));
    match fault {
        "no-in-reply-to" => print_line(&message(request, &json!({"type": "echo_ok", "echo": echo}))),
        "in-reply-to-a-string" => print_line(&message(request, &with(json!(id.to_string())))),
        "in-reply-to-a-float" => print_line(&message(request, &with(json!(id.as_f64())))),
        "type-twice" => print_line(&good.replace("\"type\":", "\"type\":\"x\",\"type\":")),
        "two-on-a-line" => print_line(&format!("{good}{good}")),
        "trailing-text" => print_line(&format!("{good} and more")),
        _ => return false,
    }
    true
}

fn print_line(line: &str) {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).expect("the workbench reads");
}
