//! A JSON value, borrowed from the line it arrived in: a view on the parser's tape.

use std::fmt;

use simd_json::{Node, StaticNode};
use smallvec::SmallVec;

use super::deserialize::Malformed;
use super::writer::{write_f64, write_int, write_signed, write_str};

/// Any JSON value, borrowed from a line; a copy is a reference.
///
/// Integers are exact from `i64::MIN` to `u64::MAX`, other numbers are `f64`; a line with an integer outside that range
/// does not parse.
#[derive(Clone, Copy)]
pub struct Json<'a>(
    /// Starts with the value's nodes; others may follow.
    &'a [Node<'a>],
);

/// The first value, and what follows it.
fn split<'a>(nodes: &'a [Node<'a>]) -> Option<(Json<'a>, &'a [Node<'a>])> {
    let extent = match nodes.first()? {
        Node::Object { count, .. } | Node::Array { count, .. } => count + 1,
        Node::String(_) | Node::Static(_) => 1,
    };
    Some((Json(nodes), nodes.get(extent..)?))
}

impl<'a> Json<'a> {
    pub(super) fn from_nodes(nodes: &'a [Node<'a>]) -> Option<Self> {
        split(nodes).map(|(value, _)| value)
    }

    pub(super) fn head(self) -> Node<'a> {
        self.0.first().copied().unwrap_or(Node::Static(StaticNode::Null))
    }

    pub(super) fn inside(self, count: usize) -> &'a [Node<'a>] {
        self.0.get(1..=count).unwrap_or_default()
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        if let Node::String(text) = self.head() { Some(text) } else { None }
    }

    /// An integer that an `i64` holds.
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        match self.head() {
            Node::Static(StaticNode::I64(number)) => Some(number),
            Node::Static(StaticNode::U64(number)) => i64::try_from(number).ok(),
            Node::Static(_) | Node::String(_) | Node::Object { .. } | Node::Array { .. } => None,
        }
    }

    /// An integer that a `u64` holds.
    #[must_use]
    pub fn as_u64(self) -> Option<u64> {
        match self.head() {
            Node::Static(StaticNode::U64(number)) => Some(number),
            Node::Static(StaticNode::I64(number)) => u64::try_from(number).ok(),
            Node::Static(_) | Node::String(_) | Node::Object { .. } | Node::Array { .. } => None,
        }
    }

    /// A boolean.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        if let Node::Static(StaticNode::Bool(truth)) = self.head() { Some(truth) } else { None }
    }

    /// `true` for the value `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        matches!(self.head(), Node::Static(StaticNode::Null))
    }

    /// The elements of an array.
    #[must_use]
    pub fn items(self) -> Option<Items<'a>> {
        if let Node::Array { count, .. } = self.head() { Some(Items(self.inside(count))) } else { None }
    }

    /// The entries of an object, in the order of the line, repeated keys included. The last value of a repeated key is
    /// the one that counts, as in Maelstrom.
    #[must_use]
    pub fn entries(self) -> Option<Entries<'a>> {
        if let Node::Object { count, .. } = self.head() { Some(Entries(self.inside(count))) } else { None }
    }

    /// The entries of an object, sorted by key, each key once with its last value.
    #[must_use]
    pub fn distinct_entries(self) -> Option<impl Iterator<Item = (&'a str, Json<'a>)>> {
        let mut entries: SmallVec<[_; 16]> = self.entries()?.collect();
        entries.sort_by_key(|(key, _)| *key);
        let mut entries = entries.into_iter().peekable();
        let last = move || loop {
            let (key, value) = entries.next()?;
            if entries.peek().is_none_or(|(next, _)| *next != key) {
                return Some((key, value));
            }
        };
        Some(std::iter::from_fn(last))
    }

    /// The value under `key` in an object.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Json<'a>> {
        self.entries()?.filter(|(name, _)| *name == key).last().map(|(_, value)| value)
    }

    /// Deserializes the value.
    ///
    /// # Errors
    /// The value does not have the shape of `T`.
    pub fn to<T: serde::Deserialize<'a>>(self) -> Result<T, Malformed> {
        T::deserialize(self)
    }

    /// Appends the value as JSON text without white space; equal texts mean equal values.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "most values are integers, and many come in a row")]
    pub fn write(self, out: &mut Vec<u8>) {
        if let Node::Static(StaticNode::U64(number)) = self.head() {
            write_int(out, number);
        } else {
            self.write_other(out);
        }
    }

    fn write_other(self, out: &mut Vec<u8>) {
        match self.head() {
            Node::String(text) => write_str(out, text),
            Node::Static(StaticNode::I64(number)) => write_signed(out, number),
            Node::Static(StaticNode::U64(number)) => write_int(out, number),
            Node::Static(StaticNode::F64(number)) => write_f64(out, number),
            Node::Static(StaticNode::Bool(true)) => out.extend_from_slice(b"true"),
            Node::Static(StaticNode::Bool(false)) => out.extend_from_slice(b"false"),
            Node::Static(StaticNode::Null) => out.extend_from_slice(b"null"),
            Node::Array { .. } | Node::Object { .. } => self.write_nested(out),
        }
    }

    fn write_nested(self, out: &mut Vec<u8>) {
        let mut separator = None;
        if let Some(items) = self.items() {
            out.push(b'[');
            for item in items {
                out.extend(separator.replace(b','));
                item.write(out);
            }
            out.push(b']');
        }
        if let Some(entries) = self.entries() {
            out.push(b'{');
            for (key, value) in entries {
                out.extend(separator.replace(b','));
                write_str(out, key);
                out.push(b':');
                value.write(out);
            }
            out.push(b'}');
        }
    }
}

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        self.write(&mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

/// An iterator over the elements of an array.
#[derive(Debug, Clone, Default)]
pub struct Items<'a>(pub(super) &'a [Node<'a>]);

impl<'a> Iterator for Items<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Json<'a>> {
        let (item, rest) = split(self.0)?;
        self.0 = rest;
        Some(item)
    }
}

/// An iterator over the entries of an object.
#[derive(Debug, Clone)]
pub struct Entries<'a>(pub(super) &'a [Node<'a>]);

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a str, Json<'a>);

    fn next(&mut self) -> Option<(&'a str, Json<'a>)> {
        let (Node::String(key), values) = self.0.split_first()? else { return None };
        let (value, rest) = split(values)?;
        self.0 = rest;
        Some((key, value))
    }
}
