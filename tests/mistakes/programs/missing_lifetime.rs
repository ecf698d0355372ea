//! An enum without a lifetime.

use gossip_gloomers::requests;

requests! {
    enum Request {
        "add" => Add { element: i64 },
    }
}

fn main() {}
