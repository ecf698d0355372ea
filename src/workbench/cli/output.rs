//! The writer of the report for people: stdout, or stderr once stdout fails.
//!
//! A full disk or a closed pipe must not lose the verdict of a test, so writing here never fails.

use std::io::{self, Write};

/// The buffer is flushed at this size, at the end of a line, and on demand.
const BUFFER: usize = 8 << 10;

/// A buffered writer to stdout that falls back to stderr.
pub struct ReportWriter<O: Write, E: Write> {
    stdout: O,
    stderr: E,
    buffer: Vec<u8>,
    target: Target,
}

#[derive(Clone, Copy)]
enum Target {
    Stdout,
    Stderr,
    /// Both have failed.
    Nowhere,
}

impl<O: Write, E: Write> ReportWriter<O, E> {
    /// A writer with an empty buffer.
    pub fn new(stdout: O, stderr: E) -> Self {
        Self { stdout, stderr, buffer: Vec::new(), target: Target::Stdout }
    }
}

impl<O: Write, E: Write> Write for ReportWriter<O, E> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER || bytes.ends_with(b"\n") {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Target::Stdout = self.target
            && let Err(error) = self.stdout.write_all(&self.buffer).and_then(|()| self.stdout.flush())
        {
            self.target = Target::Stderr;
            writeln!(self.stderr, "stdout cannot be written ({error}); the rest is here:").ok();
        }
        if let Target::Stderr = self.target
            && self.stderr.write_all(&self.buffer).and_then(|()| self.stderr.flush()).is_err()
        {
            self.target = Target::Nowhere;
        }
        self.buffer.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A writer with a limited capacity.
    struct Disk {
        capacity: usize,
        taken: Vec<u8>,
    }

    impl Disk {
        fn of(capacity: usize) -> Self {
            Self { capacity, taken: Vec::new() }
        }

        fn text(&self) -> &str {
            std::str::from_utf8(&self.taken).expect("text")
        }
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.capacity - self.taken.len());
            self.taken.extend_from_slice(&bytes[..count]);
            if count == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(count) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn once_stdout_fails_the_rest_goes_to_stderr_from_the_line_that_failed() {
        let mut writer = ReportWriter::new(Disk::of(10), Disk::of(1_000));
        for line in ["seed\n", "verdict\n", "results\n"] {
            writer.write_all(line.as_bytes()).expect("it never fails");
        }
        assert!(writer.stdout.text().starts_with("seed\n"));
        assert_eq!(
            writer.stderr.text(),
            "stdout cannot be written (no storage space); the rest is here:\nverdict\nresults\n"
        );
    }

    #[test]
    fn while_stdout_works_nothing_goes_to_stderr() {
        let mut writer = ReportWriter::new(Disk::of(1_000), Disk::of(1_000));
        write!(writer, "the beginning and ").expect("it never fails");
        assert_eq!(writer.stdout.text(), "", "a line is written whole");
        writeln!(writer, "a line").expect("it never fails");
        assert_eq!((writer.stdout.text(), writer.stderr.text()), ("the beginning and a line\n", ""));
    }

    #[test]
    fn writing_does_not_fail_if_both_are_full() {
        let mut writer = ReportWriter::new(Disk::of(0), Disk::of(0));
        writer.write_all(b"verdict\n").and_then(|()| writer.write_all(b"results\n")).expect("it never fails");
    }
}
