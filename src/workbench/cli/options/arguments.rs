//! The options as clap parses them. Values stay text, since all are validated together, so that every error is reported
//! at once and in Maelstrom's words.

use clap::Parser;

use crate::workbench::workload::WorkloadKind;

const AFTER_TEST: &str = "Not in Maelstrom: --init-timeout, --seed, --scenario, --until, --interactive, --delivery, \
    --loss, --duplication, --jitter, --durable, --virtual-time, --check-determinism, --strict, --quiet, --verbose, \
    --json, --junit, --markdown, --check-timeout.\n\
    Exit status: 0 if every test was valid, 1 if one was not, 2 if one could not be decided or was stopped, 3 if \
    --check-determinism finds a difference, 254 for bad arguments, 255 for a test that broke off, 130 for Ctrl-C.";

/// The list of workloads for the help, a line each.
pub(in crate::workbench::cli) fn workloads() -> String {
    let line = |kind: WorkloadKind| format!("\n  {:<16} {}", kind.name(), kind.descriptor().about);
    format!("Workloads:{}", WorkloadKind::ALL.map(line).concat())
}

/// Runs a workload against nodes and checks them as Maelstrom does
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[expect(clippy::doc_markdown, reason = "a help text is no Markdown")]
#[command(name = "gloomers test")]
#[command(after_help = format!("{}\n\n{AFTER_TEST}", workloads()))]
pub(in crate::workbench::cli) struct TestArguments {
    /// What to test: one of those below [default: lin-kv]
    #[arg(short, long, value_name = "NAME")]
    pub(super) workload: Option<String>,
    /// The node's executable, run in the system's temporary folder [default: the built-in node]
    #[arg(long, value_name = "FILE")]
    pub(super) bin: Option<String>,
    /// Number of nodes, named n0, n1, ...; instead of --nodes
    #[arg(long, value_name = "NUM")]
    pub(super) node_count: Option<String>,
    /// Ids of nodes, separated by commas [default: n1,n2,n3,n4,n5]
    #[arg(long, value_name = "LIST")]
    pub(super) nodes: Option<String>,
    /// A file with the ids of nodes, one a line
    #[arg(long, value_name = "FILE")]
    pub(super) nodes_file: Option<String>,
    /// Number of client threads; 4n means four for each node [default: 1n]
    #[arg(long, value_name = "C")]
    pub(super) concurrency: Option<String>,
    /// Operations per second, of all clients together [default: 5]
    #[arg(long, value_name = "R")]
    pub(super) rate: Option<String>,
    /// Seconds of the main phase [default: 60]
    #[arg(long, value_name = "S")]
    pub(super) time_limit: Option<String>,
    /// Seconds in which nodes have to answer init [default: 10]
    #[arg(long, value_name = "S")]
    pub(super) init_timeout: Option<String>,
    /// Mean one-way latency between servers [default: 0]
    #[arg(long, value_name = "MS")]
    pub(super) latency: Option<String>,
    /// constant, uniform or exponential [default: constant]
    #[arg(long, value_name = "D")]
    pub(super) latency_dist: Option<String>,
    /// line, grid, tree, tree2, tree3, tree4 or total [default: grid]
    #[arg(long, value_name = "T")]
    pub(super) topology: Option<String>,
    /// Faults: partition, one-way, kill, pause; in virtual time also slow (nodes), skew (clocks)
    #[arg(long, value_name = "F,...")]
    pub(super) nemesis: Option<String>,
    /// Mean seconds between operations of the nemesis [default: 10]
    #[arg(long, value_name = "S")]
    pub(super) nemesis_interval: Option<String>,
    /// Also do what this file says, at the times it says
    #[arg(long, value_name = "FILE")]
    pub(super) scenario: Option<String>,
    /// In virtual time, stop there and show the nodes and the messages under way, such as 1.62s
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
    /// In virtual time, stop at the beginning, or at --until, and ask what to do
    #[arg(long)]
    pub(super) interactive: bool,
    #[command(flatten)]
    pub(super) judgement: JudgementArguments,
    /// Live keys, for transactions and logs [default: 10]
    #[arg(long, value_name = "N")]
    pub(super) key_count: Option<String>,
    /// Operations in the longest transaction [default: 4]
    #[arg(long, value_name = "N")]
    pub(super) max_txn_length: Option<String>,
    /// Writes before a key is retired [default: 16]
    #[arg(long, value_name = "N")]
    pub(super) max_writes_per_key: Option<String>,
    /// Tests to run; the first that is not valid is the last [default: 1]
    #[arg(long, value_name = "N")]
    pub(super) test_count: Option<String>,
    /// Seed of every random choice [default: a new one each time]
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<String>,
    /// held (as Maelstrom does) or free (each message at its time) [default: held]
    #[arg(long, value_name = "D")]
    pub(super) delivery: Option<String>,
    /// Probability that a message between servers is lost, until all is healed [default: 0]
    #[arg(long, value_name = "P")]
    pub(super) loss: Option<String>,
    /// Probability that it arrives twice, until all is healed [default: 0]
    #[arg(long, value_name = "P")]
    pub(super) duplication: Option<String>,
    /// Give each node a folder to store things in, --data-dir, which it keeps when it is killed
    #[arg(long)]
    pub(super) durable: bool,
    /// In virtual time, how late all is, as on a real machine: none, quiet or busy [default: none]
    #[arg(long, value_name = "J")]
    pub(super) jitter: Option<String>,
    /// Write what each check found as JUnit XML; of several tests, the last
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<String>,
    /// Append a summary as Markdown, such as that of a job, $GITHUB_STEP_SUMMARY
    #[arg(long, value_name = "FILE")]
    pub(super) markdown: Option<String>,
    /// One more node; may be repeated
    #[arg(short, long, value_name = "ID")]
    pub(super) node: Vec<String>,
    /// Repeat what nodes write to stderr
    #[arg(long)]
    pub(super) log_stderr: bool,
    /// Report each message when it is sent
    #[arg(long)]
    pub(super) log_net_send: bool,
    /// Report each message when it is received
    #[arg(long)]
    pub(super) log_net_recv: bool,
    /// Run without waiting, the same for the same seed; with --bin, on Linux and x86-64 only
    #[arg(long)]
    pub(super) virtual_time: bool,
    /// Run each test in virtual time twice, and compare messages, history, results and logs byte for byte
    #[arg(long)]
    pub(super) check_determinism: bool,
    /// Show no progress
    #[arg(long)]
    pub(super) quiet: bool,
    #[command(flatten)]
    pub(super) ignored: IgnoredArguments,
    /// For the node's executable
    #[arg(value_name = "ARGUMENTS")]
    pub(super) arguments: Vec<String>,
}

/// How a history is checked and reported; common to `test` and `check`.
#[derive(Debug, clap::Args)]
pub(in crate::workbench::cli) struct JudgementArguments {
    /// Demanded availability: total, or a number from 0 to 1
    #[arg(long, value_name = "A")]
    pub(super) availability: Option<String>,
    /// Consistency models to check [default: strict-serializable]
    #[arg(long, value_name = "M")]
    pub(super) consistency_models: Option<String>,
    /// Seconds that the search for an order of operations may take; then the verdict is unknown [default: 60]
    #[arg(long, value_name = "S")]
    pub(super) check_timeout: Option<String>,
    /// Bad lines, replicas that differ, and what else Maelstrom does not see, fail the test
    #[arg(long)]
    pub(super) strict: bool,
    /// Print the results as JSON, a line for each test, and nothing else
    #[arg(long)]
    pub(super) json: bool,
    /// Print the whole map of results before the summary; a test leaves it in results.edn in any case
    #[arg(long)]
    pub(super) verbose: bool,
}

/// Options of Maelstrom that are accepted and ignored.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(super) struct IgnoredArguments {
    /// Accepted; changes nothing
    #[arg(long, value_name = "USER")]
    username: Option<String>,
    /// Accepted; changes nothing
    #[arg(long, value_name = "PASS")]
    password: Option<String>,
    /// Accepted; changes nothing
    #[arg(long, value_name = "FILE")]
    ssh_private_key: Option<String>,
    /// Accepted; changes nothing
    #[arg(long)]
    no_ssh: bool,
    /// Accepted; changes nothing
    #[arg(long)]
    strict_host_key_checking: bool,
    /// Accepted; changes nothing
    #[arg(long)]
    leave_db_running: bool,
    /// Accepted; changes nothing
    #[arg(long)]
    logging_json: bool,
}

impl IgnoredArguments {
    /// The names of those that were given.
    pub(super) fn given(&self) -> impl Iterator<Item = &'static str> {
        let given = [
            ("username", self.username.is_some()),
            ("password", self.password.is_some()),
            ("ssh-private-key", self.ssh_private_key.is_some()),
            ("no-ssh", self.no_ssh),
            ("strict-host-key-checking", self.strict_host_key_checking),
            ("leave-db-running", self.leave_db_running),
            ("logging-json", self.logging_json),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name)
    }
}
