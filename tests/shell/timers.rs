//! Timers fire, whatever stdin does.

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
    assert!((20..=101).contains(&ticks), "{ticks} ticks in half a second");
}

#[test]
fn timers_fire_while_input_never_pauses() {
    let (input, mut to) = io::pipe().expect("a pipe");
    let served = serve(input, null(), Echo::ticking(5));
    thread::spawn(move || {
        let lines = numbered_lines(1_000);
        for _ in 0..300 {
            to.write_all(&lines).expect("somebody reads");
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
fn a_shell_without_input_sleeps_until_the_deadline() {
    let (input, to) = io::pipe().expect("a pipe");
    let served = serve(input, null(), Echo::ticking(100));
    thread::sleep(Duration::from_millis(550));
    drop(to);
    for pair in served.machine().ticks.windows(2) {
        assert!(pair[1].since(pair[0]) >= Duration::from_millis(100));
    }
}
