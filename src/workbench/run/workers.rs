//! Client threads and the history they write (reference §2.4, §2.5).

use super::Watch;
use super::exchange::Exchange;
use crate::time::Time;
use crate::workbench::client::{Answer, Schema};
use crate::workbench::cluster::Cluster;
use crate::workbench::edn::Value;
use crate::workbench::generator::Threads;
use crate::workbench::history::{Kind, Op, Process};
use crate::workbench::workload::{Invocation, Workload};

/// The history, and the instant from which its times count.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) zero: Time,
    pub(super) history: Vec<Op>,
}

/// What one line of the history says besides when and where.
struct Entry {
    kind: Kind,
    process: Process,
    f: &'static str,
    value: Value,
    error: Option<Value>,
    extra: Vec<(Value, Value)>,
}

impl Book {
    pub(super) fn nemesis(&mut self, f: &'static str, value: Value, now: Time, watch: &mut dyn Watch) {
        let (kind, process) = (Kind::Info, Process::Nemesis);
        self.write(Entry { kind, process, f, value, error: None, extra: Vec::new() }, now, watch);
    }

    fn write(&mut self, entry: Entry, now: Time, watch: &mut dyn Watch) {
        let Entry { kind, process, f, value, error, extra } = entry;
        let time = i64::try_from(now.since(self.zero).as_nanos()).unwrap_or(i64::MAX);
        let index = self.history.len() as u64;
        let op = Op { index, time, kind, process, f: f.into(), value, error, extra };
        watch.on_op(&op);
        self.history.push(op);
    }
}

#[derive(Debug, Clone, Default)]
struct Worker {
    process: u64,
    client: Option<usize>,
    /// Whether its client is to be replaced before the next operation.
    spent: bool,
    doing: Option<(Invocation, Schema)>,
}

/// The client threads.
#[derive(Debug)]
pub(super) struct Workers {
    pub(super) threads: Threads,
    workers: Vec<Worker>,
}

impl Workers {
    pub(super) fn new(count: usize) -> Self {
        let worker = |process| Worker { process, ..Worker::default() };
        Self { threads: Threads::new(count), workers: (0_u64..).take(count).map(worker).collect() }
    }

    /// A free thread performs an operation.
    pub(super) fn begin<C: Cluster>(
        &mut self,
        thread: usize,
        invocation: Invocation,
        workload: &dyn Workload,
        exchange: &mut Exchange<C>,
        book: &mut Book,
    ) {
        let worker = &mut self.workers[thread];
        if std::mem::take(&mut worker.spent)
            && let Some(client) = worker.client.take()
        {
            exchange.close_client(client);
        }
        let node = thread % exchange.nodes();
        let client = *worker.client.get_or_insert_with(|| exchange.open_client(thread, node));
        let entry = Entry {
            kind: Kind::Invoke,
            process: Process::Client(worker.process),
            f: invocation.f,
            value: invocation.value.clone(),
            error: None,
            extra: marks(&invocation),
        };
        book.write(entry, exchange.cluster.now(), exchange.watch);
        let request = workload.request(&invocation);
        exchange.ask(client, &request);
        worker.doing = Some((invocation, request.reply));
        self.threads.begin(thread);
    }

    /// A thread's operation ends with this answer.
    pub(super) fn complete<C: Cluster>(
        &mut self,
        thread: usize,
        answer: Answer,
        workload: &dyn Workload,
        exchange: &mut Exchange<C>,
        book: &mut Book,
    ) {
        let count = self.workers.len() as u64;
        let worker = &mut self.workers[thread];
        let Some((invocation, schema)) = worker.doing.take() else { return };
        let (process, f, mut extra) = (Process::Client(worker.process), invocation.f, marks(&invocation));
        let conduct = workload.conduct();
        let entry = match conduct.judge(f, answer, &schema) {
            Ok(reply) => {
                let value = workload.completed(invocation, reply);
                Entry { kind: Kind::Ok, process, f, value, error: None, extra }
            }
            Err(trouble) => {
                let exception = trouble.exception.map(|value| (Value::Keyword("exception".into()), value));
                extra.extend(exception);
                let (kind, value) = (trouble.kind, invocation.value);
                Entry { kind, process, f, value, error: Some(trouble.error), extra }
            }
        };
        if entry.kind == Kind::Info {
            worker.process += count;
            worker.spent = !conduct.reusable;
        }
        book.write(entry, exchange.cluster.now(), exchange.watch);
        self.threads.end(thread);
    }
}

fn marks(invocation: &Invocation) -> Vec<(Value, Value)> {
    let mark = (Value::Keyword("final?".into()), Value::Bool(true));
    invocation.is_final.then_some(mark).into_iter().collect()
}
