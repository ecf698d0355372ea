//! How long a search may go on that could take for ever.

use std::fmt;
use std::rc::Rc;

/// When a checker has to give up. Checkers read no clock: a host that has one says when time is over.
#[derive(Clone, Default)]
pub enum Budget {
    /// After so many steps as each search has a bound for: the same on every machine.
    #[default]
    Steps,
    /// When this says so, which is asked now and then; the bounds on memory hold all the same.
    Until(Rc<dyn Fn() -> bool>),
}

impl Budget {
    /// Until a host says that time is over.
    pub fn until(is_over: impl Fn() -> bool + 'static) -> Self {
        Self::Until(Rc::new(is_over))
    }

    /// Whether to give up now, whatever has been done so far.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self {
            Self::Steps => false,
            Self::Until(is_over) => is_over(),
        }
    }

    /// How many steps a search may take that has this bound.
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
