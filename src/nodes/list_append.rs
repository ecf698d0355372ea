//! Transactions on lin-kv: a log of batches, each stored under its position, created once and never changed.
//!
//! Every node applies the batches in order, so that all go through the same states. A node's pending transactions form
//! its next batch, which it tries to create at the first free position; if another node was faster, it reads the
//! batches in between and retries. Strictly serializable, and never aborted. A batch costs two messages; after a lost
//! race two more, and two for each position read ahead: one for each node, or more after a restart. While contention is
//! high, reads and attempts are sent together, and the winner backs off for a round trip, for fairness.

mod database;

use std::collections::{BTreeMap, VecDeque};

use super::request_queue::{MAX_WAITING, MAX_WAITING_BYTES};
use crate::kv::{IfMissing, LIN_KV};
use crate::node::{Node, NodeContext, ReplyTo, Response};
use crate::outbox::Outbox;
use crate::requests;
use crate::time::Time;
use crate::wire::{Bound, ErrorCode, Json, REPLY_TOO_LARGE, REQUEST, Raw};
use database::{Database, MicroOp, micro_ops};

/// Maximum number of positions that are read at once, after a restart.
pub const MAX_AHEAD: u64 = 1024;

/// The bound on a batch, which leaves room for the other fields of the request. More transactions take several batches.
const BATCH: Bound = Bound { bytes: REQUEST.bytes - 128, depth: REQUEST.depth };

requests! {
    /// Requests to the node.
    #[derive(Debug)]
    pub enum Request<'a> {
        /// Execute a transaction.
        "txn" => Txn { txn: Json<'a> },
    }
}

/// A call to lin-kv.
#[derive(Debug, Clone, Copy)]
pub enum Call {
    /// Create the batch at the next position.
    Append,
    /// Read the batch at this position.
    Read(u64),
}

/// A pending transaction.
#[derive(Debug)]
struct Transaction {
    from: ReplyTo,
    ops: Vec<MicroOp>,
    /// Its writes and appends, as a JSON array.
    changes: Vec<u8>,
}

impl Transaction {
    /// Its size in memory, in bytes.
    fn bytes(&self) -> usize {
        self.changes.len() + self.ops.iter().map(MicroOp::bytes).sum::<usize>()
    }
}

/// The number of attempts after a lost race that are sent together with reads, in case they lose as well.
const CONTENDED_ATTEMPTS: u32 = 4;

/// A node for the workloads txn-list-append and txn-rw-register.
#[derive(Debug)]
pub struct ListAppend {
    database: Database,
    /// The first position whose batch has not been applied.
    position: u64,
    waiting: VecDeque<Transaction>,
    /// The size of these, in bytes.
    waiting_bytes: usize,
    /// The transactions of the attempt under way.
    batch: Vec<Transaction>,
    /// Whether the position is known to be taken.
    lost: bool,
    /// The number of attempts still to be sent together with reads.
    contended: u32,
    /// When the latest attempt was sent, and until when the node backs off so that others can win.
    attempted: Time,
    backs_off_until: Time,
    /// The number of positions that are read at once: the minimum, and the current one.
    stride: u64,
    ahead: u64,
    /// The number of pending reads, and the batches read so far.
    reading: u64,
    found: BTreeMap<u64, Vec<MicroOp>>,
}

impl ListAppend {
    /// Starts the next batch, unless one is under way.
    fn begin(&mut self, out: &mut Outbox<Self>) {
        if self.batch.is_empty() && !self.waiting.is_empty() && self.backs_off_until <= out.now() {
            self.fill_batch();
            self.append(out);
        }
    }

    /// Moves waiting transactions to the batch: the first, and as many more as fit.
    fn fill_batch(&mut self) {
        let mut bytes = 0;
        while let Some(next) = self.waiting.front() {
            bytes += next.changes.len();
            if bytes > BATCH.bytes && !self.batch.is_empty() {
                break;
            }
            self.waiting_bytes -= next.bytes();
            self.batch.extend(self.waiting.pop_front());
        }
    }

    /// Tries to create the batch at the position. The compare-and-set is from null, which is never stored, so that an
    /// existing batch is not replaced.
    fn append(&mut self, out: &mut Outbox<Self>) {
        self.lost = false;
        self.attempted = out.now();
        let changes = self.batch.iter().map(|transaction| &transaction.changes[1..transaction.changes.len() - 1]);
        let changes: Vec<_> = changes.filter(|changes| !changes.is_empty()).collect();
        let batch = [b"[".as_slice(), &changes.join(&b','), b"]"].concat();
        LIN_KV.cas(self.position, ((), Raw(&batch)), IfMissing::Create, Call::Append, out);
        if self.contended > 0 {
            self.read_ahead_once(out);
        }
    }

    /// Reads ahead, unless reads are pending.
    fn read_ahead_once(&mut self, out: &mut Outbox<Self>) {
        if self.reading == 0 {
            self.read_ahead(out);
        }
    }

    /// Handles a batch created at the position.
    fn won(&mut self, out: &mut Outbox<Self>) {
        self.contended = self.contended.saturating_sub(1);
        let took = out.now().since(self.attempted);
        if self.stride > 1 && !took.is_zero() {
            self.backs_off_until = out.now() + took;
            out.arm(took, ());
        }
        self.found.remove(&self.position);
        self.position += 1;
        for Transaction { from, ops, changes } in self.batch.drain(..) {
            match self.database.apply(&ops) {
                Some(result) => out.reply(from, "txn_ok").field("txn", Raw(&result)).end(),
                None if changes == b"[]" => out.reply_error(from, ErrorCode::ABORT, REPLY_TOO_LARGE),
                // Its writes took effect, so the error must be indefinite.
                None => out.reply_error(from, ErrorCode::CRASH, REPLY_TOO_LARGE),
            }
        }
        self.begin(out);
    }

    /// Handles a position already taken.
    fn lost(&mut self, out: &mut Outbox<Self>) {
        self.contended = CONTENDED_ATTEMPTS;
        self.lost = true;
        if self.catch_up() > 0 {
            self.append(out);
        } else {
            self.read_ahead_once(out);
        }
    }

    /// Handles a failed attempt, definite or not.
    fn fail_batch(&mut self, code: ErrorCode, text: &str, out: &mut Outbox<Self>) {
        for transaction in self.batch.drain(..) {
            out.reply_error(transaction.from, code, text);
        }
        self.begin(out);
    }

    fn read_ahead(&mut self, out: &mut Outbox<Self>) {
        self.reading = self.ahead;
        for position in self.position..self.position + self.ahead {
            LIN_KV.read(position, Call::Read(position), out);
        }
    }

    /// Handles the end of the pending reads.
    fn on_read(&mut self, out: &mut Outbox<Self>) {
        if !self.lost {
            return;
        }
        if self.catch_up() >= self.ahead {
            self.ahead = MAX_AHEAD.min(2 * self.ahead);
            self.read_ahead(out);
        } else {
            self.ahead = self.stride;
            self.append(out);
        }
    }

    /// Applies the batches read so far; returns their number.
    fn catch_up(&mut self) -> u64 {
        let before = self.position;
        while let Some(ops) = self.found.remove(&self.position) {
            self.database.apply(&ops);
            self.position += 1;
        }
        self.position - before
    }
}

impl Node for ListAppend {
    type Request<'a> = Request<'a>;
    /// Ends the back-off.
    type Timer = ();
    type Call = Call;
    type Options = ();

    fn start(context: &NodeContext<'_, ()>, _: &mut Outbox<Self>) -> Self {
        let stride = MAX_AHEAD.min(context.nodes.len() as u64);
        Self {
            database: Database::default(),
            position: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            batch: Vec::new(),
            lost: false,
            contended: 0,
            attempted: Time::ZERO,
            backs_off_until: Time::ZERO,
            stride,
            ahead: stride,
            reading: 0,
            found: BTreeMap::new(),
        }
    }

    fn on_request(&mut self, from: ReplyTo, request: Request<'_>, out: &mut Outbox<Self>) {
        let Request::Txn { txn } = request;
        let Some(ops) = micro_ops(txn) else {
            let text = "txn: not a list of [\"r\", key, null], [\"w\", key, value] and [\"append\", key, value]";
            out.reply_error(from, ErrorCode::MALFORMED_REQUEST, text);
            return;
        };
        let mut changes = vec![b'['];
        database::write_changes(&ops, &mut changes);
        changes.push(b']');
        if let Err(what) = BATCH.admit(&changes) {
            return out.reply_error(from, ErrorCode::MALFORMED_REQUEST, what.message());
        }
        let transaction = Transaction { from, ops, changes };
        let bytes = self.waiting_bytes + transaction.bytes();
        if self.waiting.len() >= MAX_WAITING || bytes > MAX_WAITING_BYTES {
            let why = "too many transactions wait for lin-kv";
            return out.reply_error(from, ErrorCode::TEMPORARILY_UNAVAILABLE, why);
        }
        self.waiting_bytes = bytes;
        self.waiting.push_back(transaction);
        self.begin(out);
    }

    fn on_response(&mut self, call: Call, response: Response<'_>, out: &mut Outbox<Self>) {
        match (call, response) {
            (Call::Append, Response::Reply { .. }) => self.won(out),
            (Call::Append, Response::Error { code: ErrorCode::PRECONDITION_FAILED, .. }) => self.lost(out),
            (Call::Append, Response::Error { code, text }) => self.fail_batch(code, text, out),
            (Call::Append, Response::Expired) => {
                self.fail_batch(
                    ErrorCode::TIMEOUT,
                    "lin-kv did not answer; the transaction may have taken effect",
                    out,
                );
            }
            (Call::Read(position), response) => {
                if let Response::Reply { body, .. } = response
                    && position >= self.position
                    && let Some(ops) = body.get("value").and_then(micro_ops)
                {
                    self.found.insert(position, ops);
                }
                self.reading -= 1;
                if self.reading == 0 {
                    self.on_read(out);
                }
            }
        }
    }

    fn on_timer(&mut self, (): (), out: &mut Outbox<Self>) {
        self.begin(out);
    }
}
