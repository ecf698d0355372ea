//! The flags of descriptors are restored.

use crate::echo::{Echo, serve};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

fn blocks(fd: impl AsFd) -> bool {
    !fcntl_getfl(fd).expect("open").contains(OFlags::NONBLOCK)
}

fn clone(fd: impl AsFd) -> OwnedFd {
    fd.as_fd().try_clone_to_owned().expect("a descriptor")
}

#[test]
fn pipes_block_again_after_the_end_of_input() {
    for echo in [Echo::default(), Echo::ticking(1)] {
        let (input, mut to) = io::pipe().expect("a pipe");
        let (_from, output) = io::pipe().expect("a pipe");
        let served = serve(clone(&input), clone(&output), echo);
        to.write_all(b"line\n").expect("the other end reads");
        drop(to);
        served.machine();
        assert!(blocks(input) && blocks(output));
    }
}

#[test]
fn pipes_block_again_after_a_failure() {
    let (input, mut to) = io::pipe().expect("a pipe");
    let (from, output) = io::pipe().expect("a pipe");
    drop(from);
    let served = serve(clone(&input), clone(&output), Echo::ticking(1));
    to.write_all(b"line\n").expect("the other end reads");
    served.ended().0.expect_err("the other end is closed");
    assert!(blocks(input) && blocks(output));
}

#[test]
fn descriptors_that_were_non_blocking_stay_so() {
    for echo in [Echo::default(), Echo::ticking(1)] {
        let (input, to) = io::pipe().expect("a pipe");
        let (_from, output) = io::pipe().expect("a pipe");
        for fd in [input.as_fd(), output.as_fd()] {
            fcntl_setfl(fd, fcntl_getfl(fd).expect("open") | OFlags::NONBLOCK).expect("a pipe can");
        }
        let served = serve(clone(&input), clone(&output), echo);
        drop(to);
        served.machine();
        assert!(!blocks(input) && !blocks(output));
    }
}

#[test]
fn an_open_file_that_is_both_ends_blocks_again() {
    for echo in [Echo::default(), Echo::ticking(1)] {
        let (ours, theirs) = UnixStream::pair().expect("a socket");
        let served = serve(clone(&theirs), clone(&theirs), echo);
        ours.shutdown(std::net::Shutdown::Write).expect("open");
        served.machine();
        assert!(blocks(theirs));
    }
}
