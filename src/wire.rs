//! Bytes in, bytes out: one Maelstrom message per line.
//!
//! Reading parses a line in place (simd-json's tape) and hands out borrowed views; writing appends whole
//! lines to a buffer. Neither allocates once its buffers are warm. The format is that of protocol §1.3 to §1.5.

mod bound;
mod decode;
mod deserialize;
mod json;
mod quote;
mod reader;
mod requests;
#[cfg(test)]
mod tests;
mod text;
mod writer;

pub(crate) use bound::FORWARDED;
pub use bound::{Bound, MAX_LINE, MAX_REPLY, REPLY_TOO_LARGE, REQUEST, TooLarge};
pub use decode::{Decode, DecodeError, Field, missing};
pub use deserialize::Malformed;
pub use json::{Entries, Items, Json};
pub(crate) use quote::ErrorText;
pub use quote::{MAX_ERROR_TEXT, MAX_QUOTE, Quote};
pub use reader::{MAX_DEPTH, Message, Reader, Unreadable};
pub(crate) use text::{Array, elements};
pub use writer::{Encode, Line, Raw};
pub(crate) use writer::{write_int, write_signed, write_str};

/// Bytes that must follow the lines in a buffer that is parsed in place; their content does not matter and is left
/// unchanged.
pub const PADDING: usize = simd_json::INPUT_PADDING;

/// The code of an error reply (protocol §2.3).
///
/// A *definite* error says that the request had and will have no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode(pub u64);

impl ErrorCode {
    /// The deadline passed; indefinite.
    pub const TIMEOUT: Self = Self(0);
    /// No such node.
    pub const NODE_NOT_FOUND: Self = Self(1);
    /// The node does not know this type of message.
    pub const NOT_SUPPORTED: Self = Self(10);
    /// Try again later, or at another node.
    pub const TEMPORARILY_UNAVAILABLE: Self = Self(11);
    /// The body does not have the shape its type demands.
    pub const MALFORMED_REQUEST: Self = Self(12);
    /// An internal error; indefinite.
    pub const CRASH: Self = Self(13);
    /// Aborted, for a reason no other code covers.
    pub const ABORT: Self = Self(14);
    /// The key does not exist.
    pub const KEY_DOES_NOT_EXIST: Self = Self(20);
    /// The key exists already.
    pub const KEY_ALREADY_EXISTS: Self = Self(21);
    /// The value is not the expected one.
    pub const PRECONDITION_FAILED: Self = Self(22);
    /// The transaction conflicts with another.
    pub const TXN_CONFLICT: Self = Self(30);

    /// Whether the request certainly had no effect.
    #[must_use]
    pub const fn is_definite(self) -> bool {
        matches!(self.0, 1 | 10 | 11 | 12 | 14 | 20 | 21 | 22 | 30)
    }
}
