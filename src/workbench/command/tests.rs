//! Command lines from end to end: exit status, what is printed, what is left in the store.

use super::*;

struct Ran {
    status: u8,
    page: String,
    store: tempfile::TempDir,
}

impl Ran {
    fn file(&self, name: &str) -> String {
        let path = self.store.path().join("latest").join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

fn run(line: &str) -> Ran {
    let store = tempfile::tempdir().expect("a folder");
    let mut page = Vec::new();
    let mut desk = Desk { page: &mut page, colours: false, store: store.path() };
    let status = test(line.split_whitespace().map(OsString::from), &mut desk).expect("memory can be written");
    Ran { status, page: String::from_utf8_lossy(&page).into_owned(), store }
}

#[test]
fn bad_arguments_end_with_254_one_mistake_a_line() {
    let ran = run("-w echo --rate x --latency x");
    assert_eq!((ran.status, ran.page.lines().count()), (BAD_ARGUMENTS, 2), "{}", ran.page);
    let ran = run("-w broadcast --virtual-time -- --max-staleness soon");
    assert_eq!(ran.status, BAD_ARGUMENTS);
    assert!(ran.page.contains("\"soon\" is not a duration"), "{}", ran.page);
}

#[test]
fn help_ends_with_0() {
    let ran = run("--help");
    assert_eq!(ran.status, VALID);
    assert!(ran.page.contains("--workload"), "{}", ran.page);
}

#[test]
fn an_executable_that_does_not_exist_ends_with_255_after_the_seed() {
    let ran = run("-w echo --seed 7 --bin /nonexistent/node");
    assert_eq!(ran.status, BROKEN);
    assert!(ran.page.starts_with("seed            7\n/nonexistent/node cannot be executed"), "{}", ran.page);
}

#[test]
fn a_test_in_virtual_time_prints_a_summary_the_results_and_maelstroms_closing_line() {
    let ran = run("-w broadcast --virtual-time --seed 3 --node-count 3 --time-limit 1 --rate 10 --latency 20");
    assert_eq!(ran.status, VALID, "{}", ran.page);
    assert!(ran.page.starts_with("seed            3\nverdict         valid\noperations      "), "{}", ran.page);
    assert!(ran.page.ends_with(" :valid? true}\n\nEverything looks good! ヽ(‘ー`)ノ\n"), "{}", ran.page);
    let results = ran.file("results.edn");
    assert!(ran.page.contains(&results), "the results are printed as they are stored");
    let wanted = ":gloomers {:seed 3,\n            :clock :virtual,\n            :delivery :held,\n";
    assert!(results.contains(wanted), "{results}");
    assert!(results.contains(":delivery-error {:mean 0.0, :p99 0.0, :max 0.0}"), "{results}");
    assert!(ran.file("results.json").contains("\"seed\": 3"));
    assert_eq!(ran.file("history.txt").lines().count(), ran.file("history.edn").lines().count());
}

#[test]
fn a_verdict_decides_the_exit_status() {
    let virtual_echo = "-w echo --virtual-time --seed 1 --node-count 1 --time-limit 1";
    assert_eq!(run(virtual_echo).status, VALID);
    let ran = run("-w broadcast --virtual-time --seed 1 --node-count 2 --time-limit 1 --rate 0");
    assert_eq!(ran.status, 2, "{}", ran.page);
    assert!(ran.page.contains("verdict         unknown, because of workload\n"), "{}", ran.page);
}

#[test]
fn several_tests_count_their_seeds_up() {
    let ran = run("-w echo --virtual-time --seed 8 --node-count 1 --time-limit 1 --test-count 2");
    let seeds: Vec<_> = ran.page.lines().filter(|line| line.starts_with("seed ")).collect();
    assert_eq!(seeds, ["seed            8", "seed            9"]);
}

#[test]
fn challenges_take_few_options() {
    let status = |line: &str| {
        let mut page = Vec::new();
        let mut desk = Desk { page: &mut page, colours: false, store: Path::new("unused") };
        let status = challenges(line.split_whitespace().map(OsString::from), &mut desk).expect("memory can be written");
        (status, String::from_utf8_lossy(&page).into_owned())
    };
    assert_eq!(status("--seed x").0, BAD_ARGUMENTS);
    let (help, text) = status("--help");
    assert!(help == VALID && text.contains("--markdown") && text.contains("--real"), "{text}");
}
