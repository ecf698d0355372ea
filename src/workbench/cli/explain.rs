//! `gloomers explain`: why a stored run failed, or what became of one value, operation or node.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use super::check::{file, history};
use super::{BAD_ARGUMENTS, Output};
use crate::time::Duration;
use crate::workbench::edn::Value;
use crate::workbench::explain::file::NAME;
use crate::workbench::explain::{Cases, Evidence, Explanation, Question};
use crate::workbench::history::History;
use crate::workbench::json;
use crate::workbench::network::Journal;
use crate::workbench::report::finish::{VALID, time_limit};

/// How long the search for violations may take.
const SEARCH: Duration = Duration::from_secs(60);

/// The maximum number of explanations that are printed.
const MAX_EXPLAINED: usize = 100;

/// Says why a stored run failed, or follows one value, operation or node through it
#[derive(Debug, Args)]
pub(super) struct ExplainArguments {
    /// The folder of the run [default: store/latest]
    run: Option<PathBuf>,
    /// A value that a client sent, as JSON: who had it when, and where its trail ends
    #[arg(long, value_name = "V", conflicts_with_all = ["op", "node"], allow_hyphen_values = true)]
    value: Option<String>,
    /// With --value, the key that it belongs to
    #[arg(long, value_name = "K", requires = "value", allow_hyphen_values = true)]
    key: Option<String>,
    /// An operation, by its index in the history
    #[arg(long, value_name = "INDEX", conflicts_with = "node")]
    op: Option<u64>,
    /// A node: its faults, its messages, its operations
    #[arg(long, value_name = "N")]
    node: Option<String>,
    /// Print the explanations as JSON, with what each step claims
    #[arg(long)]
    json: bool,
}

/// Prints explanations; status 0, also of a run that failed.
pub(super) fn explain(arguments: &ExplainArguments, output: &mut Output<'_>) -> io::Result<u8> {
    let folder = arguments.run.clone().unwrap_or_else(|| output.store.join("latest"));
    match explained(arguments, &folder) {
        Ok((explanations, left)) => {
            if arguments.json {
                writeln!(output.page, "{}", serde_json::to_string(&explanations)?)?;
                return Ok(VALID);
            }
            if explanations.is_empty() {
                writeln!(output.page, "Nothing is wrong with this run that could be explained.")?;
            }
            for (place, explanation) in explanations.iter().enumerate() {
                if place > 0 {
                    writeln!(output.page)?;
                }
                for line in explanation.lines(usize::MAX) {
                    writeln!(output.page, "{line}")?;
                }
            }
            if left > 0 {
                writeln!(output.page, "\n{left} more are not shown.")?;
            }
            Ok(VALID)
        }
        Err(problem) => {
            writeln!(output.page, "{} cannot be explained: {problem}", folder.display())?;
            Ok(BAD_ARGUMENTS)
        }
    }
}

/// What is asked for, and how many explanations are left out.
fn explained(arguments: &ExplainArguments, folder: &Path) -> Result<(Vec<Explanation>, usize), String> {
    let (setting, journal) = messages(folder)?;
    let history: History = history(&file(folder.to_owned()), setting.workload)?;
    let evidence = Evidence::new(&setting, &history, &journal);
    let Some(question) = question(arguments)? else {
        let cases = Cases::of(&evidence, &time_limit(SEARCH));
        let explanations = cases.explain(&evidence, MAX_EXPLAINED);
        let left = cases.count().saturating_sub(MAX_EXPLAINED);
        return Ok((explanations, left));
    };
    let answer = question.answer(&evidence)?;
    Ok((answer, 0))
}

fn messages(folder: &Path) -> Result<(crate::workbench::explain::Setting, Journal), String> {
    let path = if folder.is_dir() { folder.join(NAME) } else { folder.with_file_name(NAME) };
    let stored = File::open(&path).and_then(crate::workbench::explain::file::read);
    stored.map_err(|error| format!("{}: {error}; only runs of gloomers test keep their messages", path.display()))
}

fn question(arguments: &ExplainArguments) -> Result<Option<Question>, String> {
    let read = |text: &String| {
        let value = json::value(text).or_else(|_| json::value(&Value::str(text.as_str()).to_json()));
        value.map_err(|error| format!("{text} is not a value: {error}"))
    };
    if let Some(value) = &arguments.value {
        let key = arguments.key.as_ref().map(read).transpose()?;
        return Ok(Some(Question::Value { key, value: read(value)? }));
    }
    Ok(arguments.op.map(Question::Operation).or_else(|| arguments.node.clone().map(Question::Node)))
}
