//! Demands that every echo come back as it was sent (protocol §13.1).
//!
//! A time-out, an error and a malformed reply bring no echo back, so each of them invalidates.

use super::Verdict;
use crate::workbench::edn::Value;
use crate::workbench::history::{History, Kind};

/// How many wrong answers are told in words.
const MAX_TOLD: usize = 3;

/// Invalid if any request was not answered by itself.
#[must_use]
pub fn check(history: &History) -> Value {
    let mut told = Vec::new();
    let errors = history.pairs().filter_map(|(invocation, completion)| {
        let received = completion.map_or(&Value::Nil, |completion| &completion.value);
        let echo = received.get("echo").unwrap_or(&Value::Nil);
        let complaint =
            ["Expected a message with :echo".into(), invocation.value.clone(), "But received".into(), received.clone()];
        (!invocation.value.same(echo)).then(|| {
            if told.len() < MAX_TOLD {
                let sent = &invocation.value;
                let words = match completion.filter(|completion| completion.kind == Kind::Ok) {
                    Some(_) => format!("{sent} came back as {echo}"),
                    None => format!("{sent} did not come back"),
                };
                told.push(Value::Vector(vec![Value::str(words)]));
            }
            Value::Vector(complaint.into())
        })
    });
    let errors: Vec<_> = errors.collect();
    let verdict = ("valid?", Verdict::from(errors.is_empty()).to_value());
    if errors.is_empty() {
        return Value::record([verdict, ("errors", Value::List(errors))]);
    }
    let told = Value::record([("in-words", Value::record([("errors", Value::Vector(told))]))]);
    Value::record([verdict, ("errors", Value::List(errors)), ("gloomers", told)])
}

#[cfg(test)]
mod tests {
    use super::super::tests::history;
    use super::*;

    #[test]
    fn an_echo_that_comes_back_unchanged_is_valid() {
        let result = check(&history(&[
            "0 invoke echo \"Please echo 7\"",
            "0 ok echo {:type \"echo_ok\", :echo \"Please echo 7\", :in_reply_to 1}",
        ]));
        assert_eq!(result.to_string(), "{:valid? true, :errors ()}");
    }

    #[test]
    fn another_echo_is_invalid() {
        let result = check(&history(&["0 invoke echo \"a\"", "0 ok echo {:echo \"b\"}"]));
        let errors = result.get("errors").expect("errors").to_string();
        assert_eq!(errors, "([\"Expected a message with :echo\" \"a\" \"But received\" {:echo \"b\"}])");
        let ours = result.get("gloomers").expect("words").to_string();
        assert_eq!(ours, "{:in-words {:errors [[\"\\\"a\\\" came back as \\\"b\\\"\"]]}}");
    }

    #[test]
    fn a_request_without_an_answer_is_invalid() {
        for lines in [&["0 invoke echo \"a\"", "0 info echo \"a\""][..], &["0 invoke echo \"a\""][..]] {
            assert_eq!(Verdict::of(&check(&history(lines))), Verdict::False);
        }
    }
}
