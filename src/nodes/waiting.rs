//! Requests that cannot be carried out yet, in the order in which they came.

use std::collections::VecDeque;

use crate::node::ReplyTo;

/// At most this many requests wait; later ones are refused.
pub(super) const MAX_WAITING: usize = 4096;

/// And at most this many bytes of them.
pub(super) const MAX_WAITING_BYTES: usize = 256 << 20;

/// Who waits, and with what.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    requests: VecDeque<(ReplyTo, Box<[u8]>)>,
    bytes: usize,
}

impl Waiting {
    /// Keeps a request, unless there are too many; says whether it is kept.
    pub(super) fn keep(&mut self, sender: ReplyTo, text: &[u8]) -> bool {
        let has_room = self.requests.len() < MAX_WAITING && self.bytes + text.len() <= MAX_WAITING_BYTES;
        if has_room {
            self.bytes += text.len();
            self.requests.push_back((sender, text.into()));
        }
        has_room
    }

    /// The one that came first.
    pub(super) fn take(&mut self) -> Option<(ReplyTo, Box<[u8]>)> {
        let (sender, text) = self.requests.pop_front()?;
        self.bytes -= text.len();
        Some((sender, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Who;
    use crate::time::Time;

    #[test]
    fn no_more_waits_than_the_bounds_allow_and_what_is_taken_makes_room() {
        let who = Who::Client { len: 0, id: Default::default() };
        let sender = ReplyTo { who, msg_id: None, received: Time::ZERO };
        let mut waiting = Waiting::default();
        let kept = (0..=MAX_WAITING).filter(|_| waiting.keep(sender, b"1")).count();
        assert_eq!(kept, MAX_WAITING);
        let mut waiting = Waiting::default();
        let half = vec![b'1'; MAX_WAITING_BYTES / 2];
        assert!(waiting.keep(sender, &half) && waiting.keep(sender, &half) && !waiting.keep(sender, b"1"));
        assert_eq!(waiting.take().map(|(_, text)| text.len()), Some(half.len()));
        assert!(waiting.keep(sender, b"1"));
    }
}
