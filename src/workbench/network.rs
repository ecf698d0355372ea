//! The simulated network: registered participants, messages in flight, and message counts (protocol §6, §7).
//!
//! A state machine without clock or descriptors. Each receiver (nodes first, then services) has a queue; each client
//! has a mailbox that it reads while it waits. Bodies pass through as text.

mod counts;
mod inbox;
pub mod jitter;
mod journal;
mod latency;
mod line;

use std::collections::{HashMap, VecDeque};
use std::io::Write as _;
use std::rc::Rc;

use chacha20::ChaCha8Rng;
use rand::RngExt as _;
use smallvec::SmallVec;

use crate::time::Time;
use crate::workbench::edn::Lists;
use crate::workbench::network::jitter::Delays;
use crate::workbench::quote::quote;
use inbox::Inbox;
use journal::Slot;

pub use counts::{Counts, Traffic};
pub use inbox::Delivery;
pub use journal::{End, Fate, Journal, Mute, Passage};
pub use latency::{Latency, Shape};
pub(in crate::workbench) use line::LONGEST_LINE;
pub use line::{Array, BadLine, Lines};

/// A message in flight.
#[derive(Debug, Clone)]
#[cfg_attr(test, derive(Default))]
pub struct Message {
    /// Global number, from 0, in the order of sending.
    pub id: u64,
    /// The sender, as the message names it.
    pub src: Rc<str>,
    /// The receiver.
    pub dest: Rc<str>,
    /// The text of a JSON object.
    pub body: Rc<str>,
    /// The long list of integers in it, if there is one.
    pub array: Option<Array>,
    /// The client that receives it, if a client does.
    pub client: Option<usize>,
    deadline: Time,
    from: Option<usize>,
    slot: Option<Slot>,
}

impl Message {
    /// `n0 -> n1 {...}`
    pub fn in_words(&self) -> String {
        let body = self.array.as_ref().map(|array| array.leave_out(&self.body));
        format!("{} -> {} {}", self.src, self.dest, body.as_deref().unwrap_or(&self.body))
    }

    /// Appends the message as a line for a node, including the line end.
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
    /// Probability that a message between servers is lost, until the final heal; 0 in Maelstrom.
    pub loss: f64,
    /// Probability that a message between servers arrives twice, until then; 0 in Maelstrom.
    pub duplication: f64,
}

/// A node whose output is discarded, and why (protocol §1.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Muted {
    /// The node's id.
    pub node: Rc<str>,
    /// The offending line, shortened and escaped.
    pub line: String,
    /// What is wrong with it.
    pub reason: BadLine,
    /// Whether its destination is a client that has been replaced since.
    pub late_reply: bool,
}

impl Muted {
    /// What happened, in a sentence.
    #[must_use]
    pub fn in_words(&self) -> String {
        format!("Node {} was muted: it printed {}: {}", self.node, self.reason, self.line)
    }
}

/// A node that printed more after a message on the same line, which is ignored (protocol §1.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The node's id.
    pub node: Rc<str>,
    /// The number of such lines.
    pub lines: usize,
    /// What followed the first such message, shortened and escaped.
    pub first: String,
}

impl Unread {
    /// What happened, in a sentence.
    pub fn in_words(&self) -> String {
        let Self { node, lines, first } = self;
        let lines = if *lines == 1 { "on one line".to_owned() } else { format!("on {lines} lines") };
        format!("Node {node} printed more after a message, {lines}; nobody reads it. The first: {first}")
    }
}

/// How many of the lines after a bad line are kept, and how many bytes of each.
const TRACE_LINES: usize = 3;
const TRACE_BYTES: usize = 200;

#[derive(Debug, Clone, Copy)]
enum Place {
    Receiver(usize),
    Client(usize),
}

#[derive(Debug)]
struct Receiver {
    name: Rc<str>,
    inbox: Inbox,
    /// The lines after the one that muted it; none if it is not muted.
    muted: Option<Trace>,
}

/// The last lines after a bad line: of a stack trace, the first line alone explains little.
#[derive(Debug, Default)]
struct Trace {
    lines: VecDeque<String>,
    /// Set by the first line that looks like a message.
    is_over: bool,
}

impl Trace {
    fn keep(&mut self, line: &[u8]) {
        self.is_over |= line.starts_with(b"{");
        if self.is_over {
            return;
        }
        if self.lines.len() == TRACE_LINES {
            self.lines.pop_front();
        }
        let start = &line[..line.len().min(TRACE_BYTES)];
        self.lines.push_back(String::from_utf8_lossy(start).replace(char::is_control, " ").trim_end().to_owned());
    }
}

/// The network of one test.
#[derive(Debug)]
pub struct Network {
    conditions: Conditions,
    rng: ChaCha8Rng,
    delays: Delays,
    places: HashMap<Rc<str>, Place>,
    receivers: Vec<Receiver>,
    mail: Vec<VecDeque<Message>>,
    next_id: u64,
    muted: Vec<Muted>,
    unread: Vec<Unread>,
    counts: Counts,
    /// `None` after [`Network::take_journal`].
    journal: Option<Journal>,
    /// The long lists that nodes have printed.
    lists: Lists,
    /// Lines about messages sent and received, if enabled (protocol §6.7).
    log: Vec<String>,
    log_send: bool,
    log_recv: bool,
}

impl Network {
    /// A network without participants; `rng` makes its random choices.
    pub fn new(conditions: Conditions, rng: ChaCha8Rng) -> Self {
        Self {
            conditions,
            rng,
            delays: Delays::default(),
            places: HashMap::new(),
            receivers: Vec::new(),
            mail: Vec::new(),
            next_id: 0,
            muted: Vec::new(),
            unread: Vec::new(),
            counts: Counts::default(),
            journal: Some(Journal::default()),
            lists: Lists::default(),
            log: Vec::new(),
            log_send: false,
            log_recv: false,
        }
    }

    /// Enables a line for each message sent, or received, in [`Network::drain_log`].
    pub fn log(&mut self, send: bool, recv: bool) {
        (self.log_send, self.log_recv) = (send, recv);
    }

    /// Delivers messages with the delays of a real machine.
    pub fn delay(&mut self, delays: Delays) {
        self.delays = delays;
    }

    /// Registers a node or a service and returns its index, counted from 0 in the order of calls.
    pub fn add_receiver(&mut self, name: &str) -> usize {
        let index = self.receivers.len();
        let name: Rc<str> = name.into();
        self.places.insert(Rc::clone(&name), Place::Receiver(index));
        self.receivers.push(Receiver { name, inbox: Inbox::new(self.conditions.delivery), muted: None });
        index
    }

    /// Registers a client under the next id (`c0`, `c1`, ...) and returns its number. Ids are not reused.
    pub fn open_client(&mut self) -> usize {
        let number = self.mail.len();
        self.mail.push(VecDeque::new());
        self.places.insert(client_name(number).into(), Place::Client(number));
        number
    }

    /// Deregisters a client: from now on, a message to it mutes its sender.
    pub fn close_client(&mut self, number: usize) {
        self.places.remove(client_name(number).as_str());
        self.mail[number].clear();
    }

    /// The name of a receiver.
    pub fn name(&self, receiver: usize) -> &Rc<str> {
        &self.receivers[receiver].name
    }

    /// Takes a line that `node` printed, without its line end; `None` if the node is muted and the line is ignored. The
    /// error is returned once, for the line that mutes the node.
    pub fn accept(&mut self, node: usize, line: &[u8], now: Time) -> Result<Option<Message>, &Muted> {
        if let Some(trace) = &mut self.receivers[node].muted {
            trace.keep(line);
            let id = self.next_id;
            if let Some(journal) = &mut self.journal {
                journal.ignored(|| unheard(line, id, now));
            }
            return Ok(None);
        }
        let line = String::from_utf8_lossy(line);
        let sent = line::parse_with(&line, &mut self.lists).and_then(|envelope| {
            let sent = self.pass(&envelope.src, &envelope.dest, envelope.body, envelope.array, now)?;
            if !envelope.rest.is_empty() {
                self.note_unread(node, envelope.rest);
            }
            Ok(sent)
        });
        let reason = match sent {
            Ok(sent) => return Ok(Some(sent)),
            Err(reason) => reason,
        };
        let late_reply = matches!(&reason, BadLine::UnknownDest(dest) if self.was_client(dest));
        let receiver = &mut self.receivers[node];
        receiver.muted = Some(Trace::default());
        let muted = Muted { node: Rc::clone(&receiver.name), line: quote(&line), reason, late_reply };
        if let Some(journal) = &mut self.journal {
            journal.muted(now, &muted);
        }
        self.muted.push(muted);
        self.muted.last().map_or(Ok(None), Err)
    }

    fn note_unread(&mut self, node: usize, rest: &str) {
        let name = &self.receivers[node].name;
        match self.unread.iter_mut().find(|unread| unread.node == *name) {
            Some(unread) => unread.lines += 1,
            None => self.unread.push(Unread { node: Rc::clone(name), lines: 1, first: quote(rest) }),
        }
    }

    /// Sends a message between registered participants; `body` is the text of a JSON object (protocol §6.2).
    pub fn send(&mut self, src: &str, dest: &str, body: &str, now: Time) -> Result<Message, BadLine> {
        self.pass(src, dest, body, None, now)
    }

    fn pass(&mut self, src: &str, dest: &str, body: &str, array: Option<Array>, now: Time) -> Result<Message, BadLine> {
        let Some((dest, to)) = self.places.get_key_value(dest) else {
            return Err(BadLine::UnknownDest(quote(dest)));
        };
        let Some((src, from)) = self.places.get_key_value(src) else {
            return Err(BadLine::UnknownSrc(quote(src)));
        };
        let (src, dest, to) = (Rc::clone(src), Rc::clone(dest), *to);
        let from = match *from {
            Place::Receiver(index) => Some(index),
            Place::Client(_) => None,
        };
        let client = touches_client(&src, &dest);
        let deadline = if client { now } else { now + self.conditions.latency.draw(&mut self.rng) };
        let (id, body): (_, Rc<str>) = (self.next_id, body.into());
        let (to_end, addressee) = match to {
            Place::Receiver(index) => (End::Receiver(index), None),
            Place::Client(number) => (End::Clients, Some(number)),
        };
        let ends = [from.map_or(End::Clients, End::Receiver), to_end];
        let passage = || Passage {
            id,
            src: Rc::clone(&src),
            dest: Rc::clone(&dest),
            body: array.as_ref().map_or_else(|| Rc::clone(&body), |array| array.leave_out(&body).into()),
            array: array.clone().map(Box::new),
            sent: now,
            fates: SmallVec::new(),
            twice: false,
        };
        let slot = self.journal.as_mut().and_then(|journal| journal.sent(ends, client, passage));
        let message = Message { id, src, dest, body, array, client: addressee, deadline, from, slot };
        let sent = message.clone();
        self.next_id += 1;
        self.counts.sent(client);
        if self.log_send {
            self.log.push(log_line(":send", &message));
        }
        if !client && self.happens(self.conditions.loss) {
            self.settle(slot, now, Fate::Lost);
            return Ok(sent);
        }
        match to {
            Place::Client(number) => self.mail[number].push_back(message),
            Place::Receiver(index) => {
                if !client && self.happens(self.conditions.duplication) {
                    self.receivers[index].inbox.push(message.clone(), now, &mut self.delays);
                    if let (Some(journal), Some(slot)) = (&mut self.journal, slot) {
                        journal.duplicate(slot);
                    }
                }
                self.receivers[index].inbox.push(message, now, &mut self.delays);
                self.note_dropped(index, now, Fate::Refused);
            }
        }
        Ok(sent)
    }

    /// The next message for `receiver` and when it was due, if that is by `now`.
    pub fn take(&mut self, receiver: usize, now: Time) -> Option<(Time, Message)> {
        let taken = self.receivers[receiver].inbox.take(now, &mut self.delays);
        self.note_dropped(receiver, now, Fate::Refused);
        let taken = taken?;
        self.received(&taken.1, now);
        Some(taken)
    }

    /// When [`Network::take`] next has something for `receiver`.
    pub fn due(&self, receiver: usize) -> Option<Time> {
        self.receivers[receiver].inbox.due()
    }

    /// The messages that are under way to a receiver, by time, and when each is due.
    pub fn under_way(&self, receiver: usize) -> impl Iterator<Item = (Time, &Message)> {
        self.receivers[receiver].inbox.waiting()
    }

    /// The next message for a client, which must be waiting for one: it counts as received now.
    pub fn take_mail(&mut self, client: usize, now: Time) -> Option<Message> {
        let message = self.mail[client].pop_front()?;
        self.received(&message, now);
        Some(message)
    }

    /// Makes each receiver refuse exactly the senders listed at its index; without an entry it refuses none.
    pub fn cut(&mut self, grudges: &[Vec<usize>]) {
        for (index, receiver) in self.receivers.iter_mut().enumerate() {
            receiver.inbox.refuse(grudges.get(index).map_or(&[], Vec::as_slice));
        }
    }

    /// Ends random loss and duplication.
    pub fn end_random_faults(&mut self) {
        (self.conditions.loss, self.conditions.duplication) = (0.0, 0.0);
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns the journal and stops recording. Times of the history count from `zero`.
    pub fn take_journal(&mut self, zero: Time) -> Journal {
        let mut journal = self.journal.take().unwrap_or_default();
        journal.zero = zero;
        journal
    }

    /// Notes in the journal which thread performs its operations as this client.
    pub fn assign(&mut self, client: usize, thread: usize) {
        if let Some(journal) = &mut self.journal {
            journal.assign(client, thread);
        }
    }

    /// Resets a receiver whose node restarts: discards its queue and reads its output again.
    pub fn restart(&mut self, receiver: usize, now: Time) {
        self.receivers[receiver].inbox.clear();
        self.receivers[receiver].muted = None;
        self.note_dropped(receiver, now, Fate::Discarded);
    }

    fn note_dropped(&mut self, receiver: usize, now: Time, fate: Fate) {
        let dropped = self.receivers[receiver].inbox.dropped();
        if let Some(journal) = &mut self.journal {
            dropped.for_each(|slot| journal.settle(slot, now, fate));
        }
    }

    fn settle(&mut self, slot: Option<Slot>, now: Time, fate: Fate) {
        if let (Some(journal), Some(slot)) = (&mut self.journal, slot) {
            journal.settle(slot, now, fate);
        }
    }

    /// The muted nodes, in the order in which they were muted.
    pub fn muted(&self) -> &[Muted] {
        &self.muted
    }

    /// For each muted node that printed more, a sentence with the last lines of that.
    pub fn traces(&self) -> impl Iterator<Item = String> {
        self.receivers.iter().filter_map(|receiver| {
            let lines = &receiver.muted.as_ref()?.lines;
            let last = lines.iter().map(String::as_str).collect::<Vec<_>>().join(" / ");
            (!lines.is_empty()).then(|| format!("what {} printed when it was muted ends with: {last}", receiver.name))
        })
    }

    /// Why a node is muted at present, if it is.
    pub fn muted_now(&self, node: usize) -> Option<&Muted> {
        let Receiver { name, muted, .. } = &self.receivers[node];
        self.muted.iter().rev().find(|why| muted.is_some() && why.node == *name)
    }

    /// The nodes that printed more after a message, in the order of the first occurrence.
    pub fn unread(&self) -> &[Unread] {
        &self.unread
    }

    /// Removes and returns the lines that [`Network::log`] enabled.
    pub fn drain_log(&mut self) -> impl Iterator<Item = String> {
        self.log.drain(..)
    }

    fn received(&mut self, message: &Message, now: Time) {
        self.settle(message.slot, now, Fate::Delivered);
        self.counts.received(touches_client(&message.src, &message.dest));
        if self.log_recv {
            self.log.push(log_line(":recv", message));
        }
    }

    fn happens(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.rng.random_bool(probability)
    }

    fn was_client(&self, name: &str) -> bool {
        client_number(name).is_some_and(|number| number < self.mail.len() && name == client_name(number))
    }
}

/// The message that a muted node printed at `now`, when `id` messages had been sent.
fn unheard(line: &[u8], id: u64, now: Time) -> Option<Passage> {
    let line = String::from_utf8_lossy(line);
    let line::Envelope { src, dest, body, .. } = line::parse(&line).ok()?;
    let fates = std::iter::once((now, Fate::Ignored)).collect();
    let (src, dest, body) = (src.into(), dest.into(), body.into());
    Some(Passage { id, src, dest, body, array: None, sent: now, fates, twice: false })
}

/// The id of a client.
pub fn client_name(number: usize) -> String {
    format!("c{number}")
}

/// The number in a client's name.
pub(in crate::workbench) fn client_number(name: &str) -> Option<usize> {
    name.strip_prefix('c')?.parse().ok()
}

/// Whether one end is a client, which its first character alone decides (protocol §1.1).
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
