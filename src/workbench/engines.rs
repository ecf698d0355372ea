//! Nodes in this process and in virtual time: the engines of the real nodes, fed the very bytes of the wire.
//!
//! Handling costs no time; time passes only in [`Cluster::wait`], straight to the next thing that happens. So a run is
//! decided by its seed alone.

use std::collections::BTreeSet;
use std::io;

use super::cluster::{Cluster, Halt, LastWords, Status};
use crate::engine::{Birth, Engine};
use crate::node::Node;
use crate::shell::Machine;
use crate::time::Time;
use crate::wire::PADDING;

/// The wall clock of all nodes at time zero, in microseconds since 1970: the same for every run.
const EPOCH_US: u64 = 1_700_000_000_000_000;

/// Bytes that wait for a paused node before its deliveries stand still, as in the pipe of a process.
const PIPE: usize = 64 << 10;

/// Makes the machine of a node: its index, its incarnation and its seed are given.
type Birthplace = Box<dyn Fn(usize, u64, u64) -> Box<dyn Machine>>;

/// A cluster of engines.
pub struct Engines {
    now: Time,
    birthplace: Birthplace,
    seed: u64,
    nodes: Vec<Option<Living>>,
    /// The next deadline of every node that has one.
    deadlines: BTreeSet<(Time, usize)>,
    /// Nodes whose output has not been handed over yet, in the order in which they spoke.
    spoken: Vec<usize>,
    buffer: Vec<u8>,
}

struct Living {
    machine: Box<dyn Machine>,
    /// The zero of the node's own clock, as with a process: it takes its incarnation and its age for the time of day.
    born: Time,
    deadline: Option<Time>,
    /// While paused: the lines that came.
    paused: Option<Vec<u8>>,
}

impl Living {
    fn age(&self, now: Time) -> Time {
        Time::ZERO + now.since(self.born)
    }
}

impl std::fmt::Debug for Engines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engines").field("now", &self.now).field("nodes", &self.nodes.len()).finish_non_exhaustive()
    }
}

impl Engines {
    /// A cluster of `count` nodes of type `N`, each with these options.
    pub fn of<N>(count: usize, seed: u64, options: &N::Options) -> Self
    where
        N: Node + 'static,
        N::Options: Clone + 'static,
    {
        let options = options.clone();
        let birthplace: Birthplace = Box::new(move |_, incarnation, seed| {
            Box::new(Engine::<N>::new(Birth { incarnation, seed, options: options.clone() }))
        });
        Self {
            now: Time::ZERO,
            birthplace,
            seed,
            nodes: (0..count).map(|_| None).collect(),
            deadlines: BTreeSet::new(),
            spoken: Vec::new(),
            buffer: Vec::new(),
        }
    }

    /// Fires what is due at a node, takes note of what it said and of its next deadline.
    fn settle(&mut self, node: usize) {
        let Some(living) = &mut self.nodes[node] else { return };
        living.machine.expire(living.age(self.now));
        if !living.machine.output().is_empty() && !self.spoken.contains(&node) {
            self.spoken.push(node);
        }
        let deadline = living.machine.deadline().map(|age| living.born + age.since(Time::ZERO));
        if deadline != living.deadline {
            if let Some(old) = living.deadline {
                self.deadlines.remove(&(old, node));
            }
            if let Some(new) = deadline {
                self.deadlines.insert((new, node));
            }
            living.deadline = deadline;
        }
    }

    fn hand_over(&mut self, on_line: &mut dyn FnMut(usize, Time, &[u8])) {
        for node in std::mem::take(&mut self.spoken) {
            let Some(living) = &mut self.nodes[node] else { continue };
            let output = living.machine.output();
            for line in output.split_inclusive(|byte| *byte == b'\n') {
                on_line(node, self.now, &line[..line.len() - 1]);
            }
            output.clear();
        }
    }
}

impl Cluster for Engines {
    fn now(&self) -> Time {
        self.now
    }

    fn start(&mut self, node: usize) -> io::Result<()> {
        let incarnation = EPOCH_US + self.now.as_nanos() / 1000;
        let seed = self.seed ^ (node as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.now.as_nanos();
        let machine = (self.birthplace)(node, incarnation, seed);
        self.nodes[node] = Some(Living { machine, born: self.now, deadline: None, paused: None });
        Ok(())
    }

    fn accepts(&self, node: usize) -> bool {
        let waiting = self.nodes[node].as_ref().and_then(|living| living.paused.as_ref());
        waiting.is_none_or(|waiting| waiting.len() < PIPE)
    }

    fn deliver(&mut self, node: usize, line: &[u8]) {
        let Some(living) = &mut self.nodes[node] else { return };
        if let Some(waiting) = &mut living.paused {
            waiting.extend_from_slice(line);
            return;
        }
        self.buffer.clear();
        self.buffer.extend_from_slice(line);
        self.buffer.resize(line.len() + PADDING, 0);
        living.machine.feed(&mut self.buffer, line.len(), living.age(self.now));
        self.settle(node);
    }

    fn wait(&mut self, until: Option<Time>, on_line: &mut dyn FnMut(usize, Time, &[u8])) -> Result<(), Halt> {
        while self.spoken.is_empty() {
            match self.deadlines.first().copied() {
                Some((deadline, node)) if until.is_none_or(|until| deadline <= until) => {
                    self.now = self.now.max(deadline);
                    self.settle(node);
                }
                Some(_) | None => {
                    let Some(until) = until else {
                        return Err(Halt::Io(io::Error::other("nothing will ever happen again: every node is idle")));
                    };
                    self.now = self.now.max(until);
                    break;
                }
            }
        }
        self.hand_over(on_line);
        Ok(())
    }

    fn kill(&mut self, node: usize) {
        if let Some(deadline) = self.nodes[node].take().and_then(|living| living.deadline) {
            self.deadlines.remove(&(deadline, node));
        }
    }

    fn pause(&mut self, node: usize) {
        let Some(living) = &mut self.nodes[node] else { return };
        living.paused.get_or_insert_default();
        if let Some(deadline) = living.deadline.take() {
            self.deadlines.remove(&(deadline, node));
        }
    }

    fn resume(&mut self, node: usize) {
        let Some(living) = &mut self.nodes[node] else { return };
        let Some(mut waiting) = living.paused.take() else { return };
        let lines = waiting.len();
        if lines > 0 {
            waiting.resize(lines + PADDING, 0);
            living.machine.feed(&mut waiting, lines, living.age(self.now));
        }
        self.settle(node);
    }

    fn status(&mut self, node: usize) -> Status {
        if self.nodes[node].is_some() { Status::Alive } else { Status::Dead("not running".into()) }
    }

    fn last_words(&self, _: usize) -> LastWords {
        LastWords::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::Broadcast;
    use crate::time::Duration;

    const INIT: &[u8] = concat!(
        r#"{"src":"c0","dest":"n0","body":{"type":"init","msg_id":1,"node_id":"n0","node_ids":["n0","n1"]}}"#,
        "\n"
    )
    .as_bytes();

    fn read(client: &str) -> String {
        format!("{{\"src\":\"{client}\",\"dest\":\"n0\",\"body\":{{\"type\":\"read\",\"msg_id\":1}}}}\n")
    }

    fn lines(cluster: &mut Engines, until: Time) -> Vec<String> {
        let mut lines = Vec::new();
        while cluster.now() < until {
            cluster
                .wait(Some(until), &mut |_, _, line| lines.push(String::from_utf8_lossy(line).into_owned()))
                .expect("something happens");
        }
        lines
    }

    #[test]
    fn a_paused_node_does_nothing_and_does_not_answer_who_asked_long_before_it_goes_on() {
        let mut cluster = Engines::of::<Broadcast>(1, 1, &<Broadcast as Node>::Options::default());
        cluster.start(0).expect("there is a node");
        cluster.deliver(0, INIT);
        assert_eq!(lines(&mut cluster, Time::from_millis(1)).len(), 1);
        // Something to say, so that a timer is set.
        cluster.deliver(
            0,
            b"{\"src\":\"c1\",\"dest\":\"n0\",\"body\":{\"type\":\"broadcast\",\"message\":1,\"msg_id\":1}}\n",
        );
        lines(&mut cluster, Time::from_millis(500));
        cluster.pause(0);
        cluster.deliver(0, read("c2").as_bytes());
        assert_eq!(lines(&mut cluster, Time::from_millis(20_000)), [""; 0]);
        cluster.resume(0);
        let end = cluster.now() + Duration::from_millis(1);
        assert!(lines(&mut cluster, end).iter().all(|line| !line.contains("read_ok")), "c2 has stopped waiting");
        cluster.deliver(0, read("c3").as_bytes());
        let end = cluster.now() + Duration::from_millis(1);
        assert_eq!(lines(&mut cluster, end).iter().filter(|line| line.contains("read_ok")).count(), 1);
    }

    #[test]
    fn a_node_started_again_knows_nothing_of_its_former_life() {
        let mut cluster = Engines::of::<Broadcast>(1, 1, &<Broadcast as Node>::Options::default());
        for life in 0..2 {
            cluster.start(0).expect("there is a node");
            assert_eq!(cluster.status(0), Status::Alive);
            cluster.deliver(0, INIT);
            cluster.deliver(0, read("c2").as_bytes());
            let end = cluster.now() + Duration::from_millis(1);
            let mut said = lines(&mut cluster, end);
            // Its greeting to its peer may be anywhere.
            said.retain(|line| line.contains(r#""dest":"c"#));
            assert!(said.len() == 2 && said[1].contains(r#""messages":[]"#), "life {life}: {said:?}");
            cluster.kill(0);
            assert!(matches!(cluster.status(0), Status::Dead(_)));
        }
    }
}
