//! Text as Markdown, for the summaries of jobs in continuous integration.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

/// Appends text to a file, which is created if it does not exist.
pub fn append(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).open(path)?.write_all(text.as_bytes())
}

/// A text that reads the same in a paragraph or a cell of a table, on one line.
pub fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '\n' | '\r' => escaped.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '#' | '&' | '$' => {
                escaped.extend(['\\', letter]);
            }
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// A block of code; its fence is longer than any in it.
pub fn code(text: &str) -> String {
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}console\n{text}\n{fence}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_text_is_escaped() {
        assert_eq!(escape("a|b *c*\n<d> `e`"), "a\\|b \\*c\\* \\<d\\> \\`e\\`");
    }

    #[test]
    fn a_fence_is_longer_than_those_inside() {
        assert_eq!(code("ls"), "```console\nls\n```\n");
        assert!(code("```` `").starts_with("`````console\n"));
    }

    #[test]
    fn a_file_is_appended_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("summary.md");
        append(&path, "a").and_then(|()| append(&path, "b")).expect("written");
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), "ab");
    }
}
