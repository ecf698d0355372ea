//! Lines up to the limit, and beyond it.

use crate::echo::{Echo, assert_same, read_all, serve, write_all};
use gossip_gloomers::wire::MAX_LINE;
use std::io::{self, Read, Write};

/// The output for this input, and the state machine.
fn through_pipes(bytes: Vec<u8>) -> (Vec<u8>, Echo) {
    let (input, to) = io::pipe().expect("a pipe");
    let (from, output) = io::pipe().expect("a pipe");
    let served = serve(input, output, Echo::default());
    write_all(to, bytes);
    let got = read_all(from);
    (got, served.machine())
}

fn line(length: usize) -> Vec<u8> {
    let mut line = vec![b'x'; length];
    line.push(b'\n');
    line
}

#[test]
fn a_line_of_exactly_the_limit_is_handled_with_its_neighbours() {
    let mut bytes = b"before\n".to_vec();
    bytes.extend(line(MAX_LINE));
    bytes.extend(b"after\n");
    let (got, echo) = through_pipes(bytes.clone());
    assert_same(&got, &bytes);
    assert!(echo.oversize.is_empty());
}

#[test]
fn a_line_of_exactly_the_limit_may_be_the_last_and_lack_its_newline() {
    let expected = line(MAX_LINE);
    let (got, _) = through_pipes(vec![b'x'; MAX_LINE]);
    assert_same(&got, &expected);
}

#[test]
fn a_longer_line_is_skipped_and_reported_and_its_neighbours_handled() {
    for beyond in [1, 300_000] {
        let mut bytes = b"before\n".to_vec();
        bytes.extend(line(MAX_LINE + beyond));
        bytes.extend(b"after\nagain\n");
        let (got, echo) = through_pipes(bytes);
        assert_eq!(got, b"before\nafter\nagain\n");
        assert_eq!(echo.oversize, [(MAX_LINE + beyond) as u64]);
    }
}

#[test]
fn a_longer_line_that_never_ends_is_skipped_and_reported() {
    let (got, echo) = through_pipes(vec![b'x'; MAX_LINE + 5]);
    assert!(got.is_empty());
    assert_eq!(echo.oversize, [MAX_LINE as u64 + 5]);
}

#[test]
fn memory_is_freed_after_a_very_long_line() {
    let (input, mut to) = io::pipe().expect("a pipe");
    let (mut from, output) = io::pipe().expect("a pipe");
    let served = serve(input, output, Echo::default());
    let giant = line(3 << 20);
    let mut answer = vec![0; giant.len()];
    let writer = std::thread::spawn(move || {
        to.write_all(&giant).expect("the other end reads");
        to
    });
    from.read_exact(&mut answer).expect("an answer");
    let mut to = writer.join().expect("written");
    to.write_all(b"small\n").expect("the other end reads");
    drop(to);
    assert_eq!(read_all(from), b"small\n");
    let mut echo = served.machine();
    assert!(echo.buffer <= 1 << 20, "the last buffer had {} bytes", echo.buffer);
    let capacity = gossip_gloomers::engine::StateMachine::output(&mut echo).capacity();
    assert!(capacity <= 1 << 20, "the output keeps {capacity} bytes");
}
