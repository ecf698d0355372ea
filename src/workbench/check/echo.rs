//! Demands that every echo come back as it was sent (protocol §13.1).
//!
//! A time-out, an error and a malformed reply bring no echo back, so each of them invalidates.

use super::{CheckReport, Verdict, Violation, in_words};
use crate::workbench::edn::Value;
use crate::workbench::history::{History, OpKind};

/// The maximum number of wrong replies that are explained in words.
const MAX_TOLD: usize = 3;

/// A request whose reply does not echo it.
#[derive(Debug, Clone, PartialEq)]
pub struct WrongEcho {
    /// The value of the request.
    pub sent: Value,
    /// The whole reply; nil if there was none.
    pub received: Value,
    /// Whether it was acknowledged.
    pub answered: bool,
}

/// The requests whose replies do not echo them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EchoReport(pub Vec<WrongEcho>);

/// Checks echoes: invalid if any reply is missing or wrong.
#[must_use]
pub fn check(history: &History) -> EchoReport {
    let wrong = history.pairs().filter_map(|(invocation, completion)| {
        let wrong = WrongEcho {
            sent: invocation.value.clone(),
            received: completion.map_or(Value::Nil, |completion| completion.value.clone()),
            answered: completion.is_some_and(|completion| completion.kind == OpKind::Ok),
        };
        (!wrong.sent.same(wrong.echo())).then_some(wrong)
    });
    EchoReport(wrong.collect())
}

impl WrongEcho {
    fn echo(&self) -> &Value {
        self.received.get("echo").unwrap_or(&Value::Nil)
    }

    fn sentence(&self) -> String {
        let sent = self.sent.to_json();
        if self.answered {
            format!("{sent} came back as {}", self.echo().to_json())
        } else {
            format!("{sent} did not come back")
        }
    }
}

impl CheckReport for EchoReport {
    fn verdict(&self) -> Verdict {
        Verdict::from(self.0.is_empty())
    }

    fn to_edn(&self) -> Value {
        let errors = self.0.iter().map(|WrongEcho { sent, received, .. }| {
            let (expected, but) = ("Expected a message with :echo".into(), "But received".into());
            Value::Vector(vec![expected, sent.clone(), but, received.clone()])
        });
        let words = (!self.0.is_empty()).then(|| {
            let words = in_words(std::iter::once(("errors", self.explanation())));
            ("gloomers", Value::record([words]))
        });
        let result = [("valid?", self.verdict().to_value()), ("errors", Value::List(errors.collect()))];
        Value::record(result.into_iter().chain(words))
    }

    fn violations(&self) -> Vec<Violation> {
        let violation = |first: &WrongEcho| {
            let (count, first) = (self.0.len(), first.sentence());
            Violation { anomaly: "errors", count, sentence: format!("wrong answers ({count}), the first: {first}") }
        };
        self.0.first().map(violation).into_iter().collect()
    }

    fn explanation(&self) -> Vec<Vec<String>> {
        self.0.iter().take(MAX_TOLD).map(|wrong| vec![wrong.sentence()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{history, run};
    use super::*;

    #[test]
    fn an_echo_that_comes_back_unchanged_is_valid() {
        let reply = "0 ok echo {:type \"echo_ok\", :echo \"Please echo 7\", :in_reply_to 1}";
        let result = check(&history(&["0 invoke echo \"Please echo 7\"", reply]));
        assert_eq!(result.to_edn().to_string(), "{:valid? true, :errors ()}");
    }

    #[test]
    fn another_echo_is_invalid() {
        let result = check(&history(&["0 invoke echo \"a\"", "0 ok echo {:echo \"b\"}"])).to_edn();
        let errors = result.get("errors").expect("errors").to_string();
        assert_eq!(errors, "([\"Expected a message with :echo\" \"a\" \"But received\" {:echo \"b\"}])");
        let ours = result.get("gloomers").expect("words").to_string();
        assert_eq!(ours, "{:in-words {:errors [[\"\\\"a\\\" came back as \\\"b\\\"\"]]}}");
    }

    #[test]
    fn a_request_without_an_answer_is_invalid() {
        for line in ["0 info echo \"a\"", "0 invoke echo \"a\""] {
            assert_eq!(check(&run(&[line])).verdict(), Verdict::False);
        }
    }
}
