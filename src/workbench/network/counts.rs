//! Message counts (protocol §7).

/// The messages of one group of participants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Messages sent, including those that were lost or refused later.
    pub send: usize,
    /// Messages delivered: without those that were lost, refused, or still in flight at the end.
    pub recv: usize,
    /// Distinct messages.
    pub msg: usize,
}

/// Counts of all messages, of those from or to a client, and of all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Every message.
    pub all: Traffic,
    /// Source or destination begins with `c`.
    pub clients: Traffic,
    /// Between nodes, and between nodes and services.
    pub servers: Traffic,
}

impl Counts {
    pub(super) fn sent(&mut self, client: bool) {
        for traffic in self.groups(client) {
            traffic.send += 1;
            traffic.msg += 1;
        }
    }

    pub(super) fn received(&mut self, client: bool) {
        for traffic in self.groups(client) {
            traffic.recv += 1;
        }
    }

    fn groups(&mut self, client: bool) -> [&mut Traffic; 2] {
        [&mut self.all, if client { &mut self.clients } else { &mut self.servers }]
    }
}
