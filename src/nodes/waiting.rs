//! Requests that cannot be carried out yet, in the order in which they came.

use std::collections::VecDeque;

use crate::node::Sender;

/// At most this many requests wait; later ones are refused.
pub const MAX_WAITING: usize = 4096;

/// Who waits, and with what.
#[derive(Debug, Default)]
pub struct Waiting(VecDeque<(Sender, Box<[u8]>)>);

impl Waiting {
    /// Keeps a request, unless there are too many; says whether it is kept.
    pub fn keep(&mut self, sender: Sender, text: &[u8]) -> bool {
        let has_room = self.0.len() < MAX_WAITING;
        if has_room {
            self.0.push_back((sender, text.into()));
        }
        has_room
    }

    /// The one that came first.
    pub fn take(&mut self) -> Option<(Sender, Box<[u8]>)> {
        self.0.pop_front()
    }
}
