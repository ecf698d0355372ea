//! A client: one request at a time, and what its answer means for the history (reference §2).

mod reason;

use std::rc::Rc;

use serde_json::value::RawValue;

use crate::time::{Duration, Time};
use crate::workbench::edn::Value;
use crate::workbench::history::Kind;
use crate::workbench::json;
use crate::workbench::network::Array;
use crate::workbench::quote::quote;

pub use reason::{Misfit, Reason, Silence, Stray, Unfinished};

/// How long a client waits for `init_ok`, unless `--init-timeout` says otherwise.
pub const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client waits for anything else, unless the workload says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(5);

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
    pub timeout: Duration,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientReply {
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
    Unreadable {
        /// Why.
        why: String,
        /// The body, fit to be quoted.
        body: String,
    },
    /// Nothing, in time.
    TimedOut(Silence),
}

/// How a workload's clients take trouble (the two tables of reference §2.4).
#[derive(Debug, Clone, Copy)]
pub struct ErrorPolicy {
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
    /// The same for people, with all that is known.
    pub reason: Box<Reason>,
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

/// A code's number, its name, and whether it says for certain that nothing happened.
fn named(code: i64) -> Option<(i64, &'static str, bool)> {
    CODES.into_iter().find(|(number, ..)| *number == code)
}

impl ErrorPolicy {
    /// Turns the answer to operation `f` into the fields of a reply in shape, or into trouble.
    ///
    /// # Errors
    ///
    /// The trouble, ready for the history.
    pub fn judge(&self, f: &str, answer: ClientReply, schema: &Schema) -> Result<Vec<(Box<str>, Value)>, Trouble> {
        answer.in_shape(|members| schema.fault(members)).map_err(|reason| self.trouble(f, reason))
    }

    fn trouble(&self, f: &str, reason: Reason) -> Trouble {
        let unsure = if self.idempotent.contains(&f) { Kind::Fail } else { Kind::Info };
        let understood = |kind, error, reason| Trouble { kind, error, exception: None, reason: Box::new(reason) };
        match &reason {
            Reason::Malformed { fault, .. } => {
                exception(&format!("Malformed RPC response. It cannot be used: {fault}."), reason)
            }
            Reason::Silence(_) if self.maps_errors => understood(unsure, keyword("net-timeout"), reason),
            Reason::Silence(_) => exception("Client read timeout", reason),
            Reason::Error { code, text } => {
                let (_, name, definite) = code.and_then(named).unwrap_or((-1, "unknown", false));
                if !self.maps_errors {
                    let text = if let Value::Str(text) = text { format!(": {text}") } else { String::new() };
                    return exception(&format!("RPC error {name}{text}"), reason);
                }
                let kind = if definite { Kind::Fail } else { unsure };
                let error = Value::Vector(vec![keyword(name), text.clone()]);
                understood(kind, error, reason)
            }
        }
    }
}

impl ClientReply {
    /// The members of a reply in which `fault` finds nothing wrong.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn in_shape(
        self,
        fault: impl FnOnce(&[(Box<str>, Value)]) -> Option<String>,
    ) -> Result<Vec<(Box<str>, Value)>, Reason> {
        match self {
            Self::Reply(members) => match fault(&members) {
                None => Ok(members),
                Some(fault) => Err(Reason::Malformed { fault, body: quote(&object(members)) }),
            },
            Self::Unreadable { why, body } => {
                Err(Reason::Malformed { fault: format!("the reply cannot be read ({why})"), body })
            }
            Self::TimedOut(silence) => Err(Reason::Silence(silence)),
            Self::Error { code, text } => Err(Reason::Error { code, text }),
        }
    }
}

/// The text of a JSON object with these members.
fn object(members: Vec<(Box<str>, Value)>) -> String {
    Value::Map(members.into_iter().map(|(key, value)| (Value::Str(key), value)).collect()).to_json()
}

impl Schema {
    /// What is wrong with a reply, if anything, in a sentence.
    #[must_use]
    pub fn fault(&self, members: &[(Box<str>, Value)]) -> Option<String> {
        if let Some(fault) = self.wrong_type(members) {
            return Some(fault);
        }
        let mut missing: Vec<&str> = self.fields.iter().map(|(name, _)| *name).collect();
        for (key, value) in members {
            let known = self.fields.iter().find(|(name, _)| *name == &**key);
            match (&**key, known) {
                ("type", _) => {}
                ("in_reply_to" | "msg_id", _) if is_integer(value) => {}
                (key, Some((_, test))) if test(value) => missing.retain(|name| *name != key),
                (key, Some(_)) | (key @ ("in_reply_to" | "msg_id"), None) => {
                    return Some(format!("the value of the reply's `{key}` has the wrong type"));
                }
                (key, None) => {
                    return Some(format!("the reply has the key `{}`, which does not belong there", quote(key)));
                }
            }
        }
        missing.first().map(|name| format!("the reply lacks the key `{name}`"))
    }

    /// What is wrong with a reply's `type`, if anything, in a sentence.
    #[must_use]
    pub fn wrong_type(&self, members: &[(Box<str>, Value)]) -> Option<String> {
        let kind = members.iter().find(|(key, _)| &**key == "type").map(|(_, kind)| kind);
        match kind {
            None => Some("the reply has no `type`".to_owned()),
            Some(Value::Str(kind)) if **kind == *self.kind => None,
            Some(Value::Str(kind)) => Some(format!("the reply has the type `{}`, not `{}`", quote(kind), self.kind)),
            Some(kind) => Some(format!("the reply has the type {}, not `{}`", quote(&kind.to_json()), self.kind)),
        }
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

/// An exception that no client expects, in the shape in which Clojure prints one.
fn exception(message: &str, reason: Reason) -> Trouble {
    let text = Value::Str(message.into());
    let via = Value::Map(vec![
        (keyword("type"), Value::Symbol("clojure.lang.ExceptionInfo".into())),
        (keyword("message"), text.clone()),
    ]);
    Trouble {
        kind: Kind::Info,
        error: Value::Str(format!("indeterminate: {message}").into()),
        exception: Some(Value::Map(vec![(keyword("via"), Value::Vector(vec![via])), (keyword("cause"), text)])),
        reason: Box::new(reason),
    }
}

/// One client: numbers its requests from 1 and waits for one answer at a time.
#[derive(Debug, Clone)]
pub struct Client {
    /// On whose behalf it asks: the index of a node or of a worker thread.
    pub owner: usize,
    /// The node it talks to, by index.
    pub node: usize,
    name: Rc<str>,
    sent: u64,
    waiting: Option<Waiting>,
}

/// A request without an answer so far.
#[derive(Debug, Clone)]
struct Waiting {
    deadline: Time,
    timeout: Duration,
    /// The most telling message that was no answer.
    stray: Option<Box<Stray>>,
}

impl Waiting {
    /// Keeps the first message that may have been meant as the answer; one that answers an earlier request hardly was.
    fn pass_over(&mut self, stray: Stray) {
        if self.stray.as_ref().is_none_or(|known| known.misfit.is_late() && !stray.misfit.is_late()) {
            self.stray = Some(Box::new(stray));
        }
    }
}

impl Client {
    /// A client that has sent nothing yet.
    #[must_use]
    pub fn new(owner: usize, node: usize, name: &str) -> Self {
        Self { owner, node, name: name.into(), sent: 0, waiting: None }
    }

    /// Begins a request at `now`; returns the body to send.
    pub fn ask(&mut self, request: &Request, now: Time) -> String {
        self.sent += 1;
        self.waiting = Some(Waiting { deadline: now + request.timeout, timeout: request.timeout, stray: None });
        let open = request.body.strip_suffix('}').unwrap_or(&request.body);
        format!("{open},\"msg_id\":{}}}", self.sent)
    }

    /// When it gives up waiting, if it waits.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.waiting.as_ref().map(|waiting| waiting.deadline)
    }

    /// What it has heard instead of an answer so far.
    #[must_use]
    pub fn stray(&self) -> Option<&Stray> {
        self.waiting.as_ref()?.stray.as_deref()
    }

    /// Reads a message that `src` sent it, with the long list in it if there is one; `None` when that does not answer
    /// the outstanding request.
    pub fn hear(&mut self, src: &Rc<str>, body: &str, array: Option<&Array>) -> Option<ClientReply> {
        let waiting = self.waiting.as_mut()?;
        let short = array.map(|array| array.leave_out(body));
        let text = short.as_deref().unwrap_or(body);
        let members = json::members(text).ok()?;
        let member = |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, value)| value.get());
        let kind = member("type").and_then(|text| json::value(text).ok());
        if let Some(misfit) = misfit(member("in_reply_to"), self.sent) {
            let (src, dest, client) = (Rc::clone(src), Rc::clone(&self.name), Rc::clone(&self.name));
            let kind = kind.as_ref().and_then(Value::as_str).map(quote);
            waiting.pass_over(Stray { src, dest, client, kind, body: quote(body), misfit });
            return None;
        }
        self.waiting = None;
        if kind.is_some_and(|kind| kind.as_str() == Some("error")) {
            return Some(ClientReply::Error {
                code: member("code").and_then(|text| text.parse().ok()),
                text: member("text").and_then(|text| json::value(text).ok()).unwrap_or(Value::Nil),
            });
        }
        let read = |(key, value): &(std::borrow::Cow<str>, &RawValue)| {
            let list = array.and_then(|array| array.list_at(text, value.get()));
            let value = list.map_or_else(|| json::value(value.get()), |list| Ok(Value::Ints(list.clone())));
            Ok((key.as_ref().into(), value?))
        };
        Some(match members.iter().map(read).collect::<Result<Vec<_>, serde_json::Error>>() {
            Ok(members) => ClientReply::Reply(members),
            Err(error) => ClientReply::Unreadable { why: error.to_string(), body: quote(body) },
        })
    }

    /// Takes note of a message that its node sent to somebody else: it may have been meant as the answer.
    pub fn overhear(&mut self, src: &Rc<str>, dest: &Rc<str>, body: &str, array: Option<&Array>) {
        let Some(waiting) = &mut self.waiting else { return };
        let short = array.map(|array| array.leave_out(body));
        let Ok(members) = json::members(short.as_deref().unwrap_or(body)) else { return };
        let member = |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, value)| value.get());
        if misfit(member("in_reply_to"), self.sent).is_some() {
            return;
        }
        let kind = member("type").and_then(|text| json::value(text).ok());
        let kind = kind.as_ref().and_then(Value::as_str).map(quote);
        let (src, dest, client) = (Rc::clone(src), Rc::clone(dest), Rc::clone(&self.name));
        waiting.pass_over(Stray { src, dest, client, kind, body: quote(body), misfit: Misfit::Elsewhere });
    }

    /// Gives up if it has waited long enough; `unfinished` is what its node has written without a line end.
    pub fn expire(&mut self, now: Time, unfinished: impl FnOnce() -> Option<Unfinished>) -> Option<ClientReply> {
        let Waiting { timeout, stray, .. } = self.waiting.take_if(|waiting| waiting.deadline <= now)?;
        Some(ClientReply::TimedOut(Silence { timeout, stray, unfinished: unfinished() }))
    }
}

/// Why a message with this `in_reply_to` does not answer request `wanted`, if it does not.
fn misfit(in_reply_to: Option<&str>, wanted: u64) -> Option<Misfit> {
    match in_reply_to {
        None => Some(Misfit::Missing),
        Some(given) if !json::is_integer(given) => Some(Misfit::NotAnInteger { given: quote(given), wanted }),
        Some(given) if given.parse() == Ok(wanted) => None,
        Some(given) => Some(Misfit::Other { given: quote(given), wanted }),
    }
}

#[cfg(test)]
mod tests;
