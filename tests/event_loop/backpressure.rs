//! A stdout that is slow, full or closed.

use crate::echo::{Echo, assert_same, numbered_lines, read_all, serve, write_all};
use gossip_gloomers::event_loop::PENDING_LIMIT;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Upper bound on what two pipes and the input buffer hold, in bytes.
const IN_BETWEEN: usize = 512 << 10;

/// Writes `bytes` from a thread; returns how many were accepted before writing blocked.
fn write_until_stuck(mut to: impl Write + Send + 'static, bytes: Vec<u8>) -> usize {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    thread::spawn(move || {
        for piece in bytes.chunks(4096) {
            to.write_all(piece).expect("the other end reads");
            count.fetch_add(piece.len(), Ordering::Relaxed);
        }
    });
    loop {
        let before = taken.load(Ordering::Relaxed);
        thread::sleep(Duration::from_millis(500));
        if before > 0 && before == taken.load(Ordering::Relaxed) {
            return before;
        }
    }
}

#[test]
fn a_reader_that_pauses_gets_everything_later_and_memory_stays_bounded() {
    for echo in [Echo::default(), Echo::ticking(1)] {
        let lines = numbered_lines(80_000);
        let (input, to) = io::pipe().expect("a pipe");
        let (from, output) = io::pipe().expect("a pipe");
        let served = serve(input, output, echo);
        let taken = write_until_stuck(to, lines.clone());
        assert!(taken >= PENDING_LIMIT, "reading continues while stdout is full, but {taken} were read");
        assert!(taken <= PENDING_LIMIT + IN_BETWEEN, "reading stops at the limit, but {taken} were read");
        assert_same(&read_all(from), &lines);
        let peak = served.machine().peak;
        assert!(peak <= 2 * PENDING_LIMIT + IN_BETWEEN, "{peak} bytes of output were kept");
    }
}

#[test]
fn memory_stays_bounded_when_input_is_a_file() {
    let lines = numbered_lines(80_000);
    let file = tempfile::NamedTempFile::new().expect("a file");
    file.as_file().write_all(&lines).expect("room on disk");
    let (from, output) = io::pipe().expect("a pipe");
    let served = serve(file.reopen().expect("a file"), output, Echo::default());
    thread::sleep(Duration::from_millis(100));
    assert_same(&read_all(from), &lines);
    assert!(served.machine().peak <= 2 * PENDING_LIMIT + IN_BETWEEN);
}

#[test]
fn deadlines_wait_without_spinning_while_too_much_output_is_pending() {
    let (input, to) = io::pipe().expect("a pipe");
    let (mut from, output) = io::pipe().expect("a pipe");
    let served = serve(input, output, Echo::ticking(1));
    write_until_stuck(to, numbered_lines(80_000));
    let silence = Duration::from_millis(400);
    thread::sleep(silence);
    io::copy(&mut from, &mut io::sink()).expect("readable");
    let Echo { ticks, output_calls, .. } = served.machine();
    assert!(output_calls < 50_000, "{output_calls} calls in a second or two");
    assert!(ticks.windows(2).any(|pair| pair[1].since(pair[0]) >= silence), "the timer should have paused");
}

#[test]
fn a_slow_reader_gets_whole_lines_in_order() {
    let lines = numbered_lines(10_000);
    let (input, to) = io::pipe().expect("a pipe");
    let (mut from, output) = io::pipe().expect("a pipe");
    let served = serve(input, output, Echo::ticking(1));
    write_all(to, lines.clone());
    let mut got = Vec::new();
    let mut piece = vec![0; 7_777];
    loop {
        let length = from.read(&mut piece).expect("readable");
        if length == 0 {
            break;
        }
        got.extend_from_slice(&piece[..length]);
        thread::sleep(Duration::from_micros(500));
    }
    assert_same(&got, &lines);
    served.machine();
}

#[test]
fn pending_output_is_flushed_after_the_end_of_input() {
    let lines = numbered_lines(5_000);
    let (input, to) = io::pipe().expect("a pipe");
    let (from, output) = io::pipe().expect("a pipe");
    let served = serve(input, output, Echo::default());
    write_all(to, lines.clone());
    thread::sleep(Duration::from_millis(100));
    assert_same(&read_all(from), &lines);
    served.machine();
}

#[test]
fn a_broken_stdout_is_an_error() {
    for echo in [Echo::default(), Echo::ticking(1)] {
        let (input, mut to) = io::pipe().expect("a pipe");
        let (from, output) = io::pipe().expect("a pipe");
        drop(from);
        let served = serve(input, output, echo);
        to.write_all(b"line\n").expect("the other end reads");
        assert_eq!(served.ended().0.expect_err("the other end is closed").kind(), ErrorKind::BrokenPipe);
    }
}

#[test]
fn a_stdout_that_breaks_while_it_is_full_is_an_error() {
    let (input, to) = io::pipe().expect("a pipe");
    let (from, output) = io::pipe().expect("a pipe");
    let served = serve(input, output, Echo::default());
    thread::spawn(move || {
        let mut to = to;
        // Fails when the event loop has returned.
        let _ = to.write_all(&numbered_lines(80_000));
        thread::sleep(Duration::from_secs(3600));
    });
    thread::sleep(Duration::from_millis(200));
    drop(from);
    assert_eq!(served.ended().0.expect_err("the other end is closed").kind(), ErrorKind::BrokenPipe);
}
