//! Command lines, and the options or errors that they yield.

use super::*;
use crate::time::Duration;
use crate::workbench::check::Availability;
use crate::workbench::cluster::can_trace;
use crate::workbench::nemesis::Fault;
use crate::workbench::network::jitter::Jitter;
use crate::workbench::network::{Delivery, Latency, Shape};
use crate::workbench::workload::WorkloadKind;
use crate::workbench::workload::topology::Topology;

fn parse(line: &str) -> Result<Options, Rejection> {
    Options::parse(line.split_whitespace().map(OsString::from))
}

fn good(line: &str) -> TestConfig {
    parse(line).expect("a good command line").config
}

fn errors(line: &str) -> Vec<String> {
    match parse(line) {
        Err(Rejection::Errors(errors)) => errors,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn defaults_are_maelstroms() {
    let Options { config: options, bin, test_count, .. } = parse("-w echo").expect("good");
    assert_eq!(options.nodes, ["n1", "n2", "n3", "n4", "n5"]);
    assert_eq!((options.concurrency, options.rate, options.time_limit), (5, 5.0, Duration::from_secs(60)));
    assert_eq!(options.init_timeout, Duration::from_secs(10));
    assert_eq!(options.latency, Latency { shape: Shape::Constant, mean_ms: 0 });
    assert_eq!((options.topology, options.delivery), (Topology::Grid, Delivery::Held));
    assert_eq!((options.nemesis_interval, test_count), (Duration::from_secs(10), 1));
    assert_eq!((options.key_count, options.max_txn_length, options.max_writes_per_key), (10, 4, 16));
    assert_eq!(options.consistency_models, ["strict-serializable"]);
    assert!(bin.is_none() && options.availability.is_none() && options.nemesis.is_empty());
}

#[test]
fn the_challenges_command_lines_are_read() {
    let options = good("-w broadcast --bin /x --node-count 25 --time-limit 20 --rate 100 --latency 100");
    assert_eq!((options.nodes.len(), options.nodes[0].as_str(), options.concurrency), (25, "n0", 25));
    assert_eq!((options.rate, options.latency.mean_ms), (100.0, 100));
    let options = good("-w unique-ids --rate 1000 --node-count 3 --availability total --nemesis partition");
    assert_eq!(options.availability, Some(Availability::Total));
    assert_eq!(options.nemesis, [Fault::Partition]);
    assert_eq!(good("-w echo --nemesis kill,partition,kill").nemesis, [Fault::Kill, Fault::Partition]);
}

#[test]
fn nodes_are_slow_and_clocks_are_skewed_only_in_virtual_time() {
    assert_eq!(good("-w echo --virtual-time --nemesis slow,skew").nemesis, [Fault::Slow, Fault::Skew]);
    let errors = errors("-w echo --nemesis slow,pause,skew");
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].starts_with("--nemesis slow needs --virtual-time: "), "{errors:?}");
}

#[test]
fn a_concurrency_may_count_in_nodes() {
    assert_eq!(good("-w echo --node-count 3 --concurrency 4n").concurrency, 12);
    assert_eq!(good("-w echo --node-count 3 --concurrency 4").concurrency, 4);
    for bad in ["n", "4m", "-1", "0", "+4", "1.5"] {
        assert_eq!(errors(&format!("-w echo --concurrency {bad}")).len(), 1, "{bad}");
    }
}

#[test]
fn nodes_come_from_the_file_then_the_list_then_single_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("nodes");
    std::fs::write(&file, "a\nb\n").expect("written");
    let file = file.display();
    assert_eq!(good(&format!("-w echo -n z --nodes x,y --nodes-file {file}")).nodes, ["a", "b", "x", "y", "z"]);
    assert_eq!(good("-w echo --nodes x,y --node-count 2 --node z").nodes, ["n0", "n1", "z"]);
    let spaced = ["-w", "echo", "--nodes", "x, y"].map(OsString::from);
    assert_eq!(Options::parse(spaced).expect("good").config.nodes, ["x", "y"]);
    assert_eq!(good("-w echo -n x -n y").nodes, ["x", "y"]);
    assert_eq!(errors("-w echo --nodes-file /nonexistent").len(), 1);
    assert_eq!(good("-w echo --nodes x,y,,").nodes, ["x", "y"], "as Maelstrom's splitter has it");
}

#[test]
fn names_of_nodes_are_arbitrary_but_unique() {
    let nodes = ["c", "cat", "c01", "c+1", "c1x", "C1", "n/1", "–"].map(str::to_owned);
    let words = ["-w", "echo", "--nodes", &nodes.join(",")].map(OsString::from);
    assert_eq!(Options::parse(words).expect("good").config.nodes, nodes);
    for (list, why) in [
        ("a,a", "two nodes named \"a\""),
        ("a,,b", "empty name"),
        ("c0", "clients are named c0"),
        ("c7", "clients are named c0"),
        ("seq-kv", "the name of a service"),
        ("lin-tso", "the name of a service"),
    ] {
        let errors = errors(&format!("-w echo --nodes {list}"));
        assert!(errors.len() == 1 && errors[0].contains(why), "{list}: {errors:?}");
    }
}

#[test]
fn an_argument_that_begins_with_a_typographic_dash_is_named() {
    for dash in ['\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}', '\u{2014}', '\u{2015}', '\u{2212}'] {
        for (typed, suggestion) in [("-nemesis", "--nemesis"), ("nemesis", "--nemesis"), ("w", "-w")] {
            let errors = errors(&format!("-w echo {dash}{typed} partition"));
            let code = format!("U+{:04X}", u32::from(dash));
            let is_reported = errors.len() == 1 && errors[0].contains(&format!("\"{dash}{typed}\""));
            assert!(
                is_reported && errors[0].contains(&code) && errors[0].contains(&format!("\"{suggestion}\"")),
                "{errors:?}"
            );
        }
    }
    assert_eq!(errors("-w broadcast -- \u{2013}-max-staleness 1s").len(), 1, "nor does the node want it");
}

#[test]
fn positional_arguments_are_for_the_node() {
    assert_eq!(good("one -w echo --bin /x two -- --fast 3").arguments, ["one", "two", "--fast", "3"]);
}

#[test]
fn errors_have_maelstroms_wording() {
    assert_eq!(errors("-w echo --foo"), ["Unknown option: \"--foo\""]);
    assert_eq!(
        errors("-w echo --latency-dist x"),
        ["Failed to validate \"--latency-dist x\": Must be constant, uniform, or exponential"]
    );
    assert_eq!(errors("-w echo --rate"), ["Missing required argument for \"--rate R\""]);
}

#[test]
fn a_mistyped_option_gets_a_suggestion() {
    for (line, suggestion) in [
        ("--ratee 5", "--rate"),
        ("-w ecko", "echo"),
        ("--topology gird", "grid"),
        ("--nemesis partition,klil", "kill"),
        ("--latency-dist exponental", "exponential"),
        ("--delivery hold", "held"),
        ("--consistency-models serialisable", "serializable"),
    ] {
        let errors = errors(line);
        assert!(
            errors.iter().any(|error| error.ends_with(&format!("did you mean \"{suggestion}\"?"))),
            "{line}: {errors:?}"
        );
    }
}

#[test]
fn unfit_options_are_rejected_before_anything_starts() {
    for (line, why) in [
        ("", "choose a --concurrency of 2n"),
        ("-w lin-kv --concurrency 3n", "choose a --concurrency of 2n"),
        ("-w lin-kv --node-count 11 --concurrency 2n", "at most 10 nodes"),
        ("-w echo --latency-dist uniform", "need a --latency above 0"),
        ("-w echo --latency-dist exponential --latency 0", "need a --latency above 0"),
        ("-w echo --consistency-models read-comitted", "read-committed, read-uncommitted, read-your-writes"),
        ("-w echo --consistency-models serializable,PL-2", "a comma between spaces"),
    ] {
        let errors = errors(line);
        assert!(errors.len() == 1 && errors[0].contains(why), "{line}: {errors:?}");
    }
    assert_eq!(good("--concurrency 2n").workload, WorkloadKind::LinKv);
}

#[test]
fn all_errors_are_reported_at_once() {
    let errors = errors("-w echo --rate -1 --time-limit 0 --latency x --topology ring --nemesis fire --loss 2");
    assert_eq!(errors.len(), 6, "{errors:?}");
}

#[test]
fn a_command_line_makes_a_simulation_or_reports_all_errors() {
    let failure = Simulation::command("-w echo --rate x --latency x").map(drop).expect_err("two mistakes").to_string();
    assert!(failure.contains("\"--rate x\"") && failure.contains("\"--latency x\""), "{failure}");
    assert_eq!(Simulation::command("-w kafka").map(|simulation| simulation.workload()).ok(), Some(WorkloadKind::Kafka));
}

#[test]
fn numbers_outside_their_range_are_rejected() {
    for bad in [
        "--node-count 0",
        "--node-count 10001",
        "--virtual-time --rate 1000001 --time-limit 20",
        "--nemesis-interval 0.0009",
        "--rate nan",
        "--nemesis-interval 0",
        "--init-timeout 0",
        "--init-timeout -1",
        "--init-timeout soon",
        "--init-timeout 1e9",
        "--availability 1.1",
        "--availability some",
        "--key-count 0",
        "--test-count none",
        "--seed -1",
        "--delivery late",
        "--loss 1.1",
        "--duplication some",
        "--latency -5",
        "--virtual-time --jitter some",
        "--latency 4294967296",
        "--check-timeout -1",
        "--check-timeout long",
        "--rate 1/2",
        "--availability 0.5/2",
        "--nemesis-interval 1/0",
        "--nemesis ,partition",
        "--time-limit 1000000001",
        "--concurrency 100001",
        "--concurrency 18446744073709551615n",
        "--key-count 1000001",
        "--max-txn-length 10001",
    ] {
        assert_eq!(errors(&format!("-w echo {bad}")).len(), 1, "{bad}");
    }
    assert_eq!(good("-w echo --availability 1/2").availability, Some(Availability::AtLeast(0.5)));
    assert_eq!(good("-w echo --nemesis-interval 1/2").nemesis_interval, Duration::from_millis(500));
    let check_timeout = |line| parse(line).expect("good").report.check_timeout;
    assert_eq!(check_timeout("-w echo"), Duration::from_secs(60));
    assert_eq!(check_timeout("-w echo --check-timeout 0.5"), Duration::from_millis(500));
    assert_eq!(good("-w echo --nemesis partition,").nemesis, [Fault::Partition]);
    assert_eq!(good("-w echo --rate 1e2 --time-limit +7").rate.to_bits(), 100.0_f64.to_bits());
    assert_eq!(good("-w echo --nemesis-interval 0.5").nemesis_interval, Duration::from_millis(500));
    assert_eq!(good("-w echo --init-timeout 0.5").init_timeout, Duration::from_millis(500));
}

#[test]
fn jitter_requires_virtual_time_and_a_level() {
    assert_eq!(good("-w echo --virtual-time").jitter, Jitter::None);
    assert_eq!(good("-w echo --virtual-time --jitter busy").jitter, Jitter::Busy);
    assert_eq!(good("-w echo --jitter none").jitter, Jitter::None);
    assert_eq!(
        errors("-w echo --jitter quiet"),
        ["--jitter quiet needs --virtual-time: real processes have the jitter of the machine that they run on"]
    );
}

#[test]
fn an_unknown_workload_lists_the_known_ones_and_lin_kv_is_the_default() {
    let all =
        "broadcast, echo, g-counter, g-set, kafka, lin-kv, pn-counter, txn-list-append, txn-rw-register, unique-ids";
    let hint = "did you mean \"echo\"?";
    assert_eq!(errors("-w ecko"), [format!("Failed to validate \"--workload ecko\": Must be one of {all}; {hint}")]);
}

#[test]
fn options_without_effect_are_accepted_with_a_note() {
    let options = parse("-w echo --no-ssh --username root --leave-db-running --logging-json").expect("good");
    assert_eq!(options.notes.len(), 4);
}

#[test]
fn the_executable_is_checked_before_anything_starts() {
    if can_trace().is_ok() {
        assert!(good("-w echo --virtual-time --bin /x").virtual_time);
    }
    assert_eq!(errors("-w echo surplus").len(), 1);
    assert!(good("-w broadcast --virtual-time -- --max-staleness 1s").virtual_time);
}

#[test]
fn help_is_not_an_error() {
    let Err(Rejection::Help(text)) = parse("--help") else { panic!("no help") };
    assert!(text.contains("--latency-dist"), "{text}");
    for kind in WorkloadKind::ALL {
        let line = text.lines().find(|line| line.trim_start().starts_with(kind.name()));
        assert!(line.is_some_and(|line| line.ends_with(kind.descriptor().about)), "{}: {text}", kind.name());
    }
}

#[test]
fn models_are_split_only_at_a_comma_between_spaces() {
    let models = |text: &str| {
        let line = ["-w", "echo", "--consistency-models", text].map(OsString::from);
        Options::parse(line).map(|options| options.config.consistency_models)
    };
    assert_eq!(models("PL-2 , prefix ,\tserializable").expect("good"), ["PL-2", "prefix", "serializable"]);
    for text in ["PL-2,prefix", "PL-2, prefix", "PL-2 ,prefix", "PL-2 , prefix ", ""] {
        let Err(Rejection::Errors(errors)) = models(text) else { panic!("{text:?} is taken") };
        assert!(errors[0].contains(&format!("\"--consistency-models {text}\"")), "{errors:?}");
        assert!(
            errors[0].contains("1SR, PL-1, PL-2, PL-2+, ") && errors[0].contains("writes-follow-reads"),
            "{errors:?}"
        );
    }
}

#[test]
fn an_unknown_model_is_rejected_for_every_workload() {
    for workload in WorkloadKind::ALL {
        let line = ["-w", workload.name(), "--concurrency", "10", "--consistency-models", "serialisable"];
        let Err(Rejection::Errors(errors)) = Options::parse(line.map(OsString::from)) else { panic!("{workload:?}") };
        assert!(errors.iter().any(|error| error.contains("\"serialisable\"")), "{errors:?}");
    }
}

#[test]
fn the_last_of_several_counts() {
    assert_eq!(good("-w echo --time-limit 1 --time-limit 2").time_limit, Duration::from_secs(2));
}
