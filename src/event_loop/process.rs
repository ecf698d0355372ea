//! A node as a process: its command line, its configuration, and its log on stderr.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::host;
use crate::engine::{Engine, EngineConfig};
use crate::node::{Node, Options};

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
    let options = match N::Options::parse(arguments) {
        Ok(options) => options,
        Err(why) => {
            log::error!("{why}");
            return ExitCode::FAILURE;
        }
    };
    host(&mut Engine::<N>::new(config(options)))
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
