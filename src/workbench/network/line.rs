//! Validation of the lines that a node prints: the envelope of protocol §1.4, and the errors of §1.7.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::value::RawValue;

use crate::workbench::edn::{Ints, Lists, Separator};
use crate::workbench::json;
use crate::workbench::quote::quote;

/// A valid line, in the parts that the network needs.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    pub(super) src: Cow<'a, str>,
    pub(super) dest: Cow<'a, str>,
    /// The text of a JSON object.
    pub(super) body: &'a str,
    /// The long list of integers in the body, if there is one.
    pub(super) array: Option<Array>,
    /// What follows the message on the line; it is ignored.
    pub(super) rest: &'a str,
}

/// A long list of integers within a body, read already.
#[derive(Debug, Clone)]
pub struct Array {
    /// Where in the body it begins, and how many bytes it takes.
    at: usize,
    length: usize,
    list: Ints,
}

impl Array {
    /// The body with an empty list in its place.
    pub fn leave_out(&self, body: &str) -> String {
        without(body, self.at, self.length)
    }

    /// The body whose list was left out, with the list in its place, unless that is beyond its first `most` bytes.
    #[must_use]
    pub fn put_back(&self, short: &str, most: usize) -> String {
        let (before, after) = short.split_at(self.at + 1);
        let mut text = before.to_owned();
        for (place, element) in self.list.iter().enumerate() {
            if text.len() > most {
                return text;
            }
            write!(text, "{}{element}", if place > 0 { "," } else { "" }).expect("a string takes everything");
        }
        text + after
    }

    /// The length of the body whose list was left out.
    #[must_use]
    pub const fn whole_length(&self, short: &str) -> usize {
        short.len() - EMPTY.len() + self.length
    }

    /// A list at the place in a body at which it was left out.
    #[must_use]
    pub const fn restored(at: usize, length: usize, list: Ints) -> Self {
        Self { at, length, list }
    }

    /// Where in the body it begins, and how many bytes it took.
    #[must_use]
    pub const fn place(&self) -> (usize, usize) {
        (self.at, self.length)
    }

    /// The list.
    #[must_use]
    pub const fn list(&self) -> &Ints {
        &self.list
    }

    /// The list, if a part of the text without it is what stands in its place.
    pub fn list_at(&self, text: &str, part: &str) -> Option<&Ints> {
        (part == EMPTY && place(text, part) == Some(self.at)).then_some(&self.list)
    }
}

/// The text that replaces a list that is left out.
const EMPTY: &str = "[]";

fn without(text: &str, at: usize, length: usize) -> String {
    [&text[..at], EMPTY, &text[at + length..]].concat()
}

/// Where in a text a part of it begins.
fn place(text: &str, part: &str) -> Option<usize> {
    let at = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    (at + part.len() <= text.len()).then_some(at)
}

/// Why a line mutes the node that printed it. Quotations are shortened and escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// Not JSON: debug output, a panic's text.
    #[error("a line on stdout that is not well-formed JSON ({0}); print such things to stderr")]
    NotJson(String),
    /// A line beyond the bound, of which the end was not read.
    #[error("a line of more than {} MiB, which nobody reads to its end; send less at once", LONGEST_LINE >> 20)]
    TooLong,
    /// A value that continues on the next line: pretty-printed JSON.
    #[error("a JSON value that does not end on its line; a message must be one line, without line breaks inside")]
    Unfinished,
    /// U+FEFF, which some editors and libraries put at the beginning of a text.
    #[error("a byte order mark (U+FEFF) before its message; write UTF-8 without one")]
    ByteOrderMark,
    /// Nothing before the line's end.
    #[error("an empty line on stdout; write exactly one line end after each message")]
    Empty,
    /// A scalar or an array.
    #[error("a JSON value on stdout that is not an object")]
    NotAnObject,
    /// `src` or `dest` is absent or not a string.
    #[error("a message whose {0:?} is missing or not a string")]
    NoAddress(&'static str),
    /// The schema of the envelope is closed.
    #[error("a message with the unknown top-level key {0:?}; only src, dest, body and id are allowed")]
    UnknownKey(String),
    /// `id` may be given, but only as an integer.
    #[error("a message whose \"id\" is not an integer")]
    IdNotInteger,
    /// A body has to be an object.
    #[error("a message whose \"body\" is not an object")]
    BodyNotAnObject,
    /// No participant has this name: a typo, or a client that has stopped waiting.
    #[error("a message to {0:?}, who does not exist (any more)")]
    UnknownDest(String),
    /// No participant has this name.
    #[error("a message from {0:?}, who does not exist (any more)")]
    UnknownSrc(String),
}

/// Reads one line of a node's stdout, without its line end; if there is a long list of integers on it, parses only what
/// is new in that list.
pub(super) fn parse_with<'a>(line: &'a str, lists: &mut Lists) -> Result<Envelope<'a>, BadLine> {
    parse_around_list(line, lists).map_or_else(|| parse(line), Ok)
}

/// A line is parsed with its first list left out, unless that is no member of a well-formed body.
fn parse_around_list<'a>(line: &'a str, lists: &mut Lists) -> Option<Envelope<'a>> {
    let start = memchr::memchr(b'[', line.as_bytes())?;
    let (list, length) = lists.read(&line[start..], Separator::Comma)?;
    let short = without(line, start, length);
    let Envelope { src, dest, body, rest, .. } = parse(&short).ok()?;
    let from = place(&short, body)?;
    if !rest.is_empty() || !(from..from + body.len()).contains(&start) {
        return None;
    }
    let array = Array { at: start - from, length, list };
    json::members(body).ok()?.iter().find_map(|(_, value)| array.list_at(body, value.get()))?;
    let body = &line[from..from + body.len() - EMPTY.len() + length];
    let (src, dest) = (src.into_owned().into(), dest.into_owned().into());
    Some(Envelope { src, dest, body, array: Some(array), rest: "" })
}

/// Reads one line of a node's stdout, without its line end.
pub(super) fn parse(line: &str) -> Result<Envelope<'_>, BadLine> {
    let line = line.trim_matches(BLANK);
    if line.is_empty() {
        return Err(BadLine::Empty);
    }
    if line.len() > LONGEST_LINE {
        return Err(BadLine::TooLong);
    }
    if line.starts_with('\u{feff}') {
        return Err(BadLine::ByteOrderMark);
    }
    if !line.starts_with('{') {
        let mut values = serde_json::Deserializer::from_str(line).into_iter::<&RawValue>();
        return Err(match values.next() {
            Some(Err(error)) => not_json(&error),
            Some(Ok(_)) | None => BadLine::NotAnObject,
        });
    }
    let (members, rest) = json::members_and_rest(line).map_err(|error| not_json(&error))?;
    let (mut src, mut dest, mut body) = (None, None, "{}");
    for (key, value) in &members {
        match key.as_ref() {
            "src" => src = string(value),
            "dest" => dest = string(value),
            "body" if value.get() == "null" => body = "{}",
            "body" if value.get().starts_with('{') => body = value.get(),
            "body" => return Err(BadLine::BodyNotAnObject),
            "id" if json::is_integer(value.get()) => {}
            "id" => return Err(BadLine::IdNotInteger),
            unknown => return Err(BadLine::UnknownKey(quote(unknown))),
        }
    }
    let (src, dest) = (src.ok_or(BadLine::NoAddress("src"))?, dest.ok_or(BadLine::NoAddress("dest"))?);
    Ok(Envelope { src, dest, body, array: None, rest: rest.trim_matches(BLANK) })
}

/// Characters that may surround a message.
const BLANK: [char; 2] = [' ', '\t'];

fn not_json(error: &serde_json::Error) -> BadLine {
    if error.is_eof() { BadLine::Unfinished } else { BadLine::NotJson(quote(&error.to_string())) }
}

fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    let text = value.get();
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(text).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

/// The longest line that is read, in bytes: a node that prints without end cannot fill the memory. No reply of a sane
/// test comes near it.
pub(in crate::workbench) const LONGEST_LINE: usize = 64 << 20;

/// The size in bytes to which the buffer shrinks after a longer line.
const ROUTINE: usize = 64 << 10;

/// Splits a stream of bytes into lines that end with `\n`, `\r` or `\r\n` (protocol §1.3).
#[derive(Debug)]
pub struct Lines {
    partial: Vec<u8>,
    after_return: bool,
    longest: usize,
}

impl Default for Lines {
    fn default() -> Self {
        // One byte more, to detect a line that is too long.
        Self::up_to(LONGEST_LINE + 1)
    }
}

impl Lines {
    /// Lines of which at most `longest` bytes are kept.
    pub fn up_to(longest: usize) -> Self {
        Self { partial: Vec::new(), after_return: false, longest }
    }

    /// Takes the next bytes of the stream and passes each line that they complete to `on_line`, without its end.
    pub fn feed(&mut self, mut bytes: &[u8], mut on_line: impl FnMut(&[u8])) {
        if self.after_return && !bytes.is_empty() {
            self.after_return = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) {
            if self.partial.is_empty() {
                on_line(&bytes[..end]);
            } else {
                self.keep(&bytes[..end]);
                on_line(&self.partial);
                self.partial.clear();
                self.partial.shrink_to(ROUTINE);
            }
            let returned = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            if returned {
                self.after_return = bytes.is_empty();
                bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
            }
        }
        self.keep(bytes);
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = self.longest.saturating_sub(self.partial.len());
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The bytes since the last line end.
    pub fn unfinished(&self) -> &[u8] {
        &self.partial
    }

    /// Ends the stream: bytes after the last line end are a line as well.
    pub fn finish(&mut self, mut on_line: impl FnMut(&[u8])) {
        if !self.partial.is_empty() {
            on_line(&self.partial);
            self.partial = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(line: &str) -> BadLine {
        match parse(line) {
            Ok(envelope) => panic!("accepted {envelope:?}"),
            Err(fault) => fault,
        }
    }

    #[test]
    fn a_plain_message_passes_with_or_without_id_and_body() {
        for line in [
            r#"{"src":"n1","dest":"n2","body":{"type":"x"}}"#,
            r#"{"id":7,"src":"n1","dest":"n2"}"#,
            r#" {"dest":"n2","body":null,"src":"n1"}"#,
        ] {
            let envelope = parse(line).expect("valid");
            assert_eq!((&*envelope.src, &*envelope.dest), ("n1", "n2"));
        }
    }

    #[test]
    fn escaped_names_are_read() {
        assert_eq!(parse(r#"{"src":"\u006e1","dest":"a\"b"}"#).expect("valid").dest, "a\"b");
    }

    #[test]
    fn only_the_first_value_of_a_line_counts_and_the_rest_is_told() {
        for (rest, expected) in
            [(r#" {"src":"#, r#"{"src":"#), (r#"{"src":"c"}"#, r#"{"src":"c"}"#), (" and\t", "and"), ("\t ", "")]
        {
            let line = format!(r#"{{"src":"a","dest":"b"}}{rest}"#);
            let envelope = parse(&line).expect("valid");
            assert_eq!((&*envelope.src, envelope.rest), ("a", expected));
        }
    }

    #[test]
    fn of_a_key_given_twice_the_last_value_counts() {
        let line = r#"{"src":7,"body":5,"dest":"x","src":"a","dest":"b","body":{"type":"y"}}"#;
        let envelope = parse(line).expect("valid");
        assert_eq!((&*envelope.src, &*envelope.dest, envelope.body), ("a", "b", r#"{"type":"y"}"#));
    }

    #[test]
    fn every_bad_line_has_its_reason() {
        assert!(matches!(fault("thread main panicked"), BadLine::NotJson(_)));
        for line in [r#"{"src":"n1","#, "{", "[1,", "\"a"] {
            assert_eq!(fault(line), BadLine::Unfinished, "{line}");
        }
        assert_eq!(fault("\u{feff}{}"), BadLine::ByteOrderMark);
        assert_eq!(fault(""), BadLine::Empty);
        assert_eq!(fault("42"), BadLine::NotAnObject);
        assert_eq!(fault(r#"["n1"]"#), BadLine::NotAnObject);
        assert_eq!(fault(r#"{"dest":"n2"}"#), BadLine::NoAddress("src"));
        assert_eq!(fault(r#"{"src":"n1"}"#), BadLine::NoAddress("dest"));
        assert_eq!(fault(r#"{"src":1,"dest":"n2"}"#), BadLine::NoAddress("src"));
        assert_eq!(fault(r#"{"src":"n1","dest":"n2","to":1}"#), BadLine::UnknownKey("to".into()));
        assert_eq!(fault(r#"{"src":"n1","dest":"n2","id":1.0}"#), BadLine::IdNotInteger);
        assert_eq!(fault(r#"{"src":"n1","dest":"n2","id":"1"}"#), BadLine::IdNotInteger);
        assert_eq!(fault(r#"{"src":"n1","dest":"n2","body":"x"}"#), BadLine::BodyNotAnObject);
        assert_eq!(fault(r#"{"src":"n1","dest":"n2","body":5}"#), BadLine::BodyNotAnObject);
    }

    #[test]
    fn what_a_reason_names_of_a_line_is_short() {
        let long = "k".repeat(1 << 20);
        for line in [format!(r#"{{"src":"n1","dest":"n2","{long}":1}}"#), format!("{long}\u{1b}")] {
            assert!(fault(&line).to_string().len() < 2_000);
        }
    }

    #[test]
    fn a_line_without_end_is_cut_off() {
        let mut lines = Lines::default();
        let mut longest = 0;
        for _ in 0..70 {
            lines.feed(&vec![b'x'; 1 << 20], |_| {});
        }
        lines.feed(b"\nnext\n", |line| longest = longest.max(line.len()));
        assert_eq!(longest, LONGEST_LINE + 1);
    }

    #[test]
    fn lines_end_with_newline_return_or_both_wherever_the_reads_fall() {
        let stream = b"a\nbb\rccc\r\n\nlast";
        for cut in 0..stream.len() {
            let mut lines = Lines::default();
            let mut seen = Vec::new();
            lines.feed(&stream[..cut], |line| seen.push(line.to_vec()));
            lines.feed(&stream[cut..], |line| seen.push(line.to_vec()));
            assert_eq!(lines.unfinished(), b"last");
            lines.finish(|line| seen.push(line.to_vec()));
            assert_eq!(seen, [&b"a"[..], b"bb", b"ccc", b"", b"last"], "cut at {cut}");
            assert_eq!(lines.unfinished(), b"");
        }
    }
}
