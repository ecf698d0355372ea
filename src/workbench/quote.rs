//! Quotes of what others wrote: on one line, in characters that show, and no longer than people read.

use std::fmt::Write as _;

/// At most so many characters of a text are quoted. A message of Maelstrom's workloads stays whole, unless it carries
/// long lists.
pub const LONGEST: usize = 400;

/// A text as it is quoted to people. What commands a terminal or does not show is escaped; of a text that is too long
/// only the beginning stands there, with the length of the whole.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut quote = String::with_capacity(text.len().min(LONGEST));
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST {
            write!(quote, "… ({} bytes in all)", text.len()).expect("a string takes everything");
            break;
        }
        if is_visible(c) { quote.push(c) } else { quote.extend(c.escape_default()) }
    }
    quote
}

/// The beginning of a text: at most so many characters, and an ellipsis if any were left out.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Whether a character shows and changes neither the terminal nor the direction of the text around it.
fn is_visible(c: char) -> bool {
    let is_format = matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    );
    !c.is_control() && !is_format
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_is_one_line_that_commands_no_terminal_and_hides_nothing() {
        assert_eq!(quote("a\x1b[31m\nb \u{202e}é"), "a\\u{1b}[31m\\nb \\u{202e}é");
        assert_eq!(quote("\u{feff}{}"), "\\u{feff}{}");
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_its_length_is_told() {
        assert_eq!(quote(&"é".repeat(LONGEST)), "é".repeat(LONGEST));
        let cut = quote(&"é".repeat(LONGEST + 1));
        assert_eq!(cut, format!("{}… ({} bytes in all)", "é".repeat(LONGEST), 2 * LONGEST + 2));
    }
}
