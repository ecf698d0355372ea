//! No comma after a variant.

use gossip_gloomers::requests;

requests! {
    enum Request<'a> {
        "add" => Add { element: i64 }
        "read" => Read {},
    }
}

fn main() {}
