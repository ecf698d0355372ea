//! Connects the network, the clients, the services and the nodes: one turn delivers what is due and waits for more.

use std::collections::VecDeque;

use super::{Lateness, Watch};
use crate::time::{Duration, Time};
use crate::workbench::cluster::{Cluster, Halt, Status};
use crate::workbench::json;
use crate::workbench::network::{Accepted, LONGEST_LINE, Network, client_name, client_number};
use crate::workbench::quote::quote;
use crate::workbench::services::Services;
use crate::workbench::workload::client::{Client, ClientReply, Request, Stray, Unfinished};

/// A node that has ended a line this recently is in the middle of the next one: it does not lack a line end.
const MID_LINE: Duration = Duration::from_millis(500);

/// What a client, open or closed, has asked so far; it numbers its requests from 1.
#[derive(Debug, Clone, Copy)]
struct Asked {
    node: usize,
    requests: u64,
    /// The last request that was answered.
    answered: u64,
}

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
    /// By number; `None` once closed.
    clients: Vec<Option<Client>>,
    /// By number, also of those that are closed.
    asked: Vec<Asked>,
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
            asked: Vec::new(),
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
        self.clients.push(Some(Client::new(owner, node, &client_name(number))));
        self.asked.push(Asked { node, requests: 0, answered: 0 });
        number
    }

    pub(super) fn close_client(&mut self, number: usize) {
        self.network.close_client(number);
        self.waiting.retain(|waiting| *waiting != number);
        self.clients[number] = None;
    }

    /// Sends a request from a client; [`Router::next_answer`] returns its result.
    pub(super) fn ask(&mut self, number: usize, request: &Request) {
        let now = self.cluster.now();
        let Some(client) = &mut self.clients[number] else { return };
        let body = client.ask(request, now);
        let node = std::rc::Rc::clone(self.network.name(client.node));
        let sent = self.network.send(&client_name(number), &node, &body, now);
        debug_assert!(sent.is_ok(), "an open client and a node are both registered");
        self.asked[number].requests += 1;
        self.waiting.push(number);
        self.read_mail(number, now);
    }

    fn read_mail(&mut self, number: usize, now: Time) {
        let Self { network, clients, asked, waiting, answers, .. } = self;
        read_mail(network, clients, asked, waiting, answers, number, now);
    }

    /// A stray message that a client received while it waited for this node, if any.
    pub(super) fn stray(&self, node: usize) -> Option<&Stray> {
        let clients = self.waiting.iter().filter_map(|number| self.clients[*number].as_ref());
        clients.filter(|client| client.node == node).find_map(Client::stray)
    }

    /// The next result of a request, with the owner and the number of its client.
    pub(super) fn next_answer(&mut self) -> Option<(usize, usize, ClientReply)> {
        while let Some((number, answer)) = self.answers.pop_front() {
            if let Some(client) = &self.clients[number] {
                return Some((client.owner, number, answer));
            }
        }
        None
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
            .chain(self.waiting.iter().filter_map(|&number| self.clients[number].as_ref()?.deadline()))
            .chain(until)
            .min();
        if self.answers.is_empty() {
            let Self { network, cluster, watch, clients, asked, waiting, answers, last_line, .. } = self;
            cluster.wait(due, &mut |node, now, line| {
                last_line[node] = Some(now);
                match network.accept(node, line, now) {
                    Ok(Some(sent)) => {
                        note_misdirected(node, &sent, asked, clients, waiting);
                        if let Some(client) = sent.client {
                            read_mail(network, clients, asked, waiting, answers, client, now);
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
            let answer = clients[number].as_mut().and_then(|client| {
                let node = client.node;
                let is_mid_line = last_line[node].is_some_and(|ended| now.since(ended) < MID_LINE);
                client.expire(now, || if is_mid_line { None } else { unfinished(cluster.unfinished(node)) })
            });
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
fn is_stray(node: usize, sent: &Accepted, asked: &[Asked]) -> bool {
    let short = sent.array.as_ref().map(|array| array.leave_out(&sent.body));
    let body = short.as_deref().unwrap_or(&sent.body);
    if !body.contains("in_reply_to") {
        return false;
    }
    let receiver = sent.client.or_else(|| client_number(&sent.dest)).and_then(|number| asked.get(number));
    let Some(receiver) = receiver.filter(|receiver| receiver.node == node) else { return true };
    let members = json::members(body).unwrap_or_default();
    let in_reply_to = members.iter().find(|(key, _)| key == "in_reply_to").and_then(|(_, id)| id.get().parse().ok());
    !in_reply_to.is_some_and(|id: u64| (1..=receiver.requests).contains(&id) && id != receiver.answered)
}

/// Tells the clients that wait for a node of a message to another receiver which may have been meant for one of them.
fn note_misdirected(node: usize, sent: &Accepted, asked: &[Asked], clients: &mut [Option<Client>], waiting: &[usize]) {
    let waits = |number: &&usize| clients[**number].as_ref().is_some_and(|client| client.node == node);
    let others: Vec<usize> =
        waiting.iter().filter(|number| sent.client != Some(**number)).filter(waits).copied().collect();
    if others.is_empty() || !is_stray(node, sent, asked) {
        return;
    }
    for number in others {
        if let Some(client) = &mut clients[number] {
            client.note_misdirected(&sent.src, &sent.dest, &sent.body, sent.array.as_ref());
        }
    }
}

/// Reads a waiting client's mailbox up to the reply.
fn read_mail(
    network: &mut Network,
    clients: &mut [Option<Client>],
    asked: &mut [Asked],
    waiting: &mut Vec<usize>,
    answers: &mut VecDeque<(usize, ClientReply)>,
    number: usize,
    now: Time,
) {
    let Some(client) = &mut clients[number] else { return };
    while client.deadline().is_some()
        && let Some(message) = network.take_mail(number, now)
    {
        if let Some(answer) = client.receive(&message.src, &message.body, message.array.as_ref()) {
            asked[number].answered = asked[number].requests;
            answers.push_back((number, answer));
            waiting.retain(|waiting| *waiting != number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_answers_a_request_of_its_receiver_is_no_stray() {
        let asked = [
            Asked { node: 0, requests: 5, answered: 4 },
            Asked { node: 0, requests: 5, answered: 5 },
            Asked { node: 1, requests: 5, answered: 4 },
        ];
        let to = |dest: &str, body: &str| {
            let client = client_number(dest).filter(|number| *number < 2);
            Accepted { client, src: "n0".into(), dest: dest.into(), body: body.into(), array: None }
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
            assert_eq!(is_stray(0, &to(dest, body), &asked), expected, "{dest}: {body}");
        }
    }
}
