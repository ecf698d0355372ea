//! What the network counts (reference §7).

/// Events of one group of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Messages sent, also those that a partition or a loss swallowed later.
    pub send: u64,
    /// Messages handed over.
    pub recv: u64,
    /// Distinct messages.
    pub msg: u64,
}

/// Events of all messages, of those from or to a client, and of all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Every message.
    pub all: Tally,
    /// Source or destination begins with `c`.
    pub clients: Tally,
    /// Between nodes, and between nodes and services.
    pub servers: Tally,
}

impl Counts {
    pub(super) fn sent(&mut self, client: bool) {
        for tally in self.groups(client) {
            tally.send += 1;
            tally.msg += 1;
        }
    }

    pub(super) fn received(&mut self, client: bool) {
        for tally in self.groups(client) {
            tally.recv += 1;
        }
    }

    fn groups(&mut self, client: bool) -> [&mut Tally; 2] {
        [&mut self.all, if client { &mut self.clients } else { &mut self.servers }]
    }
}
