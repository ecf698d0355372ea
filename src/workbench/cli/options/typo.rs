//! Command lines that are read and refused alike by every command, and what somebody who mistyped may have meant.

use std::ffi::{OsStr, OsString};
use std::fmt;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Parser};

/// Why there are no options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Help was asked for: print it, and end with status 0.
    Help(String),
    /// Something is wrong: print each, and end with status 254.
    Errors(Vec<String>),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Help(help) => f.write_str(help),
            Self::Errors(errors) => f.write_str(&errors.join("; ")),
        }
    }
}

/// The arguments that follow the name of a command. Of an option that is given twice, the last counts, and what follows
/// an option is its value, whatever it begins with.
pub(in crate::workbench::cli) fn parse<T: Parser>(arguments: impl IntoIterator<Item = OsString>) -> Result<T, Refusal> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let dashed: Vec<_> = arguments.iter().filter_map(|argument| typographic_dash(argument)).collect();
    if !dashed.is_empty() {
        return Err(Refusal::Errors(dashed));
    }
    let takes_any = |arg: Arg| {
        let takes_any = arg.get_long().is_some() && arg.get_action().takes_values();
        arg.allow_hyphen_values(takes_any)
    };
    let command = T::command().args_override_self(true).mut_args(takes_any);
    let name = OsString::from(command.get_name());
    let matches = command.try_get_matches_from(std::iter::once(name).chain(arguments));
    matches.and_then(|mut matches| T::from_arg_matches_mut(&mut matches)).map_err(|error| refusal(&error))
}

/// What is wrong with an argument that begins with a dash from a web page or a word processor: to Maelstrom, and to
/// every other program, it is no option but an argument for the node.
fn typographic_dash(argument: &OsStr) -> Option<String> {
    let text = argument.to_string_lossy();
    let is_dash = |letter: char| matches!(letter, '\u{2010}'..='\u{2015}' | '\u{2212}');
    let dash = text.chars().next().filter(|first| is_dash(*first))?;
    let rest = text.trim_start_matches(|letter| is_dash(letter) || letter == '-');
    let typed = if rest.chars().count() == 1 { format!("-{rest}") } else { format!("--{rest}") };
    let code = u32::from(dash);
    Some(format!(
        "\"{text}\" is no option: it begins with the typographic dash U+{code:04X}; type \"{typed}\" with plain hyphens"
    ))
}

/// The end of a sentence about a name that is none: the one of the names that is close to it.
pub(in crate::workbench::cli) fn did_you_mean(text: &str, names: &[&'static str]) -> String {
    let names = PossibleValuesParser::new(names.iter().copied());
    let error = names.parse_ref(&Command::new(""), None, OsStr::new(text)).err();
    hint(error.and_then(|error| first(error.get(ContextKind::SuggestedValue)?)))
}

fn hint(name: Option<String>) -> String {
    name.map_or_else(String::new, |name| format!("; did you mean \"{name}\"?"))
}

/// The text of a context of an error, or the first of several.
fn first(value: &ContextValue) -> Option<String> {
    if let ContextValue::Strings(texts) = value {
        return texts.first().cloned();
    }
    if let ContextValue::String(text) = value { Some(text.clone()) } else { None }
}

/// What a command line that cannot be read comes to.
fn refusal(error: &clap::Error) -> Refusal {
    let text = |kind| error.get(kind).and_then(first);
    let argument = text(ContextKind::InvalidArg).unwrap_or_default().replace(['<', '>'], "");
    let is = |kind| error.kind() == kind;
    if is(ErrorKind::DisplayHelp) || is(ErrorKind::DisplayVersion) {
        return Refusal::Help(error.to_string());
    }
    let no_value = text(ContextKind::InvalidValue).is_none_or(|value| value.is_empty());
    Refusal::Errors(vec![if is(ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand) {
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
    } else {
        error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
    }])
}

fn all(value: &ContextValue) -> Option<String> {
    if let ContextValue::Strings(texts) = value { Some(texts.join(", ")) } else { first(value) }
}
