//! Transactions on lin-kv: a log of batches, each a value of its own that is created once and never changed.
//!
//! Every node applies the batches in order, so that all go through the same states. The transactions that wait are a
//! node's next batch: it takes the first place of the log that is free, or the node reads what came in between and
//! tries the next one. Strictly serializable, and never aborted. A batch costs two messages; where other nodes were
//! faster, two more and two for each place read ahead, which are as many as there are nodes, or more after a restart.
//! Where places have been lost lately, reads and attempts go out together, and who wins rests for a round trip: so all
//! get their turn.

mod database;

use std::collections::{BTreeMap, VecDeque};

use super::waiting::{MAX_WAITING, MAX_WAITING_BYTES};
use crate::kv::{IfMissing, LIN_KV};
use crate::node::{Node, NodeContext, ReplyTo, Response};
use crate::outbox::Outbox;
use crate::requests;
use crate::time::Time;
use crate::wire::{Bound, ErrorCode, Json, REQUEST, Raw, UNANSWERABLE};
use database::{Database, MicroOp, micro_ops};

/// At most so many places of the log are read at once: the log of an earlier incarnation is long.
pub const MAX_AHEAD: u64 = 1024;

/// What a batch may hold: a place and a few words go with it. More transactions take more than one place.
const BATCH: Bound = Bound { bytes: REQUEST.bytes - 128, depth: REQUEST.depth };

requests! {
    /// What a node is asked.
    #[derive(Debug)]
    pub enum Request<'a> {
        /// Do all of this at once.
        "txn" => Txn { txn: Json<'a> },
    }
}

/// What is asked of lin-kv.
#[derive(Debug, Clone, Copy)]
pub enum Call {
    /// Take the next place of the log.
    Append,
    /// Name the batch at this place.
    Read(u64),
}

/// A transaction, and who wants it.
#[derive(Debug)]
struct Transaction {
    from: ReplyTo,
    ops: Vec<MicroOp>,
    /// Those that change anything, as a JSON array.
    changes: Vec<u8>,
}

impl Transaction {
    /// How much is kept while it waits.
    fn bytes(&self) -> usize {
        self.changes.len() + self.ops.iter().map(MicroOp::bytes).sum::<usize>()
    }
}

/// After a lost place, so many batches are tried with reads beside them, in case they are lost as well.
const WARY: u32 = 4;

/// A node for lists and for registers.
#[derive(Debug)]
pub struct ListAppend {
    database: Database,
    /// The first place whose batch has not been applied.
    place: u64,
    waiting: VecDeque<Transaction>,
    /// How many bytes these are.
    waiting_bytes: usize,
    /// Those that are to take the next place.
    batch: Vec<Transaction>,
    /// Whether the next place is known to be taken.
    lost: bool,
    wary: u32,
    /// When the latest attempt began, and until when others go first, who learn of each place a round trip later.
    asked: Time,
    rests_until: Time,
    /// Places that are read at once, at least and now.
    stride: u64,
    ahead: u64,
    /// Reads that have not been answered, and what others found, which never changes.
    reading: u64,
    found: BTreeMap<u64, Vec<MicroOp>>,
}

impl ListAppend {
    /// Goes on with the transactions that wait, unless others are on their way.
    fn begin(&mut self, out: &mut Outbox<Self>) {
        if self.batch.is_empty() && !self.waiting.is_empty() && self.rests_until <= out.now() {
            self.fill_batch();
            self.append(out);
        }
    }

    /// Takes as many of the transactions that wait as fit, the first in any case.
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

    /// Tries to take the next place. No batch is null, so that what is there already stays.
    fn append(&mut self, out: &mut Outbox<Self>) {
        self.lost = false;
        self.asked = out.now();
        let changes = self.batch.iter().map(|transaction| &transaction.changes[1..transaction.changes.len() - 1]);
        let changes: Vec<_> = changes.filter(|changes| !changes.is_empty()).collect();
        let batch = [b"[".as_slice(), &changes.join(&b','), b"]"].concat();
        LIN_KV.cas(self.place, ((), Raw(&batch)), IfMissing::Create, Call::Append, out);
        if self.wary > 0 {
            self.look(out);
        }
    }

    /// Reads ahead, unless that is being done.
    fn look(&mut self, out: &mut Outbox<Self>) {
        if self.reading == 0 {
            self.read_ahead(out);
        }
    }

    /// The place was free.
    fn won(&mut self, out: &mut Outbox<Self>) {
        self.wary = self.wary.saturating_sub(1);
        let took = out.now().since(self.asked);
        if self.stride > 1 && !took.is_zero() {
            self.rests_until = out.now() + took;
            out.arm(took, ());
        }
        self.found.remove(&self.place);
        self.place += 1;
        for Transaction { from, ops, changes } in self.batch.drain(..) {
            match self.database.apply(&ops) {
                Some(result) => out.reply(from, "txn_ok").field("txn", Raw(&result)).end(),
                None if changes == b"[]" => out.reply_error(from, ErrorCode::ABORT, UNANSWERABLE),
                // It is done, whatever is said.
                None => out.reply_error(from, ErrorCode::CRASH, UNANSWERABLE),
            }
        }
        self.begin(out);
    }

    /// The place was taken.
    fn lost(&mut self, out: &mut Outbox<Self>) {
        self.wary = WARY;
        self.lost = true;
        if self.catch_up() > 0 {
            self.append(out);
        } else {
            self.look(out);
        }
    }

    /// The place was not taken, or it is not known whether it was.
    fn give_up(&mut self, code: ErrorCode, text: &str, out: &mut Outbox<Self>) {
        for transaction in self.batch.drain(..) {
            out.reply_error(transaction.from, code, text);
        }
        self.begin(out);
    }

    fn read_ahead(&mut self, out: &mut Outbox<Self>) {
        self.reading = self.ahead;
        for place in self.place..self.place + self.ahead {
            LIN_KV.read(place, Call::Read(place), out);
        }
    }

    /// All reads have been answered.
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

    /// Applies what has been found; how many batches these are.
    fn catch_up(&mut self) -> u64 {
        let before = self.place;
        while let Some(ops) = self.found.remove(&self.place) {
            self.database.apply(&ops);
            self.place += 1;
        }
        self.place - before
    }
}

impl Node for ListAppend {
    type Request<'a> = Request<'a>;
    /// Others have had their turn.
    type Timer = ();
    type Call = Call;
    type Options = ();

    fn start(context: &NodeContext<'_, ()>, _: &mut Outbox<Self>) -> Self {
        let stride = MAX_AHEAD.min(context.nodes.len() as u64);
        Self {
            database: Database::default(),
            place: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            batch: Vec::new(),
            lost: false,
            wary: 0,
            asked: Time::ZERO,
            rests_until: Time::ZERO,
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
            return out.reply_error(from, ErrorCode::MALFORMED_REQUEST, what.why());
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
            (Call::Append, Response::Error { code, text }) => self.give_up(code, text, out),
            (Call::Append, Response::Expired) => {
                self.give_up(ErrorCode::TIMEOUT, "lin-kv did not answer; this may be done", out);
            }
            (Call::Read(place), response) => {
                if let Response::Reply { body, .. } = response
                    && place >= self.place
                    && let Some(ops) = body.get("value").and_then(micro_ops)
                {
                    self.found.insert(place, ops);
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
