//! No comma after a field.

use gossip_gloomers::requests;

requests! {
    enum Request<'a> {
        "read" => Read {},
        "add" => Add { element: i64 author: &'a str },
    }
}

fn main() {}
