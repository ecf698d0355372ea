//! What a workload says of itself, and the list of all workloads.
//!
//! Nothing else in the workbench distinguishes workloads: it uses the [`Descriptor`] of the one that is tested.

use super::roles::Body;
use super::{Workload, WorkloadOptions, broadcast, counter, echo, g_set, kafka, lin_kv, txn, unique_ids};
use crate::workbench::check::{CheckError, CheckReport, Options};
use crate::workbench::cluster::builtin::Builtin;
use crate::workbench::history::{History, Op};
use crate::workbench::nemesis::Fault;

/// The report of a checker, or why it cannot decide.
pub type Checked = Result<Box<dyn CheckReport>, CheckError>;

/// A workload, as the rest of the workbench sees it.
#[derive(Debug)]
pub struct Descriptor {
    /// The name on the command line.
    pub name: &'static str,
    /// What its nodes do, in a few words.
    pub about: &'static str,
    /// Its clients.
    pub begin: fn(&WorkloadOptions) -> Box<dyn Workload>,
    /// The operations of its histories, in words.
    pub operations: &'static str,
    /// Whether an operation of a client is one of them.
    pub owns: fn(&Op) -> bool,
    /// Its checker.
    pub check: fn(&History, &Options) -> Checked,
    /// What its clients write and read.
    pub data: Data,
    /// What stands where in its requests and replies.
    pub bodies: &'static [Body],
    /// The node that is tested without `--bin`.
    pub node: Builtin,
    /// How a swarm tests that node.
    pub swarm: SwarmRules,
}

/// What the clients of a workload write and read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// Nothing that the nodes keep.
    Nothing,
    /// Ids that the nodes generate.
    Ids,
    /// The elements of one set.
    Set,
    /// The sum of what was added.
    Counter,
    /// Messages at the offsets of logs.
    Logs,
    /// The current values of registers.
    Registers,
    /// Lists, in transactions.
    Lists,
    /// Values of registers of which each is written once, in transactions.
    Versions,
}

/// What a swarm may draw for a workload, and what it expects of this crate's node.
#[derive(Debug)]
pub struct SwarmRules {
    /// The maximum number of nodes of most clusters.
    pub max_nodes: usize,
    /// Whether some clusters are larger than that.
    pub large_clusters: bool,
    /// Client threads per node.
    pub threads: usize,
    /// The possible faults.
    pub faults: &'static [Fault],
    /// Whether messages may be duplicated. A service executes a duplicated request twice, which no node can prevent.
    pub duplication: bool,
    /// The consistency model to check, if not the default.
    pub model: Option<&'static str>,
    /// What a killed node can lose.
    pub loss: LossOnKill,
    /// What the final reads have in common.
    pub final_reads: Agreement,
}

impl SwarmRules {
    /// Everything may happen, and nothing may be lost.
    pub const DEFAULT: Self = Self {
        max_nodes: 10,
        large_clusters: false,
        threads: 1,
        faults: &Fault::ALL,
        duplication: true,
        model: None,
        loss: LossOnKill::Nothing,
        final_reads: Agreement::None,
    };
}

/// What a killed node can lose that the checks require.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossOnKill {
    /// Nothing.
    Nothing,
    /// The order of values, which only the extended checks require.
    Order,
    /// Values, which Maelstrom's checks require, too.
    Values,
}

/// What the reads have in common with which all clients end, ten seconds after the heal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// Nothing, or there are none.
    None,
    /// They are equal.
    Equal,
    /// They are equal, and have every acknowledged value.
    Complete,
}

/// The names of the workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkloadKind {
    /// Challenge 1.
    Echo,
    /// Challenge 2.
    UniqueIds,
    /// Challenge 3.
    Broadcast,
    /// A set that only grows.
    GSet,
    /// Challenge 4: a counter that only grows.
    GCounter,
    /// A counter.
    PnCounter,
    /// Challenge 5: logs.
    Kafka,
    /// Registers with compare-and-set.
    LinKv,
    /// Transactions on lists.
    TxnListAppend,
    /// Challenge 6: transactions on registers.
    TxnRwRegister,
}

impl WorkloadKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Broadcast,
        Self::Echo,
        Self::GCounter,
        Self::GSet,
        Self::Kafka,
        Self::LinKv,
        Self::PnCounter,
        Self::TxnListAppend,
        Self::TxnRwRegister,
        Self::UniqueIds,
    ];

    /// What it says of itself.
    pub(crate) const fn descriptor(self) -> &'static Descriptor {
        match self {
            Self::Echo => &echo::ECHO,
            Self::UniqueIds => &unique_ids::UNIQUE_IDS,
            Self::Broadcast => &broadcast::BROADCAST,
            Self::GSet => &g_set::G_SET,
            Self::GCounter => &counter::G_COUNTER,
            Self::PnCounter => &counter::PN_COUNTER,
            Self::Kafka => &kafka::KAFKA,
            Self::LinKv => &lin_kv::LIN_KV,
            Self::TxnListAppend => &txn::TXN_LIST_APPEND,
            Self::TxnRwRegister => &txn::TXN_RW_REGISTER,
        }
    }

    /// The workload of this name.
    ///
    /// # Errors
    /// There is none; the text, in Maelstrom's words, names those that exist.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            format!("Failed to validate \"--workload {name}\": Must be one of {known}")
        })
    }

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.descriptor().name
    }

    /// The node that is tested without `--bin`.
    pub(crate) fn node(self) -> Builtin {
        self.descriptor().node
    }

    /// A new workload of this kind.
    pub(crate) fn begin(self, options: &WorkloadOptions) -> Box<dyn Workload> {
        (self.descriptor().begin)(options)
    }

    /// Runs its checker.
    ///
    /// # Errors
    /// The checker cannot decide.
    pub(crate) fn check(self, history: &History, options: &Options) -> Checked {
        match history.unpaired() {
            Some(unpaired) => Err(unpaired.clone().into()),
            None => (self.descriptor().check)(history, options),
        }
    }
}
