//! Groups the exceptions of clients by class (protocol §12.4).
//!
//! An exception is the map that Clojure's `Throwable->map` gives, under the operation's key `:exception`;
//! its class is the `:type` of the first entry of its `:via`.

use super::{CheckReport, Verdict};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Op, OpKind};

/// The exceptions of one class.
#[derive(Debug, Clone, PartialEq)]
pub struct Exceptions {
    /// The class.
    pub class: Value,
    /// Their number.
    pub count: usize,
    /// The first operation with one.
    pub example: Op,
}

/// The classes of exceptions, most frequent first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExceptionsReport(pub Vec<Exceptions>);

/// Always valid.
#[must_use]
pub fn check(history: &History) -> ExceptionsReport {
    let mut classes: Vec<Exceptions> = Vec::new();
    for op in history.ops().iter().filter(|op| op.kind == OpKind::Info) {
        let Some(exception) = op.extra("exception") else { continue };
        let class = class_of(exception);
        if let Some(known) = classes.iter_mut().find(|known| known.class == class) {
            known.count += 1;
        } else {
            classes.push(Exceptions { class, count: 1, example: op.clone() });
        }
    }
    classes.sort_by_key(|class| std::cmp::Reverse(class.count));
    ExceptionsReport(classes)
}

fn class_of(exception: &Value) -> Value {
    let first = exception.get("via").and_then(Value::items).and_then(|mut via| via.next());
    first.and_then(|first| first.get("type").cloned()).unwrap_or(Value::Nil)
}

impl CheckReport for ExceptionsReport {
    fn verdict(&self) -> Verdict {
        Verdict::True
    }

    fn to_edn(&self) -> Value {
        let valid = ("valid?", true.into());
        if self.0.is_empty() {
            return Value::record([valid]);
        }
        let classes = self.0.iter().map(|Exceptions { class, count, example }| {
            let count = ("count", Value::count(*count));
            Value::record([count, ("class", class.clone()), ("example", example.to_value())])
        });
        Value::record([valid, ("exceptions", Value::List(classes.collect()))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_grouped_by_class_and_the_most_frequent_comes_first() {
        let op = |index, class| {
            format!(
                "{{:index {index}, :time 0, :type :info, :process 0, :f :add, :value 1, \
                 :exception {{:via [{{:type {class}}}]}}, :error \"indeterminate\"}}"
            )
        };
        let lines =
            [op(0, "java.lang.Error"), op(1, "clojure.lang.ExceptionInfo"), op(2, "clojure.lang.ExceptionInfo")];
        let result = check(&lines.concat().parse().expect("a history")).to_edn().to_string();
        let expected = "{:valid? true, :exceptions ({:count 2, :class clojure.lang.ExceptionInfo, \
                        :example #jepsen.history.Op{:index 1, ";
        assert!(result.starts_with(expected), "{result}");
        assert!(result.contains("{:count 1, :class java.lang.Error, "), "{result}");
    }

    #[test]
    fn without_exceptions_there_is_no_list() {
        assert_eq!(check(&History::default()).to_edn().to_string(), "{:valid? true}");
    }
}
