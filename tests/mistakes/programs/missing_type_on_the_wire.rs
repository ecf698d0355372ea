//! A variant without the type that it has on the wire.

use gossip_gloomers::requests;

requests! {
    enum Request<'a> {
        Read {},
    }
}

fn main() {}
