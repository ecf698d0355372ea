//! Whether a test comes out the same a second time, byte for byte; if not, where the two first differ.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use ruzstd::decoding::StreamingDecoder;

use crate::workbench::explain::file;
use crate::workbench::quote::quote;
use crate::workbench::report::store::COMPRESSED;

/// How much of a line is shown before the difference, and from there on, in bytes.
const BEFORE: usize = 60;
const AFTER: usize = 120;

/// The first difference between two runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FirstDifference {
    file: String,
    /// From 1.
    line: usize,
    /// The line in both runs, or what is left of it around the difference; `None` where the file has ended.
    lines: [Option<String>; 2],
}

/// Compares the messages, histories, results and logs in the folders of two runs. The messages come first: the first
/// difference shows there.
pub(super) fn compare(folders: [&Path; 2]) -> io::Result<Option<FirstDifference>> {
    let compressed = format!("history.edn{COMPRESSED}");
    let mut files: Vec<_> = [file::NAME, "history.edn", &compressed, "results.edn"].map(str::to_owned).to_vec();
    let mut logs = BTreeSet::new();
    for folder in folders {
        for log in folder.join("node-logs").read_dir()? {
            logs.insert(format!("node-logs/{}", log?.file_name().display()));
        }
    }
    files.extend(logs);
    for file in files {
        let [first, second] = folders.map(|folder| read(&folder.join(&file)));
        if let Some(difference) = first_difference(&file, &first?, &second?) {
            return Ok(Some(difference));
        }
    }
    Ok(None)
}

/// The contents of a file, without its compression; nothing if there is no such file.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    let mut contents = Vec::new();
    if path.extension().is_some_and(|ending| ending == COMPRESSED.trim_start_matches('.')) {
        StreamingDecoder::new(file).map_err(io::Error::other)?.read_to_end(&mut contents)?;
    } else {
        (&file).read_to_end(&mut contents)?;
    }
    Ok(contents)
}

fn first_difference(file: &str, first: &[u8], second: &[u8]) -> Option<FirstDifference> {
    let same = first.iter().zip(second).take_while(|(one, other)| one == other).count();
    if same == first.len() && same == second.len() {
        return None;
    }
    let begin = memchr::memrchr(b'\n', &first[..same]).map_or(0, |end| end + 1);
    let line = memchr::memchr_iter(b'\n', &first[..begin]).count() + 1;
    let excerpt = |bytes: &[u8]| {
        let end = memchr::memchr(b'\n', &bytes[begin..]).map_or(bytes.len(), |length| begin + length);
        let (from, to) = (begin.max(same.saturating_sub(BEFORE)), end.min(same + AFTER));
        let (left, right) = (if from > begin { "…" } else { "" }, if to < end { "…" } else { "" });
        let text = quote(&String::from_utf8_lossy(&bytes[from..to]));
        (begin < bytes.len()).then(|| format!("{left}{text}{right}"))
    };
    Some(FirstDifference { file: file.to_owned(), line, lines: [excerpt(first), excerpt(second)] })
}

/// Three lines for people.
impl fmt::Display for FirstDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, lines } = self;
        write!(f, "{file}, line {line}")?;
        for (run, line) in ["first", "again"].into_iter().zip(lines) {
            write!(f, "\n    {run}   {}", line.as_deref().unwrap_or("(the file has ended)"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(first: &str, second: &str) -> Option<String> {
        first_difference("log", first.as_bytes(), second.as_bytes()).map(|difference| difference.to_string())
    }

    #[test]
    fn what_is_the_same_has_no_difference() {
        assert_eq!(compared("a\nb\n", "a\nb\n"), None);
        assert_eq!(compared("", ""), None);
    }

    #[test]
    fn the_first_line_that_differs_is_shown_as_it_is_in_both() {
        let shown = "log, line 2\n    first   b 1\n    again   b 2";
        assert_eq!(compared("a\nb 1\nc\n", "a\nb 2\nd\n").as_deref(), Some(shown));
        let shown = "log, line 3\n    first   (the file has ended)\n    again   c";
        assert_eq!(compared("a\nb\n", "a\nb\nc\n").as_deref(), Some(shown));
        let shown = "log, line 1\n    first   \n    again   b";
        assert_eq!(compared("\na", "b\na").as_deref(), Some(shown));
    }

    #[test]
    fn of_a_long_line_what_is_around_the_difference_is_shown() {
        let [first, second] = ["1", "2"].map(|middle| format!("{}{middle}{}", "x".repeat(500), "y".repeat(500)));
        let shown = compared(&first, &second).expect("it differs");
        let side = |middle| format!("…{}{middle}{}…", "x".repeat(BEFORE), "y".repeat(AFTER - 1));
        assert_eq!(shown, format!("log, line 1\n    first   {}\n    again   {}", side("1"), side("2")));
    }
}
