//! Parsing of command lines for all commands, and suggestions for mistyped names.

use std::ffi::{OsStr, OsString};
use std::fmt;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Parser};

/// A command line that is not executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// The requested help or version, to be printed with exit status 0.
    Help(String),
    /// Errors, to be printed with exit status 254.
    Errors(Vec<String>),
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Help(help) => f.write_str(help),
            Self::Errors(errors) => f.write_str(&errors.join("; ")),
        }
    }
}

/// Parses arguments. Of an option that is given twice the last counts, and the value of an option may begin with a
/// hyphen.
pub(in crate::workbench::cli) fn parse<T: Parser>(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<T, Rejection> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let dashed: Vec<_> = arguments.iter().filter_map(|argument| typographic_dash(argument)).collect();
    if !dashed.is_empty() {
        return Err(Rejection::Errors(dashed));
    }
    let takes_any = |arg: Arg| {
        let takes_any = arg.get_long().is_some() && arg.get_action().takes_values();
        arg.allow_hyphen_values(takes_any)
    };
    let command = T::command().args_override_self(true).mut_args(takes_any);
    let name = OsString::from(command.get_name());
    let matches = command.try_get_matches_from(std::iter::once(name).chain(arguments));
    matches.and_then(|mut matches| T::from_arg_matches_mut(&mut matches)).map_err(|error| rejection(&error))
}

/// The error of an argument that begins with a typographic dash, as copied from a web page; taken literally, it would
/// be an argument for the node instead of an option.
fn typographic_dash(argument: &OsStr) -> Option<String> {
    let text = argument.to_string_lossy();
    let is_dash = |letter: char| matches!(letter, '\u{2010}'..='\u{2015}' | '\u{2212}');
    let dash = text.chars().next().filter(|first| is_dash(*first))?;
    let rest = text.trim_start_matches(|letter| is_dash(letter) || letter == '-');
    let typed = if rest.chars().count() == 1 { format!("-{rest}") } else { format!("--{rest}") };
    let code = u32::from(dash);
    Some(format!("\"{text}\" begins with the typographic dash U+{code:04X}; type \"{typed}\" with hyphens"))
}

/// The end of a message about an unknown name: a similar one, if any.
pub(in crate::workbench::cli) fn did_you_mean(text: &str, names: &[&'static str]) -> String {
    let names = PossibleValuesParser::new(names.iter().copied());
    let error = names.parse_ref(&Command::new(""), None, OsStr::new(text)).err();
    hint(error.and_then(|error| first(error.get(ContextKind::SuggestedValue)?)))
}

fn hint(name: Option<String>) -> String {
    name.map_or_else(String::new, |name| format!("; did you mean \"{name}\"?"))
}

/// The first text of an error's context.
fn first(value: &ContextValue) -> Option<String> {
    if let ContextValue::Strings(texts) = value {
        return texts.first().cloned();
    }
    if let ContextValue::String(text) = value { Some(text.clone()) } else { None }
}

/// Converts an error of clap.
fn rejection(error: &clap::Error) -> Rejection {
    let text = |kind| error.get(kind).and_then(first);
    let argument = text(ContextKind::InvalidArg).unwrap_or_default().replace(['<', '>'], "");
    let is = |kind| error.kind() == kind;
    if is(ErrorKind::DisplayHelp) || is(ErrorKind::DisplayVersion) {
        return Rejection::Help(error.to_string());
    }
    let no_value = text(ContextKind::InvalidValue).is_none_or(|value| value.is_empty());
    Rejection::Errors(vec![if is(ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand) {
        error.to_string()
    } else if is(ErrorKind::UnknownArgument) {
        format!("Unknown option: \"{argument}\"{}", hint(text(ContextKind::SuggestedArg)))
    } else if is(ErrorKind::InvalidSubcommand) {
        let name = text(ContextKind::InvalidSubcommand).unwrap_or_default();
        let hint = hint(text(ContextKind::SuggestedSubcommand));
        format!("Unknown command: \"{name}\"; `gloomers --help` lists those there are{hint}")
    } else if is(ErrorKind::MissingRequiredArgument) {
        let missing = error.get(ContextKind::InvalidArg).and_then(all).unwrap_or_default();
        format!("Missing: {}", missing.replace(['<', '>'], ""))
    } else if is(ErrorKind::InvalidValue) && no_value {
        format!("Missing required argument for \"{argument}\"")
    } else if let Some(valid) = error.get(ContextKind::ValidValue).and_then(all) {
        let value = text(ContextKind::InvalidValue).unwrap_or_default();
        format!("Invalid {argument}: \"{value}\"; must be one of {valid}{}", hint(text(ContextKind::SuggestedValue)))
    } else {
        error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
    }])
}

fn all(value: &ContextValue) -> Option<String> {
    if let ContextValue::Strings(texts) = value { Some(texts.join(", ")) } else { first(value) }
}
