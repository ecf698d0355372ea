//! EDN, the notation of Maelstrom's histories and results.

/// One EDN value; also what a JSON value becomes in a history (reference §1.4: only the top-level keys of
/// a body turn into keywords).
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `nil`
    Nil,
    /// `true`, `false`
    Bool(bool),
    /// `42`
    Int(i64),
    /// An integer that an `i64` cannot hold, by its digits.
    Big(Box<str>),
    /// `0.5`
    Float(f64),
    /// `"text"`
    Str(Box<str>),
    /// `:valid?`, without the colon
    Keyword(std::borrow::Cow<'static, str>),
    /// `clojure.lang.ExceptionInfo`
    Symbol(Box<str>),
    /// `(1 2)`
    List(Vec<Value>),
    /// `[1 2]`
    Vector(Vec<Value>),
    /// `[1 2]` where every element is an integer: eight bytes an element, for the long reads of broadcast.
    Ints(Vec<i64>),
    /// `{:a 1}`, in the order written
    Map(Vec<(Value, Value)>),
    /// `#{1 2}`
    Set(Vec<Value>),
    /// `#tag value`
    Tagged(Box<str>, Box<Value>),
}
