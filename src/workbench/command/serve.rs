//! `gloomers serve`: the store for a browser.

use std::ffi::OsString;
use std::io;

use clap::{Arg, Command, value_parser};

use super::{Desk, refuse};
use crate::workbench::conclude::{BROKEN, VALID};
use crate::workbench::options;
use crate::workbench::serve::Server;

const LOOPBACK: &str = "127.0.0.1";
const PORT: u16 = 8080;

/// Serves the store until the process ends; returns an exit status only where it cannot begin.
///
/// # Errors
///
/// When the page cannot be written.
pub fn serve(arguments: impl IntoIterator<Item = OsString>, desk: &mut Desk<'_>) -> io::Result<u8> {
    let matches = match options::matches(table(), arguments) {
        Ok(matches) => matches,
        Err(refusal) => return refuse(&refusal, desk.page),
    };
    let host = matches.get_one::<String>("host").map_or(LOOPBACK, String::as_str);
    let port = matches.get_one::<u16>("port").copied().unwrap_or(PORT);
    let server = match Server::bind(host, port, desk.store) {
        Ok(server) => server,
        Err(error) => {
            writeln!(desk.page, "{error}")?;
            return Ok(BROKEN);
        }
    };
    writeln!(desk.page, "http://{}/ shows {}; Ctrl-C ends it.", server.address(), desk.store.display())?;
    desk.page.flush()?;
    server.run();
    Ok(VALID)
}

pub(super) fn table() -> Command {
    let option = |name: &'static str, what: &'static str| Arg::new(name).long(name).value_name(what);
    let port = option("port", "PORT").help("Where to listen; 0 for any free port [default: 8080]");
    let host = option("host", "HOST");
    let host = host.help("Whoever reaches this address can read the store [default: 127.0.0.1]");
    Command::new("gloomers serve")
        .about("Shows the runs in the store to a browser")
        .args([port.value_parser(value_parser!(u16)), host])
}
