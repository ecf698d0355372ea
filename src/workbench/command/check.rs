//! `gloomers check`: judges a stored history, ours or Maelstrom's own, as `gloomers test` judges a run.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command, error::ErrorKind};

use super::{BAD_ARGUMENTS, Desk};
use crate::workbench::check::net::{Counts, Traffic};
use crate::workbench::check::{self, Verdict, judge};
use crate::workbench::conclude::{BROKEN, VALID, ruling, tell};
use crate::workbench::edn::{self, Value};
use crate::workbench::history::History;
use crate::workbench::options;
use crate::workbench::summary::{Facts, closing_line, summary};
use crate::workbench::workload::Kind;

/// What the command line asks for.
struct Request {
    path: PathBuf,
    workload: String,
    rules: check::Options,
    strict: bool,
    json: bool,
    verbose: bool,
}

/// Judges the history that the arguments after `gloomers check` name, and returns an exit status as a test does.
///
/// # Errors
///
/// When the report cannot be written.
pub fn check(arguments: impl IntoIterator<Item = OsString>, desk: &mut Desk<'_>) -> io::Result<u8> {
    let request = match request(arguments) {
        Ok(request) => request,
        Err((status, text)) => {
            writeln!(desk.page, "{}", text.trim_end())?;
            return Ok(status);
        }
    };
    let file = if request.path.is_dir() { request.path.join("history.edn") } else { request.path.clone() };
    let history = fs::read_to_string(&file).map_err(|error| error.to_string());
    let history: History = match history.and_then(|text| text.parse().map_err(|error: _| format!("{error}"))) {
        Ok(history) => history,
        Err(problem) => {
            writeln!(desk.page, "{} cannot be checked: {problem}", file.display())?;
            return Ok(BROKEN);
        }
    };
    let counts = counts(&file.with_file_name("results.edn"));
    let mut results = judge(&request.workload, &history, &request.rules, &counts.unwrap_or_default());
    if let (None, Value::Map(parts)) = (counts, &mut results) {
        parts.retain(|(key, _)| key.as_keyword() != Some("net"));
    }
    let (verdict, status) = ruling(&results, request.strict && check::ours(&results) == Some(Verdict::False));
    if request.json {
        writeln!(desk.page, "{}", results.to_json())?;
        return Ok(status);
    }
    let folder = file.parent().unwrap_or(Path::new("")).to_owned();
    let facts = Facts { workload: request.workload, strict: request.strict, folder, ..Facts::default() };
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

fn request(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, (u8, String)> {
    let name = OsString::from("gloomers check");
    let matches = table().try_get_matches_from(std::iter::once(name).chain(arguments)).map_err(|error| {
        let status = if error.kind() == ErrorKind::DisplayHelp { VALID } else { BAD_ARGUMENTS };
        (status, error.to_string())
    })?;
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let availability = match text("availability") {
        None => None,
        Some(text) => Some(options::availability(&text).ok_or_else(|| {
            (
                BAD_ARGUMENTS,
                format!("Failed to validate \"--availability {text}\": Must be total, or a number from 0 to 1"),
            )
        })?),
    };
    let workload = text("workload").unwrap_or_default();
    Kind::named(&workload).map_err(|error| (BAD_ARGUMENTS, error))?;
    let consistency_models = options::models(&text("consistency-models").unwrap_or(check::txn::DEFAULT_MODEL.into()))
        .map_err(|error| (BAD_ARGUMENTS, error))?;
    Ok(Request {
        path: text("history").unwrap_or_default().into(),
        workload,
        rules: check::Options { availability, consistency_models },
        strict: matches.get_flag("strict"),
        json: matches.get_flag("json"),
        verbose: matches.get_flag("verbose"),
    })
}

fn table() -> Command {
    let value = |name: &'static str, what: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(what).help(help).allow_hyphen_values(true)
    };
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).help(help).action(ArgAction::SetTrue);
    Command::new("gloomers check")
        .about("Judges a stored history, ours or Maelstrom's, as a test judges its own")
        .arg(Arg::new("history").value_name("HISTORY").required(true).help("history.edn, or the folder it is in"))
        .arg(value("workload", "NAME", "What was tested").short('w').required(true))
        .arg(value("consistency-models", "M", "Consistency models to check [default: strict-serializable]"))
        .arg(value("availability", "A", "Demanded availability: total, or a number from 0 to 1"))
        .arg(flag("strict", "What only gloomers finds makes the history invalid, too"))
        .arg(flag("json", "Print the results as JSON, and nothing else"))
        .arg(flag("verbose", "Print the whole map of results, too"))
}

#[cfg(test)]
mod tests;
