//! The files of a log.

use std::collections::hash_map::RandomState;
use std::fs::{self, File, OpenOptions};
use std::hash::BuildHasher as _;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::format::{self, End, LOG_START, MAX_BATCH, SNAPSHOT_HEADER};
use super::{Batch, StorageError, Stored};

/// A segment of the log that is longer than this is followed by another one, in bytes.
pub const SEGMENT: u64 = 64 << 20;

/// A segment grows in steps of as many bytes, ahead of what is written: a sync of data within a file costs two thirds
/// of one that has to store the file's new length as well.
const GROWTH: u64 = 1 << 20;

/// The length of a snapshot's header: that of the file, and a checksum.
const SNAPSHOT_START: usize = SNAPSHOT_HEADER.len() + 4;

/// A directory that a node's records are stored in.
#[derive(Debug)]
pub struct Storage {
    directory: PathBuf,
    /// The directory as a file, whose sync makes new names durable.
    names: File,
    /// Keeps other processes out until this one ends.
    _lock: File,
    segment: Segment,
    /// The number of the next batch.
    next: u64,
    /// The bytes of a batch, written at once.
    buffer: Vec<u8>,
}

/// The file that batches are appended to.
#[derive(Debug)]
struct Segment {
    file: File,
    path: PathBuf,
    salt: u64,
    /// The length of the batches.
    length: u64,
    /// The length of the file, with zeros after the batches.
    capacity: u64,
}

/// Names the action and the file in an error.
fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StorageError {
    let path = path.to_owned();
    move |error| StorageError::Io { action, path, error }
}

impl Storage {
    /// Opens a directory, which is created if it does not exist; returns what was stored in it.
    ///
    /// # Errors
    /// As the variants of [`StorageError`] say. A batch that was torn when the last process ended is no error: nothing
    /// had been sent that depends on it.
    pub fn open(directory: &Path) -> Result<(Self, Stored), StorageError> {
        fs::create_dir_all(directory).map_err(io_error("create", directory))?;
        let lock_path = directory.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(io_error("open", &lock_path))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(StorageError::Locked(directory.to_owned())),
            Err(error) => return Err(io_error("lock", &lock_path)(error.into())),
        }
        let names = File::open(directory).map_err(io_error("open", directory))?;
        let files = Files::list(directory)?;
        let mut stored = Stored::default();
        let newest = files.snapshots.last().copied();
        if let Some(number) = newest {
            stored.snapshot = Some(read_snapshot(&file_name(directory, number, "snapshot"))?);
        }
        let first = newest.unwrap_or(1);
        let (mut next, mut last) = (first, None);
        // Segments before the snapshot are left from a process that ended before it could remove them.
        for number in files.segments.iter().filter(|number| **number >= first) {
            if *number != next {
                return Err(StorageError::Gap { directory: directory.to_owned(), next });
            }
            let path = file_name(directory, *number, "log");
            let is_last = files.segments.last() == Some(number);
            let end;
            (next, end) = read_segment(&path, *number, is_last, &mut stored)?;
            last = end.map(|(salt, length)| (path, salt, length));
        }
        let segment = match last {
            Some((path, salt, length)) => Segment::reopen(path, salt, length)?,
            None => Segment::create(directory, next)?,
        };
        names.sync_all().map_err(io_error("sync", directory))?;
        let directory = directory.to_owned();
        let mut storage = Self { directory, names, _lock: lock, segment, next, buffer: Vec::new() };
        storage.remove_before(first)?;
        Ok((storage, stored))
    }

    /// Stores a batch and empties it. On return it survives the end of the process and of the machine.
    ///
    /// # Errors
    /// A file cannot be written or synced. Then nobody knows what is on the disk: the process must end, without having
    /// sent anything that depends on the batch.
    pub fn commit(&mut self, batch: &mut Batch) -> Result<(), StorageError> {
        if let Some(snapshot) = &batch.snapshot {
            self.store_snapshot(snapshot)?;
        }
        let records = &batch.records.0;
        if !records.is_empty() {
            if records.len() > MAX_BATCH {
                return Err(StorageError::TooLarge(records.len()));
            }
            if self.segment.length > SEGMENT {
                self.begin_segment()?;
            }
            self.buffer.clear();
            self.buffer.extend_from_slice(&format::header(self.segment.salt, self.next, records));
            self.buffer.extend_from_slice(records);
            self.segment.append(&self.buffer)?;
            self.next += 1;
        }
        batch.clear();
        Ok(())
    }

    fn begin_segment(&mut self) -> Result<(), StorageError> {
        self.segment = Segment::create(&self.directory, self.next)?;
        self.names.sync_all().map_err(io_error("sync", &self.directory))
    }

    /// Stores a snapshot of everything so far, and removes what it replaces.
    fn store_snapshot(&mut self, snapshot: &[u8]) -> Result<(), StorageError> {
        self.begin_segment()?;
        let path = file_name(&self.directory, self.next, "snapshot");
        let unfinished = path.with_extension("unfinished");
        let mut file = File::create(&unfinished).map_err(io_error("create", &unfinished))?;
        let checksum = crc32fast::hash(snapshot).to_le_bytes();
        let parts: [&[u8]; 3] = [&SNAPSHOT_HEADER, &checksum, snapshot];
        parts.iter().try_for_each(|part| file.write_all(part)).map_err(io_error("write to", &unfinished))?;
        // Only a whole snapshot may get its name.
        file.sync_all().map_err(io_error("sync", &unfinished))?;
        fs::rename(&unfinished, &path).map_err(io_error("rename", &unfinished))?;
        self.names.sync_all().map_err(io_error("sync", &self.directory))?;
        self.remove_before(self.next)
    }

    /// Removes the files that a snapshot with this number replaces, and snapshots that were never finished.
    fn remove_before(&mut self, number: u64) -> Result<(), StorageError> {
        let files = Files::list(&self.directory)?;
        let older = |numbers: &[u64], kind| {
            let older = numbers.iter().filter(move |other| **other < number);
            older.map(|other| file_name(&self.directory, *other, kind)).collect::<Vec<_>>()
        };
        let removed = [older(&files.segments, "log"), older(&files.snapshots, "snapshot"), files.unfinished].concat();
        removed.iter().try_for_each(|path| fs::remove_file(path).map_err(io_error("remove", path)))
    }
}

/// The files of a directory, each list in order.
#[derive(Debug, Default)]
struct Files {
    segments: Vec<u64>,
    snapshots: Vec<u64>,
    /// Snapshots that were not finished.
    unfinished: Vec<PathBuf>,
}

impl Files {
    fn list(directory: &Path) -> Result<Self, StorageError> {
        let mut files = Self::default();
        for entry in fs::read_dir(directory).map_err(io_error("read", directory))? {
            let path = entry.map_err(io_error("read", directory))?.path();
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
            match (number, path.extension().and_then(|extension| extension.to_str())) {
                (Some(number), Some("log")) => files.segments.push(number),
                (Some(number), Some("snapshot")) => files.snapshots.push(number),
                (Some(_), Some("unfinished")) => files.unfinished.push(path),
                _ => {}
            }
        }
        files.segments.sort_unstable();
        files.snapshots.sort_unstable();
        Ok(files)
    }
}

fn file_name(directory: &Path, number: u64, kind: &str) -> PathBuf {
    directory.join(format!("{number:020}.{kind}"))
}

impl Segment {
    /// Creates a segment, whose name is not durable yet.
    fn create(directory: &Path, number: u64) -> Result<Self, StorageError> {
        let path = file_name(directory, number, "log");
        let salt = RandomState::new().hash_one(number);
        let mut file = File::create(&path).map_err(io_error("create", &path))?;
        file.write_all(&format::log_header(salt)).map_err(io_error("write to", &path))?;
        file.sync_all().map_err(io_error("sync", &path))?;
        Ok(Self { file, path, salt, length: LOG_START as u64, capacity: LOG_START as u64 })
    }

    /// Opens the last segment to append to it, after removing a torn end.
    fn reopen(path: PathBuf, salt: u64, length: u64) -> Result<Self, StorageError> {
        let file = OpenOptions::new().write(true).open(&path).map_err(io_error("open", &path))?;
        file.set_len(length).map_err(io_error("shorten", &path))?;
        file.sync_all().map_err(io_error("sync", &path))?;
        Ok(Self { file, path, salt, length, capacity: length })
    }

    /// Appends bytes; on return they are durable.
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let end = self.length + bytes.len() as u64;
        if end > self.capacity {
            let capacity = end + GROWTH;
            self.file.set_len(capacity).map_err(io_error("extend", &self.path))?;
            self.capacity = capacity;
        }
        self.file.write_all_at(bytes, self.length).map_err(io_error("write to", &self.path))?;
        self.file.sync_data().map_err(io_error("sync", &self.path))?;
        self.length = end;
        Ok(())
    }
}

/// Appends the records of a segment that begins with batch `next` to `stored`; returns the number of the batch after
/// it, and the salt and the length of the valid part; none if the process ended while it created the segment.
fn read_segment(
    path: &Path,
    next: u64,
    is_last: bool,
    stored: &mut Stored,
) -> Result<(u64, Option<(u64, u64)>), StorageError> {
    let bytes = fs::read(path).map_err(io_error("read", path))?;
    let damaged = |offset, what| StorageError::Damaged { path: path.to_owned(), offset, what };
    let Some(salt) = format::salt(&bytes) else {
        let is_torn = is_last && bytes.len() < LOG_START;
        return if is_torn { Ok((next, None)) } else { Err(damaged(0, "it does not begin as a log of this version")) };
    };
    let contents = format::read(&bytes, salt, next)
        .map_err(|offset| damaged(offset, "a batch is not as it was written, and others follow"))?;
    if !is_last && contents.end == End::Torn {
        return Err(damaged(contents.length, "a batch is not as it was written, and other files follow"));
    }
    for range in &contents.records {
        stored.records.extend_from_slice(&bytes[range.clone()]);
    }
    Ok((contents.next, Some((salt, contents.length as u64))))
}

fn read_snapshot(path: &Path) -> Result<Vec<u8>, StorageError> {
    let mut bytes = fs::read(path).map_err(io_error("read", path))?;
    let damaged = |offset, what| Err(StorageError::Damaged { path: path.to_owned(), offset, what });
    if !bytes.starts_with(&SNAPSHOT_HEADER) || bytes.len() < SNAPSHOT_START {
        return damaged(0, "it does not begin as a snapshot of this version");
    }
    let checksum = crc32fast::hash(&bytes[SNAPSHOT_START..]).to_le_bytes();
    if bytes[SNAPSHOT_HEADER.len()..SNAPSHOT_START] != checksum {
        return damaged(SNAPSHOT_START, "its checksum is another one");
    }
    bytes.drain(..SNAPSHOT_START);
    Ok(bytes)
}

#[cfg(test)]
mod tests;
