//! The corpus of a swarm: a text file of seeds that failed once, which later swarms run first.
//!
//! Each line is a workload and a seed; from `#` on, a line is a comment.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use crate::workbench::swarm::SwarmReport;
use crate::workbench::workload::WorkloadKind;

/// The seeds of a workload in a corpus, each once, in the order of the file; none if there is no file yet.
///
/// # Errors
/// The file cannot be read, or a line is neither empty nor a workload and a seed.
pub(super) fn read(path: &Path, workload: WorkloadKind) -> Result<Vec<u64>, String> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{} cannot be read: {error}", path.display())),
    };
    let mut seeds = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let words: Vec<_> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        let entry = match *words {
            [] => continue,
            [name, seed] => WorkloadKind::named(name).ok().zip(seed.parse().ok()),
            _ => None,
        };
        let Some((kind, seed)) = entry else {
            return Err(format!("{}, line {number}: \"{line}\" is not a workload and a seed", path.display()));
        };
        if kind == workload && !seeds.contains(&seed) {
            seeds.push(seed);
        }
    }
    Ok(seeds)
}

/// Appends the seeds that failed and are not among `known`.
pub(super) fn add(path: &Path, known: &[u64], report: &SwarmReport) -> io::Result<()> {
    let new = report.failures.iter().filter(|failed| !known.contains(&failed.case.seed));
    // What is wrong is one line, for it may quote what a node printed.
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines = String::new();
    for failed in new {
        let (seed, failure) = (failed.case.seed, one_line(&failed.failure));
        writeln!(lines, "{} {seed} # {failure}", report.workload).expect("a string takes everything");
    }
    if lines.is_empty() {
        return Ok(());
    }
    // In one write, for other shards may do the same.
    OpenOptions::new().create(true).append(true).open(path)?.write_all(lines.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<u64>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("corpus");
        fs::write(&path, text).expect("a file");
        read(&path, WorkloadKind::Broadcast)
    }

    #[test]
    fn a_corpus_has_seeds_of_several_workloads() {
        let text = "# found in November\nbroadcast 12 # lost: 4\n\nkafka 3\nbroadcast 7\nbroadcast 12\n";
        assert_eq!(read_text(text), Ok(vec![12, 7]));
        assert_eq!(read("no such file".as_ref(), WorkloadKind::Echo), Ok(Vec::new()));
    }

    #[test]
    fn a_bad_line_is_named() {
        for line in ["broadcast", "broadcats 3", "broadcast -1", "broadcast 1 2"] {
            let why = read_text(&format!("broadcast 1\n{line}\n")).expect_err("bad");
            assert!(why.contains("line 2") && why.contains(line), "{why}");
        }
    }
}
