//! Bounds on the size and nesting of messages, so that every receiver can parse what is sent to it.

use super::reader::MAX_DEPTH;

/// The longest line that is read or written, in bytes without its newline: more than the largest read of any workload.
pub const MAX_LINE: usize = 64 << 20;

/// A limit on a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// Maximum length, in bytes.
    pub bytes: usize,
    /// Maximum nesting of arrays and objects.
    pub depth: usize,
}

/// The bound on what one request appends to a log or sends to a service: a quarter of a line, which leaves room for the
/// envelope, and for receivers that write its numbers in a longer form.
pub const REQUEST: Bound = Bound { bytes: MAX_LINE / 4, depth: 100 };

/// Bytes available to the fields of a reply: a line less its envelope, of which the two ids are the largest part.
pub const MAX_REPLY: usize = MAX_LINE - (8 << 10);

/// The error message for a reply that would exceed [`MAX_REPLY`].
pub const REPLY_TOO_LARGE: &str = "the answer would be larger than a line may be, 64 MiB (67108864 bytes)";

/// The bound on operations in a log, larger than [`REQUEST`] since each forwarding of an orphan adds an array.
pub(crate) const FORWARDED: Bound = Bound { bytes: MAX_LINE / 2, depth: MAX_DEPTH - 8 };

/// Which limit of a [`Bound`] a text exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooLarge {
    /// Its length.
    Long,
    /// Its nesting.
    Deep,
}

impl TooLarge {
    /// The error message for a request that exceeds [`REQUEST`].
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Long => "too large: what a request stores may have 16 MiB (16777216 bytes) in all",
            Self::Deep => "nested too deep: what a request stores may nest 100 deep",
        }
    }
}

impl Bound {
    /// Checks a JSON text. Everything that is appended to a log or sent to a service is checked here.
    ///
    /// # Errors
    /// The text exceeds the bound.
    #[inline]
    pub fn admit(self, text: &[u8]) -> Result<(), TooLarge> {
        // Each level takes at least two bytes.
        if text.len() <= 2 * self.depth { Ok(()) } else { self.measure(text) }
    }

    #[cold]
    fn measure(self, text: &[u8]) -> Result<(), TooLarge> {
        if text.len() > self.bytes {
            return Err(TooLarge::Long);
        }
        let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
        for byte in text {
            if in_string {
                in_string = escaped || *byte != b'"';
                escaped = !escaped && *byte == b'\\';
                continue;
            }
            match byte {
                b'"' => in_string = true,
                b'[' | b'{' if depth == self.depth => return Err(TooLarge::Deep),
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> String {
        "[".repeat(depth) + &"]".repeat(depth)
    }

    #[test]
    fn error_messages_state_the_actual_bounds() {
        assert!(TooLarge::Long.message().contains(&format!("({} bytes)", REQUEST.bytes)));
        assert!(TooLarge::Long.message().contains(&format!(" {} MiB", REQUEST.bytes >> 20)));
        assert!(REPLY_TOO_LARGE.contains(&format!(" {} MiB ({MAX_LINE} bytes)", MAX_LINE >> 20)));
        assert!(TooLarge::Deep.message().contains(&format!(" {} deep", REQUEST.depth)));
    }

    #[test]
    fn a_text_is_admitted_up_to_the_bound_and_not_beyond() {
        let bound = Bound { bytes: 1000, depth: 10 };
        for bytes in 2..=1000 {
            assert_eq!(bound.admit(format!("\"{}\"", "[".repeat(bytes - 2)).as_bytes()), Ok(()));
        }
        assert_eq!(bound.admit("1".repeat(1001).as_bytes()), Err(TooLarge::Long));
        for depth in 0..100 {
            let expected = if depth <= 10 { Ok(()) } else { Err(TooLarge::Deep) };
            assert_eq!(bound.admit(nested(depth).as_bytes()), expected, "{depth}");
            // Brackets inside strings do not count, nor do those already closed.
            let wide = format!(r#"[{{"[[":"\"[[[[[[[[["}},{},{}]"#, nested(2), nested(depth));
            let expected = if depth < 10 { Ok(()) } else { Err(TooLarge::Deep) };
            assert_eq!(bound.admit(wide.as_bytes()), expected, "{wide}");
        }
    }
}
