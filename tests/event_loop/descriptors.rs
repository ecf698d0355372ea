//! Pipes, sockets, files, terminals and `/dev/null`, with input in one piece and in many.

use crate::echo::{Echo, assert_same, numbered_lines, read_all, serve, write_all};
use proptest::prelude::*;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::thread;

fn pipe() -> (io::PipeReader, io::PipeWriter) {
    io::pipe().expect("a pipe")
}

/// The output on a pipe for this input on another.
fn through_pipes(bytes: &[u8], echo: Echo) -> Vec<u8> {
    let (input, to) = pipe();
    let (from, output) = pipe();
    let served = serve(input, output, echo);
    write_all(to, bytes.to_vec());
    let got = read_all(from);
    served.machine();
    got
}

#[test]
fn lines_come_back_in_order_and_whole() {
    let lines = numbered_lines(50_000);
    assert_same(&through_pipes(&lines, Echo::default()), &lines);
    assert_same(&through_pipes(&lines, Echo::ticking(1)), &lines);
}

#[test]
fn carriage_returns_and_empty_lines_are_passed_through() {
    assert_eq!(through_pipes(b"a\r\n\n\r\nb\n", Echo::default()), b"a\r\n\n\r\nb\n");
}

#[test]
fn a_last_line_without_newline_is_handled() {
    for echo in [Echo::default(), Echo::ticking(1)] {
        assert_eq!(through_pipes(b"first\nlast", echo), b"first\nlast\n");
    }
    assert_eq!(through_pipes(b"", Echo::default()), b"");
}

#[test]
fn a_hang_up_right_after_data_loses_nothing() {
    for echo in [Echo::default(), Echo::ticking(1)] {
        let lines = numbered_lines(600);
        let (input, mut to) = pipe();
        to.write_all(&lines).expect("less than a pipe holds");
        to.write_all(b"last").expect("less than a pipe holds");
        drop(to);
        let (from, output) = pipe();
        let served = serve(input, output, echo);
        assert_same(&read_all(from), &[lines.as_slice(), b"last\n"].concat());
        served.machine();
    }
}

#[test]
fn a_socket_may_be_both_ends() {
    for echo in [Echo::default(), Echo::ticking(1)] {
        let (ours, theirs) = UnixStream::pair().expect("a socket");
        let served = serve(theirs.try_clone().expect("a descriptor"), theirs, echo);
        let lines = numbered_lines(20_000);
        let (mut to, expected) = (ours.try_clone().expect("a descriptor"), lines.clone());
        thread::spawn(move || {
            to.write_all(&lines).expect("the other end reads");
            to.shutdown(std::net::Shutdown::Write).expect("open");
        });
        assert_same(&read_all(ours), &expected);
        served.machine();
    }
}

#[test]
fn a_file_is_read_and_a_file_is_written() {
    for echo in [Echo::default(), Echo::ticking(1)] {
        let lines = numbered_lines(50_000);
        let mut input = tempfile::tempfile().expect("a file");
        input.write_all(&lines).expect("room on disk");
        input.rewind().expect("a file has a beginning");
        let mut output = tempfile::tempfile().expect("a file");
        serve(input, output.try_clone().expect("a descriptor"), echo).machine();
        output.rewind().expect("a file has a beginning");
        assert_same(&read_all(output), &lines);
    }
}

#[test]
fn dev_null_may_be_both_ends() {
    for echo in [Echo::default(), Echo::ticking(1)] {
        let null = || File::options().read(true).write(true).open("/dev/null").expect("a device");
        serve(null(), null(), echo).machine();
    }
    let (input, mut to) = pipe();
    to.write_all(&numbered_lines(100)).expect("less than a pipe holds");
    drop(to);
    serve(input, File::create("/dev/null").expect("a device"), Echo::default()).machine();
}

/// A new pseudoterminal: the side of the user, and that of a program.
fn terminal() -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&ours).expect("ours");
    unlockpt(&ours).expect("ours");
    let name = ptsname(&ours, Vec::new()).expect("a name");
    let theirs = std::ffi::OsStr::from_bytes(name.as_bytes());
    let theirs = File::options().read(true).write(true).open(theirs).expect("a terminal");
    (File::from(ours), theirs)
}

#[test]
fn a_terminal_may_be_both_ends_and_gives_one_line_at_a_time() {
    for mut echo in [Echo::default(), Echo::ticking(1)] {
        echo.prompt = "> ";
        let (mut ours, theirs) = terminal();
        let stdin: OwnedFd = theirs.try_clone().expect("a descriptor").into();
        let served = serve(stdin, theirs, echo);
        // Three lines in one write, then the control character for the end of input.
        ours.write_all(b"one\ntwo\nthree\n\x04").expect("a keyboard");
        let mut answers = Vec::new();
        for line in BufReader::new(ours).lines().map_while(Result::ok) {
            if let Some(answer) = line.strip_prefix("> ") {
                answers.push(answer.to_owned());
            }
            if answers.len() == 3 {
                break;
            }
        }
        assert_eq!(answers, ["one", "two", "three"]);
        served.machine();
    }
}

#[test]
fn a_terminal_that_hangs_up_is_the_end() {
    let (ours, theirs) = terminal();
    let served = serve(theirs, File::create("/dev/null").expect("a device"), Echo::ticking(1));
    drop(ours);
    served.machine();
}

#[test]
fn lines_are_answered_while_input_stays_open() {
    for echo in [Echo::default(), Echo::ticking(1000)] {
        let (input, mut to) = pipe();
        let (mut from, output) = pipe();
        let served = serve(input, output, echo);
        for _ in 0..1_000 {
            to.write_all(b"ping\nhalf").expect("the other end reads");
            let mut answer = [0; 5];
            from.read_exact(&mut answer).expect("an answer");
            to.write_all(b" a line\n").expect("the other end reads");
            let mut answer = [0; 12];
            from.read_exact(&mut answer).expect("an answer");
            assert_eq!(&answer, b"half a line\n");
        }
        drop(to);
        served.machine();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn lines_are_the_same_however_the_bytes_are_split(
        lengths in prop::collection::vec(prop_oneof![9 => 0..300_usize, 1 => 0..200_000_usize], 1..40),
        cuts in prop::collection::vec((0..1_000_000_usize, any::<bool>()), 0..40),
        terminated: bool, ticking: bool,
    ) {
        let mut bytes = Vec::new();
        for (number, length) in lengths.into_iter().enumerate() {
            let letter = b"abcdefghijklmnopqrstuvwxyz"[number % 26];
            bytes.extend(std::iter::repeat_n(letter, length + 1));
            bytes.push(b'\n');
        }
        let expected = bytes.clone();
        if !terminated {
            bytes.pop();
        }
        let mut cuts: Vec<_> = cuts.into_iter().map(|(at, pause)| (at % bytes.len(), pause)).collect();
        cuts.sort_unstable();
        let (input, mut to) = pipe();
        let (from, output) = pipe();
        let served = serve(input, output, if ticking { Echo::ticking(1) } else { Echo::default() });
        thread::spawn(move || {
            let mut written = 0;
            for (at, pause) in cuts {
                to.write_all(&bytes[written..at]).expect("the other end reads");
                written = at;
                if pause {
                    thread::sleep(std::time::Duration::from_micros(200));
                }
            }
            to.write_all(&bytes[written..]).expect("the other end reads");
        });
        assert_same(&read_all(from), &expected);
        served.machine();
    }
}
