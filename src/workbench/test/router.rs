//! Connects the network, the clients, the services and the nodes: one turn delivers what is due and waits for more.

use std::collections::VecDeque;

use super::{Lateness, Watch};
use crate::time::{Duration, Time};
use crate::workbench::cluster::{Cluster, Halt, Status};
use crate::workbench::json;
use crate::workbench::network::{LONGEST_LINE, Message, Network, client_name, client_number};
use crate::workbench::quote::quote;
use crate::workbench::services::Services;
use crate::workbench::workload::client::{Client, ClientReply, Request, StrayMessage, Unfinished};

/// A node that has ended a line this recently is in the middle of the next one: it does not lack a line end.
const MID_LINE: Duration = Duration::from_millis(500);

pub(super) struct Router<'a, C: Cluster> {
    pub(super) network: Network,
    pub(super) services: Services,
    pub(super) cluster: &'a mut C,
    pub(super) watch: &'a mut dyn Watch,
    pub(super) lateness: Lateness,
    /// For each node, whether the nemesis has killed it; then nothing is delivered.
    pub(super) down: Vec<bool>,
    /// For each node, when its unexpected end was noticed.
    pub(super) died: Vec<Option<Time>>,
    /// By number, also those that are closed.
    clients: Vec<Client>,
    waiting: Vec<usize>,
    answers: VecDeque<(usize, ClientReply)>,
    line: Vec<u8>,
    /// For each node, when it last ended a line.
    last_line: Vec<Option<Time>>,
}

impl<'a, C: Cluster> Router<'a, C> {
    pub(super) fn new(
        mut network: Network,
        services: Services,
        nodes: &[String],
        cluster: &'a mut C,
        watch: &'a mut dyn Watch,
    ) -> Self {
        for name in nodes.iter().map(String::as_str).chain(Services::NAMES) {
            network.add_receiver(name);
        }
        Self {
            network,
            services,
            cluster,
            watch,
            lateness: Lateness::default(),
            down: vec![false; nodes.len()],
            died: vec![None; nodes.len()],
            clients: Vec::new(),
            waiting: Vec::new(),
            answers: VecDeque::new(),
            line: Vec::new(),
            last_line: vec![None; nodes.len()],
        }
    }

    pub(super) fn nodes(&self) -> usize {
        self.down.len()
    }

    pub(super) fn open_client(&mut self, owner: usize, node: usize) -> usize {
        let number = self.network.open_client();
        self.clients.push(Client::new(owner, node, &client_name(number)));
        number
    }

    pub(super) fn close_client(&mut self, number: usize) {
        self.network.close_client(number);
        self.waiting.retain(|waiting| *waiting != number);
        self.answers.retain(|(answered, _)| *answered != number);
        self.clients[number].close();
    }

    /// Sends a request from a client; [`Router::next_answer`] returns its result.
    pub(super) fn ask(&mut self, number: usize, request: &Request) {
        let now = self.cluster.now();
        let client = &mut self.clients[number];
        let body = client.ask(request, now);
        let node = std::rc::Rc::clone(self.network.name(client.node));
        let sent = self.network.send(&client_name(number), &node, &body, now);
        debug_assert!(sent.is_ok(), "an open client and a node are both registered");
        self.waiting.push(number);
        self.read_mail(number, now);
    }

    fn read_mail(&mut self, number: usize, now: Time) {
        let Self { network, clients, waiting, answers, .. } = self;
        read_mail(network, clients, waiting, answers, number, now);
    }

    /// A stray message that a client received while it waited for this node, if any.
    pub(super) fn stray(&self, node: usize) -> Option<&StrayMessage> {
        let clients = self.waiting.iter().map(|number| &self.clients[*number]);
        clients.filter(|client| client.node == node).find_map(Client::stray)
    }

    /// Whether there are results of requests.
    pub(super) fn has_answers(&self) -> bool {
        !self.answers.is_empty()
    }

    /// The next result of a request, with the owner and the number of its client.
    pub(super) fn next_answer(&mut self) -> Option<(usize, usize, ClientReply)> {
        let (number, answer) = self.answers.pop_front()?;
        Some((self.clients[number].owner, number, answer))
    }

    /// Delivers what is due; then, unless results are pending, waits until `until` or until something happens. The
    /// output of nodes is read even if `until` has passed.
    pub(super) fn turn(&mut self, until: Option<Time>) -> Result<(), Halt> {
        if self.watch.is_interrupted() {
            return Err(Halt::Interrupted);
        }
        self.deliver_due();
        let now = self.cluster.now();
        self.expire(now);
        let services = self.nodes()..self.nodes() + Services::NAMES.len();
        let due = (0..self.nodes())
            .filter(|&node| self.reaches(node))
            .chain(services)
            .filter_map(|receiver| self.network.due(receiver))
            .chain(self.waiting.iter().filter_map(|&number| self.clients[number].deadline()))
            .chain(until)
            .min();
        if self.answers.is_empty() {
            let Self { network, cluster, watch, clients, waiting, answers, last_line, .. } = self;
            cluster.wait(due, &mut |node, now, line| {
                last_line[node] = Some(now);
                match network.accept(node, line, now) {
                    Ok(Some(sent)) => {
                        note_misdirected(node, &sent, clients, waiting);
                        if let Some(client) = sent.client {
                            read_mail(network, clients, waiting, answers, client, now);
                        }
                    }
                    Ok(None) => {}
                    Err(muted) => watch.on_muted(muted),
                }
            })?;
            self.deliver_due();
        }
        while let Some(node) = self.cluster.take_dead() {
            self.died[node] = Some(self.cluster.now());
            if let Status::Dead(status) = self.cluster.status(node) {
                self.watch.on_death(self.network.name(node), &status, &self.cluster.output_tail(node));
            }
        }
        for line in self.network.drain_log() {
            self.watch.on_message(&line);
        }
        Ok(())
    }

    /// Delivers every message that is due, to services and to nodes that accept one. Services come first, since their
    /// replies may be due at once.
    pub(super) fn deliver_due(&mut self) {
        for service in 0..Services::NAMES.len() {
            self.serve(service);
        }
        for node in 0..self.nodes() {
            while self.reaches(node) {
                let now = self.cluster.now();
                let Some((due, message)) = self.network.take(node, now) else { break };
                self.lateness.add(now.since(due));
                self.line.clear();
                message.write(&mut self.line);
                self.cluster.deliver(node, &self.line);
            }
        }
    }

    fn serve(&mut self, service: usize) {
        let receiver = self.nodes() + service;
        loop {
            let now = self.cluster.now();
            let Some((_, message)) = self.network.take(receiver, now) else { return };
            if let Some(body) = self.services.handle(service, &message.src, &message.body, now) {
                let sent = self.network.send(&message.dest, &message.src, &body, now);
                // The caller may be gone: a node may use a client's name as `src`.
                drop(sent);
            }
        }
    }

    fn reaches(&self, node: usize) -> bool {
        !self.down[node] && self.cluster.accepts(node)
    }

    fn expire(&mut self, now: Time) {
        let Self { clients, waiting, answers, cluster, last_line, .. } = self;
        waiting.retain(|&number| {
            let client = &mut clients[number];
            let node = client.node;
            let is_mid_line = last_line[node].is_some_and(|ended| now.since(ended) < MID_LINE);
            let answer = client.expire(now, || if is_mid_line { None } else { unfinished(cluster.unfinished(node)) });
            let waits = answer.is_none();
            answers.extend(answer.map(|answer| (number, answer)));
            waits
        });
    }
}

/// Output of a node without a line end, if there is any.
fn unfinished(bytes: &[u8]) -> Option<Unfinished> {
    let is_whole = bytes.len() <= LONGEST_LINE;
    (!bytes.is_empty()).then(|| Unfinished {
        bytes: bytes.len(),
        is_whole,
        text: quote(&String::from_utf8_lossy(bytes)),
    })
}

/// Whether a message replies to a request that its receiver never made or has had an answer to: it may have been meant
/// for another client.
fn is_stray(node: usize, sent: &Message, clients: &[Client]) -> bool {
    let short = sent.array.as_ref().map(|array| array.leave_out(&sent.body));
    let body = short.as_deref().unwrap_or(&sent.body);
    if !body.contains("in_reply_to") {
        return false;
    }
    let receiver = sent.client.or_else(|| client_number(&sent.dest)).and_then(|number| clients.get(number));
    let Some(receiver) = receiver.filter(|receiver| receiver.node == node) else { return true };
    let members = json::members(body).unwrap_or_default();
    let in_reply_to = members.iter().find(|(key, _)| key == "in_reply_to").and_then(|(_, id)| id.get().parse().ok());
    !in_reply_to.is_some_and(|id| receiver.expects(id))
}

/// Notifies the clients that wait for a node about a message to another receiver, which may have been meant for them.
fn note_misdirected(node: usize, sent: &Message, clients: &mut [Client], waiting: &[usize]) {
    let others = |number: &&usize| sent.client != Some(**number) && clients[**number].node == node;
    let others: Vec<usize> = waiting.iter().filter(others).copied().collect();
    if others.is_empty() || !is_stray(node, sent, clients) {
        return;
    }
    for number in others {
        clients[number].note_misdirected(&sent.src, &sent.dest, &sent.body, sent.array.as_ref());
    }
}

/// Reads a waiting client's mailbox up to the reply.
fn read_mail(
    network: &mut Network,
    clients: &mut [Client],
    waiting: &mut Vec<usize>,
    answers: &mut VecDeque<(usize, ClientReply)>,
    number: usize,
    now: Time,
) {
    let client = &mut clients[number];
    while client.deadline().is_some()
        && let Some(message) = network.take_mail(number, now)
    {
        if let Some(answer) = client.receive(&message.src, &message.body, message.array.as_ref()) {
            answers.push_back((number, answer));
            waiting.retain(|waiting| *waiting != number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::workload::client::Schema;

    #[test]
    fn a_message_that_answers_a_request_of_its_receiver_is_no_stray() {
        let reply = Schema { kind: "echo_ok", fields: &[] };
        let request = Request { body: "{}".into(), reply, timeout: Duration::from_secs(5) };
        let client = |node, answered| {
            let mut client = Client::new(0, node, "c0");
            for number in 1..=5 {
                client.ask(&request, Time::ZERO);
                if number <= answered {
                    client.receive(&"n0".into(), &format!(r#"{{"in_reply_to":{number}}}"#), None).expect("a reply");
                }
            }
            client
        };
        let clients = [client(0, 4), client(0, 5), client(1, 4)];
        let to = |dest: &str, body: &str| {
            let mut message = Message::default();
            message.client = client_number(dest).filter(|number| *number < 2);
            (message.src, message.dest, message.body) = ("n0".into(), dest.into(), body.into());
            message
        };
        for (dest, body, expected) in [
            ("c0", r#"{"type":"echo_ok","in_reply_to":5}"#, false),
            ("c0", r#"{"type":"echo_ok","in_reply_to":3}"#, false),
            ("c0", r#"{"type":"echo_ok","in_reply_to":6}"#, true),
            ("c0", r#"{"type":"echo_ok","in_reply_to":"5"}"#, true),
            ("c1", r#"{"type":"echo_ok","in_reply_to":5}"#, true),
            ("c2", r#"{"type":"echo_ok","in_reply_to":5}"#, true),
            ("c3", r#"{"type":"echo_ok","in_reply_to":5}"#, true),
            ("n1", r#"{"type":"echo_ok","in_reply_to":5}"#, true),
            ("n1", r#"{"type":"gossip"}"#, false),
        ] {
            assert_eq!(is_stray(0, &to(dest, body), &clients), expected, "{dest}: {body}");
        }
    }
}
