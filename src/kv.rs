//! Typed calls to Maelstrom's services (protocol §8): seq-kv, lin-kv, lww-kv and lin-tso.
//!
//! Keys and values are anything that can be written as JSON. The answer to each call comes to
//! [`Node::on_response`], where [`found`], [`written`], [`swapped`] and [`timestamp`]
//! read it.
//! Each call has a deadline, and is sent again as its [`Policy`] allows. A failure is [definite](CallError::Refused) or
//! [not](CallError::Unknown): what may yet take effect is never said to have failed.
//!
//! ```
//! use gossip_gloomers::kv::{self, SEQ_KV};
//! use gossip_gloomers::node::{Response, NodeContext, Node, ReplyTo};
//! use gossip_gloomers::outbox::Outbox;
//! use gossip_gloomers::requests;
//! use gossip_gloomers::wire::ErrorCode;
//!
//! requests! {
//!     /// What the node is asked.
//!     pub enum Request<'a> {
//!         /// Name the number of visitors.
//!         "read" => Read {},
//!     }
//! }
//!
//! struct Visitors;
//!
//! impl Node for Visitors {
//!     type Request<'a> = Request<'a>;
//!     type Timer = std::convert::Infallible;
//!     type Call = ReplyTo;
//!     type Options = ();
//!
//!     fn start(_: &NodeContext<'_, ()>, _: &mut Outbox<Self>) -> Self {
//!         Self
//!     }
//!
//!     fn on_request(&mut self, from: ReplyTo, _: Request<'_>, out: &mut Outbox<Self>) {
//!         SEQ_KV.read("visitors", from, out);
//!     }
//!
//!     fn on_response(&mut self, from: ReplyTo, answer: Response<'_>, out: &mut Outbox<Self>) {
//!         match kv::found::<u64>(answer) {
//!             Ok(count) => out.reply(from, "read_ok").field("value", count.unwrap_or(0)).end(),
//!             Err(_) => out.reply_error(from, ErrorCode::TEMPORARILY_UNAVAILABLE, "seq-kv does not answer"),
//!         }
//!     }
//! }
//! ```

use crate::node::{Node, Response, Service};
use crate::outbox::Outbox;
use crate::time::Duration;
use crate::wire::{Encode, ErrorCode, Field, Json};

pub use crate::outbox::{Policy, Repetition};

/// Four seconds, as clients wait for five; again after about one second, two, and four. Reads and timestamps are sent
/// again whenever there is no answer, writes and comparisons only when they were refused for the moment.
pub const PATIENT: Policy = Policy {
    timeout: Duration::from_secs(4),
    pause: Duration::from_secs(1),
    longest_pause: Duration::from_secs(4),
    repetition: Repetition::Forbidden,
};

/// Sequentially consistent keys and values: a node that has written nothing for a while may read what was, up to 31
/// changes ago (protocol §8.3).
pub const SEQ_KV: Store = Store { service: Service::SeqKv, policy: PATIENT };
/// Linearizable keys and values.
pub const LIN_KV: Store = Store { service: Service::LinKv, policy: PATIENT };
/// Keys and values where the last write wins, eventually; reads may be of the past, and writes lost (protocol §8.4).
pub const LWW_KV: Store = Store { service: Service::LwwKv, policy: PATIENT };

/// One of the three services that keep values by key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Store {
    service: Service,
    policy: Policy,
}

/// What a compare-and-set does about a key that has no value; lww-kv always refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// Give it the new value, whatever the old should have been.
    Create,
    /// Change nothing.
    Refuse,
}

impl Store {
    /// The same service under another policy. Its `repetition` applies to writes and comparisons; reads always repeat.
    #[must_use]
    pub const fn with(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// Asks for the value of a key; see [`found`].
    pub fn read<N: Node>(self, key: impl Encode, call: N::Call, out: &mut Outbox<N>) {
        let policy = Policy { repetition: Repetition::Harmless, ..self.policy };
        out.call_with_retry(self.service, policy, call, "read", |line| line.field("key", key).end());
    }

    /// Gives a key a value; see [`written`].
    pub fn write<N: Node>(self, key: impl Encode, value: impl Encode, call: N::Call, out: &mut Outbox<N>) {
        out.call_with_retry(self.service, self.policy, call, "write", |line| {
            line.field("key", key).field("value", value).end();
        });
    }

    /// Gives a key the value `to` if it has the value `from`; see [`swapped`].
    pub fn cas<N: Node>(
        self,
        key: impl Encode,
        (from, to): (impl Encode, impl Encode),
        absent: Absent,
        call: N::Call,
        out: &mut Outbox<N>,
    ) {
        out.call_with_retry(self.service, self.policy, call, "cas", |line| {
            let line = line.field("key", key).field("from", from).field("to", to);
            match absent {
                Absent::Create => line.field("create_if_not_exists", true).end(),
                Absent::Refuse => line.end(),
            }
        });
    }
}

/// Asks lin-tso for a timestamp that is greater than any that was answered before; see [`timestamp`].
pub fn ask_timestamp<N: Node>(policy: Policy, call: N::Call, out: &mut Outbox<N>) {
    let policy = Policy { repetition: Repetition::Harmless, ..policy };
    out.call_with_retry(Service::LinTso, policy, call, "ts", |_| {});
}

/// Why a call came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallError {
    /// It had and will have no effect.
    Refused(ErrorCode),
    /// It may have had, or may yet have, its effect.
    Unknown,
    /// The answer is not what such a call is answered with, or its value is of another type.
    Unexpected,
}

/// What a comparison led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swap {
    /// The key has the new value.
    Done,
    /// It had another than the one it should have had.
    Differs,
    /// There is no such key.
    Absent,
}

/// What a [read](Store::read) found; `None` if there is no such key. A [`Json`] takes a value of any type.
///
/// # Errors
/// The value is not known.
pub fn found<'a, T: Field<'a>>(answer: Response<'a>) -> Result<Option<T>, CallError> {
    match reply(answer, "read_ok") {
        Ok(body) => {
            let value = body.get("value").ok_or(CallError::Unexpected)?;
            T::read(value).map(Some).map_err(|_| CallError::Unexpected)
        }
        Err(CallError::Refused(ErrorCode::KEY_DOES_NOT_EXIST)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Whether a [write](Store::write) was carried out.
///
/// # Errors
/// It was not, or may not have been.
pub fn written(answer: Response<'_>) -> Result<(), CallError> {
    reply(answer, "write_ok").map(drop)
}

/// What a [comparison](Store::cas) led to.
///
/// # Errors
/// It is not known.
pub fn swapped(answer: Response<'_>) -> Result<Swap, CallError> {
    match reply(answer, "cas_ok") {
        Ok(_) => Ok(Swap::Done),
        Err(CallError::Refused(ErrorCode::PRECONDITION_FAILED)) => Ok(Swap::Differs),
        Err(CallError::Refused(ErrorCode::KEY_DOES_NOT_EXIST)) => Ok(Swap::Absent),
        Err(failure) => Err(failure),
    }
}

/// The time that lin-tso told.
///
/// # Errors
/// It told none.
pub fn timestamp(answer: Response<'_>) -> Result<u64, CallError> {
    reply(answer, "ts_ok")?.get("ts").and_then(Json::as_u64).ok_or(CallError::Unexpected)
}

fn reply<'a>(answer: Response<'a>, expected: &str) -> Result<Json<'a>, CallError> {
    match answer {
        Response::Reply { kind, body } if kind == expected => Ok(body),
        Response::Reply { .. } => Err(CallError::Unexpected),
        Response::Error { code, .. } if code.is_definite() => Err(CallError::Refused(code)),
        Response::Error { .. } | Response::Expired => Err(CallError::Unknown),
    }
}
