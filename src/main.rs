//! `gloomers`: tests nodes as Maelstrom does, and is a node itself.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gossip_gloomers::workbench::cli::options::typographic_dash;
use gossip_gloomers::workbench::cli::output::Page;
use gossip_gloomers::workbench::cli::{self, Output, help_of_node, overview};
use gossip_gloomers::workbench::cluster::builtin::Builtin;
use gossip_gloomers::workbench::report::finish;
use gossip_gloomers::workbench::report::store::ROOT;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let command = arguments.next().unwrap_or_default();
    match command.to_str() {
        Some("test") => report(|desk| cli::test(arguments, desk)),
        Some("challenges") => report(|desk| cli::challenges(arguments, desk)),
        Some("swarm") => report(|desk| cli::swarm(arguments, desk)),
        Some("check" | "analyze") => report(|desk| cli::check(arguments, desk)),
        Some("node") => node(&arguments.collect::<Vec<_>>()),
        Some(_) | None => report(|desk| cli::refuse(&overview(std::env::args_os().skip(1)), desk.page)),
    }
}

/// Runs a command that reports on stdout and knows its exit status.
fn report(command: impl FnOnce(&mut Output<'_>) -> io::Result<u8>) -> ExitCode {
    // A file beyond the limit on sizes is an error for its writer, as a full disk is, and not the end of this process.
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false))).ok();
    let colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut page = Page::new(io::stdout().lock(), io::stderr());
    let mut desk = Output { page: &mut page, colours, store: ROOT.as_ref() };
    let status = command(&mut desk).unwrap_or_else(|error| {
        writeln!(io::stderr(), "{error}").ok();
        finish::BROKEN
    });
    page.flush().ok();
    ExitCode::from(status)
}

/// Is a node for the workload that the first argument names, on stdin and stdout, until the end of input.
fn node(arguments: &[OsString]) -> ExitCode {
    if matches!(arguments.first().and_then(|first| first.to_str()), Some("-h" | "--help")) {
        return report(|desk| cli::refuse(&help_of_node(), desk.page));
    }
    let dashed = arguments.iter().find_map(|argument| typographic_dash(argument)).map_or(Ok(()), Err);
    let mut arguments = arguments.iter().map(|argument| argument.to_string_lossy().into_owned());
    match dashed.and_then(|()| Builtin::of(&arguments.next().unwrap_or_default())) {
        Ok(node) => node.main(&mut arguments),
        Err(error) => {
            writeln!(io::stderr(), "{error}").ok();
            ExitCode::from(cli::BAD_ARGUMENTS)
        }
    }
}
