//! The queue of one receiver, and a model of the thread that empties it.
//!
//! Maelstrom has a thread for each node. It takes the message with the earliest deadline, drops it if a partition
//! refuses its sender, sleeps until the deadline *while it holds the message*, and delivers it (protocol §6.4). In the
//! meantime nothing else reaches the node. [`Delivery::Held`] models that thread; [`Delivery::Free`] delivers each
//! message at its own deadline.

use std::collections::BTreeMap;

use super::Message;
use super::journal::Slot;
use crate::time::{Duration, Time};
use crate::workbench::network::jitter::Delays;

/// How messages leave a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// As in Maelstrom: one message at a time, held while its latency passes.
    #[default]
    Held,
    /// Each message at its own deadline; partitions are checked then.
    Free,
}

/// The time until the thread has woken up and read its clock: a latency of exactly 100 ms becomes a sleep of 99 whole
/// milliseconds, as observed (protocol §6.3).
const WAKING: Duration = Duration::from_micros(50);

#[derive(Debug)]
pub(super) struct Inbox {
    delivery: Delivery,
    /// By deadline and then in the order of sending.
    queue: BTreeMap<(Time, u64), Message>,
    /// The number of messages so far, which tells those with the same deadline apart.
    pushed: u64,
    /// `Held` only: the message that the thread holds and when it delivers it. `None` only if the queue is empty.
    held: Option<(Time, Message)>,
    /// The senders, by index, whose messages are dropped.
    refused: Vec<usize>,
    /// The messages that were dropped since [`Inbox::dropped`] was called last.
    dropped: Vec<Slot>,
}

impl Inbox {
    pub(super) fn new(delivery: Delivery) -> Self {
        let (queue, refused, dropped) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { delivery, queue, pushed: 0, held: None, refused, dropped }
    }

    /// Refuses these senders from now on, and no others.
    pub(super) fn refuse(&mut self, senders: &[usize]) {
        senders.clone_into(&mut self.refused);
    }

    /// Drops every message.
    pub(super) fn clear(&mut self) {
        let queued = std::mem::take(&mut self.queue).into_values();
        self.dropped.extend(queued.chain(self.held.take().map(|(_, held)| held)).filter_map(|message| message.slot));
    }

    /// The messages that were dropped since the last call.
    pub(super) fn dropped(&mut self) -> std::vec::Drain<'_, Slot> {
        self.dropped.drain(..)
    }

    pub(super) fn push(&mut self, mut message: Message, now: Time, delays: &mut Delays) {
        if self.delivery == Delivery::Free {
            message.deadline = delays.delivery(message.deadline, true);
        }
        self.queue.insert((message.deadline, self.pushed), message);
        self.pushed += 1;
        self.hold(now, delays);
    }

    /// The next message to hand over and when it was due, if it is due by `now`.
    pub(super) fn take(&mut self, now: Time, delays: &mut Delays) -> Option<(Time, Message)> {
        match self.delivery {
            Delivery::Held => {
                let taken = self.held.take_if(|(due, _)| *due <= now)?;
                self.hold(now, delays);
                Some(taken)
            }
            Delivery::Free => {
                while self.due()? <= now {
                    let ((due, _), message) = self.queue.pop_first()?;
                    if !self.refuses(&message) {
                        return Some((due, message));
                    }
                    self.dropped.extend(message.slot);
                }
                None
            }
        }
    }

    /// When [`Inbox::take`] next has something to do.
    pub(super) fn due(&self) -> Option<Time> {
        match self.delivery {
            Delivery::Held => self.held.as_ref().map(|(due, _)| *due),
            Delivery::Free => self.queue.first_key_value().map(|((deadline, _), _)| *deadline),
        }
    }

    /// The messages that wait, by time, and when each is due.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (Time, &Message)> {
        let held = self.held.iter().map(|(due, message)| (*due, message));
        held.chain(self.queue.iter().map(|((due, _), message)| (*due, message)))
    }

    fn hold(&mut self, now: Time, delays: &mut Delays) {
        if self.delivery == Delivery::Free {
            return;
        }
        while self.held.is_none() {
            let Some((_, message)) = self.queue.pop_first() else { return };
            if self.refuses(&message) {
                self.dropped.extend(message.slot);
            } else {
                let sleep = message.deadline.since(now + WAKING).as_millis();
                let sleep = Duration::from_millis(u64::try_from(sleep).unwrap_or(u64::MAX));
                self.held = Some((delays.delivery(now + sleep, !sleep.is_zero()), message));
            }
        }
    }

    fn refuses(&self, message: &Message) -> bool {
        message.from.is_some_and(|from| self.refused.contains(&from))
    }
}
