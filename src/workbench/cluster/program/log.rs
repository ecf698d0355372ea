//! The file that receives what a node writes to stderr, through all its incarnations.
//!
//! It is bounded, and the test goes on where it cannot be written; both are remembered for the report.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// The maximum size of a log: enough for a node that logs every message of a long test. 25 logs of a runaway program
/// take 1.6 GB.
pub(in crate::workbench::cluster) const LOG_BYTES: u64 = 64 << 20;

pub(in crate::workbench::cluster) struct Log {
    state: State,
    /// Bytes that it does not hold.
    left_out: u64,
}

enum State {
    /// So many bytes still fit.
    Open(File, u64),
    Full,
    Broken(io::Error),
    /// Nobody wants it.
    None,
}

/// Why a log does not hold everything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    Full,
    Broken(String),
}

impl Log {
    /// Opens the file for appending.
    pub(super) fn open(path: &Path) -> Self {
        let open = || {
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            let length = file.metadata()?.len();
            Ok(State::Open(file, LOG_BYTES.saturating_sub(length)))
        };
        Self { state: open().unwrap_or_else(State::Broken), left_out: 0 }
    }

    /// A log that holds nothing.
    pub(super) const fn none() -> Self {
        Self { state: State::None, left_out: 0 }
    }

    pub(in crate::workbench::cluster) fn write(&mut self, bytes: &[u8]) {
        let State::Open(file, room) = &mut self.state else {
            self.left_out += bytes.len() as u64;
            return;
        };
        let fits = bytes.len().min(usize::try_from(*room).unwrap_or(usize::MAX));
        let (written, left_out) = bytes.split_at(fits);
        if let Err(error) = file.write_all(written) {
            self.state = State::Broken(error);
            self.left_out += bytes.len() as u64;
            return;
        }
        *room -= fits as u64;
        if !left_out.is_empty() {
            writeln!(file, "\n[gloomers] This log ends here, at {} MiB; the node wrote more.", LOG_BYTES >> 20).ok();
            self.state = State::Full;
            self.left_out += left_out.len() as u64;
        }
    }

    fn gap(&self) -> Option<Gap> {
        match &self.state {
            State::Open(..) | State::None => None,
            State::Full => Some(Gap::Full),
            State::Broken(error) => Some(Gap::Broken(error.to_string())),
        }
    }
}

/// A sentence for each kind of gap in the logs of these nodes.
pub(in crate::workbench::cluster) fn gaps<'a>(logs: impl Iterator<Item = (&'a str, &'a Log)>) -> Vec<String> {
    let mut gaps: BTreeMap<_, (Vec<&str>, u64)> = BTreeMap::new();
    for (name, log) in logs {
        if let Some(gap) = log.gap() {
            let (nodes, left_out) = gaps.entry(gap).or_default();
            nodes.push(name);
            *left_out += log.left_out;
        }
    }
    gaps.iter().map(|(gap, (nodes, left_out))| gap.in_words(nodes, *left_out)).collect()
}

impl Gap {
    /// A sentence about the nodes whose logs have this gap.
    fn in_words(&self, nodes: &[&str], left_out: u64) -> String {
        let whose = match nodes {
            [one] => format!("the log of {one}"),
            nodes => format!("the log of each of {}", nodes.join(", ")),
        };
        let why = match self {
            Self::Full => format!("holds the first {} MiB", LOG_BYTES >> 20),
            Self::Broken(error) => format!("could not be written ({error})"),
        };
        format!("{whose} {why}; {left_out} bytes that went to stderr are left out")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_ends_at_its_bound_and_says_so_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("n1.log");
        let mut log = Log::open(&path);
        let chunk = vec![b'x'; 1 << 20];
        for _ in 0..LOG_BYTES >> 20 {
            log.write(&chunk);
        }
        assert_eq!((log.gap(), log.left_out), (None, 0));
        log.write(b"one too many\n");
        log.write(b"and another\n");
        assert_eq!((log.gap(), log.left_out), (Some(Gap::Full), 25));
        let text = std::fs::read_to_string(&path).expect("text");
        assert!(text.ends_with("x\n[gloomers] This log ends here, at 64 MiB; the node wrote more.\n"));
        assert_eq!(
            Gap::Full.in_words(&["n1"], 25),
            "the log of n1 holds the first 64 MiB; 25 bytes that went to stderr are left out"
        );
    }

    #[test]
    fn a_log_that_cannot_be_written_is_remembered() {
        let mut log = Log::open("/dev/full".as_ref());
        log.write(b"lost\n");
        log.write(b"too\n");
        assert!(matches!(log.gap(), Some(Gap::Broken(error)) if error.contains("No space")), "{:?}", log.gap());
        assert_eq!(log.left_out, 9);
        assert!(matches!(Log::open("/nonexistent/n1.log".as_ref()).gap(), Some(Gap::Broken(_))));
    }
}
