//! The log in memory, as a simulated disk: the same bytes as in files, of which a kill may leave a part.

use super::format::{self, LOG_START};
use super::{Batch, Stored};

/// The salt of all logs in memory.
const SALT: u64 = 0x5eed;

/// The disk of a node.
#[derive(Debug, Clone)]
pub(crate) struct MemoryLog {
    snapshot: Option<Vec<u8>>,
    /// The batches since the snapshot.
    log: Vec<u8>,
    /// The number of the first batch in the log, and of the next one.
    batches: (u64, u64),
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self { snapshot: None, log: format::log_header(SALT).to_vec(), batches: (1, 1) }
    }
}

impl MemoryLog {
    /// Stores a batch and empties it.
    pub(crate) fn commit(&mut self, batch: &mut Batch) {
        if let Some(snapshot) = batch.snapshot.take() {
            self.snapshot = Some(snapshot);
            self.log.truncate(LOG_START);
            self.batches.0 = self.batches.1;
        }
        if !batch.records.0.is_empty() {
            self.log.extend(format::header(SALT, self.batches.1, &batch.records.0));
            self.log.append(&mut batch.records.0);
            self.batches.1 += 1;
        }
    }

    /// Begins to store a batch, of which `share`, below 1, gets to the disk before the process is killed.
    pub(crate) fn tear(&mut self, batch: &Batch, share: f64) {
        // A snapshot gets its name, and with it any effect, only when it is whole.
        if batch.snapshot.is_some() || batch.records.0.is_empty() {
            return;
        }
        let header = format::header(SALT, self.batches.1, &batch.records.0);
        let bytes = [&header, batch.records.0.as_slice()].concat();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a part"
        )]
        let written = (bytes.len() as f64 * share) as usize;
        self.log.extend(&bytes[..written.min(bytes.len() - 1)]);
    }

    /// What a process finds at its start; a torn end is removed.
    pub(crate) fn stored(&mut self) -> Stored {
        let contents = format::read(&self.log, SALT, self.batches.0).expect("a kill damages nothing that was stored");
        let mut stored = Stored { snapshot: self.snapshot.clone(), records: Vec::new() };
        for range in contents.records {
            stored.records.extend_from_slice(&self.log[range]);
        }
        self.log.truncate(contents.length);
        self.batches.1 = contents.next;
        stored
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_kill_loses_the_batch_that_is_being_stored_and_nothing_else(
            numbers in proptest::collection::vec(any::<u8>(), 0..20),
            snapshot_at: prop::sample::Index,
            share in 0.0..1.0,
        ) {
            let mut disk = MemoryLog::default();
            for (index, number) in numbers.iter().enumerate() {
                let mut batch = Batch::default();
                if index == snapshot_at.index(numbers.len()) {
                    batch.replace(numbers[..index].to_vec());
                }
                batch.push(&[*number]);
                disk.commit(&mut batch);
            }
            let mut torn = Batch::default();
            torn.push(b"torn");
            disk.tear(&torn, share);
            for _ in 0..2 {
                let stored = disk.stored();
                let mut found = stored.snapshot.clone().unwrap_or_default();
                found.extend(stored.records().flatten());
                prop_assert_eq!(&found, &numbers);
            }
        }
    }
}
