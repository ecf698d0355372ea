//! `gloomers test` from end to end: exit status, output, and files in the store.

use gossip_gloomers::simulation::Workload;

use super::{gloomers, without_files};

struct Ran {
    status: i32,
    page: String,
    folder: tempfile::TempDir,
}

impl Ran {
    fn file(&self, name: &str) -> String {
        let path = self.folder.path().join("store/latest").join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

fn run(line: &str) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    let line = format!("test --quiet {line}");
    let (status, page) = gloomers(folder.path(), &line.split_whitespace().collect::<Vec<_>>());
    Ran { status: status.expect("no signal"), page, folder }
}

#[test]
fn bad_arguments_end_with_254_one_mistake_a_line() {
    let result = run("-w echo --rate x --latency x");
    assert_eq!((result.status, result.page.lines().count()), (254, 2), "{}", result.page);
    let result = run("-w broadcast --virtual-time -- --max-staleness soon");
    assert_eq!(result.status, 254);
    assert!(result.page.contains("\"soon\" is not a duration"), "{}", result.page);
}

#[test]
fn the_default_workload_needs_more_threads_than_the_default_which_is_an_error_before_anything_starts() {
    let result = run("");
    assert_eq!((result.status, result.page.lines().count()), (254, 1), "{}", result.page);
    assert!(result.page.contains("--concurrency of 2n"), "{}", result.page);
    assert_eq!(std::fs::read_dir(result.folder.path()).expect("a folder").count(), 0, "no run, no folder");
}

#[test]
fn help_lists_the_commands_and_the_workloads_a_line_each() {
    let printed = |line: &str| {
        let (status, text) = without_files(line);
        (status.expect("no signal"), text)
    };
    let (status, help) = printed("--help");
    assert_eq!(status, 0);
    let workloads = Workload::ALL.map(Workload::name);
    for name in ["test", "check", "explain", "challenges", "swarm", "node"].into_iter().chain(workloads) {
        let line = help.lines().find(|line| line.starts_with(&format!("  {name} ")));
        assert!(line.is_some_and(|line| line.trim().len() > name.len() + 10), "{name}: {help}");
    }
    assert_eq!(printed("--version"), (0, format!("gloomers {}\n", env!("CARGO_PKG_VERSION"))));
    assert_eq!(printed("help"), (0, help.clone()));
    assert!(printed("help test").1.contains("--nemesis-interval"));
    let challenges = printed("challenges --help").1;
    assert!(challenges.contains("--markdown") && challenges.contains("--real"), "{challenges}");
    let (status, typo) = printed("tset -w echo");
    assert_eq!(status, 254);
    assert!(typo.starts_with("Unknown command: \"tset\"") && typo.ends_with("did you mean \"test\"?\n"), "{typo}");
    assert_eq!(printed(""), (254, help));
}

#[test]
fn an_executable_that_does_not_exist_ends_with_255_after_the_seed() {
    let result = run("-w echo --seed 7 --bin /nonexistent/node");
    assert_eq!(result.status, 255);
    assert!(result.page.starts_with("seed            7\n/nonexistent/node cannot be executed"), "{}", result.page);
}

#[test]
fn the_summary_comes_last_before_maelstroms_closing_line_and_the_results_only_if_asked_for() {
    let line = "-w broadcast --virtual-time --seed 3 --node-count 3 --time-limit 1 --rate 10 --latency 20";
    let result = run(line);
    assert_eq!(result.status, 0, "{}", result.page);
    assert!(result.page.starts_with("seed            3\nverdict         valid\nmain phase      "), "{}", result.page);
    let last: Vec<_> = result.page.lines().rev().take(3).collect();
    assert_eq!(last[..2], ["Everything looks good! ヽ(‘ー`)ノ", ""]);
    assert!(last[2].starts_with("results         "), "{}", result.page);
    assert!(!result.page.contains(":valid?"), "{}", result.page);
    let result = run(&format!("{line} --verbose"));
    assert!(result.page.starts_with("seed            3\n\n{:perf"), "{}", result.page);
    assert!(result.page.contains(" :valid? true}\n\nverdict         valid\n"), "{}", result.page);
    let results = result.file("results.edn");
    assert!(result.page.contains(&results), "the results are printed as they are stored");
    let wanted = ":gloomers {:seed 3,\n            :clock :virtual,\n            :main-phase {:lasted ";
    assert!(results.contains(wanted), "{results}");
    assert!(results.contains(":delivery-error {:mean 0.0, :p99 0.0, :max 0.0}"), "{results}");
    assert!(result.file("results.json").contains("\"seed\": 3"));
    assert_eq!(result.file("history.txt").lines().count(), result.file("history.edn").lines().count());
}

#[test]
fn a_verdict_decides_the_exit_status() {
    let virtual_echo = "-w echo --virtual-time --seed 1 --node-count 1 --time-limit 1";
    assert_eq!(run(virtual_echo).status, 0);
    let result = run("-w broadcast --virtual-time --seed 1 --node-count 2 --time-limit 1 --rate 0");
    assert_eq!(result.status, 2, "{}", result.page);
    assert!(result.page.contains("verdict         unknown, because of workload\n"), "{}", result.page);
}

#[test]
fn several_tests_count_their_seeds_up() {
    let result = run("-w echo --virtual-time --seed 8 --node-count 1 --time-limit 1 --test-count 2");
    let seeds: Vec<_> = result.page.lines().filter(|line| line.starts_with("seed ")).collect();
    assert_eq!(seeds, ["seed            8", "seed            9"]);
}

#[test]
fn a_test_of_engines_comes_out_the_same_twice() {
    let line = "-w broadcast --virtual-time --seed 3 --node-count 3 --time-limit 2 --nemesis kill --check-determinism";
    let result = run(line);
    assert_eq!(result.status, 0, "{}", result.page);
    assert!(result.page.ends_with("\ndeterminism     a second run is the same, byte for byte\n"), "{}", result.page);
    assert!(result.folder.path().join("store/latest/messages.jsonl.zst").exists());
    let result = run("-w echo --check-determinism");
    assert_eq!((result.status, result.page.lines().count()), (254, 1), "{}", result.page);
}

#[test]
fn with_json_there_is_one_document_on_the_page_and_nothing_else() {
    let result = run("-w echo --virtual-time --seed 3 --node-count 1 --time-limit 1 --rate 10 --no-ssh --json");
    assert_eq!((result.status, result.page.lines().count()), (0, 1), "{}", result.page);
    let page: serde_json::Value = serde_json::from_str(&result.page).expect("JSON");
    let stored: serde_json::Value = serde_json::from_str(&result.file("results.json")).expect("JSON");
    assert_eq!(page, stored);
    let result = run("-w echo --bin /nonexistent/node --json");
    let page: serde_json::Value = serde_json::from_str(&result.page).expect("JSON");
    assert_eq!((result.status, &page["valid"]), (255, &serde_json::Value::Null));
    assert!(page["error"].as_str().is_some_and(|why| why.contains("cannot be executed")), "{page}");
}

/// Kills lose operations, which total availability does not allow.
const UNAVAILABLE: &str = "-w unique-ids --virtual-time --seed 3 --node-count 3 --time-limit 10 --rate 50 \
                           --nemesis kill --nemesis-interval 1 --availability total";

#[test]
fn a_failed_test_reports_which_check_failed_why_and_what_to_look_at() {
    let result = run(UNAVAILABLE);
    assert_eq!(result.status, 1, "{}", result.page);
    assert!(result.page.contains("verdict         invalid, because of availability\n"), "{}", result.page);
    assert!(result.page.contains(" % of the operations succeeded, less than was demanded\n"), "{}", result.page);
    let files = result.page.lines().find_map(|line| line.strip_prefix("look at         ")).expect("files to look at");
    for file in files.split(", ") {
        assert!(result.folder.path().join("store/latest").join(file).exists(), "{file}");
    }
    assert!(result.file("report.html").contains("less than was demanded"));
}

#[test]
fn summaries_of_several_runs_are_appended_to_one_file_as_markdown() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("summary.md");
    for options in [UNAVAILABLE, "-w echo --virtual-time --seed 4 --node-count 1 --time-limit 1 --json"] {
        run(&format!("{options} --markdown {}", file.display()));
    }
    run(&format!("-w echo --bin /nonexistent/node --markdown {}", file.display()));
    let text = std::fs::read_to_string(&file).expect("written");
    let headings: Vec<_> = text.lines().filter(|line| line.starts_with("### ")).collect();
    assert_eq!(headings[..2], ["### ❌ unique-ids, 3 nodes, seed 3: invalid", "### ✅ echo, 1 node, seed 4: valid"]);
    assert!(headings[2].ends_with(": no verdict") && text.contains("\n- **availability**: "), "{text}");
}

#[test]
fn with_junit_each_check_is_a_test_case_in_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("junit.xml");
    run(&format!("{UNAVAILABLE} --junit {}", file.display()));
    let text = std::fs::read_to_string(&file).expect("written");
    assert!(text.contains("<testsuite name=\"gloomers.unique-ids\" tests=\"7\" failures=\"1\" errors=\"0\""), "{text}");
    assert!(text.contains("name=\"workload\"/>") && text.contains("name=\"availability\"><failure"), "{text}");
    run(&format!("-w echo --bin /nonexistent/node --junit {}", file.display()));
    let text = std::fs::read_to_string(&file).expect("written again");
    assert!(text.contains("name=\"run\"><error message=\"/nonexistent/node cannot be executed"), "{text}");
}
