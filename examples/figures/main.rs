//! Measures the figures of `docs/figures.md`, in virtual time: the same on every machine, for the same code.
//!
//! ```console
//! $ cargo run --release --example figures                        # everything, into docs
//! $ cargo run --release --example figures -- staleness plot.svg  # one table, and the plot
//! $ cargo run --release --example figures -- growth
//! $ cargo run --release --example figures -- faults
//! $ cargo run --release --example figures -- jitter
//! ```

mod faults;
mod growth;
mod jitter;
mod labels;
mod measure;
mod page;
mod plot;
mod staleness;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use measure::Trouble;

const USAGE: &str = "\
Usage: figures                       writes docs/figures.md and docs/staleness.svg
       figures staleness [FILE.svg]  prints the trade of messages for freshness, and draws it
       figures growth                prints what 5 to 100 nodes cost
       figures faults                prints what partitions, losses and ragged latencies cost
       figures jitter                prints what is left of challenge 3d's limits on machines that are late
";
const PAGE: &str = "docs/figures.md";
const PLOT: &str = "docs/staleness.svg";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        [] => everything(),
        ["staleness"] => staleness(None).and_then(|table| print(&table)),
        ["staleness", path] => staleness(Some(path)).and_then(|table| print(&table)),
        ["growth"] => growth::growth().and_then(|table| print(&table)),
        ["faults"] => faults::faults().and_then(|table| print(&table)),
        ["jitter"] => jitter::jitter().and_then(|table| print(&table)),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            writeln!(io::stderr(), "{trouble}").ok();
            ExitCode::FAILURE
        }
    }
}

fn print(table: &str) -> Result<(), Trouble> {
    Ok(io::stdout().write_all(table.as_bytes())?)
}

fn staleness(plot: Option<&str>) -> Result<String, Trouble> {
    let (table, points) = staleness::staleness()?;
    plot::draw(&points, Path::new(plot.unwrap_or(PLOT)))?;
    Ok(table)
}

/// Measures everything and puts it where it is read.
fn everything() -> Result<(), Trouble> {
    let page = std::fs::read_to_string(PAGE)
        .map_err(|error| format!("{PAGE}: {error}; start this in the folder of Cargo.toml"))?;
    let machine = format!(
        "Measured on {}, on {} cores, {} {}.\n",
        &tz::UtcDateTime::now()?.to_string()[..10],
        std::thread::available_parallelism()?,
        if cfg!(target_os = "linux") { "Linux" } else { std::env::consts::OS },
        std::env::consts::ARCH,
    );
    let page = page::replace(&page, "machine", &machine)?;
    let page = page::replace(&page, "staleness", &staleness(None)?)?;
    let page = page::replace(&page, "growth", &growth::growth()?)?;
    let page = page::replace(&page, "faults", &faults::faults()?)?;
    let page = page::replace(&page, "jitter", &jitter::jitter()?)?;
    Ok(std::fs::write(PAGE, page)?)
}
