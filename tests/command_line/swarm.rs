//! Swarms that are divided into shards, limited, and begin with a corpus.

use std::fs;
use std::path::Path;

use super::gloomers;

/// Options of a swarm of which most seeds fail: nothing is replicated before the final reads.
const FAILING: &str = "-w broadcast --jobs 2 --quiet --time-limit 2 --node-count 2-3";

/// Runs a swarm; returns its exit status and what it printed. Without replication if it is to fail.
fn swarm(folder: &Path, line: &str, fails: bool) -> (i32, String) {
    let words = ["swarm"].into_iter().chain(line.split_whitespace());
    let words: Vec<_> = words.chain(["--", "--max-staleness", "3600s"].into_iter().filter(|_| fails)).collect();
    let (status, text) = gloomers(folder, &words);
    (status.expect("no signal"), text)
}

/// The report without the line that is about a file or a machine.
fn lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with("took  ") && !line.starts_with("seeds  ")).collect()
}

/// The reports of shards, merged, are that of the whole swarm, but for the failures that only one of them shrank.
#[test]
fn merged_shards_are_the_whole_swarm() {
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, report) = swarm(folder.path(), "-w g-set --seeds 9 --jobs 2 --quiet", false);
    for shard in 1..=3 {
        let line = format!("-w g-set --seeds 9 --jobs 2 --quiet --shard {shard}/3 --json {shard}.json");
        let (status, text) = swarm(folder.path(), &line, false);
        assert_eq!((status, whole), (0, 0), "{text}");
        assert!(text.contains(&format!("seeds           3, shard {shard}/3 of 1 to 9\n")), "{text}");
    }
    let (status, merged) = swarm(folder.path(), "merge 3.json 1.json 2.json --json all.json", false);
    assert_eq!(status, 0, "{merged}");
    assert_eq!(lines(&merged), lines(&report));
    assert!(merged.contains("seeds           9, 3 of 3 shards of 1 to 9\n"), "{merged}");
    let (status, again) = swarm(folder.path(), "merge all.json", false);
    assert_eq!((status, again), (0, merged));
}

#[test]
fn what_cannot_be_merged_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    for (shard, workload) in [("1/3", "echo"), ("2/3", "echo"), ("3/3", "g-set")] {
        let file = shard.replace('/', "-");
        let line = format!("-w {workload} --seeds 3 --quiet --shard {shard} --json {file}");
        assert_eq!(swarm(folder.path(), &line, false).0, 0);
    }
    fs::write(folder.path().join("text"), "hello").expect("a file");
    for (files, status, why) in [
        ("1-3 2-3", 2, "missing         shard 3 of 3"),
        ("1-3 1-3", 254, "1-3 cannot be merged: shard 1 is in another file as well"),
        ("1-3 3-3", 254, "3-3 cannot be merged: it is of another swarm"),
        ("1-3 text", 254, "text cannot be merged: it is not what `gloomers swarm --json` writes"),
        ("nothing", 254, "nothing cannot be merged: No such file"),
    ] {
        let (got, text) = swarm(folder.path(), &format!("merge {files}"), false);
        assert!(got == status && text.contains(why), "{files}: {got}, {text}");
    }
}

#[test]
fn a_swarm_ends_at_a_failure_and_the_next_begins_with_its_seed() {
    let folder = tempfile::tempdir().expect("a folder");
    let line = format!("{FAILING} --seeds 500 --first-seed 40 --until-failure --corpus seeds --markdown summary.md");
    let (status, text) = swarm(folder.path(), &line, true);
    assert_eq!(status, 1, "{text}");
    let corpus = fs::read_to_string(folder.path().join("seeds")).expect("a corpus");
    let failed = corpus.lines().map(|line| line.split(' ').nth(1).expect("a seed")).collect::<Vec<_>>();
    assert!((1..=10).contains(&failed.len()) && corpus.starts_with("broadcast 4"), "{corpus}");
    let summary = fs::read_to_string(folder.path().join("summary.md")).expect("a summary");
    assert!(summary.contains(&format!("Seed {}: ", failed[0])) && summary.contains("```console\n"), "{summary}");

    let next = format!("{FAILING} --seeds 1 --first-seed 7000 --until-failure --jobs 1 --corpus seeds");
    let (status, text) = swarm(folder.path(), &next, true);
    assert!(status == 1 && text.contains(&format!("seed {:<11}", failed[0])), "{text}");
    assert_eq!(fs::read_to_string(folder.path().join("seeds")).expect("a corpus"), corpus, "no seed twice");
}

#[test]
fn a_swarm_ends_when_its_time_is_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let (status, text) = swarm(folder.path(), "-w echo --time-budget 200ms --quiet", false);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("failures        0\n"), "{text}");
}

#[test]
fn a_task_without_a_number_has_no_shard() {
    let folder = tempfile::tempdir().expect("a folder");
    let (status, text) = swarm(folder.path(), "-w echo --shard auto/4", false);
    assert!(status == 254 && text.contains("JOB_COMPLETION_INDEX"), "{text}");
}
