//! Parsing of lines: the envelope of a message, and a view of its body.

use std::fmt;
use std::mem;

use simd_json::{Buffers, Node, Tape};

use super::PADDING;
use super::json::Json;

/// Maximum nesting of arrays and objects in a line; a deeper line is rejected, which bounds the stack that recursion
/// over a value needs.
pub const MAX_DEPTH: usize = 128;

/// Buffers are reused after a line of up to this many bytes, and freed after a longer one.
const KEPT_LINE: usize = 1 << 20;

/// The parser and its buffers, which are reused from line to line.
pub struct Reader {
    buffers: Buffers,
    tape: Tape<'static>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self { buffers: Buffers::with_max_depth(1024, MAX_DEPTH), tape: Tape(Vec::new()) }
    }
}

/// Why a line is not a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unreadable {
    /// It is not JSON, nests too deeply, or has an integer beyond 64 bits.
    Syntax(String),
    /// It is JSON but not a message.
    NotAMessage(&'static str),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(why) => write!(f, "not JSON that can be read: {why}"),
            Self::NotAMessage(why) => f.write_str(why),
        }
    }
}

/// A message (protocol §1.4, §1.5).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Message<'a> {
    /// The sender.
    pub src: &'a str,
    /// The receiver.
    pub dest: &'a str,
    /// The body's `type`.
    pub kind: &'a str,
    /// The id that a reply must quote in `in_reply_to`.
    pub msg_id: Option<i64>,
    /// The `msg_id` of the request that this replies to.
    pub in_reply_to: Option<i64>,
    /// The body, an object.
    pub body: Json<'a>,
}

impl Reader {
    /// Parses the line `buffer[..len]` in place and hands the message in it to `handle`.
    ///
    /// At least [`PADDING`] bytes must follow the line in `buffer`; they are left unchanged.
    ///
    /// # Panics
    /// The padding is missing.
    pub fn read<R>(
        &mut self,
        buffer: &mut [u8],
        len: usize,
        handle: impl FnOnce(Result<&Message<'_>, Unreadable>) -> R,
    ) -> R {
        assert!(buffer.len() >= len + PADDING, "a line must be followed by padding");
        let mut tape = mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let result = match simd_json::fill_tape_padded(buffer, len, &mut self.buffers, &mut tape) {
            Ok(()) => match &Message::from_nodes(&tape.0) {
                Ok(message) => handle(Ok(message)),
                Err(why) => handle(Err(Unreadable::NotAMessage(why))),
            },
            Err(why) => handle(Err(Unreadable::Syntax(why.to_string()))),
        };
        if len <= KEPT_LINE {
            self.tape = tape.reset();
        } else {
            *self = Self::default();
        }
        result
    }
}

impl<'a> Message<'a> {
    fn from_nodes(nodes: &'a [Node<'a>]) -> Result<Self, &'static str> {
        let envelope = Json::from_nodes(nodes).and_then(Json::entries).ok_or("a message must be an object")?;
        let (mut src, mut dest, mut body) = (None, None, None);
        for (key, value) in envelope {
            match key {
                "src" => src = value.as_str(),
                "dest" => dest = value.as_str(),
                "body" => body = Some(value),
                _ => {}
            }
        }
        let src = src.ok_or("a message must say who sent it (src, a string)")?;
        let dest = dest.ok_or("a message must say for whom it is (dest, a string)")?;
        let body = body.ok_or("a message must have a body")?;
        let (mut kind, mut msg_id, mut in_reply_to) = (None, None, None);
        for (key, value) in body.entries().ok_or("a message's body must be an object")? {
            match key {
                "type" => kind = value.as_str(),
                "msg_id" => msg_id = value.as_i64(),
                "in_reply_to" => in_reply_to = value.as_i64(),
                _ => {}
            }
        }
        Ok(Self { src, dest, kind: kind.unwrap_or_default(), msg_id, in_reply_to, body })
    }
}
