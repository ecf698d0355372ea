//! How much one message may hold, so that whoever it is meant for can read it.

use super::reader::MAX_DEPTH;

/// The longest line that is handled, its newline not counted: more than the largest read of any workload. A longer one
/// is never written.
pub const MAX_LINE: usize = 64 << 20;

/// A limit for a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// Its length.
    pub bytes: usize,
    /// How deep arrays and objects nest in it.
    pub depth: usize,
}

/// What one request leaves in a log or asks of a service: a fourth of a line, so that it can still be read with all
/// that goes with it, and if others write its numbers in longer ways.
pub const REQUEST: Bound = Bound { bytes: MAX_LINE / 4, depth: 100 };

/// What a reply's fields may take: a line less what goes around them, above all two ids.
pub const MAX_REPLY: usize = MAX_LINE - (8 << 10);

/// What to tell whoever asks for more than [`MAX_REPLY`].
pub const UNANSWERABLE: &str = "the answer would be larger than a line may be, 64 MiB (67108864 bytes)";

/// What replicas hand on for each other, wrapped once more each time.
pub(crate) const HANDED_ON: Bound = Bound { bytes: MAX_LINE / 2, depth: MAX_DEPTH - 8 };

/// Why a text is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooLarge {
    /// It has more bytes than it may.
    Long,
    /// It nests deeper than it may.
    Deep,
}

impl TooLarge {
    /// What to tell whoever wanted more than [`REQUEST`] allows.
    #[must_use]
    pub const fn why(self) -> &'static str {
        match self {
            Self::Long => "too large: what a request stores may have 16 MiB (16777216 bytes) in all",
            Self::Deep => "nested too deep: what a request stores may nest 100 deep",
        }
    }
}

impl Bound {
    /// Whether a JSON text is within the bound: the one function that everything passes on its way into a log or to a
    /// service.
    ///
    /// # Errors
    /// It is not.
    #[inline]
    pub fn admit(self, text: &[u8]) -> Result<(), TooLarge> {
        // Each level takes two bytes.
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
    fn what_is_told_of_the_bound_is_the_bound() {
        assert!(TooLarge::Long.why().contains(&format!("({} bytes)", REQUEST.bytes)));
        assert!(TooLarge::Long.why().contains(&format!(" {} MiB", REQUEST.bytes >> 20)));
        assert!(UNANSWERABLE.contains(&format!(" {} MiB ({MAX_LINE} bytes)", MAX_LINE >> 20)));
        assert!(TooLarge::Deep.why().contains(&format!(" {} deep", REQUEST.depth)));
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
            // Brackets of a text are not counted, and those that were closed no more.
            let wide = format!(r#"[{{"[[":"\"[[[[[[[[["}},{},{}]"#, nested(2), nested(depth));
            let expected = if depth < 10 { Ok(()) } else { Err(TooLarge::Deep) };
            assert_eq!(bound.admit(wide.as_bytes()), expected, "{wide}");
        }
    }
}
