//! A JSON value as the line it arrived in holds it: a view on the parser's tape.

use simd_json::{Node, StaticNode};

use super::deserialize::Malformed;
use super::writer::{write_f64, write_int, write_str};

/// Any JSON value, borrowed from a line. Copying it copies a reference.
///
/// Integers are exact from `i64::MIN` to `u64::MAX`, other numbers are `f64`; a line with an integer
/// beyond that does not parse.
#[derive(Debug, Clone, Copy)]
pub struct Json<'a>(pub(super) &'a [Node<'a>]);

/// The number of nodes that the value starting at `nodes[0]` covers.
fn extent(nodes: &[Node<'_>]) -> usize {
    match nodes.first() {
        Some(Node::Object { count, .. } | Node::Array { count, .. }) => count + 1,
        Some(Node::String(_) | Node::Static(_)) => 1,
        None => 0,
    }
}

/// Splits the first value off.
fn split<'a>(nodes: &'a [Node<'a>]) -> Option<(Json<'a>, &'a [Node<'a>])> {
    let (value, rest) = nodes.split_at_checked(extent(nodes).max(1))?;
    Some((Json(value), rest))
}

impl<'a> Json<'a> {
    pub(super) fn from_nodes(nodes: &'a [Node<'a>]) -> Option<Self> {
        split(nodes).map(|(value, _)| value)
    }

    pub(super) fn head(self) -> Node<'a> {
        self.0.first().copied().unwrap_or(Node::Static(StaticNode::Null))
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        match self.head() {
            Node::String(text) => Some(text),
            Node::Object { .. } | Node::Array { .. } | Node::Static(_) => None,
        }
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

    /// `true` for the value `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        matches!(self.head(), Node::Static(StaticNode::Null))
    }

    /// The elements of an array.
    #[must_use]
    pub fn items(self) -> Option<Items<'a>> {
        matches!(self.head(), Node::Array { .. }).then(|| Items(&self.0[1..]))
    }

    /// The entries of an object, in the order of the line; a repeated key appears repeatedly.
    #[must_use]
    pub fn entries(self) -> Option<Entries<'a>> {
        matches!(self.head(), Node::Object { .. }).then(|| Entries(&self.0[1..]))
    }

    /// The value under `key` in an object.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Json<'a>> {
        self.entries()?.find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// Reads the value into a type of serde's.
    ///
    /// # Errors
    /// The value has not the shape of `T`.
    pub fn to<T: serde::Deserialize<'a>>(self) -> Result<T, Malformed> {
        T::deserialize(self)
    }

    /// Appends the value as JSON text without white space: equal texts mean equal values.
    pub fn write(self, out: &mut Vec<u8>) {
        match self.head() {
            Node::String(text) => write_str(out, text),
            Node::Static(StaticNode::I64(number)) => {
                if number < 0 {
                    out.push(b'-');
                }
                write_int(out, number.unsigned_abs());
            }
            Node::Static(StaticNode::U64(number)) => write_int(out, number),
            Node::Static(StaticNode::F64(number)) => write_f64(out, number),
            Node::Static(StaticNode::Bool(true)) => out.extend_from_slice(b"true"),
            Node::Static(StaticNode::Bool(false)) => out.extend_from_slice(b"false"),
            Node::Static(StaticNode::Null) => out.extend_from_slice(b"null"),
            Node::Array { .. } => {
                out.push(b'[');
                for (index, item) in Items(&self.0[1..]).enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    item.write(out);
                }
                out.push(b']');
            }
            Node::Object { .. } => {
                out.push(b'{');
                for (index, (key, value)) in Entries(&self.0[1..]).enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    write_str(out, key);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }
}

/// The elements of an array, one after the other.
#[derive(Debug, Clone)]
pub struct Items<'a>(pub(super) &'a [Node<'a>]);

impl<'a> Iterator for Items<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Json<'a>> {
        let (item, rest) = split(self.0)?;
        self.0 = rest;
        Some(item)
    }
}

/// The entries of an object, one after the other.
#[derive(Debug, Clone)]
pub struct Entries<'a>(pub(super) &'a [Node<'a>]);

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a str, Json<'a>);

    fn next(&mut self) -> Option<(&'a str, Json<'a>)> {
        let (key, rest) = self.0.split_first()?;
        let (value, rest) = split(rest)?;
        self.0 = rest;
        match key {
            Node::String(key) => Some((key, value)),
            Node::Object { .. } | Node::Array { .. } | Node::Static(_) => None,
        }
    }
}
