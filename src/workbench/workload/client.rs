//! A client: one request at a time, and the meaning of its reply for the history (protocol §2).

mod reason;

use std::rc::Rc;

use serde_json::value::RawValue;

use crate::time::{Duration, Time};
use crate::workbench::edn::Value;
use crate::workbench::history::OpKind;
use crate::workbench::json;
use crate::workbench::network::Array;
use crate::workbench::quote::quote;

pub use reason::{Mismatch, Reason, StrayMessage, TimeoutHints, Unfinished};

/// The time-out for `init_ok`, unless `--init-timeout` is given.
pub const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// The time-out for all other replies, unless the workload has its own.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// A field of a reply, and the predicate that its value must satisfy.
pub type Field = (&'static str, fn(&Value) -> bool);

/// The shape of a reply: exactly these fields, besides `type`, `in_reply_to` and an optional `msg_id`.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// The reply's `type`.
    pub kind: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
}

/// A request for a client to send.
#[derive(Debug, Clone)]
pub struct Request {
    /// The text of a JSON object with at least one key, but without `msg_id`.
    pub body: String,
    /// The schema of a valid reply.
    pub reply: Schema,
    /// How long to wait for the reply.
    pub timeout: Duration,
}

impl Request {
    /// A request with the usual time-out, and the type and the fields of its reply.
    pub fn new(body: impl Into<String>, kind: &'static str, fields: &'static [Field]) -> Self {
        Self { body: body.into(), reply: Schema { kind, fields }, timeout: TIMEOUT }
    }
}

/// The result of a request.
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
    /// A reply to the request whose body cannot be read.
    Unreadable {
        /// Why.
        why: String,
        /// The body, shortened and escaped.
        body: String,
    },
    /// No reply in time.
    TimedOut(TimeoutHints),
}

/// How a workload's clients treat errors (the two tables of protocol §2.4).
#[derive(Debug, Clone, Copy)]
pub struct ErrorPolicy {
    /// Whether errors and time-outs are mapped to outcomes; if not, each is an exception.
    pub maps_errors: bool,
    /// Operations without effect, so that any error means failure.
    pub idempotent: &'static [&'static str],
    /// Whether a client is kept after an operation of unknown outcome, rather than replaced.
    pub reusable: bool,
}

/// An operation that did not succeed, as the history records it.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationFailure {
    /// [`OpKind::Fail`] or [`OpKind::Info`].
    pub kind: OpKind,
    /// The `:error`.
    pub error: Value,
    /// The `:exception`, where there is one.
    pub exception: Option<Value>,
    /// The same for people, with all details.
    pub reason: Box<Reason>,
}

/// Error codes with their names, and whether they are definite (protocol §2.3).
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

/// The entry of a code in [`CODES`].
fn named(code: i64) -> Option<(i64, &'static str, bool)> {
    CODES.into_iter().find(|(number, ..)| *number == code)
}

impl ErrorPolicy {
    /// Validates the reply to operation `f`; returns its fields.
    ///
    /// # Errors
    ///
    /// The operation did not succeed; the error has what the history records.
    pub fn judge(
        &self,
        f: &str,
        answer: ClientReply,
        schema: &Schema,
    ) -> Result<Vec<(Box<str>, Value)>, OperationFailure> {
        answer.in_shape(|members| schema.fault(members)).map_err(|reason| self.failure(f, reason))
    }

    fn failure(&self, f: &str, reason: Reason) -> OperationFailure {
        let unsure = if self.idempotent.contains(&f) { OpKind::Fail } else { OpKind::Info };
        let understood =
            |kind, error, reason| OperationFailure { kind, error, exception: None, reason: Box::new(reason) };
        match &reason {
            Reason::Malformed { fault, .. } => {
                exception(&format!("Malformed RPC response. It cannot be used: {fault}."), reason)
            }
            Reason::TimeoutHints(_) if self.maps_errors => understood(unsure, keyword("net-timeout"), reason),
            Reason::TimeoutHints(_) => exception("Client read timeout", reason),
            Reason::Error { code, text } => {
                let (_, name, definite) = code.and_then(named).unwrap_or((-1, "unknown", false));
                if !self.maps_errors {
                    let text = if let Value::Str(text) = text { format!(": {text}") } else { String::new() };
                    return exception(&format!("RPC error {name}{text}"), reason);
                }
                let kind = if definite { OpKind::Fail } else { unsure };
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
    /// There is no valid reply, for this reason.
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
            Self::TimedOut(silence) => Err(Reason::TimeoutHints(silence)),
            Self::Error { code, text } => Err(Reason::Error { code, text }),
        }
    }
}

impl ClientReply {
    /// The body of the reply, or why there is none.
    pub fn in_words(self) -> String {
        match self.in_shape(|_| None) {
            Ok(members) => object(members),
            Err(reason) => reason.of_request("send"),
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

/// Accepts any value.
#[must_use]
pub fn is_anything(_: &Value) -> bool {
    true
}

/// `5`, but not `5.0`.
#[must_use]
pub fn is_integer(value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::Big(_))
}

/// An array, or `null` (protocol §2.6).
#[must_use]
pub fn is_list(value: &Value) -> bool {
    matches!(value, Value::Ints(_) | Value::Vector(_) | Value::Nil)
}

fn keyword(name: &'static str) -> Value {
    Value::Keyword(name.into())
}

/// An unhandled exception, in the form in which Clojure prints one.
fn exception(message: &str, reason: Reason) -> OperationFailure {
    let text = Value::Str(message.into());
    let via = Value::Map(vec![
        (keyword("type"), Value::Symbol("clojure.lang.ExceptionInfo".into())),
        (keyword("message"), text.clone()),
    ]);
    OperationFailure {
        kind: OpKind::Info,
        error: Value::Str(format!("indeterminate: {message}").into()),
        exception: Some(Value::Map(vec![(keyword("via"), Value::Vector(vec![via])), (keyword("cause"), text)])),
        reason: Box::new(reason),
    }
}

/// One client: numbers its requests from 1 and waits for one answer at a time.
#[derive(Debug, Clone)]
pub struct Client {
    /// The index of the node or of the worker thread that it acts for.
    pub owner: usize,
    /// The node it talks to, by index.
    pub node: usize,
    name: Rc<str>,
    sent: u64,
    /// The last request that was answered.
    answered: u64,
    waiting: Option<Waiting>,
}

/// An outstanding request.
#[derive(Debug, Clone)]
struct Waiting {
    deadline: Time,
    timeout: Duration,
    /// The most informative message that was not the reply.
    stray: Option<Box<StrayMessage>>,
}

impl Waiting {
    /// Keeps the first message that may have been meant as the reply. A late reply to an earlier request yields to
    /// others.
    fn note_stray(&mut self, stray: StrayMessage) {
        if self.stray.as_ref().is_none_or(|known| known.mismatch.is_late() && !stray.mismatch.is_late()) {
            self.stray = Some(Box::new(stray));
        }
    }
}

impl Client {
    /// A client that has sent nothing yet.
    #[must_use]
    pub fn new(owner: usize, node: usize, name: &str) -> Self {
        Self { owner, node, name: name.into(), sent: 0, answered: 0, waiting: None }
    }

    /// Starts a request at `now`; returns the body to send.
    pub fn ask(&mut self, request: &Request, now: Time) -> String {
        self.sent += 1;
        self.waiting = Some(Waiting { deadline: now + request.timeout, timeout: request.timeout, stray: None });
        let open = request.body.strip_suffix('}').unwrap_or(&request.body);
        format!("{open},\"msg_id\":{}}}", self.sent)
    }

    /// The time-out of the outstanding request, if there is one.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.waiting.as_ref().map(|waiting| waiting.deadline)
    }

    /// What it has received so far instead of a reply.
    #[must_use]
    pub fn stray(&self) -> Option<&StrayMessage> {
        self.waiting.as_ref()?.stray.as_deref()
    }

    /// Reads a message from `src`, with the long list in it if there is one; `None` if it does not answer the
    /// outstanding request.
    pub fn receive(&mut self, src: &Rc<str>, body: &str, array: Option<&Array>) -> Option<ClientReply> {
        let waiting = self.waiting.as_mut()?;
        let short = array.map(|array| array.leave_out(body));
        let text = short.as_deref().unwrap_or(body);
        let members = json::members(text).ok()?;
        let member = |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, value)| value.get());
        let kind = member("type").and_then(|text| json::value(text).ok());
        if let Some(mismatch) = mismatch(member("in_reply_to"), self.sent) {
            let (src, dest, client) = (Rc::clone(src), Rc::clone(&self.name), Rc::clone(&self.name));
            let kind = kind.as_ref().and_then(Value::as_str).map(quote);
            waiting.note_stray(StrayMessage { src, dest, client, kind, body: quote(body), mismatch });
            return None;
        }
        (self.waiting, self.answered) = (None, self.sent);
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

    /// Whether it has made a request of this number, to which this is not a second answer in a row.
    #[must_use]
    pub fn expects(&self, in_reply_to: u64) -> bool {
        (1..=self.sent).contains(&in_reply_to) && in_reply_to != self.answered
    }

    /// Gives up the outstanding request, if there is one.
    pub fn close(&mut self) {
        self.waiting = None;
    }

    /// Notes a message of its node to another destination, which may have been meant as the reply.
    pub fn note_misdirected(&mut self, src: &Rc<str>, dest: &Rc<str>, body: &str, array: Option<&Array>) {
        let Some(waiting) = &mut self.waiting else { return };
        let short = array.map(|array| array.leave_out(body));
        let Ok(members) = json::members(short.as_deref().unwrap_or(body)) else { return };
        let member = |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, value)| value.get());
        if mismatch(member("in_reply_to"), self.sent).is_some() {
            return;
        }
        let kind = member("type").and_then(|text| json::value(text).ok());
        let kind = kind.as_ref().and_then(Value::as_str).map(quote);
        let (src, dest, client) = (Rc::clone(src), Rc::clone(dest), Rc::clone(&self.name));
        waiting.note_stray(StrayMessage { src, dest, client, kind, body: quote(body), mismatch: Mismatch::Elsewhere });
    }

    /// Times out if the deadline has passed; `unfinished` is what its node has written without a line end.
    pub fn expire(&mut self, now: Time, unfinished: impl FnOnce() -> Option<Unfinished>) -> Option<ClientReply> {
        let Waiting { timeout, stray, .. } = self.waiting.take_if(|waiting| waiting.deadline <= now)?;
        Some(ClientReply::TimedOut(TimeoutHints { timeout, stray, unfinished: unfinished() }))
    }
}

/// Why a message with this `in_reply_to` does not answer request `wanted`, if it does not.
fn mismatch(in_reply_to: Option<&str>, wanted: u64) -> Option<Mismatch> {
    match in_reply_to {
        None => Some(Mismatch::Missing),
        Some(given) if !json::is_integer(given) => Some(Mismatch::NotAnInteger { given: quote(given), wanted }),
        Some(given) if given.parse() == Ok(wanted) => None,
        Some(given) => Some(Mismatch::Other { given: quote(given), wanted }),
    }
}

#[cfg(test)]
mod tests;
