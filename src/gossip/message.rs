//! The messages between replicas.
//!
//! ```json
//! {"type":"gossip", "at":1763838000123456, "age":523456, "follows":0, "echo":[1763838000001000,250000],
//!  "next":[164000,360000], "have":[3,-1204,17], "ops":[[0,77,12,"a",{"b":1}]]}
//! ```
//!
//! * `at`: the sender's clock in microseconds, and `age`: the time since its start, so `at - age` is its incarnation;
//!   other incarnations are written relative to it.
//! * `follows`: the sender's parent; `below`: its descendants, the nodes to which it relays rounds.
//! * `echo`: the latest `at` received from the receiver, and how long ago.
//! * `next`: the time until operations are due for the next round, and the period.
//! * `have`: a version vector, with the node, incarnation and watermark of each origin; unchanged entries are left out.
//! * `ops`: runs of operations, each with its origin, its first number, and the operations from there.
//! * `waited`, to the parent: how long the oldest operation of the message has waited at the sender.
//! * `answer`: a reply is expected at once; `full`: `have` is complete; `doubts`: the sender suspects a node; `far`:
//!   the sender is two hops or more from its hub.
//! * `stable`, a vector like `have`, and `held`, the number of operations held, where stability is tracked.

use crate::time::{Duration, Time};
use crate::wire::{Field, Items, Json, Line, write_int};

use super::log::{Log, Origin};
use super::position::Position;
use super::settings::MAX_STALENESS;

/// Approximate maximum size of the operations in one message, in bytes; the rest follows in the next message.
pub const MAX_PAYLOAD: usize = 1 << 18;

/// Exclusive upper bound of incarnations, so that their differences fit in an `i64`: beyond the year 140,000.
pub(super) const INCARNATIONS_END: u64 = 1 << 62;

/// A received message, borrowed from its line.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not states of a machine")]
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The sender's clock at sending, in microseconds since the epoch.
    pub(super) at: u64,
    /// The sender's incarnation.
    pub(super) incarnation: u64,
    /// The node that the sender follows; itself if it is a hub.
    pub(super) follows: Option<u32>,
    /// The latest `at` that the sender received from the receiver, and how long ago.
    pub(super) echo: Option<(u64, Duration)>,
    /// For a follower: the time until its operations are due, and the period; zero while the hub is idle.
    pub(super) next: Option<(Duration, Duration)>,
    /// Whether the sender expects an immediate reply, which must be `full` if this message is.
    pub(super) answer: bool,
    /// Whether `have` is complete.
    pub(super) full: bool,
    /// Whether the sender suspects a node, and so cannot use direct mode.
    pub(super) suspects: bool,
    /// Whether the sender is two hops or more from the hub.
    pub(super) far: bool,
    /// The number of operations that the sender holds, where stability is tracked.
    pub(super) held: Option<u64>,
    /// How long the oldest operation in the message has waited at the sender.
    pub(super) waited: Option<Duration>,
    stable: Option<Json<'a>>,
    descendants: Option<Json<'a>>,
    have: Option<Json<'a>>,
    ops: Option<Json<'a>>,
}

impl<'a> Field<'a> for Message<'a> {
    fn read(body: Json<'a>) -> Result<Self, crate::wire::Malformed> {
        let (mut at, mut age, mut follows, mut echo, mut next) = (None, None, None, None, None);
        let (mut answer, mut full, mut suspects, mut far) = (false, false, false, false);
        let (mut held, mut waited, mut stable, mut descendants, mut have, mut ops) =
            (None, None, None, None, None, None);
        for (key, value) in body.entries().into_iter().flatten() {
            match key {
                "at" => at = value.as_u64(),
                "age" => age = value.as_u64(),
                "follows" => follows = value.as_u64().and_then(|index| u32::try_from(index).ok()),
                "echo" => echo = value.to::<(u64, u64)>().ok(),
                "next" => next = value.to::<(u64, u64)>().ok(),
                "answer" => answer = value.as_bool() == Some(true),
                "full" => full = value.as_bool() == Some(true),
                "doubts" => suspects = value.as_bool() == Some(true),
                "far" => far = value.as_bool() == Some(true),
                "held" => held = value.as_u64(),
                "waited" => waited = value.as_u64().map(Duration::from_micros),
                "stable" => stable = Some(value),
                "below" => descendants = Some(value),
                "have" => have = Some(value),
                "ops" => ops = Some(value),
                _ => {}
            }
        }
        let incarnation = at
            .zip(age)
            .and_then(|(at, age)| at.checked_sub(age))
            .filter(|incarnation| (1..INCARNATIONS_END).contains(incarnation));
        let (Some(at), Some(incarnation)) = (at, incarnation) else {
            return crate::wire::missing("at and age, microseconds");
        };
        let echo = echo.map(|(stamp, hold)| (stamp, Duration::from_micros(hold)));
        let time = |us| Duration::from_micros(us).min(MAX_STALENESS);
        let next = next.map(|(soon, period)| (time(soon), time(period)));
        Ok(Self {
            at,
            incarnation,
            follows,
            echo,
            next,
            answer,
            full,
            suspects,
            far,
            held,
            waited,
            stable,
            descendants,
            have,
            ops,
        })
    }

    fn absent() -> Result<Self, crate::wire::Malformed> {
        crate::wire::missing("a body")
    }
}

/// The operations of one origin, in order from `first`.
#[derive(Debug, Clone)]
pub(super) struct Run<'a> {
    pub(super) origin: Origin,
    pub(super) first: u32,
    pub(super) ops: Items<'a>,
}

impl<'a> Message<'a> {
    /// Whether it contains a version vector.
    pub(super) fn acknowledges(&self) -> bool {
        self.have.is_some()
    }

    /// Whether it contains announcements, which must be acknowledged like operations.
    pub(super) fn announces(&self) -> bool {
        self.full || self.stable.is_some()
    }

    /// The nodes to which the sender relays rounds; malformed entries are skipped, as in the other lists.
    pub(super) fn descendants(&self) -> impl Iterator<Item = usize> + use<'a> {
        items(self.descendants).filter_map(|node| usize::try_from(node.as_u64()?).ok())
    }

    /// The sender's version vector.
    pub(super) fn have(&self) -> impl Iterator<Item = (Origin, u32)> + use<'a> {
        self.vector(self.have)
    }

    /// The vector of stable operations.
    pub(super) fn stable(&self) -> impl Iterator<Item = (Origin, u32)> + use<'a> {
        self.vector(self.stable)
    }

    fn vector(&self, list: Option<Json<'a>>) -> impl Iterator<Item = (Origin, u32)> + use<'a> {
        let mut numbers = items(list);
        let incarnation = self.incarnation;
        std::iter::from_fn(move || {
            let (node, relative, number) = (numbers.next()?, numbers.next()?, numbers.next()?);
            Some((origin(node, relative, incarnation), number.as_u64().and_then(|number| u32::try_from(number).ok())))
        })
        .filter_map(|(origin, number)| Some((origin?, number?)))
    }

    /// The runs of operations.
    pub(super) fn runs(&self) -> impl Iterator<Item = Run<'a>> + use<'a> {
        let incarnation = self.incarnation;
        items(self.ops).filter_map(move |run| {
            let mut ops = run.items()?;
            let origin = origin(ops.next()?, ops.next()?, incarnation)?;
            let first = ops.next()?.as_u64().and_then(|first| u32::try_from(first).ok())?;
            (first > 0).then_some(Run { origin, first, ops })
        })
    }
}

fn items(list: Option<Json<'_>>) -> Items<'_> {
    list.and_then(Json::items).unwrap_or_default()
}

fn origin(node: Json<'_>, relative: Json<'_>, incarnation: u64) -> Option<Origin> {
    let node = u32::try_from(node.as_u64()?).ok()?;
    let incarnation =
        incarnation.checked_add_signed(relative.as_i64()?).filter(|incarnation| *incarnation < INCARNATIONS_END)?;
    Some(Origin { node, incarnation })
}

/// The fields at the start of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header<'a> {
    pub(super) incarnation: u64,
    /// `now` as written in the message.
    pub(super) stamp: u64,
    pub(super) now: Time,
    pub(super) position: &'a Position,
    pub(super) received: Option<(u64, Time)>,
    pub(super) next: Option<(Duration, Duration)>,
    pub(super) answer: bool,
    pub(super) full: bool,
}

impl Header<'_> {
    pub(super) fn write(self, line: Line<'_>) -> Line<'_> {
        let age = self.stamp - self.incarnation;
        let mut line = line.field("at", self.stamp).field("age", age).field("follows", self.position.follows.index());
        if let Some((stamp, received)) = self.received {
            line = line.field("echo", [stamp, micros(self.now.since(received))]);
        }
        if let Some((soon, period)) = self.next {
            line = line.field("next", [micros(soon), micros(period)]);
        }
        if self.answer {
            line = line.field("answer", true);
        }
        if self.full {
            line = line.field("full", true);
        }
        if self.position.suspects {
            line = line.field("doubts", true);
        }
        if self.position.far {
            line = line.field("far", true);
        }
        line
    }
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Appends `node,incarnation`, with the incarnation relative to the sender's.
pub(super) fn write_origin(out: &mut Vec<u8>, origin: Origin, incarnation: u64) {
    write_int(out, origin.node.into());
    out.push(b',');
    if origin.incarnation < incarnation {
        out.push(b'-');
    }
    write_int(out, origin.incarnation.abs_diff(incarnation));
}

/// Appends one entry of a version vector, after a comma unless it is the first.
pub(super) fn write_entry(out: &mut Vec<u8>, origin: Origin, watermark: u32, incarnation: u64) {
    if out.last() != Some(&b'[') {
        out.push(b',');
    }
    write_origin(out, origin, incarnation);
    out.push(b',');
    write_int(out, watermark.into());
}

/// Appends a run of operations, until the length of `out` exceeds `limit`; returns the last number written.
pub(super) fn write_run(
    out: &mut Vec<u8>,
    log: &Log,
    slot: usize,
    numbers: std::ops::RangeInclusive<u32>,
    incarnation: u64,
    limit: usize,
) -> u32 {
    out.push(b'[');
    write_origin(out, log.origin(slot), incarnation);
    out.push(b',');
    write_int(out, (*numbers.start()).into());
    let mut last = numbers.start() - 1;
    for number in numbers {
        let Some(payload) = log.payload(slot, number) else { break };
        out.push(b',');
        out.extend_from_slice(payload);
        last = number;
        if out.len() > limit {
            break;
        }
    }
    out.push(b']');
    last
}
