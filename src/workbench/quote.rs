//! Quotes untrusted text: on one line, in visible characters, and of limited length.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The maximum length of a quote in characters: enough for a message of Maelstrom's workloads without long lists.
pub const MAX_QUOTE: usize = 400;

/// Quotes a text. Control characters and invisible ones are escaped; a text that is too long is cut, with its full
/// length appended.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut quote = String::with_capacity(text.len().min(MAX_QUOTE));
    for (count, c) in text.chars().enumerate() {
        if count == MAX_QUOTE {
            write!(quote, "… ({} bytes in all)", text.len()).expect("a string takes everything");
            break;
        }
        if is_visible(c) { quote.push(c) } else { quote.extend(c.escape_default()) }
    }
    quote
}

/// A word as a POSIX shell reads it back.
#[must_use]
pub fn shell_word(word: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:,=+@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

/// A text cut to `most` characters, with an ellipsis if any were cut.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Whether a character is visible and affects neither the terminal nor the direction of the text around it.
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
    fn control_and_invisible_characters_are_escaped() {
        assert_eq!(quote("a\x1b[31m\nb \u{202e}é"), "a\\u{1b}[31m\\nb \\u{202e}é");
        assert_eq!(quote("\u{feff}{}"), "\\u{feff}{}");
    }

    #[test]
    fn words_are_read_back_by_a_shell_as_they_were() {
        let words = ["--loss", "a b", "", "it's", "$HOME", "`id`", "\"\\", "*", "\n", "é", "~", "#", "n0,n1", "a=b"];
        let line: Vec<_> = words.map(shell_word).to_vec();
        let mut shell = std::process::Command::new("/bin/sh");
        let printed = shell.args(["-c", &format!("printf '%s|' {}", line.join(" "))]).output().expect("a shell");
        assert_eq!(String::from_utf8_lossy(&printed.stdout), words.map(|word| format!("{word}|")).concat());
        assert_eq!(shell_word("./bin/my-node_2.py"), "./bin/my-node_2.py");
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_followed_by_its_length() {
        assert_eq!(quote(&"é".repeat(MAX_QUOTE)), "é".repeat(MAX_QUOTE));
        let long = quote(&"é".repeat(MAX_QUOTE + 1));
        assert_eq!(long, format!("{}… ({} bytes in all)", "é".repeat(MAX_QUOTE), 2 * MAX_QUOTE + 2));
        assert_eq!((&*cut("ééé", 2), &*cut("éé", 2)), ("éé…", "éé"));
    }
}
