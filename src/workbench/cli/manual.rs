//! `gloomers completions` and `gloomers man`: what a package installs beside the program.

use std::io;

use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{BAD_ARGUMENTS, Gloomers, Output};
use crate::workbench::report::finish::VALID;

/// Prints a script that completes commands and options, for a shell to read
#[derive(Debug, Args)]
pub(super) struct CompletionsArguments {
    /// For which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Prints the manual page of gloomers, or of one of its commands, for man to read
#[derive(Debug, Args)]
pub(super) struct ManArguments {
    /// A command, such as test
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

/// Prints the completions of a shell.
pub(super) fn completions(arguments: &CompletionsArguments, output: &mut Output<'_>) -> io::Result<u8> {
    // The generator panics if it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Gloomers::command(), "gloomers", &mut script);
    output.page.write_all(&script)?;
    Ok(VALID)
}

/// Prints a manual page; a command without one is a bad argument.
pub(super) fn man(arguments: &ManArguments, output: &mut Output<'_>) -> io::Result<u8> {
    let mut program = Gloomers::command();
    program.build();
    let name = arguments.command.as_deref();
    let described = name.map_or(Some(&program), |name| program.find_subcommand(name));
    let Some(described) = described else {
        let known: Vec<_> = program.get_subcommands().map(Command::get_name).collect();
        writeln!(output.page, "There is no command {:?}, only {}", name.unwrap_or_default(), known.join(", "))?;
        return Ok(BAD_ARGUMENTS);
    };
    let mut page = Vec::new();
    Man::new(described.clone()).source(concat!("gloomers ", env!("CARGO_PKG_VERSION"))).render(&mut page)?;
    output.page.write_all(&page)?;
    Ok(VALID)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    fn page(command: Option<&str>) -> (u8, String) {
        let mut text = Vec::new();
        let mut output = Output { page: &mut text, colours: false, store: "".as_ref() };
        let status = man(&ManArguments { command: command.map(str::to_owned) }, &mut output).expect("written");
        (status, String::from_utf8(text).expect("text"))
    }

    #[test]
    fn every_command_has_a_manual_page_with_its_options() {
        let (_, contents) = page(None);
        for command in Gloomers::command().get_subcommands() {
            let name = command.get_name();
            assert!(contents.contains(&format!("gloomers\\-{}(1)", name.replace('-', "\\-"))), "{name}: {contents}");
            let (status, text) = page(Some(name));
            assert_eq!(status, VALID);
            for option in command.get_opts().filter_map(|option| option.get_long()) {
                assert!(text.contains(&option.replace('-', "\\-")), "{name} --{option}");
            }
        }
        assert_eq!(page(Some("tset")).0, BAD_ARGUMENTS);
    }

    #[test]
    fn every_shell_has_completions_of_every_command() {
        for shell in Shell::value_variants() {
            let mut text = Vec::new();
            let mut output = Output { page: &mut text, colours: false, store: "".as_ref() };
            completions(&CompletionsArguments { shell: *shell }, &mut output).expect("written");
            let script = String::from_utf8(text).expect("text");
            for command in Gloomers::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
        }
    }
}
