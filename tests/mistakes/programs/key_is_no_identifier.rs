//! A key with a dash, written as if it were a field.

use gossip_gloomers::requests;

requests! {
    enum Request<'a> {
        "answer" => Answer { in-reply-to: i64 },
    }
}

fn main() {}
