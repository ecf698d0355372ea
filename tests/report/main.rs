//! What a run leaves to look at, as a browser and other clients see it: pages in a real Chromium, and `gloomers serve`
//! over real sockets. Where there is no Chromium, its tests say that they are skipped; where one is expected, which
//! is under `CI` or `CHROMIUM_EXPECTED`, they fail.

#![cfg(feature = "workbench")]

mod browser;
mod page;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value as Json;
use tempfile::TempDir;

/// The folder of a test in virtual time, in which the store is.
struct Ran {
    folder: TempDir,
}

impl Ran {
    fn of(options: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ran = Command::new(env!("CARGO_BIN_EXE_gloomers"))
            .args(["test", "--virtual-time", "--quiet"])
            .args(options.split_whitespace())
            .current_dir(folder.path())
            .output()
            .expect("gloomers runs");
        assert!(folder.path().join("store/latest").exists(), "{}", String::from_utf8_lossy(&ran.stdout));
        Self { folder }
    }

    fn latest(&self) -> PathBuf {
        self.folder.path().join("store/latest").canonicalize().expect("a run")
    }

    fn results(&self) -> Json {
        let text = std::fs::read_to_string(self.latest().join("results.json")).expect("results");
        serde_json::from_str(&text).expect("JSON")
    }
}

/// `gloomers serve` on a port of its own.
struct Serving {
    process: Child,
    /// `127.0.0.1:12345`
    address: String,
    _page: BufReader<ChildStdout>,
}

impl Serving {
    fn of(folder: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_gloomers"))
            .args(["serve", "--port", "0"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("gloomers runs");
        let mut page = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut line = String::new();
        page.read_line(&mut line).expect("it says where it listens");
        let address =
            line.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("an address").0.to_owned();
        Self { process, address, _page: page }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// A remark, also of a test that succeeds.
fn say(text: &str) {
    writeln!(std::io::stderr(), "{text}").ok();
}
