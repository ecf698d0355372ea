//! A bounded queue of requests that cannot be handled yet.

use std::collections::VecDeque;

use crate::node::ReplyTo;

/// Maximum number of requests that wait; more are rejected.
pub(super) const MAX_WAITING: usize = 4096;

/// Maximum total length of these requests, in bytes.
pub(super) const MAX_WAITING_BYTES: usize = 256 << 20;

/// The queue: senders and the text of their requests, in order of arrival.
#[derive(Debug, Default)]
pub(super) struct RequestQueue {
    requests: VecDeque<(ReplyTo, Box<[u8]>)>,
    bytes: usize,
}

impl RequestQueue {
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
        let mut queue = RequestQueue::default();
        let kept = (0..=MAX_WAITING).filter(|_| queue.push(from, b"1")).count();
        assert_eq!(kept, MAX_WAITING);
        let mut queue = RequestQueue::default();
        let half = vec![b'1'; MAX_WAITING_BYTES / 2];
        assert!(queue.push(from, &half) && queue.push(from, &half) && !queue.push(from, b"1"));
        assert_eq!(queue.pop().map(|(_, text)| text.len()), Some(half.len()));
        assert!(queue.push(from, b"1"));
    }
}
