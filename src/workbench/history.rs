//! What clients and the nemesis did and saw, in order.

use std::borrow::Cow;

use super::edn::Value;

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It begins.
    Invoke,
    /// It took effect.
    Ok,
    /// It did not, and never will.
    Fail,
    /// It may have, or may yet (and everything the nemesis does).
    Info,
}

/// Who performs an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Process {
    /// A client process: thread number, plus the concurrency for each crash so far.
    Client(u64),
    /// The nemesis.
    Nemesis,
}

/// One line of a history.
#[derive(Debug, Clone, PartialEq)]
pub struct Op {
    /// Position in the history, from 0.
    pub index: u64,
    /// Nanoseconds since every node answered `init` (reference §5, step 5).
    pub time: i64,
    /// Invocation or outcome.
    pub kind: Kind,
    /// Who.
    pub process: Process,
    /// What: `broadcast`, `read`, `start-partition`, ... without the colon.
    pub f: Cow<'static, str>,
    /// The operation's value; its meaning depends on `f`.
    pub value: Value,
    /// Why it failed or is indeterminate: `:net-timeout`, `[:crash "…"]`, ...
    pub error: Option<Value>,
    /// Further keys, e.g. `:final? true` and `:exception`.
    pub extra: Vec<(Value, Value)>,
}
