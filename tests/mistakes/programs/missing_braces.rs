//! A request without fields, and without braces.

use gossip_gloomers::requests;

requests! {
    enum Request<'a> {
        "read" => Read,
    }
}

fn main() {}
