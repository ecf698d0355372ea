//! Client threads, and the recorder of the history (protocol §2.4, §2.5).

use super::router::Router;
use super::{OperationErrors, Watch};
use crate::time::Time;
use crate::workbench::cluster::Cluster;
use crate::workbench::edn::Value;
use crate::workbench::generator::Threads;
use crate::workbench::history::{Op, OpKind, Process};
use crate::workbench::workload::client::{ClientReply, Schema};
use crate::workbench::workload::{Act, Invocation, Workload};

/// Records the history, with times relative to `zero`.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    pub(super) zero: Time,
    pub(super) history: Vec<Op>,
    pub(super) errors: OperationErrors,
    /// Whether the history is complete; then nothing more is recorded.
    pub(super) closed: bool,
}

/// One line of the history, without its time and index.
struct Entry {
    kind: OpKind,
    process: Process,
    f: &'static str,
    value: Value,
    error: Option<Value>,
    extra: Vec<(Value, Value)>,
}

/// How an operation ended.
struct End {
    kind: OpKind,
    f: &'static str,
    value: Value,
    error: Option<Value>,
    extra: Vec<(Value, Value)>,
}

impl Recorder {
    pub(super) fn nemesis(&mut self, f: &'static str, value: Value, now: Time, watch: &mut dyn Watch) {
        let (kind, process) = (OpKind::Info, Process::Nemesis);
        self.write(Entry { kind, process, f, value, error: None, extra: Vec::new() }, now, watch);
    }

    fn write(&mut self, entry: Entry, now: Time, watch: &mut dyn Watch) {
        if self.closed {
            return;
        }
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

    /// Begins an operation on a free thread.
    pub(super) fn begin<C: Cluster>(
        &mut self,
        thread: usize,
        invocation: Invocation,
        workload: &mut dyn Workload,
        router: &mut Router<C>,
        recorder: &mut Recorder,
    ) {
        let worker = &mut self.workers[thread];
        if std::mem::take(&mut worker.spent)
            && let Some(client) = worker.client.take()
        {
            router.close_client(client);
        }
        if worker.client.is_none() {
            let client = router.open_client(thread, thread % router.nodes());
            router.network.assign(client, thread);
            worker.client = Some(client);
            workload.on_client(thread);
        }
        let entry = Entry {
            kind: OpKind::Invoke,
            process: Process::Client(worker.process),
            f: invocation.f,
            value: invocation.value.clone(),
            error: None,
            extra: invocation.marks.clone(),
        };
        recorder.write(entry, router.cluster.now(), router.watch);
        self.threads.begin(thread);
        let act = workload.begin(thread, &invocation);
        self.perform(thread, invocation, act, workload, router, recorder);
    }

    /// Handles the result of a thread's request.
    pub(super) fn answered<C: Cluster>(
        &mut self,
        thread: usize,
        answer: ClientReply,
        workload: &mut dyn Workload,
        router: &mut Router<C>,
        recorder: &mut Recorder,
    ) {
        let Some((invocation, schema)) = self.workers[thread].doing.take() else { return };
        match workload.error_policy().judge(invocation.f, answer, &schema) {
            Ok(reply) => {
                let act = workload.proceed(thread, &invocation, reply);
                self.perform(thread, invocation, act, workload, router, recorder);
            }
            Err(failure) => {
                recorder.errors.note(invocation.f, &failure.reason);
                let mut extra = invocation.marks;
                extra.extend(failure.exception.map(|value| (Value::Keyword("exception".into()), value)));
                let (f, value) = (invocation.f, invocation.value);
                let end = End { kind: failure.kind, f, value, error: Some(failure.error), extra };
                self.complete(thread, end, workload, router, recorder);
            }
        }
    }

    /// Performs an action of a thread's client.
    fn perform<C: Cluster>(
        &mut self,
        thread: usize,
        invocation: Invocation,
        act: Act,
        workload: &mut dyn Workload,
        router: &mut Router<C>,
        recorder: &mut Recorder,
    ) {
        let worker = &mut self.workers[thread];
        let (kind, value) = match act {
            Act::Ask(request) => {
                worker.doing = Some((invocation, request.reply));
                if let Some(client) = worker.client {
                    router.ask(client, &request);
                }
                return;
            }
            Act::Done(value) => (OpKind::Ok, value),
            Act::Crash => (OpKind::Info, invocation.value),
        };
        let end = End { kind, f: invocation.f, value, error: None, extra: invocation.marks };
        self.complete(thread, end, workload, router, recorder);
    }

    /// Completes a thread's operation.
    fn complete<C: Cluster>(
        &mut self,
        thread: usize,
        end: End,
        workload: &mut dyn Workload,
        router: &mut Router<C>,
        recorder: &mut Recorder,
    ) {
        let count = self.workers.len() as u64;
        let worker = &mut self.workers[thread];
        let End { kind, f, value, error, extra } = end;
        let entry = Entry { kind, process: Process::Client(worker.process), f, value, error, extra };
        if kind == OpKind::Info {
            worker.process += count;
            worker.spent = !workload.error_policy().reusable;
        }
        recorder.write(entry, router.cluster.now(), router.watch);
        if let Some(op) = recorder.history.last() {
            workload.on_completion(thread, op);
        }
        self.threads.end(thread);
    }
}
