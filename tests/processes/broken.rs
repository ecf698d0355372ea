//! A node that is wrong on purpose, each time in one way.

use std::io::{self, BufRead as _, Write as _};
use std::time::Duration;

use serde_json::{Value, json};

/// What tells this program to be a node; the fault follows.
pub(crate) const FLAG: &str = "--as-node";

/// How many requests are answered before the fault shows, where it is not there from the start.
pub(crate) const GOOD: u64 = 5;

/// The line that is none.
pub(crate) const GARBAGE: &str = "Segmentation fault (not really)";

/// How it exits.
pub(crate) const STATUS: i32 = 3;

/// How long the slow one thinks about each request.
const SLOWNESS: Duration = Duration::from_millis(100);

#[expect(clippy::disallowed_methods, reason = "slow on purpose")]
fn think() {
    std::thread::sleep(SLOWNESS);
}

/// Is a node with the given fault, until the end of input.
pub(crate) fn serve(fault: &str) {
    writeln!(io::stderr(), "{}", std::process::id()).expect("the workbench keeps a log");
    let (mut asked, mut values) = (0, Vec::new());
    for line in io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line.expect("UTF-8")).expect("the workbench writes JSON");
        let body = &request["body"];
        let kind = body["type"].as_str().expect("a type");
        if kind == "init" {
            match fault {
                "exits-at-init" => std::process::exit(STATUS),
                "refuses-init" => reply(&request, json!({"type": "error", "code": 14, "text": "not today"})),
                "ignores-init" => {}
                _ => reply(&request, json!({"type": "init_ok"})),
            }
            continue;
        }
        asked += 1;
        match fault {
            "exits" if asked > GOOD => std::process::exit(STATUS),
            "prints-garbage" if asked == GOOD + 1 => say(GARBAGE),
            "never-answers" => continue,
            "slow" => think(),
            _ => {}
        }
        match kind {
            "echo" => reply(&request, json!({"type": "echo_ok", "echo": body["echo"]})),
            "generate" => reply(&request, json!({"type": "generate_ok", "id": asked % 10})),
            "topology" => reply(&request, json!({"type": "topology_ok"})),
            "broadcast" => {
                values.push(body["message"].as_u64().expect("Maelstrom's values are integers"));
                reply(&request, json!({"type": "broadcast_ok"}));
            }
            "read" => {
                reply(&request, json!({"type": "read_ok", "messages": values}));
                values.retain(|value| value % 2 == 0);
            }
            _ => panic!("nobody asks a {fault} node for {kind}"),
        }
    }
}

fn reply(request: &Value, mut body: Value) {
    body["in_reply_to"] = request["body"]["msg_id"].clone();
    say(&json!({"src": request["dest"], "dest": request["src"], "body": body}).to_string());
}

fn say(line: &str) {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).expect("the workbench reads");
}
