//! The bytes of a log: batches, each with a checksum of its own, so that it is there as a whole or not at all.
//!
//! A batch is a header, which is its mark, the length of its records, its sequence number and a checksum, and then its
//! records, each with its length before it. Numbers are little-endian. The checksum covers the file's salt as well, a
//! random number at its beginning: so no record can contain what looks like a batch of that file.

use std::ops::Range;

use memchr::memmem;

/// How every file begins: its kind and the version of the format.
pub(super) const LOG_HEADER: [u8; 8] = *b"GGlog\0\0\x01";
pub(super) const SNAPSHOT_HEADER: [u8; 8] = *b"GGsnap\0\x01";

/// The length of a log's header: [`LOG_HEADER`] and its salt.
pub(super) const LOG_START: usize = LOG_HEADER.len() + 8;

/// How every batch begins.
const MARK: [u8; 4] = [0xd7, b'G', b'G', 0xb5];

/// The length of a batch's header.
const HEADER: usize = 20;

/// Maximum length of a batch's records in bytes.
pub const MAX_BATCH: usize = 1 << 30;

/// The records of a batch, encoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Records(pub(super) Vec<u8>);

impl Records {
    /// Appends a record.
    pub(super) fn push(&mut self, record: &[u8]) {
        let length = u32::try_from(record.len()).expect("a record is shorter than MAX_BATCH");
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(record);
    }
}

/// The records in encoded bytes, in order.
pub(super) fn records(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk()?;
        let (record, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        bytes = rest;
        Some(record)
    })
}

/// The header of a batch with these records, in a file with this salt.
pub(super) fn header(salt: u64, sequence: u64, records: &[u8]) -> [u8; HEADER] {
    let length = u32::try_from(records.len()).expect("MAX_BATCH fits");
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(&MARK);
    header[4..8].copy_from_slice(&length.to_le_bytes());
    header[8..16].copy_from_slice(&sequence.to_le_bytes());
    let checksum = checksum(salt, &header[4..16], records);
    header[16..].copy_from_slice(&checksum.to_le_bytes());
    header
}

fn checksum(salt: u64, header: &[u8], records: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(header);
    hasher.update(records);
    hasher.finalize()
}

/// A batch that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    sequence: u64,
    /// Where its records are.
    records: Range<usize>,
}

/// The batch at an offset, if its checksum is right.
fn batch_at(bytes: &[u8], salt: u64, offset: usize) -> Option<Found> {
    let header = bytes.get(offset..offset.checked_add(HEADER)?)?;
    let number = |range: Range<usize>| u32::from_le_bytes(header[range].try_into().expect("four bytes"));
    let start = offset + HEADER;
    let records = start..start.checked_add(number(4..8) as usize)?;
    let is_right = header[..4] == MARK && checksum(salt, &header[4..16], bytes.get(records.clone())?) == number(16..20);
    let sequence = u64::from_le_bytes(header[8..16].try_into().expect("eight bytes"));
    is_right.then_some(Found { sequence, records })
}

/// How a log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing but zeros follows the last batch: room for more.
    Whole,
    /// The last batch was being written when the process or the machine ended; nothing depended on it yet.
    Torn,
}

/// What is in a log.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contents {
    /// The encoded records of all batches, in order.
    pub(super) records: Vec<Range<usize>>,
    /// The sequence number of the next batch.
    pub(super) next: u64,
    /// The length of the valid part.
    pub(super) length: usize,
    pub(super) end: End,
}

/// The beginning of a log.
pub(super) fn log_header(salt: u64) -> [u8; LOG_START] {
    let mut header = [0; LOG_START];
    header[..LOG_HEADER.len()].copy_from_slice(&LOG_HEADER);
    header[LOG_HEADER.len()..].copy_from_slice(&salt.to_le_bytes());
    header
}

/// The salt of a log; `None` if it does not begin as one.
pub(super) fn salt(bytes: &[u8]) -> Option<u64> {
    let (salt, _) = bytes.strip_prefix(&LOG_HEADER)?.split_first_chunk()?;
    Some(u64::from_le_bytes(*salt))
}

/// Reads the batches of a log with this salt; the first must have the number `next`.
///
/// A batch is written only once the one before it is on the disk. So bytes that are no batch are a torn end if no batch
/// comes after them, and damage if one does.
///
/// # Errors
/// The offset of the damage.
pub(super) fn read(bytes: &[u8], salt: u64, mut next: u64) -> Result<Contents, usize> {
    let (mut records, mut offset) = (Vec::new(), LOG_START);
    while let Some(found) = batch_at(bytes, salt, offset).filter(|found| found.sequence == next) {
        offset = found.records.end;
        records.push(found.records);
        next += 1;
    }
    let rest = bytes.get(offset..).unwrap_or_default();
    let end = if rest.iter().all(|byte| *byte == 0) { End::Whole } else { End::Torn };
    let is_later = |found: Found| found.sequence >= next;
    // A batch of the wrong number at this very place is damage as well.
    let is_damaged = memmem::find_iter(rest, &MARK).any(|at| batch_at(bytes, salt, offset + at).is_some_and(is_later));
    if is_damaged { Err(offset) } else { Ok(Contents { records, next, length: offset, end }) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SALT: u64 = 0x0123_4567_89ab_cdef;

    /// A log of batches with these records, the first with the number 7.
    fn log(batches: &[Vec<Vec<u8>>]) -> Vec<u8> {
        let mut bytes = log_header(SALT).to_vec();
        for (sequence, batch) in (7..).zip(batches) {
            let mut encoded = Records::default();
            for record in batch {
                encoded.push(record);
            }
            bytes.extend(header(SALT, sequence, &encoded.0));
            bytes.extend(encoded.0);
        }
        bytes
    }

    fn all(bytes: &[u8], contents: &Contents) -> Vec<Vec<u8>> {
        contents.records.iter().flat_map(|range| records(&bytes[range.clone()])).map(<[u8]>::to_vec).collect()
    }

    /// At least so many batches.
    fn batches(least: usize) -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
        let record = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            // A record may look like a batch of another file.
            Just(header(0, 9, b"").to_vec()),
        ];
        proptest::collection::vec(proptest::collection::vec(record, 0..4), least..6)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(batches in batches(1)) {
            let bytes = log(&batches);
            let contents = read(&bytes, SALT, 7).expect("undamaged");
            prop_assert_eq!(all(&bytes, &contents), batches.concat());
            prop_assert_eq!((contents.next, contents.end), (7 + batches.len() as u64, End::Whole));
        }

        #[test]
        fn a_torn_end_loses_the_last_batch_and_nothing_else(batches in batches(1), cut: prop::sample::Index) {
            let (bytes, before) = (log(&batches), log(&batches[..batches.len() - 1]));
            let length = before.len() + cut.index(bytes.len() - before.len());
            let contents = read(&bytes[..length], SALT, 7).expect("torn");
            prop_assert_eq!(all(&bytes, &contents), batches[..batches.len() - 1].concat());
            prop_assert_eq!((contents.length, contents.end == End::Whole), (before.len(), length == before.len()));
            let with_room = [&bytes[..length], &[0; 200]].concat();
            let found = read(&with_room, SALT, 7).expect("torn");
            // Zeros that were cut off are there again: the room has them.
            let whole = bytes[length..].iter().all(|byte| *byte == 0);
            let expected = if whole { (bytes.len(), End::Whole) } else { (before.len(), contents.end) };
            prop_assert_eq!((found.length, found.end), expected);
        }

        #[test]
        fn a_damaged_byte_before_the_last_batch_is_found(
            batches in batches(2), at: prop::sample::Index, flip in 1..=255_u8,
        ) {
            let (mut bytes, before) = (log(&batches), log(&batches[..batches.len() - 1]));
            let damaged = LOG_START + at.index(before.len() - LOG_START);
            bytes[damaged] ^= flip;
            let offset = read(&bytes, SALT, 7).expect_err("damaged");
            prop_assert!(offset <= damaged);
        }

        #[test]
        fn a_damaged_last_batch_is_taken_for_torn(batches in batches(1), at: prop::sample::Index, flip in 1..=255_u8) {
            let (mut bytes, before) = (log(&batches), log(&batches[..batches.len() - 1]));
            let damaged = before.len() + at.index(bytes.len() - before.len());
            bytes[damaged] ^= flip;
            let contents = read(&bytes, SALT, 7).expect("nothing follows it");
            prop_assert_eq!((contents.length, contents.end), (before.len(), End::Torn));
        }
    }
}
