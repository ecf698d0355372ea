//! Reads EDN text into values.
//!
//! One pass over the bytes without backing up; a vector is taken for [`Value::Ints`] until an element
//! proves otherwise, so the long reads of broadcast never become one value an element.

use thiserror::Error;

use super::{Lists, Separator, Value};

/// How deep collections, tags and discarded forms may nest: far above what Jepsen writes (exceptions reach
/// about ten), far below what would exhaust the stack.
pub const MAX_DEPTH: usize = 128;

/// Where and why a text is not EDN.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct ReadError {
    /// The line, from 1.
    pub line: usize,
    /// The character within the line, from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: Box<str>,
}

/// Reads the one value that a text consists of.
pub fn read(text: &str) -> Result<Value, ReadError> {
    let mut reader = Reader::new(text);
    let value = reader.next_value()?.ok_or_else(|| reader.error(reader.at, "expected a value, found nothing"))?;
    reader.skip_blank(0)?;
    if reader.at < text.len() {
        return Err(reader.error(reader.at, "expected one value, found more"));
    }
    Ok(value)
}

/// Reads the values of a text one by one.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    lists: Lists,
}

impl<'a> Reader<'a> {
    /// A reader at the beginning of `text`.
    pub fn new(text: &'a str) -> Self {
        Self::knowing(text, Lists::default())
    }

    /// A reader at the beginning of `text`, whose lists share common prefixes with those of `lists`.
    pub const fn knowing(text: &'a str, lists: Lists) -> Self {
        Self { text, at: 0, lists }
    }

    /// The lists that it has read.
    pub fn into_lists(self) -> Lists {
        self.lists
    }

    /// The next value, or `None` at the end of the text.
    pub fn next_value(&mut self) -> Result<Option<Value>, ReadError> {
        self.skip_blank(0)?;
        if self.peek().is_none() { Ok(None) } else { self.value(0).map(Some) }
    }

    /// The line, from 1, of what comes next.
    pub fn line(&self) -> usize {
        self.error(self.at, "").line
    }

    fn error(&self, at: usize, problem: impl Into<Box<str>>) -> ReadError {
        let mut end = at.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        ReadError { line, column: before[line_start..].chars().count() + 1, problem: problem.into() }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Skips white space, commas, comments and discarded forms.
    fn skip_blank(&mut self, depth: usize) -> Result<(), ReadError> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r' | 0x0c | b',') => self.at += 1,
                Some(b';') => {
                    let rest = &self.text[self.at..];
                    self.at += rest.find('\n').unwrap_or(rest.len());
                }
                Some(b'#') if self.text.as_bytes().get(self.at + 1) == Some(&b'_') => {
                    self.at += 2;
                    self.nested(depth)?;
                }
                _ => return Ok(()),
            }
        }
    }

    /// The value that must follow blanks, one level deeper.
    fn nested(&mut self, depth: usize) -> Result<Value, ReadError> {
        if depth >= MAX_DEPTH {
            return Err(self.error(self.at, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        self.skip_blank(depth + 1)?;
        self.value(depth + 1)
    }

    fn value(&mut self, depth: usize) -> Result<Value, ReadError> {
        let start = self.at;
        match self.peek() {
            None => Err(self.error(start, "expected a value, found the end")),
            Some(b'"') => self.string().map(Value::Str),
            Some(b'(') => self.sequence(depth, b')').map(Value::List),
            Some(b'[') => self.vector(depth),
            Some(b'{') => self.map(depth),
            Some(b'#') => self.dispatch(depth),
            Some(b'\\') => self.character(),
            Some(b')' | b']' | b'}') => Err(self.error(start, "a bracket closes what was not opened")),
            Some(_) => {
                let token = self.token();
                if token.is_empty() {
                    let found = self.text[start..].chars().next().unwrap_or_default();
                    return Err(self.error(start, format!("unexpected {found:?}")));
                }
                self.atom(start, token)
            }
        }
    }

    /// The characters up to the next delimiter.
    fn token(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let end = rest.find(is_delimiter).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn atom(&self, start: usize, token: &str) -> Result<Value, ReadError> {
        if let Some(name) = token.strip_prefix(':') {
            let name = name.trim_start_matches(':');
            if name.is_empty() {
                return Err(self.error(start, "a keyword without a name"));
            }
            return Ok(Value::Keyword(name.to_owned().into()));
        }
        let digits = token.strip_prefix(['+', '-']).unwrap_or(token);
        if digits.starts_with(|first: char| first.is_ascii_digit()) {
            return Ok(number(token, digits));
        }
        Ok(match token {
            "nil" => Value::Nil,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => Value::Symbol(token.into()),
        })
    }

    fn string(&mut self) -> Result<Box<str>, ReadError> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(plain) = rest.find(['"', '\\']) else {
                return Err(self.error(start, "a string that never ends"));
            };
            text.push_str(&rest[..plain]);
            self.at += plain + 1;
            if rest.as_bytes()[plain] == b'"' {
                return Ok(text.into());
            }
            text.push(self.escape()?);
        }
    }

    /// The character that an escape stands for; the backslash is already read.
    fn escape(&mut self) -> Result<char, ReadError> {
        let start = self.at - 1;
        let letter = self.peek();
        self.at += 1;
        Ok(match letter {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'u') => {
                let unit = self.code_unit(start)?;
                if let Some(plain) = char::from_u32(unit) {
                    return Ok(plain);
                }
                let low = if self.eat(b'\\') && self.eat(b'u') { self.code_unit(start)? } else { 0 };
                let pair = u16::try_from(unit).ok().zip(u16::try_from(low).ok());
                pair.and_then(|(high, low)| char::decode_utf16([high, low]).next())
                    .and_then(Result::ok)
                    .ok_or_else(|| self.error(start, "half of a surrogate pair"))?
            }
            _ => return Err(self.error(start, "an escape that EDN does not know")),
        })
    }

    fn code_unit(&mut self, start: usize) -> Result<u32, ReadError> {
        let digits = self.text.get(self.at..self.at + 4).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        let unit = digits.and_then(|hex| u32::from_str_radix(hex, 16).ok());
        self.at += 4;
        unit.ok_or_else(|| self.error(start, "\\u needs four hexadecimal digits"))
    }

    fn character(&mut self) -> Result<Value, ReadError> {
        let start = self.at;
        self.at += 1;
        let Some(first) = self.text[self.at..].chars().next() else {
            return Err(self.error(start, "a backslash without a character"));
        };
        self.at += first.len_utf8();
        if !is_delimiter(first) {
            self.token();
        }
        Ok(Value::Symbol(self.text[start..self.at].into()))
    }

    /// What begins with `#`, except a discarded form.
    fn dispatch(&mut self, depth: usize) -> Result<Value, ReadError> {
        let start = self.at;
        self.at += 1;
        match self.peek() {
            Some(b'{') => self.sequence(depth, b'}').map(Value::Set),
            Some(b'"') => {
                self.string()?;
                Ok(Value::Symbol(self.text[start..self.at].into()))
            }
            Some(b'#') => {
                self.at += 1;
                match self.token() {
                    "Inf" => Ok(Value::Float(f64::INFINITY)),
                    "-Inf" => Ok(Value::Float(f64::NEG_INFINITY)),
                    "NaN" => Ok(Value::Float(f64::NAN)),
                    _ => Err(self.error(start, "after ## come Inf, -Inf or NaN")),
                }
            }
            Some(b'\'') => {
                self.token();
                Ok(Value::Symbol(self.text[start..self.at].into()))
            }
            _ => {
                let tag = self.token();
                if tag.is_empty() {
                    return Err(self.error(start, "a tag without a name"));
                }
                Ok(Value::Tagged(tag.into(), Box::new(self.nested(depth)?)))
            }
        }
    }

    /// Whether the collection that began at `start` ends here.
    fn closed(&mut self, depth: usize, start: usize, close: u8) -> Result<bool, ReadError> {
        self.skip_blank(depth + 1)?;
        if self.peek().is_none() {
            return Err(self.error(start, "a collection that never ends"));
        }
        Ok(self.eat(close))
    }

    fn sequence(&mut self, depth: usize, close: u8) -> Result<Vec<Value>, ReadError> {
        let start = self.at;
        self.at += 1;
        let mut values = Vec::new();
        while !self.closed(depth, start, close)? {
            values.push(self.nested(depth)?);
        }
        Ok(values)
    }

    fn vector(&mut self, depth: usize) -> Result<Value, ReadError> {
        let start = self.at;
        if let Some((list, length)) = self.lists.read(&self.text[start..], Separator::Space) {
            self.at += length;
            return Ok(Value::Ints(list));
        }
        self.at += 1;
        let mut ints = Vec::new();
        let first_other = loop {
            while let Some(int) = self.plain_int() {
                ints.push(int);
            }
            if self.closed(depth, start, b']')? {
                return Ok(Value::ints(ints));
            }
            let value = self.nested(depth)?;
            let Value::Int(int) = value else { break value };
            ints.push(int);
        };
        let mut values: Vec<_> = ints.into_iter().map(Value::Int).collect();
        values.push(first_other);
        while !self.closed(depth, start, b']')? {
            values.push(self.nested(depth)?);
        }
        Ok(Value::Vector(values))
    }

    /// An integer of a few digits amid a vector: nearly all that the history of a broadcast consists of, so it
    /// goes without a token.
    fn plain_int(&mut self) -> Option<i64> {
        const MAX_DIGITS: usize = 18; // what surely fits
        let rest = self.text.as_bytes().get(self.at..)?;
        let rest = rest.strip_prefix(b" ").unwrap_or(rest);
        let digits = rest.iter().take(MAX_DIGITS).take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 || !matches!(rest.get(digits), Some(b' ' | b']')) {
            return None;
        }
        self.at = self.text.len() - rest.len() + digits;
        Some(rest[..digits].iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    }

    fn map(&mut self, depth: usize) -> Result<Value, ReadError> {
        let start = self.at;
        self.at += 1;
        let mut entries = Vec::new();
        while !self.closed(depth, start, b'}')? {
            let key = self.nested(depth)?;
            self.skip_blank(depth + 1)?;
            if matches!(self.peek(), None | Some(b'}')) {
                return Err(self.error(self.at, "a key without a value"));
            }
            entries.push((key, self.nested(depth)?));
        }
        Ok(Value::Map(entries))
    }
}

/// What ends a symbol, a keyword or a number.
const fn is_delimiter(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}' | ',' | ';' | '"' | '(' | ')' | '[' | ']' | '{' | '}' | '\\')
}

fn number(token: &str, digits: &str) -> Value {
    if let Ok(int) = token.parse() {
        return Value::Int(int);
    }
    let whole = token.strip_suffix('N').unwrap_or(token);
    if whole.trim_start_matches(['+', '-']).bytes().all(|byte| byte.is_ascii_digit()) {
        let whole = whole.strip_prefix('+').unwrap_or(whole);
        return whole.parse().map_or_else(|_| Value::Big(whole.into()), Value::Int);
    }
    let decimal = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    let float = if decimal { token.parse().ok() } else { None };
    float.map_or_else(|| Value::Symbol(token.into()), Value::Float)
}

#[cfg(test)]
mod tests;
