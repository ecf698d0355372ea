//! A key with a dash, without a name for the field.

use gossip_gloomers::requests;

requests! {
    enum Request<'a> {
        "answer" => Answer { "in-reply": i64 },
    }
}

fn main() {}
