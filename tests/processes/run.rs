//! One run of `gloomers test` in a folder of its own, and its output.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::broken;

/// The output of a run.
pub(crate) struct Run {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    folder: TempDir,
}

/// `gloomers test` with these arguments, below `folder`.
pub(crate) fn gloomers(folder: &TempDir, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gloomers"));
    command.arg("test").args(arguments.split_whitespace()).current_dir(folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// The same, on nodes with this fault.
pub(crate) fn gloomers_on_broken(folder: &TempDir, fault: &str, arguments: &str) -> Command {
    let ourselves = std::env::current_exe().expect("a program");
    let mut command = gloomers(folder, arguments);
    command.arg("--bin").arg(ourselves).args(["--", broken::FLAG, fault]);
    command
}

impl Run {
    /// Runs the built-in node.
    pub(crate) fn of(arguments: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self::finish(gloomers(&folder, arguments), folder)
    }

    /// Runs a broken node.
    pub(crate) fn of_broken(fault: &str, arguments: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self::finish(gloomers_on_broken(&folder, fault, arguments), folder)
    }

    /// Runs a command that was made for this folder.
    pub(crate) fn finish(mut command: Command, folder: TempDir) -> Self {
        Self::of_child(command.stderr(Stdio::piped()).spawn().expect("gloomers runs"), folder)
    }

    /// Waits for `gloomers`.
    pub(crate) fn of_child(gloomers: Child, folder: TempDir) -> Self {
        let output = gloomers.wait_with_output().expect("a child");
        let text = |bytes| String::from_utf8(bytes).expect("it writes text");
        Self { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr), folder }
    }

    /// A file of the run, if it was written.
    pub(crate) fn file(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.path(name)).ok()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("store/current").join(name)
    }

    /// The value in `results.json` at a JSON pointer.
    ///
    /// # Panics
    /// There are no results, or no such value.
    pub(crate) fn result(&self, pointer: &str) -> Value {
        let text = self.file("results.json").unwrap_or_else(|| panic!("no results:\n{}", self.stdout));
        let results: Value = serde_json::from_str(&text).expect("results.json is JSON");
        results.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {text}")).clone()
    }

    pub(crate) fn count(&self, pointer: &str) -> u64 {
        self.result(pointer).as_u64().unwrap_or_else(|| panic!("{pointer} is not a count"))
    }

    /// # Panics
    /// The verdict or the exit code differs.
    pub(crate) fn assert_verdict(&self, valid: bool, status: i32) {
        assert_eq!((self.result("/valid"), self.status), (Value::Bool(valid), Some(status)), "{}", self.stdout);
    }

    /// # Panics
    /// The run was not aborted, or has a verdict.
    pub(crate) fn assert_no_verdict(&self) {
        assert_eq!(self.status, Some(255), "{}", self.stdout);
        assert_eq!(self.file("results.json"), None, "{}", self.stdout);
        assert_eq!(self.file("results.edn"), None, "{}", self.stdout);
    }
}
