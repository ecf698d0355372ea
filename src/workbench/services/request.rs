//! Requests and replies of the services (the table of protocol §8.1).

use std::rc::Rc;

use crate::workbench::edn::Value;
use crate::workbench::json;

/// A JSON value, held as text and compared by value.
#[derive(Debug, Clone)]
pub(super) struct JsonText(Rc<str>);

impl JsonText {
    fn value(&self) -> Option<Value> {
        json::value(&self.0).ok()
    }

    /// Equality by value: `1` is not `1.0`, and the order of an object's keys does not matter.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.0 == other.0 || matches!((self.value(), other.value()), (Some(a), Some(b)) if a.same(&b))
    }

    /// The value as error texts quote it.
    fn quoted(&self) -> String {
        self.value().map_or_else(|| self.0.to_string(), |value| value.to_string())
    }
}

/// A request of a known type.
#[derive(Debug)]
pub(super) struct ServiceRequest {
    /// The key in a canonical form: equal for equal JSON values.
    pub(super) key: String,
    pub(super) operation: Operation,
    /// The text of the `msg_id`, or `null`.
    pub(super) msg_id: Box<str>,
}

#[derive(Debug)]
pub(super) enum Operation {
    Read,
    Write(JsonText),
    Cas { from: JsonText, to: JsonText, create: bool },
    Timestamp,
}

#[derive(Debug)]
pub(super) enum Reply {
    Value(JsonText),
    Done(&'static str),
    Error(u32, String),
    Timestamp(u64),
}

/// Reads a body. A missing field is null.
pub(super) fn parse(body: &str) -> Option<ServiceRequest> {
    let members = json::members(body).ok()?;
    let text = |name: &str| members.iter().find(|(key, _)| key == name).map_or("null", |(_, value)| value.get());
    let datum = |name: &str| JsonText(text(name).into());
    let kind = json::value(text("type")).ok()?;
    let operation = match kind.as_str()? {
        "read" => Operation::Read,
        "write" => Operation::Write(datum("value")),
        "cas" => {
            let create = !matches!(text("create_if_not_exists"), "null" | "false");
            Operation::Cas { from: datum("from"), to: datum("to"), create }
        }
        "ts" => Operation::Timestamp,
        _ => return None,
    };
    let key = json::value(text("key")).map_or_else(|_| text("key").to_owned(), |key| key.identity().to_string());
    Some(ServiceRequest { key, operation, msg_id: text("msg_id").into() })
}

impl Operation {
    /// The value to store, if any, and the reply, given the key's current value.
    pub(super) fn apply(&self, current: Option<&JsonText>, may_create: bool) -> (Option<JsonText>, Reply) {
        match (self, current) {
            (Self::Write(value), _) => (Some(value.clone()), Reply::Done("write_ok")),
            (Self::Read, Some(value)) => (None, Reply::Value(value.clone())),
            (Self::Cas { from, to, .. }, Some(value)) if value.same(from) => (Some(to.clone()), Reply::Done("cas_ok")),
            (Self::Cas { from, .. }, Some(value)) => {
                let text = format!("current value {} is not {}", value.quoted(), from.quoted());
                (None, Reply::Error(22, text))
            }
            (Self::Cas { to, create: true, .. }, None) if may_create => (Some(to.clone()), Reply::Done("cas_ok")),
            (Self::Read | Self::Cas { .. } | Self::Timestamp, _) => {
                (None, Reply::Error(20, "key does not exist".into()))
            }
        }
    }
}

impl Reply {
    pub(super) fn body(&self, msg_id: &str) -> String {
        let (kind, rest) = match self {
            Self::Value(value) => ("read_ok", format!(",\"value\":{}", value.0)),
            Self::Done(kind) => (*kind, String::new()),
            Self::Timestamp(ts) => ("ts_ok", format!(",\"ts\":{ts}")),
            Self::Error(code, text) => {
                ("error", format!(",\"code\":{code},\"text\":{}", serde_json::Value::from(text.as_str())))
            }
        };
        format!("{{\"type\":\"{kind}\"{rest},\"in_reply_to\":{msg_id}}}")
    }
}
