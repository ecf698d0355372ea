//! Writes long histories as Zstandard, in time proportional to their operations instead of their text.
//!
//! A read of a growing set repeats an earlier read, whose place in the text is known, so that it is written as a copy
//! of the earlier one and the new elements. A general compressor would search gigabytes of text for it. Any `zstd`
//! decompresses the file; the format is RFC 8878, of which this uses raw blocks and blocks of a single copy.

use std::io::{self, Write};

use super::{Format, History};
use crate::workbench::edn::{Ints, Value};

/// The maximum distance of a copy, which is the memory that a decompressor needs. By default `zstd` accepts up to
/// 128 MiB, and [`ruzstd`] up to 100 MB.
const WINDOW: u64 = 1 << WINDOW_LOG;
const WINDOW_LOG: u8 = 26;

/// The maximum number of bytes of text in a block.
const BLOCK: u64 = 128 << 10;

/// The minimum length of a copy: a shorter one has another encoding, and saves little.
const SHORTEST_COPY: u64 = 256;

/// The maximum number of lists that are cached: one for each replica of a large cluster.
const MAX_LISTS: usize = 128;

impl History {
    /// Writes what [`History::write`] does, compressed.
    pub(crate) fn write_compressed(&self, format: Format, to: impl Write) -> io::Result<()> {
        let mut frame = Frame::begin(to)?;
        let mut lists = WrittenLists::default();
        let (mut before, mut after) = (String::new(), String::new());
        for op in self.ops() {
            before.clear();
            after.clear();
            op.write_around_value(format, &mut before, &mut after);
            if let Value::Ints(list) = &op.value {
                frame.text(&before)?;
                lists.write(list, &mut frame)?;
            } else {
                op.value.write(&mut before);
                frame.text(&before)?;
            }
            frame.text(&after)?;
        }
        frame.end()
    }
}

/// A cache of lists that were written, the latest first: each with the offset and the length of its elements' text.
#[derive(Default)]
struct WrittenLists(Vec<(Ints, u64, u64)>);

impl WrittenLists {
    fn write(&mut self, list: &Ints, frame: &mut Frame<impl Write>) -> io::Result<()> {
        frame.text("[")?;
        let at = frame.length;
        let usable = |length: u64, from: u64| length >= SHORTEST_COPY && at - from <= WINDOW;
        let before = self.0.iter().enumerate();
        let before = before.filter(|(_, (known, from, length))| usable(*length, *from) && list.starts_with(known));
        let before = before.max_by_key(|(place, (known, ..))| (known.len(), usize::MAX - place));
        let mut written = 0;
        if let Some(place) = before.map(|(place, _)| place) {
            let (known, from, length) = self.0.remove(place);
            frame.copy(at - from, length)?;
            written = known.len();
        }
        let mut text = String::new();
        for (place, element) in (written..).zip(list.iter_from(written)) {
            if place > 0 {
                text.push(' ');
            }
            Value::Int(element).write(&mut text);
        }
        frame.text(&text)?;
        self.0.truncate(MAX_LISTS - 1);
        self.0.insert(0, (list.clone(), at, frame.length - at));
        frame.text("]")
    }
}

/// Writes a Zstandard frame.
struct Frame<W: Write> {
    to: W,
    /// Text that is not written yet.
    pending: Vec<u8>,
    /// The length of the text so far.
    length: u64,
}

impl<W: Write> Frame<W> {
    fn begin(mut to: W) -> io::Result<Self> {
        const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
        // No content size, checksum or dictionary; the window size is a power of two.
        to.write_all(&MAGIC)?;
        to.write_all(&[0, (WINDOW_LOG - 10) << 3])?;
        Ok(Self { to, pending: Vec::new(), length: 0 })
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        for piece in text.as_bytes().chunks(1 << 16) {
            self.pending.extend_from_slice(piece);
            if self.pending.len() >= 1 << 16 {
                self.flush()?;
            }
        }
        self.length += text.len() as u64;
        Ok(())
    }

    /// The header of a block: whether it is the last, its type, and its size.
    fn head(&mut self, is_last: bool, kind: u32, size: usize) -> io::Result<()> {
        let size = u32::try_from(size).map_err(io::Error::other)?;
        self.to.write_all(&(u32::from(is_last) | kind << 1 | size << 3).to_le_bytes()[..3])
    }

    /// Writes what is pending as a raw block.
    fn flush(&mut self) -> io::Result<()> {
        if !self.pending.is_empty() {
            self.head(false, 0, self.pending.len())?;
            self.to.write_all(&self.pending)?;
            self.pending.clear();
        }
        Ok(())
    }

    /// Repeats `length` bytes of the text from `distance` before its end.
    fn copy(&mut self, distance: u64, length: u64) -> io::Result<()> {
        self.flush()?;
        self.length += length;
        let mut left = length;
        while left > 0 {
            // The rest must not be too short for a copy.
            let piece = if left > BLOCK && left < BLOCK + SHORTEST_COPY { BLOCK / 2 } else { left.min(BLOCK) };
            self.copy_piece(distance, piece)?;
            left -= piece;
        }
        Ok(())
    }

    /// A block with no literals and one sequence. Its three codes are in RLE mode and so take no bits; only their extra
    /// bits follow.
    fn copy_piece(&mut self, distance: u64, length: u64) -> io::Result<()> {
        // Offset values 1 to 3 stand for repeated offsets, so that others are shifted by 3; the minimum match is 3.
        let (offset, matched) = (distance + 3, length - 3);
        let (offset_bits, match_bits) = (offset.ilog2(), matched.ilog2());
        // Match length code 43 has seven extra bits, each further code one more.
        let [offset_code, match_code] = [offset_bits, match_bits + 43 - 7].map(|code| code.to_le_bytes()[0]);
        let extra = (matched - (1 << match_bits)) | ((offset - (1 << offset_bits)) << match_bits);
        let bits = match_bits + offset_bits;
        let stream = (extra | 1 << bits).to_le_bytes();
        let stream = &stream[..=bits as usize / 8];
        let (no_literals, one_sequence, one_code_each) = (0, 1, 0b0101_0100);
        let block = [no_literals, one_sequence, one_code_each, 0, offset_code, match_code];
        self.head(false, 2, block.len() + stream.len())?;
        self.to.write_all(&block)?;
        self.to.write_all(stream)
    }

    fn end(mut self) -> io::Result<()> {
        self.flush()?;
        self.head(true, 0, 0)?;
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read};

    use super::*;
    use crate::workbench::history::{Op, OpKind, Process};

    fn read(value: Ints) -> Op {
        let value = Value::Ints(value);
        let (process, f) = (Process::Client(0), "read".into());
        Op { index: 0, time: 0, kind: OpKind::Ok, process, f, value, error: None, extra: vec![] }
    }

    fn unpacked(bytes: &[u8]) -> String {
        let mut text = String::new();
        let mut decoder = ruzstd::decoding::StreamingDecoder::new(bytes).expect("a frame");
        decoder.read_to_string(&mut text).expect("blocks");
        text
    }

    #[test]
    fn what_is_packed_is_what_would_be_written_plain() {
        let mut history = History::default();
        let mut lists = [Ints::default(), Ints::default(), (5..30_000).collect()];
        for n in 0..3000 {
            let list = &mut lists[usize::from(n % 3 == 0)];
            *list = list.with(list.len(), &[n * n, -n, n]);
            history.push(read(list.clone()));
            if n % 700 == 0 {
                let grown = lists[2].with(lists[2].len() - 2, &[n]);
                history.push(read(grown));
                history.push(read(lists[2].clone()));
            }
        }
        let written = |format| {
            let (mut plain, mut packed) = (Vec::new(), Vec::new());
            history.write(format, &mut plain).expect("memory");
            history.write_compressed(format, &mut packed).expect("memory");
            assert!(unpacked(&packed).as_bytes() == plain);
            (plain, packed)
        };
        written(Format::Txt);
        let (plain, packed) = written(Format::Edn);
        assert!(packed.len() < plain.len() / 20, "{} of {}", packed.len(), plain.len());
        let again = History::read_compressed(BufReader::new(&*packed)).expect("a history");
        let once: History = std::str::from_utf8(&plain).expect("text").parse().expect("a history");
        assert!(again.ops() == once.ops());
    }

    #[test]
    fn copies_of_every_length_are_unpacked() {
        let start: String =
            (0_u64..60_000).map(|n| char::from(b'a' + u8::try_from(n * n % 23).expect("small"))).collect();
        for length in (SHORTEST_COPY..2000).step_by(7).chain([65_000, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5]) {
            let mut packed = Vec::new();
            let mut frame = Frame::begin(&mut packed).expect("memory");
            frame.text(&start).expect("memory");
            frame.copy(40_000, length).expect("memory");
            frame.text("end").expect("memory");
            frame.end().expect("memory");
            let mut expected = start.clone().into_bytes();
            for _ in 0..length {
                expected.push(expected[expected.len() - 40_000]);
            }
            expected.extend(b"end");
            assert!(unpacked(&packed).as_bytes() == expected, "{length}");
        }
    }
}
