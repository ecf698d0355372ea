//! Typed clients of Maelstrom's services (protocol §8): seq-kv, lin-kv, lww-kv and lin-tso.
//!
//! Keys and values are any type that can be written as JSON. The response to a call is passed to [`Node::on_response`],
//! where [`found`], [`written`], [`swapped`] or [`timestamp`] interprets it. Each call has a deadline, and is
//! retransmitted as its [`Policy`] allows. Failures are [definite](CallError::Definite) or
//! [indefinite](CallError::Indefinite): an operation that may yet take effect never fails definitely.
//!
//! ```
//! use gossip_gloomers::kv::{self, SEQ_KV};
//! use gossip_gloomers::node::{Response, NodeContext, Node, ReplyTo};
//! use gossip_gloomers::outbox::Outbox;
//! use gossip_gloomers::requests;
//! use gossip_gloomers::wire::ErrorCode;
//!
//! requests! {
//!     /// Requests to the node.
//!     pub enum Request<'a> {
//!         /// Read the number of visitors.
//!         "read" => Read {},
//!     }
//! }
//!
//! #[derive(Debug)]
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
//!     fn on_response(&mut self, from: ReplyTo, response: Response<'_>, out: &mut Outbox<Self>) {
//!         match kv::found::<u64>(response) {
//!             Ok(count) => out.reply(from, "read_ok").field("value", count.unwrap_or(0)).end(),
//!             Err(_) => out.reply_error(from, ErrorCode::TEMPORARILY_UNAVAILABLE, "seq-kv did not respond"),
//!         }
//!     }
//! }
//! ```

use crate::node::{Node, Response, Service};
use crate::outbox::Outbox;
use crate::time::Duration;
use crate::wire::{Encode, ErrorCode, Field, Json};

pub use crate::outbox::{Policy, Repetition};

/// A time-out of 4 s, since clients wait for 5 s, and retries after about 1, 2 and 4 s. Reads and timestamps are
/// retried whenever there is no response, writes and compare-and-sets only if they failed as temporarily unavailable.
pub const DEFAULT_POLICY: Policy = Policy {
    timeout: Duration::from_secs(4),
    pause: Duration::from_secs(1),
    longest_pause: Duration::from_secs(4),
    repetition: Repetition::Forbidden,
};

/// The sequentially consistent store: a node that has not written for a while may read a state up to 31 changes old
/// (protocol §8.3).
pub const SEQ_KV: KvClient = KvClient { service: Service::SeqKv, policy: DEFAULT_POLICY };
/// The linearizable store.
pub const LIN_KV: KvClient = KvClient { service: Service::LinKv, policy: DEFAULT_POLICY };
/// The eventually consistent store, where the last write wins: reads may be stale and writes lost (protocol §8.4).
pub const LWW_KV: KvClient = KvClient { service: Service::LwwKv, policy: DEFAULT_POLICY };

/// A client of one of the three key-value stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvClient {
    service: Service,
    policy: Policy,
}

/// What a compare-and-set does if the key does not exist; with lww-kv, it always fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMissing {
    /// Create the key with the new value, whatever the expected value.
    Create,
    /// Change nothing and fail with [`KEY_DOES_NOT_EXIST`](ErrorCode::KEY_DOES_NOT_EXIST).
    Fail,
}

impl KvClient {
    /// The same service with another policy. Its `repetition` applies to writes and compare-and-sets; reads are always
    /// retried.
    #[must_use]
    pub const fn with_policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// Reads a key; see [`found`].
    pub fn read<N: Node>(self, key: impl Encode, call: N::Call, out: &mut Outbox<N>) {
        let policy = Policy { repetition: Repetition::Harmless, ..self.policy };
        out.call_with_retry(self.service, policy, call, "read", |line| line.field("key", key).end());
    }

    /// Writes a value to a key; see [`written`].
    pub fn write<N: Node>(self, key: impl Encode, value: impl Encode, call: N::Call, out: &mut Outbox<N>) {
        out.call_with_retry(self.service, self.policy, call, "write", |line| {
            line.field("key", key).field("value", value).end();
        });
    }

    /// Changes the value of a key to `to` if it is `from`; see [`swapped`].
    pub fn cas<N: Node>(
        self,
        key: impl Encode,
        (from, to): (impl Encode, impl Encode),
        missing: IfMissing,
        call: N::Call,
        out: &mut Outbox<N>,
    ) {
        out.call_with_retry(self.service, self.policy, call, "cas", |line| {
            let line = line.field("key", key).field("from", from).field("to", to);
            match missing {
                IfMissing::Create => line.field("create_if_not_exists", true).end(),
                IfMissing::Fail => line.end(),
            }
        });
    }
}

/// Requests a timestamp from lin-tso, greater than all returned before; see [`timestamp`].
pub fn request_timestamp<N: Node>(policy: Policy, call: N::Call, out: &mut Outbox<N>) {
    let policy = Policy { repetition: Repetition::Harmless, ..policy };
    out.call_with_retry(Service::LinTso, policy, call, "ts", |_| {});
}

/// Why a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallError {
    /// It has and will have no effect.
    Definite(ErrorCode),
    /// It may have taken effect, or may do so yet.
    Indefinite,
    /// The reply has an unexpected type or shape.
    Unexpected,
}

/// The result of a compare-and-set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swap {
    /// The key has the new value.
    Done,
    /// The key had another value than the expected one.
    Differs,
    /// The key does not exist.
    Absent,
}

/// The value returned by a [read](KvClient::read); `None` if the key does not exist. [`Json`] accepts any value.
///
/// # Errors
/// The read failed, or the value is not a `T`.
pub fn found<'a, T: Field<'a>>(response: Response<'a>) -> Result<Option<T>, CallError> {
    match reply(response, "read_ok") {
        Ok(body) => {
            let value = body.get("value").ok_or(CallError::Unexpected)?;
            T::read(value).map(Some).map_err(|_| CallError::Unexpected)
        }
        Err(CallError::Definite(ErrorCode::KEY_DOES_NOT_EXIST)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// The result of a [write](KvClient::write).
///
/// # Errors
/// The write failed.
pub fn written(response: Response<'_>) -> Result<(), CallError> {
    reply(response, "write_ok").map(drop)
}

/// The result of a [compare-and-set](KvClient::cas).
///
/// # Errors
/// The call failed for another reason than those of [`Swap`].
pub fn swapped(response: Response<'_>) -> Result<Swap, CallError> {
    match reply(response, "cas_ok") {
        Ok(_) => Ok(Swap::Done),
        Err(CallError::Definite(ErrorCode::PRECONDITION_FAILED)) => Ok(Swap::Differs),
        Err(CallError::Definite(ErrorCode::KEY_DOES_NOT_EXIST)) => Ok(Swap::Absent),
        Err(failure) => Err(failure),
    }
}

/// The timestamp returned by lin-tso.
///
/// # Errors
/// The call failed.
pub fn timestamp(response: Response<'_>) -> Result<u64, CallError> {
    reply(response, "ts_ok")?.get("ts").and_then(Json::as_u64).ok_or(CallError::Unexpected)
}

fn reply<'a>(response: Response<'a>, expected: &str) -> Result<Json<'a>, CallError> {
    match response {
        Response::Reply { kind, body } if kind == expected => Ok(body),
        Response::Reply { .. } => Err(CallError::Unexpected),
        Response::Error { code, .. } if code.is_definite() => Err(CallError::Definite(code)),
        Response::Error { .. } | Response::Expired => Err(CallError::Indefinite),
    }
}
