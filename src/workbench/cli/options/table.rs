//! The options as the command line knows them. Values are text here: they are checked all together, so that
//! every mistake is reported at once and in Maelstrom's words.

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, Command};

use crate::workbench::workload::Kind;

/// What `--check-timeout` is for.
pub(in crate::workbench) const CHECK_TIMEOUT: &str =
    "Seconds that the search for an order of operations may take; then the verdict is unknown [default: 60]";

/// Options with a value: long name, short name, name of the value, help.
const VALUES: [(&str, Option<char>, &str, &str); 30] = [
    ("workload", Some('w'), "NAME", "What to test: one of those below [default: lin-kv]"),
    ("bin", None, "FILE", "The node's executable, run in the system's temporary folder [default: the built-in node]"),
    ("node-count", None, "NUM", "Number of nodes, named n0, n1, ...; instead of --nodes"),
    ("nodes", None, "LIST", "Ids of nodes, separated by commas [default: n1,n2,n3,n4,n5]"),
    ("nodes-file", None, "FILE", "A file with the ids of nodes, one a line"),
    ("concurrency", None, "C", "Number of client threads; 4n means four for each node [default: 1n]"),
    ("rate", None, "R", "Operations per second, of all clients together [default: 5]"),
    ("time-limit", None, "S", "Seconds of the main phase [default: 60]"),
    ("init-timeout", None, "S", "Seconds in which nodes have to answer init [default: 10]"),
    ("latency", None, "MS", "Mean one-way latency between servers [default: 0]"),
    ("latency-dist", None, "D", "constant, uniform or exponential [default: constant]"),
    ("topology", None, "T", "line, grid, tree, tree2, tree3, tree4 or total [default: grid]"),
    (
        "nemesis",
        None,
        "F,...",
        "Faults: partition, one-way, kill, pause; in virtual time also slow (nodes), skew (clocks)",
    ),
    ("nemesis-interval", None, "S", "Mean seconds between operations of the nemesis [default: 10]"),
    ("availability", None, "A", "Demanded availability: total, or a number from 0 to 1"),
    ("consistency-models", None, "M", "Consistency models to check [default: strict-serializable]"),
    ("check-timeout", None, "S", CHECK_TIMEOUT),
    ("key-count", None, "N", "Live keys, for transactions and logs [default: 10]"),
    ("max-txn-length", None, "N", "Operations in the longest transaction [default: 4]"),
    ("max-writes-per-key", None, "N", "Writes before a key is retired [default: 16]"),
    ("test-count", None, "N", "Tests to run; the first that is not valid is the last [default: 1]"),
    ("seed", None, "N", "Seed of every random choice [default: a new one each time]"),
    ("delivery", None, "D", "held (as Maelstrom does) or free (each message at its time) [default: held]"),
    ("loss", None, "P", "Probability that a message between servers is lost, until all is healed [default: 0]"),
    ("duplication", None, "P", "Probability that it arrives twice, until all is healed [default: 0]"),
    (
        "jitter",
        None,
        "J",
        "In virtual time, how late all is, as on a real machine: none, quiet or busy [default: none]",
    ),
    ("junit", None, "FILE", "Write what each check found as JUnit XML; of several tests, the last"),
    ("username", None, "USER", "Accepted; changes nothing"),
    ("password", None, "PASS", "Accepted; changes nothing"),
    ("ssh-private-key", None, "FILE", "Accepted; changes nothing"),
];

const FLAGS: [(&str, &str); 12] = [
    ("log-stderr", "Repeat what nodes write to stderr"),
    ("log-net-send", "Report each message when it is sent"),
    ("log-net-recv", "Report each message when it is received"),
    ("virtual-time", "Run without waiting, the same for the same seed; with --bin, on Linux and x86-64 only"),
    ("strict", "Bad lines, replicas that differ, and what else Maelstrom does not see, fail the test"),
    ("quiet", "Show no progress"),
    ("verbose", "Print the whole map of results before the summary; it is in results.edn in any case"),
    ("json", "Print the results as JSON, a line for each test, and nothing else"),
    ("no-ssh", "Accepted; changes nothing"),
    ("strict-host-key-checking", "Accepted; changes nothing"),
    ("leave-db-running", "Accepted; changes nothing"),
    ("logging-json", "Accepted; changes nothing"),
];

/// Options that are accepted for the sake of old command lines.
pub(super) const WITHOUT_EFFECT: [&str; 7] = [
    "username",
    "password",
    "ssh-private-key",
    "no-ssh",
    "strict-host-key-checking",
    "leave-db-running",
    "logging-json",
];

const STATUS: &str = "Exit status: 0 if every test was valid, 1 if one was not, 2 if one could not be decided, 254 for \
    bad arguments, 255 for a test that broke off, 130 for Ctrl-C.";

/// The workloads, a line each.
pub(in crate::workbench) fn workloads() -> String {
    let line = |kind: Kind| format!("\n  {:<16} {}", kind.name(), kind.about());
    format!("Workloads:{}", Kind::ALL.map(line).concat())
}

/// The command line of `gloomers test`.
pub(in crate::workbench) fn command() -> Command {
    let value = |(long, short, name, help): (&'static str, Option<char>, &'static str, &'static str)| {
        let arg = Arg::new(long).long(long).value_name(name).help(help).allow_hyphen_values(true);
        if let Some(short) = short { arg.short(short) } else { arg }
    };
    let flag =
        |(long, help): (&'static str, &'static str)| Arg::new(long).long(long).help(help).action(ArgAction::SetTrue);
    let node = Arg::new("node").long("node").short('n').value_name("ID").help("One more node; may be repeated");
    let arguments = Arg::new("arguments").value_name("ARGUMENTS").help("For the node's executable");
    Command::new("gloomers test")
        .about("Runs a workload against nodes and judges them as Maelstrom does")
        .after_help(format!(
            "{}\n\nNot in Maelstrom: --init-timeout, --seed, --delivery, --loss, --duplication, --jitter, \
             --virtual-time, --strict, --quiet, --verbose, --json, --junit, --check-timeout.\n{STATUS}",
            workloads()
        ))
        .args_override_self(true)
        .args(VALUES.map(value))
        .arg(node.action(ArgAction::Append).allow_hyphen_values(true))
        .args(FLAGS.map(flag))
        .arg(arguments.num_args(0..).action(ArgAction::Append).value_parser(ValueParser::string()))
}
