//! Lines out: an envelope written by hand, with the fields serialised straight inside it.
//!
//! A [`Line`] finishes itself when it is dropped, so that no torn line can ever reach stdout.

use std::io::Write as _;

use serde::Serialize;

use super::json::Json;
use super::serialize::Serializer;

/// A value of a body's field: every `Serialize` type, [`Json`], and [`Raw`].
pub trait Encode {
    /// Appends the value as JSON.
    ///
    /// # Errors
    /// JSON has no such value (a map whose keys are not strings or numbers).
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Unwritable>;
}

/// JSON has no such value; the text says what was wrong.
#[derive(Debug)]
pub struct Unwritable(pub(super) String);

impl std::fmt::Display for Unwritable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unwritable {}

impl<T: Serialize + ?Sized> Encode for T {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Unwritable> {
        self.serialize(Serializer { out })
    }
}

impl Encode for Json<'_> {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Unwritable> {
        self.write(out);
        Ok(())
    }
}

/// Bytes that already are one JSON value on one line, copied as they are.
#[derive(Debug, Clone, Copy)]
pub struct Raw<'a>(pub &'a [u8]);

impl Encode for Raw<'_> {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), Unwritable> {
        debug_assert!(!self.0.contains(&b'\n'), "a raw value must stay on its line");
        out.extend_from_slice(self.0);
        Ok(())
    }
}

/// A message being written: add the body's fields, then let it drop.
///
/// A field that cannot be written takes the whole line back, with a message on stderr; so does [`Line::discard`].
#[must_use = "fields are added to it; `end` ends it"]
#[derive(Debug)]
pub struct Line<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    keep: bool,
}

impl<'o> Line<'o> {
    /// Begins `{"src":…,"dest":…,"body":{"type":kind`; `route` is everything before the body.
    pub(crate) fn begin(out: &'o mut Vec<u8>, route: &[&[u8]], kind: &str) -> Self {
        let start = out.len();
        for part in route {
            out.extend_from_slice(part);
        }
        out.extend_from_slice(b"{\"type\":");
        write_str(out, kind);
        Self { out, start, keep: true }
    }

    /// Adds a field. Keys must differ; `type`, `msg_id` and `in_reply_to` are the runtime's.
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

    pub(crate) fn integer(self, key: &[u8], number: i64) -> Self {
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(key);
        self.out.extend_from_slice(b"\":");
        if number < 0 {
            self.out.push(b'-');
        }
        write_int(self.out, number.unsigned_abs());
        self
    }

    /// Ends the line; letting it drop does the same.
    pub fn end(self) {}

    /// Sends nothing after all.
    pub fn discard(mut self) {
        self.keep = false;
    }

    pub(crate) fn discard_if(mut self, discard: bool) -> Self {
        self.keep &= !discard;
        self
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if self.keep {
            self.out.extend_from_slice(b"}}\n");
        } else {
            self.out.truncate(self.start);
        }
    }
}

/// Appends the decimal digits of `number`.
pub(crate) fn write_int(out: &mut Vec<u8>, mut number: u64) {
    if number < 10 {
        out.push(b'0' + low_digit(number));
        return;
    }
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    while number > 0 {
        at -= 1;
        digits[at] = b'0' + low_digit(number);
        number /= 10;
    }
    out.extend_from_slice(&digits[at..]);
}

const fn low_digit(number: u64) -> u8 {
    (number % 10) as u8
}

/// Appends the shortest decimal that reads back as `number`; JSON has no infinities, they become `null`.
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
    let bytes = text.as_bytes();
    let mut plain = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let escape = ESCAPES[usize::from(byte)];
        if escape == 0 {
            continue;
        }
        out.extend_from_slice(&bytes[plain..at]);
        plain = at + 1;
        out.extend_from_slice(&[b'\\', escape]);
        if escape == b'u' {
            write!(out, "{byte:04x}").expect("writing to a Vec cannot fail");
        }
    }
    out.extend_from_slice(&bytes[plain..]);
    out.push(b'"');
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
    fn strings_are_escaped() {
        assert_eq!(text(&"a\"b\\c\nd\u{1}é"), r#""a\"b\\c\nd\u0001é""#);
    }

    #[test]
    fn numbers_that_json_lacks_become_null() {
        assert_eq!(text(&[1.5, f64::NAN, f64::INFINITY]), "[1.5,null,null]");
    }

    #[test]
    fn a_line_that_cannot_be_written_leaves_nothing_behind() {
        let mut out = b"kept\n".to_vec();
        let bad = std::collections::BTreeMap::from([((1, 2), 3)]);
        Line::begin(&mut out, &[b"{\"body\":"], "gossip").field("bad", bad).end();
        assert_eq!(out, b"kept\n");
    }

    #[test]
    fn a_line_ends_itself() {
        let mut out = Vec::new();
        Line::begin(&mut out, &[b"{\"body\":"], "read_ok").field("value", 1).end();
        assert_eq!(out, b"{\"body\":{\"type\":\"read_ok\",\"value\":1}}\n");
    }
}
