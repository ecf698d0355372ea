//! A node as a process: its command line, its configuration, and its log on stderr.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::{host, host_durable};
use crate::engine::{Engine, EngineConfig};
use crate::node::{Node, Options};
use crate::storage::Storage;

/// The log level unless `RUST_LOG` is `off`, `error`, `warn`, `info`, `debug` or `trace`.
const DEFAULT_LEVEL: LevelFilter = LevelFilter::Warn;

/// Runs a node with this process's command line, from stdin to stdout, until stdin ends.
#[must_use]
pub fn main<N: Node>() -> ExitCode {
    main_with::<N>(&mut std::env::args().skip(1))
}

/// As [`main`], with the given arguments.
#[must_use]
pub fn main_with<N: Node>(arguments: &mut dyn Iterator<Item = String>) -> ExitCode {
    let level = std::env::var("RUST_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(DEFAULT_LEVEL);
    if log::set_logger(&Stderr).is_ok() {
        log::set_max_level(level);
    }
    run::<N>(arguments.collect()).unwrap_or_else(|why| {
        log::error!("{why}");
        ExitCode::FAILURE
    })
}

fn run<N: Node>(mut arguments: Vec<String>) -> Result<ExitCode, String> {
    let directory = data_dir(&mut arguments)?;
    let options = N::Options::parse(&mut arguments.into_iter())?;
    let Some(directory) = directory else { return Ok(host(&mut Engine::<N>::new(config(options)))) };
    if !N::STORES {
        return Err(format!("{DATA_DIR} has no effect: this node stores nothing"));
    }
    let (storage, stored) = Storage::open(Path::new(&directory)).map_err(|why| why.to_string())?;
    Ok(host_durable(&mut Engine::<N>::durable(config(options), stored), storage))
}

/// The option of every node that stores what it must remember.
const DATA_DIR: &str = "--data-dir";

/// Removes the option from the arguments; returns its value.
fn data_dir(arguments: &mut Vec<String>) -> Result<Option<String>, String> {
    let is_option = |argument: &String| argument.split('=').next() == Some(DATA_DIR);
    let Some(at) = arguments.iter().position(is_option) else { return Ok(None) };
    let option = arguments.remove(at);
    let value = match option.split_once('=') {
        Some((_, value)) => value.to_owned(),
        None if at < arguments.len() => arguments.remove(at),
        None => String::new(),
    };
    if value.is_empty() {
        return Err(format!("{DATA_DIR} needs a directory, which is created if it does not exist"));
    }
    Ok(Some(value))
}

#[expect(clippy::disallowed_methods, reason = "the host of a process is where its time comes from")]
fn config<O>(options: O) -> EngineConfig<O> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let incarnation = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
    let seed = RandomState::new().hash_one(std::process::id());
    EngineConfig { incarnation, seed, options }
}

/// Writes each record as a line on stderr.
struct Stderr;

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let level = match record.level() {
                Level::Error => "error",
                Level::Warn => "warning",
                Level::Info => "info",
                Level::Debug => "debug",
                Level::Trace => "trace",
            };
            // There is nowhere to report that stderr is closed.
            writeln!(std::io::stderr().lock(), "{level}: {}", record.args()).ok();
        }
    }

    fn flush(&self) {}
}
