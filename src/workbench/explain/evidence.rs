//! What explanations are made of, and how its parts belong together: which messages an operation sent, and to whom.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::time::Time;
use crate::workbench::explain::bodies::{self, Item, ValuePaths};
use crate::workbench::explain::faults::Faults;
use crate::workbench::history::{History, Op, Process};
use crate::workbench::network::{Journal, Passage, client_number};
use crate::workbench::workload::WorkloadKind;
use crate::workbench::workload::roles::Roles;

/// What explanations need to know of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The workload.
    pub workload: WorkloadKind,
    /// The names of the nodes.
    pub nodes: Vec<String>,
    /// The number of client threads.
    pub concurrency: usize,
    /// The consistency models that transactions must satisfy.
    pub models: Vec<String>,
}

/// [`Setting`] in a file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredSetting {
    pub(super) workload: String,
    pub(super) nodes: Vec<String>,
    pub(super) concurrency: usize,
    pub(super) models: Vec<String>,
}

/// The evidence of one run.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// The configuration.
    pub setting: &'a Setting,
    /// The operations of clients and nemesis.
    pub history: &'a History,
    /// The messages.
    pub journal: &'a Journal,
    /// The faults.
    pub(super) faults: Faults,
    /// The messages from and to the clients of each thread, by their indices in the journal.
    by_thread: Vec<Vec<usize>>,
    paths: OnceCell<ValuePaths>,
}

/// The messages of an operation.
#[derive(Debug, Default)]
pub(super) struct Exchange<'a> {
    pub(super) requests: Vec<&'a Passage>,
    pub(super) replies: Vec<&'a Passage>,
}

impl<'a> Evidence<'a> {
    /// Puts it together.
    #[must_use]
    pub fn new(setting: &'a Setting, history: &'a History, journal: &'a Journal) -> Self {
        let threads: HashMap<usize, usize> = journal.threads().iter().copied().collect();
        let mut by_thread = vec![Vec::new(); setting.concurrency];
        for (index, passage) in journal.passages().iter().enumerate() {
            let client = client_number(&passage.src).or_else(|| client_number(&passage.dest));
            let thread = client.and_then(|number| threads.get(&number));
            if let Some(messages) = thread.and_then(|thread| by_thread.get_mut(*thread)) {
                messages.push(index);
            }
        }
        Self { setting, history, journal, faults: Faults::of(history), by_thread, paths: OnceCell::new() }
    }

    /// A time in microseconds of the history, rounded down as those of operations are.
    pub(super) fn us(&self, time: Time) -> i64 {
        let ns = time.as_nanos().wrapping_sub(self.journal.zero_ns()).cast_signed();
        ns.div_euclid(1_000)
    }

    /// The end of the history.
    pub(super) fn end_us(&self) -> i64 {
        self.history.ops().last().map_or(0, |op| op.time / 1_000)
    }

    fn thread(&self, op: &Op) -> Option<usize> {
        let Process::Client(process) = op.process else { return None };
        usize::try_from(process).ok().map(|process| process % self.setting.concurrency.max(1))
    }

    /// The node to which an operation of a client is sent.
    pub(super) fn node_of(&self, op: &Op) -> &'a str {
        let node = self.thread(op).and_then(|thread| self.setting.nodes.get(thread % self.setting.nodes.len().max(1)));
        node.map_or("?", String::as_str)
    }

    /// The messages between a client and its node from the invocation of an operation to its end. Those of the next
    /// operation of the thread, which may begin at the same instant, are not among them.
    pub(super) fn exchange(&self, invocation: &Op, completion: Option<&Op>) -> Exchange<'a> {
        let Some(messages) = self.thread(invocation).and_then(|thread| self.by_thread.get(thread)) else {
            return Exchange::default();
        };
        let (from, to) = (invocation.time / 1_000, completion.map_or(i64::MAX, |op| op.time / 1_000));
        let passages = self.journal.passages();
        let first = messages.partition_point(|index| self.us(passages[*index].sent) < from);
        let own = messages[first..].iter().map(|index| &passages[*index]);
        let mut exchange = Exchange::default();
        for passage in own.take_while(|passage| self.us(passage.sent) <= to) {
            let is_request = self.is_client(&passage.src);
            if !is_request {
                // Before the first request it is the reply to the operation before.
                if !exchange.requests.is_empty() {
                    exchange.replies.push(passage);
                }
            } else if exchange.requests.is_empty() || self.us(passage.sent) < to {
                exchange.requests.push(passage);
            }
        }
        exchange
    }

    /// Whether a name is that of a client.
    pub(super) fn is_client(&self, name: &str) -> bool {
        client_number(name).is_some() && !self.setting.nodes.iter().any(|node| node == name)
    }

    /// Whether a message is from a node or a service to another.
    pub(super) fn is_between_servers(&self, passage: &Passage) -> bool {
        !self.is_client(&passage.src) && !self.is_client(&passage.dest)
    }

    /// The messages between servers, in the order of sending; those of muted nodes, which nobody heard, come last.
    pub(super) fn server_messages(&self) -> impl Iterator<Item = &'a Passage> + '_ {
        let all = self.journal.passages().iter().chain(self.journal.unheard());
        all.filter(|passage| self.is_between_servers(passage))
    }

    /// Which paths hold values in messages between servers. `items` gives the items that an operation of a client
    /// sends.
    pub(super) fn paths(&self, items: impl Fn(&Op) -> Vec<Item>) -> &ValuePaths {
        self.paths.get_or_init(|| {
            let zero = self.journal.zero_ns();
            let mut known = HashMap::new();
            for op in self.history.ops().iter().filter(|op| op.is_invocation()) {
                for item in items(op) {
                    known.entry(item).or_insert_with(|| zero.saturating_add_signed(op.time));
                }
            }
            let roles = Roles::of(self.setting.workload);
            bodies::learn(&roles, self.scenario_requests(), &mut known);
            ValuePaths::find(roles, self.server_messages(), &known)
        })
    }

    /// The requests of a scenario: those of clients without a thread since the beginning of the history.
    fn scenario_requests(&self) -> impl Iterator<Item = &'a Passage> + '_ {
        let threads: HashSet<usize> = self.journal.threads().iter().map(|(client, _)| *client).collect();
        self.journal.passages().iter().filter(move |passage| {
            let is_other = client_number(&passage.src).is_some_and(|client| !threads.contains(&client));
            is_other && self.is_client(&passage.src) && passage.sent.as_nanos() >= self.journal.zero_ns()
        })
    }

    /// For each of the items the messages between servers that carry it, in the order of sending.
    pub(super) fn carriers(&self, paths: &ValuePaths, items: &[Item]) -> Vec<Vec<&'a Passage>> {
        let messages: Vec<&Passage> = self.server_messages().collect();
        let carriers = paths.carriers(messages.iter().copied(), items);
        let of = |indices: Vec<usize>| {
            let mut of: Vec<_> = indices.into_iter().map(|index| messages[index]).collect();
            of.sort_by_key(|passage| (passage.sent, passage.id));
            of
        };
        carriers.into_iter().map(of).collect()
    }

    /// For each node that answered a read, the last one.
    pub(super) fn last_reads(&self) -> Vec<(&'a str, &'a Op)> {
        let mut last: Vec<(&str, &Op)> = Vec::new();
        for op in self.history.ops().iter().filter(|op| op.is_client() && op.f == "read" && op.kind.name() == "ok") {
            let node = self.node_of(op);
            match last.iter_mut().find(|(known, _)| *known == node) {
                Some((_, latest)) => *latest = op,
                None => last.push((node, op)),
            }
        }
        last.sort_by_key(|(node, _)| self.setting.nodes.iter().position(|known| known == node));
        last
    }
}
