//! The engine of a node: it turns lines into calls of the node's handlers, and their effects into lines.
//!
//! It decodes messages, handles `init`, tracks calls and timers, and collects output until its host writes it in one
//! system call. It owns no clock and no file descriptor: its input is bytes and time, its output bytes and a deadline.

use memchr::memchr;

use crate::node::{Node, NodeContext, ReplyTo, Response};
use crate::outbox::{Counters, Due, Names, Outbox, escaped};
use crate::storage::{Batch, Stored};
use crate::time::{Duration, Time};
use crate::wire::{
    Decode, DecodeError, ErrorCode, ErrorText, Json, MAX_LINE, Message, PADDING, Quote, Reader, Unreadable,
};

/// Upper bound on how long lines to peers and services are held back. They are released by the first request of a
/// client, which is sent only after all nodes have replied to `init`: a message to a participant that is not registered
/// yet mutes its sender permanently (protocol §1.2).
pub const SETTLE: Duration = Duration::from_millis(500);

/// Upper bound on how long a node with timers waits for input. Input is assumed to have arrived right after the
/// previous wake-up: if the process was suspended in between, the client may have timed out, and a reply would mute the
/// node. A node without timers cannot detect a suspension.
pub const MAX_WAIT: Duration = Duration::from_millis(500);

/// Maximum number of bytes buffered of messages that arrive before `init`; more are dropped. With 25 nodes, Maelstrom
/// delivers about twenty such messages.
pub const MAX_EARLY: usize = 1 << 20;

/// Maximum number of nodes in a cluster: each takes memory at all others.
pub const MAX_NODES: usize = 1 << 14;

/// Maximum length of a node's id, in bytes of JSON text: it is part of every line.
pub const MAX_NODE_ID: usize = 1 << 10;

/// The interface between a host and what it drives, usually an [`Engine`].
pub trait StateMachine {
    /// Handles the complete lines in `buffer[..lines]`, each with its `\n`, in place.
    ///
    /// At least [`PADDING`] bytes follow the lines. They may belong to the next line, so they must be unchanged on
    /// return; the lines themselves may be overwritten. `lines` is not 0.
    fn on_lines(&mut self, buffer: &mut [u8], lines: usize, now: Time);

    /// Acts on every deadline up to `now`.
    fn on_deadline(&mut self, now: Time);

    /// When [`on_deadline`](Self::on_deadline) must next be called; `None` if no deadline is set.
    fn next_deadline(&self) -> Option<Time>;

    /// The output buffer: the state machine appends complete lines, the host writes and removes them.
    fn output(&mut self) -> &mut Vec<u8>;

    /// What must be durable before the output may be written; `None` if it stores nothing.
    fn unsaved(&mut self) -> Option<&mut Batch> {
        None
    }

    /// Its state as a developer reads it.
    fn debug(&self) -> String {
        String::new()
    }

    /// Handles a line of `length` bytes that was skipped because it exceeds [`MAX_LINE`]; by default, logs it.
    fn on_oversize(&mut self, length: u64) {
        log::error!("skipped a line of {length} bytes, the longest that is handled has {MAX_LINE}");
    }
}

/// The configuration that a host provides at the start of a node.
#[derive(Debug)]
pub struct EngineConfig<O> {
    /// The wall clock at the start, in microseconds.
    pub incarnation: u64,
    /// A seed for the node's random choices.
    pub seed: u64,
    /// The node's parsed command line.
    pub options: O,
}

/// A node with its pending calls, timers and output.
#[derive(Debug)]
pub struct Engine<N: Node> {
    node: Option<N>,
    config: EngineConfig<N::Options>,
    /// What the node has stored in earlier incarnations; it takes this when it starts.
    stored: Stored,
    out: Outbox<N>,
    reader: Reader,
    /// Lines that arrived before `init`.
    early: Vec<u8>,
    /// Whether these are being handled.
    replaying: bool,
}

impl<N: Node> Engine<N> {
    /// Creates an engine for a node without storage; it waits for `init`.
    #[must_use]
    pub fn new(config: EngineConfig<N::Options>) -> Self {
        Self::with(config, Stored::default(), None)
    }

    /// Creates an engine for a node with storage, which starts from what it has stored before; it waits for `init`.
    #[must_use]
    pub fn durable(config: EngineConfig<N::Options>, stored: Stored) -> Self {
        Self::with(config, stored, Some(Batch::default()))
    }

    fn with(config: EngineConfig<N::Options>, stored: Stored, unsaved: Option<Batch>) -> Self {
        // The ids of calls must differ from those of earlier incarnations, whose responses may yet arrive.
        let first_call = i64::try_from(config.incarnation).unwrap_or_default();
        let seed = config.seed;
        Self {
            node: None,
            config,
            stored,
            out: Outbox::new(first_call, seed, unsaved),
            reader: Reader::default(),
            early: Vec::new(),
            replaying: false,
        }
    }

    /// The node; `None` before `init`.
    #[must_use]
    pub const fn node(&self) -> Option<&N> {
        self.node.as_ref()
    }

    /// Counts of anomalous events.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.out.counters()
    }

    fn on_line(&mut self, buffer: &mut [u8], len: usize) {
        let before_init = self.node.is_none();
        let kept = self.early.len();
        if before_init {
            self.early.extend_from_slice(&buffer[..len]);
            self.early.push(b'\n');
        }
        let Self { node, config, stored, out, reader, replaying, .. } = self;
        // A request that arrived before this node's `init` does not show that the others have theirs.
        let all_exist = !*replaying;
        let on_message = |message: &Message<'_>| on_message(node, (config, stored), out, all_exist, message);
        let read = reader.read(buffer, len, |message| message.map(on_message));
        match read {
            Ok(Handled::Yes) => {}
            Ok(Handled::BeforeInit) if self.early.len() <= MAX_EARLY => return,
            Ok(Handled::BeforeInit) => {
                self.out.count().early_dropped += 1;
                log::warn!("dropped a message: more than {MAX_EARLY} bytes came before init");
            }
            Err(why) => self.unreadable(&buffer[..len], &why),
        }
        if before_init {
            self.early.truncate(kept);
            if self.node.is_some() {
                self.replay();
            }
        }
    }

    /// Handles the lines that arrived before `init`.
    fn replay(&mut self) {
        let mut early = std::mem::take(&mut self.early);
        let len = early.len();
        early.resize(len + PADDING, 0);
        self.replaying = true;
        self.handle(&mut early, len);
        self.replaying = false;
    }

    fn handle(&mut self, buffer: &mut [u8], len: usize) {
        let mut start = 0;
        while let Some(end) = memchr(b'\n', &buffer[start..len]) {
            let line = end - usize::from(end > 0 && buffer[start + end - 1] == b'\r');
            if line > 0 {
                self.on_line(&mut buffer[start..], line);
            }
            start += end + 1;
        }
    }

    #[cold]
    fn unreadable(&mut self, line: &[u8], why: &Unreadable) {
        self.out.count().unreadable += 1;
        log::error!("skipped a line of {} bytes, {why}: {}", line.len(), Quote::of(line));
    }
}

impl<N: Node> StateMachine for Engine<N> {
    fn on_lines(&mut self, buffer: &mut [u8], lines: usize, now: Time) {
        self.out.on_lines(now);
        self.handle(buffer, lines);
    }

    fn on_deadline(&mut self, now: Time) {
        let Self { node, out, .. } = self;
        let Some(node) = node else { return };
        // Timers armed here without delay wait for the next wake-up, so that input is read in between.
        for _ in 0..out.on_deadline(now) {
            match out.next_due() {
                Some(Due::Timer(timer)) => node.on_timer(timer, out),
                Some(Due::Call(id)) => {
                    if let Some((call, response)) = out.expire(id) {
                        node.on_response(call, response, out);
                    }
                }
                Some(Due::Unsent(id, why)) => {
                    if let Some((call, response)) = out.unsent(id, why) {
                        node.on_response(call, response, out);
                    }
                }
                Some(Due::Retry(id)) => out.retry(id),
                Some(Due::Settled) => settle(node, out),
                None => break,
            }
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        self.out.next_deadline(MAX_WAIT)
    }

    fn output(&mut self) -> &mut Vec<u8> {
        self.out.lines()
    }

    fn unsaved(&mut self) -> Option<&mut Batch> {
        self.out.unsaved()
    }

    fn debug(&self) -> String {
        self.node.as_ref().map_or_else(|| "waits for init".to_owned(), |node| format!("{node:#?}"))
    }
}

enum Handled {
    Yes,
    BeforeInit,
}

fn on_message<N: Node>(
    node: &mut Option<N>,
    start: (&EngineConfig<N::Options>, &mut Stored),
    out: &mut Outbox<N>,
    all_exist: bool,
    message: &Message<'_>,
) -> Handled {
    let Some(running) = node else {
        if message.kind != "init" {
            return Handled::BeforeInit;
        }
        *node = on_init(start, out, message);
        return Handled::Yes;
    };
    if let Some(id) = message.in_reply_to {
        if let Some((call, response)) = out.on_response(id, response(message)) {
            running.on_response(call, response, out);
        }
        return Handled::Yes;
    }
    let Some(from) = sender(out, message) else { return Handled::Yes };
    if all_exist && !out.is_settled() && from.peer().is_none() && message.kind != "init" {
        settle(running, out);
    }
    match N::Request::decode(message.kind, message.body) {
        Ok(request) => running.on_request(from, request, out),
        Err(DecodeError::UnknownType) if message.kind == "init" => out.reply_regardless(from, "init_ok").end(),
        Err(why) => reject(out, from, message, why),
    }
    Handled::Yes
}

/// Releases the messages to peers and services, and calls [`Node::on_settled`] the first time.
#[cold]
fn settle<N: Node>(node: &mut N, out: &mut Outbox<N>) {
    if out.settle() {
        node.on_settled(out);
    }
}

fn response<'a>(message: &Message<'a>) -> Response<'a> {
    if message.kind == "error" {
        let code = message.body.get("code").and_then(Json::as_u64).unwrap_or(ErrorCode::CRASH.0);
        let text = message.body.get("text").and_then(Json::as_str).unwrap_or_default();
        Response::Error { code: ErrorCode(code), text }
    } else {
        Response::Reply { kind: message.kind, body: message.body }
    }
}

#[inline]
fn sender<N: Node>(out: &mut Outbox<N>, message: &Message<'_>) -> Option<ReplyTo> {
    let from = out.reply_to(message.src, message.msg_id);
    if from.is_none() {
        drop_message(out, message);
    }
    from
}

#[cold]
fn drop_message<N: Node>(out: &mut Outbox<N>, message: &Message<'_>) {
    out.count().rejected += 1;
    let (kind, src) = (Quote::of(message.kind), Quote::of(message.src));
    log::error!("dropped a {kind} message: its sender's id is too long: {src}");
}

#[cold]
fn reject<N: Node>(out: &mut Outbox<N>, from: ReplyTo, message: &Message<'_>, why: DecodeError) {
    out.count().rejected += 1;
    let kind = Quote::of(message.kind);
    let (code, text) = match why {
        DecodeError::UnknownType => {
            (ErrorCode::NOT_SUPPORTED, format!("this node does not know messages of type {kind}"))
        }
        DecodeError::Malformed(why) => (ErrorCode::MALFORMED_REQUEST, format!("malformed {kind} request: {why}")),
    };
    log::warn!("rejected a message from {}: {}", Quote::of(message.src), ErrorText(&text));
    // An error is never answered with an error, or two nodes could exchange errors forever.
    if message.kind != "error" {
        out.reply_error(from, code, &text);
    }
}

#[cold]
fn on_init<N: Node>(
    (config, stored): (&EngineConfig<N::Options>, &mut Stored),
    out: &mut Outbox<N>,
    message: &Message<'_>,
) -> Option<N> {
    if escaped(message.dest).len() > MAX_NODE_ID {
        out.count().rejected += 1;
        log::error!("dropped an init: a node's id may have {MAX_NODE_ID} bytes: {}", Quote::of(message.dest));
        return None;
    }
    out.set_names(Names::anonymous(message.dest));
    let from = sender(out, message)?;
    let ids = message.body.get("node_ids").and_then(|ids| ids.to::<Vec<Box<str>>>().ok());
    let id = message.body.get("node_id").and_then(Json::as_str);
    let (Some(id), Some(ids)) = (id, ids) else {
        let why = DecodeError::Malformed("node_id must be a string and node_ids an array of strings".into());
        reject(out, from, message, why);
        return None;
    };
    if ids.len() > MAX_NODES || ids.iter().any(|id| escaped(id).len() > MAX_NODE_ID) {
        let why = format!("at most {MAX_NODES} nodes, and {MAX_NODE_ID} bytes in the id of each, can be kept");
        reject(out, from, message, DecodeError::Malformed(why));
        return None;
    }
    let names = Names::new(id, ids.clone());
    let Some(me) = names.peer(id) else {
        reject(out, from, message, DecodeError::Malformed("node_id must be one of node_ids".into()));
        return None;
    };
    out.set_names(names);
    out.settle_after(SETTLE);
    let EngineConfig { incarnation, seed, options } = config;
    let stored = std::mem::take(stored);
    let context = NodeContext { me, nodes: &ids, incarnation: *incarnation, seed: *seed, options, stored: &stored };
    let node = N::start(&context, out);
    out.reply_regardless(from, "init_ok").end();
    Some(node)
}
