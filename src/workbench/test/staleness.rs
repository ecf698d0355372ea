//! Nodes whose last read of seq-kv was stale, which seq-kv allows and a counter must take into account.

use std::fmt::{self, Display};

use crate::time::{Duration, Time};
use crate::workbench::services::StaleRead;

/// A node whose last read of some key of seq-kv was stale, in times of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaleReader {
    /// The node's id.
    pub node: String,
    /// When the state that it read was created.
    pub state: Duration,
    /// When it read it.
    pub read: Duration,
}

impl StaleReader {
    /// Converts to times of a history that began at `zero`.
    pub(super) fn of(node: &str, StaleRead { state, read }: StaleRead, zero: Time) -> Self {
        Self { node: node.to_owned(), state: state.since(zero), read: read.since(zero) }
    }
}

impl Display for StaleReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, state, read } = self;
        let (state, read) = (state.as_secs_f64(), read.as_secs_f64());
        write!(
            f,
            "{node} read seq-kv's state of {state:.1} s at {read:.1} s, though it had been written again since; a \
             write of its own first would have shown it the newest"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outdated_read_is_told_in_times_of_the_history() {
        let read = StaleRead { state: Time::from_millis(13_300), read: Time::from_millis(32_200) };
        let text = StaleReader::of("n1", read, Time::from_millis(1_000)).to_string();
        assert!(text.starts_with("n1 read seq-kv's state of 12.3 s at 31.2 s, "), "{text}");
    }
}
