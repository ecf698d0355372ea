//! Timers fire whether stdin is idle, busy or a file.

use crate::echo::{Echo, numbered_lines, serve};
use std::fs::File;
use std::io::{self, Seek, Write};
use std::thread;
use std::time::Duration;

fn null() -> File {
    File::create("/dev/null").expect("a device")
}

#[test]
fn timers_fire_while_nothing_arrives() {
    let (input, to) = io::pipe().expect("a pipe");
    let served = serve(input, null(), Echo::ticking(5));
    thread::sleep(Duration::from_millis(500));
    drop(to);
    let ticks = served.machine().ticks.len();
    assert!(ticks >= 20, "{ticks} ticks in half a second");
}

#[test]
fn timers_fire_while_input_never_pauses() {
    let (input, mut to) = io::pipe().expect("a pipe");
    let served = serve(input, null(), Echo::ticking(5));
    thread::spawn(move || {
        let lines = numbered_lines(1_000);
        for _ in 0..300 {
            to.write_all(&lines).expect("the other end reads");
        }
    });
    let ticks = served.machine().ticks;
    assert!(ticks.len() >= 3, "{} ticks during 30 MB", ticks.len());
}

#[test]
fn timers_fire_while_a_file_is_read() {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(&numbered_lines(200_000)).expect("room on disk");
    file.rewind().expect("a file has a beginning");
    let ticks = serve(file, null(), Echo::ticking(1)).machine().ticks;
    assert!(ticks.len() >= 3, "{} ticks during 20 MB", ticks.len());
}

#[test]
fn the_event_loop_sleeps_between_deadlines() {
    let (input, to) = io::pipe().expect("a pipe");
    let served = serve(input, null(), Echo::ticking(50));
    thread::sleep(Duration::from_millis(500));
    drop(to);
    let echo = served.machine();
    assert!(
        echo.output_calls <= 10 * (echo.ticks.len() + 2),
        "{} calls for {} ticks",
        echo.output_calls,
        echo.ticks.len()
    );
}

#[test]
fn a_deadline_long_past_does_not_delay_input() {
    let (input, mut to) = io::pipe().expect("a pipe");
    let served = serve(input, null(), Echo::ticking(0));
    to.write_all(&numbered_lines(10_000)).expect("the other end reads");
    drop(to);
    assert!(!served.machine().ticks.is_empty());
}
