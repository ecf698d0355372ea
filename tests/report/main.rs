//! The pages of a run in a real Chromium: its report, and the list of runs. Without a Chromium the tests are skipped
//! with a message, or fail if `CI` or `CHROMIUM_EXPECTED` is set.

#![cfg(feature = "workbench")]

mod browser;
mod index;
mod journey;
mod large;
mod page;
mod svg;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value as Json;
use tempfile::TempDir;

/// A folder with the store of tests in virtual time.
struct Ran {
    folder: TempDir,
}

impl Ran {
    fn of(options: &str) -> Self {
        let ran = Self { folder: tempfile::tempdir().expect("a folder") };
        ran.test(options);
        ran
    }

    /// Runs a further test there.
    fn test(&self, options: &str) {
        let output = self.command(options).output().expect("gloomers runs");
        assert!(self.folder.path().join("store/latest").exists(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    fn command(&self, options: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gloomers"));
        command.args(["test", "--virtual-time", "--quiet"]).args(options.split_whitespace());
        command.current_dir(self.folder.path()).stdout(Stdio::piped());
        command
    }

    fn latest(&self) -> PathBuf {
        self.folder.path().join("store/latest").canonicalize().expect("a run")
    }

    fn results(&self) -> Json {
        let text = std::fs::read_to_string(self.latest().join("results.json")).expect("results");
        serde_json::from_str(&text).expect("JSON")
    }
}

/// Prints a line, also if the test succeeds.
fn say(text: &str) {
    writeln!(std::io::stderr(), "{text}").ok();
}
