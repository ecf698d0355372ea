//! `gloomers swarm merge`: the reports of shards as one.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Args;

use super::{ReportFiles, finish};
use crate::workbench::cli::{BAD_ARGUMENTS, Output};
use crate::workbench::swarm::SwarmReport;

/// Prints the reports of the shards of a swarm as one
#[derive(Debug, Args)]
pub(super) struct MergeArguments {
    /// What the shards wrote with --json
    #[arg(value_name = "FILES", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    report: ReportFiles,
}

/// Prints the merged report; a shard that is missing is said, and makes the exit status that of an undecided test.
pub(super) fn merge(arguments: &MergeArguments, output: &mut Output<'_>) -> io::Result<u8> {
    match read(&arguments.files) {
        Ok(report) => finish(&report, &arguments.report, output),
        Err(why) => {
            writeln!(output.page, "{why}")?;
            Ok(BAD_ARGUMENTS)
        }
    }
}

fn read(files: &[PathBuf]) -> Result<SwarmReport, String> {
    let mut merged: Option<SwarmReport> = None;
    for file in files {
        let named = |why: String| format!("{} cannot be merged: {why}", file.display());
        let text = fs::read(file).map_err(|error| named(error.to_string()))?;
        let report = serde_json::from_slice(&text)
            .map_err(|error| named(format!("it is not what `gloomers swarm --json` writes: {error}")))?;
        match &mut merged {
            None => merged = Some(report),
            Some(merged) => merged.merge(report).map_err(named)?,
        }
    }
    merged.ok_or_else(|| "There is nothing to merge".to_owned())
}
