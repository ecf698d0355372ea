//! What a client has asked for and lin-kv has not answered yet.

use std::collections::BTreeMap;

use super::{Kafka, MAX_POLLED};
use crate::node::Sender;
use crate::outbox::Outbox;
use crate::wire::{ErrorCode, Raw, write_int, write_str};

#[derive(Debug)]
pub(super) enum Work {
    /// The offset is the one that the message gets if the attempt under way succeeds.
    Send {
        key: Box<str>,
        message: Box<[u8]>,
        offset: usize,
    },
    /// What has been found is the inside of a JSON object.
    Poll {
        offsets: Vec<(Box<str>, i64)>,
        found: Vec<u8>,
    },
    Commit {
        offsets: Vec<(Box<str>, i64)>,
    },
    List {
        keys: Vec<Box<str>>,
        found: BTreeMap<Box<str>, i64>,
    },
}

impl Work {
    /// Values of lin-kv that it is about.
    pub(super) fn parts(&self) -> usize {
        match self {
            Self::Send { .. } => 1,
            Self::Poll { offsets, .. } | Self::Commit { offsets } => offsets.len(),
            Self::List { keys, .. } => keys.len(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Task {
    from: Sender,
    pub(super) work: Work,
    /// Parts that are not done.
    pub(super) left: usize,
}

impl Task {
    pub(super) fn new(from: Sender, work: Work, parts: usize) -> Self {
        Self { from, work, left: parts }
    }

    pub(super) fn reply(self, out: &mut Outbox<Kafka>) {
        match self.work {
            Work::Send { offset, .. } => out.reply(self.from, "send_ok").field("offset", offset).end(),
            Work::Poll { found, .. } => {
                let msgs = [b"{", found.as_slice(), b"}"].concat();
                out.reply(self.from, "poll_ok").field("msgs", Raw(&msgs)).end();
            }
            Work::Commit { .. } => out.reply(self.from, "commit_offsets_ok").end(),
            Work::List { found, .. } => {
                out.reply(self.from, "list_committed_offsets_ok").field("offsets", found).end();
            }
        }
    }

    /// lin-kv has not answered: what might have been changed may be or not.
    pub(super) fn give_up(self, maybe_changed: bool, out: &mut Outbox<Kafka>) {
        let code = if maybe_changed { ErrorCode::TIMEOUT } else { ErrorCode::TEMPORARILY_UNAVAILABLE };
        out.reply_error(self.from, code, "lin-kv did not answer");
    }
}

/// Adds the messages of a log from an offset on to the inside of a JSON object.
pub(super) fn add_messages(found: &mut Vec<u8>, key: &str, from: i64, log: &[Box<[u8]>]) {
    let from = usize::try_from(from).unwrap_or(0);
    let Some(messages) = log.get(from..).filter(|messages| !messages.is_empty()) else { return };
    found.extend((!found.is_empty()).then_some(b','));
    write_str(found, key);
    found.extend_from_slice(b":[");
    for (offset, message) in (from..).zip(messages.iter().take(MAX_POLLED)) {
        found.extend((offset > from).then_some(b','));
        found.push(b'[');
        write_int(found, offset as u64);
        found.push(b',');
        found.extend_from_slice(message);
        found.push(b']');
    }
    found.push(b']');
}
