//! A write-ahead log: what a node must remember when it is killed.
//!
//! A node hands over records while it handles messages; its host makes them durable, with one system call for all of a
//! wake-up, before any message of that wake-up leaves ([`Storage::commit`]). At the next start the node gets its
//! records back ([`Stored`]). From time to time it replaces them by a snapshot of its state.
//!
//! The files of a directory are segments of the log, `00000000000000000042.log`, and a snapshot of all batches before
//! its number, `00000000000000000042.snapshot`. A batch that was being written at the end is dropped; any other damage
//! is an error that names file and offset.

mod directory;
mod format;
#[cfg(feature = "simulation")]
mod memory;

use std::fmt;
use std::path::PathBuf;

pub use directory::{SEGMENT, Storage};
pub use format::MAX_BATCH;
#[cfg(feature = "simulation")]
pub(crate) use memory::MemoryLog;

/// What a node wants to be remembered, in one wake-up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    snapshot: Option<Vec<u8>>,
    records: format::Records,
}

impl Batch {
    /// Whether there is nothing to store.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.snapshot.is_none() && self.records.0.is_empty()
    }

    /// Appends a record.
    ///
    /// # Panics
    /// It is not shorter than [`MAX_BATCH`].
    pub fn push(&mut self, record: &[u8]) {
        self.records.push(record);
    }

    /// Replaces everything so far, also of earlier batches, by this state.
    pub fn replace(&mut self, snapshot: Vec<u8>) {
        self.snapshot = Some(snapshot);
        self.records.0.clear();
    }

    fn clear(&mut self) {
        self.snapshot = None;
        self.records.0.clear();
    }
}

/// What a node had stored before its last end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// The latest snapshot.
    pub snapshot: Option<Vec<u8>>,
    records: Vec<u8>,
}

impl Stored {
    /// Whether nothing was ever stored.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.snapshot.is_none() && self.records.is_empty()
    }

    /// The records since the snapshot, in order.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        format::records(&self.records)
    }
}

/// Why a directory cannot be used.
#[derive(Debug)]
pub enum StorageError {
    /// A file cannot be read or written. After a failed write or sync, nobody knows what is on the disk.
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// Why it failed.
        error: std::io::Error,
    },
    /// Another process uses the directory.
    Locked(PathBuf),
    /// A file is not as it was written.
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damage begins.
        offset: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A segment of the log is missing.
    Gap {
        /// The directory.
        directory: PathBuf,
        /// The first missing batch.
        next: u64,
    },
    /// A batch exceeds [`MAX_BATCH`].
    TooLarge(usize),
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { action, path, error } => write!(f, "cannot {action} {}: {error}", path.display()),
            Self::Locked(path) => {
                write!(f, "another process uses {}: each node needs a directory of its own", path.display())
            }
            Self::Damaged { path, offset, what } => write!(
                f,
                "{} is damaged at byte {offset}: {what}. What the node acknowledged may be lost: restore the \
                 directory from a copy, or remove it if the other nodes have everything",
                path.display()
            ),
            Self::Gap { directory, next } => {
                write!(f, "the log in {} has no batch {next}: a file is missing", directory.display())
            }
            Self::TooLarge(length) => write!(f, "a wake-up stores {length} bytes, more than {MAX_BATCH}"),
        }
    }
}

impl std::error::Error for StorageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        if let Self::Io { error, .. } = self { Some(error) } else { None }
    }
}
