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

use measure::Error;

const USAGE: &str = "\
Usage: figures                       writes docs/figures.md and docs/staleness.svg
       figures staleness [FILE.svg]  prints and plots the trade-off between messages and staleness
       figures growth                prints the cost of 5 to 100 nodes
       figures faults                prints the cost of partitions, losses and variable latencies
       figures jitter                prints how often challenge 3d's limits are met with jitter
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
        Err(error) => {
            writeln!(io::stderr(), "{error}").ok();
            ExitCode::FAILURE
        }
    }
}

fn print(table: &str) -> Result<(), Error> {
    Ok(io::stdout().write_all(table.as_bytes())?)
}

fn staleness(plot: Option<&str>) -> Result<String, Error> {
    let (table, points) = staleness::staleness()?;
    plot::draw(&points, Path::new(plot.unwrap_or(PLOT)))?;
    Ok(table)
}

/// Measures everything, and updates the page.
fn everything() -> Result<(), Error> {
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
