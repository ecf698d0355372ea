//! Quotation of untrusted input in log lines and error messages: escaped, and truncated with its full length.

use std::fmt;

/// Maximum number of bytes quoted of untrusted input: enough to recognise it.
pub const MAX_QUOTE: usize = 200;

/// Maximum length, in bytes, of an error message that contains untrusted input.
pub const MAX_ERROR_TEXT: usize = 1000;

/// Displays untrusted text or bytes in quotation marks, escaped so that they stay on one line.
#[derive(Debug, Clone, Copy)]
pub struct Quote<'a>(&'a [u8]);

impl<'a> Quote<'a> {
    /// Quotes a text, or bytes.
    #[must_use]
    pub fn of(text: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self(text.as_ref())
    }
}

impl fmt::Display for Quote<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (head, more) = cut(self.0, MAX_QUOTE);
        write!(f, "{:?}{more}", String::from_utf8_lossy(head))
    }
}

/// Displays an error message unquoted, truncated at [`MAX_ERROR_TEXT`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct ErrorText<'a>(pub(crate) &'a str);

impl fmt::Display for ErrorText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (head, more) = cut(self.0.as_bytes(), MAX_ERROR_TEXT);
        write!(f, "{}{more}", String::from_utf8_lossy(head))
    }
}

/// The full length of a truncated text.
struct Whole(Option<usize>);

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |bytes| write!(f, "… ({bytes} bytes)"))
    }
}

/// Truncates a text at a character boundary.
fn cut(text: &[u8], limit: usize) -> (&[u8], Whole) {
    if text.len() <= limit {
        return (text, Whole(None));
    }
    // A UTF-8 character has at most four bytes; all but the first start with the bits 10.
    let is_inside = |at: usize| text[at] & 0b1100_0000 == 0b1000_0000;
    let end = (limit - 3..=limit).rev().find(|at| !is_inside(*at)).unwrap_or(limit);
    (&text[..end], Whole(Some(text.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_quoted_whole_and_stays_on_its_line() {
        assert_eq!(Quote::of("a\"b\n\u{1b}é").to_string(), "\"a\\\"b\\n\\u{1b}é\"");
        assert_eq!(Quote::of(&[b'a', 0xff]).to_string(), "\"a\u{fffd}\"");
        let longest = "x".repeat(MAX_QUOTE);
        assert_eq!(Quote::of(&longest).to_string(), format!("{longest:?}"));
    }

    #[test]
    fn a_long_text_is_cut_at_a_character_boundary_and_its_length_stated() {
        for character in ["x", "é", "€", "😀"] {
            for before in 0..4 {
                let text = "-".repeat(before) + &character.repeat(MAX_QUOTE + 1);
                let quote = Quote::of(&text).to_string();
                let (head, more) = quote.split_once('…').expect("it is cut");
                assert!(text.starts_with(head.trim_matches('"')), "{quote}");
                assert!(head.len() - 2 > MAX_QUOTE - 4 && head.len() - 2 <= MAX_QUOTE, "{quote}");
                assert_eq!(more, format!(" ({} bytes)", text.len()));
            }
        }
        assert_eq!(ErrorText(&"x".repeat(1001)).to_string(), format!("{}… (1001 bytes)", "x".repeat(MAX_ERROR_TEXT)));
    }

    #[test]
    fn a_quote_of_any_bytes_is_bounded() {
        for byte in 0..=255 {
            let quote = Quote::of(&[byte; 1000]).to_string();
            assert!(quote.len() <= 6 * MAX_QUOTE + 30, "{quote}");
        }
    }
}
