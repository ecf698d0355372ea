//! The budget of searches that can take exponential time.

use std::fmt;
use std::rc::Rc;

/// When a checker has to give up. Checkers read no clock; a host with a clock provides the deadline.
#[derive(Clone, Default)]
pub enum Budget {
    /// After the number of steps that each search sets: deterministic on every machine.
    #[default]
    Steps,
    /// When this function returns true; it is called now and then. The limits on memory still apply.
    Until(Rc<dyn Fn() -> bool>),
}

impl Budget {
    /// Until a function of the host returns true.
    pub fn until(is_over: impl Fn() -> bool + 'static) -> Self {
        Self::Until(Rc::new(is_over))
    }

    /// Whether the deadline of the host has passed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self {
            Self::Steps => false,
            Self::Until(is_over) => is_over(),
        }
    }

    /// The maximum number of steps of a search with this limit.
    pub(super) const fn steps(&self, bound: u64) -> u64 {
        match self {
            Self::Steps => bound,
            Self::Until(_) => u64::MAX,
        }
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Steps => "Steps",
            Self::Until(_) => "Until",
        })
    }
}
