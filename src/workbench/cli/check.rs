//! `gloomers check`: checks a stored history, of `gloomers` or Maelstrom, as `gloomers test` does after a run.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{BAD_ARGUMENTS, Output, reject};
use crate::workbench::check;
use crate::workbench::check::net::{Counts, Traffic};
use crate::workbench::cli::options::{JudgementArguments, Rejection, judgement, workload_named, workloads};
use crate::workbench::edn;
use crate::workbench::history::{History, HistoryError};
use crate::workbench::report::finish::{print_json_error, print_report, time_limit, verdict_and_status};
use crate::workbench::report::results::judge;
use crate::workbench::report::store::COMPRESSED;
use crate::workbench::report::summary::{Facts, closing_line, summary};
use crate::workbench::report::violations::outcomes;
use crate::workbench::workload::{WorkloadKind, shape};

const STATUS: &str = "Exit status: 0 if the history is valid, 1 if it is not, 2 if that cannot be decided, 254 for bad \
    arguments and for a file that is not a history of the workload.";

/// Checks a stored history, of gloomers or Maelstrom; also called analyze
#[derive(Debug, Args)]
#[command(after_help = format!("{}\n\n{STATUS}", workloads()))]
pub(super) struct CheckArguments {
    /// history.edn or history.edn.zst, or the folder it is in
    history: PathBuf,
    /// What was tested
    #[arg(short, long, value_name = "NAME")]
    workload: String,
    #[command(flatten)]
    judgement: JudgementArguments,
}

/// Checks a history and prints the report; returns an exit status as a test does.
pub(super) fn check(arguments: &CheckArguments, output: &mut Output<'_>) -> io::Result<u8> {
    let (judgement, workload) = (judgement(&arguments.judgement), workload_named(&arguments.workload));
    let ((availability, consistency_models, report), workload) = match (judgement, workload) {
        (Ok(judgement), Ok(workload)) => (judgement, workload),
        (judgement, workload) => {
            let errors = judgement.err().into_iter().flatten().chain(workload.err()).collect();
            return reject(&Rejection::Errors(errors), output.page);
        }
    };
    let file = file(arguments.history.clone());
    let history = match history(&file, workload) {
        Ok(history) => history,
        Err(problem) => {
            let problem = format!("{} cannot be checked: {problem}", file.display());
            if report.json {
                print_json_error(&problem, output.page)?;
            } else {
                writeln!(output.page, "{problem}")?;
            }
            return Ok(BAD_ARGUMENTS);
        }
    };
    let counts = counts(&file.with_file_name("results.edn"));
    let rules = check::Options { availability, consistency_models, budget: time_limit(report.check_timeout) };
    let mut results = judge(workload, &history, &rules, &counts.unwrap_or_default());
    if counts.is_none() {
        results.net = None;
    }
    let (verdict, status) = verdict_and_status(&results, report.strict);
    let edn = results.to_edn();
    if report.json {
        writeln!(output.page, "{}", edn.to_json())?;
        return Ok(status);
    }
    let folder = file.parent().unwrap_or(Path::new("")).to_owned();
    let outcomes = outcomes(&results, report.strict);
    let summary = summary(&results, &outcomes, &Facts { folder, ..Facts::default() }, output.colours);
    let printed = report.verbose.then_some(&edn);
    print_report(output.page, &results.explanation(), printed, &summary, closing_line(verdict))?;
    Ok(status)
}

/// The message counts of the results beside a history, which does not contain them.
fn counts(results: &Path) -> Option<Counts> {
    let results = edn::read(&fs::read_to_string(results).ok()?).ok()?;
    let net = results.get("net")?;
    let traffic = |group: &str| {
        let count = |key: &str| usize::try_from(net.get(group)?.get(key)?.as_int()?).ok();
        Some(Traffic { send: count("send-count")?, recv: count("recv-count")?, msg: count("msg-count")? })
    };
    Some(Counts { all: traffic("all")?, clients: traffic("clients")?, servers: traffic("servers")? })
}

/// The file of the history, where `path` may be its folder.
pub(super) fn file(path: PathBuf) -> PathBuf {
    if !path.is_dir() {
        return path;
    }
    let (plain, compressed) = (path.join("history.edn"), path.join(format!("history.edn{COMPRESSED}")));
    if compressed.exists() && !plain.exists() { compressed } else { plain }
}

/// Reads a history, whose operations must be those of the workload.
pub(super) fn history(file: &Path, workload: WorkloadKind) -> Result<History, String> {
    let is_compressed = file.extension().is_some_and(|ending| ending == COMPRESSED.trim_start_matches('.'));
    let history = if is_compressed {
        History::read_compressed(File::open(file).map_err(|error| error.to_string())?)
    } else {
        fs::read_to_string(file).map_err(|error| error.to_string())?.parse()
    };
    let history = history.map_err(|error: HistoryError| error.to_string())?;
    shape::admit(workload, &history).map_err(|foreign| foreign.to_string())?;
    Ok(history)
}
