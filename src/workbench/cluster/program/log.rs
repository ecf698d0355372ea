//! The log of a node: what all its incarnations write to stderr.
//!
//! Its size is bounded, and a test continues if it cannot be written. The report mentions both.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// The maximum size of a log: enough for a node that logs every message of a long test. 25 logs of a runaway program
/// take 1.6 GB.
pub(in crate::workbench::cluster) const LOG_BYTES: u64 = 64 << 20;

pub(in crate::workbench::cluster) struct Log {
    state: State,
    /// The number of bytes that were not written.
    dropped: u64,
}

enum State {
    /// The number of bytes that still fit.
    Open(File, u64),
    Full,
    Broken(io::Error),
    /// Everything is discarded.
    Discard,
}

/// Why a log is incomplete.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Incomplete {
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
        Self { state: open().unwrap_or_else(State::Broken), dropped: 0 }
    }

    /// A log that discards everything.
    pub(super) const fn discard() -> Self {
        Self { state: State::Discard, dropped: 0 }
    }

    pub(in crate::workbench::cluster) fn write(&mut self, bytes: &[u8]) {
        let State::Open(file, room) = &mut self.state else {
            self.dropped += bytes.len() as u64;
            return;
        };
        let fits = bytes.len().min(usize::try_from(*room).unwrap_or(usize::MAX));
        let (written, dropped) = bytes.split_at(fits);
        if let Err(error) = file.write_all(written) {
            self.state = State::Broken(error);
            self.dropped += bytes.len() as u64;
            return;
        }
        *room -= fits as u64;
        if !dropped.is_empty() {
            writeln!(file, "\n[gloomers] This log ends here, at {} MiB; the node wrote more.", LOG_BYTES >> 20).ok();
            self.state = State::Full;
            self.dropped += dropped.len() as u64;
        }
    }

    fn incomplete(&self) -> Option<Incomplete> {
        match &self.state {
            State::Open(..) | State::Discard => None,
            State::Full => Some(Incomplete::Full),
            State::Broken(error) => Some(Incomplete::Broken(error.to_string())),
        }
    }
}

/// A sentence for each way in which logs of these nodes are incomplete.
pub(in crate::workbench::cluster) fn incomplete_logs<'a>(
    logs: impl Iterator<Item = (&'a str, &'a Log)>,
) -> Vec<String> {
    let mut incomplete: BTreeMap<_, (Vec<&str>, u64)> = BTreeMap::new();
    for (name, log) in logs {
        if let Some(reason) = log.incomplete() {
            let (nodes, dropped) = incomplete.entry(reason).or_default();
            nodes.push(name);
            *dropped += log.dropped;
        }
    }
    incomplete.iter().map(|(reason, (nodes, dropped))| reason.in_words(nodes, *dropped)).collect()
}

impl Incomplete {
    /// A sentence about the nodes whose logs are incomplete for this reason.
    fn in_words(&self, nodes: &[&str], dropped: u64) -> String {
        let whose = match nodes {
            [one] => format!("the log of {one}"),
            nodes => format!("the log of each of {}", nodes.join(", ")),
        };
        let why = match self {
            Self::Full => format!("holds the first {} MiB", LOG_BYTES >> 20),
            Self::Broken(error) => format!("could not be written ({error})"),
        };
        format!("{whose} {why}; {dropped} bytes that went to stderr are left out")
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
        assert_eq!((log.incomplete(), log.dropped), (None, 0));
        log.write(b"one too many\n");
        log.write(b"and another\n");
        assert_eq!((log.incomplete(), log.dropped), (Some(Incomplete::Full), 25));
        let text = std::fs::read_to_string(&path).expect("text");
        assert!(text.ends_with("x\n[gloomers] This log ends here, at 64 MiB; the node wrote more.\n"));
        assert_eq!(
            Incomplete::Full.in_words(&["n1"], 25),
            "the log of n1 holds the first 64 MiB; 25 bytes that went to stderr are left out"
        );
    }

    #[test]
    fn a_log_that_cannot_be_written_is_remembered() {
        let mut log = Log::open("/dev/full".as_ref());
        log.write(b"lost\n");
        log.write(b"too\n");
        assert!(
            matches!(log.incomplete(), Some(Incomplete::Broken(error)) if error.contains("No space")),
            "{:?}",
            log.incomplete()
        );
        assert_eq!(log.dropped, 9);
        assert!(matches!(Log::open("/nonexistent/n1.log".as_ref()).incomplete(), Some(Incomplete::Broken(_))));
    }
}
