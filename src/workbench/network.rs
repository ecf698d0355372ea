//! The simulated network: who exists, what is under way, and what it all counts to (reference §6, §7).
//!
//! A state machine without clock or descriptors. Receivers (nodes first, then whatever services the run adds)
//! have a queue each; clients have a mailbox that they read when they wait. Bodies pass through as text.

mod counts;
mod inbox;
mod journal;
mod latency;
mod line;

use std::collections::{HashMap, VecDeque};
use std::io::Write as _;
use std::rc::Rc;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use smallvec::SmallVec;

use crate::time::Time;
use inbox::Inbox;
use journal::Slot;

pub use counts::{Counts, Traffic};
pub use inbox::Delivery;
pub use journal::{End, Journal, Passage};
pub use latency::{Latency, Shape};
pub use line::{BadLine, Lines};

/// A message under way.
#[derive(Debug, Clone)]
pub struct Message {
    /// Global number, from 0, in the order of sending.
    pub id: u64,
    /// Who sent it, or claims to have.
    pub src: Rc<str>,
    /// Whom it is for.
    pub dest: Rc<str>,
    /// The text of a JSON object.
    pub body: Rc<str>,
    deadline: Time,
    from: Option<usize>,
    slot: Option<Slot>,
}

impl Message {
    /// Appends the line that a node reads, line end included.
    pub fn write(&self, line: &mut Vec<u8>) {
        // Writing to memory does not fail.
        write!(line, "{{\"id\":{},\"src\":", self.id).ok();
        serde_json::to_writer(&mut *line, &*self.src).ok();
        line.extend_from_slice(b",\"dest\":");
        serde_json::to_writer(&mut *line, &*self.dest).ok();
        line.extend_from_slice(b",\"body\":");
        line.extend_from_slice(self.body.as_bytes());
        line.extend_from_slice(b"}\n");
    }
}

/// What the network does to messages.
#[derive(Debug, Clone, Copy)]
pub struct Conditions {
    /// One-way latency between servers.
    pub latency: Latency,
    /// How messages reach a node.
    pub delivery: Delivery,
    /// Probability that a message between servers vanishes, until the final heal; 0 in Maelstrom.
    pub loss: f64,
    /// Probability that a message between servers arrives twice, until then; 0 in Maelstrom.
    pub duplication: f64,
}

/// A node whose output counts no more, and why (reference §1.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Muted {
    /// The node's id.
    pub node: Rc<str>,
    /// The line, at most its first 1,000 characters.
    pub line: String,
    /// What is wrong with it.
    pub reason: BadLine,
    /// Whether it was addressed to a client that had existed and had been replaced.
    pub late_reply: bool,
}

impl Muted {
    /// What happened, in a sentence.
    #[must_use]
    pub fn in_words(&self) -> String {
        format!("Node {} was muted: it printed {}: {}", self.node, self.reason, self.line)
    }
}

/// As many characters of a bad line are kept for the report.
const QUOTED: usize = 1_000;

#[derive(Debug, Clone, Copy)]
enum Place {
    Receiver(usize),
    Client(usize),
}

#[derive(Debug)]
struct Receiver {
    name: Rc<str>,
    inbox: Inbox,
    muted: bool,
}

/// The network of one test.
#[derive(Debug)]
pub struct Network {
    conditions: Conditions,
    rng: ChaCha8Rng,
    places: HashMap<Rc<str>, Place>,
    receivers: Vec<Receiver>,
    mail: Vec<VecDeque<Message>>,
    next_id: u64,
    muted: Vec<Muted>,
    counts: Counts,
    /// None once it was handed out.
    journal: Option<Journal>,
    /// Lines about messages sent and received, when asked for (reference §6.7).
    log: Vec<String>,
    log_send: bool,
    log_recv: bool,
}

impl Network {
    /// A network with nobody in it, whose chances come from `rng`.
    #[must_use]
    pub fn new(conditions: Conditions, rng: ChaCha8Rng) -> Self {
        Self {
            conditions,
            rng,
            places: HashMap::new(),
            receivers: Vec::new(),
            mail: Vec::new(),
            next_id: 0,
            muted: Vec::new(),
            counts: Counts::default(),
            journal: Some(Journal::default()),
            log: Vec::new(),
            log_send: false,
            log_recv: false,
        }
    }

    /// Asks for a line per message sent, or received, in [`Network::drain_log`].
    pub fn log(&mut self, send: bool, recv: bool) {
        (self.log_send, self.log_recv) = (send, recv);
    }

    /// Registers a node or service and returns its index: 0, 1, 2, ... in the order of calls.
    pub fn add_receiver(&mut self, name: &str) -> usize {
        let index = self.receivers.len();
        let name: Rc<str> = name.into();
        self.places.insert(Rc::clone(&name), Place::Receiver(index));
        self.receivers.push(Receiver { name, inbox: Inbox::new(self.conditions.delivery), muted: false });
        index
    }

    /// Registers a client under the next id (`c0`, `c1`, ...) and returns its number. Ids are never used again.
    pub fn open_client(&mut self) -> usize {
        let number = self.mail.len();
        self.mail.push(VecDeque::new());
        self.places.insert(client_name(number).into(), Place::Client(number));
        number
    }

    /// Deregisters a client: from now on a message to it silences its sender.
    pub fn close_client(&mut self, number: usize) {
        self.places.remove(client_name(number).as_str());
        self.mail[number].clear();
    }

    /// The name of a receiver.
    #[must_use]
    pub fn name(&self, receiver: usize) -> &Rc<str> {
        &self.receivers[receiver].name
    }

    /// Takes a line that `node` printed, its line end already removed. A line that is not a message
    /// silences the node for good, and later lines pass unread. Returns the client that it is for, if any.
    ///
    /// # Errors
    ///
    /// The line that silenced the node, once.
    pub fn accept(&mut self, node: usize, line: &[u8], now: Time) -> Result<Option<usize>, &Muted> {
        if self.receivers[node].muted {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(line);
        let sent = line::parse(&line).and_then(|envelope| self.send(&envelope.src, &envelope.dest, envelope.body, now));
        let reason = match sent {
            Ok(client) => return Ok(client),
            Err(reason) => reason,
        };
        let late_reply = matches!(&reason, BadLine::UnknownDest(dest) if self.was_client(dest));
        let receiver = &mut self.receivers[node];
        receiver.muted = true;
        let line = line.chars().take(QUOTED).collect();
        self.muted.push(Muted { node: Rc::clone(&receiver.name), line, reason, late_reply });
        self.muted.last().map_or(Ok(None), Err)
    }

    /// Sends a message; `body` is the text of a JSON object (reference §6.2). Returns the client that it is
    /// for, if any.
    ///
    /// # Errors
    ///
    /// When either end is not registered.
    pub fn send(&mut self, src: &str, dest: &str, body: &str, now: Time) -> Result<Option<usize>, BadLine> {
        let Some((dest, to)) = self.places.get_key_value(dest) else {
            return Err(BadLine::UnknownDest(dest.to_owned()));
        };
        let Some((src, from)) = self.places.get_key_value(src) else {
            return Err(BadLine::UnknownSrc(src.to_owned()));
        };
        let (src, dest, to) = (Rc::clone(src), Rc::clone(dest), *to);
        let from = match *from {
            Place::Receiver(index) => Some(index),
            Place::Client(_) => None,
        };
        let client = touches_client(&src, &dest);
        let deadline = if client { now } else { now + self.conditions.latency.draw(&mut self.rng) };
        let (id, body): (_, Rc<str>) = (self.next_id, body.into());
        let to_end = if let Place::Receiver(index) = to { End::Receiver(index) } else { End::Clients };
        let ends = [from.map_or(End::Clients, End::Receiver), to_end];
        let passage = || Passage {
            id,
            src: Rc::clone(&src),
            dest: Rc::clone(&dest),
            body: Rc::clone(&body),
            sent: now,
            arrived: SmallVec::new(),
        };
        let slot = self.journal.as_mut().and_then(|journal| journal.sent(ends, client, passage));
        let message = Message { id, src, dest, body, deadline, from, slot };
        self.next_id += 1;
        self.counts.sent(client);
        if self.log_send {
            self.log.push(log_line(":send", &message));
        }
        if !client && self.happens(self.conditions.loss) {
            return Ok(None);
        }
        match to {
            Place::Client(number) => {
                self.mail[number].push_back(message);
                Ok(Some(number))
            }
            Place::Receiver(index) => {
                if !client && self.happens(self.conditions.duplication) {
                    self.receivers[index].inbox.push(message.clone(), now);
                }
                self.receivers[index].inbox.push(message, now);
                Ok(None)
            }
        }
    }

    /// The next message for `receiver` and when it was due, if that is by `now`.
    pub fn take(&mut self, receiver: usize, now: Time) -> Option<(Time, Message)> {
        let taken = self.receivers[receiver].inbox.take(now)?;
        self.received(&taken.1, now);
        Some(taken)
    }

    /// When [`Network::take`] next has something for `receiver`.
    #[must_use]
    pub fn due(&self, receiver: usize) -> Option<Time> {
        self.receivers[receiver].inbox.due()
    }

    /// The next message for a client, which must be waiting for one: it counts as received now.
    pub fn take_mail(&mut self, client: usize, now: Time) -> Option<Message> {
        let message = self.mail[client].pop_front()?;
        self.received(&message, now);
        Some(message)
    }

    /// Makes each receiver refuse the senders listed at its index, and nobody else; an index beyond the list
    /// refuses nobody.
    pub fn cut(&mut self, grudges: &[Vec<usize>]) {
        for (index, receiver) in self.receivers.iter_mut().enumerate() {
            receiver.inbox.refuse(grudges.get(index).map_or(&[], Vec::as_slice));
        }
    }

    /// Loses and repeats no message from now on.
    pub fn calm(&mut self) {
        (self.conditions.loss, self.conditions.duplication) = (0.0, 0.0);
    }

    /// What has been counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Hands out what is remembered of the messages; from now on, nothing is. The history counts from `zero`.
    pub fn take_journal(&mut self, zero: Time) -> Journal {
        let mut journal = self.journal.take().unwrap_or_default();
        journal.zero = zero;
        journal
    }

    /// A node begins anew: what waited for it is thrown away, and it is listened to again.
    pub fn restart(&mut self, receiver: usize) {
        let receiver = &mut self.receivers[receiver];
        receiver.inbox.clear();
        receiver.muted = false;
    }

    /// The nodes that were silenced, in the order in which that happened.
    #[must_use]
    pub fn muted(&self) -> &[Muted] {
        &self.muted
    }

    /// Hands out the lines that [`Network::log`] asked for.
    pub fn drain_log(&mut self) -> impl Iterator<Item = String> {
        self.log.drain(..)
    }

    fn received(&mut self, message: &Message, now: Time) {
        if let (Some(journal), Some(slot)) = (&mut self.journal, message.slot) {
            journal.arrived(slot, now);
        }
        self.counts.received(touches_client(&message.src, &message.dest));
        if self.log_recv {
            self.log.push(log_line(":recv", message));
        }
    }

    fn happens(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.rng.random_bool(probability)
    }

    fn was_client(&self, name: &str) -> bool {
        let number = name.strip_prefix('c').and_then(|digits| digits.parse::<usize>().ok());
        number.is_some_and(|number| number < self.mail.len() && name == client_name(number))
    }
}

/// The id of a client.
#[must_use]
pub fn client_name(number: usize) -> String {
    format!("c{number}")
}

/// The first letter alone decides (reference §1.1).
fn touches_client(src: &str, dest: &str) -> bool {
    src.starts_with('c') || dest.starts_with('c')
}

fn log_line(event: &str, message: &Message) -> String {
    let mut line = event.as_bytes().to_vec();
    line.push(b' ');
    message.write(&mut line);
    line.pop();
    String::from_utf8_lossy(&line).into_owned()
}

#[cfg(test)]
mod tests;
