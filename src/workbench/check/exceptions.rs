//! Groups the exceptions that clients ran into (protocol §12.4).
//!
//! An exception is the map that Clojure's `Throwable->map` gives, under the operation's key `:exception`;
//! its class is the `:type` of the first entry of its `:via`.

use crate::workbench::edn::Value;
use crate::workbench::history::{History, Kind, Op};

/// Always valid; lists the classes of exceptions, most frequent first, each with the first operation that
/// met it.
#[must_use]
pub fn check(history: &History) -> Value {
    let mut groups: Vec<(Value, usize, &Op)> = Vec::new();
    for op in history.ops().iter().filter(|op| op.kind == Kind::Info) {
        let Some(exception) = op.extra("exception") else { continue };
        let class = class_of(exception);
        if let Some((_, count, _)) = groups.iter_mut().find(|(known, ..)| *known == class) {
            *count += 1;
        } else {
            groups.push((class, 1, op));
        }
    }
    let mut result = vec![(Value::keyword("valid?"), true.into())];
    if !groups.is_empty() {
        groups.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
        let groups = groups.into_iter().map(|(class, count, example)| {
            Value::record([("count", Value::count(count)), ("class", class), ("example", example.to_value())])
        });
        result.push((Value::keyword("exceptions"), Value::List(groups.collect())));
    }
    Value::Map(result)
}

fn class_of(exception: &Value) -> Value {
    let first = exception.get("via").and_then(Value::items).and_then(|mut via| via.next());
    first.and_then(|first| first.get("type").cloned()).unwrap_or(Value::Nil)
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
        let result = check(&lines.concat().parse().expect("a history")).to_string();
        let expected = "{:valid? true, :exceptions ({:count 2, :class clojure.lang.ExceptionInfo, \
                        :example #jepsen.history.Op{:index 1, ";
        assert!(result.starts_with(expected), "{result}");
        assert!(result.contains("{:count 1, :class java.lang.Error, "), "{result}");
    }

    #[test]
    fn without_exceptions_there_is_no_list() {
        assert_eq!(check(&History::default()).to_string(), "{:valid? true}");
    }
}
