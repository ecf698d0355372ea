//! Client threads, and the recorder of the history (protocol §2.4, §2.5).

use super::{OperationErrors, Test};
use crate::time::Time;
use crate::workbench::cluster::Cluster;
use crate::workbench::edn::Value;
use crate::workbench::generator::Threads;
use crate::workbench::history::{History, Op, OpKind, Process};
use crate::workbench::workload::client::{ClientReply, Schema};
use crate::workbench::workload::{ClientAction, Invocation};

/// Records the history, with times relative to `zero`.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    pub(super) zero: Time,
    pub(super) history: History,
    pub(super) errors: OperationErrors,
    /// Whether the history is complete; then nothing more is recorded.
    pub(super) closed: bool,
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
}

/// An operation without its index and time.
fn op(kind: OpKind, process: Process, f: &'static str, value: Value, extra: Vec<(Value, Value)>) -> Op {
    Op { index: 0, time: 0, kind, process, f: f.into(), value, error: None, extra }
}

impl<C: Cluster> Test<'_, C> {
    /// Records an operation of the nemesis.
    pub(super) fn record_nemesis(&mut self, f: &'static str, value: Value) {
        self.record(op(OpKind::Info, Process::Nemesis, f, value, Vec::new()));
    }

    /// Appends an operation to the history, with its index and time.
    fn record(&mut self, op: Op) {
        let Recorder { zero, history, closed, .. } = &mut self.recorder;
        if !*closed {
            let time = i64::try_from(self.router.cluster.now().since(*zero).as_nanos()).unwrap_or(i64::MAX);
            self.router.watch.on_op(history.push(Op { time, ..op }));
        }
    }

    /// Begins an operation on a free thread.
    pub(super) fn begin(&mut self, thread: usize, invocation: Invocation) {
        let worker = &mut self.workers.workers[thread];
        if std::mem::take(&mut worker.spent)
            && let Some(client) = worker.client.take()
        {
            self.router.close_client(client);
        }
        if worker.client.is_none() {
            let client = self.router.open_client(thread, thread % self.router.nodes());
            self.router.network.assign(client, thread);
            worker.client = Some(client);
            self.workload.on_client(thread);
        }
        let process = Process::Client(worker.process);
        self.record(op(OpKind::Invoke, process, invocation.f, invocation.value.clone(), invocation.marks.clone()));
        self.workers.threads.begin(thread);
        let action = self.workload.begin(thread, &invocation);
        self.perform(thread, invocation, action);
    }

    /// Handles the result of a thread's request.
    pub(super) fn on_reply(&mut self, thread: usize, reply: ClientReply) {
        let Some((mut invocation, schema)) = self.workers.workers[thread].doing.take() else { return };
        match self.workload.error_policy().judge(invocation.f, reply, &schema) {
            Ok(reply) => {
                let action = self.workload.on_reply(thread, &invocation, reply);
                self.perform(thread, invocation, action);
            }
            Err(failure) => {
                self.recorder.errors.note(invocation.f, &failure.reason);
                invocation.marks.extend(failure.exception.map(|value| (Value::keyword("exception"), value)));
                let value = std::mem::take(&mut invocation.value);
                self.complete(thread, invocation, failure.kind, value, Some(failure.error));
            }
        }
    }

    /// Performs an action of a thread's client.
    fn perform(&mut self, thread: usize, mut invocation: Invocation, action: ClientAction) {
        let (kind, value) = match action {
            ClientAction::Send(request) => {
                let worker = &mut self.workers.workers[thread];
                worker.doing = Some((invocation, request.reply));
                if let Some(client) = worker.client {
                    self.router.ask(client, &request);
                }
                return;
            }
            ClientAction::Complete(value) => (OpKind::Ok, value),
            ClientAction::Crash => (OpKind::Info, std::mem::take(&mut invocation.value)),
        };
        self.complete(thread, invocation, kind, value, None);
    }

    /// Completes a thread's operation.
    fn complete(&mut self, thread: usize, invocation: Invocation, kind: OpKind, value: Value, error: Option<Value>) {
        let Workers { threads, workers } = &mut self.workers;
        let count = workers.len() as u64;
        let worker = &mut workers[thread];
        let op = op(kind, Process::Client(worker.process), invocation.f, value, invocation.marks);
        if kind == OpKind::Info {
            worker.process += count;
            worker.spent = !self.workload.error_policy().reusable;
        }
        threads.end(thread);
        self.record(Op { error, ..op });
        if let Some(op) = self.recorder.history.ops().last() {
            self.workload.on_completion(thread, op);
        }
    }
}
