//! The command within a unit test.

use super::*;

/// Runs `gloomers` with these arguments and this folder for runs; returns its exit status and output.
pub(in crate::workbench) fn gloomers(line: &str, store: &Path) -> (u8, String) {
    let mut page = Vec::new();
    let mut output = Output { page: &mut page, colours: false, store };
    let status = match parse(line.split_whitespace().map(Into::into)).map(|Gloomers { command }| command) {
        Ok(Command::Reporting(command)) => run(command, &mut output),
        Ok(Command::Node(_)) => panic!("a node is tested as a process"),
        Err(rejection) => reject(&rejection, output.page),
    };
    (status.expect("memory can be written"), String::from_utf8_lossy(&page).into_owned())
}
