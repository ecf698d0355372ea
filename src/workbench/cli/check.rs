//! `gloomers check`: judges a stored history, ours or Maelstrom's own, as `gloomers test` judges a run.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command};

use super::{BAD_ARGUMENTS, Output, refuse};
use crate::time::Duration;
use crate::workbench::check::net::{Counts, Traffic};
use crate::workbench::check::{self, Verdict, judge, shape};
use crate::workbench::cli::options::{self, Refusal};
use crate::workbench::edn::{self, Value};
use crate::workbench::history::{History, HistoryError};
use crate::workbench::report::finish::{ruling, tell, time_limit};
use crate::workbench::report::store::COMPRESSED;
use crate::workbench::report::summary::{Facts, closing_line, summary};
use crate::workbench::workload::Kind;

const STATUS: &str = "Exit status: 0 if the history is valid, 1 if it is not, 2 if that cannot be decided, 254 for bad \
    arguments and for a file that is no history of the workload.";

/// What the command line asks for.
struct Request {
    path: PathBuf,
    workload: Kind,
    rules: check::Options,
    check_timeout: Duration,
    strict: bool,
    json: bool,
    verbose: bool,
}

/// Judges the history that the arguments after `gloomers check` name, and returns an exit status as a test does.
///
/// # Errors
///
/// When the report cannot be written.
pub fn check(arguments: impl IntoIterator<Item = OsString>, desk: &mut Output<'_>) -> io::Result<u8> {
    let request = match request(arguments) {
        Ok(request) => request,
        Err(refusal) => return refuse(&refusal, desk.page),
    };
    let file = file(request.path);
    let history = match history(&file, request.workload) {
        Ok(history) => history,
        Err(problem) => {
            let problem = format!("{} cannot be checked: {problem}", file.display());
            if request.json {
                let document = Value::record([("valid?", Value::Nil), ("error", Value::str(problem))]);
                writeln!(desk.page, "{}", document.to_json())?;
            } else {
                writeln!(desk.page, "{problem}")?;
            }
            return Ok(BAD_ARGUMENTS);
        }
    };
    let counts = counts(&file.with_file_name("results.edn"));
    let rules = check::Options { budget: time_limit(request.check_timeout), ..request.rules };
    let mut results = judge(request.workload.name(), &history, &rules, &counts.unwrap_or_default());
    if let (None, Value::Map(parts)) = (counts, &mut results) {
        parts.retain(|(key, _)| key.as_keyword() != Some("net"));
    }
    let (verdict, status) = ruling(&results, request.strict && check::ours(&results) == Some(Verdict::False));
    if request.json {
        writeln!(desk.page, "{}", results.to_json())?;
        return Ok(status);
    }
    let folder = file.parent().unwrap_or(Path::new("")).to_owned();
    let workload = request.workload.name().to_owned();
    let facts = Facts { workload, strict: request.strict, folder, ..Facts::default() };
    let printed = request.verbose.then_some(&results);
    let words = check::in_words(&results);
    tell(desk.page, &words, printed, &summary(&results, &facts, desk.colours), closing_line(verdict))?;
    Ok(status)
}

/// The counts of messages that stand in the results beside a history; the history itself does not know them.
fn counts(results: &Path) -> Option<Counts> {
    let results = edn::read(&fs::read_to_string(results).ok()?).ok()?;
    let net = results.get("net")?;
    let traffic = |group: &str| {
        let count = |key: &str| usize::try_from(net.get(group)?.get(key)?.as_int()?).ok();
        Some(Traffic { send: count("send-count")?, recv: count("recv-count")?, msg: count("msg-count")? })
    };
    Some(Counts { all: traffic("all")?, clients: traffic("clients")?, servers: traffic("servers")? })
}

/// The file of the history, also if only its folder is given.
fn file(path: PathBuf) -> PathBuf {
    if !path.is_dir() {
        return path;
    }
    let (plain, compressed) = (path.join("history.edn"), path.join(format!("history.edn{COMPRESSED}")));
    if compressed.exists() && !plain.exists() { compressed } else { plain }
}

/// The history in a file, if it may be one of the workload.
fn history(file: &Path, workload: Kind) -> Result<History, String> {
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

fn request(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, Refusal> {
    let matches = options::matches(table(), arguments)?;
    let mut errors = Vec::new();
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let availability = text("availability").map(|text| options::demanded_availability(&text)).transpose();
    let availability = availability.unwrap_or_else(|error| {
        errors.push(error);
        None
    });
    let models = text("consistency-models").unwrap_or(check::txn::DEFAULT_MODEL.into());
    let consistency_models = options::models(&models).unwrap_or_else(|error| {
        errors.push(error);
        Vec::new()
    });
    let timeout = options::check_timeout(text("check-timeout")).unwrap_or_else(|error| {
        errors.push(error);
        Duration::ZERO
    });
    let workload = options::workload_named(&text("workload").unwrap_or_default());
    match workload {
        Ok(workload) if errors.is_empty() => Ok(Request {
            path: text("history").unwrap_or_default().into(),
            workload,
            rules: check::Options { availability, consistency_models, ..check::Options::default() },
            check_timeout: timeout,
            strict: matches.get_flag("strict"),
            json: matches.get_flag("json"),
            verbose: matches.get_flag("verbose"),
        }),
        workload => {
            errors.extend(workload.err());
            Err(Refusal::Errors(errors))
        }
    }
}

pub(super) fn table() -> Command {
    let value = |name: &'static str, what: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(what).help(help).allow_hyphen_values(true)
    };
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).help(help).action(ArgAction::SetTrue);
    Command::new("gloomers check")
        .about("Judges a stored history, ours or Maelstrom's; also called analyze")
        .args_override_self(true)
        .after_help(format!("{}\n\n{STATUS}", options::workloads()))
        .arg(
            Arg::new("history")
                .value_name("HISTORY")
                .required(true)
                .help("history.edn or history.edn.zst, or the folder it is in"),
        )
        .arg(value("workload", "NAME", "What was tested").short('w').required(true))
        .arg(value("consistency-models", "M", "Consistency models to check [default: strict-serializable]"))
        .arg(value("availability", "A", "Demanded availability: total, or a number from 0 to 1"))
        .arg(value("check-timeout", "S", options::CHECK_TIMEOUT))
        .arg(flag("strict", "What only gloomers finds makes the history invalid, too"))
        .arg(flag("json", "Print the results as JSON, and nothing else"))
        .arg(flag("verbose", "Print the whole map of results, too"))
}

#[cfg(test)]
mod tests;
