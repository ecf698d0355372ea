//! A client: one request at a time, and what its answer means for the history (reference §2).

use serde_json::value::RawValue;

use super::edn::Value;
use super::history::Kind;
use super::json;
use crate::time::{Duration, Time};

/// How long a client waits for `init_ok`, unless `--init-timeout` says otherwise.
pub const INIT_PATIENCE: Duration = Duration::from_secs(10);
/// How long a client waits for anything else, unless the workload says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A field of a reply, and the test that its value must pass.
pub type Field = (&'static str, fn(&Value) -> bool);

/// The shape of a reply: exactly these fields, besides `type`, `in_reply_to` and an optional `msg_id`.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// The reply's `type`.
    pub kind: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
}

/// A request that a client is to send.
#[derive(Debug, Clone)]
pub struct Request {
    /// The text of a JSON object with at least one key, but without `msg_id`.
    pub body: String,
    /// What a good reply looks like.
    pub reply: Schema,
    /// How long to wait for it.
    pub patience: Duration,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A body that is not an error: its members, in the order written.
    Reply(Vec<(Box<str>, Value)>),
    /// A body of type `error`.
    Error {
        /// Its code, if that is an integer.
        code: Option<i64>,
        /// Its text.
        text: Value,
    },
    /// A body that answers the request but cannot be read.
    Unreadable(String),
    /// Nothing, in time.
    TimedOut,
}

/// How a workload's clients take trouble (the two tables of reference §2.4).
#[derive(Debug, Clone, Copy)]
pub struct Conduct {
    /// Whether errors and time-outs are understood; if not, each is an exception.
    pub maps_errors: bool,
    /// Operations that change nothing, so that trouble means failure.
    pub idempotent: &'static [&'static str],
    /// Whether a client goes on after an operation of unknown outcome, rather than being replaced.
    pub reusable: bool,
}

/// Why an operation did not end well, as the history records it.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    /// [`Kind::Fail`] or [`Kind::Info`].
    pub kind: Kind,
    /// The `:error`.
    pub error: Value,
    /// The `:exception`, where there is one.
    pub exception: Option<Value>,
}

/// Codes with a name, and whether they say for certain that nothing happened (reference §2.3).
const CODES: [(i64, &str, bool); 11] = [
    (0, "timeout", false),
    (1, "node-not-found", true),
    (10, "not-supported", true),
    (11, "temporarily-unavailable", true),
    (12, "malformed-request", true),
    (13, "crash", false),
    (14, "abort", true),
    (20, "key-does-not-exist", true),
    (21, "key-already-exists", true),
    (22, "precondition-failed", true),
    (30, "txn-conflict", true),
];

impl Conduct {
    /// Turns the answer to operation `f` into the fields of a reply in shape, or into trouble.
    ///
    /// # Errors
    ///
    /// The trouble, ready for the history.
    pub fn judge(&self, f: &str, answer: Answer, schema: &Schema) -> Result<Vec<(Box<str>, Value)>, Trouble> {
        let idempotent = self.idempotent.contains(&f);
        let unsure = if idempotent { Kind::Fail } else { Kind::Info };
        match answer {
            Answer::Reply(members) => match schema.fault(&members) {
                None => Ok(members),
                Some(fault) => Err(malformed(&fault)),
            },
            Answer::Unreadable(reason) => Err(malformed(&reason)),
            Answer::TimedOut if self.maps_errors => {
                Err(Trouble { kind: unsure, error: keyword("net-timeout"), exception: None })
            }
            Answer::TimedOut => Err(exception("Client read timeout")),
            Answer::Error { code, text } => {
                let named = CODES.iter().find(|(number, ..)| Some(*number) == code);
                let (_, name, definite) = named.copied().unwrap_or((-1, "unknown", false));
                if !self.maps_errors {
                    let text = if let Value::Str(text) = text { format!(": {text}") } else { String::new() };
                    return Err(exception(&format!("RPC error {name}{text}")));
                }
                let kind = if definite { Kind::Fail } else { unsure };
                Err(Trouble { kind, error: Value::Vector(vec![keyword(name), text]), exception: None })
            }
        }
    }
}

impl Schema {
    /// What is wrong with a reply, if anything.
    fn fault(&self, members: &[(Box<str>, Value)]) -> Option<String> {
        let mut missing: Vec<&str> = self.fields.iter().map(|(name, _)| *name).collect();
        let mut typed = false;
        for (key, value) in members {
            let known = self.fields.iter().find(|(name, _)| *name == &**key);
            match (&**key, known) {
                ("type", _) if *value == Value::Str(self.kind.into()) => typed = true,
                ("type", _) => return Some(format!("its type is not {:?}", self.kind)),
                ("in_reply_to" | "msg_id", _) if is_integer(value) => {}
                (key, Some((_, test))) if test(value) => missing.retain(|name| *name != key),
                (key, Some(_)) | (key @ ("in_reply_to" | "msg_id"), None) => {
                    return Some(format!("the value of {key:?} has the wrong type"));
                }
                (key, None) => return Some(format!("the key {key:?} does not belong there")),
            }
        }
        if !typed {
            return Some("it has no type".into());
        }
        missing.first().map(|name| format!("the key {name:?} is missing"))
    }
}

/// Any value will do.
#[must_use]
pub fn is_anything(_: &Value) -> bool {
    true
}

/// `5`, but not `5.0`.
#[must_use]
pub fn is_integer(value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::Big(_))
}

/// An array, or `null` (reference §2.6).
#[must_use]
pub fn is_list(value: &Value) -> bool {
    matches!(value, Value::Ints(_) | Value::Vector(_) | Value::Nil)
}

fn keyword(name: &'static str) -> Value {
    Value::Keyword(name.into())
}

fn malformed(reason: &str) -> Trouble {
    exception(&format!("Malformed RPC response. The reply cannot be used: {reason}."))
}

/// An exception that no client expects, in the shape in which Clojure prints one.
fn exception(message: &str) -> Trouble {
    let text = Value::Str(message.into());
    let via = Value::Map(vec![
        (keyword("type"), Value::Symbol("clojure.lang.ExceptionInfo".into())),
        (keyword("message"), text.clone()),
    ]);
    Trouble {
        kind: Kind::Info,
        error: Value::Str(format!("indeterminate: {message}").into()),
        exception: Some(Value::Map(vec![(keyword("via"), Value::Vector(vec![via])), (keyword("cause"), text)])),
    }
}

/// One client: numbers its requests from 1 and waits for one answer at a time.
#[derive(Debug, Clone)]
pub struct Client {
    /// On whose behalf it asks: the index of a node or of a worker thread.
    pub owner: usize,
    /// The node it talks to, by index.
    pub node: usize,
    sent: u64,
    deadline: Option<Time>,
}

impl Client {
    /// A client that has sent nothing yet.
    #[must_use]
    pub fn new(owner: usize, node: usize) -> Self {
        Self { owner, node, sent: 0, deadline: None }
    }

    /// Begins a request at `now`; returns the body to send.
    pub fn ask(&mut self, request: &Request, now: Time) -> String {
        self.sent += 1;
        self.deadline = Some(now + request.patience);
        let open = request.body.strip_suffix('}').unwrap_or(&request.body);
        format!("{open},\"msg_id\":{}}}", self.sent)
    }

    /// When it gives up waiting, if it waits.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.deadline
    }

    /// Reads a message's body; `None` when that does not answer the outstanding request.
    pub fn hear(&mut self, body: &str) -> Option<Answer> {
        self.deadline?;
        let members = json::members(body).ok()?;
        let member = |name: &str| members.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.get());
        let answers = member("in_reply_to").and_then(|text| text.parse::<u64>().ok()) == Some(self.sent);
        if !answers {
            return None;
        }
        self.deadline = None;
        if member("type") == Some("\"error\"") {
            return Some(Answer::Error {
                code: member("code").and_then(|text| text.parse().ok()),
                text: member("text").and_then(|text| json::value(text).ok()).unwrap_or(Value::Nil),
            });
        }
        let read =
            |(key, value): &(std::borrow::Cow<str>, &RawValue)| Ok((key.as_ref().into(), json::value(value.get())?));
        Some(match members.iter().map(read).collect::<Result<Vec<_>, serde_json::Error>>() {
            Ok(members) => Answer::Reply(members),
            Err(error) => Answer::Unreadable(error.to_string()),
        })
    }

    /// Gives up if it has waited long enough.
    pub fn expire(&mut self, now: Time) -> Option<Answer> {
        self.deadline.take_if(|deadline| *deadline <= now).map(|_| Answer::TimedOut)
    }
}

#[cfg(test)]
mod tests;
