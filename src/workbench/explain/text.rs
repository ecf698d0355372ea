//! Explanations as lines for the terminal.

use crate::workbench::explain::words::seconds;
use crate::workbench::explain::{Explanation, Hint, Step};
use crate::workbench::quote::cut;

/// The maximum length of a line: an explanation has few of them, which may wrap.
const MAX_CHARS: usize = 400;

/// The width of the column of times.
const WIDTH: usize = 9;

impl Explanation {
    /// The title, a line for each step, and one for each hint; at most `most` lines, of which there must be at least
    /// three.
    #[must_use]
    pub fn lines(&self, most: usize) -> Vec<String> {
        let line = |Step { time_us, sentence, .. }: &Step| {
            let at = time_us.filter(|us| *us > 0).map_or_else(String::new, seconds);
            cut(&format!("{at:>WIDTH$}  {sentence}"), MAX_CHARS)
        };
        let hint =
            |Hint { pattern, sentence }: &Hint| cut(&format!("{:>WIDTH$}  {pattern}: {sentence}", "hint:"), MAX_CHARS);
        let mut lines = vec![cut(&format!("{}: {}", self.anomaly, self.title), MAX_CHARS)];
        lines.extend(self.steps.iter().map(line).chain(self.hints.iter().map(hint)));
        if lines.len() > most {
            // The conclusion is at the end, so the middle is left out.
            let ending = lines.split_off(lines.len() - most / 2);
            let left_out = lines.len() - (most - most / 2 - 1);
            lines.truncate(most - most / 2 - 1);
            lines.push(format!("{:>WIDTH$}  … {left_out} more steps", ""));
            lines.extend(ending);
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::explain::Claim;

    #[test]
    fn a_long_explanation_loses_its_middle() {
        let step = |number: i64| Step::of(Claim::Remark, format!("step {number}")).at(number * 1_000_000);
        let steps = (1..=20).map(step).collect();
        let explanation = Explanation {
            anomaly: "lost",
            title: "4 is lost".to_owned(),
            key: None,
            value: None,
            steps,
            hints: Vec::new(),
        };
        let lines = explanation.lines(12);
        assert_eq!(lines.len(), 12);
        assert_eq!(lines[0], "lost: 4 is lost");
        assert_eq!(lines[5], "           … 10 more steps");
        assert_eq!(lines[11], "  20.00 s  step 20");
        assert_eq!(explanation.lines(21).len(), 21);
    }
}
