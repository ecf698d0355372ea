//! A bounded queue of requests that cannot be handled yet.

use std::collections::VecDeque;

use crate::node::ReplyTo;

/// Maximum number of requests that wait; more are rejected.
pub(super) const MAX_WAITING: usize = 4096;

/// Maximum total length of these requests, in bytes.
pub(super) const MAX_WAITING_BYTES: usize = 256 << 20;

/// The queue: senders and the text of their requests, in order of arrival.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    requests: VecDeque<(ReplyTo, Box<[u8]>)>,
    bytes: usize,
}

impl Waiting {
    /// Appends a request; returns `false` if there is no room for it.
    pub(super) fn push(&mut self, from: ReplyTo, text: &[u8]) -> bool {
        let has_room = self.requests.len() < MAX_WAITING && self.bytes + text.len() <= MAX_WAITING_BYTES;
        if has_room {
            self.bytes += text.len();
            self.requests.push_back((from, text.into()));
        }
        has_room
    }

    /// Removes the oldest request.
    pub(super) fn pop(&mut self) -> Option<(ReplyTo, Box<[u8]>)> {
        let (from, text) = self.requests.pop_front()?;
        self.bytes -= text.len();
        Some((from, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Sender;
    use crate::time::Time;

    #[test]
    fn the_queue_is_bounded_and_popping_makes_room() {
        let client = Sender::Client { len: 0, id: Default::default() };
        let from = ReplyTo { sender: client, msg_id: None, received: Time::ZERO };
        let mut waiting = Waiting::default();
        let kept = (0..=MAX_WAITING).filter(|_| waiting.push(from, b"1")).count();
        assert_eq!(kept, MAX_WAITING);
        let mut waiting = Waiting::default();
        let half = vec![b'1'; MAX_WAITING_BYTES / 2];
        assert!(waiting.push(from, &half) && waiting.push(from, &half) && !waiting.push(from, b"1"));
        assert_eq!(waiting.pop().map(|(_, text)| text.len()), Some(half.len()));
        assert!(waiting.push(from, b"1"));
    }
}
