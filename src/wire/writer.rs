//! Writing of lines: the envelope is written by hand, and fields are serialized directly into it.
//!
//! A [`Line`] completes itself when it is dropped, so that an incomplete line can never reach stdout.

use std::io::Write as _;

use memchr::memmem;
use serde::Serialize;

use super::ErrorCode;
use super::bound::MAX_LINE;
use super::json::Json;
use super::quote::{ErrorText, Quote};

/// A value that can be written as JSON: any `Serialize` type, [`Json`] or [`Raw`].
pub trait Encode {
    /// Appends the value as JSON.
    ///
    /// # Errors
    /// JSON cannot represent the value, for instance a map whose keys are neither strings nor numbers.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Unwritable>;
}

/// JSON cannot represent a value; with the reason.
#[derive(Debug)]
pub struct Unwritable(String);

impl std::fmt::Display for Unwritable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unwritable {}

impl<T: Serialize + ?Sized> Encode for T {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Unwritable> {
        serde_json::to_writer(out, self).map_err(|why| Unwritable(ErrorText(&why.to_string()).to_string()))
    }
}

impl Encode for Json<'_> {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Unwritable> {
        self.write(out);
        Ok(())
    }
}

/// The text of one JSON value without newlines, copied unchanged.
#[derive(Debug, Clone, Copy)]
pub struct Raw<'a>(pub &'a [u8]);

impl Encode for Raw<'_> {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Unwritable> {
        debug_assert!(!self.0.contains(&b'\n'), "a raw value must stay on its line");
        out.extend_from_slice(self.0);
        Ok(())
    }
}

/// A message being written: add the fields of its body, then drop it.
///
/// If a field cannot be written, the message is not sent and the error is logged. A message longer than [`MAX_LINE`] is
/// not sent either; if it is a reply, an [indefinite error](ErrorCode::CRASH) is sent in its place.
#[must_use = "fields are added to it; `end` ends it"]
#[derive(Debug)]
pub struct Line<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    keep: bool,
}

impl<'o> Line<'o> {
    /// Begins `{"src":…,"dest":…,"body":{"type":kind`; `source` is all of it before the addressee's id.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "kinds and keys are constants where it is called")]
    pub(crate) fn begin(out: &'o mut Vec<u8>, source: &[u8], dest: &[u8], kind: &str) -> Self {
        let start = out.len();
        out.extend_from_slice(source);
        out.extend_from_slice(dest);
        out.extend_from_slice(b"\",\"body\":{\"type\":\"");
        write_text(out, kind);
        out.push(b'"');
        Self { out, start, keep: true }
    }

    /// Adds a field. Keys must be distinct; `type`, `msg_id` and `in_reply_to` are reserved.
    #[expect(clippy::needless_pass_by_value, reason = "values are written in place, `field(\"count\", 1)`")]
    pub fn field(self, key: &str, value: impl Encode) -> Self {
        let mut line = self;
        line.out.extend_from_slice(b",\"");
        line.out.extend_from_slice(key.as_bytes());
        line.out.extend_from_slice(b"\":");
        if let Err(why) = value.encode(line.out) {
            log::error!("a message was not sent: its field {key:?}: {why}");
            line.keep = false;
        }
        line
    }

    /// Adds a field whose value `write` appends: exactly one JSON value, without a newline.
    pub fn field_with(self, key: &str, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        write(self.out);
        self
    }

    /// Adds an integer field; `key` includes its punctuation: `,"msg_id":`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as `begin`")]
    pub(crate) fn integer(self, key: &[u8], number: i64) -> Self {
        self.out.extend_from_slice(key);
        write_signed(self.out, number);
        self
    }

    /// Completes the line, as dropping it does.
    #[inline]
    pub fn end(self) {}

    /// Cancels the message.
    pub fn discard(mut self) {
        self.keep = false;
    }

    /// The offset of the next byte in the buffer that holds the line.
    pub(crate) fn end_so_far(&self) -> usize {
        self.out.len()
    }

    /// Removes a line that exceeds [`MAX_LINE`], and replaces a reply by an error.
    #[cold]
    fn replace(&mut self) {
        const KIND: &[u8] = b"\"body\":{\"type\":\"";
        const IN_REPLY_TO: &[u8] = b"\",\"in_reply_to\":";
        let line = &self.out[self.start..];
        let bytes = line.len() - 1;
        log::error!("a message of {bytes} bytes was not sent, a line may have {MAX_LINE}: {}", Quote::of(line));
        // Ids are escaped, so the first match is that of the body.
        let after = |start: usize, what: &[u8]| memmem::find(&line[start..], what).map(|at| start + at + what.len());
        let kind = after(0, KIND).unwrap_or_default();
        let in_reply_to =
            memchr::memchr(b'"', &line[kind..]).map(|at| kind + at).filter(|at| line[*at..].starts_with(IN_REPLY_TO));
        let error = in_reply_to.map(|at| {
            let number =
                line[at + IN_REPLY_TO.len()..].iter().take_while(|byte| **byte == b'-' || byte.is_ascii_digit());
            let number: String = number.map(|byte| char::from(*byte)).collect();
            let text = format!("the reply would have {bytes} bytes, a line may have {MAX_LINE}");
            let code = ErrorCode::CRASH.0;
            format!("error\",\"in_reply_to\":{number},\"code\":{code},\"text\":\"{text}\"}}}}\n")
        });
        let kept = if error.is_some() { kind } else { 0 };
        self.out.truncate(self.start + kept);
        self.out.extend_from_slice(error.unwrap_or_default().as_bytes());
    }

    pub(crate) fn discard_if(mut self, discard: bool) -> Self {
        self.keep &= !discard;
        self
    }
}

impl Drop for Line<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.keep {
            self.out.extend_from_slice(b"}}\n");
            if self.out.len() - self.start > MAX_LINE + 1 {
                self.replace();
            }
        } else {
            self.out.truncate(self.start);
        }
    }
}

/// Appends the decimal digits of `number`.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it is a fourth of what an integer in a gossip message costs")]
pub(crate) fn write_int(out: &mut Vec<u8>, number: u64) {
    match u32::try_from(number) {
        Ok(number) if number < 100_000_000 => {
            let (digits, len) = eight_digits(number);
            let end = out.len() + len;
            // Always eight bytes, so that it is a single store.
            out.extend_from_slice(&digits);
            out.truncate(end);
        }
        Ok(_) | Err(_) => write_long(out, number),
    }
}

/// Appends `number` with its sign.
#[inline]
pub(crate) fn write_signed(out: &mut Vec<u8>, number: i64) {
    if number < 0 {
        out.push(b'-');
    }
    write_int(out, number.unsigned_abs());
}

fn write_long(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// The digits of a number below 10^8 and their count: groups of four, pairs and digits are split in parallel within one
/// word (Khuong 2017).
#[inline]
const fn eight_digits(number: u32) -> ([u8; 8], usize) {
    const PAIRS: u64 = 0x0000_007f_0000_007f;
    const DIGITS: u64 = 0x000f_000f_000f_000f;
    const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);
    let fours = (number / 10_000) as u64 | ((number % 10_000) as u64) << 32;
    let upper = (fours * 10_486) >> 20 & PAIRS;
    let pairs = (fours << 16) - upper * ((100 << 16) - 1);
    let tens = (pairs * 103) >> 10 & DIGITS;
    let digits = (pairs << 8) - tens * ((10 << 8) - 1);
    // The last digit counts even if it is zero.
    let leading = (digits | 1 << 56).trailing_zeros() / 8;
    (((digits + ZEROS) >> (8 * leading)).to_le_bytes(), 8 - leading as usize)
}

/// Appends the shortest decimal that parses as `number`; infinities and NaN, which JSON lacks, become `null`.
pub(crate) fn write_f64(out: &mut Vec<u8>, number: f64) {
    if number.is_finite() {
        write!(out, "{number:?}").expect("writing to a Vec cannot fail");
    } else {
        out.extend_from_slice(b"null");
    }
}

/// For each byte: 0 if it stands for itself in a JSON string, else the letter after the backslash (`u` for a
/// numeric escape).
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = b'u';
        control += 1;
    }
    table[0x08] = b'b';
    table[b'\t' as usize] = b't';
    table[b'\n' as usize] = b'n';
    table[0x0c] = b'f';
    table[b'\r' as usize] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// Appends `text` as a JSON string.
pub(crate) fn write_str(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    write_text(out, text);
    out.push(b'"');
}

/// Appends `text` as the content of a JSON string.
#[inline]
fn write_text(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    match first_escaped(bytes) {
        None => out.extend_from_slice(bytes),
        Some(at) => write_escaped(out, bytes, at),
    }
}

/// Appends `rest`, whose first byte to escape is at `at`.
#[cold]
fn write_escaped(out: &mut Vec<u8>, mut rest: &[u8], mut at: usize) {
    loop {
        let escape = ESCAPES[usize::from(rest[at])];
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(&[b'\\', escape]);
        if escape == b'u' {
            write!(out, "{:04x}", rest[at]).expect("writing to a Vec cannot fail");
        }
        rest = &rest[at + 1..];
        let Some(next) = first_escaped(rest) else { break };
        at = next;
    }
    out.extend_from_slice(rest);
}

/// The index of the first byte that must be escaped.
fn first_escaped(bytes: &[u8]) -> Option<usize> {
    let (words, _) = bytes.as_chunks();
    let plain = 8 * words.iter().position(|word| !is_plain(*word)).unwrap_or(words.len());
    bytes[plain..].iter().position(|byte| ESCAPES[usize::from(*byte)] != 0).map(|at| plain + at)
}

/// Whether none of the eight bytes must be escaped. Subtracting a limit from all bytes at once sets the high bit of
/// those below it (Mycroft 1987).
const fn is_plain(word: [u8; 8]) -> bool {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    const fn has_below(word: u64, limit: u8) -> u64 {
        word.wrapping_sub(ONES * limit as u64) & !word
    }
    let word = u64::from_le_bytes(word);
    let quotes = word ^ (ONES * b'"' as u64);
    let backslashes = word ^ (ONES * b'\\' as u64);
    (has_below(word, b' ') | has_below(quotes, 1) | has_below(backslashes, 1)) & HIGH == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &impl Encode) -> String {
        let mut out = Vec::new();
        value.encode(&mut out).expect("this value has a JSON form");
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn integers_are_written_whole() {
        assert_eq!(text(&[0, 9, 10, u64::MAX]), format!("[0,9,10,{}]", u64::MAX));
        assert_eq!(text(&i64::MIN), i64::MIN.to_string());
    }

    #[test]
    fn integers_of_every_length_are_written_digit_by_digit() {
        let around = |power: u64| power.saturating_sub(200)..power + 200;
        let powers = (0..10).map(|exponent| 10_u64.pow(exponent)).flat_map(around);
        for number in (0..20_000).map(|number| number * 5_003).chain(0..10_000).chain(powers) {
            assert_eq!(text(&number), number.to_string());
        }
    }

    #[test]
    fn strings_are_escaped() {
        assert_eq!(text(&"a\"b\\c\nd\u{1}é"), r#""a\"b\\c\nd\u0001é""#);
    }

    #[test]
    fn exactly_the_required_bytes_are_escaped_at_every_position() {
        for byte in 0..0x80 {
            for at in 0..24 {
                let mut plain = "é~ !#[]/aé~ !#[]/aé~ !#[]".to_owned();
                while !plain.is_char_boundary(at) {
                    plain.insert(0, 'x');
                }
                plain.insert(at, char::from(byte));
                let theirs = serde_json::to_string(&plain).expect("a string has a JSON form");
                assert_eq!(text(&plain), theirs, "byte {byte} at {at}");
            }
        }
    }

    #[test]
    fn numbers_that_json_lacks_become_null() {
        assert_eq!(text(&[1.5, f64::NAN, f64::INFINITY]), "[1.5,null,null]");
    }

    #[test]
    fn a_line_that_cannot_be_written_leaves_nothing_behind() {
        let mut out = b"kept\n".to_vec();
        let bad = std::collections::BTreeMap::from([((1, 2), 3)]);
        Line::begin(&mut out, b"{\"dest\":\"", b"n1", "gossip").field("bad", bad).end();
        assert_eq!(out, b"kept\n");
    }

    #[test]
    fn a_line_beyond_the_bound_is_not_written_and_a_reply_becomes_an_error() {
        let source = b"{\"src\":\"n0\",\"dest\":\"";
        let long = |line: Line<'_>, more: usize| {
            let fill = MAX_LINE + more - (line.out.len() - line.start) - r#","f":""}}"#.len();
            line.field("f", "x".repeat(fill)).end();
        };
        let mut out = b"kept\n".to_vec();
        long(Line::begin(&mut out, source, b"n1", "gossip"), 1);
        long(Line::begin(&mut out, source, b"n1", "read").integer(b",\"msg_id\":", 7), 1);
        assert_eq!(out, b"kept\n");
        long(Line::begin(&mut out, source, b"c1", "read_ok").integer(b",\"in_reply_to\":", -7), 1);
        let written = String::from_utf8(out).expect("JSON is UTF-8");
        let text = format!("the reply would have {} bytes, a line may have {MAX_LINE}", MAX_LINE + 1);
        let body = format!(r#"{{"type":"error","in_reply_to":-7,"code":13,"text":"{text}"}}"#);
        assert_eq!(written, format!("kept\n{{\"src\":\"n0\",\"dest\":\"c1\",\"body\":{body}}}\n"));
        let mut out = Vec::new();
        long(Line::begin(&mut out, source, b"c1", "read_ok").integer(b",\"in_reply_to\":", 7), 0);
        assert_eq!(out.len(), MAX_LINE + 1, "the longest line and its newline");
    }

    #[test]
    fn a_line_ends_itself() {
        let mut out = Vec::new();
        Line::begin(&mut out, b"{\"dest\":\"", b"n1", "read_ok").field("value", 1).end();
        assert_eq!(out, b"{\"dest\":\"n1\",\"body\":{\"type\":\"read_ok\",\"value\":1}}\n");
    }
}
