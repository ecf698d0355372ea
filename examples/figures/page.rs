//! Markdown: aligned tables, and replacement of the marked parts of a page.

use std::fmt::Write as _;

use crate::measure::Error;

/// A table: its first column is text, the others are numbers.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(heads: &[&str]) -> Self {
        Self { rows: vec![heads.iter().map(ToString::to_string).collect()] }
    }

    /// Appends a row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The text, with a newline after each row.
    pub(crate) fn text(&self) -> String {
        let widths: Vec<usize> = (0..self.rows[0].len())
            .map(|column| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default())
            .collect();
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                // Writing to a String cannot fail.
                if column == 0 { write!(text, "| {cell:<width$} ") } else { write!(text, "| {cell:>width$} ") }.ok();
            }
            text.push_str("|\n");
            if number == 0 {
                for (column, &width) in widths.iter().enumerate() {
                    let end = if column == 0 { '-' } else { ':' };
                    write!(text, "|{}{end}", "-".repeat(width + 1)).ok();
                }
                text.push_str("|\n");
            }
        }
        text
    }
}

/// Replaces the text between `<!-- name -->` and `<!-- end of name -->`.
pub(crate) fn replace(page: &str, name: &str, text: &str) -> Result<String, Error> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n"));
    let parts = page.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) = parts.ok_or_else(|| format!("the page lacks the lines {begin}{end}"))?;
    Ok(format!("{before}{begin}\n{text}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned() {
        let mut table = Table::new(&["a", "messages"]);
        table.row(vec!["long".into(), "1".into()]);
        assert_eq!(table.text(), "| a    | messages |\n|------|---------:|\n| long |        1 |\n");
    }

    #[test]
    fn a_part_is_replaced_and_the_rest_stays() {
        let page = "one\n<!-- x -->\nold\n<!-- end of x -->\ntwo\n";
        let new = replace(page, "x", "new\n").expect("it is there");
        assert_eq!(new, "one\n<!-- x -->\n\nnew\n\n<!-- end of x -->\ntwo\n");
        assert_eq!(replace(&new, "x", "new\n").expect("it is there"), new);
        assert!(replace(page, "y", "new\n").is_err());
    }
}
